"""Percent of the whole job at the start and the end of each stage, and the names the seeds have for the two moments.

Exact (S-007 to S-012, A-003). The seeds' names stand in webhooks of `format: Seed` only (C17); everywhere else a stage is called
by its own name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """One stage's share of the way. Stages that run in parallel share one band."""

    low: int
    high: int
    running: str | None = None
    """What the seeds call it while it runs; its own name in lower case if they have no word."""
    complete: str | None = None
    """And when it has ended."""


BANDS: dict[str, dict[str, Band]] = {
    "Transcode": {
        "Ingest": Band(0, 10),
        "Transcode": Band(10, 90),
        "Verify": Band(90, 99),
        "Commit": Band(99, 100),
    },
    "Story": {
        "SceneParsing": Band(0, 10),
        "AudioGeneration": Band(10, 30),
        "ImageGeneration": Band(10, 30),
        "VideoComposition": Band(30, 80),
        "ThumbnailGeneration": Band(80, 95),
        "Finalization": Band(95, 100),
    },
    "Avatar": {
        "Upload": Band(0, 20, "initialized", "upload_complete"),
        "Detection": Band(25, 40, "detection_running", "detection_complete"),
        "BackgroundRemoval": Band(50, 60, "background_removal_running", "background_removal_complete"),
        "AvatarGeneration": Band(70, 80, "did_upload", "did_complete"),
        "Finalizing": Band(90, 99, "finalizing", "finalizing"),
        "Delivery": Band(99, 100, "finalizing", "completed"),
    },
}
"""By `status.type` and stage."""


def band(kind_of_work: str | None, stage: str) -> Band | None:
    """The band of a stage; None for one that is not in the table."""
    return BANDS.get(kind_of_work or "", {}).get(stage)


def seed_name(kind_of_work: str | None, stage: str, percent: int) -> str:
    """What the seeds call a stage at that percent of the whole job, for example `detection_complete` at 40; of stages in
    parallel, what they call the first.
    """
    stage = stage.partition(",")[0]
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stage).lower()
    row = band(kind_of_work, stage)
    if row is None:
        return plain
    if stage == "AvatarGeneration" and row.low < percent < row.high:
        return "did_processing"  # the one moment in the middle of a stage that the seeds name: 75 %
    return (row.complete if percent >= row.high else row.running) or plain
