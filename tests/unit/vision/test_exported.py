"""Mounted weights through ONNX Runtime: detectors in every shape that is read, and BiRefNet's (A-001, A-020, A-030, A-032)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

import tinynets
from videojob_worker.base.errors import BadConfig, Resource
from videojob_worker.vision.boxes import Box, Picture
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.matting import open_matter
from videojob_worker.vision.people import find

FIGURES = (Box(96, 80, 224, 336), Box(416, 144, 544, 400))


def drawn(figures: tuple[Box, ...] = FIGURES, size: tuple[int, int] = (640, 480)) -> Picture:
    """Red figures on grey, twice as large as the nets' square has them."""
    picture = np.full((size[1], size[0], 3), 120, np.uint8)
    for box in figures:
        left, top, right, bottom = box.whole()
        cv2.rectangle(picture, (left, top), (right, bottom), (230, 30, 30), -1)
    return picture


@pytest.mark.parametrize("shape", get_args(tinynets.Shape))
def test_a_detector_is_read_in_every_shape(shape: tinynets.Shape, tmp_path: Path) -> None:
    """A permissively licensed detector needs no code of ours, only its export."""
    weights, sha256 = tinynets.detector(tmp_path, shape)
    detector = open_detector("onnx", weights, sha256)
    found = find(detector, drawn())
    assert detector.accelerator == "cpu"
    assert len(found.persons) == 2
    for person, figure in zip(found.persons, FIGURES, strict=True):
        assert person.box.overlap(figure) > (0.3 if shape == "detr" else 0.6)
        assert person.confidence > 0.9


def test_the_class_of_people_is_the_one_that_the_file_names(tmp_path: Path) -> None:
    weights, sha256 = tinynets.detector(tmp_path, "yolo8", named=True)
    assert len(find(open_detector("onnx", weights, sha256), drawn()).persons) == 2


def test_of_boxes_that_overlap_more_than_asked_only_the_surest_stays(tmp_path: Path) -> None:
    weights, sha256 = tinynets.detector(tmp_path, "yolo8")
    detector = open_detector("onnx", weights, sha256)
    few, many = (len(detector.detect(drawn(), 0.02, overlap)) for overlap in (0.2, 0.99))
    assert few < many


def test_a_mask_comes_from_the_last_answer_in_the_size_of_the_picture(tmp_path: Path) -> None:
    weights, sha256 = tinynets.matter(tmp_path)
    matter = open_matter("birefnet", weights, sha256, side=128)
    mask = matter.matte(drawn(), FIGURES[0])
    assert mask.shape == (480, 640)
    assert mask[200:300, 100:150].min() > 0.9
    assert mask[:, 300:].max() == 0, "the other figure is outside of the box"
    assert mask[:60].max() < 0.1
    assert matter.matte(drawn(), None)[300, 450] > 0.9
    assert matter.degraded is None


def test_a_graph_of_a_fixed_size_is_given_that_size(tmp_path: Path) -> None:
    weights, sha256 = tinynets.matter(tmp_path, side=96)
    assert open_matter("birefnet", weights, sha256).matte(drawn(), None)[300, 450] > 0.9


def test_without_memory_for_1024_it_looks_at_512_and_says_so(tmp_path: Path) -> None:
    """A-030: less, visibly, rather than nothing."""
    weights, sha256 = tinynets.matter(tmp_path, hungry=True)
    matter = open_matter("birefnet", weights, sha256)
    mask = matter.matte(drawn(), None)
    assert mask[300, 450] > 0.9
    assert matter.degraded == "the mask was made at 512 instead of 1024 pixels, for want of memory"


def test_without_memory_for_the_least_the_attempt_asks_for_more(tmp_path: Path) -> None:
    weights, sha256 = tinynets.matter(tmp_path, hungry=True, side=600)
    with pytest.raises(Resource) as caught:
        open_matter("birefnet", weights, sha256).matte(drawn(), None)
    assert caught.value.code == "OutOfMemory"


def test_weights_with_another_digest_are_never_loaded(tmp_path: Path) -> None:
    """A-020: checksum mismatch refused."""
    weights, _ = tinynets.matter(tmp_path)
    with pytest.raises(BadConfig, match="checksum mismatch"):
        open_matter("birefnet", weights, "0" * 64)


@pytest.mark.parametrize("opener", [open_detector, open_matter])
def test_weights_are_named_with_their_digest_or_not_at_all(opener: type, tmp_path: Path) -> None:
    kind = "onnx" if opener is open_detector else "birefnet"
    with pytest.raises(BadConfig, match="needs weights and their sha256"):
        opener(kind, tmp_path / "weights.onnx")


def test_what_is_no_graph_is_a_configuration_error(tmp_path: Path) -> None:
    """A pickle in the place of weights is not opened as one."""
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"\x80\x04\x95cposix\nsystem\n")
    with pytest.raises(BadConfig, match="cannot be loaded") as caught:
        open_detector("onnx", path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert caught.value.code == "ModelInvalid"


def test_a_required_gpu_that_is_not_there_is_refused_and_a_preferred_one_is_done_without(tmp_path: Path) -> None:
    """A-032: `accelerator.mode`."""
    weights, sha256 = tinynets.matter(tmp_path)
    assert open_matter("birefnet", weights, sha256, accelerator="Never").accelerator == "cpu"
    with pytest.raises(BadConfig, match="no GPU answers"):
        open_matter("birefnet", weights, sha256, accelerator="Require")
