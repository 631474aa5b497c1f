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
import time
import wave
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from videojob_cli.run import run
from videojob_worker.base.lanes import behind
from videojob_worker.compose import picture
from videojob_worker.vision import filming, matting, people, tflite
from videojob_worker.vision.boxes import Box, Picture
from videojob_worker.vision.detectors import open_detector

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")
sys.path.insert(1, str(ROOT / "tests/support"))

from bench.avatar_studio import Lost, studio  # noqa: E402 - needs the paths above
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


@contextmanager
def inferences() -> Iterator[list[tuple[tflite.Network, tflite.Values]]]:
    """What the models are asked within: to be asked again, one after the other and with nothing beside them."""
    asked: list[tuple[tflite.Network, tflite.Values]] = []
    run = tflite.Network.__call__

    def noted(self: tflite.Network, picture: tflite.Values) -> list[tflite.Values]:
        asked.append((self, picture))
        return run(self, picture)

    tflite.Network.__call__ = noted  # type: ignore[method-assign]
    try:
        yield asked
    finally:
        tflite.Network.__call__ = run  # type: ignore[method-assign]


@dataclass(frozen=True)
class Warm:
    """What pictures took in one process, each a mean in seconds of one picture."""

    total: float
    """Found and cut out, from the file to the pixels."""
    cpu: float
    """The same in CPU seconds."""
    own: float
    """The models' inference alone."""
    detection: float
    """People found, as in the frames of a video that are looked at."""
    steps: dict[str, float]
    """CPU seconds of each step, one picture after the other."""


def warm(paths: Sequence[Path]) -> Warm:
    """Each picture read, somebody found in it and cut out, by the worker's own steps, in as many lanes as there are cores, as
    frames of a video are. The models' time, and that of each step, are measured apart, with nothing beside them.
    """
    detector, matter = open_detector(), matting.open_matter("mediapipe")

    def read(path: Path) -> Picture:
        return np.asarray(picture.read(path))

    def found(shown: Picture) -> Box:
        there = people.find(detector, shown)
        return there.persons[people.choose(there, "Largest", SIZE)[0] - 1].box

    def cut(path: Path) -> matting.CutOut:
        shown = read(path)
        return matting.cut_out(shown, matting.refine(shown, matter.matte(shown, found(shown))))

    for _ in behind(paths[: detector.lanes], cut, detector.lanes):
        pass  # each lane has its models then
    count, since, cpu = len(paths), time.perf_counter(), time.process_time()
    for _ in behind(paths, cut, detector.lanes):
        pass
    total, cpu = time.perf_counter() - since, time.process_time() - cpu

    steps: defaultdict[str, float] = defaultdict(float)
    own = 0.0

    def spent(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        made = work()
        steps[name] += (time.process_time() - began) / count
        return made

    for path in paths:
        shown = spent("reading", partial(read, path))
        with inferences() as asked:
            box = spent("detection", partial(found, shown))
            raw = spent("matting", partial(matter.matte, shown, box))
        alpha = spent("mask", partial(matting.refine, shown, raw))
        spent("colours", partial(matting.cut_out, shown, alpha))
        since = time.perf_counter()
        for network, given in asked:
            network(given)
        own += time.perf_counter() - since
    seen = [read(path) for path in paths]
    since = time.perf_counter()
    for _ in filming.looked(detector, seen, confidence=people.CONFIDENCE, overlap=people.OVERLAP):
        pass
    detection = time.perf_counter() - since
    return Warm(total / count, cpu / count, own / count, detection / count, dict(steps))


def cold(paths: Sequence[Path]) -> float:
    """Seconds of detection with a process for each picture."""
    since = time.perf_counter()
    for path in paths:
        subprocess.run([sys.executable, "-c", ALONE, str(path)], check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - since


def m7(folder: Path, count: int) -> list[tuple[str, str]]:
    """The rows of M7: the best of three runs each, since anything else on the machine only adds."""
    paths = pictures(folder, count)
    warm(paths[:1])  # what is imported once, and pages of the models
    runs = [warm(paths) for _ in range(3)]
    total, own = (min(getattr(each, name) for each in runs) for name in ("total", "own"))
    detection = min(each.detection for each in runs)
    few = paths[: max(3, count // 4)]
    alone = min(cold(few) / len(few) for _ in range(2))
    best = min(runs, key=lambda each: each.total)
    per = [f"{name} {spent * 1000:.0f}" for name, spent in best.steps.items()]
    return [
        (
            f"M7: {count} pictures of {SIZE[0]}x{SIZE[1]} in one warm worker, a picture",
            f"{total * 1000:.0f} ms ({best.cpu * 1000:.0f} of CPU), {total / own:.2f} times the models' own {own * 1000:.0f} ms",
        ),
        ("one step after the other, ms of CPU", ", ".join(per)),
        ("detection, warm, a picture", f"{detection * 1000:.0f} ms"),
        ("detection with a process for each picture", f"{alone * 1000:.0f} ms, {alone / detection:.1f} times"),
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


def avatars(folder: Path, count: int, seconds: float) -> tuple[float, Lost, dict[str, int]]:
    """Wall seconds from the first submission to the last publication, what of it the lanes lost, and the most that each slot
    class held at once.
    """
    folder.mkdir()
    spans: dict[str, dict[str, list[str]]] = {}
    slots = {"detect": "yolo", "matte": "birefnet", "animate": "avatar"}

    def heard(line: str) -> None:
        """A stage works from its first word to its last; the status tells seconds, and when it was seen that it had ended."""
        if line.startswith("{") and (record := json.loads(line)).get("stage") in slots:
            spans.setdefault(slots[record["stage"]], {}).setdefault(record["uid"], []).append(record["time"])

    with studio(folder, seconds) as server:
        given = manifests(folder, count, f"http://127.0.0.1:{server.server_port}/avatars")
        since = time.monotonic()
        ended = run(
            given, file=None, output=folder / "out", store=folder / "store", allow_networks=("127.0.0.0/8",),
            log=heard, capacity=CAPACITY,
        )  # fmt: skip
        until = time.monotonic()
    for job in ended:
        if job.view.status.phase != "Succeeded":
            raise SystemExit(f"{job.view.name}: {job.view.status.failure}")
    most = {
        slot: max(sum(told[0] <= at[0] < told[-1] for told in held.values()) for at in held.values())
        for slot, held in spans.items()
    }
    return until - since, Lost.of(server, since, until, min(count, CAPACITY["avatar"])), most


def m8(folder: Path, count: int, seconds: float) -> list[tuple[str, str]]:
    """The rows of M8."""
    bound = seconds * -(-count // CAPACITY["avatar"])
    wall, lost, most = avatars(folder / "many", count, seconds)
    single, _, _ = avatars(folder / "one", 1, seconds)
    held = ", ".join(f"{slot} {number}" for slot, number in sorted(most.items()))
    parts = (("until the first talk", lost.ramp), ("until it is seen that one is done", lost.asking),
             ("until the next one begins", lost.handing), ("after the last one", lost.tail))  # fmt: skip
    return [
        (
            f"M8: {count} avatars, provider {seconds:.0f} s, slots 2/1/5",
            f"{wall:.1f} s, {bound / wall:.0%} of what the slots allow ({bound:.0f} s)",
        ),
        ("seconds a lane has no talk to make", ", ".join(f"{what} {spent:.1f}" for what, spent in parts)),
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
