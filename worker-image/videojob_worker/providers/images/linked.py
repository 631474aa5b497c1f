"""The very file that the user named for a scene, behind a URL (S-019, S-037)."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from videojob_api.story.params import Provider

from ...net.download import Hooks, Order, download
from ..calling import Means
from .base import Picture, Wish
from .named import looked

MAX_BYTES = 512 << 20
"""Largest picture or clip that is brought from a URL."""


class Linked:
    """A file behind a URL, fetched as any stranger's: vetted addresses, no credentials."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = True

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:  # noqa: ARG002 - every provider is asked alike
        """Raises Permanent or External as a fetch does."""
        uri = wish.hint.uri or ""
        target = means.scratch / f"linked-{hashlib.sha256(uri.encode()).hexdigest()[:32]}"
        target.unlink(missing_ok=True)
        order = Order(url=uri, max_bytes=MAX_BYTES, policy=means.policy)
        download(order, target, Hooks(means.check, lambda _: None, lambda _size, _announced: None))
        return looked(target, "the file behind the URL")
