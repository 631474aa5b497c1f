"""Make a film's pieces side by side, keep what has not changed, and join them.

A piece that is there already is not made again (M2): its key says all that shapes its bytes. What runs FFmpeg is handed in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videojob_api.contract import content_key
from videojob_api.story.scenes import Scene, SceneManifest
from videojob_api.story.segments import Segment, segment_key, segments

from ..base.errors import Permanent, Recoverable
from ..base.memory import give_back
from ..base.process import Finished
from . import drawing, encoder, encoding, motion
from .clip import ClipView
from .encoding import Encoding
from .fonts import FontBook
from .making import Making, Piece, Seen, Shown, Tally
from .planes import Frame, to_rgb
from .scenery import Locate, Scenery, view
from .text import Typesetter

PIECE_VERSION = 5
"""Raise it when the same key would give other bytes."""


VIEWS = 4
"""So many pictures are kept in their shape: strands and passages that are drawn one after another show the same ones."""


class RunTool(Protocol):
    """Runs FFmpeg under a stage's fences; `stdin` is what it reads from."""

    def __call__(self, argv: Sequence[str], stdin: int | None = None) -> Finished:
        """Run it to its end. May be called from several threads at once."""


class _Ended(Recoverable):
    """Ends a piece because another one has failed, whose failure it is."""


