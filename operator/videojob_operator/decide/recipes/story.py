"""Story: a script becomes a narrated video (S-007 to S-013).

SceneParsing -> AudioGeneration and ImageGeneration in parallel -> SceneLayout -> VideoComposition, once for each piece ->
VideoJoin -> ThumbnailGeneration -> Finalization, and Publish where platforms are named.
"""

from __future__ import annotations

from dataclasses import replace

from videojob_api import contract, stages
from videojob_api.story import tasks, variants
from videojob_api.story.asked import resolved
from videojob_api.story.params import StoryFallback, StoryParams
from videojob_api.story.publishing import PublishParams
from videojob_api.story.timing import words_ms
from videojob_api.v1alpha1 import InputLimits, PlanStatus, Source, StorySpec, VideoJobSpec
from videojob_api.v1alpha1.sources import UPLOADS

from .base import Step

PIECES_AT_ONCE = 16
"""Most pieces of one story that are drawn at a time, each in a pod of its own."""
MOST_SCRIPT = "1Mi"
"""Largest script behind a URL."""


def story(spec: VideoJobSpec, plan: PlanStatus) -> tuple[Step, ...]:
    """All stages of a story; in one pod the pieces are one stage, which draws them side by side."""
    params = parameters(spec, plan)
    if params is None:
        return ()
    begin, last = _script(spec), _publish(spec, plan)
    if begin is None:
        return (*_steps(params, plan), *last)
    # What comes of the script has no key before its bytes are known.
    rest = (*_steps(params, plan, (begin.kind.kind,)), *last)
    return (begin, *(replace(step, pending=True) for step in rest))


def _script(spec: VideoJobSpec) -> Step | None:
    """What has to bring the script first: a fetch, or a language model."""
    asked = spec.story
    written = asked.script.from_prompt if asked is not None and asked.script is not None else None
    if asked is not None and written is not None:
        given = tasks.PromptParams(prompt=written, language=asked.language, genre=asked.genre)
        return Step(stages.PROMPT, given, online=True)
    source = _source(spec)
    if source is None:
        return None
    limits = InputLimits(max_input_size=MOST_SCRIPT)
    return Step(stages.FETCH, contract.FetchParams(source=source, limits=limits, text=True))


def _publish(spec: VideoJobSpec, plan: PlanStatus) -> tuple[Step, ...]:
    """The way to platforms, which may be changed until it is taken: what was planned stays a stage."""
    asked = spec.publish.platforms if spec.publish is not None else ()
    if not asked and not any(stages.PUBLISH.stage in group.stages for group in plan.groups):
        return ()
    given = PublishParams(platforms=asked, fallback=StoryFallback(policy=spec.fallback.policy))
    return (Step(stages.PUBLISH, given, ("finalize",), after=("finalize",), online=True),)


def _source(spec: VideoJobSpec) -> Source | None:
    """Where a script has to be fetched from."""
    script = spec.story.script if spec.story is not None else None
    if script is None or script.uri is None or not script.uri.startswith(("https://", "http://")):
        return None
    return Source(uri=script.uri, secret_name=script.secret_name)


def _steps(params: StoryParams, plan: PlanStatus, first: tuple[str, ...] = ()) -> tuple[Step, ...]:
    return (
        Step(stages.SCENES, tasks.scene_params(params), after=first),
        Step(
            stages.AUDIO, tasks.audio_params(params), ("scenes",), after=("scenes",), online=_asks_voices(params)
        ),
        Step(
            stages.IMAGES,
            tasks.image_params(params),
            ("scenes",), after=("scenes",), online=tasks.online_images(params.images, params.scenes),
        ),
        Step(
            stages.LAYOUT, tasks.layout_params(params), ("audio", "images"),
            after=("audio", "images"),
        ),
        _pieces(params, plan),
        Step(
            stages.JOIN, tasks.join_params(params), ("layout", "compose", "audio"),
            after=("compose",),
        ),
        Step(
            stages.THUMBNAIL, tasks.still_params(params), ("layout",), after=("join",), sees=("images",)
        ),
        Step(
            stages.FINALIZE,
            tasks.finalize_params(params),
            ("layout", "join", "thumbnail"), after=("thumbnail",),
        ),
    )  # fmt: skip


def _asks_voices(params: StoryParams) -> bool:
    return any(tasks.online(take.story.voice) for take in variants.takes(params))


def _pieces(params: StoryParams, plan: PlanStatus) -> Step:
    """Drawing the pieces. As a fan-out its key follows from how they are compressed alone: each piece's own key says what is
    seen in it, so that an edited scene renews one piece.
    """
    given = tasks.ComposeParams(encoding=params.encoding)
    if plan.execution == "Spread":
        return Step(
            stages.COMPOSE, given, after=("layout",), items_of="layout", parallelism=PIECES_AT_ONCE,
            sees=("audio", "images"),
        )  # fmt: skip
    return Step(stages.COMPOSE, given, ("layout",), after=("layout",), sees=("audio", "images"))


def parameters(spec: VideoJobSpec, plan: PlanStatus | None = None) -> StoryParams | None:
    """What the stages are given; None for a job that is no story. A script that was fetched is named by its digest."""
    if spec.story is None:
        return None
    params = resolved(spec.story, StoryFallback(policy=spec.fallback.policy))
    fetched = plan.fetched if plan is not None and _script(spec) is not None else None
    if fetched is None:
        return params
    script = params.script.model_copy(update={"uri": f"{UPLOADS}{fetched.sha256}"})
    return params.model_copy(update={"script": script})


def outputs(spec: VideoJobSpec) -> tuple[str, ...]:
    """Names of what the story publishes (S-030)."""
    return variants.outputs(spec.story) if spec.story is not None else ()


def expected_ms(spec: VideoJobSpec) -> int:
    """How long all films of the story last as far as the spec tells: what is aimed at, else counted words, as often as there are
    takes; 0 for a script elsewhere.
    """
    asked = spec.story
    return _told_ms(asked) * (1 + sum(variant.films for variant in asked.variants)) if asked is not None else 0


def _told_ms(asked: StorySpec) -> int:
    if asked.target_duration_ms is not None:
        return asked.target_duration_ms
    pace = asked.splitting
    if asked.script is not None and asked.script.from_prompt is not None:
        return asked.script.from_prompt.max_words * 60_000 // pace.words_per_minute
    if asked.script is not None and asked.script.text is not None:
        return words_ms(asked.script.text, pace.words_per_minute)
    return sum(
        max(scene.duration_ms or 0, words_ms(scene.spoken or scene.text, pace.words_per_minute)) or pace.default_ms
        for scene in asked.scenes
    )
