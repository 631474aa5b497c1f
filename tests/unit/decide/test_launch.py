"""Launch, progress, clean-up, and what a status looks like."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from builders import CONFIG, NOW, Scene, a_pod, a_stage, an_output, ended, running, waiting
from videojob_api.contract import Progress
from videojob_api.v1alpha1 import PlannedOutput, VideoProfileSpec, WorkerClass
from videojob_api.v1alpha1.workerclass import EnvVar
from videojob_operator.decide.job import plan
from videojob_operator.decide.naming import job_name
from videojob_operator.decide.world import CreateJob, DeleteJob, Grant, PodView, ProfileView

# ---------------------------------------------------------------- launch


def test_a_foreign_job_of_our_name_is_left_alone_and_said() -> None:
    """Case 20."""
    scene = Scene.of()
    name = job_name(scene.seen.job.uid, "trailer", "main", 1)
    scene.set(foreign=frozenset({name})).settle()
    assert scene.jobs == {}
    assert scene.condition("Stalled") == ("True", "NameConflict")
    assert scene.condition("Accepted") == ("True", "Resolved")
    assert scene.status.queue is not None
    assert name in (scene.status.queue.message or "")
    again = scene.look(granted=True)
    assert again.wake_at is not None
    assert again.request is None, "a slot would not help"
    scene.set(foreign=frozenset()).settle()
    assert list(scene.jobs) == ["main-a1"]
    assert scene.condition("Stalled") == ("False", "StageRunning")


def test_a_foreign_job_of_a_reports_name_is_left_alone_too() -> None:
    scene = Scene.of().settle()
    name = job_name(scene.seen.job.uid, "trailer", "report-main", 1)
    scene.finish("main-a1", pods=False).set(foreign=frozenset({name})).settle()
    assert list(scene.jobs) == ["main-a1"]
    assert scene.condition("Stalled") == ("True", "NameConflict")


def test_nothing_starts_while_an_older_jobs_containers_run() -> None:
    """I1: a Job that was taken for gone, and is there after all, is deleted first."""
    scene = Scene.of().settle()
    ghost = scene.jobs["main-a1"]
    scene.tick(60).lose("main-a1").look()
    scene.set(jobs=(replace(ghost, pods=(a_pod(running("work")),)),))
    found = plan(replace(scene.seen, grants=(Grant("main", 1, "cpu"),)))
    assert found.actions == (DeleteJob(ghost.name, ghost.uid),)
    scene.settle()
    assert list(scene.jobs) == ["main-a2"]


def test_an_operator_with_an_old_view_launches_no_retry() -> None:
    """Case 12: the failure has to be on record, so that the loser of the status write launches nothing."""
    scene = Scene.of().settle()
    scene.fail("main-a1", 143)
    found = plan(replace(scene.seen, grants=(Grant("main", 1, "cpu"),)))
    assert not any(isinstance(action, CreateJob) for action in found.actions)
    assert found.status is not None
    assert found.status.stages[0].disruptions == 1


def test_a_queue_that_went_away_is_waited_for_after_acceptance_as_well() -> None:
    scene = Scene.of()
    scene.look()
    scene.set(queue_found=False).settle(granted=False)
    assert scene.status.queue is not None
    assert scene.status.queue.reason == "QueueNotFound"
    assert scene.status.phase == "Queued"


def test_a_place_in_the_queue_may_wait_for_its_turn_to_be_written() -> None:
    scene = Scene.of()
    scene.look()
    scene.set(waiting_message="slot cpu: 4 of 4 taken, 7 ahead").look()
    found = scene.set(waiting_message="slot cpu: 4 of 4 taken, 6 ahead").look()
    assert found.progress_only
    assert scene.status.queue is not None
    assert scene.status.queue.since == NOW


def test_a_plan_of_another_version_that_cannot_be_read_fails_with_a_reason() -> None:
    """Case 55: plan is total."""
    scene = Scene.of()
    scene.look()
    status = scene.status
    assert status.plan is not None
    strange = PlannedOutput(profile="x", name="x", spec={"hologram": {}})
    broken = status.model_copy(update={"plan": status.plan.model_copy(update={"outputs": (strange,)})})
    scene.set(job=replace(scene.seen.job, status=broken)).settle()
    assert scene.status.phase == "Failed"
    assert scene.status.failure is not None
    assert scene.status.failure.message.startswith("status.plan does not fit this version")


# ---------------------------------------------------------------- advance


def test_the_bands_of_the_stages_make_the_percent() -> None:
    """S-007 to S-012 have their like here: Ingest 0-10, Transcode 10-90, Verify 90-99, Commit 99-100."""
    scene = Scene.of().settle()
    scene.pod("main-a1", running("work"), waiting("commit"))
    shown = []
    for stage, percent in (("ingest", 50), ("transcode", 0), ("transcode", 50), ("verify", 0), ("verify", 100)):
        scene.news(stage, percent, speed="5.9x", eta_seconds=9, message=f"{stage} {percent}").settle()
        shown.append((scene.status.stage, scene.status.progress.summary))
    assert shown == [
        ("Ingest", "5%"), ("Transcode", "10%"), ("Transcode", "50%"), ("Verify", "90%"), ("Verify", "99%"),
    ]  # fmt: skip
    assert scene.status.progress.speed == "5.9x"
    assert scene.status.progress.eta_seconds == 9
    assert scene.status.progress.message == "verify 100"


def test_progress_alone_may_wait_for_its_turn() -> None:
    scene = Scene.of().settle()
    scene.pod("main-a1", running("work"), waiting("commit")).settle()
    assert scene.news("transcode", 40).look().progress_only
    assert not scene.succeed("main-a1").look().progress_only


@dataclass(frozen=True)
class Ignored:
    name: str
    news: dict[str, Any]


IGNORED = (
    Ignored("an old attempt's", {"attempt": 9}),
    Ignored("another VideoJob's", {"uid": "other"}),
    Ignored("another group's", {"group": "transcode"}),
    Ignored("an unknown stage's", {"stage": "teleport"}),
    Ignored("an earlier stage's, late", {"stage": "ingest", "percent": 100}),
    Ignored("the same stage's, backwards", {"percent": 3}),
)


@pytest.mark.parametrize("case", IGNORED, ids=lambda case: case.name)
def test_late_and_foreign_progress_is_ignored(case: Ignored) -> None:
    """Case 75, I10."""
    scene = Scene.of().settle()
    scene.pod("main-a1", running("work"), waiting("commit")).news("transcode", 50).settle()
    base = {"uid": scene.seen.job.uid, "group": "main", "attempt": 1, "stage": "transcode", "percent": 99}
    scene.set(progress=(Progress(**(base | case.news)),)).settle()
    assert scene.status.progress.percent == 50
    assert scene.status.stage == "Transcode"


def test_progress_that_stops_coming_does_not_fall_back() -> None:
    """I10; a restarted operator has no news."""
    scene = Scene.of().settle()
    scene.pod("main-a1", running("work"), waiting("commit")).news("transcode", 50).settle()
    assert scene.set(progress=()).look().status is None
    scene.fail("main-a1", 75).settle()
    assert scene.status.progress.percent == 50, "until another attempt begins"
    scene.tick(3).settle()
    assert scene.status.progress.percent == 0


def running_with_news(scene: Scene) -> Scene:
    scene.settle().pod("main-a1", running("work"), waiting("commit"))
    return scene.news("transcode", 50, message="half", speed="2x", eta_seconds=9).settle()


def waiting_for_a_slot(scene: Scene) -> Scene:
    scene.look()
    return scene.set(waiting_message="slot cpu: 4 of 4 taken, 3 ahead").settle(granted=False)


def blocked(scene: Scene) -> Scene:
    return scene.settle().change("main-a1", blocked="exceeded quota").settle()


def waiting_for_a_retry(scene: Scene) -> Scene:
    return scene.settle().fail("main-a1", 75).settle()


@pytest.mark.parametrize("given", [running_with_news, waiting_for_a_slot, blocked, waiting_for_a_retry])
def test_a_restarted_operator_that_has_heard_no_news_yet_writes_nothing(given: Callable[[Scene], Scene]) -> None:
    """I4, case 7: progress, places in the queue and reasons are in nobody's memory after a restart."""
    scene = given(Scene.of())
    scene.set(progress=(), waiting_message=None)
    scene.set(jobs=tuple(replace(job, blocked=None) for job in scene.seen.jobs))
    found = plan(replace(scene.seen, now=scene.seen.now + timedelta(seconds=0.5)))
    assert (found.actions, found.status, found.events) == ((), None, ())


