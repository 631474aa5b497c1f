"""Which attempt is run again, what is fetched for it, and what is said when something is gone (`videojob repro`)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli_api import HandApi
from videojob_api.contract import Identity, StorePaths
from videojob_api.v1alpha1 import VideoJobStatus
from videojob_cli import transfer
from videojob_cli.attempts import choose
from videojob_cli.errors import CliError
from videojob_cli.evidence import Preparation, Prepared
from videojob_cli.origins import PodOrigin
from videojob_cli.repro import Outcome, Verdict, settled
from videojob_cli.sources import LocalFile
from workbench import KEYS as MADE
from workbench import plans

WHOSE = Identity(namespace="team", name="trailer", uid="u1")
KEYS = {**MADE, "detect": "d" * 32, "matte": "e" * 32}
BODY = b"not really a video"
SHA = hashlib.sha256(BODY).hexdigest()
SOURCE = {"uri": f"store://inbox/{SHA}", "filename": "clip.mp4"}
COMPACT = [{"name": "main", "stages": ["Ingest", "Transcode", "Verify", "Commit"]}]
SPREAD = [{"name": name.lower(), "stages": [name]} for name in ("Ingest", "Transcode", "Verify", "Commit")]


def stage(name: str, group: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "group": group, **more}


def status(*stages: dict[str, Any], **more: Any) -> VideoJobStatus:
    groups = SPREAD if any(each["group"] != "main" for each in stages) else COMPACT
    plan = {"execution": "Compact", "image": "w", "groups": groups}
    return VideoJobStatus.model_validate({"phase": "Failed", "plan": plan, "stages": list(stages), **more})


def failure(name: str, attempt: int, **more: Any) -> dict[str, Any]:
    return {"class": "Permanent", "code": "CorruptMedia", "stage": name, "attempt": attempt, "message": "bad", **more}


FAILED = (stage("Ingest", attempt=2, state="Succeeded"), stage("Transcode", attempt=2, state="Failed", failures=2))
MENDED = (stage("Ingest", attempt=2, state="Succeeded"), stage("Transcode", attempt=2, state="Succeeded", failures=1))


@dataclass(frozen=True)
class Choice:
    name: str
    given: VideoJobStatus
    expect: tuple[str, int, str, str] | str
    """Stage, attempt, group and container, or what is said."""
    stage: str | None = None
    attempt: int | None = None


CHOICES = (
    Choice("the latest failure", status(*FAILED, failure=failure("Transcode", 2)), ("Transcode", 2, "main", "work")),
    Choice(
        "an earlier attempt",
        status(*FAILED, failure=failure("Transcode", 2)),
        ("Transcode", 1, "main", "work"),
        None,
        1,
    ),
    Choice("another stage", status(*FAILED, failure=failure("Transcode", 2)), ("Ingest", 2, "main", "work"), "ingest"),
    Choice("the one before the success", status(*MENDED, phase="Succeeded"), ("Transcode", 1, "main", "work")),
    Choice(
        "a stage with a Job of its own",
        status(stage("Commit", "commit", attempt=1, state="Failed", failures=1), failure=failure("Commit", 1)),
        ("Commit", 1, "commit", "commit"),
    ),
    Choice(
        "none failed",
        status(stage("Ingest", attempt=1, state="Succeeded")),
        "No attempt of VideoJob trailer has failed",
    ),
    Choice("not begun", VideoJobStatus(phase="Pending"), "VideoJob trailer has not begun"),
    Choice("no such stage", status(*FAILED), "has no stage Mux; --stage takes one of: Ingest, Transcode", "Mux"),
    Choice("no such attempt", status(*FAILED), "has the attempts 1 to 2, not 3", "Transcode", 3),
    Choice(
        "a stage that never ran",
        status(*FAILED, stage("Verify")),
        "Stage Verify of VideoJob trailer has not begun",
        "Verify",
    ),
)


@pytest.mark.parametrize("case", CHOICES, ids=lambda case: case.name)
def test_which_attempt_is_meant(case: Choice) -> None:
    if isinstance(case.expect, str):
        with pytest.raises(CliError, match=case.expect):
            choose(WHOSE, case.given, case.stage, case.attempt)
        return
    found = choose(WHOSE, case.given, case.stage, case.attempt)
    assert (found.stage, found.number, found.group, found.container) == case.expect


# ---------------------------------------------------------------- what is fetched


def document(group: str, attempt: int, *kinds: str, source: dict[str, Any] | None = None) -> dict[str, Any]:
    reads = {"transcode": ["ingest"], "verify": ["transcode"], "commit": ["transcode", "verify"], "matte": ["detect"]}
    params = {
        "ingest": {"source": source or SOURCE, "limits": {}},
        "transcode": {"source": source or SOURCE, "outputs": plans(("360p",))},
        "verify": {"outputs": plans(("360p",))},
        "commit": {"outputs": plans(("360p",))},
        "detect": {"detection": {}},
        "matte": {"matting": {}},
    }
    stages = [
        {
            "kind": kind, "container": "commit" if kind == "commit" else "work", "key": KEYS[kind], "params": params[kind],
            "inputs": [{"stage": name, "key": KEYS[name]} for name in reads.get(kind, [])],
        }
        for kind in kinds
    ]  # fmt: skip
    return {"job": {"namespace": "x", "name": "x", "uid": "x"}, "group": group, "attempt": attempt, "stages": stages}


@dataclass
class Volume:
    """What lies in the store of the VideoJob."""

    api: HandApi
    job: Path = field(init=False)
    inbox: Path = field(init=False)

    def __post_init__(self) -> None:
        self.job, self.inbox = self.api.store / "team/jobs/u1", self.api.store / "team/inbox"
        self.inbox.mkdir(parents=True)
        (self.inbox / SHA).write_bytes(BODY)

    def debug(self, group: str, attempt: int, *kinds: str, **more: Any) -> None:
        folder = self.job / f"debug/{group}-a{attempt}"
        folder.mkdir(parents=True)
        container = "commit" if kinds[-1] == "commit" else "work"
        (folder / f"{container}.document.json").write_text(json.dumps(document(group, attempt, *kinds, **more)))
        for kind in kinds:
            (folder / f"{kind}.stderr.txt").write_text(f"{kind} said this\n")

    def made(self, kind: str, **files: bytes) -> None:
        folder = self.job / f"processed/{kind}/{KEYS[kind]}"
        folder.mkdir(parents=True)
        outputs = []
        for name, body in files.items():
            (folder / f"{name}.mp4").write_bytes(body)
            digest = hashlib.sha256(body).hexdigest()
            outputs.append({
                "name": name, "profile": name, "path": f"{name}.mp4", "uri": "x", "mediaType": "video/mp4", "width": 2,
                "height": 2, "sizeBytes": len(body), "sha256": digest, "videoCodec": "h264",
            })  # fmt: skip
        (folder / "stage.json").write_text(json.dumps({"kind": kind, "files": outputs}))


def prepare(volume: Volume, folder: Path, given: VideoJobStatus, file: LocalFile | None = None) -> Prepared:
    attempt = choose(WHOSE, given, None, None)
    with transfer.transfer_pod(volume.api, "team", image="w", claim="c", direction="evidence", uid="u1") as pod:
        return Preparation(PodOrigin(pod), attempt, given, folder, file).prepare()


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(HandApi(tmp_path / "volume", "team"))


def test_the_document_is_run_up_to_the_stage_with_its_input_in_place(volume: Volume, tmp_path: Path) -> None:
    """Whose work it is says the VideoJob: a document that was tampered with leads nowhere else."""
    volume.debug("main", 1, "ingest", "transcode", "verify", "commit")
    (volume.job / "debug/main-a1/commit.document.json").rename(volume.job / "debug/main-a1/work.document.json")
    found = prepare(volume, tmp_path / "here", status(*FAILED, failure=failure("Transcode", 1)))
    assert [task.kind for task in found.document.stages] == ["ingest", "transcode"]
    assert found.document.job == WHOSE
    assert (tmp_path / "here/store/team/inbox" / SHA).read_bytes() == BODY
    assert (found.then / "transcode.stderr.txt").read_text() == "transcode said this\n"
    assert not (found.then / "verify.stderr.txt").exists()
    assert found.notes == ()
    assert volume.api.pods() == []


SPREAD_STATUS = status(
    stage("Ingest", "ingest", attempt=1, state="Succeeded"),
    stage("Transcode", "transcode", attempt=2, state="Succeeded"),
    stage("Verify", "verify", attempt=1, state="Failed", failures=1),
    failure=failure("Verify", 1),
)


def test_outputs_of_earlier_jobs_are_fetched(volume: Volume, tmp_path: Path) -> None:
    volume.debug("verify", 1, "verify")
    volume.made("transcode", film=b"pictures")
    found = prepare(volume, tmp_path / "here", SPREAD_STATUS)
    assert [task.kind for task in found.document.stages] == ["verify"]
    film = tmp_path / f"here/store/team/jobs/u1/processed/transcode/{KEYS['transcode']}/film.mp4"
    assert film.read_bytes() == b"pictures"


@pytest.mark.parametrize("spoilt", [False, True], ids=["gone", "not as they were"])
def test_outputs_that_are_gone_are_made_anew(spoilt: bool, volume: Volume, tmp_path: Path) -> None:
    """Verify's own failure removes them: the Jobs before it left their documents."""
    volume.debug("ingest", 1, "ingest")
    volume.debug("transcode", 2, "transcode")
    volume.debug("verify", 1, "verify")
    if spoilt:
        volume.made("transcode", film=b"pictures")
        (volume.job / f"processed/transcode/{KEYS['transcode']}/film.mp4").write_bytes(b"others")
    found = prepare(volume, tmp_path / "here", SPREAD_STATUS)
    assert [task.kind for task in found.document.stages] == ["ingest", "transcode", "verify"]
    assert [note.split(" are ")[0] for note in found.notes] == ["the outputs of Transcode", "the outputs of Ingest"]
    assert (tmp_path / "here/store/team/inbox" / SHA).read_bytes() == BODY


