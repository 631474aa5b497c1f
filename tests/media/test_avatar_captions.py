"""Captions of an avatar, in the finished file and beside it (A-001, S-024)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pysubs2
import yaml
from numpy.typing import NDArray

from photographs import FOLDER
from videojob_cli.run import Ended, run

TEXT = "Hello and welcome. This portrait speaks, and shows its words."


def made(folder: Path, **fields: Any) -> Ended:
    """One avatar of the photograph, from apply to its end."""
    stock = folder / "store" / "default" / "stock"
    stock.mkdir(parents=True, exist_ok=True)
    (stock / "face.png").write_bytes((FOLDER / "astronaut.png").read_bytes())
    asked = {
        "image": {"uri": "store://stock/face.png"},
        "speech": {"text": TEXT},
        "matting": {"color": "#203040"},
        **fields,
    }
    body = {
        "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "greeting"},
        "spec": {"avatar": asked, "retry": {"maxAttempts": 1}},
    }  # fmt: skip
    path = folder / "avatar.yaml"
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    (ended,) = run([path], file=None, output=folder / "out", store=folder / "store")
    assert ended.view.status.phase == "Succeeded", ended.view.status.failure
    return ended


def lit(path: Path, colour: tuple[int, int, int]) -> NDArray[np.int64]:
    """Of each picture, how many pixels of its lowest quarter have nearly that colour (RGB)."""
    reader, found = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = reader.read()
        if not there:
            return np.array(found)
        low = frame[frame.shape[0] * 3 // 4 :].astype(int)
        found.append(int((np.abs(low - colour[::-1]).max(axis=2) < 40).sum()))


def test_the_words_stand_in_the_picture_while_they_are_spoken_and_in_files(tmp_path: Path) -> None:
    """Burnt in where the voice says them, each word marked; the same phrases as SubRip and WebVTT."""
    ended = made(tmp_path, captions={"style": "word", "size": 64, "highlight": "#FF00FF"})
    assert [output.name for output in ended.view.status.outputs] == [
        "video",
        "thumbnail",
        "captions-srt",
        "captions-vtt",
    ]
    folder = tmp_path / "out/greeting"
    events = list(pysubs2.load(str(folder / "video.srt")))
    assert " ".join(event.text.replace("\\N", " ") for event in events) == TEXT
    assert (folder / "video.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
    marked = lit(folder / "video.mp4", (255, 0, 255))
    times = np.arange(len(marked)) * 1000 / 25
    spoken = np.zeros(len(marked), bool)
    for event in events:
        spoken |= (times >= event.start + 40) & (times < event.end - 330)
    assert spoken.sum() > 40
    assert (marked[spoken] > 20).mean() > 0.95, "a word is marked whenever one is spoken"
    silent = times < events[0].start - 40
    assert not silent.any() or marked[silent].max() == 0


def test_captions_may_be_files_alone(tmp_path: Path) -> None:
    ended = made(tmp_path, captions={"burn": False, "sidecars": ["vtt"], "color": "#FF00FF"})
    assert [output.name for output in ended.view.status.outputs] == ["video", "thumbnail", "captions-vtt"]
    assert lit(tmp_path / "out/greeting/video.mp4", (255, 0, 255)).max() == 0
