"""What is kept of a VideoJob, and until when (A-015, A-016, A-023, A-045, T-011); case 78."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import NOW, STORE, Scene, a_videojob, seen
from videojob_api.names import Phase
from videojob_api.v1alpha1 import FailureStatus, Retention, StoreRetention, VideoJobStatus
from videojob_operator.decide.job import plan
from videojob_operator.decide.job.harvest import served
from videojob_operator.decide.tiers import effective, owner_mark, times
from videojob_operator.decide.verdicts import Owner, folder, upload
from videojob_operator.decide.world import CreateJob, DeleteVideoJob, VideoJobView

DAY = timedelta(days=1)
SHA = "a1" * 32


def ended(**retention: Any) -> Scene:
    """A VideoJob that published its outputs."""
    fields = {"retention": retention} if retention else {}
    return Scene(seen(a_videojob(**fields))).settle().succeed("main-a1").settle()


def failed(**retention: Any) -> Scene:
    """One that failed for good."""
    fields = {"retention": retention} if retention else {}
    failure = FailureStatus(failure_class="Permanent", code="CorruptMedia", stage="Ingest", message="no")
    return Scene(seen(a_videojob(**fields))).settle().fail("main-a1", 65, failure).settle()


def at(scene: Scene) -> datetime:
    """When it ended."""
    assert scene.status.completion_time is not None
    return scene.status.completion_time


def test_a_015_outputs_are_kept_for_thirty_days_and_say_so() -> None:
    """A-023, A-045: outputs 30 days, uploads 7, what tells about errors 90."""
    scene = ended()
    assert {output.expires_at for output in scene.status.outputs} == {at(scene) + 30 * DAY}
    known = scene.status.retention
    assert known is not None
    assert (known.debug_expires_at, known.uploads_expires_at) == (at(scene) + 90 * DAY, at(scene) + 7 * DAY)
    assert known.processed_expires_at is None, "a commit leaves nothing behind"


def test_the_times_come_with_the_end_and_cost_no_write_of_their_own() -> None:
    """O3: acceptance, launch, end."""
    assert ended().writes == 3


def test_a_015_of_a_failure_the_intermediate_files_are_kept_for_three_days() -> None:
    scene = failed()
    known = scene.status.retention
    assert known is not None
    assert (known.processed_expires_at, known.videos_expires_at) == (at(scene) + 3 * DAY, None)


def test_a_videojob_says_otherwise() -> None:
    scene = ended(videosSeconds=60)
    assert scene.status.outputs[0].expires_at == at(scene) + timedelta(seconds=60)
    assert effective(Retention(debug_seconds=5), StoreRetention()).debug_seconds == 5


def test_while_it_is_held_nothing_expires_and_afterwards_it_does() -> None:
    scene = ended(hold=True)
    assert [output.expires_at for output in scene.status.outputs] == [None] * 3
    scene.set(swept=NOW + 365 * DAY).settle()
    assert {output.state for output in scene.status.outputs} == {"Available"}
    scene.tick(400 * 86400).spec(retention={"hold": False}).settle()
    assert {output.state for output in scene.status.outputs} == {"Available"}, "no sweep has begun since"
    scene.tick(5).set(swept=scene.seen.now).settle()
    assert {output.state for output in scene.status.outputs} == {"Expired"}


def test_what_a_sweep_has_deleted_is_shown_as_expired_and_the_job_stays_a_success() -> None:
    scene = ended(videosSeconds=5)
    scene.tick(10).set(swept=at(scene) + timedelta(seconds=4)).settle()
    assert {output.state for output in scene.status.outputs} == {"Available"}
    scene.set(swept=at(scene) + timedelta(seconds=5)).settle()
    assert {output.state for output in scene.status.outputs} == {"Expired"}
    assert scene.status.phase == Phase.SUCCEEDED
    assert scene.condition("Ready") == ("True", "Expired")
    assert scene.told()[-1] == "Expired"
    scene.spec(retention={"videosSeconds": 10**6}).settle()
    assert {output.state for output in scene.status.outputs} == {"Expired"}, "what is gone is gone"


def test_a_shorter_time_counts_from_the_next_sweep_only() -> None:
    scene = ended()
    scene.tick(3600).set(swept=scene.seen.now).settle()
    scene.tick(10).spec(retention={"videosSeconds": 5}).settle()
    assert {output.state for output in scene.status.outputs} == {"Available"}
    known = scene.status.retention
    assert known is not None
    assert known.changed_time == scene.seen.now
    assert min(times(known)) == scene.seen.now, "a sweep is due now"


def test_the_folder_is_told_the_policy_with_every_launch_and_a_change_after_it_by_a_sweep() -> None:
    scene = Scene(seen(a_videojob(retention={"deletionPolicy": "Retain"}))).settle()
    action = next(a for p in scene.plans for a in p.actions if isinstance(a, CreateJob))
    assert action.document.retention is not None
    assert action.document.retention.deletion_policy == "Retain"
    scene.spec(retention={"deletionPolicy": "Delete"}).settle()
    scene.succeed("main-a1").settle()
    known = scene.status.retention
    assert known is not None
    assert (known.deletion_policy, known.changed_time) == ("Delete", at(scene))


def test_a_store_that_is_gone_changes_nothing() -> None:
    scene = ended()
    before = scene.status
    scene.tick(10).set(store=None).settle()
    assert scene.status == before


def test_a_run_without_a_cluster_promises_no_times() -> None:
    scene = Scene(seen(config=replace(seen().config, sweeps=False))).settle().succeed("main-a1").settle()
    assert scene.status.retention is None
    assert scene.status.outputs[0].expires_at is None


# ---------------------------------------------------------------- the VideoJob itself


def test_by_default_no_videojob_is_ever_deleted() -> None:
    scene = failed().tick(10**9)
    assert not [a for a in plan(scene.seen).actions if isinstance(a, DeleteVideoJob)]


def test_its_own_ttl_deletes_it() -> None:
    scene = ended(ttlSecondsAfterFinished=60)
    before = plan(scene.seen)
    assert before.wake_at is not None
    assert before.wake_at <= at(scene) + timedelta(seconds=60)
    scene.finish("main-a1").tick(61)
    assert DeleteVideoJob(scene.seen.job.uid) in plan(scene.seen).actions


def test_the_folder_hears_of_a_changed_policy_before_the_videojob_goes() -> None:
    """Else its files would be judged by a policy that does not hold any more."""
    scene = ended(ttlSecondsAfterFinished=60).finish("main-a1").tick(30)
    scene.spec(retention={"ttlSecondsAfterFinished": 60, "deletionPolicy": "Retain"}).settle().tick(60)
    assert not [a for a in plan(scene.seen).actions if isinstance(a, DeleteVideoJob)]
    scene.set(swept=scene.seen.now)
    assert DeleteVideoJob(scene.seen.job.uid) in plan(scene.seen).actions


@dataclass(frozen=True)
class Mark:
    """Something that tells whose a manifest is."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    tool: str | None = None


