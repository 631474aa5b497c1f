"""What a container's process loads before its first stage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from videojob_api import stages
from videojob_api.avatar.params import Animator
from videojob_api.avatar.tasks import AnimateParams, UploadParams
from videojob_api.contract import Identity, StageTask, TaskDocument
from videojob_api.v1alpha1 import StoredFile

UPLOAD = (stages.UPLOAD, UploadParams(image=StoredFile(uri="store://stock/p.png"), moving=None), None)
TALK = (stages.ANIMATE, AnimateParams(animator=Animator(name="http", endpoint="https://studio.example")), True)


def told(folder: Path, code: str, row: tuple[stages.StageKind, Any, bool | None]) -> Any:
    """What a process prints that has such a document at hand."""
    document = TaskDocument(
        job=Identity(uid="uid-1", name="one", namespace="default"), group="main", attempt=1,
        stages=(StageTask(kind=row[0].kind, container="work", key="0" * 64, params=row[1].dump(), online=row[2]),),
    )  # fmt: skip
    (folder / "task.json").write_text(json.dumps(document.dump()))
    before = (
        "import json, os, sys; from videojob_worker import runner;"
        f"settings = runner.from_environment({str(folder / 'task.json')!r}, 'work', None, None);"
    )
    done = subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(("row", "loads"), [(TALK, True), (UPLOAD, False)], ids=["online", "offline"])
def test_the_http_client_is_loaded_before_a_slot_is_held_for_it(tmp_path: Path, row: Any, *, loads: bool) -> None:
    code = (
        "runner.load(settings); print(json.dumps(['aiohttp' in sys.modules, 'videojob_worker.stages' in sys.modules]))"
    )
    assert told(tmp_path, code, row) == [loads, True]


def test_a_document_that_cannot_be_read_is_for_the_run_to_tell(tmp_path: Path) -> None:
    code = "settings.task.write_text('no'); runner.load(settings); print('[]')"
    assert told(tmp_path, code, UPLOAD) == []
