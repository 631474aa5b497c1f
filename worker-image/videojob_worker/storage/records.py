"""What a finished stage leaves beside its files: `stage.json`, and whether the files are as it says."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from videojob_api.contract import StageFile, StageResult
from videojob_api.v1alpha1.status import OutputStatus

from . import files

STAGE_FILE = "stage.json"
"""Written last: a folder without it holds nothing that counts."""
READERS = min(4, os.cpu_count() or 1)
"""So many files are read at a time where many are: digests are computed beside each other."""


def written(result: StageResult) -> bytes:
    """A record as its file has it."""
    return json.dumps(result.dump(), indent=2).encode() + b"\n"


def recorded(folder: Path) -> StageResult | None:
    """A finished stage's record, or None."""
    path = folder / STAGE_FILE
    if folder.is_symlink() or path.is_symlink() or not path.is_file():
        return None
    try:
        return StageResult.model_validate(json.loads(path.read_bytes()))
    except (ValueError, ValidationError):
        return None


def stored(path: Path) -> StageFile:
    """What a record says of a file."""
    return StageFile(path=path.name, size_bytes=path.stat().st_size, sha256=files.sha256_file(path))


def members(result: StageResult) -> tuple[OutputStatus | StageFile, ...]:
    """Every file that a record vouches for."""
    return (*result.files, *result.parts)


def intact(folder: Path, result: StageResult) -> bool:
    """Whether every file the record names lies in the folder with the recorded size and digest."""
    outputs = members(result)
    if any(Path(output.path).name != output.path for output in outputs):
        return False

    def there(output: OutputStatus | StageFile) -> bool:
        return files.matches(folder / output.path, output.size_bytes, output.sha256)

    if len(outputs) == 1:
        return there(outputs[0])
    with ThreadPoolExecutor(READERS, thread_name_prefix="digest") as pool:
        return all(pool.map(there, outputs))
