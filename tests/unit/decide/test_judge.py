"""What became of an attempt: every row of the classification, and where a result comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from builders import (
    NOW,
    SHA,
    UID,
    Scene,
    a_failure,
    a_pod,
    a_report,
    a_result,
    a_stage,
    an_input,
    ended,
    running,
    waiting,
)
from videojob_api.contract import StageResult
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_operator.decide.job import live
from videojob_operator.decide.world import PodView


def main(scene: Scene, *containers: object, **fields: object) -> Scene:
    return scene.tick(30).pod("main-a1", *containers, **fields)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    name: str
    given: Callable[[Scene], Scene]
    expect: tuple[str, str]
    """Class and code of the failure."""
    exit_code: int | None = None


def code(number: int, **fields: object) -> Callable[[Scene], Scene]:
    return lambda scene: main(scene, ended("work", number), waiting("commit"), **fields)


EVICTED = "Pod team-a/p has condition DisruptionTarget matching FailJob rule at index 0"
EXITED = "Container work for pod team-a/p failed with exit code {} matching FailJob rule at index 1"

CASES = (
    Case("65 is Permanent", code(65), ("Permanent", "Permanent"), 65),
    Case("69 is External", code(69), ("External", "External"), 69),
    Case("73 without words is memory or disk, nobody knows which", code(73), ("Resource", "Resource"), 73),
    Case("74 is Stalled (case 41)", code(74), ("Stalled", "Stalled"), 74),
    Case("75 is Recoverable", code(75), ("Recoverable", "WorkerFailed"), 75),
    Case("78 is Permanent: the document is not as agreed", code(78), ("Permanent", "BadDocument"), 78),
    Case("143 is a disruption", code(143), ("Disruption", "Disrupted"), 143),
    Case("a code nobody knows is Recoverable", code(1), ("Recoverable", "WorkerFailed"), 1),
    Case("137 with the pod there is memory (case 30)", code(137), ("Resource", "OutOfMemory"), 137),
    Case(
        "OOMKilled is memory (case 30)",
        lambda scene: main(scene, ended("work", 137, reason="OOMKilled"), waiting("commit")),
        ("Resource", "OutOfMemory"),
        137,
    ),
    Case(
        "a child killed for memory is memory even if the container exits with 0 (case 30)",
        lambda scene: main(scene, ended("work", 0, reason="OOMKilled"), waiting("commit")),
        ("Resource", "OutOfMemory"),
        0,
    ),
    Case(
        "a pod deleted by hand is a disruption, by SIGTERM (case 38)",
        code(143, deleting=True),
        ("Disruption", "Disrupted"),
        143,
    ),
    Case("or by SIGKILL after the grace (case 38)", code(137, deleting=True), ("Disruption", "Disrupted"), 137),
    Case("a failure that came before the deletion stands", code(65, deleting=True), ("Permanent", "Permanent"), 65),
    Case(
        "DisruptionTarget beats the exit code (case 28)",
        code(137, disruption="PreemptionByScheduler", phase="Failed"),
        ("Disruption", "Disrupted"),
        137,
    ),
    Case(
        "evicted without the condition used too much disk itself (case 32)",
        lambda scene: main(scene, waiting("work"), waiting("commit"), phase="Failed", reason="Evicted"),
        ("Resource", "DiskFull"),
    ),
    Case(
        "the pod's deadline is a timeout",
        code(137, phase="Failed", reason="DeadlineExceeded"),
        ("Stalled", "Timeout"),
        137,
    ),
    Case(
        "a pod that the node did not admit is a disruption",
        lambda scene: main(scene, phase="Failed", reason="UnexpectedAdmissionError"),
        ("Disruption", "Disrupted"),
    ),
    Case(
        "the second container's failure counts as well",
        lambda scene: main(scene, ended("work", 0, scene.result("work", ["ingest"])), ended("commit", 75)),
        ("Recoverable", "WorkerFailed"),
        75,
    ),
    Case(
        "with the pod gone, the Job's condition tells a disruption (case 28)",
        lambda scene: scene.finish("main-a1", "Failed", EVICTED, pods=False),
        ("Disruption", "Disrupted"),
    ),
    Case(
        "with the pod there, the words of 73 decide",
        lambda scene: scene.fail("main-a1", 73, a_failure("DiskFull", "Resource")),
        ("Resource", "DiskFull"),
        73,
    ),
    Case(
        "with the pod gone, 143 in the condition is a disruption",
        lambda scene: scene.finish("main-a1", "Failed", EXITED.format(143), pods=False),
        ("Disruption", "Disrupted"),
        143,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_failures_are_classified(case: Case) -> None:
    scene = case.given(Scene.of().settle())
    scene.look()
    failure = scene.status.failure
    assert failure is not None
    assert (failure.failure_class, failure.code) == case.expect
    assert failure.exit_code == case.exit_code
    assert failure.message
    assert failure.attempt == 1
    stage = scene.status.stages[0]
    assert (stage.failures, stage.disruptions) == ((0, 1) if case.expect[0] == "Disruption" else (1, 0))


LIVE = (
    ("no pod yet", ()),
    ("a pod without containers", (PodView("p", "u", "Pending"),)),
    ("its container runs", (a_pod(running("work"), waiting("commit")),)),
    ("the first has ended, the second is to come", (a_pod(ended("work", 0, "x"), waiting("commit")),)),
    ("being deleted, but still at work (case 31)", (a_pod(running("work"), deleting=True),)),
)


@pytest.mark.parametrize(("name", "pods"), LIVE, ids=[name for name, _ in LIVE])
def test_an_attempt_is_live_until_its_containers_have_terminated(name: str, pods: tuple[PodView, ...]) -> None:
    """Never two writers: nothing replaces it meanwhile."""
    scene = Scene.of().settle().change("main-a1", pods=pods)
    assert live(scene.jobs["main-a1"])
    found = scene.tick(100).look(granted=True)
    assert found.actions == ()
    assert scene.status.phase == "Running"


def test_the_words_of_the_worker_stand_in_status() -> None:
    """T-021, I9: message, hint and the last lines, bounded."""
    scene = Scene.of().settle()
    said = a_failure().model_copy(update={"message": "m" * 5000, "log_tail": "t" * 5000 + "end"})
    scene.fail("main-a1", 65, said).settle()
    failure = scene.status.failure
    assert failure is not None
    assert len(failure.message) == 1000
    assert failure.log_tail is not None
    assert failure.log_tail.endswith("end")
    assert len(failure.log_tail) == 2000


def test_a_stage_the_worker_invents_is_not_taken_over() -> None:
    scene = Scene.of().settle()
    scene.fail("main-a1", 65, a_failure(stage="../../etc")).settle()
    assert scene.status.failure is not None
    assert scene.status.failure.stage == "Ingest"


# ---------------------------------------------------------------- results


def both(scene: Scene, commit: object, work: object = None) -> Scene:
    kinds = ["ingest", "transcode", "verify"]
    first = scene.result("work", kinds) if work is None else work
    return main(scene, ended("work", 0, first), ended("commit", 0, commit))  # type: ignore[arg-type]


def lying(scene: Scene, **changes: object) -> object:
    result = scene.result("commit", ["commit"])
    stage = result.stages[0]
    files = (stage.files[0].model_copy(update=changes), *stage.files[1:])
    return result.model_copy(update={"stages": (stage.model_copy(update={"files": files}),)})


def ingest(scene: Scene, stage: StageResult) -> Scene:
    """The ingest stage says something else."""
    rest = (a_stage("transcode"), a_stage("verify"))
    work = a_result("work").model_copy(update={"stages": (stage.model_copy(update={"kind": "ingest"}), *rest)})
    return both(scene, scene.result("commit", ["commit"]), work)


def with_facts(**changes: object) -> StageResult:
    return a_stage("ingest").model_copy(update={"input": an_input().model_copy(update=changes)})


def with_codec(codec: str) -> StageResult:
    return with_facts(video_codec=codec)


def other_number(scene: Scene, number: str, instead: str) -> Scene:
    """All is well, but for one number."""
    text = scene.result("work", ["ingest", "transcode", "verify"]).model_dump_json(by_alias=True, exclude_none=True)
    assert f":{number}," in text
    return both(scene, scene.result("commit", ["commit"]), text.replace(f":{number},", f":{instead},"))


INVALID = (
    ("no message (case 43)", lambda scene: both(scene, None)),
    ("no JSON (case 43)", lambda scene: both(scene, "\ufffd\ufffd{")),
    ("cut in the middle (case 43)", lambda scene: both(scene, '{"version":1,"uid":"1111')),
    ("of another VideoJob (case 50)", lambda scene: both(scene, a_result("commit", ["commit"], uid="other"))),
    ("of another attempt", lambda scene: both(scene, a_result("commit", ["commit"], attempt=2))),
    ("of another container", lambda scene: both(scene, a_result("work", ["commit"]))),
    ("of another group", lambda scene: both(scene, a_result("commit", ["commit"], group="transcode"))),
    ("without the outputs that were planned", lambda scene: both(scene, a_result("commit", ["commit"]))),
    ("without a stage", lambda scene: both(scene, scene.result("commit", []))),
    ("a path out of the folder (case 44)", lambda scene: both(scene, lying(scene, path="videos/../../x"))),
    ("an absolute path (case 44)", lambda scene: both(scene, lying(scene, path="/etc/passwd"))),
    ("a foreign URI (case 44)", lambda scene: both(scene, lying(scene, uri="store://jobs/other/videos/720p.mp4"))),
    ("no digest (case 44)", lambda scene: both(scene, lying(scene, sha256="zz"))),
    ("no bytes", lambda scene: both(scene, lying(scene, size_bytes=0))),
    ("facts without end", lambda scene: both(scene, lying(scene, media_type="x" * 2000))),
    (
        "another input than the URI promises (case 44)",
        lambda scene: ingest(scene, a_stage("ingest", UID, (), "ff" * 32)),
    ),
    ("no facts about the input", lambda scene: ingest(scene, a_stage("verify"))),
    ("facts about the input without end", lambda scene: ingest(scene, with_codec("h" * 3000))),
    ("a longer input than the spec permits", lambda scene: ingest(scene, with_facts(duration_ms=2**40))),
    ("a number that no API server stores", lambda scene: other_number(scene, "1000000", str(10**30))),
    ("seconds without end", lambda scene: other_number(scene, "3.5", "Infinity")),
    (
        "a stage twice, the second time with a lie",
        lambda scene: both(
            scene,
            scene.result("commit", ["commit"]),
            scene.result("work", ["ingest", "transcode", "verify", "ingest"]),
        ),
    ),
    (
        "a stage of another container",
        lambda scene: both(
            scene, scene.result("commit", ["commit"]), scene.result("work", ["ingest", "transcode", "verify", "commit"])
        ),
    ),
)


@pytest.mark.parametrize(("name", "given"), INVALID, ids=[name for name, _ in INVALID])
def test_exit_0_without_a_result_to_believe_asks_the_store_and_then_fails(
    name: str, given: Callable[[Scene], Scene]
) -> None:
    """Cases 43, 44: one report Job; if it cannot help either, Recoverable with code ResultInvalid, and nothing published."""
    scene = given(Scene.of().settle()).settle()
    assert sorted(scene.jobs) == ["main-a1", "report-main-a1"]
    assert scene.status.phase == "Running"
    scene.tick(5).pod("report-main-a1", ended("commit", 75)).look()
    failure = scene.status.failure
    assert failure is not None
    assert (failure.failure_class, failure.code, failure.exit_code) == ("Recoverable", "ResultInvalid", 0)
    assert scene.status.outputs == ()
    assert scene.status.phase == "Queued"


def test_a_report_saves_what_the_pod_object_took_along() -> None:
    """Cases 4 and 45: the pod is gone, the Job is Complete; nothing runs again."""
    scene = Scene.of().settle()
    scene.tick(60).finish("main-a1", pods=False).settle()
    kinds = ["ingest", "transcode", "verify", "commit"]
    work, commit = scene.result("work", kinds[:3]), scene.result("commit", kinds[3:])
    scene.pod("report-main-a1", ended("commit", 0, a_report(work, commit))).settle()
    assert scene.status.phase == "Succeeded"
    assert len(scene.status.outputs) == 3
    assert sorted(scene.jobs) == ["main-a1", "report-main-a1"]
    assert scene.status.attempts == 1


FOREIGN = (
    ("of another VideoJob", {"uid": "other"}),
    ("of another attempt", {"attempt": 2}),
    ("of another group", {"group": "transcode"}),
    ("that failed", {"failure": a_failure()}),
)


@pytest.mark.parametrize(("name", "changes"), FOREIGN, ids=[name for name, _ in FOREIGN])
def test_a_report_of_something_else_does_not_help(name: str, changes: dict[str, object]) -> None:
    """Case 44: exit code 0 and a result that is not this attempt's, or contradicts it."""
    scene = Scene.of().settle()
    scene.tick(60).finish("main-a1", pods=False).settle()
    parts = [scene.result("work", ["ingest", "transcode", "verify"]), scene.result("commit", ["commit"])]
    told = a_report(*(part.model_copy(update=changes) for part in parts))
    scene.pod("report-main-a1", ended("commit", 0, told)).look()
    assert scene.status.failure is not None
    assert scene.status.failure.code == "ResultInvalid"


