"""When a store is swept, and what its numbers say (A-015 to A-018, A-031); cases 46, 69 and 78."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import CONFIG, NOW, STORE
from videojob_api.sweeping import SweepResult
from videojob_api.v1alpha1 import MediaStoreStatus, SweepStatus, TierUse
from videojob_operator.decide.naming import sweep_name
from videojob_operator.decide.store import Ended, StorePlan, StoreView, disk_status, sweep
from videojob_operator.decide.world import ContainerView, DeleteJob, JobView, PodView

GB = 10**9
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def a_store(**fields: Any) -> StoreView:
    """A store that was made just now."""
    base: dict[str, Any] = {
        "now": NOW, "namespace": "team-a", "name": "default", "uid": "store-uid", "generation": 1, "created": NOW,
        "spec": STORE, "status": MediaStoreStatus(), "config": CONFIG,
    }  # fmt: skip
    return StoreView(**(base | fields))


def swept(ago: timedelta) -> MediaStoreStatus:
    """A status after one sweep that ended that long ago."""
    return MediaStoreStatus(last_sweep_time=NOW - ago, sweep=SweepStatus(number=1, completion_time=NOW - ago))


def failed(times: int) -> MediaStoreStatus:
    """An old store whose latest sweeps failed, the last one a minute ago."""
    known = SweepStatus(number=times, completion_time=NOW - MINUTE, failures=times, succeeded=False)
    return MediaStoreStatus(last_sweep_time=NOW - 9 * HOUR, sweep=known)


def expires(seconds: float, kept_for: float = 5) -> Ended:
    """A VideoJob with something that expires so many seconds from now."""
    moment = NOW + timedelta(seconds=seconds)
    return Ended(moment - timedelta(seconds=kept_for), (moment,))


@dataclass(frozen=True)
class Due:
    """A store, and how long from now its next sweep begins."""

    name: str
    given: StoreView
    expect: timedelta


LOW, PLENTY = disk_status(4 * GB, 100 * GB, NOW), disk_status(5 * GB, 100 * GB, NOW)

DUE = (
    Due("a new store is swept after an hour", a_store(), HOUR),
    Due("every hour from then on", a_store(status=swept(20 * MINUTE)), 40 * MINUTE),
    Due("at once when an hour has passed", a_store(status=swept(3 * HOUR)), timedelta()),
    Due("when something has expired", a_store(ended=(expires(-10),)), timedelta()),
    Due("a little after something expires", a_store(ended=(expires(10, 10),)), timedelta(seconds=11)),
    Due("five minutes after what was kept for a month", a_store(ended=(expires(60, 30 * 86400),)), 6 * MINUTE),
    Due("not for what an earlier sweep has dealt with", a_store(status=swept(MINUTE), ended=(expires(-61),)), 59 * MINUTE),
    Due("ten seconds after another one", a_store(status=swept(timedelta(seconds=4)), ended=(expires(-1),)), timedelta(seconds=6)),
    Due("at once when space is low", a_store(disk=LOW), timedelta()),
    Due("not again for ten minutes", a_store(disk=LOW, status=swept(3 * MINUTE)), 7 * MINUTE),
    Due("not while there is space", a_store(disk=PLENTY, status=swept(3 * MINUTE)), 57 * MINUTE),
    Due("a minute after a failure", a_store(status=failed(1)), timedelta()),
    Due("two minutes after the second in a row", a_store(status=failed(2)), MINUTE),
    Due("an hour after the twentieth", a_store(status=failed(20)), 59 * MINUTE),
)  # fmt: skip


@pytest.mark.parametrize("case", DUE, ids=lambda case: case.name)
def test_a_016_when_a_store_is_swept(case: Due) -> None:
    found = sweep(case.given)
    if case.expect:
        assert found.create is None
        assert found.wake_at == NOW + case.expect
        assert sweep(replace(case.given, now=NOW + case.expect)).create is not None
    else:
        assert found.create is not None


def test_the_document_says_what_the_sweep_needs() -> None:
    found = sweep(a_store(disk=LOW)).create
    assert found is not None
    assert (found.name, found.claim_name) == (sweep_name("store-uid", "default", 1), "videojob-store")
    assert (found.document.cutoff, found.document.number, found.document.operator_url) == (NOW, 1, CONFIG.progress_url)


def a_job(number: int = 1, message: str | None = None, **fields: Any) -> JobView:
    """A sweep's Job; with a message its container has ended."""
    container = (
        ContainerView("sweep", "Terminated", exit_code=0, message=message)
        if message is not None
        else ContainerView("sweep", "Running")
    )
    pod = PodView("p", "p-uid", "Succeeded" if message is not None else "Running", (container,))
    base: dict[str, Any] = {"created": NOW - MINUTE, "pods": (pod,)}
    return JobView(sweep_name("store-uid", "default", number), f"job-{number}", "sweep", number, **(base | fields))


