"""The still picture of a film: a frame of it, with a bar that bears the real title (S-042, S-043, C12)."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from videojob_api.contract import content_key
from videojob_api.story.looks import ThumbnailParams
from videojob_api.story.scenes import SceneManifest

from . import marks
from .fonts import Face
from .text import Span, Style, Typesetter

BAR, LETTERS, BAR_ALPHA = 200, 48, 180
"""Height of the bar and of its letters in pixels of a picture 1080 wide or high, and how dark the bar is of 255."""
MAX_LINES = 3
VERSION = 1
"""Raise it when the same key would give another picture."""


def uncaptioned(manifest: SceneManifest) -> SceneManifest:
    """The same film without its captions: half a sentence would be read under another title. They shape no other pixel."""
    return manifest.model_copy(update={"captions": manifest.captions.model_copy(update={"burn": False})})


def moment_ms(look: ThumbnailParams, duration_ms: int) -> int:
    """Which moment is shown: the one asked for, or the middle of a film that is shorter (C12)."""
    return look.at_ms if look.at_ms < duration_ms else duration_ms // 2


def key(frame: str, look: ThumbnailParams, title: str, language: str, setter: Typesetter) -> str:
    """What a thumbnail is called by all that shapes it; `frame` is what the film calls the frame."""
    words = title.strip() if look.title_overlay else ""
    faces = sorted({run.face.digest for run in setter.fonts.runs(words, _chain(language, setter))})
    asked = {**look.dump(), "title": words, "language": language, "fonts": faces}
    return content_key("thumbnail", VERSION, asked, (frame,))


def size_of(look: ThumbnailParams, manifest: SceneManifest) -> tuple[int, int]:
    """Width and height in pixels: those asked for, or the film's."""
    return look.width or manifest.width, look.height or manifest.height


def make(
    picture: Image.Image,
    look: ThumbnailParams,
    manifest: SceneManifest,
    setter: Typesetter,
    target: Path,
    *,
    title: str,
) -> None:
    """Draw the thumbnail of a frame, RGB. It bears the mark of synthetic media."""
    size = size_of(look, manifest)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    if look.title_overlay and title.strip():
        picture = _titled(picture, title.strip(), manifest.language, setter)
    picture.save(target, "JPEG", quality=look.quality, xmp=marks.packet(), optimize=True)


def _chain(language: str, setter: Typesetter) -> tuple[Face, ...]:
    return setter.fonts.chain("Arial-Bold", language)


def _titled(picture: Image.Image, title: str, language: str, setter: Typesetter) -> Image.Image:
    ratio = min(picture.size) / 1080
    style = Style(_chain(language, setter), max(8, round(LETTERS * ratio)), rim=None)
    lines = setter.wrap(title, style, picture.width * 0.9)
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], lines[MAX_LINES - 1].rstrip(" .,") + "..."]
    block = setter.block([[Span(line)] for line in lines], style)
    bar = max(round(BAR * ratio), block.height + style.size // 2)
    over = Image.new("RGBA", picture.size)
    top = picture.height - bar
    ImageDraw.Draw(over).rectangle((0, top, picture.width, picture.height), fill=(0, 0, 0, BAR_ALPHA))
    over.alpha_composite(block, ((picture.width - block.width) // 2, top + (bar - block.height) // 2))
    return Image.alpha_composite(picture.convert("RGBA"), over).convert("RGB")
