"""What an avatar that nobody goes on with leaves at its provider: nothing, and nothing that was paid is lost (A-004, A-046)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import avatars
from didserver import HANG_UP, KEY, MP4, DidServer, did, problem
from videojob_api.avatar.params import Animator
from videojob_api.avatar.tasks import WithdrawParams, of
from videojob_api.contract import FetchPolicy, Identity, RunResult, StageTask, StorePaths, TaskDocument, canonical_json
from videojob_worker import runner
from videojob_worker.base.errors import External, Stopped, WorkerError
from videojob_worker.base.watch import Stop
from videojob_worker.providers.avatars import provider
from videojob_worker.providers.avatars.base import VIDEO, Errand, kept
from videojob_worker.stages.animate import tag_of

DIGEST = hashlib.sha256(MP4).hexdigest()
OUTAGE = problem(503, "ServiceUnavailable", "outage")
NEVER = ("created", "started")


def given(folder: Path, server: DidServer, **more: Any) -> Errand:
    return avatars.errand(folder, "did", **{"key": KEY, "endpoint": server.url, **more})


def stopped(folder: Path, server: DidServer, after: str) -> None:
    """An attempt that gets SIGTERM, or is lost, as soon as D-ID has been asked for that."""

    def check() -> None:
        if after in server.asked:
            raise Stopped

    errand = given(folder, server)
    with pytest.raises(WorkerError):
        avatars.perform(replace(errand, means=replace(errand.means, check=check)))


def withdrawn(folder: Path, server: DidServer) -> tuple[str, ...]:
    errand = given(folder, server)
    return provider(errand.choice).withdraw(errand)


@dataclass(frozen=True)
class Case:
    """Where an attempt was when it was stopped for good."""

    name: str
    after: str
    billed: int
    kept: bool


STOPS = (
    Case("nothing but an image is there", "image", 0, kept=False),
    Case("image and voice are there", "audio", 0, kept=False),
    Case("the talk was just asked for", "talk", 1, kept=True),
    Case("the talk is being made", "look", 1, kept=True),
)


@pytest.mark.parametrize("case", STOPS, ids=lambda case: case.name)
def test_a_046_nothing_stays_there_and_a_redrive_pays_nothing_twice(tmp_path: Path, case: Case) -> None:
    """A-004, A-046, C16: what is paid comes home first, then all copies go; who drives it again finds it, or begins anew."""
    with did() as server:
        stopped(tmp_path, server, case.after)
        assert server.talks or server.files, "there is something to remove"
        assert withdrawn(tmp_path, server) == ()
        assert (server.talks, server.files, server.billed) == ({}, {}, case.billed)
        assert (kept(given(tmp_path, server)) is not None) == case.kept
        assert avatars.perform(given(tmp_path, server)).sha256 == DIGEST
        assert (server.talks, server.files, server.billed) == ({}, {}, 1)


def test_after_a_mere_disruption_the_talk_is_there_and_goes_on(tmp_path: Path) -> None:
    """A worker that is stopped removes nothing: a node that is drained sends the same signal as a cancel."""
    with did() as server:
        stopped(tmp_path, server, "look")
        assert (len(server.talks), server.deleted) == (1, [])
        assert avatars.perform(given(tmp_path, server)).sha256 == DIGEST
        assert server.billed == 1


def test_a_talk_whose_id_was_lost_is_found_and_removed(tmp_path: Path) -> None:
    with did(lost=[("talk", HANG_UP)], faults=[("list", OUTAGE)]) as server:
        with pytest.raises(External):
            avatars.perform(given(tmp_path, server))
        assert withdrawn(tmp_path, server) == ()
        assert (server.talks, server.files, server.asked.count("talk")) == ({}, {}, 1)
        assert (tmp_path / "paid" / VIDEO).read_bytes() == MP4


def test_a_talk_that_nobody_finds_is_told_and_stays_maybe_billed(tmp_path: Path) -> None:
    with did(faults=[("talk", problem(504, "Timeout", "Endpoint request timed out"))]) as server:
        for _ in range(2):
            with pytest.raises(WorkerError) as caught:
                avatars.perform(given(tmp_path, server))
            assert caught.value.code == "MaybeBilled"
            (note,) = withdrawn(tmp_path, server)
            assert "maybe billed" in note
            assert server.files == {}
        assert server.asked.count("talk") == 1


def test_a_rejected_talk_is_removed_and_a_redrive_may_ask_again(tmp_path: Path) -> None:
    with did(states=("rejected",), failure={"description": "a famous face"}) as server:
        with pytest.raises(WorkerError):
            avatars.perform(given(tmp_path, server))
        (note,) = withdrawn(tmp_path, server)
        assert "a famous face" in note
        assert (server.talks, server.files, server.billed) == ({}, {}, 0)
        server.states = ("done",)
        assert avatars.perform(given(tmp_path, server)).sha256 == DIGEST


def test_a_talk_that_failed_is_removed_before_another_is_asked_for(tmp_path: Path) -> None:
    """Also image and voice: the next attempt brings its own."""
    with did(states=("error",), failure={"description": "no luck"}) as server:
        with pytest.raises(External):
            avatars.perform(given(tmp_path, server))
        assert (server.talks, server.files) == ({}, {})
        server.states = ("done",)
        assert avatars.perform(given(tmp_path, server)).sha256 == DIGEST


def test_a_talk_that_is_not_done_yet_stays_for_a_later_attempt(tmp_path: Path) -> None:
    """It is paid: deleted before it is home, it would be paid again."""
    with did(states=NEVER) as server:
        stopped(tmp_path, server, "look")
        with pytest.raises(External, match="not finished"):
            withdrawn(tmp_path, server)
        assert (len(server.talks), server.deleted) == (1, [])
        server.states = ("done",)
        assert withdrawn(tmp_path, server) == ()
        assert (server.talks, server.files) == ({}, {})


def test_what_cannot_be_removed_is_named_and_removed_later(tmp_path: Path) -> None:
    with did(faults=[("delete talk", OUTAGE), ("delete image", OUTAGE)]) as server:
        stopped(tmp_path, server, "look")
        with pytest.raises(External) as caught:
            withdrawn(tmp_path, server)
        assert "keeps talks tlk_" in caught.value.message
        assert "keeps images ima_" in caught.value.message
        assert withdrawn(tmp_path, server) == ()
        assert (server.talks, server.files) == ({}, {})


@pytest.mark.parametrize("after", ["audio", "rejected"])
def test_a_redrive_between_two_attempts_of_the_removal_takes_nothing_for_there_that_is_gone(
    tmp_path: Path, after: str
) -> None:
    """The image went, the voice did not: the image is brought there again, and removed again."""
    with did(states=("rejected",) if after == "rejected" else ("done",), faults=[("delete audio", OUTAGE)]) as server:
        if after == "audio":
            stopped(tmp_path, server, "audio")
        else:
            with pytest.raises(WorkerError):
                avatars.perform(given(tmp_path, server))
        with pytest.raises(External, match="keeps audios"):
            withdrawn(tmp_path, server)
        assert [folder for folder, _ in server.files.values()] == ["audios"]
        server.states = ("done",)
        assert avatars.perform(given(tmp_path, server)).sha256 == DIGEST
        assert (server.talks, server.files, server.billed) == ({}, {}, 1)


@pytest.mark.parametrize("again", ["removal", "redrive"])
@pytest.mark.parametrize("moment", ["list", "look", "video", "delete talk", "delete image", "delete audio"])
def test_a_removal_that_is_stopped_at_any_moment_is_taken_up_by_another_or_by_a_redrive(
    tmp_path: Path, moment: str, again: str
) -> None:
    """Before or behind each request of it: nothing is paid twice, and nothing stays."""
    with did(lost=[("talk", HANG_UP)], faults=[("list", OUTAGE)]) as server:
        with pytest.raises(External):
            avatars.perform(given(tmp_path, server))
        server.asked.clear()

        def check() -> None:
            if moment in server.asked:
                raise Stopped

        errand = given(tmp_path, server)
        try:
            provider(errand.choice).withdraw(replace(errand, means=replace(errand.means, check=check)))
        except Stopped:
            assert moment != "delete audio", "nothing is asked for after that"
        if again == "removal":
            assert withdrawn(tmp_path, server) == ()
            assert (server.talks, server.files) == ({}, {})
        assert avatars.perform(given(tmp_path, server)).sha256 == DIGEST
        assert (server.talks, server.files, server.billed) == ({}, {}, 1)


def test_a_program_of_the_image_leaves_nothing_anywhere(tmp_path: Path) -> None:
    errand = avatars.errand(tmp_path, "command", model="musetalk")
    assert provider(errand.choice).withdraw(errand) == ()


# ---------------------------------------------------------------- as the container does it


def run(folder: Path, server: DidServer, *, key: str = KEY) -> tuple[int, RunResult]:
    """Run the container as Kubernetes would: document in, exit code and termination message out."""
    (folder / "secrets" / "d-id").mkdir(parents=True, exist_ok=True)
    (folder / "secrets" / "d-id" / "D_ID_API_KEY").write_text(key)
    choice = Animator(name="did", endpoint=server.url, secret_name="d-id", poll_seconds=1, patience_seconds=5)
    task = StageTask(
        kind="withdraw", container="provide", key="5" * 32, params=WithdrawParams(animator=choice).dump(), online=True
    )
    document = TaskDocument(
        job=Identity(namespace="team-a", name="face", uid="uid-1"), group="withdraw", attempt=1, stages=(task,),
        fetch=FetchPolicy(allow_networks=("127.0.0.0/8",)),
        store=StorePaths(job=str(folder / "job"), scratch=str(folder / "scratch"), stock=str(folder)),
    )  # fmt: skip
    for name in ("job", "scratch"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "task.json").write_bytes(canonical_json(document.dump()))
    settings = runner.Settings(
        task=folder / "task.json", termination=folder / "termination", token=folder / "none",
        secrets=folder / "secrets",
    )  # fmt: skip
    return runner.run(settings, Stop()), RunResult.model_validate_json((folder / "termination").read_bytes())


def two_requests(folder: Path, server: DidServer) -> None:
    """Two persons of one VideoJob: the talk of one is being made, the other's portrait was brought there."""
    for number, after in ((1, "look"), (2, "image")):
        place = folder / "job" / "paid" / f"{'ab' * 16}-{number}"
        server.asked.clear()
        stopped(folder / f"work-{number}", server, after)
        place.mkdir(parents=True)
        (folder / f"work-{number}" / "paid" / "talk.json").rename(place / "request.json")


