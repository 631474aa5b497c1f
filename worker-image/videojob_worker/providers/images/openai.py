"""Pictures drawn by OpenAI's REST shape, which many servers of one's own speak too: `POST /v1/images/generations` (S-035)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import ClassVar

from videojob_api.story.params import Provider

from ...net.messages import Request
from ..calling import Means, answered_json, at, call, secret, wrong
from .base import MAX_IMAGE_BYTES, Picture, Wish, fetched, kept, rows, service

USUAL = "https://api.openai.com/v1"
SERVICE = service("openai")
MODEL = "gpt-image-1"
SIZES = {
    "dall-e-3": {"landscape": "1792x1024", "portrait": "1024x1792", "square": "1024x1024"},
    "dall-e-2": dict.fromkeys(("landscape", "portrait", "square"), "1024x1024"),
}
"""Sizes by model; the usual ones where a model is not listed."""
USUAL_SIZES = {"landscape": "1536x1024", "portrait": "1024x1536", "square": "1024x1024"}
MAX_PROMPT = 4000


class OpenAI:
    """One request for each picture, which comes as base64 or as an address."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = True

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:
        """None for a wish without words. A server of one's own (`endpoint`, ending in /v1) may need no key."""
        if not wish.query:
            return None
        key = secret(means, SERVICE, choice.secret_name, "key", optional=choice.endpoint is not None)
        model = choice.model or MODEL
        prompt = f"{wish.query}, {wish.style}" if wish.style else wish.query
        asked: dict[str, object] = {
            "model": model, "prompt": prompt[:MAX_PROMPT], "n": 1,
            "size": SIZES.get(model, USUAL_SIZES)[wish.orientation],
        }  # fmt: skip
        if model.startswith("dall-e"):
            asked["response_format"] = "b64_json"  # the newer models know no other form
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = Request(
            at(choice.endpoint, USUAL, "/images/generations"), headers=headers, body=json.dumps(asked).encode(),
            seconds=choice.timeout_seconds, max_bytes=2 * MAX_IMAGE_BYTES,
        )  # fmt: skip
        found = rows(answered_json(SERVICE, call(means, SERVICE, request)), "data", SERVICE)
        if not found:
            raise wrong(SERVICE, "its answer holds no picture")
        coded = found[0].get("b64_json")
        if not isinstance(coded, str):
            path, suffix = fetched(found[0].get("url"), choice, means, SERVICE)
            return Picture("image", path=path, suffix=suffix)
        try:
            data = base64.b64decode(coded, validate=True)
        except (ValueError, binascii.Error):
            raise wrong(SERVICE, "its picture is no base64") from None
        path, suffix = kept(data, means, SERVICE)
        return Picture("image", path=path, suffix=suffix)