def test_a_report_tells_why_an_attempt_failed_whose_pod_is_gone() -> None:
    scene = Scene.of().settle()
    scene.finish("main-a1", "Failed", EXITED.format(65), pods=False).settle()
    said = a_report(a_result("work", exit_code=65, failure=a_failure()))
    scene.pod("report-main-a1", ended("commit", 0, said)).settle()
    assert scene.status.phase == "Failed"
    assert scene.status.failure is not None
    assert (scene.status.failure.code, scene.status.failure.exit_code) == ("InvalidFileType", 65)


@pytest.mark.parametrize(("exit_code", "cause"), [(65, "Permanent"), (137, "Recoverable"), (75, "Recoverable")])
def test_without_a_report_the_jobs_condition_decides(exit_code: int, cause: str) -> None:
    """137 with the pod gone is Recoverable: a pod deleted by hand and one out of memory read the same."""
    scene = Scene.of().settle()
    scene.finish("main-a1", "Failed", EXITED.format(exit_code), pods=False).settle()
    scene.finish("report-main-a1", "Failed", EXITED.format(75), pods=False).look()
    assert scene.status.failure is not None
    assert scene.status.failure.failure_class == cause
    assert scene.status.failure.exit_code == exit_code


def test_a_job_that_failed_without_a_word_is_recoverable() -> None:
    scene = Scene.of().settle()
    scene.finish("main-a1", "Failed", None, pods=False).settle()
    scene.finish("report-main-a1", "Failed", None, pods=False).look()
    assert scene.status.failure is not None
    assert scene.status.failure.failure_class == "Recoverable"
    assert "no reason given" in scene.status.failure.message


