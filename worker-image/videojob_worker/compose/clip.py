"""A video clip as a scene's background: another FFmpeg decodes it, and its frames are read as they are needed."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..base.errors import Permanent, WorkerError
from ..base.process import Finished
from .planes import Frame, Planes

POLL_MILLISECONDS = 100


class ClipView:
    """Frames of a clip, one after the other; to be asked in order and closed at the end.

    They come through a named pipe, so that never more than a few of them are anywhere.
    """

    def __init__(self, pipe: Path, decode: Callable[[], Finished], width: int, height: int) -> None:
        self._pipe, self._decode = pipe, decode
        self._frame = Frame.blank(width, height)
        self._reader: int | None = None
        self._thread: threading.Thread | None = None
        self._finished: Finished | None = None
        self._failure: WorkerError | None = None

    def draw(self, seconds: float, target: Planes) -> None:  # noqa: ARG002 - a clip has its own time
        """Draw the next frame. Raises Permanent (CorruptMedia) for a clip without one, and what ends the decoder."""
        reader = self._start() if self._reader is None else self._reader
        data, at = self._frame.data.data, 0
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        while at < len(data):
            over = self._thread is not None and not self._thread.is_alive()  # before the look: all it wrote is there
            waiting = poll.poll(POLL_MILLISECONDS)
            count = os.readv(reader, [data[at:]]) if any(event & select.POLLIN for _, event in waiting) else 0
            at += count
            if over and not count:
                raise self._failure or Permanent(
                    "CorruptMedia",
                    "the clip gives no picture",
                    hint="play it locally; re-encode it to MP4 if it plays",
                    log_tail=self._finished.stderr if self._finished is not None else None,
                )
        self._frame.planes.copy_to(target)

    def _start(self) -> int:
        os.mkfifo(self._pipe, 0o600)
        self._reader = os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._work, name="clip", daemon=True)
        self._thread.start()
        return self._reader

    def _work(self) -> None:
        try:
            self._finished = self._decode()
        except WorkerError as error:
            self._failure = error

    def close(self) -> None:
        """End the decoder: it finds nobody at the other end of the pipe."""
        with suppress(FileNotFoundError):
            self._pipe.unlink()  # first: who opens a pipe that has no reader waits for ever
        if self._reader is not None:
            os.close(self._reader)
            self._reader = None
        if self._thread is not None:
            self._thread.join()
