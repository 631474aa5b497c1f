"""What a spec of a story and the stages' parameters have in common: providers, voices, pictures, scenes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import StatusModel
from .sources import SOURCE_URI
from .story_looks import Colour, Effect, Overlay, Transition

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")]
SecretName = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Tag = Annotated[str, Field(min_length=1, max_length=64)]


class ImageHint(StatusModel):
    """Which background a scene wants."""

    uri: Annotated[str, Field(pattern=SOURCE_URI, max_length=2048)] | None = None
    """This very file, an image or a clip: `store://stock/...`, `store://inbox/<sha256>`, or a URL that is fetched."""
    query: Annotated[str, Field(max_length=400)] = ""
    """Words to search or to draw from; a scene's own text when empty."""
    tags: Annotated[tuple[Tag, ...], Field(max_length=16)] = ()
    """Words that choose among the files of the stock."""
    color: Colour | None = None
    """A plain background of this colour."""


class SceneInput(StatusModel):
    """One scene of an explicit list (S-019); the list is the order, so leaving out and moving is editing it."""

    id: Name | None = None
    """Name of the scene; its place in the list when it has none."""
    text: Annotated[str, Field(max_length=4000)] = ""
    """What is said and captioned; none: a silent scene."""
    spoken: Annotated[str, Field(max_length=4000)] | None = None
    """What is said instead of the text, for example kana or another spelling."""
    duration_ms: Annotated[int, Field(ge=100, le=600_000)] | None = None
    """Least duration; speech that is longer is never cut (S-065)."""
    effects: Annotated[tuple[Effect, ...], Field(max_length=4)] | None = None
    """Instead of the story's."""
    transition: Transition | None = None
    """Into the next scene, instead of the story's."""
    image: ImageHint = ImageHint()
    """Its background."""
    overlays: Annotated[tuple[Overlay, ...], Field(max_length=4)] = ()
    """Texts over it."""


class ConfigMapKey(StatusModel):
    """One entry of a ConfigMap; the pod that reads it mounts it, nobody else does."""

    name: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """ConfigMap of the VideoJob's namespace."""
    key: Annotated[str, Field(max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = "script"
    """Its key."""


class FromPrompt(StatusModel):
    """A script that a language model writes (S-072): any service that speaks OpenAI's chat completions."""

    prompt: Annotated[str, Field(min_length=1, max_length=4000)]
    """What the story is to be about. It is told to the service, and shown to whoever may read the VideoJob."""
    model: Annotated[str, Field(min_length=1, max_length=128)]
    """Model by the service's own name."""
    base_url: Annotated[str, Field(max_length=1024, pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")] = (
        "https://api.openai.com/v1"
    )
    """Where the service listens; `/chat/completions` is added."""
    secret_name: SecretName | None = None
    """Secret of this namespace whose key `key` the service asks for; a service of your own may need none."""
    temperature_percent: Annotated[int, Field(ge=0, le=200)] | None = None
    """How free the model is, in hundredths of its `temperature`; without it the service's own."""
    max_words: Annotated[int, Field(ge=10, le=5000)] = 400
    """Longest script that is asked for."""
    timeout_seconds: Annotated[int, Field(ge=5, le=600)] = 120
    """How long the answer may take."""


class Splitting(StatusModel):
    """How a script becomes scenes (S-017, S-018, C4)."""

    min_ms: Annotated[int, Field(ge=0, le=60_000)] = 2000
    """A sentence that takes less time joins its neighbour."""
    max_ms: Annotated[int, Field(ge=1000, le=120_000)] = 10_000
    """One that takes more is divided at its clauses."""
    default_ms: Annotated[int, Field(ge=100, le=120_000)] = 5000
    """Duration of a scene without words."""
    words_per_minute: Annotated[int, Field(ge=30, le=600)] = 150
    """Rate of speech where nothing was measured: 2.5 words a second."""


class Provider(StatusModel):
    """One link of a chain: a row of the providers' table, and what it is to use."""

    name: Name
    """Row of the table, such as `flite`, `espeak`, `openai`."""
    voice: Annotated[str, Field(max_length=128)] | None = None
    """Voice by the provider's own name; None: the provider's choice for the language."""
    model: Annotated[str, Field(max_length=128)] | None = None
    """Model by the provider's own name, or a file below the mounted models."""
    endpoint: Annotated[str, Field(max_length=1024, pattern=r"^https?://")] | None = None
    """Where the service listens instead of its usual address."""
    region: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9-]+$")] | None = None
    """Region of the service, where its address has one."""
    uri: Annotated[str, Field(max_length=2048)] | None = None
    """Folder of the store, for providers that choose among files."""
    secret_name: SecretName | None = None
    """Secret with its credentials, mounted as files."""
    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """How long one answer may take."""


class Voice(StatusModel):
    """Narration (S-032 to S-034)."""

    providers: Annotated[tuple[Provider, ...], Field(min_length=1, max_length=8)] = (Provider(name="offline"),)
    """Tried in order; the first that speaks wins. `offline` is flite for English, espeak-ng for other languages."""
    rate_percent: Annotated[int, Field(ge=50, le=200)] = 100
    """Rate of speech, 100 is the voice's own."""
    pitch_semitones: Annotated[int, Field(ge=-12, le=12)] = 0
    """Height of the voice, 0 is its own."""
    pause_ms: Annotated[int, Field(ge=0, le=10_000)] = 300
    """Silence after each scene's speech."""
    loudness_lufs: Annotated[int, Field(ge=-40, le=-8)] = -16
    """Integrated loudness the speech is brought to (EBU R128)."""
    cache_seconds: Annotated[int, Field(ge=0)] = 2_592_000
    """How long speech is kept for the same words: 30 days."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """Further tries of one sentence at one provider."""


class Images(StatusModel):
    """Backgrounds (S-035 to S-037)."""

    providers: Annotated[tuple[Provider, ...], Field(min_length=1, max_length=8)] = (
        Provider(name="files"),
        Provider(name="card"),
    )
    """Tried in order; the first that has one wins."""
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    """Further tries of one picture at one provider."""
    cache_seconds: Annotated[int, Field(ge=0)] = 604_800
    """How long a picture is kept for the same request: 7 days."""


Label = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^#\n]+$")]
Hashtag = Annotated[str, Field(min_length=2, max_length=80, pattern=r"^#[^#\s]+$")]


class OwnMetadata(StatusModel):
    """What platforms are told beside the video, where it is not to be derived from the story (S-044 to S-046)."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Title there; without it the story's."""
    description: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Without it the first two sentences."""
    tags: Annotated[tuple[Label, ...], Field(max_length=10, json_schema_extra={"list_type": "set"})] | None = None
    """Instead of the genre and the keywords that the text has; an empty list: none."""
    hashtags: Annotated[tuple[Hashtag, ...], Field(max_length=16, json_schema_extra={"list_type": "set"})] | None = None
    """Each with its `#`, instead of those made of the tags and those that every story has; an empty list: none."""
