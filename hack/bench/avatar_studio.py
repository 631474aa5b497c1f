"""A provider of avatars on loopback that takes its time, and what of that time its lanes were idle."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from videojob_cli.run import find_ffmpeg


class Studio(ThreadingHTTPServer):
    """A provider on loopback: a video for each name, so many seconds after it was asked for."""

    daemon_threads = True

    def __init__(self, video: bytes, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.video, self.seconds = video, seconds
        self.begun: dict[str, float] = {}
        self.fetched: dict[str, float] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Studio

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.begun.setdefault(self.path, time.monotonic())
        self._answer(b"{}", 202)

    def do_GET(self) -> None:
        name = self.path.removesuffix("/video")
        begun = self.server.begun.get(name)
        if begun is None:
            self._answer(b"{}", 404)
        elif name != self.path:
            self.server.fetched[name] = time.monotonic()
            self._answer(self.server.video, kind="video/mp4")
        else:
            percent = min(100, int(100 * (time.monotonic() - begun) / self.server.seconds))
            self._answer(json.dumps({"status": "done" if percent == 100 else "running", "percent": percent}).encode())

    def do_DELETE(self) -> None:
        self._answer(b"{}")

    def _answer(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the table says all."""


@contextmanager
def studio(folder: Path, seconds: float) -> Iterator[Studio]:
    """The provider, listening."""
    video = folder / "talk.mp4"
    source = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=512x512:rate=25:duration=3",
        "-f",
        "lavfi",
        "-i",
        "sine=220:duration=3",
    ]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]
    program = find_ffmpeg(dict(os.environ))["FFMPEG_PATH"]
    subprocess.run([program, "-v", "error", "-y", *source, *coded, str(video)], check=True, stdin=subprocess.DEVNULL)
    with Studio(video.read_bytes(), seconds) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Lost:
    """Seconds in which the provider's lanes had no talk to make, as a mean of a lane: what is missing to the bound."""

    ramp: float
    """Until a lane's first talk was asked for."""
    asking: float
    """From a talk's end until it was fetched."""
    handing: float
    """From there until the lane's next one was asked for."""
    tail: float
    """From a lane's last talk's end until everything is published."""

    @classmethod
    def of(cls, server: Studio, since: float, until: float, lanes: int) -> Lost:
        """What was lost between the first submission and the last publication; a talk is in the lane that is free longest."""
        free = [(since, since, True)] * lanes  # a talk's end, when it was fetched, whether there was none
        ramp = asking = handing = 0.0
        for name, begun in sorted(server.begun.items(), key=lambda row: row[1]):
            free.sort(key=lambda lane: lane[1])
            ended, fetched, none = free.pop(0)
            ramp += begun - ended if none else 0
            asking += 0 if none else fetched - ended
            handing += 0 if none else begun - fetched
            free.append((begun + server.seconds, server.fetched[name], False))
        return cls(ramp / lanes, asking / lanes, handing / lanes, sum(until - lane[0] for lane in free) / lanes)
