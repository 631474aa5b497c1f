"""The sweep on a real tree: what goes, what stays, and that no trick of a worker's container leads it elsewhere.

A-015, A-016, A-018, A-031; cases 46, 65, 69 and 78.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from videojob_api.sweeping import (
    RETENTION_FILE,
    FolderVerdict,
    KeptRetention,
    SweepAnswer,
    SweepDocument,
    SweepQuestion,
    SweepResult,
    UploadVerdict,
)
from videojob_worker.base.asking import WAITS, Asker
from videojob_worker.base.errors import External
from videojob_worker.base.logs import json_log
from videojob_worker.base.watch import Stop
from videojob_worker.storage.sweep import Sweep

CUTOFF = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = 86400.0
A, B = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
UPLOAD = "c3" * 32


@dataclass
class Bench:
    """A namespace's part of a volume, and an operator that knows what the test says."""

    root: Path
    folders: dict[str, FolderVerdict] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    asked: list[SweepQuestion] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    """What happens between a question and its answer."""

    def write(self, path: str, data: bytes = b"x" * 100, age: float = 0.0) -> Path:
        """A file, and its folders, last written to that many seconds ago."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        self.age(age)
        return place

    def age(self, seconds: float) -> None:
        """Everything was last written to that long ago."""
        stamp = time.time() - seconds
        for folder, _, names in os.walk(self.root):
            for name in (".", *names):
                os.utime(Path(folder) / name, (stamp, stamp), follow_symlinks=False)

    def keep(self, uid: str, **fields: Any) -> Path:
        """What a job's folder keeps about itself."""
        return self.write(f"jobs/{uid}/{RETENTION_FILE}", json.dumps(KeptRetention(uid=uid, **fields).dump()).encode())

    def settled(self, uid: str, *expired: str, hold: bool = False, policy: str = "Delete") -> None:
        """The operator says: it has ended, and this has expired."""
        kept = KeptRetention.model_validate({"uid": uid, "hold": hold, "deletionPolicy": policy})
        self.folders[uid] = FolderVerdict.model_validate(
            {"uid": uid, "state": "Settled", "expired": expired, "kept": kept.dump()}
        )

    def ask(self, question: SweepQuestion) -> SweepAnswer:
        """The operator."""
        self.asked.append(question)
        if question.folders or question.uploads:
            self.meanwhile()
        gone = {uid: FolderVerdict(uid=uid, state="Gone") for uid in question.folders}
        return SweepAnswer(
            folders=tuple({**gone, **self.folders}[uid] for uid in question.folders),
            uploads=tuple(
                UploadVerdict.model_validate({"sha256": sha, "state": self.uploads.get(sha, "Unnamed")})
                for sha in question.uploads
            ),
        )

    def sweep(self) -> SweepResult:
        """One sweep."""
        document = SweepDocument(
            namespace="team", store="default", uid="store-uid", number=1, cutoff=CUTOFF, root=str(self.root)
        )
        return Sweep(document, self.ask, json_log(StringIO())).run()

    def left(self) -> set[str]:
        """Files that are left, links included."""
        return {
            str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_symlink() or path.is_file()
        }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = tmp_path / "volume" / "team"
    root.mkdir(parents=True)
    return Bench(root)


def tiers(result: SweepResult) -> dict[str, tuple[int, int]]:
    """Files and bytes by tier, where there are any."""
    return {tier.name: (tier.files, tier.size_bytes) for tier in result.tiers if tier.files}


# ---------------------------------------------------------------- ended VideoJobs


def test_expired_tiers_go_and_the_others_stay(bench: Bench) -> None:
    for path in (
        "videos/720p.mp4",
        "debug/main-a1/work.result.json",
        "processed/transcode/k1/720p.mp4",
        "manifest.json",
    ):
        bench.write(f"jobs/{A}/{path}")
    bench.settled(A, "videos", "processed")
    result = bench.sweep()
    assert bench.left() == {
        f"jobs/{A}/{name}" for name in ("debug/main-a1/work.result.json", "manifest.json", RETENTION_FILE)
    }
    assert (result.deleted_files, result.deleted_bytes, result.deleted_folders) == (2, 200, 0)
    assert result.problems == ()


