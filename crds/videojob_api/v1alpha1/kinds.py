"""The table of kinds: names, columns and the models behind them. A kind is one row here."""

from __future__ import annotations

from dataclasses import dataclass

from .base import ApiModel
from .mediastore import MediaStoreSpec, MediaStoreStatus
from .spec import VideoJobSpec
from .status import VideoJobStatus
from .videoprofile import VideoProfileSpec
from .videoqueue import VideoQueueSpec, VideoQueueStatus


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; priority 1 shows with `-o wide` only."""

    name: str
    type: str
    json_path: str
    priority: int = 0


@dataclass(frozen=True)
class Kind:
    """One custom resource: its names, the model of its spec and, where it has one, of its status."""

    kind: str
    plural: str
    short: str
    doc: str
    spec: type[ApiModel]
    status: type[ApiModel] | None
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    """Fields that `kubectl get --field-selector` and watches can select by, eight at most."""


AGE = Column("Age", "date", ".metadata.creationTimestamp")

VIDEOJOB = Kind(
    kind="VideoJob",
    plural="videojobs",
    short="vj",
    doc="One video request. The only kind a beginner needs.",
    spec=VideoJobSpec,
    status=VideoJobStatus,
    columns=(
        Column("Type", "string", ".status.type"),
        Column("Phase", "string", ".status.phase"),
        Column("Stage", "string", ".status.stage"),
        Column("Progress", "string", ".status.progress.summary"),
        Column("Attempts", "integer", ".status.attempts"),
        AGE,
        Column("Queue", "string", ".spec.queue", 1),
        Column("Priority", "string", ".spec.priority", 1),
        Column("Reason", "string", ".status.failure.code", 1),
        Column("Waiting", "string", ".status.queue.reason", 1),
        Column("Message", "string", ".status.progress.message", 1),
    ),
    selectable=(
        ".status.phase",
        ".status.type",
        ".status.failure.code",
        ".spec.queue",
        ".spec.priority",
        ".spec.store",
    ),
)
VIDEOPROFILE = Kind(
    kind="VideoProfile",
    plural="videoprofiles",
    short="vp",
    doc="How to encode one output. Looked up in the job's namespace first, then in the operator's.",
    spec=VideoProfileSpec,
    status=None,
    columns=(
        Column("Container", "string", ".spec.rendition.container"),
        Column("Codec", "string", ".spec.rendition.video.codec"),
        Column("Width", "integer", ".spec.rendition.video.width"),
        Column("Height", "integer", ".spec.rendition.video.height"),
        Column("Bitrate", "string", ".spec.rendition.video.bitrate"),
        AGE,
    ),
)
VIDEOQUEUE = Kind(
    kind="VideoQueue",
    plural="videoqueues",
    short="vq",
    doc="How much may run at once. Lives in the operator's namespace; VideoJobs name it in spec.queue.",
    spec=VideoQueueSpec,
    status=VideoQueueStatus,
    columns=(
        Column("Waiting", "integer", ".status.queueDepth"),
        Column("Running", "integer", ".status.jobsByStatus.processing"),
        Column("Failed", "integer", ".status.dlqDepth"),
        Column("Total", "integer", ".status.totalJobs"),
        Column("Per minute", "number", ".status.processingRatePerMinute"),
        Column("Paused", "boolean", ".spec.paused"),
        AGE,
    ),
)
MEDIASTORE = Kind(
    kind="MediaStore",
    plural="mediastores",
    short="ms",
    doc="Where a namespace keeps its bytes. `videojob init -n NAMESPACE` makes one named default.",
    spec=MediaStoreSpec,
    status=MediaStoreStatus,
    columns=(
        Column("Claim", "string", ".spec.pvc.claimName"),
        Column("Files", "integer", ".status.totalFiles"),
        Column("MB", "number", ".status.totalSizeMb"),
        Column("Free GB", "number", ".status.disk.freeGb"),
        Column("Used %", "number", ".status.disk.percentUsed"),
        Column("Swept", "date", ".status.lastSweepTime"),
        AGE,
    ),
)

KINDS = (VIDEOJOB, VIDEOPROFILE, VIDEOQUEUE, MEDIASTORE)
"""Every kind of the group, in the order people meet them."""