def a_result(**fields: Any) -> str:
    """What a sweep left."""
    body = {
        "uid": "store-uid", "number": 1, "cutoff": NOW - MINUTE, "tiers": [{"name": "videos", "files": 3, "sizeBytes": 300}],
        "deletedFiles": 2, "deletedBytes": 50, "freeBytes": 6 * GB, "capacityBytes": 10 * GB,
    }  # fmt: skip
    return SweepResult.model_validate(body | fields).model_dump_json(by_alias=True)


def test_one_sweep_at_a_time() -> None:
    view = a_store(disk=LOW, jobs=(a_job(),), ended=(expires(-10),))
    assert sweep(view).create is None


def test_its_result_goes_on_record_and_the_numbers_are_true() -> None:
    """A-018"""
    late = Ended(NOW - timedelta(seconds=30), (), files=2, size_bytes=20)
    early = Ended(NOW - HOUR, (), files=9, size_bytes=900)
    found = sweep(a_store(jobs=(a_job(message=a_result()),), ended=(late, early)))
    assert found.urgent
    assert found.create is None
    status = found.status
    assert status is not None
    assert status.last_sweep_time == NOW - MINUTE, "what it knew, not when it ended"
    assert status.sweep is not None
    assert (status.sweep.number, status.sweep.deleted_files, status.sweep.deleted_bytes) == (1, 2, 50)
    assert (status.total_files, status.total_size_bytes) == (5, 320), "counted, and published since"
    assert status.disk is not None
    assert (status.disk.free_gb, status.disk.percent_used) == (6.0, 40.0)
    assert {c.type: c.status for c in status.conditions} == {"LowSpace": "False", "Swept": "True"}


def test_before_the_first_sweep_the_numbers_are_what_was_published() -> None:
    status = sweep(a_store(ended=(Ended(NOW, (), 2, 20), Ended(NOW, (), 1, 5)))).status
    assert status is not None
    assert (status.total_files, status.total_size_bytes) == (3, 25)


def test_a_017_low_space_is_a_condition_that_says_how_much() -> None:
    status = sweep(a_store(disk=LOW)).status
    assert status is not None
    low = next(c for c in status.conditions if c.type == "LowSpace")
    assert (low.status, low.reason) == ("True", "BelowMinFreeSpace")
    assert "4.0 GB" in low.message
    assert "5G" in low.message


@dataclass(frozen=True)
class Bad:
    """A sweep that did not come to its end, and the reason on record."""

    name: str
    job: JobView
    words: str


AWAY = {"class": "External", "code": "OperatorAway", "message": "nobody answers"}
BAD = (
    Bad("it says why", a_job(message=a_result(exitCode=69, failure=AWAY)), "nobody answers"),
    Bad("it was killed", a_job(message="", finished="Failed", finished_at=NOW), "exit code 0"),
    Bad("its pod is gone", a_job(finished="Failed", finished_at=NOW, pods=()), "its pod is gone"),
    Bad("it speaks for another store", a_job(message=a_result(uid="other"), finished="Complete"), "left no result"),
    Bad("it speaks of another sweep", a_job(message=a_result(number=7), finished="Complete"), "left no result"),
    Bad("its pod never started", a_job(created=NOW - HOUR, pods=(), blocked="exceeded quota"), "exceeded quota"),
    Bad("somebody deleted it", a_job(pods=(), deleting=True, finished="Failed"), "its pod is gone"),
)  # fmt: skip


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_failure_is_on_record_and_nothing_counts_as_swept(case: Bad) -> None:
    status = sweep(a_store(jobs=(case.job,))).status
    assert status is not None
    assert status.sweep is not None
    assert status.last_sweep_time is None
    assert (status.sweep.number, status.sweep.succeeded, status.sweep.failures) == (1, False, 1)
    assert case.words in str(status.sweep.message)
    assert {c.type: c.status for c in status.conditions}["Swept"] == "False"