def test_a_held_videojob_loses_nothing(bench: Bench) -> None:
    bench.write(f"jobs/{A}/videos/720p.mp4", age=40 * DAY)
    bench.write(f"jobs/{A}/processed/transcode/.k1.a1.pod/720p.mp4", age=40 * DAY)
    bench.settled(A, "videos", hold=True)
    assert bench.sweep().deleted_files == 0


def test_an_attempt_that_begins_between_question_and_answer_keeps_everything(bench: Bench) -> None:
    """Case 78: a redrive makes the folder's own file anew, before it reads anything."""
    bench.keep(A)
    bench.write(f"jobs/{A}/processed/transcode/k1/720p.mp4")
    bench.settled(A, "processed")

    def redrive() -> None:
        place = bench.root / "jobs" / A / RETENTION_FILE
        place.with_suffix(".new").write_text(place.read_text())
        place.with_suffix(".new").replace(place)

    bench.meanwhile = redrive
    assert bench.sweep().deleted_files == 0
    assert f"jobs/{A}/processed/transcode/k1/720p.mp4" in bench.left()


def test_a_running_videojob_is_not_touched_and_its_outputs_are_left_to_the_operator_to_count(bench: Bench) -> None:
    bench.write(f"jobs/{A}/processed/transcode/.k1.a1.pod/720p.mp4", age=2 * DAY)
    bench.write(f"jobs/{A}/videos/720p.mp4", age=2 * DAY)
    bench.folders[A] = FolderVerdict(uid=A, state="Live")
    result = bench.sweep()
    assert result.deleted_files == 0
    assert tiers(result) == {"temp": (1, 100)}


def test_leftovers_of_dead_attempts_go_after_an_hour(bench: Bench) -> None:
    old = bench.write(f"jobs/{A}/processed/transcode/.k1.a1.pod/720p.mp4", age=2 * 3600)
    fresh = bench.root / "jobs" / A / "processed/transcode/.k1.a2.pod"
    fresh.mkdir()
    (fresh / "720p.mp4").write_bytes(b"y")
    bench.settled(A)
    result = bench.sweep()
    assert not old.parent.exists()
    assert fresh.exists()
    assert tiers(result)["temp"] == (1, 1)


def test_the_folder_keeps_what_the_videojob_says_now(bench: Bench) -> None:
    """A policy that was changed after the end holds on the day the VideoJob is gone."""
    bench.keep(A)
    bench.settled(A, policy="Retain")
    bench.sweep()
    bench.folders.clear()
    bench.age(9 * DAY)
    assert bench.sweep().deleted_folders == 0
    kept = KeptRetention.model_validate_json((bench.root / "jobs" / A / RETENTION_FILE).read_bytes())
    assert kept.deletion_policy == "Retain"


# ---------------------------------------------------------------- VideoJobs that are gone


@dataclass(frozen=True)
class Gone:
    """A folder nobody owns, and whether it goes."""

    name: str
    age: float
    kept: dict[str, Any] | str | None
    goes: bool


@pytest.mark.parametrize(
    "case",
    [
        Gone("older than an hour", 3700, {}, True),
        Gone("written to lately", 3500, {}, False),
        Gone("its policy is Retain", 9 * DAY, {"deletionPolicy": "Retain"}, False),
        Gone("it was held", 9 * DAY, {"hold": True}, False),
        Gone("no attempt ever began", 3700, None, True),
        Gone("what it keeps cannot be read", 9 * DAY, "{", False),
        Gone("its times lie in the future", -9 * DAY, {}, False),
    ],
    ids=lambda case: case.name,
)
def test_the_folder_of_a_videojob_that_is_gone(bench: Bench, case: Gone) -> None:
    bench.write(f"jobs/{A}/videos/720p.mp4")
    if isinstance(case.kept, str):
        bench.write(f"jobs/{A}/{RETENTION_FILE}", case.kept.encode())
    elif case.kept is not None:
        bench.write(f"jobs/{A}/{RETENTION_FILE}", json.dumps({"uid": A, **case.kept}).encode())
    bench.age(case.age)
    result = bench.sweep()
    assert (bench.root / "jobs" / A).exists() != case.goes
    assert result.deleted_folders == case.goes
    assert bool(result.problems) == isinstance(case.kept, str)


