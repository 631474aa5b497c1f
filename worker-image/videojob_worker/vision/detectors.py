"""Which detectors there are; each is imported when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from .people import Detector
from .weights import opened

DETECTORS = {
    "mediapipe": "pose:PoseDetector",
    "onnx": "exported:ExportedDetector",
    "yolo": "yolo:YoloDetector",
}
"""Names, and the classes behind them."""
WEIGHTLESS = frozenset({"mediapipe"})
"""Those that bring their own models."""


def open_detector(
    kind: str = "mediapipe", weights: Path | None = None, sha256: str | None = None, **how: Any
) -> Detector:
    """A detector. `how` goes to those with mounted weights: `accelerator`, `precision`.

    Raises BadConfig: UnknownDetector, WeightsNeeded, and what loading the weights raises.
    """
    return cast("Detector", opened(DETECTORS, WEIGHTLESS, "detector", kind, weights=weights, sha256=sha256, how=how))
