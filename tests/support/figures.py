"""Drawn people, and data sets of them: what a small detector learns from within a minute or two."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from videojob_worker.vision.boxes import Box, Picture

SIDE = 128


def figures(rng: np.random.Generator, side: int = SIDE) -> tuple[Picture, tuple[Box, ...]]:
    """One to three people with head, body and legs before a noisy background, apart from each other."""
    noise = rng.integers(60, 200, (side, side, 3)).astype(np.uint8)
    picture = np.ascontiguousarray(cv2.GaussianBlur(noise, (0, 0), 3))
    boxes: list[Box] = []
    for _ in range(int(rng.integers(1, 4))):
        up = int(rng.integers(side // 3, side * 3 // 5))
        across = up * 2 // 5
        left, top = int(rng.integers(1, side - across - 1)), int(rng.integers(1, side - up - 1))
        box = Box(left, top, left + across, top + up)
        if any(box.shared(other) > 0 for other in boxes):
            continue
        boxes.append(box)
        _person(picture, box, rng)
    return picture, tuple(boxes)


def _person(picture: Picture, box: Box, rng: np.random.Generator) -> None:
    left, top, right, bottom = box.whole()
    across, up = right - left, bottom - top
    middle, head = left + across // 2, max(3, up // 8)
    clothes = tuple(int(value) for value in rng.integers(0, 255, 3))
    hips = top + up * 3 // 5
    cv2.circle(picture, (middle, top + head), head, (205, 160, 140), -1)
    cv2.rectangle(picture, (left + across // 5, top + 2 * head), (right - across // 5, hips), clothes, -1)
    thick = max(2, across // 6)
    for hand, foot in ((left, left + across // 5), (right, right - across // 5)):
        cv2.line(picture, (middle, top + 2 * head + thick), (hand, hips - thick), (205, 160, 140), max(1, thick // 2))
        cv2.line(picture, (middle, hips), (foot, bottom), (30, 30, 60), thick)


def dataset(folder: Path, *, pictures: int, seed: int) -> Path:
    """Pictures and labels as ultralytics reads them; answers the file that names them."""
    rng = np.random.default_rng(seed)
    for split, count in (("train", pictures), ("val", 16)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            picture, boxes = figures(rng)
            cv2.imwrite(str(folder / "images" / split / f"{number}.png"), picture[..., ::-1])
            rows = [
                " ".join(["0", *(f"{value / SIDE:.6f}" for value in (*box.centre, box.width, box.height))])
                for box in boxes
            ]
            (folder / "labels" / split / f"{number}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    names = folder / "people.yaml"
    names.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames: {{0: person}}\n", encoding="utf-8")
    return names
