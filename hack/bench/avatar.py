"""`make bench-avatar`: what a warm worker spares (M7), and how near twenty avatars come to what their slots allow (M8).

M7: full HD pictures of a person, found and cut out in one process, beside the models' own time in it, and beside a process for
each picture. M8: VideoJobs through the real planner, queue and worker, `yolo` 2, `birefnet` 1, `avatar` 5, with a provider on
loopback that takes its time; nothing can be faster than the provider's seconds shared by its slots.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from videojob_cli.run import find_ffmpeg, run
from videojob_operator.decide.world import VideoJobView
from videojob_worker.compose import picture
from videojob_worker.vision import matting, people
from videojob_worker.vision.detectors import open_detector

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "tests/support"))

from photographs import photograph  # noqa: E402 - needs the path above

SIZE = (1920, 1080)
CAPACITY = {"cpu": 4, "yolo": 2, "birefnet": 1, "avatar": 5}
"""Slots of A-005, and five talks at once."""
ALONE = """
import sys, numpy as np
from videojob_worker.compose import picture
from videojob_worker.vision import people
from videojob_worker.vision.detectors import open_detector
shown = np.asarray(picture.read(__import__("pathlib").Path(sys.argv[1])))
assert people.find(open_detector(), shown).persons
"""
"""Detection as a script does it that is started for each picture."""


def pictures(folder: Path, count: int) -> list[Path]:
    """A person at as many places of a full HD picture, each a bit larger."""
    person = Image.fromarray(np.array(photograph("astronaut.png")))
    made = []
    for number in range(count):
        side = 800 + 10 * number
        shown = Image.new("RGB", SIZE, (90, 110 + number, 130))
        shown.paste(person.resize((side, side)), (20 * number, SIZE[1] - side))
        made.append(folder / f"person-{number}.jpg")
        shown.save(made[-1], quality=92)
    return made


class Meter:
    """Seconds in the models, counted where they are called."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count what is done within."""
        since = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - since


class Timed:
    """A detector whose own time is counted."""

    def __init__(self, detector: people.Detector, meter: Meter) -> None:
        self._detector, self._meter = detector, meter
        self.name, self.accelerator = detector.name, detector.accelerator
        self.degraded, self.note = detector.degraded, detector.note

    def detect(self, shown: NDArray[np.uint8], confidence: float, overlap: float) -> tuple[people.Person, ...]:
        """See people.Detector."""
        with self._meter.of("detection"):
            return self._detector.detect(shown, confidence, overlap)


def warm(paths: Sequence[Path]) -> tuple[float, Meter]:
    """Seconds that the worker's own steps take for all pictures, the start of the models among them, and those of the models."""
    meter, since = Meter(), time.perf_counter()
    detector, matter = Timed(open_detector(), meter), matting.open_matter("mediapipe")
    for path in paths:
        with meter.of("reading"):
            shown = np.asarray(picture.read(path))
        found = people.find(detector, shown)
        person = found.persons[people.choose(found, "Largest", SIZE)[0] - 1]
        with meter.of("matting"):
            raw = matter.matte(shown, person.box)
        with meter.of("edges"):
            matting.cut_out(shown, matting.refine(shown, raw))
    return time.perf_counter() - since, meter


