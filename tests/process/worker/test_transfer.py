"""Files in and out over real pipes: whole or nothing, and the answer always on standard output (T-001, T-014)."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from starting import PIPES, prepared, started
from videojob_api.exits import ExitCode
from videojob_worker import transfer

BODY = bytes(range(256)) * 4096
PIPE_BYTES = 4096
"""So many fit into a pipe that nobody reads, however few the machine allows."""
SHA = hashlib.sha256(BODY).hexdigest()
PROGRAM = (
    "import argparse,sys; from videojob_worker import transfer; p=argparse.ArgumentParser();"
    "transfer.add_subcommands(p.add_subparsers(required=True)); a=p.parse_args(); sys.exit(a.func(a))"
)


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def answer(self) -> dict[str, Any]:
        return self.answers[-1]


def command(*args: str) -> list[str]:
    """The program for a process of its own."""
    return [sys.executable, "-c", PROGRAM, *args]


def parsed(*args: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    transfer.add_subcommands(parser.add_subparsers(required=True))
    return parser.parse_args(args)


def run(*args: str, stdin: bytes = b"") -> Ended:
    """The command in this process, its input through a real pipe that somebody else fills. The first bytes wait there."""
    given, taken = os.pipe()
    written = os.write(taken, stdin[:PIPE_BYTES])

    def fill() -> None:
        with suppress(BrokenPipeError), os.fdopen(taken, "wb") as pipe:
            pipe.write(stdin[written:])

    filler = threading.Thread(target=fill)
    filler.start()
    out = io.BytesIO()
    arguments = parsed(*args)
    try:
        code = (
            transfer.receive_command(arguments, given, out)
            if args[0] == "receive"
            else transfer.send_command(arguments, out)
        )
    finally:
        os.close(given)
        filler.join()
    return Ended(code, out.getvalue())


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def receive(inbox: Path, stdin: bytes, *more: str, length: int = len(BODY), sha: str = SHA) -> Ended:
    args = ("--inbox", str(inbox), "--scratch", str(inbox.parent), "--length", str(length), "--sha256", sha, *more)
    return run("receive", *args, stdin=stdin)


def test_an_upload_gets_its_digest_as_name_and_is_there_when_the_answer_comes(inbox: Path) -> None:
    ended = receive(inbox, BODY)
    taken = {"ok": True, "sha256": SHA, "sizeBytes": len(BODY)}
    assert (ended.code, ended.answers) == (0, [{"ok": True, "found": False}, taken])
    assert [path.name for path in inbox.iterdir()] == [SHA]
    assert (inbox / SHA).read_bytes() == BODY


def test_no_end_of_input_is_needed(inbox: Path) -> None:
    args = ("--inbox", str(inbox), "--scratch", str(inbox.parent), "--length", str(len(BODY)), "--sha256", SHA)
    with started(command("receive", *args), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(BODY)
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"ok": True, "found": False}
        assert json.loads(process.stdout.readline())["sha256"] == SHA
        assert process.wait(10) == 0


@dataclass(frozen=True)
class Case:
    name: str
    stdin: bytes
    code: str
    says: str
    exit_code: ExitCode = ExitCode.PERMANENT
    more: tuple[str, ...] = ()
    length: int = len(BODY)
    sha: str = SHA


CASES = (
    Case("an input that ends early", BODY[:5000], "ShortRead", "after 5000 of 1048576"),
    Case("an input longer than announced", BODY[:PIPE_BYTES], "TooLong", "More bytes came", length=PIPE_BYTES - 1),
    Case("bytes of another digest", BODY[:-1] + b"?", "WrongDigest", "have sha256"),
    Case("more announced than allowed", BODY, "FileTooLarge", "File too large", more=("--max-bytes", "1000")),
    Case("a negative length", BODY, "BadRequest", "is negative", length=-5),
    Case("a path in place of a digest", BODY, "BadRequest", "is not a sha256", sha="../../etc/passwd"),
    Case("a digest in capitals", BODY, "BadRequest", "is not a sha256", sha=SHA.upper()),
    Case("more announced than the disk holds", b"", "DiskFull", "free", ExitCode.RESOURCE,
         more=("--max-bytes", str(2**62)), length=2**61),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_upload_is_told_on_stdout_and_leaves_nothing(case: Case, inbox: Path) -> None:
    ended = receive(inbox, case.stdin, *case.more, length=case.length, sha=case.sha)
    assert ended.code == case.exit_code
    assert ended.answer["ok"] is False
    assert ended.answer["code"] == case.code
    assert case.says in ended.answer["error"]
    assert list(inbox.iterdir()) == []


def test_a_disk_that_fails_in_the_middle_is_told_and_leaves_nothing(inbox: Path) -> None:
    small_disk = "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))"
    args = ("--inbox", str(inbox), "--scratch", str(inbox.parent), "--length", str(len(BODY)), "--sha256", SHA)
    argv = prepared(small_disk, command("receive", *args))
    done = subprocess.run(argv, input=BODY, stdout=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == ExitCode.RECOVERABLE
    assert json.loads(done.stdout.splitlines()[-1])["code"] == "DiskError"
    assert list(inbox.iterdir()) == []


def test_an_inbox_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    ended = receive(tmp_path / "absent", BODY)
    assert (ended.code, ended.answer["code"]) == (ExitCode.CONFIG, "StoreMissing")
    assert str(tmp_path / "absent") in ended.answer["error"]


def test_after_an_error_the_rest_of_the_input_is_still_taken(inbox: Path) -> None:
    args = ("--inbox", str(inbox), "--scratch", str(inbox.parent), "--length", "99999999", "--sha256", SHA)
    argv = command("receive", *args, "--max-bytes", "10")
    with started(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"ok": True, "found": False}
        assert json.loads(process.stdout.readline())["code"] == "FileTooLarge"
        for _ in range(64):  # far beyond what a pipe holds: blocks for ever unless somebody reads
            process.stdin.write(BODY)
        process.stdin.close()
        assert process.wait(10) == ExitCode.PERMANENT


def test_whether_it_is_there_is_said_by_the_digest_of_what_is_there(inbox: Path) -> None:
    def first() -> dict[str, Any]:
        return receive(inbox, b"").answers[0]

    assert first() == {"ok": True, "found": False}
    (inbox / SHA).write_bytes(BODY)
    assert receive(inbox, b"").answers == [{"ok": True, "found": True, "sha256": SHA, "sizeBytes": len(BODY)}]
    (inbox / SHA).write_bytes(BODY[:-1])
    assert first() == {"ok": True, "found": False}
    (inbox / SHA).unlink()
    (inbox / "real").write_bytes(BODY)
    (inbox / SHA).symlink_to("real")
    assert first() == {"ok": True, "found": False}


def test_a_damaged_copy_is_replaced_by_a_new_upload(inbox: Path) -> None:
    (inbox / SHA).write_bytes(b"damaged")
    assert receive(inbox, BODY).code == 0
    assert (inbox / SHA).read_bytes() == BODY


def test_a_named_file_lies_below_the_folder_and_replaces_the_one_before(inbox: Path) -> None:
    (inbox / "tide").mkdir()
    (inbox / "tide/sea.jpg").write_bytes(b"an older picture")
    assert receive(inbox, BODY, "--name", "tide/sea.jpg").answer["ok"] is True
    assert receive(inbox, BODY, "--name", "tide/deep/er.jpg").answer["ok"] is True
    assert sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*") if path.is_file()) == [
        "tide/deep/er.jpg",
        "tide/sea.jpg",
    ]
    assert (inbox / "tide/sea.jpg").read_bytes() == BODY
    assert receive(inbox, b"", "--name", "tide/sea.jpg").answers[0]["found"] is True
    assert receive(inbox, b"", "--name", "tide/other.jpg").answers[0]["found"] is False


@pytest.mark.parametrize("name", ["../sea.jpg", "/etc/sea.jpg", "a//b", "link/sea.jpg", "file/sea.jpg", "tide", ""])
def test_a_name_that_leads_elsewhere_is_refused(inbox: Path, name: str) -> None:
    (inbox / "tide").mkdir()
    (inbox / "file").write_bytes(b"")
    (inbox / "link").symlink_to(inbox.parent)
    ended = receive(inbox, BODY, "--name", name)
    assert (ended.code, ended.answer["code"]) == (ExitCode.PERMANENT, "BadRequest")
    assert sorted(path.name for path in inbox.iterdir()) == ["file", "link", "tide"]
    assert list((inbox / "tide").iterdir()) == []


def test_parts_of_dead_uploads_go_after_an_hour_and_living_ones_stay(inbox: Path) -> None:
    dead, living = inbox / ".aa.bb.part", inbox / ".cc.dd.part"
    dead.write_bytes(b"x")
    living.write_bytes(b"x")
    os.utime(dead, (time.time() - 3700,) * 2)
    assert receive(inbox, BODY).code == 0
    assert {path.name for path in inbox.iterdir()} == {living.name, SHA}


class SlowDisk:
    """Something slow that goes on once signs of life have come: who gives none waits for ever, and fails."""

    def __init__(self, scratch: Path, signs: int = 3) -> None:
        self._left = signs
        self._seen = threading.Event()
        self.activity = transfer.Activity(scratch, sign=self._sign, every_seconds=0.01)

    def _sign(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._seen.set()

    def wait(self) -> None:
        assert self._seen.wait(30), "no sign of life came"


def test_reading_a_large_file_again_gives_signs_of_life(tmp_path: Path) -> None:
    """A pipe stands for a file that comes slowly from its disk."""
    disk = SlowDisk(tmp_path)
    os.mkfifo(tmp_path / "slow")

    def give() -> None:
        with (tmp_path / "slow").open("wb") as pipe:
            disk.wait()
            pipe.write(BODY)

    giver = threading.Thread(target=give)
    giver.start()
    assert transfer.digest_of(tmp_path / "slow", disk.activity) == SHA
    giver.join()
    assert disk.activity.age_seconds() < 60, "the pod's own `hold` was told too"


def test_forcing_bytes_to_a_slow_disk_gives_signs_of_life(inbox: Path) -> None:
    disk = SlowDisk(inbox.parent)

    def sync(fd: int) -> None:
        disk.wait()
        os.fsync(fd)

    given, taken = os.pipe()
    with os.fdopen(taken, "wb") as pipe:
        pipe.write(BODY[:1000])
    sha = hashlib.sha256(BODY[:1000]).hexdigest()
    source = transfer.Input.of_fd(given)
    ended = transfer.receive(source, inbox, length=1000, max_bytes=1000, sha256=sha, activity=disk.activity, sync=sync)
    os.close(given)
    assert ended["ok"] is True


def test_signs_of_life_are_empty_lines_on_standard_error(tmp_path: Path) -> None:
    """Standard output stays the answer's alone."""
    program = (
        "import sys,pathlib; from videojob_worker import transfer;"
        "a=transfer.Activity(pathlib.Path(sys.argv[1]), every_seconds=0.01)\n"
        "with a.working(): sys.stdin.readline()"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    with started(argv, stdin=subprocess.PIPE, **PIPES) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"\n"
        out, _ = process.communicate(b"\n", timeout=30)
    assert (process.returncode, out) == (0, b"")


# ---------------------------------------------------------------- out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "job"
    (root / "videos").mkdir(parents=True)
    (root / "videos" / "720p.mp4").write_bytes(BODY)
    (root / "videos" / "link.mp4").symlink_to("/etc/hostname")
    (root / "away").symlink_to("/etc")
    os.mkfifo(root / "videos" / "pipe")
    (tmp_path / "secret").write_text("not for you")
    return root


def send(root: Path, path: str) -> Ended:
    return run("send", path, "--root", str(root), "--scratch", str(root.parent))


def test_a_file_comes_with_length_first_and_digest_last(folder: Path) -> None:
    ended = send(folder, "videos/720p.mp4")
    head, rest = ended.out.split(b"\n", 1)
    assert ended.code == 0
    assert json.loads(head) == {"ok": True, "sizeBytes": len(BODY)}
    assert rest[: len(BODY)] == BODY
    assert json.loads(rest[len(BODY) :]) == {"ok": True, "sha256": SHA}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../secret", "BadRequest"),
        ("videos/../../secret", "BadRequest"),
        ("/etc/hostname", "BadRequest"),
        ("videos//720p.mp4", "BadRequest"),
        ("./videos/720p.mp4", "BadRequest"),
        ("", "BadRequest"),
        ("videos/link.mp4", "NotFound"),
        ("away/hostname", "NotFound"),
        ("videos", "NotFound"),
        ("videos/pipe", "NotFound"),
        ("videos/absent.mp4", "NotFound"),
        ("videos/720p.mp4/x", "NotFound"),
    ],
)
def test_nothing_leads_out_of_the_jobs_folder(folder: Path, path: str, code: str) -> None:
    ended = send(folder, path)
    assert ended.code == ExitCode.PERMANENT
    assert ended.answer["code"] == code


