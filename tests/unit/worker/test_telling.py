"""What a container says: progress at its pace, a result that fits the kubelet's 4,096 bytes (A-010, A-012, case 43)."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from threading import Event

import pytest

from videojob_api import contract, places
from videojob_api.contract import Progress, RunResult, StageResult
from videojob_api.stages import KINDS
from videojob_api.v1alpha1.status import FailureStatus, InputStatus, OutputStatus
from videojob_worker.base import results
from videojob_worker.base.channel import Channel, Pacer, Reporter
from videojob_worker.base.errors import BadConfig
from videojob_worker.base.logs import json_log

INPUT = InputStatus(
    size_bytes=1,
    sha256="a" * 64,
    container="mp4",
    duration_ms=1,
    width=2,
    height=2,
    frame_rate="30/1",
    video_codec="h264",
)
FILE = OutputStatus(
    name="720p", profile="720p", path="videos/720p.mp4", uri="store://jobs/u/videos/720p.mp4", media_type="video/mp4",
    size_bytes=1, sha256="a" * 64, width=1280, height=720, video_codec="h264",
)  # fmt: skip
PROGRESS = Progress(uid="u", group="main", attempt=1, stage="transcode", percent=1)


def result(**more: object) -> RunResult:
    return RunResult.model_validate(
        {"uid": "u", "group": "main", "attempt": 1, "container": "work", "exitCode": 0, **more}
    )


def test_news_waits_two_seconds_and_silence_is_broken_after_ten() -> None:
    pacer = Pacer(2, 10)
    assert pacer.wait(100, news=True) == 0
    pacer.sent(100)
    assert pacer.wait(100.5, news=True) == 1.5
    assert pacer.wait(102, news=True) == 0
    assert pacer.wait(104, news=False) == 6
    assert pacer.wait(110, news=False) == 0


def test_the_latest_news_is_sent_and_closing_waits_for_nobody() -> None:
    sent: list[Progress] = []
    under_way, released = Event(), Event()

    def send(progress: Progress) -> None:
        sent.append(progress)
        under_way.set()
        released.wait(30)

    reporter = Reporter(send)
    reporter.start()
    reporter.update(PROGRESS)
    assert under_way.wait(30)
    reporter.update(PROGRESS.model_copy(update={"percent": 2}))
    reporter.close()  # returns although a post hangs
    released.set()
    assert sent == [PROGRESS]


def test_a_lost_channel_is_no_error(tmp_path: Path) -> None:
    """Case 71 and 72: nobody there, no token, nobody to tell."""
    (tmp_path / "token").write_text("t")
    assert Channel("http://127.0.0.1:9", tmp_path / "token", timeout=1).post("/v1/progress", b"{}") is None
    assert Channel("http://127.0.0.1:9", tmp_path / "none", timeout=1).post("/v1/progress", b"{}") is None
    assert Channel(None, tmp_path / "token").post("/v1/progress", b"{}") is None
    with pytest.raises(BadConfig, match="operatorUrl"):
        Channel("file:///etc", tmp_path / "token")


def test_a_small_result_stands_whole_in_the_message() -> None:
    told = result()
    assert RunResult.model_validate_json(results.message(told)) == told


def test_a_large_result_leaves_a_stub_with_its_digest() -> None:
    stages = [StageResult(kind="commit", files=(FILE,) * 20).dump()]
    failure = FailureStatus(failure_class="Recoverable", code="X", message="m", log_tail="y" * 900).dump()
    told = result(stages=stages, failure=failure)
    body = contract.canonical_json(told.dump())
    stub = RunResult.model_validate_json(results.message(told))
    assert len(results.message(told)) <= contract.MAX_MESSAGE_BYTES < len(body)
    assert (stub.sha256, stub.size_bytes) == (hashlib.sha256(body).hexdigest(), len(body))
    assert stub.stages == ()
    assert stub.failure is not None
    assert stub.failure.code == "X"


def test_a_result_tells_input_and_publication_once() -> None:
    brief = {kind: results.brief(StageResult(kind=kind, input=INPUT, files=(FILE,))) for kind in KINDS}
    assert [kind for kind, stage in brief.items() if stage.input is not None] == ["ingest"]
    assert [kind for kind, stage in brief.items() if stage.files] == ["commit", "finalize", "deliver"]


def test_the_kubelet_s_file_is_never_made_by_the_worker(tmp_path: Path) -> None:
    """On a machine without a kubelet /dev/termination-log would be an ordinary file in /dev."""
    if not Path(places.TERMINATION_PATH).exists():
        results.write_termination(Path(places.TERMINATION_PATH), result(), json_log())
        assert not Path(places.TERMINATION_PATH).exists()
    results.write_termination(tmp_path / "message", result(), json_log())
    assert RunResult.model_validate_json((tmp_path / "message").read_bytes()) == result()


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_of_the_table_has_its_module(kind: str) -> None:
    assert callable(importlib.import_module(f"videojob_worker.stages.{KINDS[kind].module or kind}").run)
