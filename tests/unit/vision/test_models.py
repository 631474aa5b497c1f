"""A model's file is read only if it is the one that was meant (A-020)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from videojob_worker.base.errors import BadConfig
from videojob_worker.vision import models
from videojob_worker.vision.tflite import network

DATA = b"weights"
DIGEST = hashlib.sha256(DATA).hexdigest()


def test_mounted_weights_with_the_right_digest_are_read(tmp_path: Path) -> None:
    (tmp_path / "birefnet.onnx").write_bytes(DATA)
    assert models.mounted(tmp_path / "birefnet.onnx", DIGEST.upper()) == DATA


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    """Checksum mismatch: what an administrator did not name is never loaded."""
    (tmp_path / "birefnet.onnx").write_bytes(DATA + b"!")
    with pytest.raises(BadConfig, match=r"checksum mismatch: birefnet\.onnx") as caught:
        models.mounted(tmp_path / "birefnet.onnx", DIGEST)
    assert caught.value.code == "ModelChanged"


def test_missing_weights_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"no weights at yolo\.onnx") as caught:
        models.mounted(tmp_path / "yolo.onnx", DIGEST)
    assert caught.value.code == "ModelMissing"


def test_the_environments_folder_comes_first(tmp_path: Path) -> None:
    found = models.folders({"VIDEOJOB_MODELS": str(tmp_path)}, prefix="/usr")
    assert found == (tmp_path, Path("/usr/share/videojob/models"), models.IMAGE)


def test_a_model_in_no_folder_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"face_landmark\.tflite was not found") as caught:
        models.bundled("face_landmark", (tmp_path,))
    assert "VIDEOJOB_MODELS" in str(caught.value.hint)


def test_a_model_that_was_changed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face_landmark.tflite").write_bytes(b"other")
    with pytest.raises(BadConfig, match="checksum mismatch"):
        models.bundled("face_landmark", (tmp_path,))


@pytest.mark.parametrize("name", sorted(name for name in models.digests() if name.endswith(".tflite")))
def test_every_model_of_the_table_is_here_and_runs(name: str) -> None:
    net = network(name.removesuffix(".tflite"))
    assert net.width >= 128
    assert net.height >= 128
