"""The film that the story's benches measure, made by the worker's own code, and its frames for others to encode."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from bench.memory import Memory
from videojob_api.story import platforms
from videojob_api.story.looks import Captions, Overlay, Transition
from videojob_api.story.looks import Encoding as Asked
from videojob_api.story.scenes import AssetRef, Background, Scene, SceneManifest, Speech, Word
from videojob_api.story.timing import laid_out
from videojob_api.v1alpha1.story_looks import QualityName
from videojob_worker.base.feeding import Sink
from videojob_worker.base.process import Finished
from videojob_worker.base.process import run as run_process
from videojob_worker.base.watch import Deadline, Stop
from videojob_worker.compose import drawing, sound
from videojob_worker.compose.encoding import Encoding
from videojob_worker.compose.film import Film
from videojob_worker.compose.fonts import book
from videojob_worker.compose.scenery import Scenery, view
from videojob_worker.compose.text import Typesetter

FPS, SCENE_SECONDS, SIZE = 30, 5, (1920, 1080)
TEXT = "This is scene number {} of a story that is told in many pictures, and it speaks for some seconds."
RAW = (
    "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", str(FPS), "-color_range", "tv",
    "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
)  # fmt: skip
"""How FFmpeg is to read frames. Their colours are named as in our films: else newer ones convert one side of a comparison."""


def photograph(path: Path, seed: int) -> None:
    """A picture with the statistics of photographs: coarse shapes, ever finer and weaker detail."""
    rng = np.random.default_rng(seed)
    made = np.zeros((1440, 2560, 3), np.float32)
    for octave in range(8):
        cells = rng.normal(0, 1, (9 << octave, 16 << octave, 3)).astype(np.float32)
        made += cv2.resize(cells, (2560, 1440), interpolation=cv2.INTER_CUBIC) * (60 / 1.9**octave)
    cv2.imwrite(str(path), np.clip(made + 120, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])


def speech(folder: Path, text: str) -> Speech:
    """A voice of 4.5 s; only its length and its words' times matter here."""
    path = folder / "voice.wav"
    if not path.exists():
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48_000)
            file.writeframes((np.random.default_rng(0).normal(0, 2000, 216_000)).astype("<i2").tobytes())
    words, at, step = [], 0, 4500 // len(text.split())
    for number, word in enumerate(text.split()):
        at = text.index(word, at)
        words.append(Word(text=word, start_ms=number * step, end_ms=(number + 1) * step, begin=at, end=at + len(word)))
        at += len(word)
    ref = AssetRef(stage="audio", path=path.name, sha256="0" * 64)
    return Speech(file=ref, samples=216_000, provider="bench", voice="noise", words=tuple(words))


def story(folder: Path, scenes: int) -> SceneManifest:
    """Pictures that zoom and pan, fades, captions, narration; a title over the first."""
    made = []
    for number in range(scenes):
        picture, text = folder / f"p{number}.jpg", TEXT.format(number + 1)
        if not picture.exists():
            photograph(picture, number)
        ref = AssetRef(stage="images", path=picture.name, sha256=f"{number:064x}")
        made.append(
            Scene(
                index=0, id=f"s{number + 1:03d}", text=text, spoken=text, start_frame=0, frames=FPS * SCENE_SECONDS,
                basis="given", effects=("fade_in", "fade_out", "ken_burns", "pan"), transition=Transition(),
                background=Background(kind="image", file=ref), speech=speech(folder, text),
                overlays=(Overlay(content="A story in pictures", position="top"),) if number == 0 else (),
            )
        )  # fmt: skip
    return SceneManifest(
        title="Bench", language="en", width=SIZE[0], height=SIZE[1], fps=FPS, scenes=laid_out(made, FPS, 500),
        captions=Captions(),
    )  # fmt: skip


def ffmpeg() -> str:
    """Path of FFmpeg."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise SystemExit("ffmpeg was not found: make packages")
    return found


class Bench:
    """One folder, one quality."""

    def __init__(self, folder: Path, quality: QualityName) -> None:
        self.folder, self.asked = folder, Asked(quality=quality)
        row = platforms.quality(self.asked)
        self.preset, self.crf = row.preset, row.crf

    def film(self, manifest: SceneManifest) -> Film:
        """Our film, by the same code as the worker's stage."""
        code = Encoding.of(self.asked, (manifest.width, manifest.height), manifest.fps, "bench")

        def run(argv: list[str], stdin: int | None = None) -> Finished:
            return run_process(argv, cwd=self.folder, stop=Stop(), deadline=Deadline(None), stdin=stdin)

        def locate(background: Background) -> Path:
            assert background.file is not None  # noqa: S101 - every scene of the bench has one
            return self.folder / background.file.path

        return Film(manifest, code, book(), locate, program=ffmpeg(), run=run, demuxer=lambda _: "mov")  # type: ignore[arg-type]  # a list is a sequence

    def _done(self, argv: Sequence[str], doing: str, on_line: Callable[[str], None] | None = None) -> Finished:
        """FFmpeg, as the worker runs it."""
        done = run_process(argv, cwd=self.folder, stop=Stop(), deadline=Deadline(None), on_line=on_line)
        if done.code != 0:
            raise SystemExit(f"{doing}: {done.stderr}")
        return done

    def ours(self, manifest: SceneManifest, out: Path) -> float:
        """Seconds from a manifest to a finished file, sound and all."""
        since = time.monotonic()
        film = self.film(manifest)
        out.mkdir(exist_ok=True)
        wanted = [piece for piece in film.pieces if not (out / piece.name).exists()]
        film.make(out, wanted, lambda _done, _total: None, workers=os.cpu_count() or 2)
        heard = out / f"{sound.key(manifest, -16, None)}.m4a"
        if not heard.exists():
            sound.lay(
                manifest, sound.passages(manifest, lambda spoken: self.folder / spoken.file.path), out / "s.wav", None
            )
            sound.compressed(ffmpeg(), out / "s.wav", heard, manifest.duration_ms, self._done)
        (out / "film.mp4").unlink(missing_ok=True)
        film.join(out, lambda piece: out / piece.name, heard, out / "film.mp4")
        return time.monotonic() - since

    def frames(self, manifest: SceneManifest, target: Path) -> float:
        """Write the film's frames into memory; answers the CPU seconds of drawing them."""
        film, setter = self.film(manifest), Typesetter(book())

        def scenery(index: int, _first: int) -> Scenery:
            scene = manifest.scenes[index]
            return Scenery(manifest, scene, view(manifest, scene, film.locate, setter), setter)

        since = time.thread_time()
        with target.open("wb") as file:
            for piece in film.pieces:
                drawing.draw(manifest, piece.segment, scenery, Sink(file.fileno()), lambda _count: None)
        return time.thread_time() - since

    def raw(self, frames: Path) -> float:
        """Seconds of the encoder alone."""
        since = time.monotonic()
        code = ["-c:v", "libx264", "-preset", self.preset, "-crf", str(self.crf)]
        argv: list[str | Path] = [ffmpeg(), "-v", "error", "-y", *RAW, "-i", frames, *code, self.folder / "raw.mp4"]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return time.monotonic() - since


def worker(folder: Path, quality: QualityName, scenes: int, out: Path) -> tuple[float, float]:
    """Seconds and MiB of one film, measured in a process of its own: that of a pod."""
    with Memory() as memory:
        seconds = Bench(folder, quality).ours(story(folder, scenes), out)
    return seconds, memory.peak / 1024
