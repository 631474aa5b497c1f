"""What people see, held by golden files: each screen of a VideoJob, and what stands beside a bar (S-006, X-026)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from videojob_api.v1alpha1 import FailureStatus, OutputStatus, VideoJobStatus
from videojob_api.v1alpha1.status import ConditionStatus, ProgressStatus, QueueStatus, StageStatus
from videojob_cli import show

GOLDEN = Path(__file__).parent / "golden/screens"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LONG = "interview-with-a-rather-long-name-4x7k2"


def job(name: str = "trailer", age: timedelta | None = None, **status: Any) -> dict[str, Any]:
    """A VideoJob as the API server gives it; without status nobody has seen it yet."""
    metadata: dict[str, Any] = {"namespace": "team", "name": name}
    if age is not None:
        metadata["creationTimestamp"] = (datetime.now(UTC) - age).isoformat()
    return {"metadata": metadata, **({"status": VideoJobStatus(**status).dump()} if status else {})}


def stages(*states: tuple[str, int]) -> tuple[StageStatus, ...]:
    names = ("Ingest", "Transcode", "Verify", "Commit")
    return tuple(
        StageStatus.model_validate(
            {"name": name, "group": "main", "state": state, "progress": progress}
            | ({"attempt": 1, "job": "trailer-main-a1"} if state != "Waiting" else {})
        )
        for name, (state, progress) in zip(names, states, strict=True)
    )


def output(name: str, file: str, size: int, width: int, height: int, codec: str, **more: Any) -> OutputStatus:
    return OutputStatus(
        name=name, profile=name, path=f"videos/{file}", uri=f"store://jobs/u/videos/{file}", media_type="video/mp4",
        size_bytes=size, sha256="0123456789abcdef" * 4, width=width, height=height, video_codec=codec, **more,
    )  # fmt: skip


NEW = job()
WAITING = QueueStatus(
    name="default", reason="WaitingForSlot", since=NOW, message="waits for slot cpu: 2 of 2 taken, 14 before it"
)
QUEUED = job(phase="Queued", type="transcode", queue=WAITING, stages=stages(*[("Waiting", 0)] * 4))
RUNNING = job(
    phase="Running",
    type="transcode",
    stage="Transcode",
    attempts=1,
    progress=ProgressStatus(percent=41, summary="41%", message="00:12 of 00:30", speed="1.52x", eta_seconds=95),
    stages=stages(("Succeeded", 100), ("Running", 38), ("Waiting", 0), ("Waiting", 0)),
)
FANNED = job(
    phase="Running",
    type="transcode",
    stage="NoopItem",
    attempts=2,
    progress=ProgressStatus(percent=63, summary="63%", message="NoopItem: 12 of 36 items, 2 failed"),
    stages=tuple(
        StageStatus.model_validate({"name": name, "group": name.lower(), "attempt": attempt, **more})
        for name, attempt, more in (
            ("NoopList", 1, {"state": "Succeeded", "progress": 100, "job": "trailer-nooplist-a1"}),
            ("NoopItem", 2, {
                "state": "Running", "progress": 33, "job": "trailer-noopitem-a2",
                "fanOut": {"total": 36, "succeeded": 12, "failed": 2, "active": 4, "left": "0-35"},
            }),
            ("NoopJoin", 0, {}),
        )
    ),
)  # fmt: skip
SHARING = job(
    phase="Running",
    type="avatar",
    stage="BackgroundRemoval",
    attempts=1,
    progress=ProgressStatus(percent=55, summary="55%"),
    stages=tuple(
        StageStatus.model_validate(
            {"name": name, "group": group, "state": state, "slot": slot, "attempt": 1, "job": made}
        )
        for name, group, state, slot, made in (
            ("Upload", "upload", "Succeeded", "cpu", "face-upload-a1"),
            ("Detection", "detect", "Succeeded", "yolo", "face-detect-a1"),
            ("BackgroundRemoval", "detect", "Running", "birefnet", "face-detect-a1"),
            ("AvatarGeneration", "animate", "Waiting", "avatar", None),
        )
    ),
)
REFUSED = job(
    phase="Pending",
    conditions=(
        ConditionStatus(
            type="Accepted",
            status="False",
            reason="ProfileNotFound",
            message="spec.transcode.profiles: there is no VideoProfile 4k",
            last_transition_time=NOW,
        ),
    ),
)
FAILED = job(
    phase="Failed",
    type="transcode",
    stage="Ingest",
    attempts=1,
    execution_time_ms=2150,
    stages=stages(("Failed", 0), ("Waiting", 0), ("Waiting", 0), ("Waiting", 0)),
    failure=FailureStatus(
        failure_class="Permanent",
        code="InvalidFileType",
        message="Invalid file type: text; allowed: mp4, mov, avi, mkv, webm",
        hint="submit a video file",
    ),
)
SUCCEEDED = job(
    phase="Succeeded",
    type="transcode",
    stage="Commit",
    attempts=1,
    execution_time_ms=7010,
    progress=ProgressStatus(percent=100, summary="100%"),
    stages=stages(*[("Succeeded", 100)] * 4),
    outputs=(
        output("720p", "720p.mp4", 1_772_160, 1280, 720, "h264", duration_ms=5010, frame_rate="25/1", audio_codec="aac",
               bitrate_kbps=2769),
        output("thumbnail", "thumbnail.jpg", 8800, 320, 180, "mjpeg"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    name: str
    given: Callable[[], str]


def listed(*, namespaces: bool) -> str:
    found = (
        {**job(name, age), "status": one.get("status")}
        for name, age, one in (
            ("trailer", timedelta(hours=50), SUCCEEDED),
            (LONG, timedelta(minutes=5), RUNNING),
            ("story", timedelta(minutes=9), FANNED),
            ("new", timedelta(0), NEW),
        )
    )
    return show.jobs(list(found), namespaces=namespaces)


CASES = (
    *(
        Case(f"status-{name}", lambda one=one: show.status(one))  # type: ignore[misc]
        for name, one in (
            ("new", NEW),
            ("queued", QUEUED),
            ("running", RUNNING),
            ("fanned-out", FANNED),
            ("sharing", SHARING),
            ("refused", REFUSED),
            ("failed", FAILED),
            ("succeeded", SUCCEEDED),
        )
    ),
    Case("list", lambda: listed(namespaces=False)),
    Case("list-everywhere", lambda: listed(namespaces=True)),
    Case("submitted", lambda: show.next_step(NEW)),
    Case("submitted-and-waited-for", lambda: show.next_step(SUCCEEDED)),
    Case("followed-by-a-pipe", lambda: followed([NEW, QUEUED, QUEUED, RUNNING, FANNED, SUCCEEDED], terminal=False)),
    Case("followed-in-a-terminal", lambda: last(followed([QUEUED, named(LONG, RUNNING)], terminal=True))),
    Case("uploading-to-a-pipe", lambda: uploading(terminal=False)),
)


def named(name: str, one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], "name": name}}


def console(*, terminal: bool, width: int = 80) -> tuple[Console, io.StringIO]:
    """As `show.stderr()` makes one, into a text; on a terminal of `width` columns without colours."""
    text = io.StringIO()
    made = Console(
        file=text,
        force_terminal=terminal,
        width=width,
        color_system=None,
        highlight=False,
        soft_wrap=True,
        legacy_windows=False,
    )
    return made, text


def followed(seen: Sequence[dict[str, Any]], *, terminal: bool) -> str:
    made, text = console(terminal=terminal)
    with show.Follower(made) as follower:
        for one in seen:
            follower(one)
    return text.getvalue()


def uploading(*, terminal: bool, name: str = "clip.mp4") -> str:
    made, text = console(terminal=terminal)
    with show.Bytes(f"uploading {name}", 10 * 2**20, made) as bar:
        bar.moved(4 * 2**20)
        bar.moved(6 * 2**20)
    return text.getvalue()


def last(text: str) -> str:
    """What stands on the terminal at the end: what was written after the last wiped line, at whatever time."""
    frame = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.rsplit("\x1b[2K", 1)[-1])
    return "\n".join(re.sub(r"\d:\d\d:\d\d$", "0:00:00", line) for line in frame.rstrip("\n").split("\n"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    assert case.given().rstrip("\n") + "\n" == (GOLDEN / f"{case.name}.txt").read_text()


def test_what_matters_stays_in_a_narrow_terminal() -> None:
    """A long name is cut; phase, percent and time are not."""
    line = last(followed([named(LONG, RUNNING)], terminal=True))
    assert len(line) <= 80
    assert re.search(r"^interview-.*… +Running .* 41% Transcode.* 0:00:00$", line), line


def test_brackets_in_names_are_no_markup() -> None:
    for terminal in (True, False):
        assert "uploading [/b] [red].mp4" in uploading(terminal=terminal, name="[/b] [red].mp4")