def apart(failed: str, attempt: int, **found: Any) -> VideoJobStatus:
    """An avatar whose detection and cut-out had shared a pod, which has failed."""
    groups = [{"name": "detect", "stages": ["Detection"]}, {"name": "matte", "stages": ["BackgroundRemoval"]}]
    stages = [
        stage("Detection", "detect", attempt=1, **({"state": "Succeeded"} | found)),
        stage("BackgroundRemoval", "matte", attempt=attempt, state="Failed", failures=attempt),
    ]
    given = {"phase": "Failed", "plan": {"execution": "Compact", "image": "w", "groups": groups}, "stages": stages}
    return VideoJobStatus.model_validate({**given, "failure": failure(failed, attempt)})


def test_an_attempt_in_a_shared_pod_is_found_under_the_name_it_ran_by(volume: Volume, tmp_path: Path) -> None:
    """A-005: one Job did both; by now they are groups of their own."""
    volume.debug("detect", 1, "detect", "matte")
    found = prepare(volume, tmp_path / "here", apart("BackgroundRemoval", 1))
    assert (found.attempt.group, found.attempt.number, found.attempt.stage) == ("detect", 1, "BackgroundRemoval")
    assert [task.kind for task in found.document.stages] == ["detect", "matte"]


def test_a_later_attempt_of_its_own_is_found_under_its_own_name(volume: Volume, tmp_path: Path) -> None:
    volume.debug("detect", 1, "detect", "matte")
    volume.debug("matte", 2, "matte")
    found = prepare(volume, tmp_path / "here", apart("BackgroundRemoval", 2))
    assert (found.attempt.group, found.attempt.number) == ("matte", 2)
    assert [task.kind for task in found.document.stages] == ["detect", "matte"], (
        "the detection is made anew: it is gone"
    )


