"""Raw objects become the views of `decide.world`. Tolerant to anything: missing, future or hand-edited parts never raise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from videojob_api import names
from videojob_api.contract import RunResult
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus

from ..decide.world import ContainerView, JobView, PodView, VideoJobView
from .api import JOBS, PODS, VIDEOJOBS, Raw, Resource, metadata

EPOCH = datetime.fromtimestamp(0, UTC)
DROPPED_ANNOTATIONS = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
_META = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")
_JOB_SPEC = ("parallelism", "suspend", "completions", "completionMode")
_JOB_STATUS = ("conditions", "active", "completedIndexes", "failedIndexes")
INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation, and label, of a pod of an Indexed Job."""
_POD_STATUS = ("phase", "reason", "message", "conditions", "initContainerStatuses", "containerStatuses")

M = TypeVar("M", bound=BaseModel)


def trim(resource: Resource, raw: Raw) -> Raw:
    """What the cache keeps of an object: a tenth of it. Managed fields, templates and volumes are never looked at."""
    meta = metadata(raw)
    slim_meta: Raw = {key: meta[key] for key in _META if key in meta}
    if labels := _mapping(meta.get("labels")):
        slim_meta["labels"] = dict(labels)
    if resource is VIDEOJOBS:
        annotations = {k: v for k, v in _mapping(meta.get("annotations")).items() if k not in DROPPED_ANNOTATIONS}
        if annotations:
            slim_meta["annotations"] = annotations
    owners = [
        {"kind": owner.get("kind"), "name": owner.get("name"), "uid": owner.get("uid"), "controller": True}
        for owner in _sequence(meta.get("ownerReferences"))
        if isinstance(owner, Mapping) and owner.get("controller")
    ]
    if owners:
        slim_meta["ownerReferences"] = owners
    slim: Raw = {"metadata": slim_meta}
    spec, status = _mapping(raw.get("spec")), _mapping(raw.get("status"))
    if resource is JOBS:
        slim["spec"] = {key: spec[key] for key in _JOB_SPEC if key in spec}
        slim["status"] = {key: status[key] for key in _JOB_STATUS if key in status}
    elif resource is PODS:
        index = _mapping(meta.get("annotations")).get(INDEX)
        if index is not None:
            slim_meta["annotations"] = {INDEX: index}
        slim["spec"] = {
            "nodeName": spec.get("nodeName"),
            "order": [
                container.get("name")
                for field in ("initContainers", "containers")
                for container in _sequence(spec.get(field))
                if isinstance(container, Mapping)
            ],
        }
        slim["status"] = {key: status[key] for key in _POD_STATUS if key in status}
    else:
        slim["spec"] = raw.get("spec")
        if status:
            slim["status"] = dict(status)
    return slim


def videojob_view(raw: Raw) -> VideoJobView:
    """The VideoJob; a spec that the model refuses becomes `spec_error`, unreadable parts of a status are left out."""
    meta = metadata(raw)
    spec, spec_error = read_spec(VideoJobSpec, raw.get("spec"))
    return VideoJobView(
        namespace=str(meta.get("namespace", "")),
        name=str(meta.get("name", "")),
        uid=str(meta.get("uid", "")),
        generation=_int(meta.get("generation"), 0),
        created=moment(meta.get("creationTimestamp")) or EPOCH,
        spec=spec,
        status=read_status(raw.get("status")),
        spec_error=spec_error,
        deleting=bool(meta.get("deletionTimestamp")),
        labels=_pairs(meta.get("labels")),
        annotations=_pairs(meta.get("annotations")),
    )


def job_view(
    raw: Raw, pods: Sequence[Raw] = (), status: VideoJobStatus | None = None, blocked: str | None = None
) -> JobView:
    """A Job of ours with its pods. If somebody removed its labels, the VideoJob's status still knows which it is."""
    meta = metadata(raw)
    labels = _mapping(meta.get("labels"))
    name = str(meta.get("name", ""))
    spec = _mapping(raw.get("spec"))
    group, attempt = str(labels.get(names.LABEL_GROUP, "")), _int(labels.get(names.LABEL_ATTEMPT), 0)
    if status is not None and not (group and attempt):
        for stage in status.stages:
            if stage.job == name:
                group, attempt = stage.group, stage.attempt
    finished: Literal["Complete", "Failed"] | None = None
    reason = message = None
    finished_at = None
    for condition in _sequence(_mapping(raw.get("status")).get("conditions")):
        entry = _mapping(condition)
        kind = entry.get("type")
        if entry.get("status") == "True" and kind in {"Complete", "Failed"}:
            finished = "Complete" if kind == "Complete" else "Failed"
            reason, message = _text(entry.get("reason")), _text(entry.get("message"))
            finished_at = moment(entry.get("lastTransitionTime"))
    return JobView(
        name=name,
        uid=str(meta.get("uid", "")),
        group=group,
        attempt=attempt,
        created=moment(meta.get("creationTimestamp")) or EPOCH,
        slot=_text(labels.get(names.LABEL_SLOT)),
        also=also_of(labels),
        parallelism=_int(spec.get("parallelism"), 1),
        completions=_int(spec.get("completions"), 1) if spec.get("completionMode") == "Indexed" else None,
        completed=_text(_mapping(raw.get("status")).get("completedIndexes")) or "",
        failed=_text(_mapping(raw.get("status")).get("failedIndexes")) or "",
        finished=finished,
        condition_reason=reason,
        condition_message=message,
        finished_at=finished_at,
        deleting=bool(meta.get("deletionTimestamp")),
        pods=tuple(sorted((pod_view(pod) for pod in pods), key=lambda pod: (pod.name, pod.uid))),
        suspended=bool(_mapping(raw.get("spec")).get("suspend")),
        blocked=blocked,
        version=str(meta.get("resourceVersion", "")),
    )