def test_the_container_withdraws_every_request_of_the_job(tmp_path: Path) -> None:
    """A-039, A-046: one of several people, too."""
    with did() as server:
        two_requests(tmp_path, server)
        code, result = run(tmp_path, server)
        assert code == 0, result.failure
        assert (server.talks, server.files) == ({}, {})
        (stage,) = result.stages
        assert (stage.message, stage.notes) == ("2 requests withdrawn from did", ())
        assert (tmp_path / "job" / "paid" / f"{'ab' * 16}-1" / VIDEO).read_bytes() == MP4


def test_what_it_cannot_remove_costs_the_job_nothing_and_is_told(tmp_path: Path) -> None:
    """A wrong key is Permanent for a stage, which would take its files back: a redrive is to find them. No key is told (I12)."""
    with did() as server:
        two_requests(tmp_path, server)
        finished = tmp_path / "job" / "processed" / "matte" / "k" / "cutout.png"
        finished.parent.mkdir(parents=True)
        finished.write_bytes(b"png")
        code, result = run(tmp_path, server, key="")
        assert code == 69
        assert result.failure is not None
        assert (result.failure.code, result.failure.failure_class) == ("ProviderKeeps", "External")
        assert "D_ID_API_KEY" in result.failure.message
        assert finished.exists()
        (said,) = (tmp_path / "job" / "debug").rglob("withdraw.left.txt")
        assert "D_ID_API_KEY" in said.read_text()
        assert KEY not in said.read_text() + json.dumps(result.dump())
        assert (len(server.talks), len(server.files)) == (1, 3)


def test_a_job_that_asked_for_nothing_has_nothing_to_remove(tmp_path: Path) -> None:
    with did() as server:
        code, _ = run(tmp_path, server)
        assert (code, server.asked) == (0, [])


def test_the_tag_is_the_one_that_the_stage_gave() -> None:
    """A server of one's own is asked for by the tag, which no record holds before the video is home."""
    key = "0123456789abcdef" * 4
    for number in (None, 3):
        assert tag_of("uid-1", of(key[:32], number)) == of(f"videojob-uid-1-{key[:16]}", number)
