"""YOLO through ultralytics, in the optional image alone: `yolov8n.pt`, `yolo11n.pt`, or any mounted weights (A-020, A-022).

A `.pt` file is a pickle. It is opened only with the digest that an administrator named, and even then by a loader that makes
nothing but the known parts of such models: whatever else a pickle asks for is refused, not run. The library is AGPL-3.0: it
stays in a process of the worker, in an image of its own.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..base.errors import BadConfig, out_of_memory
from . import models
from .boxes import Box, Picture
from .people import HOPPED, Person
from .programs import spent
from .sessions import Accelerate, Precision, no_card

SIDE = 640
_QUIET = {
    "ULTRALYTICS_SAFE_LOAD": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_OFFLINE": "1",
    "YOLO_VERBOSE": "0",
}
"""Read by the library when it is imported: load safely, install nothing, ask nobody, say nothing."""


class YoloDetector:
    """People by mounted weights; on the GPU where one answers."""

    name = "yolo"
    lanes = 1  # one look takes all cores, or the GPU

    def __init__(
        self, weights: Path, sha256: str, *, accelerator: Accelerate = "Prefer", precision: Precision = "fp32"
    ) -> None:
        if precision == "int8":
            raise BadConfig(
                "BadPrecision", f"{weights.name} is not computed in int8",
                hint="set precision to fp16 or fp32, or mount an ONNX export that was quantised to int8",
            )  # fmt: skip
        content = models.mounted(weights, sha256)
        torch, made = _opened(content, weights.name)
        card = accelerator != "Never" and bool(torch.cuda.is_available())
        if accelerator == "Require" and not card:
            raise no_card()
        self._torch, self._model = torch, made
        self._may_hop = accelerator == "Prefer"
        self.degraded: str | None = None
        asked = precision == "fp16" and not card
        self.note = f"{weights.name} was computed in fp32: fp16 needs a GPU" if asked else None
        self._how: dict[str, Any] = {"device": "cuda:0" if card else "cpu", "half": card and precision == "fp16"}
        self._side = int(made.overrides.get("imgsz") or SIDE)  # as it was trained: it knows no other scale as well
        people = [number for number, name in made.names.items() if str(name).lower() in {"person", "people", "human"}]
        self._classes = people or [0]

    @property
    def accelerator(self) -> Literal["cpu", "cuda"]:
        """Where its weights lie, by their own word."""
        return "cuda" if next(self._model.model.parameters()).device.type == "cuda" else "cpu"

    def detect(self, picture: Picture, confidence: float, overlap: float) -> tuple[Person, ...]:
        """Everybody at least so surely there. Raises Resource when memory does not suffice on the CPU either."""
        blue_first = np.ascontiguousarray(picture[..., ::-1])
        while True:
            try:
                (seen,) = self._predict(blue_first, confidence, overlap)
                break
            except Exception as error:
                if not spent(self._torch, error):
                    raise
                if self.accelerator == "cpu" or not self._may_hop:
                    raise out_of_memory("ultralytics", str(error)) from None
            self._how = {"device": "cpu", "half": False}
            self.degraded = HOPPED
        rows = zip(seen.boxes.xyxy.cpu().tolist(), seen.boxes.conf.cpu().tolist(), strict=True)
        return tuple(Person(Box(*map(float, corners)), float(score)) for corners, score in rows)

    def _predict(self, picture: Picture, confidence: float, overlap: float) -> Any:
        return self._model.predict(
            picture,
            conf=confidence,
            iou=overlap,
            classes=self._classes,
            imgsz=self._side,
            verbose=False,
            save=False,
            **self._how,
        )


def _opened(content: bytes, name: str) -> tuple[Any, Any]:
    """The libraries' torch and the model, from bytes that were checked. Raises BadConfig: ToolMissing, ModelInvalid."""
    os.environ.update(_QUIET)
    os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.gettempdir())
    try:
        import torch  # noqa: PLC0415 - seconds, and an image of its own
        from ultralytics import YOLO  # noqa: PLC0415
        from ultralytics.nn.tasks import SAFE_LOAD, _SafeLoad  # noqa: PLC0415
    except ImportError:
        raise BadConfig(
            "ToolMissing", "this worker image has no ultralytics",
            hint="use an image built of worker-image/Containerfile.vision, or the detector mediapipe or onnx",
        ) from None  # fmt: skip
    if not (SAFE_LOAD and _SafeLoad.SUPPORTED):
        raise BadConfig(
            "UnsafeLibrary", "this ultralytics cannot load weights safely", hint="install ultralytics 8.4.190 or later"
        )
    with tempfile.TemporaryDirectory(prefix="weights-") as folder:
        path = Path(folder) / "weights.pt"  # what was checked is what is read
        path.write_bytes(content)
        try:
            return torch, YOLO(str(path), task="detect")
        except Exception as error:  # noqa: BLE001 - pickles fail in every way there is
            text = " ".join(str(error).replace(str(path), name).split())[:300]
            raise BadConfig(
                "ModelInvalid", f"{name} cannot be loaded safely: {text}",
                hint="mount official or self-trained ultralytics weights, or an ONNX export",
            ) from None  # fmt: skip
