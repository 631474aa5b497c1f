"""One container's life: stops, crashes, full disks, lost channels; what is left behind, and what the next attempt makes of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from clips import Clips
from videojob_api.contract import Progress, RunResult
from videojob_api.exits import ExitCode
from workbench import FIVE, KEYS, UID, Workbench, plans, wait_for


def encoding(record: dict[str, object]) -> bool:
    """Whether this log record says that FFmpeg has begun to encode."""
    progress = record.get("progress")
    return isinstance(progress, dict) and progress["stage"] == "transcode"


def children(pid: int) -> list[int]:
    """Processes that this one started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_sigterm_in_the_middle_of_a_transcode(bench: Workbench, clips: Clips) -> None:
    """Exit 143, FFmpeg ended, staging removed, ingest's work kept for the next attempt."""
    bench.outputs = plans(FIVE)
    process = bench.put(clips("camera")).start()
    wait_for(process.stdout, encoding)
    tools = children(process.pid)
    assert tools
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == ExitCode.STOPPED
    assert all(gone(pid) for pid in tools)
    assert bench.staged() == []
    assert bench.entries() == {"debug", "processed"}
    result = RunResult.model_validate_json((bench.root / "message").read_bytes())
    assert result.failure is not None
    assert (result.failure.failure_class, result.failure.code) == ("Disruption", "Disrupted")
    assert [stage.kind for stage in result.stages] == ["ingest"]


def test_a_crash_is_mended_by_the_next_attempt(bench: Workbench, clips: Clips) -> None:
    """Case 69 and 42: SIGKILL of the container in the middle; attempt 2 takes over what is whole and clears the rest."""
    bench.outputs = plans(FIVE)
    process = bench.put(clips("camera")).start()
    wait_for(process.stdout, encoding)
    for pid in [*children(process.pid), process.pid]:  # a container dies as a whole
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert bench.staged() == [f".{KEYS['transcode']}.a1.local-{process.pid}"]
    assert not (bench.job / "manifest.json").exists()
    work = bench.run("work", bench.document(2))
    assert [stage.reused for stage in work.stages] == [True, False, False]
    assert bench.staged() == []
    assert bench.run("commit", bench.document(2)).exit_code == 0
    assert bench.entries() == {"debug", "videos", "manifest.json"}


def test_verified_outputs_are_taken_again_and_changed_ones_are_not(bench: Workbench, clips: Clips) -> None:
    """A stage whose folder is whole is not run twice; one flipped byte makes it run again, to the same bytes, so that
    what was verified stays so (one thread: with more, the bytes would be others, and verified again).
    """
    bench.run_limits = {"threads": 1}
    document = bench.put(clips("small")).document()
    assert bench.run("work", document).exit_code == 0
    again = bench.run("work", bench.document(2))
    assert [stage.reused for stage in again.stages] == [True, True, True]
    film = bench.job / "processed/transcode" / KEYS["transcode"] / "360p.mp4"
    data = bytearray(film.read_bytes())
    data[-1] ^= 1
    film.write_bytes(data)
    third = bench.run("work", bench.document(3))
    assert [stage.reused for stage in third.stages] == [True, False, True]


def test_a_full_disk_is_a_matter_of_resources(bench: Workbench, clips: Clips) -> None:
    """Case 69: no room for the outputs; nothing half-written stays, and with room the same job succeeds."""
    bench.outputs = plans(("720p",))
    bench.put(clips("camera"))
    result = bench.run(prefix=("prlimit", f"--fsize={100 * 1024}"))
    assert result.failure is not None
    assert (result.exit_code, result.failure.code) == (ExitCode.RESOURCE, "DiskFull")
    assert bench.staged() == []
    assert bench.both(2).exit_code == 0


def test_the_user_s_deadline_ends_ffmpeg(bench: Workbench, clips: Clips) -> None:
    """T-021: `FFmpeg timeout`."""
    bench.outputs = plans(FIVE)
    bench.run_limits = {"threads": 1, "timeoutSeconds": 2}
    result = bench.put(clips("long-hd")).run()
    assert result.failure is not None
    assert (result.exit_code, result.failure.code) == (ExitCode.STALLED, "Timeout")
    assert "FFmpeg timeout" in result.failure.message
    assert bench.staged() == []


def test_commit_can_be_repeated(bench: Workbench, clips: Clips) -> None:
    """A second commit changes nothing; a crash between the moves and the manifest is mended."""
    document = bench.put(clips("small")).document()
    bench.run("work", document)
    stage = bench.job / "processed/transcode" / KEYS["transcode"]
    (bench.job / "videos").mkdir()
    (stage / "360p.mp4").rename(bench.job / "videos/360p.mp4")  # as a crash after the first move leaves it
    (bench.job / "videos/left-over.mp4").write_bytes(b"x")
    first = bench.run("commit", document)
    assert first.exit_code == 0
    assert [path.name for path in (bench.job / "videos").iterdir()] == ["360p.mp4"]
    manifest = (bench.job / "manifest.json").read_bytes()
    second = bench.run("commit", bench.document(2))
    assert (second.exit_code, second.stages[0].reused) == (0, True)
    assert second.stages[0].files == first.stages[0].files
    assert (bench.job / "manifest.json").read_bytes() == manifest


