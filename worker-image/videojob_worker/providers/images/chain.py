"""A background for every scene: what was kept, the chain of providers, and at its end the text card (S-037 to S-041)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from videojob_api.story.params import Provider

from ...base.errors import External, Permanent, Recoverable, WorkerError
from ..calling import Means
from . import provider
from .base import FIELD, IMAGE_ERROR, ImageProvider, Picture, Wish, key
from .named import Named

Open = Callable[[Provider], ImageProvider]
Readable = Callable[[Path, str], None]
"""Raises Permanent for a file that cannot be used as that kind of background."""


@dataclass(frozen=True)
class Found:
    """A scene's background, and how it came."""

    picture: Picture
    provider: str
    key: str | None = None
    """Its content key, where it is worth keeping."""
    kept: bool = False
    """Whether it was there already."""
    degraded: str | None = None
    """One sentence when a link before it failed, or when this is the last resort."""


class Shelf(Protocol):
    """Where pictures that are worth it are kept by their key."""

    def get(self, name: str) -> Picture | None:
        """The picture of that key, if it is young enough and whole."""

    def put(self, name: str, picture: Picture) -> Picture:
        """Keep a picture; answers it where it lies now."""


def find(
    wish: Wish, chain: Sequence[Provider], means: Means, *, policy: Literal["Allow", "Deny"], shelf: Shelf | None,
    readable: Readable, opened: Open = provider,
) -> Found:  # fmt: skip
    """A background for one scene.

    A file that the user named comes first. Every link is asked in order; one that fails or has nothing hands on to the next.
    After the last one the text card stands in; either way a sentence for Degraded says so (S-038). With Deny the first failure
    is raised (S-041), so that no fallback hides a broken provider. Raises whatever ends the stage.
    """
    said: list[str] = []
    if wish.hint.color is not None and wish.hint.uri is None and not wish.hint.query and not wish.hint.tags:
        return Found(Picture("colour", color=wish.hint.color), "solid")
    for choice, open_ in (*_first(wish), *((choice, opened) for choice in chain)):
        try:
            who = open_(choice)
            found = _asked(wish, choice, who, means, shelf if who.keeps else None, readable)
        except (Permanent, External, Recoverable) as error:
            if policy == "Deny":
                raise
            said.append(f"{choice.name}: {error.message}")
            continue
        if found is not None:
            why = f"{found.provider} gave a picture instead: {'; '.join(said)}" if said else None
            return replace(found, degraded=why)
    if policy == "Deny":
        raise Permanent(
            IMAGE_ERROR, f"no provider has a picture for: {wish.query[:80] or 'a scene without words'}",
            hint=f"add another provider to {FIELD}, or `card`, or set fallback.policy to Allow",
        )  # fmt: skip
    why = "; ".join(said) if said else "no provider had a picture"
    return Found(Picture("card"), "card", degraded=f"a text card stands in for a picture: {why}")


def _first(wish: Wish) -> tuple[tuple[Provider, Open], ...]:
    """Who brings the file that the user named."""
    if wish.hint.uri is None:
        return ()
    if re.match("https?://", wish.hint.uri) is None:
        return ((Provider(name="named"), lambda _: Named()),)
    from .linked import Linked  # noqa: PLC0415 - the HTTP client is loaded for pictures behind a URL alone

    return ((Provider(name="linked"), lambda _: Linked()),)


def _asked(  # noqa: PLR0917 - what find knows
    wish: Wish, choice: Provider, who: ImageProvider, means: Means, shelf: Shelf | None, readable: Readable
) -> Found | None:
    name = key(wish, choice, who.version)
    if shelf is not None and (there := shelf.get(name)) is not None:
        return Found(there, choice.name, key=name, kept=True)
    picture = who.find(wish, choice, means)
    if picture is None:
        return None
    if picture.path is not None:
        _judged(picture, choice, readable)
    if shelf is not None:
        return Found(shelf.put(name, picture), choice.name, key=name)
    return Found(picture, choice.name)


def _judged(picture: Picture, choice: Provider, readable: Readable) -> None:
    """A picture that cannot be drawn is the provider's failure, not the film's."""
    if picture.path is None:
        return
    try:
        readable(picture.path, picture.kind)
    except WorkerError as error:
        raise Recoverable(
            IMAGE_ERROR, f"{choice.name} gave a file that cannot be used: {error.message}", hint=error.hint
        ) from None
