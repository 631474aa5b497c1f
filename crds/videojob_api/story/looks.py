"""How a story looks and sounds: as a spec has it, so the stages are given it."""

from __future__ import annotations

from ..v1alpha1.story_looks import (
    SAMPLE_RATE,
    AspectRatio,
    Captions,
    Colour,
    Effect,
    Encoding,
    FrameRate,
    Music,
    Overlay,
    QualityName,
    TextStyle,
    ThumbnailParams,
    Transition,
    TransitionKind,
)

__all__ = [
    "SAMPLE_RATE",
    "AspectRatio",
    "Captions",
    "Colour",
    "Effect",
    "Encoding",
    "FrameRate",
    "Music",
    "Overlay",
    "QualityName",
    "TextStyle",
    "ThumbnailParams",
    "Transition",
    "TransitionKind",
]