def test_a_publication_is_never_replaced_by_another(bench: Workbench, clips: Clips) -> None:
    """A manifest of other keys is refused, and left alone."""
    bench.put(clips("small")).both()
    manifest = (bench.job / "manifest.json").read_bytes()
    other = bench.document(2)
    for stage in other["stages"]:
        stage["inputs"] = [{**given, "key": "f" * 32} for given in stage["inputs"]]
    result = bench.run("commit", other)
    assert result.failure is not None
    assert (result.exit_code, result.failure.code) == (ExitCode.PERMANENT, "ManifestConflict")
    assert (bench.job / "manifest.json").read_bytes() == manifest
    assert bench.entries() == {"debug", "videos", "manifest.json"}


def test_commit_publishes_no_byte_that_was_not_verified(bench: Workbench, clips: Clips) -> None:
    """Case 44: what changed between verify and commit stops the publication."""
    document = bench.put(clips("small")).document()
    bench.run("work", document)
    film = bench.job / "processed/transcode" / KEYS["transcode"] / "360p.mp4"
    film.write_bytes(film.read_bytes() + b"x")
    result = bench.run("commit", document)
    assert result.failure is not None
    assert (result.exit_code, result.failure.code) == (ExitCode.RECOVERABLE, "VerifyFailed")
    assert not (bench.job / "manifest.json").exists()


def test_a_source_that_was_replaced_after_ingest_is_refused(bench: Workbench, clips: Clips) -> None:
    """Case 44: what ingest found must hold for the bytes that are encoded."""
    document = bench.put(clips("small")).document()
    assert bench.run("work", document).exit_code == 0
    (bench.job / "processed/transcode" / KEYS["transcode"] / "360p.mp4").unlink()
    bench.upload.write_bytes(clips("tiny").read_bytes())
    result = bench.run("work", bench.document(2))
    assert result.failure is not None
    assert (result.exit_code, result.failure.code) == (ExitCode.PERMANENT, "SourceChanged")


def test_report_brings_back_what_an_attempt_left(bench: Workbench, clips: Clips) -> None:
    """Case 4: the pod object is gone, its results lie in the store."""
    work_and_commit = bench.put(clips("small")).both()
    stage = {"kind": "report", "container": "commit", "key": "5" * 32, "params": {"group": "main", "attempt": 1}}
    result = bench.run("commit", bench.document(1, "report", stages=[stage]))
    assert result.exit_code == 0
    assert [item.container for item in result.reported] == ["work", "commit"]
    assert result.reported[1] == work_and_commit
    stage["params"] = {"group": "main", "attempt": 7}
    nothing = bench.run("commit", bench.document(2, "report", stages=[stage]))
    assert (nothing.exit_code, nothing.reported) == (0, ())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("another version", {"version": 99}, "version 99"),
        (
            "an unknown kind",
            {"stages": [{"kind": "x", "container": "work", "key": "a", "params": {}}]},
            "unknown stage kind",
        ),
        (
            "no stage for this container",
            {"stages": [{"kind": "report", "container": "c", "key": "a", "params": {}}]},
            "'work'",
        ),
        (
            "a key that is a path",
            {"stages": [{"kind": "ingest", "container": "work", "key": "../x", "params": {}}]},
            "key",
        ),
        ("wrong params", {"stages": [{"kind": "ingest", "container": "work", "key": "a", "params": {}}]}, "source"),
        ("no attempt", {"attempt": None}, "attempt"),
        ("an address that is none", {"operatorUrl": "ftp://x"}, "operatorUrl"),
    ],
)
def test_a_document_that_is_not_as_agreed(
    name: str, change: dict[str, object], message: str, bench: Workbench, clips: Clips
) -> None:
    """Exit 78, the field named, nothing touched."""
    result = bench.put(clips("small")).run("work", {**bench.document(), **change})
    assert result.failure is not None
    assert (result.exit_code, result.failure.code) == (ExitCode.CONFIG, "BadDocument")
    assert message in result.failure.message
    assert result.uid == UID
    assert bench.entries() == set()


class Operator(ThreadingHTTPServer):
    """An operator's port: remembers what it is sent, answers with one status."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.seen: list[tuple[str, str | None, dict[str, object]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Operator

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(params=[204, 403, 503])
def operator(request: pytest.FixtureRequest) -> Iterator[Operator]:
    """An operator that takes news, refuses it, or is in trouble."""
    server = Operator(request.param)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_progress_reaches_the_operator_and_never_matters(operator: Operator, bench: Workbench, clips: Clips) -> None:
    """A-012, case 71 and 72: posted with the token, logged alike; a refusal changes nothing."""
    bench.operator_url = operator.url
    bench.outputs = plans(("720p", "480p"))
    result = bench.put(clips("camera")).run()
    assert result.exit_code == 0
    assert operator.seen
    assert {(path, token) for path, token, _ in operator.seen} == {("/v1/progress", "Bearer a-token")}
    posted = [Progress.model_validate(body) for _, _, body in operator.seen]
    logged = [Progress.model_validate(record["progress"]) for record in bench.logs if "progress" in record]
    assert posted == logged[: len(posted)]
    assert all((item.uid, item.group, item.attempt) == (UID, "main", 1) for item in posted)


def test_nobody_answers(bench: Workbench, clips: Clips) -> None:
    """Case 71: an operator that is gone for the whole stage."""
    bench.operator_url = "http://127.0.0.1:9"
    assert bench.put(clips("small")).run().exit_code == 0


def test_every_record_names_the_job(bench: Workbench, clips: Clips) -> None:
    """T-012."""
    bench.put(clips("small")).run()
    assert bench.logs
    for record in bench.logs:
        assert (record["job"], record["namespace"], record["group"], record["attempt"]) == (
            "trailer",
            "team",
            "main",
            1,
        )
        assert record["time"]
        assert record["level"]
    assert {record.get("stage") for record in bench.logs} >= {"ingest", "transcode", "verify"}
