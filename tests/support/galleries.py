"""Providers of pictures under test: wishes, and servers that answer as the vendors' manuals show."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

from stories import texture
from videojob_api.story.params import ImageHint, Provider
from videojob_worker.providers.images.base import Wish
from voices import json_reply
from webserver import Answer, WebServer, reply


def jpeg(seed: int = 1, form: str = "JPEG") -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    texture(64, 48, seed).save(buffer, form)
    return buffer.getvalue()


def wish(
    text: str = "The old lighthouse stands above the sea.", size: tuple[int, int] = (1080, 1920), **hint: Any
) -> Wish:
    """What a scene wants."""
    return Wish(text, ImageHint.model_validate(hint), *size)


def link(name: str, **more: Any) -> Provider:
    """A link of a chain."""
    return Provider.model_validate({"name": name, **more})


def pexels(server: WebServer) -> Answer:
    """Its search's answer with two finds (from its API reference)."""
    photos = [
        {
            "id": 2014420 + number, "width": 3024, "height": 3024, "url": "https://www.pexels.com/photo/2014422/",
            "photographer": "Joey Farina", "photographer_url": "https://www.pexels.com/@joey", "avg_color": "#978E82",
            "src": {"original": server.url(f"/photos/{number}.jpeg"), "large2x": server.url("/photos/x.jpeg?h=650&w=940")},
            "alt": "Brown Rocks During Golden Hour",
        }
        for number in range(2)
    ]  # fmt: skip
    return json_reply({"total_results": 2, "page": 1, "per_page": 10, "photos": photos})


def unsplash(server: WebServer) -> Answer:
    """Its search's answer with one find (from its documentation)."""
    photo = {
        "id": "eOLpJytrbsQ", "width": 4000, "height": 3000, "user": {"id": "Ul0QVz12Goo", "name": "Jeff Sheldon"},
        "urls": {"raw": server.url("/raw/photo-1?ixid=abc"), "full": server.url("/full")},
        "links": {"download_location": server.url("/photos/eOLpJytrbsQ/download?ixid=abc")},
    }  # fmt: skip
    return json_reply({"total": 133, "total_pages": 7, "results": [photo]})


def openai(_: WebServer) -> Answer:
    """Its answer with a picture as base64."""
    return json_reply({"created": 1713833628, "data": [{"b64_json": base64.b64encode(jpeg(form="PNG")).decode()}]})


def stability(_: WebServer) -> Answer:
    """The picture itself, and what became of the request."""
    return reply(jpeg(), headers=("Content-Type: image/jpeg", "finish-reason: SUCCESS", "seed: 343940597"))


PATHS = {
    "pexels": "/v1/search",
    "unsplash": "/search/photos",
    "stability": "/v2beta/stable-image/generate/core",
    "openai": "/v1/images/generations",
}
GOOD: dict[str, Callable[[WebServer], Answer]] = {
    "pexels": pexels,
    "unsplash": unsplash,
    "stability": stability,
    "openai": openai,
}
BASES = {"pexels": "/v1", "openai": "/v1"}
