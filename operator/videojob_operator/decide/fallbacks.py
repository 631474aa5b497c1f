"""Degraded: what was done another way than asked, by the reason people know it under (S-038, S-039, C14)."""

from __future__ import annotations

from collections.abc import Sequence

from videojob_api.names import Reason
from videojob_api.v1alpha1 import StageStatus

REASONS = {
    "AudioGeneration": Reason.VOICE_FALLBACK,
    "ImageGeneration": Reason.IMAGE_FALLBACK,
    "SceneLayout": Reason.IMAGE_FALLBACK,
    "Detection": Reason.ACCELERATOR_FALLBACK,
    "BackgroundRemoval": Reason.MATTING_FALLBACK,
    "Publish": Reason.PUBLISH_FAILED,
}
"""By stage; any other one's is StageFallback."""


def fallback(stage: str) -> Reason:
    """The reason of a stage's fallbacks."""
    return REASONS.get(stage, Reason.STAGE_FALLBACK)


def fallbacks(stages: Sequence[StageStatus]) -> tuple[Reason, str] | None:
    """Reason and message of all fallbacks that were taken, the earliest stage first; None when there were none."""
    told = [entry for stage in stages for entry in _of(stage)]
    return (told[0][0], "; ".join(dict.fromkeys(text for _, text in told))) if told else None


def _of(stage: StageStatus) -> list[tuple[Reason, str]]:
    """What one stage did another way than asked."""
    found = [(fallback(stage.name), text) for text in stage.degraded or ()]
    if stage.hopped:
        found.insert(0, (Reason.ACCELERATOR_FALLBACK, f"{stage.name} waited for a GPU in vain and works on the CPU"))
    return found