def test_there_is_at_most_one_report_job_an_attempt_even_if_it_is_deleted() -> None:
    scene = Scene.of().settle()
    scene.finish("main-a1", pods=False).settle().lose("report-main-a1").look()
    assert scene.status.failure is not None
    assert scene.status.failure.code == "ResultInvalid"
    assert scene.plans[-1].actions[0].name.startswith("trailer-report-main-a1")


def test_a_report_that_names_a_container_twice_does_not_help() -> None:
    """Case 44: what is checked and what is written must be the same."""
    scene = Scene.of().settle()
    scene.tick(60).finish("main-a1", pods=False).settle()
    work, commit = scene.result("work", ["ingest", "transcode", "verify"]), scene.result("commit", ["commit"])
    scene.pod("report-main-a1", ended("commit", 0, a_report(work, commit, work))).look()
    assert scene.status.failure is not None
    assert scene.status.failure.code == "ResultInvalid"


@pytest.mark.parametrize(
    ("changes", "kept"), [({}, True), ({"filename": "n" * 60_000}, False), ({"sha256": "ff" * 32}, False)]
)
def test_of_a_failed_attempt_the_input_is_kept_if_it_may_be_believed(changes: dict[str, object], kept: bool) -> None:
    """Case 44: the next attempt's deadline follows the input's duration; 60 KB of file name follow nobody."""
    scene = Scene.of().settle()
    failed = a_result("work", exit_code=75, failure=a_failure("FFmpegFailed", "Recoverable", "Transcode"))
    failed = failed.model_copy(update={"stages": (with_facts(**changes),)})
    main(scene, ended("work", 75, failed), waiting("commit")).look()
    assert scene.status.phase == "Queued"
    assert (scene.status.input is not None) is kept