def cold(paths: Sequence[Path]) -> float:
    """Seconds of detection with a process for each picture."""
    since = time.perf_counter()
    for path in paths:
        subprocess.run([sys.executable, "-c", ALONE, str(path)], check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - since


def m7(folder: Path, count: int) -> list[tuple[str, str]]:
    """The rows of M7."""
    paths = pictures(folder, count)
    warm(paths[:1])  # what is imported once, and pages of the models
    total, meter = warm(paths)
    seconds, own = meter.seconds, meter.seconds["detection"] + meter.seconds["matting"]
    few = paths[: max(3, count // 4)]
    alone = cold(few) / len(few)
    per = [f"{name} {spent / count * 1000:.0f} ms" for name, spent in seconds.items()]
    return [
        (
            f"M7: {count} pictures of {SIZE[0]}x{SIZE[1]} in one warm worker",
            f"{total:.1f} s, {total / own:.2f} times the models' own time",
        ),
        ("a picture: " + ", ".join(per), f"{total / count * 1000:.0f} ms"),
        (
            "detection with a process for each picture",
            f"{alone * 1000:.0f} ms, {alone * count / seconds['detection']:.0f} times",
        ),
    ]


NEW = "import sys; from ultralytics import YOLO; YOLO('yolo11n.yaml').save(sys.argv[1])"
"""Weights as they fall: their worth does not matter here."""
YOLO = """
import hashlib, json, sys, time
from pathlib import Path
import numpy as np
from videojob_worker.compose import picture
from videojob_worker.vision.detectors import open_detector
folder = Path(sys.argv[1])
weights = folder / "yolo11n.pt"
detector = open_detector("yolo", weights, hashlib.sha256(weights.read_bytes()).hexdigest())
shown = [np.asarray(picture.read(path)) for path in sorted(folder.glob("person-*.jpg"))]
detector.detect(shown[0], 0.5, 0.45)
since = time.perf_counter()
for each in shown:
    detector.detect(each, 0.5, 0.45)
print(json.dumps([detector.accelerator, (time.perf_counter() - since) / len(shown)]))
"""
"""YOLO 11 nano, warm."""
SCRIPT = "import sys; from ultralytics import YOLO; YOLO(sys.argv[1]).predict(sys.argv[2], conf=0.5, verbose=False)"
"""As the manual of ultralytics shows it."""


def yolo(folder: Path, python: Path) -> list[tuple[str, str]]:
    """Detection in a warm process beside a script that is started for each picture; both by an interpreter with ultralytics."""
    weights = folder / "yolo11n.pt"
    subprocess.run(
        [python, "-c", NEW, str(weights)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=folder
    )
    told = subprocess.run(
        [python, "-c", YOLO, str(folder)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    accelerator, warm_seconds = json.loads(told.stdout.decode().splitlines()[-1])
    few, since = sorted(folder.glob("person-*.jpg"))[:3], time.perf_counter()
    for path in few:
        argv = [str(python), "-c", SCRIPT, str(weights), str(path)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder)
    alone = (time.perf_counter() - since) / len(few)
    return [
        (f"YOLO 11 nano on {accelerator}, warm, a picture", f"{warm_seconds * 1000:.0f} ms"),
        ("a script of ultralytics for each picture", f"{alone * 1000:.0f} ms, {alone / warm_seconds:.0f} times"),
    ]


class Studio(ThreadingHTTPServer):
    """A provider on loopback: a video for each name, so many seconds after it was asked for."""

    daemon_threads = True

    def __init__(self, video: bytes, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.video, self.seconds = video, seconds
        self.begun: dict[str, float] = {}
        self.ended: dict[str, float] = {}


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
            self.server.ended[name] = time.monotonic()
            self._answer(self.server.video, kind="video/mp4")
        else:
            done = time.monotonic() - begun >= self.server.seconds
            self._answer(json.dumps({"status": "done" if done else "running"}).encode())

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


def manifests(folder: Path, count: int, url: str) -> list[Path]:
    """As many avatars, each of a picture of its own."""
    stock = folder / "store/default/stock"
    stock.mkdir(parents=True)
    with wave.open(str(stock / "voice.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        tone = np.sin(np.arange(72_000) * 2 * np.pi * 180 / 24_000) * 9000
        file.writeframes(tone.astype("<i2").tobytes())
    found = []
    for number, path in enumerate(pictures(folder, count)):
        path.rename(stock / path.name)
        provider = {"name": "http", "endpoint": url, "pollSeconds": 1}
        asked = {
            "image": {"uri": f"store://stock/{path.name}"}, "audio": {"uri": "store://stock/voice.wav"}, "provider": provider,
        }  # fmt: skip
        body = {
            "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": f"avatar-{number:02}"},
            "spec": {"avatar": asked, "execution": {"mode": "Spread"}},
        }  # fmt: skip
        found.append(folder / f"avatar-{number:02}.yaml")
        found[-1].write_text(yaml.safe_dump(body), encoding="utf-8")
    return found


def avatars(folder: Path, count: int, seconds: float) -> tuple[float, dict[str, int]]:
    """Wall seconds from the first submission to the last publication, and the most that each slot class held at once."""
    folder.mkdir()
    spans: dict[str, dict[str, list[datetime]]] = {}
    slots = {"Detection": "yolo", "BackgroundRemoval": "birefnet", "AvatarGeneration": "avatar"}

    def changed(view: VideoJobView) -> None:
        for stage in view.status.stages:
            if stage.name in slots and stage.start_time is not None and stage.completion_time is not None:
                spans.setdefault(slots[stage.name], {})[view.uid] = [stage.start_time, stage.completion_time]

    with studio(folder, seconds) as server:
        given = manifests(folder, count, f"http://127.0.0.1:{server.server_port}/avatars")
        since = time.monotonic()
        ended = run(
            given, file=None, output=folder / "out", store=folder / "store", allow_networks=("127.0.0.0/8",),
            changed=changed, capacity=CAPACITY,
        )  # fmt: skip
        wall = time.monotonic() - since
    for job in ended:
        if job.view.status.phase != "Succeeded":
            raise SystemExit(f"{job.view.name}: {job.view.status.failure}")
    most = {
        slot: max(sum(first <= at < last for first, last in held.values()) for at, _ in held.values())
        for slot, held in spans.items()
    }
    return wall, most


def m8(folder: Path, count: int, seconds: float) -> list[tuple[str, str]]:
    """The rows of M8."""
    bound = seconds * -(-count // CAPACITY["avatar"])
    wall, most = avatars(folder / "many", count, seconds)
    single, _ = avatars(folder / "one", 1, seconds)
    held = ", ".join(f"{slot} {number}" for slot, number in sorted(most.items()))
    return [
        (
            f"M8: {count} avatars, provider {seconds:.0f} s, slots 2/1/5",
            f"{wall:.1f} s, {bound / wall:.0%} of what the slots allow ({bound:.0f} s)",
        ),
        ("one after the other", f"{single * count:.0f} s, {single * count / wall:.1f} times"),
        ("most at once", held),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20, help="pictures of M7")
    parser.add_argument("--avatars", type=int, default=20, help="VideoJobs of M8")
    parser.add_argument("--provider-seconds", type=float, default=40.0, help="how long the provider takes for one")
    parser.add_argument("--yolo", type=Path, help="an interpreter that has ultralytics, to measure that as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="videojob-bench-") as made:
        rows = [("machine", f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")]
        rows += m7(Path(made), options.pictures)
        if options.yolo is not None:
            rows += yolo(Path(made), options.yolo.absolute())
        rows += m8(Path(made), options.avatars, options.provider_seconds)
        print("| what | figure |\n|---|---|")
        for what, figure in rows:
            print(f"| {what} | {figure} |")


if __name__ == "__main__":
    main()
