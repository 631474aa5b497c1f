"""YOLO through the real ultralytics: a tiny one, trained here on drawn people, finds others (A-001, A-020).

Its libraries are gigabytes, so that these tests have a command of their own: `make test-vision`.
"""

from __future__ import annotations

import hashlib
import pickle
import shutil
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import figures
from videojob_cli.run import run
from videojob_worker.base.errors import BadConfig
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.people import Detector, find

FRESH = 40

pytestmark = pytest.mark.timeout(1800)  # training takes minutes, more beside others


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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


def test_an_avatar_is_detected_by_mounted_yolo_weights(weights: Path, tmp_path: Path) -> None:
    """A-001, A-014, A-020: the stage in a worker process, weights in the store. A drawn person has no face that could talk."""
    stock = tmp_path / "store/default/stock"
    stock.mkdir(parents=True)
    shutil.copy(weights, stock / "tiny.pt")
    picture, boxes = figures.figures(np.random.default_rng(5))
    cv2.imwrite(str(stock / "figures.png"), cv2.resize(picture, (512, 512))[..., ::-1])
    looks = {"detector": "yolo", "weights": {"uri": "store://stock/tiny.pt", "sha256": digest(weights)}}
    avatar = {
        "image": {"uri": "store://stock/figures.png"}, "speech": {"text": "Hello."}, "detection": looks,
        "matting": {"matter": "none"},
    }  # fmt: skip
    body = {
        "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "drawn"},
        "spec": {"avatar": avatar, "retry": {"maxAttempts": 1}},
    }  # fmt: skip
    path = tmp_path / "avatar.yaml"
    path.write_text(yaml.safe_dump(body))
    (ended,) = run([path], file=None, output=tmp_path / "out", store=tmp_path / "store")
    stage = next(stage for stage in ended.view.status.stages if stage.name == "Detection")
    assert stage.state == "Succeeded", ended.view.status.failure
    assert (stage.message or "").startswith(f"Detected {len(boxes)} person")
    assert stage.accelerator in {"cpu", "cuda"}
    person = ended.view.status.avatar.person_detection if ended.view.status.avatar is not None else None
    assert person is not None
    assert (person.detector, person.total_persons) == ("yolo", len(boxes))
