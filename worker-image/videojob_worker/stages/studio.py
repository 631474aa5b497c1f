"""The film with what it may use, for the stages that draw it, join it or look at it; who only publishes it loads none of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from videojob_api.story import looks
from videojob_api.story.scenes import Background, SceneManifest

from ..base.errors import Permanent, Recoverable, Resource
from ..base.process import Fences, Finished
from ..compose.encoding import Encoding
from ..compose.film import Film
from ..compose.fonts import book
from ..media import sniff as sniffing
from ..media import tools
from ..media.progress import ProgressReader
from .context import Context, plain_file

FENCES = Fences(file_bytes=8 << 30)
PIECES = "pieces.txt"
"""In `debug/`: how each piece was encoded, which no command tells."""


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

    def begun(how: str) -> None:
        context.note(PIECES, how)
        context.log.info("encoding", extra={"piece": how})

    code = Encoding.of(asked, (manifest.width, manifest.height), manifest.fps, build)
    return Film(
        manifest, code, book(), locate, program=tools.ffmpeg(), run=Studio(context).run,
        demuxer=lambda path: sniffing.sniff(path).demuxer, keys=keys, begun=begun,
    )  # fmt: skip
