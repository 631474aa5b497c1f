"""Which detectors there are; each is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from ..base.errors import BadConfig
from .people import Detector

DETECTORS = {
    "mediapipe": "pose:PoseDetector",
}
"""Names, and the classes behind them."""


def open_detector(kind: str = "mediapipe") -> Detector:
    """A detector, its models not loaded yet. Raises BadConfig: UnknownDetector."""
    if kind not in DETECTORS:
        raise BadConfig("UnknownDetector", f"there is no detector {kind}", hint=f"name one of {', '.join(DETECTORS)}")
    module, _, name = DETECTORS[kind].partition(":")
    return cast("Detector", getattr(import_module(f".{module}", __package__), name)())
