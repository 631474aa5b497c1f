"""Make a namespace ready: claim, store, worker account; doing it twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from videojob_api.names import ANNOTATION_WORKER_IMAGE, API_VERSION, LABEL_MANAGED_BY, WORKER_SERVICE_ACCOUNT
from videojob_api.v1alpha1.spec import quantity_bytes

from . import manifests
from .errors import ApiError, CliError
from .kube import MERGE_PATCH, Api, Json, objects

_PLURALS = {
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims"),
    "MediaStore": (API_VERSION, "mediastores"),
    "ServiceAccount": ("v1", "serviceaccounts"),
}
OPERATOR_NAMESPACE = "videojob-system"


def find_worker_image(api: Api, namespace: str) -> str | None:
    """The worker image that this cluster's chart put on its worker accounts, as far as the caller may look."""
    field = {"fieldSelector": f"metadata.name={WORKER_SERVICE_ACCOUNT}"}
    looked = (
        "/api/v1/serviceaccounts",
        *(objects(each, "serviceaccounts", group="v1") for each in (namespace, OPERATOR_NAMESPACE)),
    )
    for path in looked:
        try:
            accounts = api.request("GET", path, None, field)["items"]
        except ApiError as error:
            if error.status in {403, 404}:
                continue
            raise
        # The chart's own account speaks first: it is renewed at every upgrade.
        for account in sorted(accounts, key=_managed_by_helm, reverse=True):
            image = (account["metadata"].get("annotations") or {}).get(ANNOTATION_WORKER_IMAGE)
            if image:
                return str(image)
    return None


def _managed_by_helm(account: Json) -> bool:
    return (account["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) == "Helm"


def ensure_namespace(api: Api, namespace: str, *, create: bool) -> bool:
    """Whether it had to be made; CliError when it is missing and `create` is not asked for."""
    try:
        api.request("GET", f"/api/v1/namespaces/{namespace}")
    except ApiError as error:
        if error.status == 404 and not create:
            raise _no_namespace(namespace) from error
        # People with rights in one namespace need not see namespaces: what follows will tell.
        hidden = error.status == 403
        if not hidden and error.status != 404:
            raise
    else:
        return False
    if not create:
        return False
    try:
        api.request("POST", "/api/v1/namespaces", manifests.namespace_object(namespace))
    except ApiError as error:
        if error.reason == "AlreadyExists" or (hidden and error.status == 403):
            return False
        raise
    return True


def _no_namespace(namespace: str) -> CliError:
    return CliError(
        f"There is no namespace {namespace}: add --create-namespace, or `kubectl create namespace {namespace}`."
    )


def needed(api: Api, wanted: Sequence[Json]) -> list[Json]:
    """Without the claim, when the namespace has a store already that keeps its bytes in another one."""
    store = next(each for each in wanted if each["kind"] == "MediaStore")
    metadata = store["metadata"]
    try:
        found = api.request("GET", objects(metadata["namespace"], "mediastores", metadata["name"]))
    except ApiError as error:
        if error.status == 404 and error.reason:
            return list(wanted)
        raise
    if found["spec"].get("pvc", {}).get("claimName") == store["spec"]["pvc"]["claimName"]:
        return list(wanted)
    return [each for each in wanted if each["kind"] != "PersistentVolumeClaim"]


def ensure(api: Api, wanted: Json, *, grow: bool = False) -> str:
    """Create one of init's objects, or bring an existing one up to what is wanted; `created`, `configured`, `unchanged`.

    A claim grows when `grow` asks for it and never shrinks, a store is never turned to another claim.
    """
    group, plural = _PLURALS[wanted["kind"]]
    metadata = wanted["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    try:
        api.request("POST", objects(namespace, plural, group=group), wanted, {"fieldManager": manifests.MANAGER})
    except ApiError as error:
        if error.status == 404 and error.reason:
            raise _no_namespace(namespace) from error  # of a creation, nothing else can be missing
        if error.reason != "AlreadyExists":
            raise
    else:
        return "created"
    path = objects(namespace, plural, name, group=group)
    patch = _UPDATES[wanted["kind"]](wanted, api.request("GET", path), grow)
    if patch is None:
        return "unchanged"
    api.request("PATCH", path, patch, {"fieldManager": manifests.MANAGER}, MERGE_PATCH)
    return "configured"


def _claim(wanted: Json, found: Json, grow: bool) -> Json | None:
    if not grow:
        return None
    asked = wanted["spec"]["resources"]["requests"]["storage"]
    has = found["spec"]["resources"]["requests"]["storage"]
    try:
        grows = quantity_bytes(asked) > quantity_bytes(has)
    except ValueError:
        return None  # in a form that we do not read: left as it is
    return {"spec": {"resources": {"requests": {"storage": asked}}}} if grows else None


def _account(wanted: Json, found: Json, _grow: bool) -> Json | None:
    patch: Json = {}
    image = (wanted["metadata"].get("annotations") or {}).get(ANNOTATION_WORKER_IMAGE)
    if image and (found["metadata"].get("annotations") or {}).get(ANNOTATION_WORKER_IMAGE) != image:
        patch["metadata"] = {"annotations": {ANNOTATION_WORKER_IMAGE: image}}
    if found.get("automountServiceAccountToken") is not False:
        patch["automountServiceAccountToken"] = False
    return patch or None


_UPDATES: dict[str, Callable[[Json, Json, bool], Json | None]] = {
    "PersistentVolumeClaim": _claim,
    "MediaStore": lambda _wanted, _found, _grow: None,  # a store that is there is somebody's choice
    "ServiceAccount": _account,
}
