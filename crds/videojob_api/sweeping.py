"""All that operator and worker say to each other about a sweep: the document, questions and answers, the result, and the
file that a job's folder keeps about its own retention.

The operator's clock alone decides what has expired; the worker's clocks only measure how long ago a file was written.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .v1alpha1.base import StatusModel
from .v1alpha1.mediastore import TierUse
from .v1alpha1.retention import DeletionPolicy, StoreRetention
from .v1alpha1.status import FailureStatus

SWEEP_VERSION = 1
"""Version of these forms."""
RETENTION_FILE = "retention.json"
"""What a job's folder keeps about its own retention, beside the manifest."""
SWEEP_ROUTE = "/v1/sweep"
"""POST a SweepQuestion with the sweep's own token; the answer is a SweepAnswer."""
MAX_ASKED = 100
"""Folders, and uploads, one question may name."""
MAX_QUESTION_BYTES = 32 * 1024
MAX_ANSWER_BYTES = 256 * 1024
GONE_SECONDS = 3600
"""A folder that no VideoJob owns is deleted when nothing in it was written to for so long."""
MAX_PROBLEMS = 5
"""Sentences of a result on what could not be deleted."""

JobTier = Literal["uploads", "processed", "videos", "debug"]
Uid = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KeptRetention(StatusModel):
    """`retention.json`: written by every attempt, and by sweeps when the VideoJob says otherwise by then. It outlives the
    VideoJob, so it decides about a folder whose VideoJob is gone.
    """

    version: int = SWEEP_VERSION
    """Version of this form."""
    uid: str
    """UID of the VideoJob."""
    hold: bool = False
    """Nothing is deleted."""
    deletion_policy: DeletionPolicy = "Delete"
    """What happens to the folder when the VideoJob is gone."""
    uploads_expires_at: datetime | None = None
    """Until when what it fetched is kept; absent while it has not ended."""
    processed_expires_at: datetime | None = None
    """Until when intermediate files are kept."""
    videos_expires_at: datetime | None = None
    """Until when outputs are kept."""
    debug_expires_at: datetime | None = None
    """Until when debug/ is kept."""


class SweepDocument(StatusModel):
    """All a sweep needs to know."""

    version: int = SWEEP_VERSION
    """Version of this form."""
    namespace: str
    """Namespace of the store."""
    store: str
    """Name of the MediaStore."""
    uid: str
    """Its UID."""
    number: int
    """Which sweep of this store it is."""
    cutoff: datetime
    """The operator's time when it was decided: what expired until then goes, what ended later is left alone."""
    retention: StoreRetention = StoreRetention()
    """The store's tiers, for what belongs to no VideoJob."""
    root: str = "/store"
    """Where the namespace's part of the volume is mounted."""
    operator_url: str | None = None
    """Whom to ask; None: nobody can be asked, so nothing is deleted."""


class SweepQuestion(StatusModel):
    """What is to become of these?"""

    uid: Uid
    """UID of the MediaStore; must match the token's audience."""
    cutoff: datetime
    """Of the document."""
    folders: Annotated[tuple[Uid, ...], Field(max_length=MAX_ASKED)] = ()
    """Folders found below `jobs/`, by name."""
    uploads: Annotated[tuple[Digest, ...], Field(max_length=MAX_ASKED)] = ()
    """Files found in `inbox/`, by name."""


class FolderVerdict(StatusModel):
    """What the operator says about one folder."""

    uid: str
    """Its name."""
    state: Literal["Live", "Settled", "Gone"]
    """`Live`: at work, or not ended before the cutoff: hands off. `Settled`: see `expired`. `Gone`: there is no such
    VideoJob, and no pod of one; what the folder keeps about itself decides.
    """
    expired: tuple[JobTier, ...] = ()
    """Tiers of a settled one whose time has passed."""
    temp_seconds: int = 3600
    """Age at which leftovers of a settled one go."""
    kept: KeptRetention | None = None
    """What the folder of a settled one is to keep about itself."""


class UploadVerdict(StatusModel):
    """What the operator says about one upload."""

    sha256: str
    """Its name."""
    state: Literal["Kept", "Expired", "Unnamed"]
    """`Kept`: a VideoJob needs it still. `Expired`: those that name it have ended long enough ago. `Unnamed`: nobody names
    it, its age decides.
    """


class SweepAnswer(StatusModel):
    """What the operator says; what it does not speak of is left alone."""

    folders: tuple[FolderVerdict, ...] = ()
    """One for each folder that was asked about."""
    uploads: tuple[UploadVerdict, ...] = ()
    """One for each upload that was asked about."""


class SweepResult(StatusModel):
    """How a sweep ended: its termination message."""

    version: int = SWEEP_VERSION
    """Version of this form."""
    uid: str
    """UID of the MediaStore."""
    number: int
    """Which sweep it was."""
    cutoff: datetime
    """Of the document."""
    exit_code: int = 0
    """The code it exited with."""
    tiers: Annotated[tuple[TierUse, ...], Field(max_length=8)] = ()
    """What is left there, by tier."""
    deleted_files: int = 0
    """Files it deleted."""
    deleted_bytes: int = 0
    """Their bytes."""
    deleted_folders: int = 0
    """Folders of VideoJobs that are gone, among them."""
    free_bytes: int | None = None
    """Free space of the volume afterwards."""
    capacity_bytes: int | None = None
    """Its size."""
    problems: Annotated[tuple[str, ...], Field(max_length=MAX_PROBLEMS)] = ()
    """What could not be deleted or counted, the first few."""
    failure: FailureStatus | None = None
    """Why it did not come to its end."""