@pytest.mark.parametrize(
    "case",
    [
        Mark("Argo CD's annotation", annotations=(("argocd.argoproj.io/tracking-id", "x"),), tool="Argo CD"),
        Mark("Argo CD's label", labels=(("app.kubernetes.io/instance", "x"),), tool="Argo CD"),
        Mark("a Flux kustomization", labels=(("kustomize.toolkit.fluxcd.io/name", "x"),), tool="Flux"),
        Mark("a Flux Helm release", labels=(("helm.toolkit.fluxcd.io/name", "x"),), tool="Flux"),
        Mark("Helm's label", labels=(("app.kubernetes.io/managed-by", "Helm"),), tool="Helm"),
        Mark("Helm's annotation", annotations=(("meta.helm.sh/release-name", "x"),), tool="Helm"),
        Mark("the CLI's own label", labels=(("app.kubernetes.io/managed-by", "videojob-cli"),)),
    ],
    ids=lambda case: case.name,
)
def test_a_videojob_that_others_manage_stays_and_says_why(case: Mark) -> None:
    scene = ended(ttlSecondsAfterFinished=60).finish("main-a1")
    scene.set(job=replace(scene.seen.job, labels=case.labels, annotations=case.annotations)).tick(61)
    found = plan(scene.seen)
    deletes = any(isinstance(action, DeleteVideoJob) for action in found.actions)
    assert deletes == (case.tool is None)
    if case.tool is not None:
        assert case.tool in str(owner_mark(case.labels, case.annotations))
        scene.settle()
        known = scene.status.retention
        assert known is not None
        assert case.tool in str(known.message)
        assert scene.told().count("RetentionSkipped") == 1


# ---------------------------------------------------------------- what a sweep is told


def owner(scene: Scene, **fields: Any) -> Owner:
    """The VideoJob of a scene, without its Jobs unless they are given."""
    job: VideoJobView = replace(scene.seen.job, **fields)
    return Owner(job, STORE.retention)


def test_nobody_knows_the_folder() -> None:
    assert folder("u", None, NOW).state == "Gone"
    assert folder("u", None, NOW, alive=True).state == "Live", "its pod is still being taken away"


@dataclass(frozen=True)
class Hands:
    """A VideoJob whose folder nobody may touch."""

    name: str
    owner: Owner
    alive: bool = False