def test_a_file_that_shrinks_on_the_way_is_never_confirmed(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(BODY * 8)
    received: list[bytes] = []

    class Sink:
        def write(self, block: bytes) -> int:
            received.append(block)
            os.truncate(tmp_path / "big", 0)
            return len(block)

        def flush(self) -> None: ...

    with pytest.raises(transfer.TransferError, match="ended after") as caught:
        transfer.send(tmp_path, "big", Sink(), transfer.Activity(tmp_path))  # type: ignore[arg-type]  # enough of a file
    assert caught.value.code == "ShortRead"
    assert b"sha256" not in b"".join(received[1:])


# ---------------------------------------------------------------- waiting


def test_hold_ends_when_nothing_moves_and_not_before(tmp_path: Path) -> None:
    activity = transfer.Activity(tmp_path)
    with started(command("hold", "--idle-seconds", "1", "--scratch", str(tmp_path))) as process:
        for _ in range(8):
            time.sleep(0.25)
            assert process.poll() is None
            activity.tell(now=True)
        last = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - last >= 0.9


def test_hold_ends_at_once_on_sigterm(tmp_path: Path) -> None:
    with started(command("hold", "--idle-seconds", "600", "--scratch", str(tmp_path))) as process:
        deadline = time.monotonic() + 20
        while not (tmp_path / transfer.ACTIVITY).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_three_commands_default_to_the_stores_mounts() -> None:
    assert parsed("receive", "--length", "1", "--sha256", SHA).inbox == Path("/store/inbox")
    assert parsed("send", "videos/720p.mp4").root == Path("/store/job")
    assert parsed("hold").idle_seconds == 300
