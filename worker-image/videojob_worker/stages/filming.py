"""What the stages that draw, join and show a film have in common: its manifest, and the film with what it may use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from videojob_api import fanout
from videojob_api.contract import StageFile
from videojob_api.profiles import aspect_ratio
from videojob_api.story import looks
from videojob_api.story.scenes import SCENES_FILE, Background, SceneManifest
from videojob_api.v1alpha1.status import OutputStatus

from ..base.errors import Permanent, Recoverable, Resource
from ..base.process import Fences, Finished
from ..compose import marks
from ..compose.encoding import Encoding
from ..compose.film import Film
from ..compose.fonts import book
from ..media import sniff as sniffing
from ..media import tools
from ..media.progress import ProgressReader
from ..storage import files
from .context import Context, plain_file

FILM, THUMBNAIL, METADATA = "video", "thumbnail", "metadata"
"""Names of a story's outputs (S-030)."""
FILM_FILE, THUMBNAIL_FILE = f"{FILM}.mp4", f"{FILM}_thumb.jpg"
FENCES = Fences(file_bytes=8 << 30)


def manifest_of(context: Context) -> SceneManifest:
    """The manifest that all pieces are drawn from. Raises Recoverable when it is not there."""
    context.earlier("layout")
    path = context.folder("layout") / SCENES_FILE
    return _read(path, path.stat().st_mtime_ns)


def listed_pieces(context: Context) -> tuple[Any, ...]:
    """Keys of all pieces, in order, as the layout has listed them. Raises Recoverable when they are not there."""
    listed = context.earlier("layout").work_list
    path = context.folder("layout") / fanout.LIST_FILE
    if listed is None or not files.matches(path, listed.size_bytes, listed.sha256):
        raise Recoverable("ResultInvalid", "the layout left no list of pieces", hint="a retry makes it anew")
    return fanout.read_list(path.read_bytes())


@dataclass(frozen=True)
class Drawn:
    """What compose left."""

    paths: dict[str, Path]
    """File of each piece, by its key."""
    black: dict[str, int]
    """How many frames of it are black."""
    made: int
    """How many were drawn for this job; the others were there."""


def drawn(context: Context) -> Drawn:
    """The pieces, whether one container drew them or each its own. Raises Recoverable for one that is not whole."""
    if any(given.stage == "compose" and given.items_of is not None for given in context.task.inputs):
        items = context.items("compose")
        found = {str(item.value): (folder, result.parts[0]) for item, folder, result in items}
        made = sum(not result.cached for *_, result in items)
    else:
        result, folder = context.earlier("compose"), context.folder("compose")
        found = {Path(part.path).stem: (folder, part) for part in result.parts}
        made = (result.story.pieces_made if result.story is not None else None) or 0
    return Drawn(
        {key: plain_file(folder, part.path) for key, (folder, part) in found.items()},
        {key: _black(part) for key, (_, part) in found.items()},
        made,
    )


def _black(part: StageFile) -> int:
    if part.measured is None or part.measured.black_frames is None:
        text = f"the piece {part.path} says nothing of its frames"
        raise Recoverable("ResultInvalid", text, hint="a retry makes it anew")
    return part.measured.black_frames


@lru_cache(maxsize=2)
def _read(path: Path, _changed: int) -> SceneManifest:
    """Once, however many pieces this container draws."""
    return SceneManifest.model_validate_json(path.read_bytes())


@dataclass(frozen=True)
class Studio:
    """Runs FFmpeg for a film; its own clock shows that it gets on. May be asked from several threads at once."""

    context: Context

    def run(
        self, argv: Sequence[str], stdin: int | None = None, on_line: Callable[[str], None] | None = None
    ) -> Finished:
        """Run it to its end; `on_line` hears what it prints. Raises Resource where the volume or the memory is full."""
        watchdog, clock = self.context.watchdog(), ProgressReader(0)

        def heard(line: str) -> None:
            clock.feed(line)
            watchdog.advance(clock.clock)
            if on_line is not None:
                on_line(line)

        program, *rest = argv
        told = [program, "-progress", "pipe:1", *rest]
        finished = self.context.run(told, fences=FENCES, watchdog=watchdog, on_line=heard, stdin=stdin)
        if finished.code != 0:
            error = tools.judge(finished, "making the film")
            if isinstance(error, Resource):
                raise error
        return finished

    def done(self, argv: Sequence[str], doing: str, on_line: Callable[[str], None] | None = None) -> Finished:
        """The same; raises Recoverable (CompositionError, S-040) for any other failure, too."""
        finished = self.run(argv, on_line=on_line)
        if finished.code != 0:
            text = f"FFmpeg failed with code {finished.code} while {doing}"
            raise Recoverable("CompositionError", text, log_tail=finished.stderr)
        return finished


def film(
    context: Context,
    manifest: SceneManifest,
    asked: looks.Encoding,
    *,
    build: str = "",
    keys: Sequence[str] | None = None,
) -> Film:
    """A manifest's film. `build` is needed where keys of pieces are computed, `keys` where they are known."""

    def locate(background: Background) -> Path:
        if background.file is None:
            raise Permanent("BadDocument", f"a background of kind {background.kind} names no file")
        return plain_file(context.folder(background.file.stage), background.file.path)

    code = Encoding.of(asked, (manifest.width, manifest.height), manifest.fps, build)
    return Film(
        manifest, code, book(), locate, program=tools.ffmpeg(), run=Studio(context).run,
        demuxer=lambda path: sniffing.sniff(path).demuxer, keys=keys,
    )  # fmt: skip


def output(  # noqa: PLR0917 - what a file is
    context: Context, name: str, media_type: str, made: StageFile, size: tuple[int, int] | None = None,
    codec: str | None = None, **more: object,
) -> OutputStatus:  # fmt: skip
    """A file of a story as status has it."""
    return OutputStatus.model_validate({
        "name": name, "profile": "story", "path": made.path, "media_type": media_type, "size_bytes": made.size_bytes,
        "uri": f"store://jobs/{context.document.job.uid}/videos/{made.path}", "sha256": made.sha256, "video_codec": codec,
        "width": size[0] if size else None, "height": size[1] if size else None,
        "aspect_ratio": aspect_ratio(*size) if size else None, **more,
    })  # fmt: skip


def marked(path: Path, name: str) -> str:
    """The mark of synthetic media that a file bears, its last word. Raises Recoverable (VerifyFailed) where it is lost."""
    found = marks.read(path)
    if found is None:
        raise Recoverable(
            "VerifyFailed",
            f"the output {name} has lost its mark of synthetic media",
            hint="it is made anew on the next attempt",
        )
    return found.rsplit("/", 1)[-1]
