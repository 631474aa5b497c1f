"""SceneParsing: a script, or a list of scenes, becomes a scene manifest with expected times (S-005, S-016 to S-020, C4)."""

from __future__ import annotations

from videojob_api.story import platforms
from videojob_api.story.params import MAX_SCENES, UNTITLED, SceneInput, StoryParams
from videojob_api.story.scenes import Scene, SceneManifest
from videojob_api.story.timing import Fit, fit, laid_out, scene_ms, whole_frames, words_ms

from ..base.errors import Permanent
from .clean import paragraphs
from .sentences import sentences
from .splitting import scenes as split

SCENE_ERROR = "SceneGenerationError"
"""Code of what goes wrong here (S-071)."""


def parse(params: StoryParams, script: str | None) -> SceneManifest:
    """The manifest of a story whose speech nobody has measured yet. `script` is the text, None for a list of scenes.

    Raises Permanent (SceneGenerationError): nothing to read, too many scenes, an unknown platform.
    """
    try:
        width, height = platforms.size(params)
        row = platforms.platform(params.platform) if params.platform is not None else None
    except ValueError as error:
        raise Permanent(SCENE_ERROR, str(error), hint="name one of these in story.platform") from None
    given = params.scenes or tuple(SceneInput(text=text) for text in texts(params, script or ""))
    fitted = expected_fit(params, given)
    listed = tuple(_scene(params, place, scene, fitted.pause_ms) for place, scene in enumerate(given))
    manifest = SceneManifest(
        title=params.title.strip() or UNTITLED,
        language=params.language,
        width=width,
        height=height,
        fps=params.fps,
        scenes=laid_out(listed, params.fps, params.effect_ms),
        captions=params.captions,
        music=params.music,
        rate_percent=fitted.rate_percent,
        pause_ms=fitted.pause_ms,
        notes=(fitted.note,) if fitted.note else (),
    )
    return manifest.model_copy(update={"notes": manifest.notes + beyond(row, manifest)})


def texts(params: StoryParams, script: str) -> tuple[str, ...]:
    """Texts of the scenes of a script. Raises Permanent when nothing is left to read, or far too much."""
    words = params.splitting.words_per_minute * params.voice.rate_percent // 100
    found = split(
        [
            sentence
            for paragraph in paragraphs(script, params.script.markup)
            for sentence in sentences(paragraph, params.language)
        ],
        params.splitting.min_ms, params.splitting.max_ms, lambda text: words_ms(text, words), params.language,
    )  # fmt: skip
    if not found:
        raise Permanent(
            SCENE_ERROR,
            "the script has no words to read: headings, marks of Markdown and stage directions are not read aloud",
            hint="write sentences into story.script, or set story.script.markup to Plain",
        )
    if len(found) > MAX_SCENES:
        raise Permanent(
            SCENE_ERROR,
            f"the script makes {len(found)} scenes, {MAX_SCENES} are the most",
            hint="divide the script over several VideoJobs",
        )
    return found


def expected_fit(params: StoryParams, given: tuple[SceneInput, ...]) -> Fit:
    """Rate and pauses that should meet the target duration, by counted words."""
    wpm = params.splitting.words_per_minute * params.voice.rate_percent // 100
    spoken = [words_ms(scene.spoken or scene.text, wpm) for scene in given]
    fixed = sum(
        scene.duration_ms or params.splitting.default_ms for scene, ms in zip(given, spoken, strict=True) if not ms
    )
    return fit(
        [ms for ms in spoken if ms], fixed, rate_percent=params.voice.rate_percent, pause_ms=params.voice.pause_ms,
        target_ms=params.target_duration_ms,
    )  # fmt: skip


def beyond(row: platforms.Platform | None, manifest: SceneManifest) -> tuple[str, ...]:
    """A sentence when the story lasts longer than its platform takes."""
    if row is None or row.max_duration_ms is None or manifest.duration_ms <= row.max_duration_ms:
        return ()
    text = (
        f"the story lasts {manifest.duration_ms / 1000:.1f} s, {row.label} takes {row.max_duration_ms // 1000} s "
        f"(as of {row.as_of}): shorten the script or set story.targetDuration"
    )
    return (text,)


def _scene(params: StoryParams, place: int, given: SceneInput, pause_ms: int) -> Scene:
    length = scene_ms(
        given.spoken or given.text, params.splitting, speech_ms=None, pause_ms=pause_ms, given_ms=given.duration_ms
    )
    text = given.text.strip()
    own = (params.text.model_copy(update={"content": text}),) if params.text is not None and text else ()
    return Scene(
        index=place,
        id=given.id or f"s{place + 1:03d}",
        text=text,
        spoken=(given.spoken or given.text).strip(),
        start_frame=0,  # laid out together
        frames=whole_frames(length.duration_ms, params.fps),
        basis=length.basis,
        effects=params.effects if given.effects is None else given.effects,
        image=given.image,
        overlays=given.overlays or own,
        transition=given.transition or params.transition,
        given_ms=given.duration_ms,
        origin=given.id or f"s{place + 1:03d}",
    )
