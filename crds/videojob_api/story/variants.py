"""Which films and thumbnails a story is made in: itself, and once more for each variant, with what differs (S-067).

A take is one film. The story's own take has no name; every other one is named after its variant. What takes have in common, a
spoken sentence, a picture, a piece of video, goes by its content, and is made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..v1alpha1.story import StorySpec
from ..v1alpha1.story_variants import Variant
from .looks import ThumbnailParams
from .params import Script, StoryParams
from .scenes import SCENES_FILE

MAIN = ""
"""Name of the story's own take."""
FILMS = ("video", "thumbnail", "metadata")
"""What every take publishes, beside its captions (S-030)."""


@dataclass(frozen=True)
class Take:
    """One film."""

    name: str
    story: StoryParams
    pictured: str
    """The take whose words find its pictures: the same scene in another language has the same picture."""


@dataclass(frozen=True)
class Still:
    """One thumbnail."""

    name: str
    of: str
    """The take it shows."""
    look: ThumbnailParams


def takes(story: StoryParams) -> tuple[Take, ...]:
    """All films of a story, its own first."""
    plain = story.model_copy(update={"variants": None})
    others = (Take(one.name, _told(plain, one), _pictured(one)) for one in story.variants or () if one.films)
    return (Take(MAIN, plain, MAIN), *others)


def stills(story: StoryParams) -> tuple[Still, ...]:
    """All thumbnails of a story, its own first."""
    found = [Still(MAIN, MAIN, story.thumbnail)]
    for one in story.variants or ():
        look = one.thumbnail or story.thumbnail
        if not one.films and one.title is not None and look.title is None:
            look = look.model_copy(update={"title": one.title})
        found.append(Still(one.name, one.name if one.films else MAIN, look))
    return tuple(found)


def named(output: str, take: str) -> str:
    """Name of a take's output: `video`, `video-square`."""
    return f"{output}-{take}" if take else output


def scenes_file(take: str) -> str:
    """Name of a take's scene manifest."""
    return f"scenes-{take}.json" if take else SCENES_FILE


def outputs(asked: StorySpec) -> tuple[str, ...]:
    """Names of all that a story publishes. A film without a word has no captions."""
    forms = tuple(f"captions-{form}" for form in dict.fromkeys(asked.captions.sidecars))
    own = [scene.text for scene in asked.scenes]
    worded = not own or any(text.strip() for text in own)
    found = [*FILMS, *(forms if worded else ())]
    for one in asked.variants:
        if not one.films:
            found.append(named("thumbnail", one.name))
            continue
        says = one.script is not None or (worded if one.texts is None else any(text.strip() for text in one.texts))
        found += [named(output, one.name) for output in (*FILMS, *(forms if says else ()))]
    return tuple(found)


def _pictured(variant: Variant) -> str:
    return variant.name if variant.script is not None else MAIN


def _told(story: StoryParams, variant: Variant) -> StoryParams:
    """The story as a variant has it."""
    given = {name: getattr(variant, name) for name in ("language", "title", "voice", "thumbnail")}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if variant.platform is not None or variant.aspect_ratio is not None:
        platform, shape = variant.platform or story.platform, variant.aspect_ratio
        changes |= {"platform": platform, "aspect_ratio": shape, "width": None, "height": None}
    if variant.script is not None:
        words = Script(text=variant.script.text, uri=variant.script.uri, markup=story.script.markup)
        changes |= {"script": words, "scenes": ()}
    if variant.texts is not None:
        told = zip(story.scenes, variant.texts, strict=True)
        changes["scenes"] = tuple(scene.model_copy(update={"text": text, "spoken": None}) for scene, text in told)
    if variant.retold:
        changes["metadata"] = None  # what was said in another language
    elif variant.title is not None and story.metadata is not None:
        changes["metadata"] = story.metadata.model_copy(update={"title": None})
    return story.model_copy(update=changes)
