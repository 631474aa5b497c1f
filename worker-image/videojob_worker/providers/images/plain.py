"""Backgrounds that need nothing: a colour, two colours, the scene's own text on a card (S-038)."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from videojob_api.story.params import Provider

from ..calling import Means
from .base import Picture, Wish

GROUND = "#1A1A2E"
"""S-038."""
PAIRS = (
    ("#1A1A2E", "#16213E"),
    ("#0F2027", "#2C5364"),
    ("#3A1C71", "#D76D77"),
    ("#134E5E", "#71B280"),
    ("#41295A", "#2F0743"),
    ("#232526", "#414345"),
)
"""Calm colours that white letters are read on."""


class Solid:
    """One colour: the scene's, else that of the card."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = False

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture:  # noqa: ARG002 - every provider is asked alike
        """Always there."""
        return Picture("colour", color=wish.hint.color or GROUND)


class Gradient:
    """Two colours; which ones follows from the scene's words."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = False

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture:  # noqa: ARG002 - every provider is asked alike
        """Always there."""
        top, bottom = PAIRS[hashlib.sha256(wish.query.encode()).digest()[0] % len(PAIRS)]
        return Picture("gradient", color=wish.hint.color or top, color_to=bottom)


class Card:
    """The scene's text on a plain ground."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = False

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture:  # noqa: ARG002 - every provider is asked alike
        """Always there."""
        return Picture("card", color=wish.hint.color or GROUND)
