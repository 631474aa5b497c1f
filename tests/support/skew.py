"""What one version leaves for the next: VideoJobs at every point of their way, task documents, results, and the shapes it reads.

`python tests/support/skew.py tests/golden/previous` writes them with the code of the checkout it runs in. At a release that is
done once, so that the tests of the next version have what this one wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from builders import NOW, Scene
from videojob_api.contract import RunResult, TaskDocument
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import VideoJobStatus
from videojob_operator.decide.world import CreateJob


def documents(scene: Scene) -> list[TaskDocument]:
    """Task documents of all Jobs that were created."""
    created = [action for plan in scene.plans for action in plan.actions if isinstance(action, CreateJob)]
    return [action.document for action in created]


def results(scene: Scene, group: str) -> list[RunResult]:
    """What the containers of a group's first attempt leave when all goes well."""
    kinds = ["ingest", "transcode", "verify", "commit"] if group == "main" else [group]
    parts = {
        "work": [kind for kind in kinds if kind != "commit"],
        "commit": [kind for kind in kinds if kind == "commit"],
    }
    return [scene.result(container, part, group=group) for container, part in parts.items() if part]


def scenes() -> Iterator[tuple[str, Scene, list[RunResult]]]:
    """A VideoJob at each point of its way, by name, and the results of what runs."""
    yield "queued", Scene.of().settle(granted=False), []
    scene = Scene.of().settle()
    yield "running", scene, results(scene, "main")
    yield "waiting-for-retry", Scene.of().settle().fail("main-a1").settle(granted=False), []
    scene = Scene.of("Spread").settle().succeed("ingest-a1").settle()
    yield "spread", scene, results(scene, "transcode")
    yield "failed", Scene.of().settle().fail("main-a1", 65).settle(), []
    yield "succeeded", Scene.of().settle().succeed("main-a1").settle(), []


def sample(scene: Scene, left: list[RunResult]) -> dict[str, Any]:
    """A VideoJob with its Jobs as an API server keeps them, as far as decisions read them."""
    job = scene.seen.job
    meta = {"namespace": job.namespace, "name": job.name, "uid": job.uid, "generation": job.generation}
    meta["creationTimestamp"] = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    jobs = [
        {"name": j.name, "uid": j.uid, "group": j.group, "attempt": j.attempt, "slot": j.slot, "created": j.created.isoformat()}
        for j in scene.seen.jobs
    ]  # fmt: skip
    return {
        "videojob": {"metadata": meta, "spec": job.spec.dump() if job.spec else {}, "status": job.status.dump()},
        "jobs": jobs,
        "documents": [document.dump() for document in documents(scene)],
        "results": [result.model_dump(mode="json", by_alias=True, exclude_none=True) for result in left],
    }


def shapes() -> dict[str, Any]:
    """JSON Schemas of what this version reads: statuses, documents, and the parameters of each kind of stage."""
    models: dict[str, type[BaseModel]] = {"status": VideoJobStatus, "document": TaskDocument}
    models |= {kind: row.params for kind, row in KINDS.items()}
    return {name: _bare(model.model_json_schema(by_alias=True)) for name, model in models.items()}


def _bare(schema: Any) -> Any:
    """Without the words for people, which are a field's only as long as they are texts."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _bare(part)
        for key, part in schema.items()
        if not (key in {"title", "description", "default"} and not isinstance(part, dict))
    }


def misfits(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, where: str = "") -> list[str]:
    """Why a reader of that schema would refuse a value: as much of JSON Schema as pydantic uses for shapes."""
    root = root if root is not None else schema
    if "$ref" in schema:
        return misfits(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "anyOf" in schema:
        tried = [misfits(value, choice, root, where) for choice in schema["anyOf"]]
        return [] if any(not found for found in tried) else tried[0]
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if allowed is not None and value not in allowed:
        return [f"{where}: {value!r} is none of {allowed}"]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found = [f"{where}.{name}: missing" for name in schema.get("required", ()) if name not in value]
        if schema.get("additionalProperties") is False:
            found += [f"{where}.{name}: unknown" for name in value if name not in known]
        return found + [
            m for n, part in value.items() if n in known for m in misfits(part, known[n], root, f"{where}.{n}")
        ]
    if isinstance(value, list):
        return [
            m for n, part in enumerate(value) for m in misfits(part, schema.get("items", {}), root, f"{where}[{n}]")
        ]
    return []


def main(folder: Path) -> None:
    """Write samples and shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, scene, left in scenes():
        _write(folder / f"{name}.json", sample(scene, left))
    _write(folder / "shapes.json", shapes())


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
