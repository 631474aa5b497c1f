"""libx264 inside this process: a piece's frames go to it where they were drawn.

Through a pipe to a program each frame is copied three times and the two ends take turns. Only what was drawn here is encoded
here: what strangers made is opened by programs, behind fences. x264 is under the GPL: no other module of the worker may load PyAV
into its process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ..base.errors import Recoverable, Resource, WorkerError, from_exception
from . import encoding
from .encoding import Encoding

Failed: TypeAlias = av.error.FFmpegError
"""What everything here raises; `judged` says what it means."""


def build() -> str:
    """The encoder's version."""
    numbers = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return f"{av.__version__}, libavcodec {numbers}"


class Strand:
    """One encoder: takes the frames of a strand, in order, and holds what comes of them."""

    def __init__(self, context: VideoCodecContext, code: Encoding, first: int) -> None:
        self._context, self._code, self._next = context, code, first
        self._tick = Fraction(1, code.fps)
        self.packets: list[av.Packet] = []

    def write(self, data: memoryview) -> None:
        """Take a whole frame (I420); its memory may be drawn on again afterwards: x264 copies what it keeps."""
        shape = (self._code.height * 3 // 2, self._code.width)
        frame = av.VideoFrame.from_numpy_buffer(np.frombuffer(data, np.uint8).reshape(shape), format="yuv420p")
        frame.pts, frame.time_base = self._next, self._tick
        self._next += 1
        self.packets += self._context.encode(frame)

    def end(self) -> None:
        """There are no more frames."""
        self.packets += self._context.encode(None)


class PieceFile:
    """The file of one piece. Its strands are encoded at the same time, in any order, and written in the order of the film.

    Its methods raise Failed.
    """

    def __init__(self, target: Path, code: Encoding, strands: Sequence[range]) -> None:
        self._target, self._part = target, target.with_name(f".{target.name}.part")
        self._code, self._strands, self._lock = code, strands, threading.Lock()
        self._done: dict[int, list[av.Packet]] = {}
        self._written = 0
        self._open: tuple[OutputContainer, VideoStream] | None = None

    @contextmanager
    def strand(self, place: int) -> Iterator[Strand]:
        """Encode a strand: give it frames. It is written as soon as all before it are."""
        with self._lock:
            file, stream = self._open = self._open or self._opened()
        # The first strand's encoder is the file's own, which gives it the headers; each other one has an equal encoder.
        context = stream.codec_context if place == 0 else self._prepared(av.CodecContext.create("libx264", "w"))
        strand = Strand(context, self._code, self._strands[place].start)
        yield strand
        strand.end()
        with self._lock:
            self._done[place] = strand.packets
            while (packets := self._done.pop(self._written, None)) is not None:
                for packet in packets:
                    packet.stream = stream
                    file.mux_one(packet)
                self._written += 1

    def _opened(self) -> tuple[OutputContainer, VideoStream]:
        file = av.open(str(self._part), "w", format="mp4", container_options=encoding.container(self._code))
        stream = file.add_stream("libx264", rate=self._code.fps)
        self._prepared(stream.codec_context)
        return file, stream

    def _prepared(self, context: VideoCodecContext) -> VideoCodecContext:
        context.width, context.height, context.pix_fmt = self._code.width, self._code.height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, self._code.fps), Fraction(self._code.fps)
        context.flags |= Flags.global_header
        context.options = encoding.options(self._code)
        return context

    def close(self) -> None:
        """End the file: now it has its name. One that lacks a strand goes; why it does, was told before."""
        if self._open is None:
            return
        (file, _), self._open = self._open, None  # the encoder's memory goes with them
        whole = self._written == len(self._strands)
        try:
            file.close()
            if whole:
                self._part.rename(self._target)
        except Failed:
            if whole:
                raise
        finally:
            self._part.unlink(missing_ok=True)


def judged(error: Failed) -> WorkerError:
    """What a failure of the encoder means: no room and no memory are no fault of the story's."""
    known = from_exception(error)
    return (
        known
        if isinstance(known, Resource)
        else Recoverable("CompositionError", f"a scene could not be encoded: {error}")
    )
