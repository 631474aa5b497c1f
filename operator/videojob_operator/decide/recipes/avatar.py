"""Avatar: a portrait and a voice become a talking person (A-001 to A-007).

SpeechGeneration (of words) -> Upload -> Detection (slot yolo) -> BackgroundRemoval (slot birefnet) -> AvatarGeneration (slot
avatar) -> Finalizing -> Delivery. Stages of different slots are groups of their own, so that one job detects while another
mattes; while nobody waits for either slot, the two go into one pod all the same (decide.job.sharing).
"""

from __future__ import annotations

from videojob_api import stages
from videojob_api.avatar import params, tasks
from videojob_api.story import tasks as story
from videojob_api.story.params import StoryFallback, Voice
from videojob_api.v1alpha1 import PlanStatus, StoredFile, VideoJobSpec
from videojob_api.v1alpha1.avatar import MOST_PERSONS, AvatarFile, AvatarSpec

from .base import Step

OUTPUTS = ("video", "thumbnail")
"""What every avatar publishes."""


def published(asked: AvatarSpec, count: int) -> tuple[str, ...]:
    """What an avatar publishes that has so many outputs: with `select: All` a pair for each person (A-039), and how many there
    are is known from the picture alone.
    """
    words = tuple(f"captions-{form}" for form in asked.captions.sidecars) if asked.captions is not None else ()
    if asked.detection.select != "All":
        return (*OUTPUTS, *words)
    persons = range(1, 1 + max(1, min(MOST_PERSONS, (count - len(words)) // len(OUTPUTS))))
    return (*(tasks.of(name, number) for number in persons for name in OUTPUTS), *words)


def avatar(spec: VideoJobSpec, _plan: PlanStatus) -> tuple[Step, ...]:
    """All stages; each reads what the ones before it left."""
    asked = spec.avatar
    if asked is None:
        return ()
    fallback = StoryFallback(policy=spec.fallback.policy)
    first: tuple[Step, ...] = ()
    if asked.speech is not None:
        voice = Voice.model_validate(asked.speech.voice.model_dump())
        said = tasks.SpeakParams(text=asked.speech.text, language=asked.speech.language, voice=voice, fallback=fallback)
        first = (Step(stages.SPEAK, said, online=story.online(voice), accelerated=False),)
    animator = tasks.animator(asked)
    given = tasks.UploadParams(
        image=_file(asked.image), audio=_file(asked.audio) if asked.audio is not None else None,
        moving=animator.name == params.BUILTIN or None,
    )  # fmt: skip
    said_by = ("speak",) if asked.captions is not None else ()
    return (
        *first,
        Step(stages.UPLOAD, given, tuple(step.kind.kind for step in first), accelerated=False),
        Step(
            stages.DETECT, tasks.DetectParams(detection=asked.detection), ("upload",),
            accelerated=params.on_gpu(asked.detection.detector),
        ),
        Step(
            stages.MATTE, tasks.MatteParams(matting=asked.matting, fallback=fallback),
            ("upload", "detect"), accelerated=params.on_gpu(asked.matting.matter),
        ),
        Step(
            stages.ANIMATE, tasks.AnimateParams(animator=animator), ("upload", "detect", "matte"),
            online=params.online(animator),
            accelerated=None if animator.name == "command" else False,  # a program of one's own may want the class's GPU
        ),
        Step(stages.FINISH, _finish(asked), (*said_by, "upload", "detect", "animate"), accelerated=False),
        Step(stages.DELIVER, tasks.DeliverParams(consent=asked.consent), ("upload", "detect", "animate", "finish")),
    )  # fmt: skip


def _finish(asked: AvatarSpec) -> tasks.FinishParams:
    if asked.captions is None or asked.speech is None:
        return tasks.FinishParams()
    return tasks.FinishParams(captions=asked.captions, language=asked.speech.language)


def _file(given: AvatarFile) -> StoredFile:
    return StoredFile(uri=given.uri, filename=given.filename)
