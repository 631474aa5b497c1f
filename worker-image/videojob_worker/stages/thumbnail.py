"""ThumbnailGeneration: a frame of the film, with a bar that bears its title (S-010, S-042, S-043, C12).

It is drawn anew rather than taken from the finished film, so that it has no captions in it, nor what encoding takes away.
"""

from __future__ import annotations

from PIL import Image

from videojob_api.contract import StageResult
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
from .studio import film


def run(context: Context) -> StageResult:
    """Write the still pictures. Raises what drawing the film's pieces raises (S-040)."""
    params = context.params
    if not isinstance(params, StillParams):
        raise BadConfig("BadDocument", "stage thumbnail got another stage's params")
    wanted = (StillTake.model_construct(name=MAIN, thumbnail=params.thumbnail), *(params.others or ()))
    made = [_one(context, each, place * 90 // len(wanted)) for place, each in enumerate(wanted)]
    message = made[0][1] if len(made) == 1 else f"{len(made)} thumbnails; the story's own: {made[0][1]}"
    return StageResult(kind=context.kind.kind, message=message, files=tuple(file for file, _ in made))


def _one(context: Context, wanted: StillTake, percent: int) -> tuple[OutputStatus, str]:
    """One picture, and what it shows."""
    manifest, look = manifest_of(context, wanted.of), wanted.thumbnail
    moment = thumbnail.moment_ms(look, manifest.duration_ms)
    context.progress(10 + percent, f"A frame at {moment / 1000:.1f} s")
    whole = film(context, thumbnail.uncaptioned(manifest), looks.Encoding(), keys=[])
    still = Image.fromarray(whole.still(moment * manifest.fps // 1000, context.staging))
    target, name = context.staging / thumbnail_file(wanted.name), named(THUMBNAIL, wanted.name)
    size = thumbnail.make(still, look, manifest, Typesetter(book()), target, title=look.title or manifest.title)
    file = output(context, name, "image/jpeg", stored(target), size, "mjpeg", synthetic=marked(target, name))
    return file, f"{size[0]}x{size[1]}, the frame at {moment / 1000:.1f} s"