def test_what_the_operator_does_not_speak_of_is_left_alone(bench: Bench) -> None:
    bench.write(f"jobs/{A}/videos/720p.mp4", age=9 * DAY)
    bench.write(f"inbox/{UPLOAD}", age=9 * DAY)
    document = SweepDocument(namespace="t", store="d", uid="u", number=1, cutoff=CUTOFF, root=str(bench.root))
    assert Sweep(document, lambda _: SweepAnswer(), json_log(StringIO())).run().deleted_files == 0


def test_without_an_operator_nothing_is_touched(bench: Bench) -> None:
    bench.write(f"jobs/{A}/videos/720p.mp4", age=9 * DAY)
    bench.write("cache/transcode/k/720p.mp4", age=9 * DAY)
    bench.write("inbox/.part.part", age=9 * DAY)
    before = bench.left()

    def nobody(question: SweepQuestion) -> SweepAnswer:
        raise External("OperatorAway", "nobody answers")

    document = SweepDocument(namespace="t", store="d", uid="u", number=1, cutoff=CUTOFF, root=str(bench.root))
    with pytest.raises(External):
        Sweep(document, nobody, json_log(StringIO())).run()
    assert bench.left() == before


# ---------------------------------------------------------------- uploads, cache, stock


@dataclass(frozen=True)
class Upload:
    """An upload, and whether it goes."""

    name: str
    age: float
    state: str
    goes: bool


@pytest.mark.parametrize(
    "case",
    [
        Upload("nobody names it, seven days", 7 * DAY + 60, "Unnamed", True),
        Upload("nobody names it, six days", 6 * DAY, "Unnamed", False),
        Upload("a VideoJob needs it", 30 * DAY, "Kept", False),
        Upload("those that named it are long done", 2 * DAY, "Expired", True),
        Upload("just sent again by somebody about to name it", 60, "Expired", False),
    ],
    ids=lambda case: case.name,
)
def test_an_upload(bench: Bench, case: Upload) -> None:
    bench.write(f"inbox/{UPLOAD}", age=case.age)
    bench.uploads[UPLOAD] = case.state
    result = bench.sweep()
    assert (bench.root / "inbox" / UPLOAD).exists() != case.goes
    assert result.deleted_files == case.goes


def test_an_upload_that_is_asked_for_meanwhile_stays(bench: Bench) -> None:
    place = bench.write(f"inbox/{UPLOAD}", age=9 * DAY)
    bench.meanwhile = lambda: os.utime(place)
    assert bench.sweep().deleted_files == 0


def test_parts_of_uploads_that_died_go_and_live_ones_stay(bench: Bench) -> None:
    bench.write("inbox/.old.part", age=2 * 3600)
    (bench.root / "inbox/.new.part").write_bytes(b"12")
    assert tiers(bench.sweep()) == {"temp": (1, 2)}
    assert bench.left() == {"inbox/.new.part"}


def test_the_cache_goes_by_age_and_stock_never(bench: Bench) -> None:
    bench.write("cache/transcode/old/720p.mp4", age=4 * DAY)
    bench.write("stock/logo.png", age=4 * DAY)
    fresh = bench.root / "cache/transcode/new"
    fresh.mkdir()
    (fresh / "720p.mp4").write_bytes(b"123")
    result = bench.sweep()
    assert bench.left() == {"cache/transcode/new/720p.mp4", "stock/logo.png"}
    assert tiers(result) == {"cache": (1, 3), "stock": (1, 100)}


