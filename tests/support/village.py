"""A small story that several tests tell, its store, and what is seen and heard in a finished film of 320x180."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stories import texture
from storybench import StoryBench
from videojob_api.contract import RunResult

TEXT = "The lighthouse had been dark for thirty years. Nobody in the village spoke of it. Then the keeper saw a light."
SCENES = [{"text": text} for text in re.findall(r"[^.]+\.", TEXT)]
HEIGHT, WIDTH = 180, 320


def village(root: Path) -> StoryBench:
    """A store with a dark picture for each scene."""
    found = StoryBench(root)
    for number in range(4):
        dark = texture(WIDTH, HEIGHT, number).point(lambda value: 40 + value // 4)
        dark.save(root / "stock" / f"p{number}.png")
    return found


def pictured(texts: list[str], **more: Any) -> list[dict[str, Any]]:
    """Scenes that name their pictures."""
    return [
        {"text": text.strip(), "image": {"uri": f"store://stock/p{number}.png"}, **more}
        for number, text in enumerate(texts)
    ]


def luma(path: Path) -> NDArray[np.uint8]:
    """Every frame's brightness."""
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        capture_output=True,
        check=True,
    )
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH)


def heard(path: Path) -> NDArray[np.float64]:
    """The sound's level, 1,000 values a second."""
    argv = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-ac", "1", "-ar", "48000", "-f", "s16le", "-"]
    done = subprocess.run(argv, capture_output=True, check=True)
    samples = np.abs(np.frombuffer(done.stdout, "<i2").astype(np.float64))
    level: NDArray[np.float64] = samples[: len(samples) // 48 * 48].reshape(-1, 48).max(axis=1)
    return level


def probed(path: Path) -> dict[str, Any]:
    """Streams and packets of a file."""
    argv = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", "-count_packets", str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return found


def ended(result: RunResult) -> RunResult:
    """The result of a container that ended well."""
    assert result.exit_code == 0, result.failure
    return result
