"""The API group's first version: one model per kind, and the table that lists them."""

from .fanout import FanOutStatus, ListedItems, PlannedFanOut
from .history import HistoryEntry
from .kinds import KINDS, MEDIASTORE, VIDEOJOB, VIDEOPROFILE, VIDEOQUEUE, Kind
from .mediastore import DiskStatus, MediaStoreSpec, MediaStoreStatus, PvcStore, SweepStatus, TierUse
from .notify import NotifyStatus, NotifyTarget
from .publish import Publish, PublishStatus, PublishTarget
from .retention import Retention, RetentionStatus, StoreRetention
from .sources import Source, StoredFile
from .spec import Fallback, InputLimits, Retry, TranscodeSpec, VideoJobSpec
from .status import (
    ConditionStatus,
    EstimateStatus,
    FailureStatus,
    FetchedStatus,
    InputStatus,
    OutputStatus,
    PlannedGroup,
    PlannedOutput,
    PlanStatus,
    ProgressStatus,
    QueueStatus,
    StageStatus,
    VideoJobStatus,
)
from .story import StorySpec
from .story_status import StoryMetadata, StoryStatus
from .videoprofile import AudioEncoding, Rendition, Thumbnail, VideoEncoding, VideoProfileSpec
from .videoqueue import DEFAULT_SLOTS, NamespaceLimits, Slot, SlotUse, VideoQueueSpec, VideoQueueStatus
from .workerclass import WorkerClass

__all__ = [
    "DEFAULT_SLOTS",
    "KINDS",
    "MEDIASTORE",
    "VIDEOJOB",
    "VIDEOPROFILE",
    "VIDEOQUEUE",
    "AudioEncoding",
    "ConditionStatus",
    "DiskStatus",
    "EstimateStatus",
    "FailureStatus",
    "Fallback",
    "FanOutStatus",
    "FetchedStatus",
    "HistoryEntry",
    "InputLimits",
    "InputStatus",
    "Kind",
    "ListedItems",
    "MediaStoreSpec",
    "MediaStoreStatus",
    "NamespaceLimits",
    "NotifyStatus",
    "NotifyTarget",
    "OutputStatus",
    "PlanStatus",
    "PlannedFanOut",
    "PlannedGroup",
    "PlannedOutput",
    "ProgressStatus",
    "Publish",
    "PublishStatus",
    "PublishTarget",
    "PvcStore",
    "QueueStatus",
    "Rendition",
    "Retention",
    "RetentionStatus",
    "Retry",
    "Slot",
    "SlotUse",
    "Source",
    "StageStatus",
    "StoreRetention",
    "StoredFile",
    "StoryMetadata",
    "StorySpec",
    "StoryStatus",
    "SweepStatus",
    "Thumbnail",
    "TierUse",
    "TranscodeSpec",
    "VideoEncoding",
    "VideoJobSpec",
    "VideoJobStatus",
    "VideoProfileSpec",
    "VideoQueueSpec",
    "VideoQueueStatus",
    "WorkerClass",
]
