"""spec.story: a script becomes a narrated, captioned video (S-001 to S-072)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from .base import ApiModel, Rule
from .sources import PLAIN_URL, STORED
from .story_looks import (
    AspectRatio,
    Captions,
    Effect,
    FrameRate,
    Music,
    QualityName,
    TextStyle,
    ThumbnailParams,
    Transition,
    VideoPreset,
)
from .story_parts import ConfigMapKey, FromPrompt, OwnMetadata, SceneInput, SecretName, Splitting
from .story_providers import PlatformName, StoryImages, StoryVoice
from .story_variants import MAX_VARIANTS, Variant
from .strict import unknown
from .template import TemplateRef
from .videoprofile import Bitrate

MOST_TEXT = 16_384
"""Characters of a script in a manifest; `videojob submit` and `videojob run` bring longer ones into the store."""


class StoryScript(ApiModel):
    """The words; exactly one of `text`, `uri`, `configMapRef` and `fromPrompt`."""

    text: Annotated[str, Field(min_length=1, max_length=MOST_TEXT)] | None = None
    """The script itself. A longer one goes into a file, or into a ConfigMap; `videojob submit -f` does that for you."""
    uri: Annotated[str, Field(pattern=f"^({STORED}|{PLAIN_URL})$", max_length=2048)] | None = None
    """A text file, UTF-8, at most 1 MiB: of the store, `store://inbox/<sha256>` (`videojob upload` prints it) or
    `store://stock/<path>`; or behind an `https://` or `http://` URL, fetched once in a pod of its own. A URL's query is never
    shown in status, events and logs."""
    config_map_ref: ConfigMapKey | None = None
    """An entry of a ConfigMap of this namespace; the pod that parses the script mounts it. It is read when the stage runs: a
    later edit changes nothing."""
    from_prompt: FromPrompt | None = None
    """A language model writes it, once, in a pod of its own; the text lies in the job's `uploads/` under its digest, which
    `status.plan.fetched` names, and equal prompts of the namespace are asked once in 30 days (S-072)."""
    secret_name: SecretName | None = None
    """Of an https:// URL: a Secret of this namespace whose key `authorization` holds an Authorization header, for example
    `Bearer ...`. It is mounted into the fetching pod alone, and sent to the URL's own host alone."""
    markup: Literal["Markdown", "Plain"] = "Markdown"
    """`Markdown` cleans headings, marks and stage directions away, `Plain` reads everything aloud."""

    @model_validator(mode="after")
    def _kept_secret(self) -> Self:
        if self.secret_name is not None and not (self.uri or "").startswith("https://"):
            raise ValueError(
                "story.script.secretName goes with an https:// URL in story.script.uri: a secret is not sent over an open line"
            )
        return self


class Compression(ApiModel):
    """Instead of what `quality` says (S-059)."""

    crf: Annotated[int, Field(ge=0, le=51)] | None = None
    """Constant rate factor of x264: lower is better and larger."""
    maxrate: Bitrate | None = None
    """Highest bit rate, for example `8000k`."""
    preset: VideoPreset | None = None
    """Effort of x264."""


ONE_OF = (
    "set one of story.scenes, script.text, script.uri, script.configMapRef and script.fromPrompt, and no other of them; or "
    "leave them all to story.template"
)


class StorySpec(ApiModel):
    """A script, or a list of scenes, becomes a video: spoken, with a picture for each scene, captions, music, a thumbnail."""

    unset_stays = True
    cel = (
        Rule(
            "self == oldSelf",
            "spec.story is immutable: create another VideoJob; what both have in common is not made again",
        ),
        Rule(
            "[has(self.scenes) && self.scenes.size() > 0, has(self.script) && has(self.script.text), "
            "has(self.script) && has(self.script.uri), has(self.script) && has(self.script.configMapRef), "
            "has(self.script) && has(self.script.fromPrompt)]"
            ".filter(x, x).size() == 1 || (has(self.template) && !has(self.script) && "
            "(!has(self.scenes) || self.scenes.size() == 0))",
            f"a story is told in one way: {ONE_OF}",
        ),
    )

    template: TemplateRef | None = None
    """A VideoProfile that brings the fields that are not set here, a script or scenes, say (S-067)."""
    title: Annotated[str, Field(max_length=200)] = ""
    """Title, on the thumbnail and in the metadata; `Untitled Story` without one (S-005)."""
    genre: Annotated[str, Field(max_length=63)] = ""
    """Genre: a tag, and a word for every search for pictures (S-005)."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)] = "en"
    """BCP 47 tag of the script, for example `en`, `ja`, `de-AT`."""
    script: StoryScript | None = None
    """The words; sentences become scenes (S-016)."""
    scenes: Annotated[tuple[SceneInput, ...], Field(max_length=200)] = ()
    """Explicit scenes instead of a script, in order: leaving out and moving is editing the list (S-019)."""
    splitting: Splitting = Splitting()
    """How a script becomes scenes (S-017, S-018)."""
    target_duration_ms: Annotated[int, Field(ge=1000, le=7_200_000)] | None = None
    """What the whole should last; met as far as the rate of speech and pauses allow, and said where it is not (S-002)."""
    platform: PlatformName | None = None
    """Where it is to be shown: sets the shape, and the limits it is held against (S-027, S-048)."""
    aspect_ratio: AspectRatio | None = None
    """Shape; without it the platform's, else 9:16 (S-026)."""
    fps: FrameRate = 30
    """Frames a second (S-024)."""
    voice: StoryVoice = StoryVoice()
    """Who reads aloud, and how."""
    images: StoryImages = StoryImages()
    """Where backgrounds come from."""
    effects: Annotated[tuple[Effect, ...], Field(max_length=4)] = ("fade_in", "fade_out")
    """What the picture does in every scene that does not say itself (S-021)."""
    transition: Transition = Transition()
    """How a scene becomes the next, where it does not say itself (S-018)."""
    text: TextStyle | None = None
    """Shows each scene's text as an overlay of its own, in this style (S-022); without it captions alone show the words."""
    captions: Captions = Captions()
    """The narration as text, in the picture and beside the video."""
    music: Music | None = None
    """Music under the narration."""
    thumbnail: ThumbnailParams = ThumbnailParams()
    """The still picture (S-042, S-043)."""
    metadata: OwnMetadata | None = None
    """What platforms are told beside the video, where it is not to be derived (S-044)."""
    quality: QualityName = "Standard"
    """`Draft` is fast, `Standard` for publishing, `High` for keeping (S-058)."""
    compression: Compression = Compression()
    """Instead of what the quality says."""
    variants: Annotated[
        tuple[Variant, ...], Field(max_length=MAX_VARIANTS, json_schema_extra={"list_map_key": "name"})
    ] = ()
    """The story once more in other shapes, languages, voices, or with other thumbnails, each with outputs of its own."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_unknown(cls, value: Any) -> Any:
        """What the stages' parameters tolerate from another version is a typing error here."""
        found = list(unknown(cls, value, ()))
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        script = self.script or StoryScript()
        given = (self.scenes or None, script.text, script.uri, script.config_map_ref, script.from_prompt)
        told = sum(part is not None for part in given)
        if told != 1 and (self.template is None or self.script is not None or self.scenes):
            raise ValueError(self.cel[1].message)
        named = [variant.name for variant in self.variants]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"story.variants names {', '.join(twice)} more than once: name each variant once")
        if self.template is None and any(
            variant.texts is not None and len(variant.texts) != len(self.scenes) for variant in self.variants
        ):
            raise ValueError(
                "variants[].texts has one text for each of story.scenes, in their order: give as many, or a script"
            )
        return self
