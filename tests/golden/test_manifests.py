"""Manifests are held by golden files: `pytest tests/golden --update-golden` writes them anew, a person reviews them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import CONFIG, Scene, a_url, seen
from graphs import ITEM, Graph
from simavatar import an_avatar
from storyboard import ONLINE_VOICE, Tale
from videojob_api.v1alpha1 import NotifyTarget, WorkerClass
from videojob_operator.decide.notify import group_of
from videojob_operator.decide.world import CreateJob
from videojob_operator.render import RenderConfig, job_manifest

HOOK = "https://hooks.example.org/videos"
GOLDEN = Path(__file__).resolve().parent / "manifests"


GPU = WorkerClass.model_validate(
    {
        "image": "registry.example/cuda:1",
        "resources": {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"cpu": "6", "memory": "16Gi"}},
        "maxMemory": "24Gi",
        "scratch": "20Gi",
        "gpu": {"resource": "nvidia.com/gpu.shared", "count": 2},
        "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "spot": "Avoid",
        "runtimeClassName": "nvidia",
        "priorityClassName": "night",
        "env": [{"name": "OMP_NUM_THREADS", "value": "4"}],
        "kueueQueue": "videos",
    }
)


def created(mode: str, group: str) -> tuple[CreateJob, Scene]:
    """The action that launches a group; `main-gpu` is group main in a worker class that has everything."""
    if group == "main-gpu":
        scene = Scene.of(mode, config=replace(CONFIG, classes=(("gpu", GPU),)), workerClass="gpu").settle()
        return next(a for plan in scene.plans for a in plan.actions if isinstance(a, CreateJob)), scene
    if group.startswith("story-"):
        asked = {"voice": ONLINE_VOICE, "script": {"configMapRef": {"name": "scripts", "key": "fig.md"}}}
        tale = Tale.begin(mode, story=asked).ok("main" if mode == "Compact" else "scenes")
        for done in ("audio", "images", "layout") if group == "story-compose" else ():
            tale.ok(done)
        return tale.launched(group.removeprefix("story-")), tale
    if group.startswith("avatar-"):
        asked = {"provider": {"name": "did", "secretName": "d-id"}}
        face = Tale(seen(an_avatar(mode, avatar=asked)), together=group == "avatar-both")
        face.settle()
        wanted = group.removeprefix("avatar-").replace("both", "detect")
        before = ("speak", "detect", "matte", "animate", "finish")
        for done in before[: before.index("animate" if wanted == "withdraw" else wanted)]:
            face.ok(done)
        if wanted == "withdraw":
            face.ask(cancel="once").settle()
            face.tick(60).settle()
        return face.launched(wanted), face
    if group == "fan-out":
        graph = Graph.fanned(5, slots=2)
        return graph.launched(ITEM), graph
    fields: dict[str, Any] = {"transcode": a_url(secretName="media-key")} if group == "fetch" else {}
    if group == "notify":
        fields = {"notify": [{"url": HOOK, "secretName": "hook-signing"}]}
    scene = Scene.of(mode, **fields).settle()
    for name in ("ingest", "transcode", "verify", "commit"):
        if mode == "Spread" and name != group and group not in scene.jobs and f"{group}-a1" not in scene.jobs:
            scene.succeed(f"{name}-a1").settle()
    if group == "notify":
        scene.succeed("main-a1").settle()
        group = group_of(NotifyTarget(url=HOOK))
    if group.startswith("report-"):
        main = group.removeprefix("report-")
        scene.finish(f"{main}-a1", pods=False).settle()
    actions = [action for plan in scene.plans for action in plan.actions if isinstance(action, CreateJob)]
    return next(action for action in actions if action.document.group == group), scene


@pytest.mark.parametrize(
    ("mode", "group"),
    [
        ("Compact", "main"),
        ("Compact", "main-gpu"),
        ("Compact", "report-main"),
        ("Compact", "fetch"),
        ("Spread", "transcode"),
        ("Spread", "commit"),
        ("Compact", "notify"),
        ("Spread", "fan-out"),
        ("Compact", "story-main"),
        ("Compact", "story-audio"),
        ("Spread", "story-compose"),
        ("Compact", "avatar-speak"),
        ("Compact", "avatar-detect"),
        ("Compact", "avatar-both"),
        ("Compact", "avatar-matte"),
        ("Compact", "avatar-animate"),
        ("Compact", "avatar-finish"),
        ("Compact", "avatar-withdraw"),
    ],
)
def test_the_manifest_is_the_golden_one(mode: str, group: str, request: pytest.FixtureRequest) -> None:
    action, scene = created(mode, group)
    manifest = job_manifest(action, scene.seen.job, RenderConfig())
    assert job_manifest(action, scene.seen.job, RenderConfig()) == manifest
    path = GOLDEN / f"{mode.lower()}-{group}.yaml"
    text = yaml.safe_dump(manifest, sort_keys=False, width=120)
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"review the change, then --update-golden; {path.name}"


def test_every_golden_file_is_used() -> None:
    used = {
        "compact-main.yaml",
        "compact-main-gpu.yaml",
        "compact-report-main.yaml",
        "compact-fetch.yaml",
        "spread-transcode.yaml",
        "spread-commit.yaml",
        "compact-notify.yaml",
        "spread-fan-out.yaml",
        "compact-story-main.yaml",
        "compact-story-audio.yaml",
        "spread-story-compose.yaml",
        "compact-avatar-speak.yaml",
        "compact-avatar-detect.yaml",
        "compact-avatar-both.yaml",
        "compact-avatar-matte.yaml",
        "compact-avatar-animate.yaml",
        "compact-avatar-finish.yaml",
        "compact-avatar-withdraw.yaml",
    }
    assert {path.name for path in GOLDEN.iterdir()} == used
    assert CONFIG.worker_image in (GOLDEN / "compact-main.yaml").read_text(encoding="utf-8")