def also_of(labels: Mapping[str, Any]) -> tuple[str, ...]:
    """Slot classes that a Job holds besides its first one; none on Jobs of earlier versions."""
    return tuple(dict.fromkeys(filter(None, (_text(labels.get(names.LABEL_ALSO_SLOTS)) or "").split("."))))


def pod_view(raw: Raw) -> PodView:
    """A pod as far as decisions look at it; containers in the order they run."""
    meta, spec, status = metadata(raw), _mapping(raw.get("spec")), _mapping(raw.get("status"))
    disruption = unschedulable = None
    for condition in _sequence(status.get("conditions")):
        entry = _mapping(condition)
        if entry.get("type") == "DisruptionTarget" and entry.get("status") == "True":
            disruption = _text(entry.get("reason")) or "DisruptionTarget"
        if entry.get("type") == "PodScheduled" and entry.get("status") == "False":
            unschedulable = _text(entry.get("message")) or _text(entry.get("reason"))
    order = [str(name) for name in _sequence(spec.get("order"))]
    statuses = {
        str(_mapping(entry).get("name", "")): _mapping(entry)
        for field in ("initContainerStatuses", "containerStatuses")
        for entry in _sequence(status.get(field))
    }
    return PodView(
        name=str(meta.get("name", "")),
        uid=str(meta.get("uid", "")),
        phase=_text(status.get("phase")) or "Pending",
        containers=tuple(_container(name, statuses.get(name, {})) for name in order or list(statuses)),
        reason=_text(status.get("reason")),
        disruption=disruption,
        unschedulable=unschedulable,
        deleting=bool(meta.get("deletionTimestamp")),
        node=_text(spec.get("nodeName")),
        index=_index(meta),
    )


def _index(meta: Mapping[str, Any]) -> int | None:
    """Completion index of a pod, from its annotation or its label."""
    for field in ("annotations", "labels"):
        found = _int(_mapping(meta.get(field)).get(INDEX), -1)
        if found >= 0:
            return found
    return None


def _container(name: str, entry: Mapping[str, Any]) -> ContainerView:
    state = _mapping(entry.get("state"))
    if "terminated" in state:
        ended = _mapping(state["terminated"])
        return ContainerView(
            name,
            "Terminated",
            exit_code=_int(ended.get("exitCode"), 0) if "exitCode" in ended else None,
            reason=_text(ended.get("reason")),
            message=_text(ended.get("message")),
            started_at=moment(ended.get("startedAt")),
            finished_at=moment(ended.get("finishedAt")),
        )
    if "running" in state:
        return ContainerView(name, "Running", started_at=moment(_mapping(state["running"]).get("startedAt")))
    waiting = _mapping(state.get("waiting"))
    return ContainerView(name, "Waiting", reason=_text(waiting.get("reason")), message=_text(waiting.get("message")))


def read_spec(model: type[M], value: Any) -> tuple[M | None, str | None]:
    """Validate a spec. Fields of a later version are left out; anything else that does not fit is the error's text."""
    value = value if isinstance(value, Mapping) else {}
    for _ in range(100):
        try:
            return model.model_validate(value), None
        except ValidationError as error:
            unknown = [entry["loc"] for entry in error.errors() if entry["type"] == "extra_forbidden"]
            if not unknown:
                return None, "; ".join(_sentence(entry["loc"], entry["msg"]) for entry in error.errors()[:5])
            for location in unknown:
                value = without(value, location)
    return None, "spec holds more unknown fields than can be left out"


def read_result(message: str | None) -> RunResult | None:
    """A termination message as a result, if it is one."""
    try:
        return RunResult.model_validate_json(message or "")
    except ValidationError:
        return None


def read_status(value: Any) -> VideoJobStatus:
    """Validate a status; what does not fit is left out, and will be written anew."""
    value = value if isinstance(value, Mapping) else {}
    for _ in range(100):
        try:
            return VideoJobStatus.model_validate(value)
        except ValidationError as error:
            location = error.errors()[0]["loc"]
            in_list = len(location) > 1 and isinstance(location[1], int)
            value = without(value, location[:2] if in_list else location[:1])
    return VideoJobStatus()


def without(value: Any, location: Sequence[int | str]) -> Any:
    """A copy of a JSON value without the part at that place."""
    if not location:
        return value
    head, rest = location[0], location[1:]
    if isinstance(value, Mapping) and head in value:
        return {k: (without(v, rest) if k == head else v) for k, v in value.items() if rest or k != head}
    if isinstance(value, (list, tuple)) and isinstance(head, int) and head < len(value):
        return [without(v, rest) if i == head else v for i, v in enumerate(value) if rest or i != head]
    return {} if isinstance(value, Mapping) and not rest else value


def _sentence(location: Sequence[int | str], message: str) -> str:
    return f"spec.{'.'.join(str(part) for part in location)}: {message}" if location else message


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(k), str(v)) for k, v in _mapping(value).items()))


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _int(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


def moment(value: Any) -> datetime | None:
    """A moment as Kubernetes writes it; None when it is none. Without a zone it is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
