"""Every name that other people's tools may match on: groups, labels, annotations, conditions, reasons.

A constant and its sentence; nothing here is computed.
"""

from __future__ import annotations

from enum import StrEnum

GROUP = "videojob.dev"
"""API group of every kind of this project."""
VERSION = "v1alpha1"
"""The served and stored version."""
API_VERSION = f"{GROUP}/{VERSION}"
"""Group and version as manifests write it."""
CATEGORY = "video"
"""`kubectl get video` lists every kind of the group."""

MANAGER = "videojob-operator"
"""Value of app.kubernetes.io/managed-by on everything the operator creates; its watches select on it."""
FIELD_MANAGER = "videojob-operator"
"""Owner of the fields the operator writes, in `metadata.managedFields`."""

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
"""Who made an object: `videojob-operator`, `videojob-cli` or `Helm`."""
LABEL_UID = f"{GROUP}/uid"
"""UID of the VideoJob that owns a Job or pod."""
LABEL_NAME = f"{GROUP}/name"
"""Name of the owning VideoJob, shortened to a label's 63 characters: for people; code goes by UID."""
LABEL_GROUP = f"{GROUP}/group"
"""Stage group that a Job runs."""
LABEL_ATTEMPT = f"{GROUP}/attempt"
"""Attempt number of that group, from 1."""
LABEL_SLOT = f"{GROUP}/slot"
"""Slot class the Job holds while it is live; absent when it holds none."""
LABEL_STORE = f"{GROUP}/store"
"""MediaStore that a sweep's Job works on; code goes by owner reference."""
LABEL_QUEUE = f"{GROUP}/queue"
"""VideoQueue whose slots the Job counts against."""
LABEL_EGRESS = f"{GROUP}/egress"
"""`fetch` or `notify` on the pods that fetch URLs or tell webhooks: network policies let these, and no other worker pods,
reach strangers' servers."""
LABEL_DEAD_LETTER = f"{GROUP}/dead-letter"
"""`true` on a VideoJob that failed for good (T-005): `kubectl get vj -l videojob.dev/dead-letter=true`."""
LABEL_BUILTIN = f"{GROUP}/builtin"
"""`true` on the queue and profiles that the operator itself creates."""
LABEL_COMPONENT = "app.kubernetes.io/component"
"""Part of the product an object belongs to: `operator`, `worker`, `sweep`, `transfer`."""

ANNOTATION_TASK = f"{GROUP}/task"
"""The TaskDocument (JSON) on the pod template; pods read it through the downward API."""
ANNOTATION_CANCEL = f"{GROUP}/cancel"
"""Any text: end this VideoJob, once per text. A VideoJob that has ended already stays as it is."""
ANNOTATION_RETRY = f"{GROUP}/retry"
"""Any text: drive a Failed or Cancelled VideoJob again, once per text (T-005, X-008). While it has not ended, the text is
only noted."""
ANNOTATION_DEFAULTS_HASH = f"{GROUP}/defaults-hash"
"""Hash of the mounted default from which a built-in object was made."""
ANNOTATION_WORKER_IMAGE = f"{GROUP}/worker-image"
"""Worker image, on the ServiceAccount `videojob-worker` of a namespace: the `videojob` command takes its transfer pods'
image from there, since users need not be able to read anything in the operator's namespace."""

WORKER_SERVICE_ACCOUNT = "videojob-worker"
"""ServiceAccount of every worker pod: it has no rights; its projected token only names the pod to the operator."""
DEFAULT_STORE = "default"
"""MediaStore that is meant when `spec.store` is absent."""
CACHE_SLOT = "cache"
"""Slot class of attempts that only copy what the namespace's cache holds; a VideoQueue need not list it."""
DEFAULT_QUEUE = "default"
"""VideoQueue that is meant when `spec.queue` is absent."""

UID_65532 = 65532
"""User, group and fsGroup of all our containers."""


def audience(uid: str) -> str:
    """The audience of a worker's token: bound to one VideoJob, and to nothing the API server would accept."""
    return f"{GROUP}/jobs/{uid}"


def store_audience(uid: str) -> str:
    """The audience of a sweep's token: bound to one MediaStore."""
    return f"{GROUP}/stores/{uid}"


class Phase(StrEnum):
    """`status.phase`: the one word for people (X-001, X-002)."""

    PENDING = "Pending"
    """Not accepted yet: something it refers to is missing, see the condition Accepted."""
    QUEUED = "Queued"
    """Accepted; waits for a slot or for the next attempt."""
    RUNNING = "Running"
    """A stage has a live Job, or the next one is about to start."""
    SUSPENDED = "Suspended"
    """`spec.suspend` is set; no stage starts, a running one ends first."""
    SUCCEEDED = "Succeeded"
    """Outputs are verified and published."""
    FAILED = "Failed"
    """Ended without outputs; see `status.failure`."""
    CANCELLED = "Cancelled"
    """Ended by request."""


TERMINAL_PHASES = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})


