"""Pictures and clips that a team keeps in its stock: by name, or by the words and tags that a scene has (S-036, S-055, S-056).

A file is described by its name, the folders it lies in, and, where there is one, a text file beside it of the same name:
`stock/nature/red-fox.jpg` answers to nature, red and fox.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from videojob_api.story.params import Provider

from ...base.errors import Permanent
from ..calling import Means
from .base import IMAGE_ERROR, Picture, Wish, chosen

STOCK = "store://stock/"
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
CLIPS = frozenset({".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v"})
MAX_FILES = 20_000
"""Most files of a folder that are looked at."""
MAX_WORDS_BYTES = 4096
TAG_WEIGHT = 3
"""A tag that fits counts like so many words."""
_WORD = re.compile(r"[^\W_]+")
COMMON = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "from", "had", "has", "have",
    "he", "her", "his", "i", "in", "is", "it", "its", "my", "no", "not", "of", "on", "or",
    "our", "she", "so", "that", "the", "their", "them", "then", "there", "they", "this", "to", "was", "we",
    "were", "what", "when", "which", "who", "will", "with", "you", "your",
})  # fmt: skip
"""Words that describe no picture."""


@dataclass(frozen=True)
class Candidate:
    """One file of the stock."""

    path: Path
    words: frozenset[str]


class Files:
    """The file whose words fit best; None where nothing fits at all."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = False

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:
        """Among equally good ones the scene's words decide, so that scenes differ and a repeated job is the same."""
        folder = _inside(means.stock, (choice.uri or STOCK).removeprefix(STOCK), choice.uri or STOCK)
        wanted, tags = _words(wish.query), {_stem(word) for tag in wish.hint.tags for word in _words(tag)}
        scored: dict[int, list[Candidate]] = {}
        for candidate in candidates(folder):
            score = len(candidate.words & wanted) + TAG_WEIGHT * len(candidate.words & tags)
            scored.setdefault(score, []).append(candidate)
        best = max(scored, default=0)
        # A folder that the user named for this very story is used even where no word fits.
        if not scored or (best == 0 and choice.uri is None):
            return None
        among = scored[best]
        return _picture(among[chosen(len(among), wish)].path)


def candidates(folder: Path) -> Iterator[Candidate]:
    """Every picture and clip below a folder, in the order of their names; links are not followed."""
    found = 0
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.suffix.lower() not in IMAGES | CLIPS or not stat.S_ISREG(path.lstat().st_mode):
            continue
        found += 1
        if found > MAX_FILES:
            return
        words = _words(" ".join(path.relative_to(folder).with_suffix("").parts)) | _words(folder.name)
        beside = path.with_suffix(".txt")
        if beside.is_file() and not beside.is_symlink():
            with beside.open(encoding="utf-8", errors="replace") as file:
                words |= _words(file.read(MAX_WORDS_BYTES))
        yield Candidate(path, frozenset(words))


def _words(text: str) -> set[str]:
    return {_stem(word) for word in _WORD.findall(text.lower()) if word not in COMMON}


def _stem(word: str) -> str:
    """Foxes and fox are one word, as far as a stock is concerned."""
    for ending in ("es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word


def named(uri: str, stock: Path) -> Picture:
    """The file of the stock that a URI names. Raises Permanent for one that is not there, or leads out of the stock."""
    path = _inside(stock, uri.removeprefix(STOCK), uri)
    if path.suffix.lower() not in IMAGES | CLIPS or path.is_symlink() or not path.is_file():
        raise Permanent(
            IMAGE_ERROR,
            f"there is no picture or clip {uri} in the stock",
            hint="put it there, or correct the scene's image.uri",
        )
    return _picture(path)


def _inside(stock: Path, name: str, uri: str) -> Path:
    """A path below the stock. Raises Permanent for one that leads out of it."""
    parts = PurePosixPath(name).parts
    path = stock.joinpath(*parts)
    if uri.partition("://")[0] != "store" or ".." in parts or name.startswith("/"):
        raise Permanent(IMAGE_ERROR, f"{uri} is no place in the stock", hint=f"write {STOCK}<folder>/<file>")
    if not path.resolve().is_relative_to(stock.resolve()):
        raise Permanent(IMAGE_ERROR, f"{uri} leads out of the stock by a link", hint="put the file itself there")
    return path


def _picture(path: Path) -> Picture:
    clip = path.suffix.lower() in CLIPS
    return Picture("clip" if clip else "image", path=path, suffix=path.suffix.lower().removeprefix("."))
