"""What was seen in a portrait is kept by its content, for the namespace's other VideoJobs (A-037)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from photographs import FOLDER
from videojob_api.v1alpha1 import StageStatus
from videojob_cli.run import run


def stages(folder: Path, name: str, portrait: Path, text: str = "Hello.", **fields: Any) -> dict[str, StageStatus]:
    """One avatar in a store that is kept; its stages by name."""
    stock = folder / "store" / "default" / "stock"
    stock.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(portrait, stock / portrait.name)
    asked = {"image": {"uri": f"store://stock/{portrait.name}"}, "speech": {"text": text}, **fields}
    body = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": name},
        "spec": {"avatar": asked},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    (ended,) = run([path], file=None, output=folder / "out", store=folder / "store")
    assert ended.view.status.phase == "Succeeded", ended.view.status.failure
    return {stage.name: stage for stage in ended.view.status.stages}


def cached(found: dict[str, StageStatus]) -> list[str]:
    return [name for name in ("Detection", "BackgroundRemoval") if found[name].state == "Cached"]


def test_a_portrait_that_was_seen_before_is_not_looked_at_again(tmp_path: Path) -> None:
    """A-037: by its pixels, not by its name; another background cuts out anew; the videos are as good as made anew."""
    face, other = FOLDER / "astronaut.png", tmp_path / "namesake.png"
    assert cached(stages(tmp_path, "first", face)) == []
    shutil.copyfile(face, other)
    again = stages(tmp_path, "second", other, "Good bye.")
    assert cached(again) == ["Detection", "BackgroundRemoval"]
    assert again["Detection"].message == "Detected 1 person, selected person #1"
    assert again["Detection"].accelerator is None, "nothing was computed"
    assert cached(stages(tmp_path, "third", face, matting={"color": "#405060"})) == ["Detection"]
    with Image.open(face) as opened:
        pixels = np.asarray(opened.convert("RGB")).copy()
    pixels[0, 0] ^= 255
    changed = tmp_path / "changed.png"
    Image.fromarray(pixels).save(changed)
    assert cached(stages(tmp_path, "fourth", changed)) == []


def test_a_lesser_mask_is_made_anew_each_time(tmp_path: Path) -> None:
    """With more memory, or a model that is there by then, it may come out better."""
    face = FOLDER / "astronaut.png"
    stages(tmp_path, "first", face, matting={"matter": "grabcut"})
    assert cached(stages(tmp_path, "second", face, matting={"matter": "grabcut"})) == ["Detection"]
