"""Stories in the words of the tests that use them: a VideoJob for one, what its stages leave, and how its pods end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Self

from builders import CONFIG, SHA, UID, Scene, a_videojob, ended, seen
from videojob_api.contract import RunResult, StageResult, StageTask
from videojob_api.fanout import WorkList, list_uri, read_indexes
from videojob_api.stages import PROMPT, PUBLISH, STORY
from videojob_api.story.publishing import PublishParams
from videojob_api.v1alpha1 import (
    FailureStatus,
    FetchedStatus,
    OutputStatus,
    PublishStatus,
    StoryMetadata,
    StoryStatus,
    VideoJobSpec,
)
from videojob_operator.decide.recipes.story import outputs
from videojob_operator.decide.world import Config, CreateJob

STORY_KINDS = frozenset(row.kind for row in (*STORY, PROMPT, PUBLISH))
SPREAD_KINDS = tuple(row.kind for row in STORY)
PIECES = 4
TEXT = "A fig fell. Nobody saw it. A wasp told no one. So it lay there."
ONLINE_VOICE = {"providers": [{"name": "azure", "secretName": "speech", "region": "westeurope"}, {"name": "offline"}]}
ONLINE_IMAGES = {"providers": [{"name": "pexels", "secretName": "stock-photos"}, {"name": "card"}]}
FILES = {
    "video": "video.mp4", "thumbnail": "video_thumb.jpg", "metadata": "metadata.json", "captions-srt": "video.srt",
    "captions-vtt": "video.vtt",
}  # fmt: skip


def a_story(mode: str = "Compact", *, name: str = "fig", uid: str = UID, **fields: Any) -> Any:
    """A VideoJob for a story nobody has looked at yet; `story` is laid over its text."""
    asked = {"script": {"text": TEXT}, **fields.pop("story", {})}
    told_in = {key: value for key, value in asked.items() if value is not None}
    return a_videojob(mode, name=name, uid=uid, transcode=None, story=told_in, **fields)


def story_spec(mode: str = "Compact", **fields: Any) -> VideoJobSpec:
    """Its spec."""
    spec: VideoJobSpec = a_story(mode, **fields).spec
    return spec


def published(spec: VideoJobSpec | None = None, uid: str = UID) -> tuple[OutputStatus, ...]:
    """What a story publishes."""
    wanted = outputs(spec) if spec is not None else tuple(FILES)
    return tuple(
        OutputStatus(
            name=name, profile="story", path=f"videos/{FILES.get(name, name)}",
            uri=f"store://jobs/{uid}/videos/{FILES.get(name, name)}",
            media_type="video/mp4" if name == "video" else "text/plain", size_bytes=1000, sha256="b2" * 32,
        )
        for name in wanted
    )  # fmt: skip


def told(task: StageTask, uid: str = UID, pieces: int = PIECES) -> StageResult:
    """What a stage of a story leaves when all is well."""
    made = StageResult(kind=task.kind, seconds=2.0, cpu_seconds=3.5)
    match task.kind:
        case "fetch" | "prompt":
            fetched = FetchedStatus(uri=f"store://uploads/{SHA}", size_bytes=1000, sha256=SHA)
            return made.model_copy(update={"fetched": fetched})
        case "scenes":
            story = StoryStatus(title="Untitled Story", language="en", scenes=pieces, duration_ms=8000)
            return made.model_copy(update={"story": story})
        case "audio":
            return made.model_copy(update={"story": StoryStatus(duration_ms=8200, narrator="flite (slt)")})
        case "layout":
            listed = WorkList(uri=list_uri(task.kind, task.key), sha256=SHA, size_bytes=100, items=pieces)
            return made.model_copy(update={"story": StoryStatus(pieces=pieces), "work_list": listed})
        case "finalize":
            facts = StoryStatus(duration_ms=8234, metadata=StoryMetadata(title="Untitled Story", tags=("general",)))
            return made.model_copy(update={"story": facts, "files": published(uid=uid)})
        case "publish":
            wanted = PublishParams.model_validate(task.params).platforms
            sent = tuple(PublishStatus(platform=one.name, state="Published", attempts=1, id="v1") for one in wanted)
            return made.model_copy(update={"publish": sent})
        case _:
            return made


class Tale(Scene):
    """A story and its Jobs."""

    @classmethod
    def begin(cls, mode: str = "Spread", *, config: Config = CONFIG, **fields: Any) -> Self:
        """It was accepted, and what may start has started."""
        scene = cls(seen(a_story(mode, **fields), config=config))
        scene.settle()
        return scene

    def launched(self, group: str) -> CreateJob:
        """The latest Job of a group as it was created."""
        made = [action for plan in self.plans for action in plan.actions if isinstance(action, CreateJob)]
        return [action for action in made if action.document.group == group][-1]

    def ok(self, *groups: str, **changes: Any) -> Self:
        """The pods of the groups' latest Jobs end with success, one after the other; `changes` by stage kind lie over what
        that stage leaves.
        """
        for group in groups:
            action = self.launched(group)
            self.pod(self._key(group), *self._containers(action, changes))
            self.tick(10).settle()
        return self

    def bad(self, group: str, code: int = 75, failure: FailureStatus | None = None) -> Self:
        """The first container of the group's latest Job fails."""
        action = self.launched(group)
        first = action.document.containers()[0]
        said = self.told_by(action, first, (), exit_code=code, failure=failure)
        self.pod(self._key(group), ended(first, code, said, at=self.seen.now))
        return self.tick(10).settle()  # type: ignore[return-value]

    def piece(self, index: int, code: int = 0, **pod: Any) -> Self:
        """The pod of a completion index of the composition ends."""
        action = self.launched("compose")
        number = read_indexes(action.document.indexes)[index]
        stages = () if code else (StageResult(kind="compose", cpu_seconds=1.0),)
        result = self.told_by(action, "work", stages, exit_code=code).model_copy(update={"index": number})
        self.pod_of(index, ended("work", code, result, at=self.seen.now), **pod)
        return self.settle()  # type: ignore[return-value]

    def pod_of(self, index: int, *containers: Any, **pod: Any) -> None:
        """Give an index of the composition its pod."""
        key = self._key("compose")
        others = tuple(each for each in self.jobs[key].pods if each.index != index)
        self.pod(key, *containers, index=index, **pod)
        mine = replace(self.jobs[key].pods[0], name=f"p{index}", uid=f"u{index}")
        self.change(key, pods=(*others, mine))

    def _containers(self, action: CreateJob, changes: dict[str, Any]) -> Iterable[Any]:
        for name in action.document.containers():
            stages = tuple(
                told(task).model_copy(update=changes.get(task.kind, {}))
                for task in action.document.stages
                if task.container == name
            )
            spec = self.seen.job.spec
            stages = tuple(
                one.model_copy(update={"files": published(spec)})
                if one.kind == "finalize" and "finalize" not in changes
                else one
                for one in stages
            )
            yield ended(name, 0, self.told_by(action, name, stages), at=self.seen.now)

    def told_by(self, action: CreateJob, name: str, stages: tuple[StageResult, ...], **fields: Any) -> RunResult:
        """What a container of a Job says at its end."""
        document = action.document
        values = {"exit_code": 0} | fields
        return RunResult(
            uid=UID, group=document.group, attempt=document.attempt, container=name, stages=stages, **values
        )

    def _key(self, group: str) -> str:
        attempts = [job.attempt for job in self.seen.jobs if job.group == group]
        return f"{group}-a{max(attempts)}"
