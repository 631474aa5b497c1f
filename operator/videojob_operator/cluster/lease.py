"""Where the fence is kept: a Lease object, and the pods that say whether its holder is still there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ..runtime.lease import Record
from .api import LEASES, PODS, Api, ApiError, Raw, metadata


class LeaseObject:
    """Backend of runtime.lease.Lease over `coordination.k8s.io/v1`.

    Args:
        api: the API server.
        namespace: the operator's own.
        name: of the Lease.
        seconds: duration written for people; what counts is each operator's own clock.
        now: wall time in UTC.
    """

    def __init__(self, api: Api, namespace: str, name: str, *, seconds: int, now: Callable[[], datetime]) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._seconds = seconds
        self._now = now

    async def read(self) -> Record | None:
        """See Backend.read."""
        try:
            return _record(await self._api.get(LEASES, self._namespace, self._name))
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def write(self, holder: str, expected: Record | None, *, taken_over: bool) -> Record | None:
        """See Backend.write."""
        moment = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: Raw = {"holderIdentity": holder, "leaseDurationSeconds": self._seconds, "renewTime": moment}
        if taken_over:
            spec["acquireTime"] = moment
            spec["leaseTransitions"] = (expected.transitions + 1) if expected else 0
        try:
            if expected is None:
                body: Raw = {
                    "apiVersion": LEASES.api_version,
                    "kind": LEASES.kind,
                    "metadata": {"name": self._name, "namespace": self._namespace},
                    "spec": spec,
                }
                return _record(await self._api.create(LEASES, self._namespace, body))
            answer = await self._api.patch(
                LEASES, self._namespace, self._name, {"spec": spec}, version=expected.version
            )
        except ApiError as error:
            if error.status in {404, 409}:
                return None
            raise
        return _record(answer)

    async def holder_gone(self, holder: str) -> bool:
        """See Backend.holder_gone. The holder is a pod's UID in the operator's namespace."""
        async for page in self._api.pages(PODS, self._namespace):
            for pod in page:
                if metadata(pod).get("uid") == holder:
                    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
        return True


def _record(raw: Raw) -> Record:
    spec = raw.get("spec") or {}
    return Record(
        holder=str(spec.get("holderIdentity") or ""),
        version=str(metadata(raw).get("resourceVersion", "")),
        transitions=int(spec.get("leaseTransitions") or 0),
    )