def test_a_result_by_post_is_taken_by_the_digest_of_its_stub() -> None:
    scene = Scene.of().settle()
    whole = scene.result("commit", ["commit"])
    stub = whole.model_copy(update={"stages": (), "sha256": "cd" * 32, "size_bytes": 5000})
    scene.set(results=(whole.model_copy(update={"sha256": "ee" * 32}), whole.model_copy(update={"sha256": "cd" * 32})))
    both(scene, stub).settle()
    assert scene.status.phase == "Succeeded"


def test_a_result_by_post_with_another_digest_is_not_taken() -> None:
    """Case 44."""
    scene = Scene.of().settle()
    whole = scene.result("commit", ["commit"])
    stub = whole.model_copy(update={"stages": (), "sha256": "cd" * 32})
    scene.set(results=(whole.model_copy(update={"sha256": "ee" * 32}), whole))
    both(scene, stub).settle()
    assert "report-main-a1" in scene.jobs


def test_a_failure_of_which_only_the_stub_came_is_read_from_the_store() -> None:
    scene = Scene.of().settle()
    stub = a_result("work", exit_code=65).model_copy(update={"sha256": "cd" * 32})
    main(scene, ended("work", 65, stub), waiting("commit")).settle()
    assert "report-main-a1" in scene.jobs
    scene.pod("report-main-a1", ended("commit", 0, a_report(a_result("work", failure=a_failure())))).settle()
    assert scene.status.failure is not None
    assert scene.status.failure.code == "InvalidFileType"


