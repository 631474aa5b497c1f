"""The API group's first version: one model per kind, and the table that lists them."""

from .accelerator import Accelerator
from .avatar import AvatarSpec
from .avatar_status import AvatarStatus, PersonDetection
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
    PlannedAccelerator,
    PlannedGroup,
    PlannedOutput,
    PlannedTemplate,
    PlanStatus,
    ProgressStatus,
    QueueStatus,
    StageStatus,
    VideoJobStatus,
)
from .story import StorySpec
from .story_status import StoryMetadata, StoryStatus
from .template import Blank, StoryTemplate, TemplateRef
from .videoprofile import AudioEncoding, Rendition, Thumbnail, VideoEncoding, VideoProfileSpec
from .videoqueue import DEFAULT_SLOTS, NamespaceLimits, Slot, SlotUse, VideoQueueSpec, VideoQueueStatus
from .withdrawal import WithdrawalStatus
from .workerclass import WorkerClass

__all__ = [
    "DEFAULT_SLOTS",
    "KINDS",
    "MEDIASTORE",
    "VIDEOJOB",
    "VIDEOPROFILE",
    "VIDEOQUEUE",
    "Accelerator",
    "AudioEncoding",
    "AvatarSpec",
    "AvatarStatus",
    "Blank",
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
    "PersonDetection",
    "PlanStatus",
    "PlannedAccelerator",
    "PlannedFanOut",
    "PlannedGroup",
    "PlannedOutput",
    "PlannedTemplate",
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
    "StoryTemplate",
    "SweepStatus",
    "TemplateRef",
    "Thumbnail",
    "TierUse",
    "TranscodeSpec",
    "VideoEncoding",
    "VideoJobSpec",
    "VideoJobStatus",
    "VideoProfileSpec",
    "VideoQueueSpec",
    "VideoQueueStatus",
    "WithdrawalStatus",
    "WorkerClass",
]
