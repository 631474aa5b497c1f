"""Models of one's own in spec.avatar, and what a container with a GPU finds in its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from videojob_api.avatar.params import Animator, on_gpu
from videojob_api.v1alpha1 import AvatarSpec, WorkerClass
from videojob_api.v1alpha1.avatar import AvatarProvider
from videojob_api.v1alpha1.workerclass import GPU_ENV
from videojob_worker.base.errors import BadConfig
from videojob_worker.vision import models
from videojob_worker.vision.models import confidence, precision, tensorrt

WEIGHTS = {"uri": "store://stock/models/model.onnx", "sha256": "ab" * 32}
FACE: dict[str, Any] = {"image": {"uri": "store://stock/face.png"}, "speech": {"text": "Hello."}}


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"detection": {"detector": "onnx"}}, "detection.weights names the file and the sha256 of the model; onnx needs it"),
        ({"detection": {"weights": WEIGHTS}}, "mediapipe takes none; remove them"),
        ({"detection": {"detector": "yolo", "weights": {**WEIGHTS, "sha256": "AB"}}}, "sha256"),
        ({"detection": {"detector": "yolo", "weights": {**WEIGHTS, "uri": "https://models.example/x.pt"}}}, "uri"),
        ({"matting": {"matter": "birefnet"}}, "matting.weights names the file and the sha256 of the model; birefnet needs it"),
        ({"matting": {"matter": "grabcut", "precision": "fp16"}}, "grabcut takes none; remove them"),
        ({"matting": {"matter": "birefnet", "weights": WEIGHTS, "precision": "fp8"}}, "precision"),
    ],
)  # fmt: skip
def test_models_and_their_weights_go_together(part: dict[str, Any], says: str) -> None:
    """A-020, A-036: weights are files of the store with a digest, never an address."""
    with pytest.raises(ValidationError) as found:
        AvatarSpec.model_validate({**FACE, **part})
    assert says in str(found.value)


def test_captions_go_with_words() -> None:
    """Of a recording nobody knows the words."""
    recorded = {**FACE, "speech": None, "audio": {"uri": "store://stock/voice.wav"}, "captions": {}}
    with pytest.raises(ValidationError, match=r"avatar\.captions shows the words of avatar\.speech"):
        AvatarSpec.model_validate(recorded)
    assert AvatarSpec.model_validate({**FACE, "captions": {"style": "karaoke"}}).captions is not None


def test_weights_that_fit_are_taken() -> None:
    asked = AvatarSpec.model_validate(
        {**FACE, "detection": {"detector": "yolo", "weights": WEIGHTS, "precision": "int8"},
         "matting": {"matter": "birefnet", "weights": WEIGHTS}}
    )  # fmt: skip
    assert asked.detection.weights == asked.matting.weights
    assert [on_gpu(model) for model in ("mediapipe", "onnx", "yolo", "birefnet", "grabcut", "none")] == [
        False, True, True, True, False, False,
    ]  # fmt: skip


def test_a_022_what_a_container_with_a_gpu_finds_in_its_environment() -> None:
    """A-022: the seeds' variables unless the class says otherwise; CUDA_VISIBLE_DEVICES is the device plugin's."""
    given = WorkerClass.model_validate(
        {"gpu": {}, "env": [{"name": "BIREFNET_USE_FP16", "value": "false"}, {"name": "HF_HUB_OFFLINE", "value": "1"}]}
    )
    assert dict(given.environment(gpu=True)) == {
        "PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:512", "YOLO_CONFIDENCE_THRESHOLD": "0.5", "BIREFNET_USE_TENSORRT": "true",
        "BIREFNET_USE_FP16": "false", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    assert dict(given.environment(gpu=False)) == {"BIREFNET_USE_FP16": "false", "HF_HUB_OFFLINE": "1"}
    assert AvatarSpec.model_validate(FACE).detection.confidence_percent is None, "else the class would never be asked"


def test_a_022_what_the_worker_reads_there() -> None:
    """A-022, A-036: half precision, compiled graphs, how sure a detector has to be; PYTORCH_CUDA_ALLOC_CONF is torch's own."""
    assert [precision({"BIREFNET_USE_FP16": value}) for value in ("true", "false")] == ["fp16", None]
    assert precision({}) is None
    assert [tensorrt({"BIREFNET_USE_TENSORRT": value}) for value in ("true", "false")] == [True, False]
    assert tensorrt({})
    shares = ("0.5", " 0.85 ", "0", "")
    assert [confidence({"YOLO_CONFIDENCE_THRESHOLD": text}) for text in shares] == [0.5, 0.85, 0.0, None]
    assert confidence({}) is None


@pytest.mark.parametrize("text", ["85", "-0.1", "high", "nan"])
def test_a_022_a_threshold_that_is_none_is_refused(text: str) -> None:
    """A-034: naming the variable and what to do."""
    with pytest.raises(BadConfig, match="YOLO_CONFIDENCE_THRESHOLD") as caught:
        confidence({"YOLO_CONFIDENCE_THRESHOLD": text})
    assert "confidencePercent" in (caught.value.hint or "")


def test_a_022_every_variable_that_is_set_has_a_reader() -> None:
    """What containers with a GPU find in their environment is read by the worker, or by torch, whose name says so."""
    source = "".join(path.read_text() for path in Path(models.__file__).parent.glob("*.py"))
    own = [name for name, _ in GPU_ENV if not name.startswith("PYTORCH_")]
    assert own == ["YOLO_CONFIDENCE_THRESHOLD", "BIREFNET_USE_TENSORRT", "BIREFNET_USE_FP16"]
    assert all(f'"{name}"' in source for name in own)


def test_a_spec_and_a_provider_are_told_the_same() -> None:
    """One declaration: a spec refuses what it does not know, a message passes it over; only a spec's names are a closed list."""
    assert list(Animator.model_fields) == list(AvatarProvider.model_fields)
    asked = {"name": "did", "secretName": "d-id", "expression": "happy", "padAudioMs": 500, "driver": "bank://lively"}
    assert Animator.model_validate(asked).dump() == AvatarProvider.model_validate(asked).dump()
    assert Animator.model_validate({"name": "later", "unheardOf": 1}).name == "later"
    for wrong in ({"name": "builtin", "unheardOf": 1}, {"name": "later"}):
        with pytest.raises(ValidationError):
            AvatarProvider.model_validate(wrong)
    for wrong in ({"name": "did", "padAudioMs": 60_001}, {"name": "did", "driver": "ftp://x"}, {}):
        with pytest.raises(ValidationError):
            Animator.model_validate(wrong)