def test_a_new_attempt_forgets_the_speed_of_the_last_one() -> None:
    scene = running_with_news(Scene.of())
    assert scene.status.progress.speed == "2x"
    scene.set(progress=()).fail("main-a1", 143, deleting=True).settle()
    assert scene.status.phase == "Running"
    assert scene.status.progress.speed is None


def test_progress_after_the_end_is_ignored() -> None:
    """Case 75."""
    scene = Scene.of().settle()
    scene.succeed("main-a1").settle()
    assert scene.news("transcode", 10).look().status is None


def test_an_invalid_result_is_not_shown_while_the_next_container_runs() -> None:
    """Case 44: 60 KB of file name never reach the status."""
    scene = Scene.of().settle()
    told = scene.result("work", ["ingest", "transcode", "verify"])
    facts = a_stage("ingest").input
    assert facts is not None
    huge = told.stages[0].model_copy(update={"input": facts.model_copy(update={"filename": "n" * 60_000})})
    told = told.model_copy(update={"stages": (huge, *told.stages[1:])})
    scene.pod("main-a1", ended("work", 0, told), running("commit")).settle()
    assert scene.status.input is None
    assert "Succeeded" not in [stage.state for stage in scene.status.stages]


def test_a_container_that_exited_with_0_has_ended_its_stages() -> None:
    scene = Scene.of().settle()
    work = ended("work", 0, scene.result("work", ["ingest", "transcode", "verify"]))
    scene.pod("main-a1", work, running("commit")).settle()
    assert [stage.state for stage in scene.status.stages] == ["Succeeded", "Succeeded", "Succeeded", "Running"]
    assert scene.status.stage == "Commit"
    assert scene.status.progress.percent == 99
    assert scene.status.input is not None
    assert scene.status.outputs == ()
    assert scene.status.stages[1].cpu_seconds == 3.5


