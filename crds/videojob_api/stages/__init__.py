"""The table of stage kinds: what each stage is called, needs, and may take. One row per kind.

The operator reads percent bands, slots, resources and trust from here; the worker resolves `kind` to its module
`videojob_worker.stages.<kind>`. Adding a stage is one parameter model, one row, one module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .. import contract, noop, notices
from ..avatar import tasks as avatars
from ..story import publishing, tasks
from ..v1alpha1.base import StatusModel

Trust = Literal["fetch", "provide", "decode", "commit", "notify"]
"""What a stage's container may touch: `fetch` talks to strangers' servers, decodes nothing and sees its own job alone;
`provide` asks providers with the job's Secrets, reads the store and decodes nothing of strangers: a stage whose row says
`decode` has it instead where `StageTask.online` is set; `decode` reads what strangers made and sees its own job read-write,
everything else read-only; `commit` decodes nothing and publishes; `notify` talks to strangers' servers and sees no store at
all."""
APART: frozenset[Trust] = frozenset({"fetch", "provide", "notify"})
"""Trust that shares no pod with another: a pod has one network, and no decoder ever gets the network of a fetch."""


@dataclass(frozen=True)
class StageKind:
    """One kind of stage."""

    kind: str
    """Key of the row; the worker's module has the same name."""
    stage: str
    """Name in `status.stage` and `status.stages[]`."""
    params: type[StatusModel]
    """Model of its parameters."""
    trust: Trust
    """What its container may touch."""
    slot: str | None
    """Slot class it takes while live; None takes none."""
    band: tuple[int, int]
    """Percent of the whole job at its start and end."""
    stall_seconds: int
    """Without an advance of its clock for this long, the runner ends it."""
    cpu_millis: int
    """CPU request in thousandths of a core."""
    memory_mib: int
    """Memory request."""
    memory_limit_mib: int
    """Memory limit."""
    version: int = 1
    """Raise it when the same parameters give other bytes; it is part of the content key."""
    cacheable: bool = False
    """Whether its outputs follow from its key and the bytes of the source alone, so that the namespace's cache may hold
    them for other VideoJobs."""
    long: bool = False
    """Whether it works for minutes and an attempt that is taken away starts at nothing: its pods ask node autoscalers to be
    left alone. What takes seconds is replaced faster than a node is kept."""
    working_sizes: tuple[str, ...] = ()
    """Smaller working sizes, in the order they are tried when an attempt has run out of all the memory it may get."""
    module: str | None = None
    """The worker's module, where it is not named after the kind."""
    joins: str | None = None
    """Kind of the stage before it that it may share a pod with, although it takes a slot of another class: while nobody waits
    for a slot of either, one Job holds both."""


