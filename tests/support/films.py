"""Short videos of a person: a photograph that a package carries before a camera that wanders, and its outline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from PIL import Image

import clips
from photographs import FOLDER, outlined
from videojob_cli.run import run

SIZE, RATE, WHOLE = 400, 25, 480
"""Pixels of a side, frames a second, and pixels of a side of all that the camera may see."""
ABOVE = 335
"""Rows of the photograph above the helmet that is held: whether it is part of the person may be seen in two ways."""


def place(frame: int, seconds: float = 2) -> tuple[int, int]:
    """Where the camera looks in a frame: pixels from the left and from above."""
    at = frame / RATE
    return int(40 + 30 * math.sin(2 * math.pi * at / 1.6)), int(20 + 40 * at / seconds)


BEEPS = "aevalsrc='0.4*sin(660*2*PI*t)*lt(mod(t,0.5),0.12)':s=48000"
"""A sound that begins each half second."""


def astronaut(path: Path, *, seconds: float = 2, sound: Sequence[str] = ("-f", "lavfi", "-i", BEEPS)) -> Path:
    """The astronaut before a camera with a noisy sensor."""
    look = f"{_moved(seconds)},noise=alls=9:allf=t:all_seed=5,format=yuv420p"
    asked = [
        *still(FOLDER / "astronaut.png", seconds),
        *sound,
        "-t",
        str(seconds),
        "-vf",
        look,
        *clips.H264,
        "-crf",
        "16",
        *clips.AAC,
    ]
    return clips.make(path, asked)


def outlines(folder: Path, seconds: float = 2) -> tuple[list[np.ndarray[Any, Any]], list[np.ndarray[Any, Any]]]:
    """Of each frame the hand-made mask, moved by the same camera, and where it is to be held against another one."""
    mask = np.rint(outlined("astronaut.png") * 255).astype(np.uint8)
    told = np.full_like(mask, 255)
    told[ABOVE:] = 0
    return _frames(folder, "mask", mask, seconds), _frames(folder, "told", told, seconds)


def _frames(folder: Path, name: str, plane: np.ndarray[Any, Any], seconds: float) -> list[np.ndarray[Any, Any]]:
    Image.fromarray(plane).save(folder / f"{name}.png")
    look = f"{_moved(seconds)},format=gray"
    made = clips.make(
        folder / f"{name}.avi",
        [*still(folder / f"{name}.png", seconds), "-t", str(seconds), "-vf", look, "-c:v", "ffv1"],
    )
    return [frame[..., 0] > 127 for frame in pictures(made)]


def held(masks: Sequence[np.ndarray[Any, Any]], seconds: float = 2) -> np.ndarray[Any, Any]:
    """Masks as a camera that stands still would have them: the part of the scene that all frames see."""
    across, down = zip(*(place(at, seconds) for at in range(len(masks))), strict=True)
    parts = [
        mask[max(down) - y : min(down) + SIZE - y, max(across) - x : min(across) + SIZE - x]
        for mask, x, y in zip(masks, across, down, strict=True)
    ]
    return np.stack(parts).astype(np.float32)


def still(image: Path, seconds: float) -> list[str]:
    return ["-loop", "1", "-framerate", str(RATE), "-t", str(seconds), "-i", str(image)]


def _moved(seconds: float) -> str:
    """The camera's way as FFmpeg has it; whole pixels of every plane."""
    way = f"x='trunc(40+30*sin(2*PI*t/1.6))':y='trunc(20+40*t/{seconds})'"
    return f"scale={WHOLE}:{WHOLE}:flags=bilinear,format=gbrp,crop={SIZE}:{SIZE}:{way}:exact=1"


def pictures(path: Path) -> list[np.ndarray[Any, Any]]:
    """Every frame of a video, RGB."""
    reader, found = cv2.VideoCapture(str(path)), list[np.ndarray[Any, Any]]()
    while True:
        there, frame = reader.read()
        if not there:
            return found
        found.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def made(folder: Path, clip: Path, name: str = "greeting", **fields: Any) -> Any:
    """One avatar of a video from apply to its end, in a store that is kept; its status."""
    stock = folder / "store" / "default" / "stock"
    stock.mkdir(parents=True, exist_ok=True)
    if clip.parent != stock:
        (stock / clip.name).write_bytes(clip.read_bytes())
    itself = {"uri": f"store://stock/{clip.name}"}
    asked = {"image": itself, "audio": itself, **fields}
    avatar = {key: value for key, value in asked.items() if value is not None}
    body = {
        "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": name},
        "spec": {"avatar": avatar, "retry": {"maxAttempts": 1}},
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(body))
    (ended,) = run([path], file=None, output=folder / "out", store=folder / "store")
    return ended.view.status