def test_a_clock_that_was_put_back_leads_to_no_time_in_the_future() -> None:
    """Case 46"""
    status = sweep(a_store(jobs=(a_job(message=a_result(cutoff=NOW + HOUR)),))).status
    assert status is not None
    assert status.last_sweep_time == NOW


def test_jobs_on_record_go_minutes_later() -> None:
    """Their logs can be read until then."""
    known = a_store(status=swept(MINUTE), jobs=(a_job(message=a_result(), finished="Complete", finished_at=NOW),))
    found = sweep(known)
    assert found.delete == ()
    assert found.wake_at == NOW + timedelta(seconds=CONFIG.keep_finished_seconds)
    late = sweep(replace(known, now=NOW + timedelta(seconds=CONFIG.keep_finished_seconds)))
    assert late.delete == (DeleteJob(known.jobs[0].name, "job-1"),)


def test_a_name_that_somebody_else_has_is_left_alone() -> None:
    found = sweep(a_store(disk=LOW, foreign=True))
    assert found.create is None
    assert found.wake_at == NOW + MINUTE


def settled(view: StoreView, rounds: int = 6) -> tuple[StoreView, StorePlan]:
    """The view after its plans were applied; fails when they do not converge."""
    for _ in range(rounds):
        found = sweep(view)
        if found.status is None and found.create is None and not found.delete:
            return view, found
        gone = {job.uid for job in found.delete}
        jobs = tuple(job for job in view.jobs if job.uid not in gone)
        if found.create is not None:
            number = found.create.document.number
            assert number not in {job.attempt for job in jobs}
            jobs = (*jobs, a_job(number, created=view.now))
        stored = MediaStoreStatus.model_validate((found.status or view.status).dump())
        view = replace(view, status=stored, jobs=jobs)
    raise AssertionError(f"no end of plans: {found}")


@given(
    ages=st.lists(st.integers(-10_000, 10_000), max_size=5),
    free=st.none() | st.integers(0, 20 * GB),
    steps=st.lists(st.sampled_from(["time", "success", "failure", "lost"]), max_size=12),
)
def test_whatever_happens_plans_converge_and_only_one_sweep_is_alive(
    ages: list[int], free: int | None, steps: list[str]
) -> None:
    """I1 and I2 for sweeps: one at a time, each number once, and the recorded time never goes back."""
    disk = disk_status(free, 20 * GB, NOW) if free is not None else None
    view = a_store(ended=tuple(expires(age) for age in ages), disk=disk, status=swept(HOUR))
    for step in steps:
        view, found = settled(view)
        alive = [job for job in view.jobs if job.finished is None]
        assert len(alive) <= 1
        before = view.status.last_sweep_time
        number = (view.status.sweep.number if view.status.sweep is not None else 0) + 1
        if step == "time" or not alive:
            view = replace(view, now=max(view.now + MINUTE, found.wake_at or view.now))
        else:
            cutoff = alive[0].created
            end: dict[str, Any] = {
                "success": {"message": a_result(number=number, cutoff=cutoff), "finished": "Complete"},
                "failure": {"message": a_result(number=number, cutoff=cutoff, exitCode=75), "finished": "Failed"},
                "lost": {"pods": (), "finished": "Failed"},
            }[step]
            ended = a_job(number, **{"created": cutoff, "finished_at": view.now, **end})
            view = replace(view, jobs=tuple(ended if job is alive[0] else job for job in view.jobs))
        view, _ = settled(view)
        after = view.status.last_sweep_time
        assert before is None or (after is not None and after >= before)


def test_tiers_of_a_result_are_listed_once() -> None:
    twice = [{"name": "videos", "files": 1, "sizeBytes": 1}] * 2
    status = sweep(a_store(jobs=(a_job(message=a_result(tiers=twice)),))).status
    assert status is not None
    assert status.tiers == (TierUse(name="videos", files=1, size_bytes=1),)