FETCH = StageKind("fetch", "Fetch", contract.FetchParams, "fetch", "cpu", (0, 8), 60, 100, 128, 512)
INGEST = StageKind(
    "ingest", "Ingest", contract.IngestParams, "decode", "cpu", (0, 10), 60, 250, 256, 1024, cacheable=True
)
TRANSCODE = StageKind(
    "transcode", "Transcode", contract.TranscodeParams, "decode", "cpu", (10, 90), 120, 500, 512, 3072, cacheable=True,
    long=True, working_sizes=(contract.ONE_BY_ONE,),
)  # fmt: skip
VERIFY = StageKind(
    "verify", "Verify", contract.VerifyParams, "decode", "cpu", (90, 99), 120, 250, 256, 1024, cacheable=True
)
COMMIT = StageKind("commit", "Commit", contract.CommitParams, "commit", None, (99, 100), 300, 100, 128, 512)
SCENES = StageKind("scenes", "SceneParsing", tasks.SceneParsingParams, "decode", "cpu", (0, 10), 60, 200, 256, 1024)
AUDIO = StageKind("audio", "AudioGeneration", tasks.AudioParams, "decode", "cpu", (10, 30), 120, 250, 256, 1024)
IMAGES = StageKind("images", "ImageGeneration", tasks.ImageParams, "decode", "cpu", (10, 30), 120, 250, 256, 1024)
LAYOUT = StageKind(
    "layout", "SceneLayout", tasks.LayoutParams, "decode", "cpu", (30, 30), 60, 200, 256, 1024, version=2
)
COMPOSE = StageKind(
    "compose", "VideoComposition", tasks.ComposeParams, "decode", "cpu", (30, 80), 120, 500, 512, 1024, version=2
)
JOIN = StageKind("join", "VideoJoin", tasks.JoinParams, "decode", "cpu", (80, 80), 120, 250, 256, 1024)
THUMBNAIL = StageKind(
    "thumbnail", "ThumbnailGeneration", tasks.StillParams, "decode", "cpu", (80, 95), 60, 200, 256, 1024, version=2
)
FINALIZE = StageKind("finalize", "Finalization", tasks.FinalizeParams, "commit", None, (95, 100), 300, 100, 128, 512)
STORY = (SCENES, AUDIO, IMAGES, LAYOUT, COMPOSE, JOIN, THUMBNAIL, FINALIZE)
"""A story's stages (S-007 to S-013): 0-10, 10-30, 30-80, 80-95, 95-100 %. What is before and behind the drawing of pieces takes
seconds, and has no share of its own."""
PROMPT = StageKind("prompt", "ScriptWriting", tasks.PromptParams, "provide", "cpu", (0, 8), 120, 50, 96, 256)
"""Before a story's SceneParsing, where a language model writes the script."""
PUBLISH = StageKind("publish", "Publish", publishing.PublishParams, "provide", "cpu", (100, 100), 120, 50, 96, 256)
"""After a story's Finalization, where it is asked for: what is published then lies in the store, whatever platforms say."""
SPEAK = StageKind("speak", "SpeechGeneration", avatars.SpeakParams, "decode", "cpu", (0, 10), 120, 250, 256, 1024)
UPLOAD = StageKind("upload", "Upload", avatars.UploadParams, "decode", "cpu", (0, 20), 60, 250, 256, 1024)
DETECT = StageKind("detect", "Detection", avatars.DetectParams, "decode", "yolo", (25, 40), 120, 500, 512, 2048)
MATTE = StageKind(
    "matte", "BackgroundRemoval", avatars.MatteParams, "decode", "birefnet", (50, 60), 120, 500, 512, 2048,
    version=2, working_sizes=(contract.SMALL_SQUARE,), joins="detect",
)  # fmt: skip
ANIMATE = StageKind(
    "animate", "AvatarGeneration", avatars.AnimateParams, "decode", "avatar", (70, 80), 600, 500, 512, 2048, version=2
)
FINISH = StageKind(
    "finish", "Finalizing", avatars.FinishParams, "decode", "cpu", (90, 99), 120, 250, 256, 1024, version=2
)
DELIVER = StageKind("deliver", "Delivery", avatars.DeliverParams, "commit", None, (99, 100), 300, 100, 128, 512)
AVATAR = (SPEAK, UPLOAD, DETECT, MATTE, ANIMATE, FINISH, DELIVER)
"""An avatar's stages (A-003): Upload to 20, Detection 25-40, BackgroundRemoval 50-60, AvatarGeneration 70-80, Finalizing
from 90. Words are spoken before, and what publishes comes after, for it decodes nothing."""
WITHDRAW = StageKind("withdraw", "Withdrawal", avatars.WithdrawParams, "provide", None, (0, 0), 600, 50, 96, 256)
"""After an avatar that was cancelled or has failed, where its provider is a service."""
REPORT = StageKind("report", "Report", contract.ReportParams, "commit", None, (0, 0), 60, 50, 64, 256)
NOTIFY = StageKind("notify", "Notify", notices.NotifyParams, "notify", None, (0, 0), 120, 20, 64, 256)


def _noop(kind: str, stage: str, band: tuple[int, int]) -> StageKind:
    return StageKind(kind, stage, noop.NoopParams, "decode", "cpu", band, 60, 50, 64, 256, module="noop")


NOOP_LIST = _noop("nooplist", "NoopList", (0, 10))
NOOP_LEFT = _noop("noopleft", "NoopLeft", (10, 30))
NOOP_RIGHT = _noop("noopright", "NoopRight", (10, 30))
NOOP_ITEM = _noop("noopitem", "NoopItem", (30, 80))
NOOP_JOIN = _noop("noopjoin", "NoopJoin", (80, 100))
NOOPS = (NOOP_LIST, NOOP_LEFT, NOOP_RIGHT, NOOP_ITEM, NOOP_JOIN)
"""They do nothing, for tests of the graph; no recipe of a released operator has them."""

KINDS: dict[str, StageKind] = {
    row.kind: row
    for row in (
        FETCH,
        INGEST,
        TRANSCODE,
        VERIFY,
        COMMIT,
        *STORY,
        *AVATAR,
        PROMPT,
        PUBLISH,
        WITHDRAW,
        REPORT,
        NOTIFY,
        *NOOPS,
    )
}
"""Every kind by name."""


def trust_of(task: contract.StageTask) -> Trust:
    """What a stage's container may touch, in this task of it. KeyError for a kind that is in no row."""
    return "provide" if task.online else KINDS[task.kind].trust
