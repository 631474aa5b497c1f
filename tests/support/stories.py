"""Stories for tests: scene manifests, pictures and voices, made on the spot."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from videojob_api.story.looks import Captions, Effect, Overlay, Transition
from videojob_api.story.scenes import AssetRef, Background, Scene, SceneManifest, Speech, Word
from videojob_api.story.timing import laid_out
from videojob_worker.base.process import Finished
from videojob_worker.compose.encoding import Encoding
from videojob_worker.compose.film import Film
from videojob_worker.compose.fonts import FontBook, book

CUT = Transition(kind="cut", duration_ms=0)


def texture(width: int, height: int, seed: int = 1) -> Image.Image:
    """A picture with detail everywhere, so that motion can be measured in it."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (max(2, height // 24), max(2, width // 24), 3), dtype=np.uint8))
    fine = Image.fromarray(rng.integers(0, 256, (max(2, height // 4), max(2, width // 4), 3), dtype=np.uint8))
    size = (width, height)
    return Image.blend(coarse.resize(size, Image.Resampling.BICUBIC), fine.resize(size, Image.Resampling.BICUBIC), 0.35)


def asset(path: Path) -> AssetRef:
    """A file as a manifest names it."""
    return AssetRef(stage="images", path=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def image(path: Path) -> Background:
    """A picture behind a scene."""
    return Background(kind="image", file=asset(path), provider="files")


def plain(color: str) -> Background:
    """A colour behind a scene."""
    return Background(kind="colour", color=color)


def spoken(text: str, *, word_ms: int = 300, offset_ms: int = 0) -> Speech:
    """A narration of which each word takes the same time."""
    words, at = [], 0
    for number, word in enumerate(text.split()):
        at = text.index(word, at)
        words.append(
            Word(text=word, start_ms=number * word_ms, end_ms=(number + 1) * word_ms, begin=at, end=at + len(word))
        )
        at += len(word)
    return Speech(
        file=AssetRef(stage="audio", path="x.wav", sha256="0" * 64),
        samples=48 * word_ms * max(1, len(words)),
        offset_ms=offset_ms,
        provider="test",
        voice="test",
        words=tuple(words),
    )


def scene(text: str = "", frames: int = 30, *, background: Background | None = None, **more: Any) -> Scene:
    """One scene; its place and cuts come from the manifest."""
    fields = {"effects": (), "transition": CUT, **more}
    return Scene(
        index=0, id=f"s{abs(hash(text)) % 1000:03d}", text=text, spoken=text, start_frame=0, frames=frames,
        basis="given", background=background or plain("#336699"), **fields,
    )  # fmt: skip


def manifest(
    scenes: Sequence[Scene], *, size: tuple[int, int] = (320, 180), fps: int = 30, captions: Captions | None = None,
    effect_ms: int = 500, **more: Any,
) -> SceneManifest:  # fmt: skip
    """A story of these scenes; no captions unless asked for."""
    named = [each.model_copy(update={"id": f"s{number:03d}"}) for number, each in enumerate(scenes, 1)]
    fields: dict[str, Any] = {"title": "A test", "language": "en", **more}
    return SceneManifest(
        width=size[0], height=size[1], fps=fps, scenes=laid_out(named, fps, effect_ms),
        captions=captions or Captions(style="none"), **fields,
    )  # fmt: skip


def run(argv: Sequence[str], stdin: int | None = None) -> Finished:
    """Run FFmpeg as a stage would, without its fences."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL if stdin is None else stdin, capture_output=True, check=False)
    return Finished(tuple(argv), done.returncode, done.stdout, done.stderr.decode())


def film(found: SceneManifest, pictures: Path, *, crf: int = 12, fonts: FontBook | None = None, **more: Any) -> Film:
    """A film whose pictures lie in a folder."""
    code = Encoding(
        crf=crf, maxrate="20000k", preset="ultrafast", width=found.width, height=found.height, fps=found.fps
    )

    def locate(background: Background) -> Path:
        assert background.file is not None
        return pictures / background.file.path

    return Film(
        found, code, fonts or book(), locate, program="ffmpeg", run=run,
        demuxer=lambda _: "mov,mp4,m4a,3gp,3g2,mj2", **more,
    )  # fmt: skip


__all__ = [
    "CUT",
    "Effect",
    "Overlay",
    "asset",
    "film",
    "image",
    "manifest",
    "plain",
    "run",
    "scene",
    "spoken",
    "texture",
]