# ---------------------------------------------------------------- Jobs that are gone


def test_a_job_deleted_before_its_result_was_seen_is_a_disruption() -> None:
    """Case 37: confirmed with the API server, counted, replaced at once under another name."""
    scene = Scene.of().settle().tick(60).lose("main-a1")
    found = scene.look()
    assert [type(action).__name__ for action in found.actions] == ["ConfirmGone"]
    assert scene.status.failure is not None
    assert scene.status.failure.failure_class == "Disruption"
    assert scene.status.next_retry_time is None
    scene.settle()
    assert list(scene.jobs) == ["main-a2"]
    assert scene.status.stages[0].failures == 0


def test_a_job_that_was_launched_a_moment_ago_may_only_be_missing_from_our_view() -> None:
    scene = Scene.of().settle().tick(3)
    jobs = scene.seen.jobs
    scene.lose("main-a1")
    found = scene.look(granted=True)
    assert found.actions == ()
    assert scene.status.phase == "Running"
    assert found.wake_at == NOW.replace(second=10)
    scene.set(jobs=jobs).settle()
    assert list(scene.jobs) == ["main-a1"]


def test_a_status_that_was_wiped_is_rebuilt_from_the_jobs_that_are_there() -> None:
    """Case 56: attempts are counted again, nothing that ended runs again."""
    scene = Scene.of().settle()
    scene.fail("main-a1", 75).look()
    scene.tick(10).settle()
    assert list(scene.jobs) == ["main-a1", "main-a2"]
    scene.set(job=replace(scene.seen.job, status=VideoJobStatus())).settle()
    assert list(scene.jobs) == ["main-a1", "main-a2"]
    assert (scene.status.attempts, scene.status.stages[0].failures, scene.status.phase) == (2, 1, "Running")
    scene.succeed("main-a2").settle()
    assert scene.status.phase == "Succeeded"


def test_a_wiped_status_and_a_deleted_first_job_still_find_the_second() -> None:
    """Case 56: what is not there any more is counted as a disruption, without asking for it."""
    scene = Scene.of().settle()
    scene.fail("main-a1", 75).look()
    scene.tick(10).settle().lose("main-a1")
    scene.set(job=replace(scene.seen.job, status=VideoJobStatus()))
    found = scene.look()
    assert found.actions == ()
    assert (scene.status.attempts, scene.status.stages[0].disruptions, scene.status.phase) == (2, 1, "Running")


def test_a_job_created_before_a_crash_is_adopted_and_counted_once() -> None:
    """Case 2: the Job is there, the status was not written."""
    scene = Scene.of()
    scene.look()
    before = scene.seen.job
    scene.look(granted=True)
    scene.set(job=before)
    found = scene.look(granted=False)
    assert found.actions == ()
    assert found.request is None
    assert scene.status.attempts == 1
    assert scene.status.stages[0].job == scene.jobs["main-a1"].name


def test_time_that_runs_backwards_counts_as_none() -> None:
    """Case 46: durations are never negative."""
    scene = Scene.of().settle()
    scene.fail("main-a1", 75, seconds=-3600).look()
    assert scene.status.active_time_ms == 0


def test_a_source_without_a_promised_digest_takes_any() -> None:
    scene = Scene.of()
    spec = VideoJobSpec.model_validate({"transcode": {"source": {"uri": "store://stock/a.mp4"}}})
    scene.set(job=replace(scene.seen.job, spec=spec)).settle()
    scene.succeed("main-a1").settle()
    assert scene.status.phase == "Succeeded"
    assert scene.status.input is not None
    assert scene.status.input.sha256 == SHA
