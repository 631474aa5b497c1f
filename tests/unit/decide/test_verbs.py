"""Cancel and redrive by annotation, each once per nonce; a job that stops early; idempotency keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from builders import UID, Scene, a_failure, ended, running, seen
from videojob_api import names
from videojob_api.v1alpha1 import StageStatus
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import CreateJob, DeleteJob

GOES_ON = {"ingest": "transcode", "transcode": "verify", "verify": "commit"}


def launched(scene: Scene) -> list[tuple[str, int]]:
    """Groups and attempts of all Jobs ever created."""
    return [
        (action.document.group, action.document.attempt)
        for found in scene.plans
        for action in found.actions
        if isinstance(action, CreateJob)
    ]


def stages(scene: Scene) -> dict[str, StageStatus]:
    return {stage.name: stage for stage in scene.status.stages}


def spread(until: str, mode: str = "Spread", **spec: object) -> Scene:
    """A Spread job that runs the group `until`, all before it have succeeded."""
    scene = Scene.of(mode, **spec).settle()
    group = "ingest"
    while group != until:
        scene.succeed(f"{group}-a1").settle()
        group = GOES_ON[group]
    return scene


# ---------------------------------------------------------------- cancel


@dataclass(frozen=True)
class Phase:
    """A job on its way, and what is left of it after a cancel."""

    name: str
    given: Callable[[], Scene]
    accepted: str = "True"
    alive: tuple[str, ...] = ()
    """Jobs that are alive when the cancel comes."""


def committing() -> Scene:
    scene = Scene.of().settle()
    work = ended("work", 0, scene.result("work", ["ingest", "transcode", "verify"]))
    return scene.pod("main-a1", work, running("commit")).settle()


PHASES = (
    Phase("nobody has looked at it yet", Scene.of),
    Phase("Pending for a missing store", lambda: Scene.of().set(store=None).settle(granted=False), accepted="False"),
    Phase("Queued for a slot", lambda: Scene.of().settle(granted=False)),
    Phase("Suspended", lambda: Scene.of(suspend=True).settle()),
    Phase("a pod that is not there yet", lambda: Scene.of().settle(), alive=("main-a1",)),
    Phase("at work", lambda: Scene.of().settle().pod("main-a1", running("work")).settle(), alive=("main-a1",)),
    Phase("about to publish", committing, alive=("main-a1",)),
    Phase("between two stages", lambda: spread("transcode").settle(granted=False), alive=("transcode-a1",)),
    Phase("waiting for a retry", lambda: Scene.of().settle().fail("main-a1", 75).settle()),
    Phase("failed for good at this very look", lambda: Scene.of().settle().fail("main-a1", 65, a_failure())),
    Phase(
        "its result being read",
        lambda: Scene.of().settle().finish("main-a1", pods=False).settle(),
        alive=("report-main-a1",),
    ),
)


@pytest.mark.parametrize("case", PHASES, ids=lambda case: case.name)
def test_a_cancel_ends_a_job_at_any_phase(case: Phase) -> None:
    """X-002, case 52: Cancelled without outputs; its Jobs are deleted after that is on record; nothing is started."""
    scene = case.given()
    before = len(launched(scene))
    found = scene.ask(cancel="now").look()
    assert scene.status.phase == "Cancelled"
    assert not any(isinstance(action, (CreateJob, DeleteJob)) for action in found.actions), "the record comes first"
    assert found.request is None
    deleted = [action.name for action in scene.look(granted=True).actions if isinstance(action, DeleteJob)]
    assert [name.rsplit("-", 1)[0].removeprefix("trailer-") for name in deleted] == list(case.alive)
    scene.settle()
    assert len(launched(scene)) == before
    status = scene.status
    assert (status.outputs, status.queue, status.next_retry_time) == ((), None, None)
    assert status.completion_time is not None
    assert {stage.state for stage in status.stages} <= {"Waiting", "Succeeded", "Cancelled"}
    for kind, holds in {
        "Finished": "True", "Complete": "False", "Failed": "False", "Ready": "False", "Reconciling": "False",
        "Stalled": "True", "Accepted": case.accepted,
    }.items():  # fmt: skip
        assert scene.condition(kind) == (holds, "Resolved" if (kind, holds) == ("Accepted", "True") else "Cancelled")
    assert scene.condition("DeadLettered") is None
    assert names.LABEL_DEAD_LETTER not in dict(scene.seen.job.labels)
    assert scene.told().count("Cancelled") == 1
    assert "processing_failed" not in scene.told()


ENDS = (
    ("Succeeded", lambda: Scene.of().settle().succeed("main-a1").settle()),
    ("Failed", lambda: Scene.of().settle().fail("main-a1", 65, a_failure()).settle()),
    ("Cancelled", lambda: Scene.of().settle().ask(cancel="before").settle()),
)


@pytest.mark.parametrize(("phase", "given"), ENDS, ids=[name for name, _ in ENDS])
def test_a_cancel_of_what_has_ended_does_nothing(phase: str, given: Callable[[], Scene]) -> None:
    """I3: terminal phases absorb."""
    scene = given()
    before = scene.status
    scene.ask(cancel="again").settle()
    assert scene.status == before
    assert before.phase == phase


def test_what_has_succeeded_as_a_whole_is_not_cancelled_any_more() -> None:
    """The outputs are published: the cancel comes too late, also when both are seen at the same look."""
    scene = Scene.of().settle().succeed("main-a1").ask(cancel="late").settle()
    assert scene.status.phase == "Succeeded"
    assert len(scene.status.outputs) == 3


def test_an_empty_annotation_is_none() -> None:
    assert Scene.of().ask(cancel="", retry="").settle().status.phase == "Running"


def test_suspend_resume_and_cancel_in_one_second_have_one_end() -> None:
    """Case 52: whatever the order in which they are seen."""
    ends = set()
    for suspended in (True, False):
        for early in (True, False):
            scene = Scene.of().settle(granted=early)
            scene.spec(suspend=suspended).ask(cancel="x", retry="y").settle()
            ends.add((scene.status.phase, scene.status.redrives))
    assert ends == {("Cancelled", 0)}


# ---------------------------------------------------------------- redrive


def test_a_dead_letter_is_driven_again_with_fresh_budgets() -> None:
    """X-008, T-005, T-010: label and condition go, attempts go on counting, failures and time start afresh, as High."""
    scene = Scene.of(retry={"maxAttempts": 2, "backoffSeconds": 0}, priority="Low").settle()
    scene.fail("main-a1", 75).settle().fail("main-a2", 75).settle()
    assert scene.condition("DeadLettered") == ("True", "AttemptsExhausted")
    assert dict(scene.seen.job.labels) == {names.LABEL_DEAD_LETTER: "true"}
    assert scene.status.active_time_ms > 0
    found = scene.tick(60).ask(retry="one").look()
    assert (found.actions, found.request) == ((), None), "nothing starts before the redrive is on record"
    status = scene.status
    assert (status.phase, status.redrives, status.observed_retry, status.active_time_ms) == ("Queued", 1, "one", 0)
    assert (status.completion_time, status.start_time, status.execution_time_ms) == (None, None, None)
    assert {(s.attempt, s.attempt_base, s.failures, s.state) for s in status.stages} == {(2, 2, 0, "Waiting")}
    assert (scene.condition("Failed"), scene.condition("DeadLettered")) == (None, None)
    assert scene.condition("Finished") == ("False", "Redriven")
    assert scene.condition("Stalled") == ("False", "Redriven")
    assert scene.seen.job.labels == ()
    request = scene.look().request
    assert request is not None
    assert (request.priority, request.attempt) == (0, 3)
    scene.settle().fail("main-a3", 75).settle().succeed("main-a4").settle()
    assert scene.status.phase == "Succeeded"
    assert launched(scene) == [("main", attempt) for attempt in (1, 2, 3, 4)]
    assert scene.told().count("Redriven") == 1


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_one_nonce_drives_once(mode: str) -> None:
    """Case 53: the same nonce again, also after a later failure, does nothing; another one does."""
    scene = Scene.of(mode).settle()
    group = next(iter(scene.jobs)).removesuffix("-a1")
    scene.fail(f"{group}-a1", 65, a_failure()).settle().ask(retry="one").settle()
    scene.fail(f"{group}-a2", 65, a_failure()).settle()
    before = scene.status
    assert (before.phase, before.redrives) == ("Failed", 1)
    scene.ask(retry="one").settle()
    assert scene.status == before
    scene.ask(retry="two").settle()
    assert (scene.status.phase, scene.status.redrives) == ("Running", 2)
    assert f"{group}-a3" in scene.jobs


def test_a_redrive_goes_on_at_the_first_stage_whose_output_is_missing() -> None:
    """Case 53: what succeeded is not run again."""
    scene = spread("verify", retry={"maxAttempts": 1})
    scene.fail("verify-a1", 75, a_failure("VerifyFailed", "Recoverable", "Verify")).settle()
    assert scene.status.phase == "Failed"
    scene.ask(retry="one").settle().succeed("verify-a2").settle().succeed("commit-a1").settle()
    assert scene.status.phase == "Succeeded"
    assert launched(scene) == [("ingest", 1), ("transcode", 1), ("verify", 1), ("verify", 2), ("commit", 1)]
    assert stages(scene)["Ingest"].attempt_base == 0


def test_a_redrive_after_a_rollback_starts_again() -> None:
    """S-004: after a Permanent failure the worker keeps nothing but `debug/`, so nothing that succeeded is there any more."""
    scene = spread("verify").fail("verify-a1", 65, a_failure(stage="Verify")).settle()
    scene.ask(retry="one").settle()
    for group, attempt in (("ingest", 2), ("transcode", 2), ("verify", 2), ("commit", 1)):
        scene.succeed(f"{group}-a{attempt}").settle()
    assert scene.status.phase == "Succeeded"


@dataclass(frozen=True)
class From:
    """A redrive from somewhere, of a job whose first commit failed: what is run again, and which stages get a new key."""

    name: str
    mode: str
    start: str
    launched: tuple[tuple[str, int], ...]
    renewed: tuple[str, ...]


FROM = (
    From("nothing named", "Spread", "", (("commit", 2),), ()),
    From("a stage that succeeded", "Spread", ";from=Transcode", (("transcode", 2), ("verify", 2), ("commit", 2)),
         ("Transcode", "Verify", "Commit")),
    From("a rendition, of which the stage that makes it is run", "Spread", "; from=720p",
         (("transcode", 2), ("verify", 2), ("commit", 2)), ("Transcode", "Verify", "Commit")),
    From("the stage that failed", "Spread", ";from=Commit", (("commit", 2),), ("Commit",)),
    From("the first stage", "Spread", ";from=Ingest",
         (("ingest", 2), ("transcode", 2), ("verify", 2), ("commit", 2)), ("Ingest", "Transcode", "Verify", "Commit")),
    From("a stage of one pod", "Compact", ";from=Verify", (("main", 2),), ("Verify", "Commit")),
)  # fmt: skip


@pytest.mark.parametrize("case", FROM, ids=lambda case: f"{case.name} ({case.mode})")
def test_a_redrive_from_a_stage_or_a_rendition(case: From) -> None:
    """Work that is wanted anew has a key that no output has, and the task says so; all before it keeps its key."""
    once = {"maxAttempts": 1}
    scene = spread("commit", retry=once) if case.mode == "Spread" else Scene.of(retry=once).settle()
    last = a_failure("DiskFull", "Resource", "Commit")
    scene.fail(f"{'commit' if case.mode == 'Spread' else 'main'}-a1", 73, last).settle()
    assert scene.status.phase == "Failed"
    before, done = stages(scene), len(launched(scene))
    scene.ask(retry=f"one{case.start}").settle()
    now = stages(scene)
    assert tuple(name for name in now if now[name].key != before[name].key) == case.renewed
    for group, attempt in case.launched:
        assert scene.status.phase == "Running"
        scene.succeed(f"{group}-a{attempt}").settle()
    assert scene.status.phase == "Succeeded"
    assert tuple(launched(scene)[done:]) == case.launched
    asked = {
        task.kind: task.key
        for found in scene.plans
        for action in found.actions
        if isinstance(action, CreateJob) and (action.document.group, action.document.attempt) in case.launched
        for task in action.document.stages
    }
    assert asked == {kind: now[kind.capitalize()].key for kind in asked}


def test_the_same_redrive_twice_makes_new_keys_twice() -> None:
    last = a_failure("VerifyFailed", "Recoverable", "Verify")
    scene = spread("verify", retry={"maxAttempts": 1}).fail("verify-a1", 75, last).settle()
    keys = {stages(scene)["Verify"].key}
    for attempt in (2, 3):
        scene.ask(retry=f"{attempt};from=Verify").settle().fail(f"verify-a{attempt}", 75, last).settle()
        keys.add(stages(scene)["Verify"].key)
    assert len(keys) == 3


@pytest.mark.parametrize("phase", ["Failed", "Cancelled"])
def test_a_redrive_from_what_there_is_not_is_refused_with_the_choice(phase: str) -> None:
    """Once; the job stays as it ended, and the next nonce counts again."""
    scene = Scene.of().settle()
    (scene.fail("main-a1", 65, a_failure()) if phase == "Failed" else scene.ask(cancel="now")).settle()
    before = scene.status
    scene.ask(retry="one;from=Trancode").settle()
    assert scene.status == before.model_copy(update={"observed_retry": "one;from=Trancode"})
    said = (
        "not driven again: the annotation videojob.dev/retry says from=Trancode, which is none of the stages Ingest, "
        "Transcode, Verify, Commit and none of the outputs 720p, 480p, thumbnail"
    )
    assert [event.message for event in scene.events if event.reason == "RetryRefused"] == [said]
    assert scene.ask(retry="two").settle().status.phase == "Running"


def test_from_is_moot_while_nothing_is_planned() -> None:
    scene = Scene.of().set(store=None).settle(granted=False).ask(cancel="now").settle()
    scene.set(store=seen().store).ask(retry="one;from=Nowhere").settle()
    assert scene.status.phase == "Running"


@pytest.mark.parametrize("case", PHASES, ids=lambda case: case.name)
def test_what_was_cancelled_is_driven_again(case: Phase) -> None:
    """X-008: at whatever phase it was; a number that a Job had is not used again; the old cancel stays acted on."""
    scene = case.given().ask(cancel="now").settle()
    used = launched(scene)
    scene.set(store=seen().store).tick(1).ask(retry="one").spec(suspend=False).settle()
    assert (scene.status.phase, scene.status.redrives) == ("Running", 1)
    group, attempt = launched(scene)[-1]
    assert (group, attempt) not in used
    scene.succeed(f"{group}-a{attempt}").settle()
    while scene.status.phase == "Running":
        group = GOES_ON[group]
        scene.succeed(f"{group}-a1").settle()
    assert scene.status.phase == "Succeeded"


def test_a_new_attempt_waits_for_the_end_of_the_old_ones_job() -> None:
    """I1: a cancel and a redrive in quick succession never have two Jobs of a group alive."""
    scene = Scene.of().settle().pod("main-a1", running("work")).settle()
    alive = scene.seen.jobs
    scene.ask(cancel="x").look()
    scene.ask(retry="y")
    for _ in range(4):
        scene.look(granted=True)
        scene.set(jobs=tuple(replace(job, deleting=True) for job in alive))
        assert launched(scene) == [("main", 1)]
    assert (scene.status.phase, scene.status.redrives) == ("Queued", 1)
    scene.set(jobs=()).settle()
    assert launched(scene) == [("main", 1), ("main", 2)]


@pytest.mark.parametrize(
    "given", [Scene.of, lambda: Scene.of().settle(), lambda: Scene.of(suspend=True).settle()],
    ids=["present at creation", "while it runs", "while it is suspended"],
)  # fmt: skip
def test_a_retry_of_what_has_not_ended_is_noted_and_does_nothing(given: Callable[[], Scene]) -> None:
    """Case 53: and it is not held in store for a later failure."""
    scene = given().ask(retry="one").settle().spec(suspend=False).settle()
    assert (scene.status.observed_retry, scene.status.redrives) == ("one", 0)
    scene.fail("main-a1", 65, a_failure()).settle()
    assert scene.status.phase == "Failed"


def test_a_retry_of_a_success_does_nothing() -> None:
    scene = Scene.of().settle().succeed("main-a1").settle()
    before = scene.status
    assert scene.ask(retry="one").settle().status == before


def test_a_cancel_from_before_the_redrive_is_a_thing_of_the_past() -> None:
    """A cancel that came too late for a failed job does not end the job that is driven again; a new one does."""
    scene = Scene.of().settle().fail("main-a1", 65, a_failure()).settle()
    scene.ask(cancel="late").settle().ask(retry="one").settle()
    assert scene.status.phase == "Running"
    scene.ask(cancel="new").settle()
    assert scene.status.phase == "Cancelled"


def test_a_redrive_of_a_spec_that_is_still_wrong_fails_again() -> None:
    scene = Scene.of()
    scene.set(job=replace(scene.seen.job, spec=None, spec_error="spec.queue: no")).settle().ask(retry="one").settle()
    assert (scene.status.phase, scene.status.redrives) == ("Failed", 1)
    assert scene.status.failure is not None
    assert scene.status.failure.code == "InvalidSpec"


def test_a_redrive_of_a_suspended_job_waits() -> None:
    scene = Scene.of().settle().fail("main-a1", 65, a_failure()).settle().spec(suspend=True)
    assert scene.ask(retry="one").settle().status.phase == "Suspended"
    assert scene.spec(suspend=False).settle().status.phase == "Running"


def test_a_nonce_as_long_as_a_book_does_not_fill_the_status() -> None:
    scene = Scene.of().settle().fail("main-a1", 65, a_failure()).settle().ask(retry="x" * 100_000).settle()
    assert scene.status.observed_retry is not None
    assert len(scene.status.observed_retry) == 71
    assert scene.status.redrives == 1


# ---------------------------------------------------------------- stopAfter


@pytest.mark.parametrize(
    ("mode", "last", "groups"),
    [
        ("Compact", "Ingest", {"main": ("Ingest",)}),
        ("Compact", "Verify", {"main": ("Ingest", "Transcode", "Verify")}),
        ("Spread", "Transcode", {"ingest": ("Ingest",), "transcode": ("Transcode",)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_job_ends_after_the_stage_it_was_asked_to(mode: str, last: str, groups: dict[str, tuple[str, ...]]) -> None:
    """Succeeded and Complete, with nothing published; the group is cut, so that no container publishes anything."""
    scene = Scene.of(mode, stopAfter=last).settle()
    assert scene.status.plan is not None
    assert {group.name: group.stages for group in scene.status.plan.groups} == groups
    for name, members in groups.items():
        kinds = [member.lower() for member in members]
        action = next(
            a for p in scene.plans for a in p.actions if isinstance(a, CreateJob) and a.document.group == name
        )
        assert action.document.containers() == ("work",)
        scene.tick(5).pod(f"{name}-a1", ended("work", 0, scene.result("work", kinds, group=name))).settle()
    assert (scene.status.phase, scene.status.stage, scene.status.outputs) == ("Succeeded", last, ())
    assert scene.status.progress.percent == 100
    assert scene.status.input is not None
    assert scene.condition("Complete") == ("True", "StoppedAfter")
    assert scene.condition("Ready") == ("True", "StoppedAfter")
    assert [event.message for event in scene.events if event.reason == "processing_completed"] == [
        f"stopped after {last} as spec.stopAfter asks; nothing was published"
    ]


# ---------------------------------------------------------------- idempotencyKey


def test_a_second_job_with_the_same_key_fails_and_names_the_first() -> None:
    """Accepted=False, reason Duplicate; no Job is made."""
    scene = Scene.of(idempotencyKey="order-4711").set(duplicate_of="first").settle()
    assert scene.status.phase == "Failed"
    assert scene.condition("Accepted") == ("False", "Duplicate")
    assert scene.status.failure is not None
    assert scene.status.failure.code == "Duplicate"
    assert "VideoJob first of this namespace has the idempotencyKey order-4711" in scene.status.failure.message
    assert launched(scene) == []


def test_what_was_accepted_is_no_duplicate_any_more() -> None:
    scene = Scene.of(idempotencyKey="order-4711").settle().set(duplicate_of="an-older-one").settle()
    assert scene.status.phase == "Running"


def test_a_duplicate_runs_when_the_first_is_gone_and_it_is_driven_again() -> None:
    scene = Scene.of(idempotencyKey="order-4711").set(duplicate_of="first").settle()
    assert scene.ask(retry="one").settle().status.phase == "Failed"
    assert scene.set(duplicate_of=None).ask(retry="two").settle().status.phase == "Running"


def test_verbs_are_decided_twice_the_same() -> None:
    """plan() is deterministic with them, too."""
    for _, given in ENDS:
        world = given().ask(cancel="a", retry="b").seen
        assert plan(world) == plan(world)
        assert world.job.uid == UID
