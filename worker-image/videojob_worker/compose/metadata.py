"""What a film says about itself: title, description, tags, hashtags, facts (S-044 to S-046). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from videojob_api import profiles
from videojob_api.story.params import OwnMetadata

MAX_DESCRIPTION = 200
MAX_TAGS = 10
KEYWORDS = ("story", "adventure", "mystery", "discovery", "journey", "exploration", "ancient", "artifact")
"""S-045: words of a text that become tags."""
HASHTAGS = ("#storytelling", "#shortfilm", "#aiart", "#creative")
"""S-046: every story has these."""
GENRE = "general"
"""Genre of a story that names none."""
SOURCE = "story_generator"


@dataclass(frozen=True)
class Facts:
    """What was measured of the finished file."""

    width: int
    height: int
    duration_ms: int
    size_bytes: int
    fps: int


def description(sentences: Sequence[str]) -> str:
    """The first two sentences, at most 200 characters, cut at a word where it can be."""
    text = " ".join(" ".join(sentence.split()) for sentence in sentences[:2])
    if len(text) <= MAX_DESCRIPTION:
        return text
    room = text[: MAX_DESCRIPTION - 3]
    cut = room.rsplit(" ", 1)[0] if " " in room[MAX_DESCRIPTION // 2 :] else room
    return cut.rstrip(" ,;:") + "..."


def tags(text: str, genre: str) -> tuple[str, ...]:
    """The genre, then the keywords the text has, each once, in the list's order."""
    words = set(re.findall(r"\w+", text.lower()))
    found = [genre or GENRE, *(keyword for keyword in KEYWORDS if keyword in words or f"{keyword}s" in words)]
    return tuple(dict.fromkeys(found))[:MAX_TAGS]


def hashtags(genre: str, named: Sequence[str]) -> tuple[str, ...]:
    """The genre's, the first five tags', and those that every story has."""
    found = ["#" + re.sub(r"[^\w]", "", word) for word in [genre or GENRE, *named[:5]]]
    return tuple(dict.fromkeys([*(tag for tag in found if len(tag) > 1), *HASHTAGS]))


def document(
    *, title: str, genre: str, sentences: Sequence[str], facts: Facts, created_at: datetime, language: str,
    credits_: Sequence[str] = (), synthetic: str, own: OwnMetadata | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The whole of it, as it is written to metadata.json; what the user says himself wins over what is derived."""
    own = own or OwnMetadata()
    named = tags(" ".join(sentences), genre) if own.tags is None else own.tags
    return {
        "title": own.title or title,
        "description": own.description or description(sentences),
        "tags": list(named),
        "hashtags": list(hashtags(genre, named) if own.hashtags is None else own.hashtags),
        "duration": facts.duration_ms / 1000,
        "created_at": created_at.isoformat(),
        "format": {
            "resolution": f"{facts.width}x{facts.height}",
            "aspect_ratio": profiles.aspect_ratio(facts.width, facts.height),
            "codec": "h264",
            "file_size": facts.size_bytes,
            "fps": facts.fps,
        },
        "genre": genre or GENRE,
        "language": language,
        "source": SOURCE,
        "synthetic": synthetic,
        "credits": list(dict.fromkeys(credits_)),
    }