def test_the_cache_keeps_what_was_of_use_lately_and_no_leftovers(bench: Bench) -> None:
    """An entry's age counts from its last use: whoever took it has touched its folder. A dead writer's half goes early."""
    for name in ("used", "unused", ".half.pod-1", ".busy.pod-2"):
        bench.write(f"cache/transcode/{name}/720p.mp4", age=4 * DAY)
    for name in ("used", ".busy.pod-2"):
        os.utime(bench.root / "cache/transcode" / name)
    bench.sweep()
    assert bench.left() == {"cache/transcode/used/720p.mp4", "cache/transcode/.busy.pod-2/720p.mp4"}


def test_many_folders_are_asked_about_in_batches(bench: Bench) -> None:
    for number in range(230):
        (bench.root / "jobs" / f"aaaaaaaa-{number:04}").mkdir(parents=True)
    bench.sweep()
    assert [len(question.folders) for question in bench.asked] == [0, 100, 100, 30]


def test_a_result_counts_what_is_there_and_fits_a_termination_message(bench: Bench) -> None:
    """A-018: totals by tier, free space and size of the volume."""
    for uid in (A, B):
        bench.write(f"jobs/{uid}/videos/720p.mp4")
        bench.settled(uid)
    bench.write("inbox/" + UPLOAD, b"z" * 7)
    result = bench.sweep()
    assert tiers(result)["uploads"] == (1, 7)
    assert tiers(result)["videos"][0] == 4  # two outputs, and what each folder keeps about itself
    disk = os.statvfs(bench.root)
    assert result.capacity_bytes == disk.f_blocks * disk.f_frsize
    assert result.free_bytes is not None
    worst = result.model_copy(update={"problems": ("p" * 200,) * 5})
    assert len(json.dumps(worst.dump())) < 3000


# ---------------------------------------------------------------- attacks (case 65)


def test_links_lead_nowhere(bench: Bench) -> None:
    """A container put links where folders are expected: the links go, what they point to stays."""
    precious = bench.root.parent / "other-namespace"
    precious.mkdir()
    (precious / "video.mp4").write_bytes(b"p" * 50)
    job = bench.root / "jobs" / A
    job.mkdir(parents=True)
    for name in ("videos", "processed", "debug"):
        (job / name).symlink_to(precious)
    (job / RETENTION_FILE).symlink_to(precious / "video.mp4")
    (bench.root / "jobs" / B).symlink_to(precious)
    (bench.root / "inbox").mkdir()
    (bench.root / "inbox" / UPLOAD).symlink_to(precious / "video.mp4")
    (bench.root / "cache").symlink_to(precious)
    bench.settled(A, "videos", "processed", "debug")
    bench.uploads[UPLOAD] = "Kept"
    result = bench.sweep()
    assert (precious / "video.mp4").read_bytes() == b"p" * 50
    assert sorted(path.name for path in precious.iterdir()) == ["video.mp4"]
    assert not any((job / name).is_symlink() for name in ("videos", "processed", "debug", RETENTION_FILE))
    assert all(size < 10_000 for _, size in tiers(result).values())


def test_links_inside_a_folder_that_goes_are_removed_not_followed(bench: Bench) -> None:
    precious = bench.root.parent / "precious"
    precious.mkdir()
    (precious / "video.mp4").write_bytes(b"p")
    bench.write(f"jobs/{A}/videos/720p.mp4")
    (bench.root / "jobs" / A / "videos" / "more").symlink_to(precious)
    os.link(precious / "video.mp4", bench.root / "jobs" / A / "videos" / "hard.mp4")
    os.mkfifo(bench.root / "jobs" / A / "videos" / "pipe")
    bench.settled(A, "videos")
    assert bench.sweep().problems == ()
    assert (precious / "video.mp4").read_bytes() == b"p"
    assert not (bench.root / "jobs" / A / "videos").exists()


