"""Photographs by Pexels' REST API: `GET /v1/search`, the key in Authorization (S-036)."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlencode

from videojob_api.story.params import Provider

from ...net.messages import Request
from ..calling import Means, answered_json, at, call, secret
from .base import Picture, Wish, chosen, fetched, rows, service

USUAL = "https://api.pexels.com/v1"
SERVICE = service("pexels")
PER_PAGE = 10


class Pexels:
    """The search's finds of the frame's orientation; one of them by the scene's words."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = True

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:
        """None when the search finds nothing."""
        if not wish.query:
            return None
        query = urlencode({"query": wish.query, "orientation": wish.orientation, "per_page": PER_PAGE})
        request = Request(
            at(choice.endpoint, USUAL, f"/search?{query}"), method="GET",
            headers={"Authorization": secret(means, SERVICE, choice.secret_name, "key"), "Accept": "application/json"},
            seconds=choice.timeout_seconds,
        )  # fmt: skip
        found = rows(answered_json(SERVICE, call(means, SERVICE, request)), "photos", SERVICE)
        if not found:
            return None
        photo = found[chosen(len(found), wish)]
        sizes = photo.get("src")
        address = (sizes.get("original") or sizes.get("large2x")) if isinstance(sizes, dict) else None
        if isinstance(address, str) and "?" not in address:
            # No larger than the frame needs with a zoom: Pexels scales.
            address += "?" + urlencode(
                {"auto": "compress", "cs": "tinysrgb", "w": 5 * max(wish.width, wish.height) // 4}
            )
        path, suffix = fetched(address, choice, means, SERVICE)
        credit = f"Photo by {photo['photographer']} on Pexels" if photo.get("photographer") else None
        return Picture("image", path=path, suffix=suffix, credit=credit)
