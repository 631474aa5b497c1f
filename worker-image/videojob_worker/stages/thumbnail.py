"""ThumbnailGeneration: a frame of the finished film, with a bar that bears its title (S-010, S-042, S-043, C12)."""

from __future__ import annotations

from videojob_api.contract import StageResult
from videojob_api.story.tasks import StillParams

from ..base.errors import BadConfig, Recoverable
from ..compose import thumbnail
from ..compose.fonts import book
from ..compose.text import Typesetter
from ..media import tools
from ..storage.records import stored
from .context import Context, plain_file
from .filming import FILM_FILE, THUMBNAIL, THUMBNAIL_FILE, manifest_of, marked, output
from .studio import Studio


def run(context: Context) -> StageResult:
    """Write the still picture. Raises Recoverable (ThumbnailError) when no frame can be had."""
    params = context.params
    if not isinstance(params, StillParams):
        raise BadConfig("BadDocument", "stage thumbnail got another stage's params")
    manifest, look = manifest_of(context), params.thumbnail
    joined = context.earlier("join")
    path = plain_file(context.folder("join"), FILM_FILE)
    lasts = next((output.duration_ms for output in joined.files if output.path == FILM_FILE), None)
    moment = thumbnail.moment_ms(look, lasts or manifest.duration_ms)
    context.progress(10, f"A frame at {moment / 1000:.1f} s")
    still = context.staging / ".still.png"
    finished = Studio(context).run(thumbnail.frame(tools.ffmpeg(), path, moment, still))
    if finished.code != 0 or not still.is_file():
        raise Recoverable(
            "ThumbnailError", f"the film has no frame at {moment / 1000:.1f} s",
            hint="set story.thumbnail.atMs to another moment of the film", log_tail=finished.stderr,
        )  # fmt: skip
    target = context.staging / THUMBNAIL_FILE
    size = thumbnail.make(still, look, manifest, Typesetter(book()), target, title=manifest.title)
    still.unlink()
    return StageResult(
        kind=context.kind.kind,
        message=f"{size[0]}x{size[1]}, the frame at {moment / 1000:.1f} s",
        files=(
            output(
                context, THUMBNAIL, "image/jpeg", stored(target), size, "mjpeg", synthetic=marked(target, THUMBNAIL)
            ),
        ),
    )
