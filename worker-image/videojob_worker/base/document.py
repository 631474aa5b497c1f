"""The task document: read once, checked wholly, before anything else happens (exit code 78 when it is not as agreed)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from videojob_api import contract
from videojob_api.contract import StageTask, TaskDocument
from videojob_api.stages import KINDS, StageKind
from videojob_api.v1alpha1.base import StatusModel

from .errors import BadConfig

HINT = "operator and worker image may be of versions that do not fit: they are one release apart at most"


@dataclass(frozen=True)
class Work:
    """One stage of this container, its row and parameters resolved."""

    task: StageTask
    kind: StageKind
    params: StatusModel


def load(path: Path) -> dict[str, Any]:
    """Read the document's JSON. Raises BadConfig naming the path."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadConfig(
            "BadDocument", f"the task document {path} cannot be read: {error.strerror}", hint=HINT
        ) from error
    if len(data) > 2 * contract.MAX_DOCUMENT_BYTES:
        raise BadConfig("BadDocument", f"the task document {path} has {len(data)} bytes", hint=HINT)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise BadConfig("BadDocument", f"the task document {path} is no JSON: {error}", hint=HINT) from error
    if not isinstance(value, dict):
        raise BadConfig("BadDocument", f"the task document {path} is no JSON object", hint=HINT)
    return value


def parse(value: dict[str, Any]) -> TaskDocument:
    """Check version and form; fields of a later operator are left out. Raises BadConfig naming the first wrong field."""
    version = value.get("version", 1)
    if version != contract.DOCUMENT_VERSION:
        raise BadConfig(
            "BadDocument",
            f"the task document has version {version!r}; this worker understands {contract.DOCUMENT_VERSION}",
            hint=HINT,
        )
    try:
        return TaskDocument.model_validate(value, extra="ignore")
    except ValidationError as error:
        raise BadConfig("BadDocument", f"the task document is not as agreed: {_first(error)}", hint=HINT) from error


def work(document: TaskDocument, container: str) -> tuple[Work, ...]:
    """The stages of one container, in order. Raises BadConfig."""
    tasks = [task for task in document.stages if task.container == container]
    if not tasks:
        known = ", ".join(document.containers())
        raise BadConfig(
            "BadDocument", f"the task document has no stage for the container {container!r}, only for: {known}"
        )
    return tuple(_resolve(task) for task in tasks)


def _resolve(task: StageTask) -> Work:
    kind = KINDS.get(task.kind)
    if kind is None:
        raise BadConfig(
            "BadDocument", f"unknown stage kind {task.kind!r}; known: {', '.join(sorted(KINDS))}", hint=HINT
        )
    if not task.key or not set(task.key) <= set("0123456789abcdefghijklmnopqrstuvwxyz-"):
        raise BadConfig("BadDocument", f"the key {task.key!r} of stage {task.kind} is no content key", hint=HINT)
    try:
        return Work(task, kind, kind.params.model_validate(task.params, extra="ignore"))
    except ValidationError as error:
        raise BadConfig("BadDocument", f"params of stage {task.kind}: {_first(error)}", hint=HINT) from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the whole'}: {first['msg']}"
