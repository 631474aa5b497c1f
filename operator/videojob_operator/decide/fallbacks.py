"""Degraded: what was done another way than asked, by the reason people know it under (S-038, S-039, C14)."""

from __future__ import annotations

from collections.abc import Sequence

from videojob_api.names import Reason
from videojob_api.v1alpha1 import StageStatus

REASONS = {
    "AudioGeneration": Reason.VOICE_FALLBACK,
    "ImageGeneration": Reason.IMAGE_FALLBACK,
    "SceneLayout": Reason.IMAGE_FALLBACK,
    "BackgroundRemoval": Reason.MATTING_FALLBACK,
    "Publish": Reason.PUBLISH_FAILED,
}
"""By stage; any other one's is StageFallback."""


def fallback(stage: str) -> Reason:
    """The reason of a stage's fallbacks."""
    return REASONS.get(stage, Reason.STAGE_FALLBACK)


def fallbacks(stages: Sequence[StageStatus]) -> tuple[Reason, str] | None:
    """Reason and message of all fallbacks that were taken, the earliest stage first; None when there were none."""
    told = [(fallback(stage.name), text) for stage in stages for text in stage.degraded or ()]
    return (told[0][0], "; ".join(dict.fromkeys(text for _, text in told))) if told else None