def test_a_stage_that_passed_unseen_did_not_begin_after_its_end() -> None:
    """Between two looks a short stage may come and go: only its end is noticed then."""
    scene = Scene.of().settle()
    scene.news("verify", 10).settle().tick(5)
    work = ended("work", 0, scene.result("work", ["ingest", "transcode", "verify"]))
    scene.pod("main-a1", work, running("commit")).settle()
    for stage in scene.status.stages[:3]:
        assert stage.start_time is not None
        assert stage.completion_time is not None
        assert stage.start_time <= stage.completion_time, stage.name


@dataclass(frozen=True)
class Pending:
    name: str
    pods: tuple[PodView, ...]
    blocked: str | None
    says: str


PENDING = (
    Pending(
        "unschedulable (case 34)",
        (PodView("p", "u", "Pending", unschedulable="0/1 nodes are available: 1 Insufficient cpu."),),
        None,
        "0/1 nodes are available: 1 Insufficient cpu.; add nodes, wait until others end, or cancel and use a worker class "
        "that asks for less",
    ),
    Pending(
        "no node has the labels of its worker class (case 34)",
        (PodView("p", "u", "Pending", unschedulable="0/1 nodes: 1 node(s) didn't match Pod's node affinity/selector"),),
        None,
        "0/1 nodes: 1 node(s) didn't match Pod's node affinity/selector; label a node as the worker class wants, or cancel "
        "and use another class",
    ),
    Pending(
        "no GPU is free",
        (PodView("p", "u", "Pending", unschedulable="0/1 nodes: 1 Insufficient nvidia.com/gpu."),),
        None,
        "0/1 nodes: 1 Insufficient nvidia.com/gpu.; wait for a free GPU, add nodes that have one, or cancel and use another "
        "worker class",
    ),
    Pending(
        "an image that cannot be pulled (case 33)",
        (a_pod(waiting("work", "ImagePullBackOff", "no such image"), waiting("commit"), phase="Pending"),),
        None,
        "container work: ImagePullBackOff: no such image; check the image's name in the chart's values, and "
        "imagePullSecrets",
    ),
    Pending(
        "a container that cannot be made, without a word",
        (a_pod(waiting("work", "CreateContainerConfigError"), phase="Pending"),),
        None,
        "container work: CreateContainerConfigError: no message",
    ),
    Pending(
        "quota (case 35)",
        (),
        "exceeded quota: pods",
        "exceeded quota: pods; free or raise the namespace's ResourceQuota, or use a worker class that asks for less",
    ),
    Pending(
        "Pod Security (case 36)",
        (),
        'pods "a" is forbidden: violates PodSecurity "restricted:latest"',
        'pods "a" is forbidden: violates PodSecurity "restricted:latest"; the namespace\'s Pod Security level refuses what '
        "the worker class adds: use another class",
    ),
    Pending(
        "a volume that cannot be mounted",
        (a_pod(waiting("work"), waiting("commit"), phase="Pending", node="n1"),),
        'MountVolume.SetUp failed for volume "store": no route to host',
        "MountVolume.SetUp failed for volume \"store\": no route to host; the store's volume must be reachable from the pod's "
        "node: kubectl describe pvc",
    ),
    Pending(
        "its node is lost, its containers may still run (case 31)",
        (a_pod(running("work"), waiting("commit"), deleting=True, node="n1", disruption="DeletionByTaintManager"),),
        None,
        "pod pod-1 on node n1 is being taken away (DeletionByTaintManager); "
        "it is replaced when its containers have ended",
    ),
    Pending(
        "it is being deleted by hand (case 38)",
        (a_pod(running("work"), waiting("commit"), deleting=True),),
        None,
        "pod pod-1 is being taken away; it is replaced when its containers have ended",
    ),
    Pending(
        "its eviction was announced",
        (a_pod(running("work"), waiting("commit"), disruption="PreemptionByScheduler"),),
        None,
        "pod pod-1 is being taken away (PreemptionByScheduler); it is replaced when its containers have ended",
    ),
)


