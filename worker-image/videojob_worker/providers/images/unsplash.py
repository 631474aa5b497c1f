"""Photographs by Unsplash's REST API: `GET /search/photos`, and the download that it asks to be told of (S-036)."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

from videojob_api.story.params import Provider

from ...base.errors import External, Recoverable
from ...net.messages import Request
from ..calling import Means, answered_json, at, call, secret
from .base import Picture, Wish, chosen, fetched, rows, service

USUAL = "https://api.unsplash.com"
SERVICE = service("unsplash")
PER_PAGE = 10
SHAPES = {"landscape": "landscape", "portrait": "portrait", "square": "squarish"}


class Unsplash:
    """The search's finds of the frame's orientation; one of them by the scene's words."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = True

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:
        """None when the search finds nothing."""
        if not wish.query:
            return None
        query = urlencode({"query": wish.query, "orientation": SHAPES[wish.orientation], "per_page": PER_PAGE})
        headers = {
            "Authorization": f"Client-ID {secret(means, SERVICE, choice.secret_name, 'key')}",
            "Accept-Version": "v1",
            "Accept": "application/json",
        }
        asked = Request(
            at(choice.endpoint, USUAL, f"/search/photos?{query}"), method="GET", headers=headers,
            seconds=choice.timeout_seconds,
        )  # fmt: skip
        found = rows(answered_json(SERVICE, call(means, SERVICE, asked)), "results", SERVICE)
        if not found:
            return None
        photo = found[chosen(len(found), wish)]
        urls, links, user = (photo.get(name) for name in ("urls", "links", "user"))
        raw = urls.get("raw") if isinstance(urls, dict) else None
        if isinstance(raw, str):
            width = 5 * max(wish.width, wish.height) // 4
            raw += ("&" if "?" in raw else "?") + urlencode({"fm": "jpg", "q": 85, "w": width, "fit": "max"})
        path, suffix = fetched(raw, choice, means, SERVICE)
        told = links.get("download_location") if isinstance(links, dict) else None
        here = urlsplit(choice.endpoint or USUAL).netloc
        # Its guidelines ask for this; the key goes to its own host alone, and a failure costs no picture.
        if isinstance(told, str) and urlsplit(told).netloc == here:
            with suppress(External, Recoverable):
                call(means, SERVICE, Request(told, method="GET", headers=headers, seconds=choice.timeout_seconds))
        name = user.get("name") if isinstance(user, dict) else None
        return Picture("image", path=path, suffix=suffix, credit=f"Photo by {name} on Unsplash" if name else None)
