"""ThumbnailGeneration: a frame of the film, with a bar that bears its title (S-010, S-042, S-043, C12).

It is drawn anew rather than taken from the finished film, so that it has no captions in it, nor what encoding takes away.
"""

from __future__ import annotations

from PIL import Image

from videojob_api.contract import StageResult
from videojob_api.story import looks
from videojob_api.story.tasks import StillParams

from ..base.errors import BadConfig
from ..compose import thumbnail
from ..compose.fonts import book
from ..compose.text import Typesetter
from ..storage.records import stored
from .context import Context
from .filming import THUMBNAIL, THUMBNAIL_FILE, manifest_of, marked, output
from .studio import film


def run(context: Context) -> StageResult:
    """Write the still picture. Raises what drawing the film's pieces raises (S-040)."""
    params = context.params
    if not isinstance(params, StillParams):
        raise BadConfig("BadDocument", "stage thumbnail got another stage's params")
    manifest, look = manifest_of(context), params.thumbnail
    moment = thumbnail.moment_ms(look, manifest.duration_ms)
    context.progress(10, f"A frame at {moment / 1000:.1f} s")
    whole = film(context, thumbnail.uncaptioned(manifest), looks.Encoding(), keys=[])
    still = Image.fromarray(whole.still(moment * manifest.fps // 1000, context.staging))
    target = context.staging / THUMBNAIL_FILE
    size = thumbnail.make(still, look, manifest, Typesetter(book()), target, title=manifest.title)
    return StageResult(
        kind=context.kind.kind,
        message=f"{size[0]}x{size[1]}, the frame at {moment / 1000:.1f} s",
        files=(
            output(
                context, THUMBNAIL, "image/jpeg", stored(target), size, "mjpeg", synthetic=marked(target, THUMBNAIL)
            ),
        ),
    )