@pytest.mark.parametrize("case", PENDING, ids=lambda case: case.name)
def test_why_a_pod_does_not_start_stands_in_the_status(case: Pending) -> None:
    scene = Scene.of().settle()
    scene.change("main-a1", pods=case.pods, blocked=case.blocked).settle()
    assert scene.status.queue is not None
    assert (scene.status.queue.reason, scene.status.queue.message) == ("PodPending", case.says)
    assert scene.condition("Reconciling") == ("True", "PodPending")
    scene.tick(60).pod("main-a1", running("work"), waiting("commit")).settle()
    assert scene.status.queue is None
    assert scene.condition("Reconciling") == ("True", "StageRunning")


def test_a_job_that_kueue_holds_back_says_so() -> None:
    scene = Scene.of().settle()
    scene.change("main-a1", suspended=True).settle()
    assert scene.status.queue is not None
    assert scene.status.queue.message == "Kueue has not admitted the Job yet"
    scene.change("main-a1", suspended=False).pod("main-a1", running("work"), waiting("commit")).settle()
    assert scene.status.queue is None


def test_a_long_story_of_the_scheduler_leaves_room_for_what_helps() -> None:
    scene = Scene.of().settle()
    text = "0/900 nodes are available: " + "1 node(s) had untolerated taint {a: b}, " * 40
    scene.change("main-a1", pods=(PodView("p", "u", "Pending", unschedulable=text),)).settle()
    assert scene.status.queue is not None
    assert scene.status.queue.message is not None
    assert len(scene.status.queue.message) == 500
    assert scene.status.queue.message.endswith("; use a worker class that tolerates the nodes' taints, or add nodes")


