"""The worker classes, from the file that the chart mounts."""

from __future__ import annotations

from pathlib import Path

import yaml

from videojob_api.v1alpha1 import WorkerClass

from ..settings import read_classes


def load(path: Path | None) -> dict[str, WorkerClass]:
    """The classes by name; without a file the default one alone.

    Raises:
        ValueError: naming the file, the class and the field.
    """
    if path is None:
        return read_classes({})
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"the worker classes file {path} cannot be read: {error}") from error
    try:
        return read_classes(found)
    except ValueError as error:
        raise ValueError(f"the worker classes file {path}: {error}") from error
