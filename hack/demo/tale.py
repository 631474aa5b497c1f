"""The demo's story: its pictures and music made on this machine, and what its video has to be.

python3 hack/demo/tale.py        prints the folder of pictures and music, made on first use and kept in the user's cache
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from demo import clip, music, pictures
from demo.probe import Facts, cues, different, loudness, probe

NAME, TITLE, FOLDER = "paper-boat", "The Paper Boat", "paper-boat"
MANIFEST = Path(__file__).with_name("story.yaml")
MUSIC_SECONDS = 90.0
SECONDS = 60.0
SIZE = (1920, 1080)
PICTURES = 6
LUFS = (-18.0, -14.0)
"""Narration is brought to -16 LUFS; music under it moves the whole a little."""
CUES, WORDS = 12, 120
SOURCES = ("painting.py", "pictures.py", "music.py", "tale.py")


def ensure() -> Path:
    """The folder with pictures and music: made once for each version of what makes them."""
    code = b"".join(Path(__file__).with_name(name).read_bytes() for name in SOURCES)
    folder = clip.cache() / f"{FOLDER}-{hashlib.sha256(code).hexdigest()[:12]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch) / FOLDER
            made.mkdir()
            pictures.paint_all(made)
            music.write(made / "music.m4a", MUSIC_SECONDS)
            made.rename(folder)
    return folder


@dataclass(frozen=True)
class Told:
    """What the story's files are, as probed."""

    files: dict[str, Facts]
    lufs: float
    captions: int
    words: int
    pictures: int
    title: str

    def say(self) -> str:
        """In a sentence."""
        return (
            f"{TITLE}: at least {self.pictures} different pictures, {self.captions} captions with {self.words} words, sound of "
            f"{self.lufs:.1f} LUFS, titled {self.title!r}"
        )


def look(folder: Path) -> Told:
    """Probe the files that were fetched. OSError for one that is missing, RuntimeError where FFmpeg cannot read the sound."""
    said = cues(folder / "video.srt")
    video = folder / "video.mp4"
    return Told(
        files={name: probe(folder / name) for name in ("video.mp4", "video_thumb.jpg")},
        lufs=loudness(video),
        captions=len(said),
        words=sum(len(text.split()) for _, _, text in said),
        pictures=different(video, [(start + end) / 2 for start, end, _ in said]),
        title=str(json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["title"]),
    )


def judge(told: Told) -> list[str]:
    """Everything about the story that is not as promised."""
    video, still = told.files["video.mp4"], told.files["video_thumb.jpg"]
    promises = (
        (
            (video.codec, video.audio) == ("h264", "aac"),
            f"the story is {video.codec} and {video.audio}, not h264 and aac",
        ),
        ((video.width, video.height) == SIZE, f"the story is {video.width}x{video.height}, not {SIZE[0]}x{SIZE[1]}"),
        ((video.seconds or 0) >= SECONDS, f"the story lasts {video.seconds} s, at least {SECONDS:.0f} s were promised"),
        (
            (still.codec, still.width, still.height) == ("mjpeg", *SIZE),
            f"its thumbnail is {still.codec} {still.width}x{still.height}",
        ),
        (LUFS[0] <= told.lufs <= LUFS[1], f"its sound has {told.lufs} LUFS, promised were {LUFS[0]} to {LUFS[1]}"),
        (told.captions >= CUES and told.words >= WORDS, f"it has {told.captions} captions with {told.words} words"),
        (told.pictures >= PICTURES, f"it shows {told.pictures} different pictures, at least {PICTURES} were promised"),
        (told.title == TITLE, f"it is titled {told.title!r}"),
    )
    return [text for kept, text in promises if not kept]


if __name__ == "__main__":
    try:
        print(ensure())
    except (RuntimeError, OSError) as error:
        sys.exit(f"the demo's pictures and music could not be made: {error}")
