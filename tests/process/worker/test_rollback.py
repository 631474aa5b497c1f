"""What a failed attempt leaves: nothing but `debug/` and what the folder keeps about itself, without any secret.

A-004, X-010; cases 59 and 62.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from videojob_api.contract import Progress, TaskDocument
from videojob_api.sweeping import RETENTION_FILE, KeptRetention
from videojob_worker.base.errors import Recoverable
from videojob_worker.base.logs import json_log
from workbench import UID, Workbench

SIGNED = "https://ann:s3cret@host/k.mp4?X-Amz-Signature=abcdef"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "store")


def texts(folder: Path) -> str:
    """Everything that lies in a folder."""
    return "\n".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


def test_a_permanent_failure_leaves_debug_and_the_policy_only(bench: Workbench) -> None:
    """Also what a commit had moved to videos/ before it was stopped: without a manifest it was never published."""
    (bench.job / "videos").mkdir()
    (bench.job / "videos" / "720p.mp4").write_bytes(b"half")
    (bench.job / "processed" / "transcode").mkdir(parents=True)
    kept = KeptRetention(uid=UID, deletion_policy="Retain")
    result = bench.put_bytes(b"<html>no video</html>").run("work", bench.document(retention=kept.dump()))
    assert result.exit_code == 65
    assert bench.entries() == {"debug", RETENTION_FILE}
    assert KeptRetention.model_validate_json((bench.job / RETENTION_FILE).read_bytes()) == kept


def test_every_attempt_writes_its_policy_anew(bench: Workbench) -> None:
    """A sweep that asked before sees another file by its inode, and keeps off the folder (case 78)."""
    kept = KeptRetention(uid=UID).dump()
    bench.put_bytes(b"<html>").run("work", bench.document(1, retention=kept))
    first = (bench.job / RETENTION_FILE).stat()
    bench.run("work", bench.document(2, retention=kept))
    second = (bench.job / RETENTION_FILE).stat()
    assert (first.st_ino, first.st_mtime_ns) != (second.st_ino, second.st_mtime_ns)


def test_a_published_job_keeps_its_outputs_when_a_later_attempt_fails(bench: Workbench) -> None:
    (bench.job / "videos").mkdir()
    (bench.job / "videos" / "720p.mp4").write_bytes(b"whole")
    (bench.job / "manifest.json").write_text("{}")
    bench.put_bytes(b"<html>").run("work")
    assert {"videos", "manifest.json"} <= bench.entries()


def test_no_secret_lands_in_debug_in_the_logs_or_in_the_result(bench: Workbench) -> None:
    """Wherever a URL comes from, what people read has neither its user's password nor its signature."""
    job = {"namespace": "team", "name": "trailer", "uid": UID, "externalId": SIGNED}
    result = bench.put_bytes(b"<html>", filename="Bearer abcdef1234567890.mp4").run("work", bench.document(job=job))
    assert result.exit_code == 65
    said = texts(bench.job / "debug") + json.dumps(bench.logs) + result.model_dump_json()
    for secret in ("s3cret", "abcdef"):
        assert secret not in said
    assert "https://***@host/k.mp4?***" in said, "what is not secret stays"


def test_a_failure_and_a_log_record_hide_what_is_secret() -> None:
    failure = Recoverable("FetchFailed", f"GET {SIGNED} failed", hint=f"try {SIGNED}", log_tail=f"GET {SIGNED}").status(
        "Fetch", 1
    )
    assert "s3cret" not in failure.model_dump_json()
    out = io.StringIO()
    log = json_log(out)
    document = {"job": {"namespace": "n", "name": SIGNED, "uid": "u"}, "group": "g", "attempt": 1}
    stage = {"kind": "ingest", "container": "work", "key": "k", "params": {}}
    log.describe(TaskDocument.model_validate(document | {"stages": [stage]}), "work")
    log.info(
        f"reading {SIGNED}",  # noqa: G004 - what is tested
        extra={"progress": Progress(uid="u", group="g", attempt=1, stage="ingest", message=SIGNED).dump()},
    )
    assert "s3cret" not in out.getvalue()
    assert "abcdef" not in out.getvalue()
