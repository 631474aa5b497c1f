"""Objects this command creates, as plain dictionaries: pure, held by golden files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from videojob_api.contract import StorePaths
from videojob_api.names import (
    ANNOTATION_WORKER_IMAGE,
    API_VERSION,
    DEFAULT_STORE,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    UID_65532,
    WORKER_SERVICE_ACCOUNT,
)

Json = dict[str, Any]

MANAGER = "videojob-cli"
CLAIM = "videojob-store"
SIZE = "10Gi"
CONTAINER = "transfer"
TRANSFER_SECONDS = 600
"""A transfer pod is ended by the kubelet after so long, and the time its bytes take on a slow line, whatever happens to the
command that made it."""
SLOWEST_BYTES_PER_SECOND = 256 * 1024
"""The slow line: 2 Mbit/s. One that stands still is noticed much earlier, by both ends."""
IDLE_SECONDS = 120
"""It ends by itself when nothing moved for so long."""
Direction = Literal["in", "stock", "out", "evidence"]


def slug(filename: str) -> str:
    """A Kubernetes name made of a file's name: `My Clip (1).mp4` becomes `my-clip-1`."""
    stem = filename.rsplit(".", 1)[0] or filename
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].strip("-") or "video"


def videojob(spec: Json, *, name: str | None = None, generate: str | None = None) -> Json:
    """A VideoJob; without a name the API server completes `generate`."""
    metadata: Json = {"name": name} if name else {"generateName": f"{generate or 'video'}-"}
    return {"apiVersion": API_VERSION, "kind": "VideoJob", "metadata": metadata, "spec": spec}


def transcode_spec(
    uri: str, filename: str, *, profiles: Sequence[str] = (), priority: str | None = None, limit: str | None = None
) -> Json:
    """The spec of `videojob submit --file`; what is not given is left to the schema's defaults."""
    transcode: Json = {"source": {"uri": uri, "filename": filename}}
    if profiles:
        transcode["profiles"] = list(profiles)
    if limit:
        transcode["limits"] = {"maxInputSize": limit}
    return {"transcode": transcode, **({"priority": priority} if priority else {})}


def transfer_pod(
    name: str,
    *,
    namespace: str,
    image: str,
    claim: str,
    direction: Direction,
    uid: str | None = None,
    size_bytes: int = 0,
) -> Json:
    """The short-lived pod that files go through: the namespace's inbox or stock to write, or one job's folder to read; for
    evidence the inbox and the stock, where its inputs lie, to read too.

    `size_bytes` is how much goes through it in all. It asks for no right at all, runs under the restricted Pod Security
    profile, and ends by itself.
    """
    paths = StorePaths()
    if direction in {"in", "stock"}:
        place, part = (paths.inbox, "inbox") if direction == "in" else (paths.stock, "stock")
        mounts: list[Json] = [{"name": "store", "mountPath": place, "subPath": f"{namespace}/{part}"}]
    else:
        wanted = {paths.job: f"jobs/{uid}"}
        if direction == "evidence":
            wanted |= {paths.inbox: "inbox", paths.stock: "stock"}
        mounts = [
            {"name": "store", "mountPath": place, "subPath": f"{namespace}/{part}", "readOnly": True}
            for place, part in wanted.items()
        ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {LABEL_MANAGED_BY: MANAGER, LABEL_COMPONENT: CONTAINER},
        },
        "spec": {
            "activeDeadlineSeconds": TRANSFER_SECONDS + size_bytes // SLOWEST_BYTES_PER_SECOND,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "serviceAccountName": WORKER_SERVICE_ACCOUNT,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": UID_65532,
                "runAsGroup": UID_65532,
                "fsGroup": UID_65532,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image,
                    "command": ["python3", "-m", "videojob_worker", "hold", "--idle-seconds", str(IDLE_SECONDS)],
                    "resources": {
                        "requests": {"cpu": "50m", "memory": "64Mi"},
                        "limits": {"cpu": "2", "memory": "256Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    "volumeMounts": [*mounts, {"name": "scratch", "mountPath": paths.scratch}],
                }
            ],
            "volumes": [
                {"name": "store", "persistentVolumeClaim": {"claimName": claim}},
                {"name": "scratch", "emptyDir": {"sizeLimit": "16Mi"}},
            ],
        },
    }


def namespace_object(name: str) -> Json:
    """A namespace under the restricted Pod Security profile, which all our pods fit."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def init_objects(
    namespace: str,
    *,
    image: str | None,
    size: str = SIZE,
    storage_class: str | None = None,
    access_mode: str = "ReadWriteOnce",
) -> list[Json]:
    """What a namespace needs before VideoJobs run in it: claim, store, and the workers' account, which has no rights."""
    claim: Json = {"accessModes": [access_mode], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        claim["storageClassName"] = storage_class

    def metadata(name: str, annotations: dict[str, str] | None = None) -> Json:
        found: Json = {"name": name, "namespace": namespace, "labels": {LABEL_MANAGED_BY: MANAGER}}
        return {**found, "annotations": annotations} if annotations else found

    return [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(CLAIM), "spec": claim},
        {
            "apiVersion": API_VERSION,
            "kind": "MediaStore",
            "metadata": metadata(DEFAULT_STORE),
            "spec": {"pvc": {"claimName": CLAIM}},
        },
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(WORKER_SERVICE_ACCOUNT, {ANNOTATION_WORKER_IMAGE: image} if image else None),
            "automountServiceAccountToken": False,
        },
    ]
