"""A whole story on a workbench: the documents of all its stages, as the operator would resolve them, and what came of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from videojob_api.contract import RunResult, StageResult, content_key
from videojob_api.fanout import item_key, read_list
from videojob_api.stages import KINDS
from videojob_api.story import tasks
from videojob_api.story.params import StoryParams
from videojob_api.story.scenes import SceneManifest
from workbench import Workbench

READS = {
    "scenes": (),
    "audio": ("scenes",),
    "images": ("scenes",),
    "layout": ("audio", "images"),
    "compose": ("layout",),
    "join": ("layout", "compose", "audio"),
    "thumbnail": ("layout",),
    "finalize": ("layout", "join", "thumbnail"),
}
SEES = {"compose": ("audio", "images"), "thumbnail": ("images",)}
SMALL = {"width": 320, "height": 180, "encoding": {"quality": "Draft"}}


def params(story: StoryParams) -> dict[str, Any]:
    """Each stage's own part of a story."""
    return {
        "scenes": tasks.scene_params(story),
        "audio": tasks.audio_params(story),
        "images": tasks.image_params(story),
        "layout": tasks.layout_params(story),
        "compose": tasks.ComposeParams(encoding=story.encoding),
        "join": tasks.join_params(story),
        "thumbnail": tasks.still_params(story),
        "finalize": tasks.finalize_params(story),
    }


def _known(kind: str, fans: tuple[str, ...]) -> tuple[str, ...]:
    return (kind, "layout") if kind in fans else (kind,)


class StoryBench(Workbench):
    """One VideoJob of kind Story; several of them may share a root's inbox, stock and cache."""

    def __init__(self, root: Path, name: str = "job") -> None:
        if not root.joinpath("job").exists():
            super().__init__(root)
        else:
            self.__dict__.update(Workbench.__new__(Workbench).__dict__, root=root, operator_url=None)
        self.job = root / name
        self.job.mkdir(exist_ok=True)
        self.run_limits = {"threads": 2}
        self.keys: dict[str, str] = {}

    def story(self, attempt: int = 1, *, spread: bool = False, anew: str | None = None, **asked: Any) -> dict[str, Any]:
        """The document of a whole story in one pod; `spread`: with its pieces as work items; `anew`: the kind that a redrive
        wants again, with all behind it.
        """
        fans = ("compose",) if spread else ()
        story = StoryParams.model_validate({**SMALL, **asked})
        stages, self.keys = [], {}
        for kind, given in params(story).items():
            row = KINDS[kind]
            # The key of a fan-out does not follow from what its items are listed by.
            read = () if kind in fans else tuple(dict.fromkeys(n for name in READS[kind] for n in _known(name, fans)))
            self.keys[kind] = content_key(kind, row.version, given.dump(), tuple(self.keys[name] for name in read))
            again = anew is not None and list(READS).index(kind) >= list(READS).index(anew)
            if again:
                self.keys[kind] = content_key(kind, row.version, {"redrive": 1, "instead": self.keys[kind]}, ())
            named = (*READS[kind], *SEES.get(kind, ()))
            task: dict[str, Any] = {
                "kind": kind, "container": "commit" if row.trust == "commit" else "work", "key": self.keys[kind],
                "params": given.dump(), "inputs": [self._input(name, fans) for name in named],
            } | ({"anew": True} if again else {})  # fmt: skip
            stages.append(task | ({"itemsOf": "layout"} if kind in fans else {}))
        store = {name: str(self.root / name) for name in ("inbox", "stock", "cache")}
        return {
            "version": 1,
            "job": {"namespace": "team", "name": self.job.name, "uid": self.uid},
            "group": "main",
            "attempt": attempt,
            "stages": stages,
            "store": {**store, "job": str(self.job), "scratch": str(self.root / "tmp")},
            "limits": self.run_limits,
            "fetch": {"allowNetworks": ["127.0.0.0/8"]},
            "cache": {"mode": "ReadWrite", "source": "store://stock/none"},
        }

    @property
    def uid(self) -> str:
        """Of this VideoJob."""
        return hashlib.sha256(self.job.name.encode()).hexdigest()[:32]

    def _input(self, kind: str, fans: tuple[str, ...]) -> dict[str, Any]:
        return {"stage": kind, "key": self.keys[kind]} | ({"itemsOf": "layout"} if kind in fans else {})

    def only(self, document: dict[str, Any], *kinds: str, **more: Any) -> dict[str, Any]:
        """Of a document those stages alone, as a group of its own."""
        found = [stage for stage in document["stages"] if stage["kind"] in kinds]
        return document | {"stages": found, "group": kinds[0]} | more

    def listed(self, document: dict[str, Any]) -> dict[str, Any]:
        """The same document with the work list that the layout left, as the operator hands it on."""
        work_list = self.record("layout").work_list
        assert work_list is not None
        told = work_list.dump()

        def known(task: dict[str, Any]) -> dict[str, Any]:
            inputs = [given | ({"workList": told} if "itemsOf" in given else {}) for given in task["inputs"]]
            return task | {"inputs": inputs} | ({"workList": told} if "itemsOf" in task else {})

        return document | {"stages": [known(task) for task in document["stages"]]}

    def folder(self, kind: str) -> Path:
        """Where a stage's outputs lie before they are published."""
        return self.job / "processed" / kind / self.keys[kind]

    def record(self, kind: str) -> StageResult:
        """A finished stage's own record."""
        return StageResult.model_validate_json((self.folder(kind) / "stage.json").read_bytes())

    def scenes(self, kind: str = "layout") -> SceneManifest:
        """The manifest that a stage left."""
        return SceneManifest.model_validate_json((self.folder(kind) / "scenes.json").read_bytes())

    def piece_keys(self) -> tuple[str, ...]:
        """The pieces that the layout has listed, in order."""
        return tuple(map(str, read_list((self.folder("layout") / "items.json").read_bytes())))

    def item_folder(self, piece: str) -> Path:
        """Where a piece lies that was a work item."""
        return self.job / "processed" / "compose" / item_key(self.keys["compose"], piece)

    def pieces(self) -> dict[str, bytes]:
        """Every piece by its key."""
        found = (self.job / "processed" / "compose").glob("[0-9a-f]*/*.mp4")
        return {path.stem: path.read_bytes() for path in found}

    def whole(self, attempt: int = 1, **asked: Any) -> RunResult:
        """Run everything in one pod and publish; the commit's result."""
        document = self.story(attempt, **asked)
        worked = self.run("work", document)
        assert worked.exit_code == 0, worked.failure
        return self.run("commit", document)

    def published(self, name: str) -> Path:
        """A published file."""
        return self.job / next(output.path for output in self.manifest().outputs if output.name == name)

    def metadata(self) -> dict[str, Any]:
        """What the story says about itself."""
        found: dict[str, Any] = json.loads(self.published("metadata").read_bytes())
        return found
