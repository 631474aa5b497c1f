"""The task document: all that a pod is told."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from ..fanout import Indexes, WorkList
from ..places import SCRATCH, STORE_CACHE, STORE_INBOX, STORE_JOB, STORE_STOCK
from ..sweeping import KeptRetention
from ..v1alpha1.accelerator import Acceleration
from ..v1alpha1.base import StatusModel

DOCUMENT_VERSION = 1
MAX_DOCUMENT_BYTES = 32 * 1024
"""Largest task document; render refuses more."""
ONE_BY_ONE = "OneByOne"
"""Working size of a transcode that makes one output after the other, each from a decode of its own."""
SMALL_SQUARE = "512"
"""Working size of background removal: pixels of the square that its model looks at, instead of 1024 (A-030)."""


class Identity(StatusModel):
    """Whose work it is."""

    namespace: str
    """Namespace of the VideoJob."""
    name: str
    """Name of the VideoJob."""
    uid: str
    """Its UID; folders and tokens go by it."""
    external_id: str | None = None
    """`spec.externalId`."""


class StorePaths(StatusModel):
    """Where the container finds the store's parts: absolute paths, mounted by sub-path on a volume."""

    job: str = STORE_JOB
    """The job's own folder `<namespace>/jobs/<uid>`, read-write."""
    inbox: str = STORE_INBOX
    """Uploads by sha256, read-only."""
    stock: str = STORE_STOCK
    """Files the team keeps, read-only."""
    cache: str = STORE_CACHE
    """Verified stage outputs; read-only but for the commit container."""
    scratch: str = SCRATCH
    """Scratch space, gone with the pod."""


class Limits(StatusModel):
    """What a container may use."""

    timeout_seconds: int | None = None
    """Wall time left for this attempt as the user set it; None: the default rule, see `default_timeout_seconds`."""
    threads: int = 2
    """Threads an encoder may use; part of the document, so that every attempt and a run elsewhere use as many."""


class FetchPolicy(StatusModel):
    """Where a fetch may go besides the public internet, and where alone: the administrator's word, from the settings."""

    allow_networks: tuple[str, ...] = ()
    """Networks (CIDR) that may be fetched from although they are not public."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts that may be fetched from, `*.example.com` for all below a name; empty: every host."""

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{error}; give networks such as 10.20.0.0/16 or fd12:3456::/32") from None
        return value


class CacheOrder(StatusModel):
    """How an attempt uses the namespace's cache."""

    mode: Literal["ReadWrite", "ReadOnly"]
    """`spec.cache.mode`; Off is a document without an order."""
    source: str
    """URI of the source; with its digest it makes the names of entries. Empty for a story, whose parts have names of their
    own."""
    only: bool = False
    """Whether every stage that the cache may hold has to come from it: the attempt holds no slot for the work itself, and
    ends with ExitCode.UNCACHED where it would have to do it."""


class StageInput(StatusModel):
    """Outputs of an earlier stage that this one reads."""

    stage: str
    """Kind of the earlier stage."""
    key: str
    """Its key: the folder is `processed/<stage>/<key>`."""
    items_of: str | None = None
    """For a fan-out, the kind of the stage that listed its work items; each item has a folder of its own."""
    work_list: WorkList | None = None
    """That list, once it is known."""


class StageTask(StatusModel):
    """One stage to run."""

    kind: str
    """Row of videojob_api.stages.KINDS."""
    container: str
    """Container of the pod that runs it."""
    key: str
    """Content key: its outputs lie in `processed/<kind>/<key>`; the same key means the same outputs."""
    params: dict[str, Any]
    """The kind's parameters, resolved; read through the kind's params model."""
    inputs: tuple[StageInput, ...] = ()
    """Earlier stages it reads."""
    online: bool | None = None
    """Whether its container has a network and Secrets of providers, and decodes nothing that strangers made; the kind's own
    trust does not hold then."""
    last_try: bool | None = None
    """Whether no further attempt follows a failure, so that what others refuse for the moment is given up."""
    working_size: str | None = None
    """Smaller working size to use, one of the kind's; it changes what the stage needs, not what it makes."""
    items_of: str | None = None
    """For a fan-out, the kind of the stage that lists its work items: it runs once for each. `key` is the start of the items'
    own keys then, see `fanout.item_key`."""
    work_list: WorkList | None = None
    """That list, once it is known; in a document that makes it itself, the record of the stage that made it tells."""
    accelerator: Acceleration | None = None
    """What its models may compute on: `Require` and `Prefer` where its container has a GPU, `Never` where it has none to use;
    None for a stage without models that could."""
    anew: bool | None = None
    """Whether a redrive wants its work anew: sentences, pictures and pieces that were kept before then are not taken."""


class TaskDocument(StatusModel):
    """All a pod needs to know; created atomically with its Job as an annotation of the pod template."""

    version: int = DOCUMENT_VERSION
    """Version of this document's form."""
    job: Identity
    """Whose work it is."""
    group: str
    """Stage group."""
    attempt: Annotated[int, Field(ge=1)]
    """Attempt of the group, from 1."""
    stages: Annotated[tuple[StageTask, ...], Field(min_length=1)]
    """Stages in order; each container runs its own ones."""
    indexes: Indexes | None = None
    """Work items of an Indexed Job: its completion index n stands for the n-th of these. None: not an Indexed Job; a fan-out
    among the stages then runs over all its items, one after the other."""
    store: StorePaths = StorePaths()
    """Where the bytes are."""
    limits: Limits = Limits()
    """What the attempt may use."""
    fetch: FetchPolicy | None = None
    """For a group that fetches: where it may go."""
    cache: CacheOrder | None = None
    """Use of the namespace's cache; None: none."""
    operator_url: str | None = None
    """Where progress goes; None: nowhere (a run without a cluster prints it)."""
    retention: KeptRetention | None = None
    """What the job's folder is to keep about its own retention; None: nothing (a run without a cluster)."""

    def containers(self) -> tuple[str, ...]:
        """Container names in the order they run."""
        return tuple(dict.fromkeys(stage.container for stage in self.stages))


def default_timeout_seconds(duration_ms: int | None) -> int:
    """Wall time of a transcode whose user set none (X-005): at least 600 s, at least ten times the input's duration."""
    return max(600, 10 * -(-(duration_ms or 0) // 1000))
