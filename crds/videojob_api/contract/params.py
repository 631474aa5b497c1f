"""Parameters of the stages of a transcode, and of those that all kinds of work share."""

from __future__ import annotations

from ..v1alpha1.base import StatusModel
from ..v1alpha1.sources import Source, StoredFile
from ..v1alpha1.spec import InputLimits
from ..v1alpha1.videoprofile import VideoProfileSpec
from .document import StageInput

AUTHORIZATION_KEY = "authorization"
"""Key of a source's Secret: the whole value of the Authorization header."""


class FetchParams(StatusModel):
    """Bring the file behind a URL into the job's folder."""

    source: Source
    """The input, a URL."""
    limits: InputLimits
    """Bounds on it."""
    text: bool | None = None
    """Whether it is to be a text in UTF-8, and no video."""


class IngestParams(StatusModel):
    """Vet the source and probe it."""

    source: StoredFile
    """The input, which lies in the store."""
    limits: InputLimits
    """Bounds on it."""


class OutputPlan(StatusModel):
    """One output to make, with its profile as it was at acceptance."""

    name: str
    """Output name; the file is `<name>.<container>`."""
    profile: str
    """Profile as the spec named it."""
    spec: VideoProfileSpec
    """How to encode it."""


class TranscodeParams(StatusModel):
    """Make all outputs from one decode."""

    source: StoredFile
    """The input, which lies in the store."""
    outputs: tuple[OutputPlan, ...]
    """What to make."""


class VerifyParams(StatusModel):
    """Check every output against its profile and the source."""

    outputs: tuple[OutputPlan, ...]
    """What was to be made."""
    max_duration_drift_ms: int = 500
    """Largest difference between an output's and the source's duration."""


class CommitParams(StatusModel):
    """Publish all outputs at once: move them to `videos/`, then write `manifest.json`."""

    outputs: tuple[OutputPlan, ...]
    """What is to be published."""


class ReportParams(StatusModel):
    """Read the result of an attempt whose pod is gone."""

    group: str
    """The attempt's group."""
    attempt: int
    """Its number."""
    fan_out: StageInput | None = None
    """Of an attempt of a fan-out: the stage, of which the items whose outputs are there are to be told."""