# ---------------------------------------------------------------- clean-up


def test_a_finished_job_goes_five_minutes_after_its_result_is_on_record() -> None:
    """Case 3: never before the status that accounts for it was written, and never by a TTL."""
    scene = Scene.of().settle()
    scene.succeed("main-a1").finish("main-a1")
    first = scene.look()
    assert not any(isinstance(action, DeleteJob) for action in first.actions)
    waiting_plan = scene.look()
    assert waiting_plan.actions == ()
    assert waiting_plan.wake_at is not None
    assert (waiting_plan.wake_at - scene.seen.now).total_seconds() == 300
    scene.tick(301).settle()
    assert scene.jobs == {}


def test_a_job_that_finished_while_nobody_looked_is_kept_for_a_while_after_its_record() -> None:
    scene = Scene.of().settle()
    scene.succeed("main-a1").finish("main-a1").tick(86_400).settle()
    assert "main-a1" in scene.jobs
    scene.tick(301).settle()
    assert scene.jobs == {}


def test_failed_attempts_jobs_go_as_well() -> None:
    scene = Scene.of().settle()
    scene.fail("main-a1", 75).finish("main-a1", "Failed").settle().tick(3).settle()
    scene.pod("main-a2", running("work"), waiting("commit")).tick(301).settle()
    assert list(scene.jobs) == ["main-a2"]


def test_a_pod_that_stays_initializing_for_good_is_deleted_with_its_job() -> None:
    """Case 30: a child was killed for memory, the init container exited with 0."""
    scene = Scene.of().settle()
    scene.pod("main-a1", ended("work", 0, reason="OOMKilled"), waiting("commit")).look()
    found = scene.look()
    assert [type(action) for action in found.actions] == [DeleteJob]


def test_a_job_that_is_already_being_deleted_is_not_deleted_again() -> None:
    scene = Scene.of().settle()
    scene.succeed("main-a1").finish("main-a1").settle().change("main-a1", deleting=True).tick(3600)
    assert scene.look().actions == ()


def test_a_job_of_a_group_nobody_planned_is_left_alone() -> None:
    """Case 55: made by another version."""
    scene = Scene.of().settle()
    scene.change("main-a1", group="teleport")
    assert plan(scene.seen).actions == ()


# ---------------------------------------------------------------- the size of it


def test_a_status_of_sixteen_outputs_stays_below_32_kib() -> None:
    """Design section 3: bounded, with the longest names, a failure on the way, and everything filled in."""
    profiles = [f"{'p' * 60}{number:02d}" for number in range(16)]
    spec = {"video": {"width": 1920, "height": 1080, "bitrate": "999999k"}, "audio": {"bitrate": "999999k"}}
    made = VideoProfileSpec.model_validate({"rendition": spec, "outputName": None})
    views = tuple(
        ProfileView("team-a", name, made.model_copy(update={"output_name": f"{'o' * 60}{number:02d}"}))
        for number, name in enumerate(profiles)
    )
    env = tuple(EnvVar(name=f"{'E' * 60}{number}", value="v" * 200) for number in range(6))
    scene = Scene.of(
        "Spread",
        config=replace(CONFIG, classes=(("c" * 63, WorkerClass(env=env)),)),
        transcode={"source": {"uri": "store://stock/a.mp4"}, "profiles": profiles},
        timeoutSeconds=9999,
        workerClass="c" * 63,
    )
    scene.set(profiles=views).settle()
    for group in ("ingest", "transcode", "verify"):
        scene.succeed(f"{group}-a1").settle()
    scene.succeed("commit-a1").settle()
    assert scene.status.phase == "Succeeded"
    assert len(scene.status.outputs) == 16
    assert len(json.dumps(scene.status.dump()).encode()) < 32 * 1024


def test_facts_as_long_as_they_may_be_still_fit() -> None:
    planned = PlannedOutput(profile="p" * 62, name="o" * 62, spec={"thumbnail": {}})
    size = len(json.dumps(an_output(planned, "u" * 36).dump()))
    assert size < 900
