"""The default queue and the built-in profiles: created from a mounted file if absent, so that one install is enough.

An object is changed later only when the file's entry has changed and nobody else owns the object's spec: an admin's edit
is never reverted.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import yaml

from videojob_api import names
from videojob_api.contract import canonical_json

from .api import VIDEOPROFILES, VIDEOQUEUES, Api, ApiError, Raw, Resource, metadata

log = logging.getLogger(__name__)

_RESOURCES: dict[str, Resource] = {resource.kind: resource for resource in (VIDEOQUEUES, VIDEOPROFILES)}
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")


def load(path: Path) -> tuple[Raw, ...]:
    """The manifests in the file: YAML documents of kind VideoQueue or VideoProfile.

    Raises:
        ValueError: naming the file and what is wrong with it.
    """
    try:
        documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"the defaults file {path} cannot be read: {error}") from error
    for number, document in enumerate(documents, start=1):
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind not in _RESOURCES or not metadata(document).get("name") or not isinstance(document.get("spec"), dict):
            raise ValueError(
                f"the defaults file {path}, document {number}: expected a VideoQueue or VideoProfile with metadata.name"
                f" and spec, found kind {kind!r}"
            )
    return tuple(documents)


async def ensure(api: Api, namespace: str, manifests: tuple[Raw, ...], deployment: str | None = None) -> int:
    """Create what is absent, update what only we own and the file has changed. Returns the number of writes.

    Args:
        api: the API server.
        namespace: the operator's own.
        manifests: what `load` found.
        deployment: name of the operator's Deployment, which becomes their owner, so that an uninstall takes them along.
    """
    owners = await _owners(api, namespace, deployment)
    writes = 0
    for manifest in manifests:
        resource = _RESOURCES[manifest["kind"]]
        name = str(manifest["metadata"]["name"])
        digest = hashlib.sha256(canonical_json(manifest)).hexdigest()[:32]
        meta = {
            "labels": {
                **(manifest["metadata"].get("labels") or {}),
                names.LABEL_BUILTIN: "true",
                names.LABEL_MANAGED_BY: names.MANAGER,
            },
            "annotations": {names.ANNOTATION_DEFAULTS_HASH: digest},
        }
        try:
            found = await api.get(resource, namespace, name)
        except ApiError as error:
            if not error.not_found:
                raise
            body = {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"name": name, "namespace": namespace, "ownerReferences": owners, **meta},
                "spec": manifest["spec"],
            }
            try:
                await api.create(resource, namespace, body)
            except ApiError as refused:
                if not refused.already_exists:
                    raise
                continue
            writes += 1
            log.info("default created", extra={"kind": resource.kind, "default": name})
            continue
        known = (metadata(found).get("annotations") or {}).get(names.ANNOTATION_DEFAULTS_HASH)
        if known == digest:
            continue
        if known is None or edited_by_others(found):
            log.info("default kept as somebody else left it", extra={"kind": resource.kind, "default": name})
            continue
        patch = {"metadata": meta, "spec": replacement(found.get("spec"), manifest["spec"])}
        await api.patch(resource, namespace, name, patch, version=str(metadata(found).get("resourceVersion", "")))
        writes += 1
        log.info("default updated", extra={"kind": resource.kind, "default": name})
    return writes


def edited_by_others(found: Raw) -> bool:
    """Whether anybody but this operator owns a field of the spec."""
    for entry in metadata(found).get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        if "f:spec" in fields and entry.get("manager") != names.FIELD_MANAGER:
            return True
    return False


def replacement(old: Any, new: Any) -> Any:
    """A merge patch that leaves exactly `new`."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone: dict[str, Any] = {key: None for key in old if key not in new}
    return gone | {key: replacement(old.get(key), value) for key, value in new.items()}


async def _owners(api: Api, namespace: str, deployment: str | None) -> list[Raw]:
    if not deployment:
        return []
    try:
        found = await api.get(DEPLOYMENTS, namespace, deployment)
    except ApiError as error:
        log.warning("defaults get no owner", extra={"deployment": deployment, "error": str(error)})
        return []
    reference = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "name": deployment,
        "uid": metadata(found).get("uid"),
    }
    return [reference]
