"""YOLO through the real ultralytics: a tiny one, trained here on drawn people, finds others (A-001, A-020).

Its libraries are gigabytes, so that these tests have a command of their own: `make test-vision`.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import figures
from videojob_worker.base.errors import BadConfig
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.people import Detector, find

EPOCHS, PICTURES, FRESH = 30, 240, 40

pytestmark = pytest.mark.timeout(1800)  # training takes minutes, more beside others


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as ultralytics writes them, after some two minutes of training on a CPU."""
    folder = tmp_path_factory.mktemp("yolo")
    os.environ |= {
        "YOLO_CONFIG_DIR": str(folder),
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "0",
        "ULTRALYTICS_SAFE_LOAD": "1",
    }
    from ultralytics import YOLO

    YOLO("yolo11n.yaml").train(
        data=str(figures.dataset(folder / "people", pictures=PICTURES, seed=1)), epochs=EPOCHS, imgsz=figures.SIDE, batch=12,
        workers=0, project=str(folder), name="run", device="cpu", optimizer="AdamW", lr0=0.003, warmup_epochs=1, mosaic=0.0,
        plots=False, verbose=False, seed=0, val=False,
    )  # fmt: skip
    return folder / "run" / "weights" / "last.pt"


def judged(detector: Detector) -> tuple[float, float]:
    """Precision and recall on pictures it has not seen; a box counts from an overlap of one half."""
    rng = np.random.default_rng(99)
    told = right = there = 0
    for _ in range(FRESH):
        picture, boxes = figures.figures(rng)
        seen = detector.detect(picture, 0.5, 0.45)
        told, there = told + len(seen), there + len(boxes)
        right += sum(any(box.overlap(person.box) >= 0.5 for person in seen) for box in boxes)
    return right / max(1, told), right / there


def test_a_tiny_yolo_finds_drawn_people(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detector = open_detector("yolo", weights, digest(weights), accelerator="Never")
    start = time.perf_counter()
    precision, recall = judged(detector)
    took = (time.perf_counter() - start) / FRESH
    with capsys.disabled():
        sys.stdout.write(
            f"\ntiny YOLO: precision {precision:.2f}, recall {recall:.2f}, {took * 1000:.0f} ms a picture\n"
        )
    assert detector.accelerator == "cpu"
    assert precision >= 0.9
    assert recall >= 0.8
    picture, boxes = figures.figures(np.random.default_rng(5))
    assert len(find(detector, picture).persons) == len(boxes)


def test_the_same_weights_exported_to_onnx_find_the_same_people(weights: Path) -> None:
    """The permissively licensed runtime reads what ultralytics exports, the class's name with it."""
    from ultralytics import YOLO

    path = Path(YOLO(str(weights)).export(format="onnx", imgsz=figures.SIDE, simplify=False))
    exported = open_detector("onnx", path, digest(path))
    precision, recall = judged(exported)
    assert precision >= 0.9
    assert recall >= 0.8


def test_weights_with_another_digest_are_not_opened(weights: Path) -> None:
    with pytest.raises(BadConfig, match="checksum mismatch"):
        open_detector("yolo", weights, "0" * 64)


class Trap:
    """Writes a file when a pickle of it is opened without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_a_pickle_that_would_run_something_runs_nothing(tmp_path: Path, weights: Path) -> None:
    """Even with its right digest: a stranger's file that an administrator was talked into."""
    bad = tmp_path / "bad.pt"
    with zipfile.ZipFile(weights) as source, zipfile.ZipFile(bad, "w") as target:
        for item in source.infolist():
            data = source.read(item)
            if item.filename.endswith("data.pkl"):
                data = pickle.dumps({"model": Trap(tmp_path / "sprung"), "epoch": 1}, protocol=2)
            target.writestr(item, data)
    with pytest.raises(BadConfig, match="cannot be loaded safely") as caught:
        open_detector("yolo", bad, digest(bad))
    assert caught.value.code == "ModelInvalid"
    assert not (tmp_path / "sprung").exists()


def test_a_required_gpu_is_refused_where_there_is_none(weights: Path) -> None:
    """A-032: `Require` says so rather than to be slow in silence."""
    import torch

    if torch.cuda.is_available():
        assert open_detector("yolo", weights, digest(weights), accelerator="Require").accelerator == "cuda"
        return
    with pytest.raises(BadConfig, match="no GPU answers"):
        open_detector("yolo", weights, digest(weights), accelerator="Require")
