"""The cluster in memory, spoken to as the operator's `apply` speaks to an API server: raw JSON and merge patches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any, cast

from simcluster import Cluster, ConflictError, ExistsError
from simobjects import Stored
from videojob_api.v1alpha1 import VideoJobStatus
from videojob_operator.cluster.api import JOBS, Api, ApiError, Raw, Resource
from videojob_operator.decide.world import VideoJobView


def run_now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits: on one clock, with nobody else in between."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def raw_of(stored: Stored) -> Raw:
    """An object as the API server would send it, as far as `apply` and `load` look."""
    meta: Raw = {"name": stored.key, "uid": stored.key, "resourceVersion": str(stored.version)}
    if stored.kind == "job":
        meta |= {"uid": stored.value.uid, "ownerReferences": [{"uid": stored.owner, "controller": True}]}
        return {"metadata": meta}
    if stored.kind == "pod":
        return {"metadata": meta | {"uid": stored.value.uid}}
    job: VideoJobView = stored.value
    meta |= {"name": job.name, "namespace": job.namespace, "labels": dict(job.labels), "generation": job.generation}
    meta["creationTimestamp"] = job.created.isoformat()
    fresh = job.status == VideoJobStatus()
    spec = {"queue": job.spec.queue, "cache": job.spec.cache.dump()} if job.spec is not None else {}
    return {"metadata": meta, "spec": spec, "status": {"observedGeneration": -1} if fresh else job.status.dump()}


def merged(old: Any, patch: Raw) -> Raw:
    """RFC 7386."""
    found = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            found[key] = merged(found.get(key), value)
        else:
            found[key] = value
    return found


class _SimApi:
    """The calls that `apply` makes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def _videojob(self, name: str) -> Stored:
        found = next((stored for stored in self.cluster.all("videojob") if stored.value.name == name), None)
        if found is None:
            raise ApiError(404, "NotFound", name)
        return found

    async def get(self, resource: Resource, _namespace: str | None, name: str) -> Raw:
        """GET."""
        found = self.cluster.get("job", name) if resource is JOBS else self._videojob(name)
        if found is None:
            raise ApiError(404, "NotFound", name)
        return raw_of(found)

    async def pages(
        self, _resource: Resource, _namespace: str | None = None, *, labels: str = ""
    ) -> AsyncIterator[tuple[Raw, ...]]:
        """LIST of the pods of a Job."""
        uid = labels.partition("=")[2]
        owner = {"ownerReferences": [{"uid": uid, "controller": True}]}
        jobs = [stored.key for stored in self.cluster.all("job") if stored.value.uid == uid]
        pods = [raw_of(stored) for stored in self.cluster.all("pod") if stored.job in jobs]
        yield tuple({"metadata": pod["metadata"] | owner} for pod in pods)

    async def create(self, _resource: Resource, _namespace: str | None, body: Raw) -> Raw:
        """POST."""
        owner = self.cluster.objects["videojob", body["metadata"]["ownerReferences"][0]["uid"]].value
        try:
            return raw_of(self.cluster.create_job(owner, body))
        except ExistsError as error:
            raise ApiError(409, "AlreadyExists", str(error)) from error

    async def patch_status(
        self, _resource: Resource, _namespace: str | None, name: str, patch: Raw, *, version: str | None
    ) -> Raw:
        """PATCH /status."""
        found = self._videojob(name)
        if version != str(found.version):
            raise ApiError(409, "Conflict", name)
        status = VideoJobStatus.model_validate(merged(raw_of(found)["status"], patch))
        return raw_of(self.cluster.patch_status(found.key, found.version, status))

    async def patch(
        self, resource: Resource, _namespace: str | None, name: str, patch: Raw, *, version: str | None = None
    ) -> Raw:
        """PATCH of labels, or of a Job's parallelism."""
        if resource is JOBS:
            return self._widen(name, int(version or 0), int(patch["spec"]["parallelism"]))
        found = self._videojob(name)
        try:
            labels = patch["metadata"]["labels"].items()
            return raw_of(self.cluster.patch_labels(found.key, int(version or 0), labels))
        except ConflictError as error:
            raise ApiError(409, "Conflict", str(error)) from error

    def _widen(self, name: str, version: int, parallelism: int) -> Raw:
        if self.cluster.get("job", name) is None:
            raise ApiError(404, "NotFound", name)
        try:
            return raw_of(self.cluster.widen_job(name, version, parallelism))
        except ConflictError as error:
            raise ApiError(409, "Conflict", str(error)) from error

    async def delete(self, _resource: Resource, _namespace: str | None, name: str, *, uid: str) -> None:
        """DELETE."""
        self.cluster.delete_job(name, uid)


def SimApi(cluster: Cluster) -> Api:  # noqa: N802 - reads as the class it makes
    """The cluster as an Api; what `apply` never calls is not there."""
    return cast("Api", _SimApi(cluster))
