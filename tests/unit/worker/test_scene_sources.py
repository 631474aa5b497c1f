"""Where SceneParsing finds its script: in the task, in the store, in a ConfigMap that the pod has mounted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from videojob_api import contract
from videojob_api.contract import StageTask, TaskDocument
from videojob_api.stages import SCENES
from videojob_api.story.scenes import SCENES_FILE, SceneManifest
from videojob_api.story.tasks import SceneParsingParams
from videojob_worker.base.errors import Permanent
from videojob_worker.base.logs import json_log
from videojob_worker.base.watch import Deadline, Stop
from videojob_worker.stages import scenes
from videojob_worker.stages.context import Context
from videojob_worker.storage.paths import Store

TEXT = "A fig fell into the long grass by the wall. Nobody saw it, but a wasp that told no one."


def stage(root: Path, script: dict[str, Any]) -> Context:
    """SceneParsing about to run."""
    paths = contract.StorePaths(
        **{name: str(root / name) for name in ("job", "inbox", "stock", "cache")}, scratch=str(root)
    )
    for name in ("job", "inbox", "stock", "configs/scripts"):
        (root / name).mkdir(parents=True)
    params = SceneParsingParams.model_validate({"story": {"script": script}})
    task = StageTask(kind="scenes", container="work", key="0" * 32, params=params.dump())
    document = TaskDocument(
        job=contract.Identity(namespace="team-a", name="fig", uid="uid"),
        group="main",
        attempt=1,
        stages=(task,),
        store=paths,
    )
    store = Store(paths)
    found = Context(
        document=document, task=task, kind=SCENES, params=params, store=store, debug=root, secrets=root,
        staging=store.staging("scenes", task.key, 1, "pod"), final=store.stage("scenes", task.key), stop=Stop(),
        deadline=Deadline(600), log=json_log(), tell=lambda *_: None,
    )  # fmt: skip
    found.staging.mkdir(parents=True)
    return replace(found, configs=root / "configs")


@pytest.mark.parametrize(
    ("script", "file"),
    [
        ({"text": TEXT}, None),
        ({"uri": "store://stock/fig.md"}, "stock/fig.md"),
        ({"configMap": {"name": "scripts", "key": "fig.md"}}, "configs/scripts/fig.md"),
    ],
    ids=["in the task", "in the store", "in a ConfigMap"],
)
def test_s_001_a_script_is_read_where_it_lies(tmp_path: Path, script: dict[str, Any], file: str | None) -> None:
    context = stage(tmp_path, script)
    if file is not None:
        (tmp_path / file).write_text(TEXT)
    result = scenes.run(context)
    manifest = SceneManifest.model_validate_json((context.staging / SCENES_FILE).read_bytes())
    assert " ".join(scene.text for scene in manifest.scenes) == TEXT
    assert result.story is not None
    assert (result.story.title, result.story.scenes) == ("Untitled Story", len(manifest.scenes))
    assert [scene.origin for scene in manifest.scenes] == [scene.id for scene in manifest.scenes]


def test_a_config_map_that_is_not_there_is_named_with_the_command_that_helps(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"no ConfigMap scripts with a key fig\.md") as caught:
        scenes.run(stage(tmp_path, {"configMap": {"name": "scripts", "key": "fig.md"}}))
    assert caught.value.code == "SourceNotFound"
    assert "kubectl create configmap scripts --from-file=fig.md=SCRIPT" in (caught.value.hint or "")