def test_a_cut_out_that_has_left_nothing_is_not_looked_for_in_a_detection_of_its_own(
    volume: Volume, tmp_path: Path
) -> None:
    volume.debug("detect", 1, "detect")
    with pytest.raises(CliError, match="Attempt 1 of group matte of VideoJob trailer has left nothing in the store"):
        prepare(volume, tmp_path / "here", apart("BackgroundRemoval", 1))


@dataclass(frozen=True)
class Gone:
    name: str
    spoil: Callable[[Volume], object]
    says: str
    retention: dict[str, Any] = field(default_factory=dict)


PAST, FUTURE = "2026-01-02T03:04:05Z", "2999-01-01T00:00:00Z"
GONE = (
    Gone(
        "the input's time is over",
        lambda v: (v.inbox / SHA).unlink(),
        r"The input store://inbox/\S+ of VideoJob trailer is not there any more: its retention \(spec.retention."
        r"uploadsSeconds\) is over since 2026-01-02 03:04:05 UTC. Give the file itself with --file \(sha256",
        {"uploadsExpiresAt": PAST},
    ),
    Gone(
        "the input is gone before its time",
        lambda v: (v.inbox / SHA).unlink(),
        "it was moved or deleted",
        {"uploadsExpiresAt": FUTURE},
    ),
    Gone(
        "the evidence's time is over",
        lambda v: shutil.rmtree(v.job / "debug"),
        r"Attempt 1 of group main of VideoJob trailer has left nothing.*spec.retention.debugSeconds\) is over since 2026",
        {"debugExpiresAt": PAST},
    ),
    Gone("there never was any", lambda v: shutil.rmtree(v.job / "debug"), "its container never began"),
    Gone(
        "a document of another make",
        lambda v: (v.job / "debug/main-a1/work.document.json").write_text("{}"),
        "is no task document of this version",
    ),
    Gone(
        "a source outside",
        lambda v: (v.job / "debug/main-a1/work.document.json").write_text(
            json.dumps(document("main", 1, "ingest", "transcode", source={"uri": "store://stock/../../x"}))
        ),
        "leads out of its folder",
    ),
    Gone(
        "credentials that nobody keeps",
        lambda v: (v.job / "debug/main-a1/work.document.json").write_text(
            json.dumps(document("main", 1, "ingest", "transcode", source={"uri": "https://***@example.com/a.mp4"}))
        ),
        "was given credentials, which debug/ does not keep",
    ),
)