class Film:
    """A manifest with everything needed to make it.

    `demuxer` names the demuxer of a clip, vetted; `keys` are those of all pieces, where they are known; `begun` hears how a
    piece is made, from any thread.
    """

    def __init__(
        self, manifest: SceneManifest, code: Encoding, fonts: FontBook, locate: Locate, *, program: str, run: RunTool,
        demuxer: Callable[[Path], str], keys: Sequence[str] | None = None, begun: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._begun = begun
        self._keys, self._shaping = keys, threading.Lock()
        self._views: dict[int, motion.View] = {}
        self.manifest, self.code, self.fonts, self.locate = manifest, code, fonts, locate
        self._program, self._run, self._demuxer = program, run, demuxer

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """All pieces, in order."""
        found = segments(self.manifest)
        keys = self._keys if self._keys is not None else [self._key(segment) for segment in found]
        return tuple(Piece(segment, key) for segment, key in zip(found, keys, strict=True))

    def shown(self, segment: Segment) -> tuple[Scene, ...]:
        """The scenes that a piece shows."""
        return self.manifest.scenes[segment.scene : segment.scene + (2 if segment.kind == "join" else 1)]

    def _key(self, segment: Segment) -> str:
        faces = sorted({face for scene in self.shown(segment) for face in self._faces(scene)})
        return segment_key(self.manifest, segment, PIECE_VERSION, {**self.code.dump(), "fonts": faces})

    def still_key(self, frame: int) -> str:
        """What a frame of the film is called by all that is seen in it."""
        segment = self._at(frame)
        return content_key("still", PIECE_VERSION, {"frame": frame - segment.start_frame}, (self._key(segment),))

    def _at(self, frame: int) -> Segment:
        """The segment that has a frame."""
        return next(one for one in segments(self.manifest) if frame < one.start_frame + one.frames)

    def _faces(self, scene: Scene) -> list[str]:
        """Digests of the fonts whose letters are seen in a scene."""
        texts = [(overlay.content, overlay.font) for overlay in scene.overlays]
        captions, background = self.manifest.captions, scene.background
        if captions.burn and captions.style != "none":
            texts.append((scene.text, captions.font))
        if background is None or background.kind == "card":
            texts.append((scene.text, "Arial"))
        return [
            run.face.digest
            for text, font in texts
            for run in self.fonts.runs(text, self.fonts.chain(font, self.manifest.language))
        ]

    def missing_letters(self) -> str:
        """Characters of the story that no font here has; they are left out of the picture."""
        texts = {scene.text for scene in self.manifest.scenes}
        texts |= {overlay.content for scene in self.manifest.scenes for overlay in scene.overlays}
        chain = self.fonts.chain(self.manifest.captions.font, self.manifest.language)
        return "".join(sorted(set(self.fonts.missing("".join(sorted(texts)), chain))))

    def make(
        self, folder: Path, wanted: Sequence[Piece], told: Callable[[int, int], None],
        made: Callable[[Piece, int], None] = lambda _piece, _black: None, *, workers: int,
    ) -> None:  # fmt: skip
        """Make these pieces into a folder, as many at a time as there are workers.

        `made` hears of each piece when its file is whole, and how many of its frames are black; from any thread.
        Raises what FFmpeg's runner or `told` raises, Permanent for a background that cannot be read.
        """
        give_back()
        tally = Tally(sum(piece.segment.frames for piece in wanted), told)
        with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="piece") as pool:
            # Long ones first: the last to end are then short.
            order = sorted(wanted, key=lambda piece: -piece.segment.frames)
            making = [self._making(folder, piece) for piece in order]
            jobs = [
                pool.submit(self._encode, folder, one, place, tally, made)
                for one in making
                for place in range(len(one.strands))
            ]
            _, waiting = wait(jobs, return_when=FIRST_EXCEPTION)
            for job in waiting:
                job.cancel()
            if waiting:
                tally.ended = True
        for one in making:
            one.file.close()
        failures = [error for job in jobs if not job.cancelled() and (error := job.exception()) is not None]
        for error in sorted(failures, key=lambda error: isinstance(error, _Ended)):
            raise error

    def _making(self, folder: Path, piece: Piece) -> Making:
        strands = self._strands(piece.segment)
        return Making(piece, strands, encoder.PieceFile(folder / piece.name, self.code, strands))

    def _strands(self, segment: Segment) -> tuple[range, ...]:
        """The frames of a piece, cut where a group of pictures would end anyway, in parts of one length. Always the same ones, so
        that its bytes follow from its key. A clip is decoded from its beginning and stays whole.
        """
        clip = any(scene.background is not None and scene.background.kind == "clip" for scene in self.shown(segment))
        count = 1 if clip else -(-segment.frames // (self.manifest.fps * encoding.GOP_SECONDS))
        ends = [segment.frames * place // count for place in range(count + 1)]
        return tuple(range(first, end) for first, end in pairwise(ends))

    def _encode(
        self, folder: Path, making: Making, place: int, tally: Tally, made: Callable[[Piece, int], None]
    ) -> None:
        """Draw and encode one strand; whoever encodes the last one of a piece ends its file."""
        shown = Shown(self.manifest.width, self.manifest.height)

        def drawn(_: int) -> None:
            if tally.ended:
                raise _Ended("Ended", "another piece of the film failed")
            tally.add(1)

        if place == 0:
            self._begun(self._how(making))
        try:
            with making.file.strand(place) as strand:
                shown.output = strand
                self._draw(making.piece.segment, folder / making.piece.name, shown, drawn, making.strands[place])
            if making.done(shown.black):
                making.file.close()
                made(making.piece, making.black)
        except encoder.Failed as error:
            raise encoder.judged(error) from None

    def _how(self, making: Making) -> str:
        """How a piece is made, for people who look for a fault."""
        piece, size = making.piece, f"{self.code.width}x{self.code.height}"
        options = " ".join(f"{name}={value}" for name, value in encoding.options(self.code).items())
        scenes = " and ".join(scene.id for scene in self.shown(piece.segment))
        starts = ", ".join(str(strand.start) for strand in making.strands)
        return (
            f"{piece.name}: {piece.segment.kind} {scenes}, {piece.segment.frames} frames of {size} by libx264 "
            f"(PyAV {encoder.build()}) from frame {starts}: {options}"
        )

    def still(self, frame: int, folder: Path) -> NDArray[np.uint8]:
        """One frame of the film by its number, as RGB bytes; drawn, and encoded by nobody. Pipes of clips lie in the folder.

        Raises Permanent for a background that cannot be read.
        """
        segment = self._at(frame)
        seen, at = Seen(Frame.blank(self.manifest.width, self.manifest.height)), frame - segment.start_frame
        self._draw(segment, folder / "still", seen, lambda _: None, range(at, at + 1))
        return to_rgb(seen.frame.planes)

    def _draw(
        self, segment: Segment, near: Path, output: drawing.Output, drawn: Callable[[int], None], only: range | None = None
    ) -> None:  # fmt: skip
        setter, clips = Typesetter(self.fonts), list[ClipView]()

        def scenery(index: int, first_frame: int) -> Scenery:
            scene = self.manifest.scenes[index]
            if scene.background is not None and scene.background.kind == "clip":
                pipe = near.with_name(f".{near.name}.{len(clips)}.pipe")
                clips.append(self._clip(scene, first_frame, len(only) if only is not None else segment.frames, pipe))
                return Scenery(self.manifest, scene, clips[-1], setter)
            try:
                # A picture takes many times its frame while it is brought to its shape: one at a time.
                with self._shaping:
                    seen = self._views.pop(index, None) or view(self.manifest, scene, self.locate, setter)
                    self._views[index] = seen
                    while len(self._views) > VIEWS:
                        del self._views[next(iter(self._views))]
                return Scenery(self.manifest, scene, seen, setter)
            except Permanent as error:
                raise Permanent(error.code, f"scene {scene.id}: {error.message}", hint=error.hint) from None

        try:
            drawing.draw(self.manifest, segment, scenery, output, drawn, only)
        finally:
            for clip in clips:
                clip.close()

    def _clip(self, scene: Scene, first_frame: int, frames: int, pipe: Path) -> ClipView:
        background = scene.background
        if background is None or background.file is None:
            raise Permanent("BadDocument", f"scene {scene.id} names no clip")
        source = self.locate(background)
        demuxer = self._demuxer(source)
        argv = encoding.clip(self._program, source, demuxer, self.code, first_frame, frames, pipe)
        return ClipView(pipe, lambda: self._run(argv), self.manifest.width, self.manifest.height)

    def join(self, folder: Path, where: Callable[[Piece], Path], sound: Path | None, target: Path) -> None:
        """Put all pieces and the sound into one file. `where` finds a piece's file."""
        listing = folder / "pieces.ffconcat"
        fps = self.manifest.fps
        found = [where(piece) for piece in self.pieces]
        listing.write_text(encoding.concat_list(found, [piece.segment for piece in self.pieces], fps), encoding="utf-8")
        finished = self._run(encoding.join(self._program, listing, sound, target, fps))
        self._judge(finished, target, "joining the scenes")
        listing.unlink()

    @staticmethod
    def _judge(finished: Finished, target: Path, doing: str) -> None:
        if finished.code != 0 or not target.is_file():
            raise Recoverable(
                "CompositionError", f"FFmpeg failed with code {finished.code} while {doing}", log_tail=finished.stderr
            )