class Condition(StrEnum):
    """Condition types. Reconciling, Stalled and Ready are kstatus' words; Complete and Failed are batch/v1's."""

    ACCEPTED = "Accepted"
    """The spec is resolved: profiles, store and queue exist, and no other VideoJob has its idempotency key."""
    READY = "Ready"
    """Outputs are published, or everything up to `spec.stopAfter` is done."""
    RECONCILING = "Reconciling"
    """Queued, running, or waiting for a retry."""
    STALLED = "Stalled"
    """Comes to no more without a person: failed for good, cancelled, or refers to something that is missing."""
    COMPLETE = "Complete"
    """Ended with success; False after a cancel."""
    FAILED = "Failed"
    """Ended with failure; False after a cancel."""
    FINISHED = "Finished"
    """Ended either way: the one to give to `kubectl wait`."""
    DEAD_LETTERED = "DeadLettered"
    """Failed, and kept for a look and a retry (T-010)."""
    DEGRADED = "Degraded"
    """Something beside the outputs did not go as asked, for example a webhook; the message says what. Absent when all is
    well."""


class StoreCondition(StrEnum):
    """Condition types of a MediaStore."""

    LOW_SPACE = "LowSpace"
    """Less is free than `spec.minFreeSpace` (A-017)."""
    SWEPT = "Swept"
    """The latest sweep came to its end."""


class Reason(StrEnum):
    """Reasons of conditions, events and `status.queue.reason`."""

    RESOLVED = "Resolved"
    """Everything the spec names was found."""
    INVALID_SPEC = "InvalidSpec"
    """The object does not fit its schema: it was written before, or around, the CRD in force (S-003)."""
    UNKNOWN_PROFILE = "UnknownProfile"
    """A profile name that neither the namespace nor the operator's namespace has; the message lists the known."""
    STORE_NOT_FOUND = "StoreNotFound"
    """The namespace has no such MediaStore; the message gives the command that makes one."""
    QUEUE_NOT_FOUND = "QueueNotFound"
    """The operator's namespace has no such VideoQueue."""
    QUEUE_FULL = "QueueFull"
    """As many VideoJobs wait as the queue, or the namespace's limit in it, permits; it enters when others start."""
    RATE_LIMITED = "RateLimited"
    """The namespace has submitted as many VideoJobs in a minute as the queue permits; it enters when its turn comes."""
    PRIORITY_NOT_ALLOWED = "PriorityNotAllowed"
    """The queue does not permit the namespace this spec.priority."""
    PLAN_TOO_LARGE = "PlanTooLarge"
    """The task document would exceed its 32 KiB."""
    WAITING_FOR_SLOT = "WaitingForSlot"
    """All slots of the class are taken."""
    WAITING_FOR_RETRY = "WaitingForRetry"
    """The next attempt's time has not come."""
    SUSPENDED = "Suspended"
    """`spec.suspend` is set."""
    NAME_CONFLICT = "NameConflict"
    """A Job of the wanted name exists and belongs to somebody else; it is left alone."""
    POD_PENDING = "PodPending"
    """The pod cannot start, or is being taken away with its node; the message has the cluster's own words."""
    DUPLICATE = "Duplicate"
    """Another VideoJob of the namespace has the same `spec.idempotencyKey`; the message names it."""
    CANCELLED = "Cancelled"
    """Ended by the annotation `videojob.dev/cancel`."""
    REDRIVEN = "Redriven"
    """Driven again by the annotation `videojob.dev/retry`."""
    RETRY_REFUSED = "RetryRefused"
    """The annotation `videojob.dev/retry` names a stage or an output that the VideoJob has not."""
    STOPPED_AFTER = "StoppedAfter"
    """Ended with success at the stage that `spec.stopAfter` names; nothing was published."""
    STAGE_STARTED = "StageStarted"
    """The Job of an attempt was created."""
    STAGE_SUCCEEDED = "StageSucceeded"
    """A stage ended with success."""
    STAGE_RUNNING = "StageRunning"
    """A stage has a live Job."""
    RETRYING = "Retrying"
    """An attempt failed and another one is planned."""
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted"
    """The last permitted attempt failed."""
    PERMANENT = "Permanent"
    """A failure that no retry can mend."""
    DISRUPTED = "Disrupted"
    """The disruption budget is spent."""
    TIMEOUT = "Timeout"
    """`timeoutSeconds` is spent."""
    SUCCEEDED = "Succeeded"
    """Verified and published."""
    EXPIRED = "Expired"
    """The outputs' time has passed and a sweep has deleted them."""
    RETENTION_SKIPPED = "RetentionSkipped"
    """The VideoJob's own `ttlSecondsAfterFinished` has passed, and something forbids its deletion; the message says what."""
    INTERNAL_ERROR = "InternalError"
    """The operator could not decide; its log has the trace; it tries again later."""
    NOTIFY_FAILED = "NotifyFailed"
    """A webhook of `spec.notify` did not take an event; `status.notify` says which, and when it is tried again."""
    PROCESSING_COMPLETED = "processing_completed"
    """Event name of the seeds for success (S-015)."""
    PROCESSING_FAILED = "processing_failed"
    """Event name of the seeds for failure (S-015)."""
    PROCESSING_CANCELLED = "processing_cancelled"
    """The same for an end by request, which the seeds have no event for."""
    PROGRESS_UPDATE = "progress_update"
    """Event name of the seeds for progress (S-015); told when a stage begins."""