@pytest.mark.parametrize("case", GONE, ids=lambda case: case.name)
def test_what_is_gone_is_said_with_the_remedy(case: Gone, volume: Volume, tmp_path: Path) -> None:
    volume.debug("main", 1, "ingest", "transcode")
    evidence = {"inputs": [{"name": SOURCE["uri"], "sha256": SHA}]}
    (volume.job / "debug/main-a1/work.evidence.json").write_text(json.dumps(evidence))
    case.spoil(volume)
    given = status(*FAILED, failure=failure("Transcode", 1), retention=case.retention or None)
    with pytest.raises(CliError, match=case.says):
        prepare(volume, tmp_path / "here", given)
    assert volume.api.pods() == []


def test_a_file_given_by_hand_must_be_the_input(volume: Volume, tmp_path: Path) -> None:
    volume.debug("main", 1, "ingest", "transcode")
    evidence = {"inputs": [{"name": SOURCE["uri"], "sha256": SHA}]}
    (volume.job / "debug/main-a1/work.evidence.json").write_text(json.dumps(evidence))
    (volume.inbox / SHA).unlink()
    given = status(*FAILED, failure=failure("Transcode", 1))
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(BODY)
    prepare(volume, tmp_path / "here", given, LocalFile(clip, SHA, len(BODY)))
    assert (tmp_path / "here/store/team/inbox" / SHA).read_bytes() == BODY
    with pytest.raises(CliError, match="is not the input: its sha256 is 000"):
        prepare(volume, tmp_path / "here", given, LocalFile(clip, "0" * 64, 1))


# ---------------------------------------------------------------- then and now


LINES = (
    ("[mov,mp4 @ 0x55d0c0ffee00] moov atom not found", "[mov,mp4 @ 0x…] moov atom not found"),
    ("file:/data/team/inbox/ab: Invalid data", "file:<inbox>/ab: Invalid data"),
    (
        "/data/team/jobs/u1/processed/transcode/.k1.a2.pod-9/x.mp4: No space",
        "<job>/processed/transcode/.k1/x.mp4: No space",
    ),
    ("frame=  12 fps=0.0", "frame=  12 fps=0.0"),
)


@pytest.mark.parametrize(("line", "expect"), LINES)
def test_a_line_without_what_differs_from_run_to_run(line: str, expect: str) -> None:
    store = StorePaths(job="/data/team/jobs/u1", inbox="/data/team/inbox", stock="/data/team/stock", scratch="/data")
    assert settled(line, store) == expect


def test_what_agreeing_means() -> None:
    at = choose(WHOSE, status(*FAILED, failure=failure("Transcode", 2)), None, None)
    then = Outcome(75, "FFmpegFailed", "Transcode", "broken", "5.1")
    assert Verdict(at, then, Outcome(75, "FFmpegFailed", "Transcode", "broken", "7.1"), Path("x")).agrees
    for other in (
        Outcome(0, None, None, "broken"),
        Outcome(75, "FFmpegFailed", "Transcode", "else"),
        Outcome(75, "X", "Ingest", "broken"),
    ):
        found = Verdict(at, then, other, Path("x"))
        assert not found.agrees
        assert "They differ" in str(found)
        assert found.dump()["agrees"] is False