def test_a_tree_of_absurd_depth_goes(bench: Bench) -> None:
    """Deeper than paths, stacks and descriptors allow; every level is unwritable."""
    job = bench.root / "jobs" / A
    (job / "videos").mkdir(parents=True)
    top = os.open(job / "videos", os.O_RDONLY)
    fd = top
    for _ in range(1500):
        os.mkdir("d", 0o700, dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.fchmod(fd, 0o500)
        os.close(fd)
        fd = below
    os.close(fd)
    bench.settled(A, "videos")
    result = bench.sweep()
    assert result.problems == ()
    assert not (job / "videos").exists()


def test_a_gone_tree_of_absurd_depth_goes_too(bench: Bench) -> None:
    bench.root.joinpath("jobs", A, *"d" * 40).mkdir(parents=True)
    bench.age(9 * DAY)
    assert bench.sweep().deleted_folders == 1
    assert not (bench.root / "jobs" / A).exists()


def test_what_an_interrupted_sweep_left_goes_with_the_next(bench: Bench) -> None:
    bench.write(".sweep/7-1/720p.mp4")
    assert bench.sweep().deleted_files == 1
    assert bench.left() == set()


def test_a_stop_ends_it_between_two_folders(bench: Bench) -> None:
    for uid in (A, B):
        bench.write(f"jobs/{uid}/videos/720p.mp4", age=9 * DAY)
    document = SweepDocument(namespace="t", store="d", uid="u", number=1, cutoff=CUTOFF, root=str(bench.root))
    stop = Stop()
    bench.meanwhile = stop.request
    with pytest.raises(Exception, match="SIGTERM"):
        Sweep(document, bench.ask, json_log(StringIO()), stop.check).run()


def test_a_folder_from_the_future_is_judged_by_its_change_time(bench: Bench) -> None:
    """Case 46: an attempt set its files' times to next year; the change time cannot be set, so the folder is just young."""
    bench.write(f"jobs/{A}/videos/720p.mp4", age=-300 * DAY)
    result = bench.sweep()
    assert result.deleted_folders == 0
    assert tiers(result)["videos"] == (1, 100)


# ---------------------------------------------------------------- asking


class Line:
    """A channel that answers what the test says."""

    def __init__(self, *answers: tuple[int, bytes] | None) -> None:
        self.answers = list(answers)

    def ask(self, route: str, body: bytes, most: int) -> tuple[int, bytes] | None:
        return self.answers.pop(0)


def asked(*answers: tuple[int, bytes] | None) -> tuple[SweepAnswer | str, list[float]]:
    """What came of a question, and the waits."""
    slept: list[float] = []
    asker = Asker(Line(*answers), Stop(), slept.append)  # type: ignore[arg-type]
    try:
        return asker(SweepQuestion(uid="u", cutoff=CUTOFF)), slept
    except External as error:
        return error.message, slept


def test_a_question_is_asked_again_until_somebody_answers() -> None:
    answer, slept = asked(None, (503, b"later"), (200, b"{}"))
    assert answer == SweepAnswer()
    assert slept == list(WAITS[:2])


def test_a_question_that_is_wrong_is_not_asked_again() -> None:
    answer, slept = asked((422, b"uid: no"))
    assert isinstance(answer, str)
    assert "422: uid: no" in answer
    assert slept == []


def test_nobody_answers() -> None:
    answer, slept = asked(*[None] * (len(WAITS) + 1))
    assert isinstance(answer, str)
    assert "nothing is deleted" in answer
    assert slept == list(WAITS)


def test_s_034_and_s_035_sentences_and_pictures_stay_longer_than_other_entries(bench: Bench) -> None:
    """30 days for speech, 7 for pictures, whatever the processed tier says; from their last use."""
    entries = (("voice", 29), ("voice", 31), ("picture", 6), ("picture", 8), ("transcode", 6))
    files = [(bench.write(f"cache/{kind}/{age}/file"), age) for kind, age in entries]
    for file, age in files:
        stamp = time.time() - age * DAY
        for place in (file, file.parent):
            os.utime(place, (stamp, stamp))
    bench.sweep()
    assert bench.left() == {"cache/voice/29/file", "cache/picture/6/file"}
