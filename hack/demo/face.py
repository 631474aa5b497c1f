"""The demo's avatar: the example of crds/examples, and what its video has to be, the mouth by the voice above all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml
from numpy.typing import NDArray

from demo.probe import Facts, probe
from videojob_worker.compose import marks
from videojob_worker.vision import faces
from videojob_worker.vision.moves import loudness

ROOT = Path(__file__).resolve().parents[2]
NAME, EXAMPLE = "greeter", "crds/examples/avatar.yaml"
SIZE = (480, 600)
SECONDS = (3.2, 3.7)
TOGETHER = 0.7
"""Least correlation of what is heard and how far the mouth is open."""
RANGE_DB, QUIET_DB = 35.0, 45.0
"""So far below the loudest moment the mouth follows, and so far below it rests."""
RATE = 16_000


def manifest(folder: Path, portrait: str | None) -> Path:
    """What is submitted: the example, or, in `folder`, the same with somebody's own photograph. ValueError for one that is not
    there.
    """
    if not portrait:
        return Path(EXAMPLE)
    given = Path(portrait).expanduser()
    if not given.is_file():
        raise ValueError(f"PORTRAIT={portrait}: there is no such file; name a JPEG or PNG of a person")
    example = ROOT / EXAMPLE
    document = yaml.safe_load(example.read_text(encoding="utf-8"))
    avatar = document["spec"]["avatar"]
    shutil.copyfile(given, folder / given.name)
    shutil.copyfile(example.parent / "media" / avatar["audio"]["filename"], folder / avatar["audio"]["filename"])
    digest = hashlib.sha256(given.read_bytes()).hexdigest()
    avatar["image"] = {"uri": f"store://inbox/{digest}", "filename": given.name}
    avatar["consent"] = {
        "subject": f"the person in {given.name}"[:100],
        "reference": "given to the demo by whoever ran it",
    }
    target = folder / "avatar.yaml"
    target.write_text(yaml.safe_dump(document), encoding="utf-8")
    return target


@dataclass(frozen=True)
class Speaking:
    """How a mouth moves in a finished video, frame by frame."""

    opening: NDArray[np.float64]
    """Gap of the inner lips in heights of the face, by the landmark model."""
    level: NDArray[np.float64]
    """Loudness of the sound in decibels below full scale."""

    def together(self) -> float:
        """Correlation of both, -1 to 1."""
        heard = np.clip(self.level, self.level.max() - RANGE_DB, None)
        return float(np.corrcoef(heard, self.opening)[0, 1])

    def silent(self) -> NDArray[np.bool_]:
        """Which frames have silence for three frames round them."""
        quiet = self.level < self.level.max() - QUIET_DB
        return np.asarray(np.convolve(quiet, np.ones(7), "same") > 6)


def speaking(video: Path) -> Speaking:
    """Watch and listen to a finished video. Raises what the landmark model raises where there is no face."""
    openings, times, mesh = [], [], None
    for moment, frame in _frames(video):
        mesh = faces.portrait_face(frame) if mesh is None else faces.again(frame, mesh)
        openings.append(faces.mouth_opening(mesh))
        times.append(moment)
    return Speaking(np.array(openings), loudness(_sound(video), RATE, np.array(times)))


def _frames(video: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            pixels: Any = frame.to_ndarray(format="rgb24")
            yield float(frame.time or 0), pixels


def _sound(video: Path) -> NDArray[np.float32]:
    """All of it, mono, from the moment of the first picture on."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    parts: list[NDArray[np.float32]] = []
    with av.open(str(video)) as container:
        for frame in container.decode(audio=0):
            parts.extend(np.asarray(each.to_ndarray()[0], np.float32) for each in resampler.resample(frame))
    return np.concatenate(parts)


@dataclass(frozen=True)
class Shown:
    """What the avatar's files are, as probed."""

    files: dict[str, Facts]
    together: float
    synthetic: bool

    def say(self) -> str:
        """In a sentence."""
        return f"The avatar: mouth and loudness go together by r = {self.together:.2f}; marked as synthetic: {self.synthetic}"


def look(folder: Path) -> Shown:
    """Probe the files that were fetched."""
    video = folder / "video.mp4"
    return Shown(
        files={name: probe(folder / name) for name in ("video.mp4", "video_thumb.jpg")},
        together=speaking(video).together(),
        synthetic=marks.read(video) == marks.COMPOSITE,
    )


def judge(shown: Shown, size: tuple[int, int] | None = SIZE) -> list[str]:
    """Everything about the avatar that is not as promised; a photograph of one's own has no promised size."""
    video = shown.files["video.mp4"]
    promises = (
        ((video.codec, video.audio) == ("h264", "aac"), f"the avatar is {video.codec} and {video.audio}"),
        (
            size in {None, (video.width, video.height)},
            f"the avatar is {video.width}x{video.height}, not as its portrait",
        ),
        (SECONDS[0] <= (video.seconds or 0) <= SECONDS[1], f"the avatar lasts {video.seconds} s"),
        (shown.together >= TOGETHER, f"its mouth follows the voice by r = {shown.together:.2f} only"),
        (shown.synthetic, "it does not say that it is synthetic"),
    )
    return [text for kept, text in promises if not kept]
