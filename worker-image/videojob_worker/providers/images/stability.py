"""Pictures drawn by Stability's REST API: a form to `POST /v2beta/stable-image/generate/core`, the picture comes back (S-035)."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from videojob_api.story.params import Provider

from ...net.messages import Reply, Request
from ..calling import Means, at, call, secret
from .base import MAX_IMAGE_BYTES, Picture, Wish, checked, kept, service

USUAL = "https://api.stability.ai"
SERVICE = service("stability")
RATIOS = {
    "16:9": 16 / 9,
    "21:9": 21 / 9,
    "3:2": 3 / 2,
    "5:4": 5 / 4,
    "1:1": 1,
    "4:5": 4 / 5,
    "2:3": 2 / 3,
    "9:16": 9 / 16,
}
"""Shapes it draws in."""


class Stability:
    """One request for each picture. The seed follows from the wish, so that a repeated job gets the same picture."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = True

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:
        """None for a wish without words. A picture that was withheld is a failure."""
        if not wish.query:
            return None
        key = secret(means, SERVICE, choice.secret_name, "key")
        shape = min(RATIOS, key=lambda name: abs(RATIOS[name] - wish.width / wish.height))
        prompt = f"{wish.query}, {wish.style}" if wish.style else wish.query
        seed = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:4], "big") % 4_294_967_294 + 1
        body, kind = form({"prompt": prompt, "aspect_ratio": shape, "output_format": "jpeg", "seed": str(seed)})
        request = Request(
            at(choice.endpoint, USUAL, f"/v2beta/stable-image/generate/{choice.model or 'core'}"),
            headers={"Authorization": f"Bearer {key}", "Accept": "image/*", "Content-Type": kind},
            body=body, seconds=choice.timeout_seconds, max_bytes=MAX_IMAGE_BYTES,
        )  # fmt: skip
        reply = checked(call(means, SERVICE, request), SERVICE, _withheld)
        path, suffix = kept(reply.body, means, SERVICE)
        return Picture("image", path=path, suffix=suffix)


def _withheld(reply: Reply) -> str | None:
    """A filtered answer is a blurred picture with 200: the header says so."""
    filtered = reply.headers.get("finish-reason", "").upper() == "CONTENT_FILTERED"
    return "its filter withheld the picture" if filtered else None


def form(fields: dict[str, str]) -> tuple[bytes, str]:
    """Fields as multipart/form-data, and its Content-Type; the border follows from what is sent."""
    border = "videojob-" + hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()[:24]
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return ("".join(parts) + f"--{border}--\r\n").encode(), f"multipart/form-data; boundary={border}"