def hands_off() -> list[Hands]:
    done = ended(videosSeconds=1)
    running = Scene.of().settle()
    return [
        Hands("it runs", owner(running)),
        Hands("nobody has looked at it yet", owner(done, status=VideoJobStatus())),
        Hands("it ended after the sweep began", owner(ended().tick(10**7).settle())),
        Hands("its spec cannot be read", owner(done, spec=None)),
        Hands("its store is gone", replace(owner(done), store=None)),
        Hands("it is being deleted", owner(done, deleting=True)),
        Hands("a pod of it is alive", owner(done), alive=True),
        Hands("a Job of it is alive", replace(owner(done), jobs=tuple(running.seen.jobs))),
    ]


@pytest.mark.parametrize("case", hands_off(), ids=lambda case: case.name)
def test_hands_off(case: Hands) -> None:
    """Case 78"""
    cutoff = NOW if case.name == "it ended after the sweep began" else NOW + 365 * DAY
    assert folder("u", case.owner, cutoff, alive=case.alive).state == "Live"
    assert upload(SHA, [case.owner], cutoff).state == "Kept" or case.alive


def test_a_settled_one_loses_what_has_expired_by_status_and_spec_alike() -> None:
    scene = ended(videosSeconds=5, debugSeconds=50)
    late = at(scene) + timedelta(seconds=10)
    verdict = folder(scene.seen.job.uid, owner(scene), late)
    assert (verdict.state, verdict.expired, verdict.temp_seconds) == ("Settled", ("videos",), 3600)
    assert verdict.kept is not None
    assert verdict.kept.debug_expires_at == at(scene) + timedelta(seconds=50)
    held = scene.spec(retention={"videosSeconds": 5, "hold": True})
    verdict = folder(held.seen.job.uid, owner(held), late)
    assert verdict.expired == (), "nobody has looked at the edit yet"
    assert verdict.kept is not None
    assert verdict.kept.hold


def test_an_upload_is_kept_as_long_as_anybody_needs_it() -> None:
    done = ended(uploadsSeconds=60)
    late = at(done) + timedelta(seconds=61)
    assert upload(SHA, [], late).state == "Unnamed"
    assert upload(SHA, [owner(done)], late).state == "Expired"
    assert upload(SHA, [owner(done)], late - timedelta(seconds=2)).state == "Kept"
    assert upload(SHA, [owner(done), owner(Scene.of().settle())], late).state == "Kept"
    assert upload(SHA, [owner(done), owner(ended())], late).state == "Kept"
    assert upload(SHA, [owner(ended(hold=True))], late + 365 * DAY).state == "Kept"


@dataclass(frozen=True)
class Redrive:
    """A failed job of several Jobs, driven again after a time, and where it goes on."""

    name: str
    seconds: int
    expect: str


@pytest.mark.parametrize(
    "case",
    [Redrive("its intermediate files are there", 10, "Transcode"), Redrive("they have expired", 3 * 86400, "Ingest")],
    ids=lambda case: case.name,
)
def test_t_005_a_redrive_starts_again_when_what_was_done_has_expired(case: Redrive) -> None:
    scene = Scene(seen(a_videojob("Spread", retry={"maxAttempts": 1}))).settle().succeed("ingest-a1").settle()
    scene.fail("transcode-a1", 75).settle()
    assert scene.status.phase == Phase.FAILED
    scene.set(jobs=()).tick(case.seconds)
    scene.set(job=replace(scene.seen.job, annotations=(("videojob.dev/retry", "1"),))).settle()
    assert scene.status.stage == case.expect


def test_s_066_and_s_070_outputs_tell_where_a_cdn_serves_them() -> None:
    """By the store's own word; what a worker claims is not believed."""
    scene = Scene(seen(a_videojob())).set(store=STORE.model_copy(update={"public_base_url": "https://cdn.example/v/"}))
    uid, namespace = scene.seen.job.uid, scene.seen.job.namespace
    scene.settle().succeed("main-a1").settle()
    assert scene.status.outputs[0].url == f"https://cdn.example/v/{namespace}/jobs/{uid}/videos/720p.mp4"
    assert {output.url for output in ended().status.outputs} == {None}
    claimed = scene.status.outputs[0].model_copy(update={"path": "videos/a b.mp4", "url": "https://elsewhere.example"})
    (told,) = served(scene.seen, (claimed,))
    assert told.url == f"https://cdn.example/v/{namespace}/jobs/{uid}/videos/a%20b.mp4"
    (untold,) = served(replace(scene.seen, store=STORE), (claimed,))
    assert untold.url is None
