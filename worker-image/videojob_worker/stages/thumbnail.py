"""ThumbnailGeneration: a frame of the film, with a bar that bears its title (S-010, S-042, S-043, C12).

It is drawn anew rather than taken from the finished film, so that it has no captions in it, nor what encoding takes away.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from videojob_api.contract import StageResult
from videojob_api.keeping import STILL_PARTS
from videojob_api.story import looks
from videojob_api.story.tasks import StillParams, StillTake
from videojob_api.story.variants import MAIN, named
from videojob_api.v1alpha1.status import OutputStatus

from ..base.errors import BadConfig
from ..compose import thumbnail
from ..compose.fonts import book
from ..compose.text import Typesetter
from ..storage.records import stored
from .context import Context
from .filming import THUMBNAIL, manifest_of, marked, output, thumbnail_file
from .kept import once
from .studio import film

STILL_FILE = "still.jpg"


def run(context: Context) -> StageResult:
    """Write the still pictures. Raises what drawing the film's pieces raises (S-040)."""
    params = context.params
    if not isinstance(params, StillParams):
        raise BadConfig("BadDocument", "stage thumbnail got another stage's params")
    wanted = (StillTake.model_construct(name=MAIN, thumbnail=params.thumbnail), *(params.others or ()))
    made = [_one(context, each, place * 90 // len(wanted)) for place, each in enumerate(wanted)]
    message = made[0].shows if len(made) == 1 else f"{len(made)} thumbnails; the story's own: {made[0].shows}"
    return StageResult(
        kind=context.kind.kind, message=message, files=tuple(one.file for one in made),
        cached=all(one.cached for one in made),
    )  # fmt: skip


@dataclass(frozen=True)
class _Made:
    file: OutputStatus
    shows: str
    """What it shows, in words."""
    cached: bool
    """Whether another VideoJob has drawn it."""


def _one(context: Context, wanted: StillTake, percent: int) -> _Made:
    """One picture; the same frame under the same title is drawn once (M2)."""
    manifest, look = manifest_of(context, wanted.of), wanted.thumbnail
    moment = thumbnail.moment_ms(look, manifest.duration_ms)
    context.progress(10 + percent, f"A frame at {moment / 1000:.1f} s")
    whole, frame = film(context, thumbnail.uncaptioned(manifest), looks.Encoding()), moment * manifest.fps // 1000
    title, setter = look.title or manifest.title, Typesetter(book())

    def draw() -> StageResult:
        still, file = Image.fromarray(whole.still(frame, context.staging)), context.staging / STILL_FILE
        thumbnail.make(still, look, manifest, setter, file, title=title)
        return StageResult(kind=STILL_PARTS, parts=(stored(file),))

    key = thumbnail.key(whole.still_key(frame), look, title, manifest.language, setter)
    found = once(context, STILL_PARTS, key, draw)
    target, name = context.staging / thumbnail_file(wanted.name), named(THUMBNAIL, wanted.name)
    (context.staging / STILL_FILE).rename(target)
    size = thumbnail.size_of(look, manifest)
    file = output(context, name, "image/jpeg", stored(target), size, "mjpeg", synthetic=marked(target, name))
    return _Made(file, f"{size[0]}x{size[1]}, the frame at {moment / 1000:.1f} s", found.cached)
