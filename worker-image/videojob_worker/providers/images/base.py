"""What every provider of pictures has in common: a request in, one file out, and no decoding on the way."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from videojob_api.contract import content_key
from videojob_api.story.params import ImageHint, Provider
from videojob_api.story.scenes import Background

from ...base.errors import Recoverable
from ...net.messages import Reply, Request
from ..calling import Means, Service, call, wrong

IMAGE_ERROR = "ImageGenerationError"
"""`failure.code` of every provider of pictures (S-041, S-071)."""
FIELD = "story.images.providers"
MAX_IMAGE_BYTES = 40 << 20
MAX_QUERY = 200
"""Characters of a search."""
SIGNATURES = {
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"RIFF": "webp",
    b"GIF8": "gif",
    b"BM": "bmp",
}
"""First bytes of what is taken for a picture; whoever draws it decodes it."""


@dataclass(frozen=True)
class Wish:
    """A background that a scene wants."""

    text: str
    """The scene's own words."""
    hint: ImageHint
    """What the user said of it."""
    width: int
    height: int
    style: str = ""
    """Words for every picture of the story, such as its genre."""

    @property
    def query(self) -> str:
        """Words to search or draw by: the user's, else the scene's."""
        words = self.hint.query or self.text
        return " ".join(words.split())[:MAX_QUERY].strip()

    @property
    def orientation(self) -> Literal["landscape", "portrait", "square"]:
        """Which way the frame lies."""
        if abs(self.width - self.height) * 20 <= max(self.width, self.height):
            return "square"
        return "landscape" if self.width > self.height else "portrait"


@dataclass(frozen=True)
class Picture:
    """What a provider found: a file of its own scratch or of the stock, or nothing but a colour."""

    kind: Literal["image", "clip", "colour", "gradient", "card"]
    path: Path | None = None
    suffix: str = "jpg"
    color: str = "#1A1A2E"
    color_to: str | None = None
    credit: str | None = None
    """Whom to name for it, where the source asks for that."""

    def background(self, provider: str) -> Background:
        """As the manifest has it, its file apart."""
        return Background.model_construct(
            kind=self.kind, file=None, color=self.color, color_to=self.color_to, provider=provider, credit=self.credit
        )


class ImageProvider(Protocol):
    """A provider of backgrounds."""

    version: ClassVar[int]
    """Raised when the same wish gives another picture; part of what pictures are kept by."""
    keeps: ClassVar[bool]
    """Whether what it gives is worth keeping: files of the stock are there anyway."""

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:
        """A picture for a wish; None when there is none, which is no failure. Raises Permanent, External or Recoverable."""


def service(name: str) -> Service:
    """A provider as a service that is called."""
    return Service(name, IMAGE_ERROR, FIELD)


def key(wish: Wish, choice: Provider, version: int) -> str:
    """Content key of a picture: the same wish to the same provider is the same picture (S-035, S-056)."""
    asked = {
        "query": wish.query, "tags": list(wish.hint.tags), "uri": wish.hint.uri, "color": wish.hint.color,
        "size": [wish.width, wish.height], "style": wish.style,
        "provider": choice.model_dump(mode="json", include={"name", "model", "endpoint", "uri"}),
    }  # fmt: skip
    return content_key("image", version, asked, ())


def kept(data: bytes, means: Means, who: Service) -> tuple[Path, str]:
    """Write a picture's bytes under their digest; answers path and suffix. Raises Recoverable for what is no picture."""
    suffix = next((name for start, name in SIGNATURES.items() if data.startswith(start)), None)
    if suffix is None or (suffix == "webp" and data[8:12] != b"WEBP"):
        raise wrong(who, "what came is no picture" if data else "an empty picture came")
    path = means.scratch / f"{hashlib.sha256(data).hexdigest()}.{suffix}"
    path.write_bytes(data)
    return path, suffix


def fetched(url: object, choice: Provider, means: Means, who: Service) -> tuple[Path, str]:
    """Bring a picture by the URL that a service named; no credentials go there. Raises what `call` raises."""
    if not isinstance(url, str) or not re.match(r"https?://", url):
        raise wrong(who, "it named no address for its picture")
    request = Request(
        url, method="GET", headers={"Accept": "image/*"}, seconds=choice.timeout_seconds, max_bytes=MAX_IMAGE_BYTES
    )
    return kept(call(means, who, request).body, means, who)


def rows(document: object, name: str, who: Service) -> list[dict[str, object]]:
    """A list of objects out of an answer. Raises Recoverable when the answer has another shape."""
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise wrong(who, f"its answer has no list {name}")
    return found


def chosen(count: int, wish: Wish) -> int:
    """Which of so many finds: always the same for the same wish, and not the same for every scene."""
    digest = hashlib.sha256(json.dumps([wish.query, wish.text]).encode()).digest()
    return int.from_bytes(digest[:4], "big") % count


def checked(reply: Reply, who: Service, judge: Callable[[Reply], str | None]) -> Reply:
    """The answer, unless `judge` has something to say against it."""
    said = judge(reply)
    if said is not None:
        raise Recoverable(who.code, f"{who.name}: {said}", hint="another attempt may work")
    return reply
