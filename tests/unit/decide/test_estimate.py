"""status.estimate: what is learnt from finished stages, what is forecast from it, and that it never costs a write."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, Scene, an_input
from videojob_api.v1alpha1 import StageStatus, VideoJobStatus
from videojob_operator.decide.estimate import REMEMBERED, estimate, learn, learn_all, work
from videojob_operator.decide.job import plan
from videojob_operator.decide.rates import FIXED, MAX_KEYS, SOURCE, Rates

COST = {FIXED: 0.5, SOURCE: 0.003, "720p": 0.012, "360p": 0.03, "webm-720p": 0.2}
"""Seconds a unit truly costs."""


def true_seconds(units: dict[str, float]) -> float:
    return sum(COST[name] * amount for name, amount in units.items())


def mixtures(count: int) -> list[dict[str, float]]:
    """Works of many sizes and profiles; the same ones every time."""
    names = ("720p", "360p", "webm-720p")
    found = []
    for number in range(count):
        frames = 10.0 * (1 + number * 7 % 50)
        chosen = [name for place, name in enumerate(names) if (number % 7 + 1) >> place & 1]
        found.append({FIXED: 1.0, SOURCE: 2 * frames, **dict.fromkeys(chosen, frames)})
    return found


def taught(count: int) -> Rates:
    rates = Rates()
    for units in mixtures(count):
        seconds = true_seconds(units)
        rates = rates.learn("Transcode", units, seconds, 2 * seconds)
    return rates


def test_profiles_that_are_only_seen_together_are_told_apart() -> None:
    """Seconds per megapixel-frame by stage and profile: a mixture that was never seen is forecast too."""
    rates = taught(150)
    for name in ("720p", "360p", "webm-720p"):
        units = {FIXED: 1.0, SOURCE: 400.0, name: 100.0}
        found = rates.predict("Transcode", units)
        assert found.seconds == pytest.approx(true_seconds(units), rel=0.25), name
        assert found.cpu_seconds == pytest.approx(2 * true_seconds(units), rel=0.25), name


def test_one_job_is_enough_to_forecast_its_like() -> None:
    units = {FIXED: 1.0, SOURCE: 100.0, "720p": 50.0}
    assert Rates().learn("Transcode", units, 42.0, 80.0).predict("Transcode", units).seconds == pytest.approx(
        42.0, rel=1e-3
    )


def test_what_is_known_well_follows_a_cluster_that_became_slower() -> None:
    rates = taught(150)
    units = {FIXED: 1.0, SOURCE: 100.0, "720p": 50.0}
    before = rates.predict("Transcode", units).seconds
    for _ in range(30):
        rates = rates.learn("Transcode", units, 3 * before, 1.0)
    assert rates.predict("Transcode", units).seconds == pytest.approx(3 * before, rel=0.05)


def test_it_stays_bounded_however_many_profiles_there_are() -> None:
    rates = Rates()
    for number in range(2 * MAX_KEYS):
        rates = rates.learn("Transcode", {FIXED: 1.0, f"p{number}": 5.0}, 3.0, 3.0)
    assert len(rates.table) == MAX_KEYS
    assert ("Transcode", f"p{2 * MAX_KEYS - 1}", "cpu") in rates.table
    assert ("Transcode", "p0", "cpu") not in rates.table


NONSENSE = ((0.0, 1.0), (-5.0, 1.0), (1e12, 1.0), (float("nan"), 1.0))


@pytest.mark.parametrize(("seconds", "cpu"), NONSENSE)
def test_nonsense_teaches_nothing(seconds: float, cpu: float) -> None:
    assert Rates().learn("Transcode", {FIXED: 1.0}, seconds, cpu).table == {}
    assert Rates().learn("Transcode", {}, 1.0, cpu).table == {}


# ---------------------------------------------------------------- from a VideoJob's status


def finished() -> VideoJobStatus:
    """A VideoJob that has succeeded; each of its stages took 2 s by the worker's clock, 3.5 s of CPU."""
    scene = Scene.of().settle()
    scene.succeed("main-a1").settle()
    assert scene.status.phase == "Succeeded"
    return scene.status


def test_what_a_stage_took_stands_in_its_status() -> None:
    assert {(stage.seconds, stage.cpu_seconds) for stage in finished().stages} == {(2.0, 3.5)}


def test_work_is_counted_from_the_probe_and_the_plan() -> None:
    """30 s of 1080p at 30 frames a second, into 720p, 480p and one thumbnail."""
    units = work(finished(), "Transcode")
    assert units[SOURCE] == pytest.approx(1920 * 1080 * 900 / 1e6)
    assert units["720p"] == pytest.approx(1280 * 720 * 900 / 1e6)
    assert units["thumbnail"] == pytest.approx(320 * 180 / 1e6)
    assert work(finished(), "Commit") == {FIXED: 1.0}
    assert work(VideoJobStatus(), "Transcode") == {FIXED: 1.0}


@pytest.mark.parametrize(
    "change",
    [{"frame_rate": "30/0"}, {"frame_rate": "fast"}, {"width": 0}, {"frame_rate": "-1/1"}],
    ids=["no divisor", "a word", "no width", "below zero"],
)
def test_a_probe_that_makes_no_sense_is_no_probe(change: dict[str, Any]) -> None:
    status = finished()
    assert status.input is not None
    odd = status.model_copy(update={"input": status.input.model_copy(update=change)})
    assert work(odd, "Transcode") == {FIXED: 1.0}


def with_stages(status: VideoJobStatus, **changes: Any) -> VideoJobStatus:
    return status.model_copy(update={"stages": tuple(s.model_copy(update=changes) for s in status.stages)})


def test_only_work_that_was_done_teaches() -> None:
    """A stage whose outputs an earlier attempt had made took no time worth learning; a failed VideoJob teaches nothing."""
    status = finished()
    assert learn(Rates(), status).knows("Transcode")
    assert learn(Rates(), with_stages(status, seconds=None)).table == {}
    assert learn(Rates(), status.model_copy(update={"phase": "Failed"})).table == {}


def test_after_a_start_the_latest_ones_count() -> None:
    status = finished()
    slow = with_stages(status, seconds=100.0).model_copy(update={"completion_time": NOW - timedelta(days=9)})
    others = [
        status.model_copy(update={"completion_time": NOW + timedelta(seconds=number)}) for number in range(REMEMBERED)
    ]
    assert learn_all([*others, slow]).table == learn_all(others).table
    assert learn_all([VideoJobStatus()]).table == {}


# ---------------------------------------------------------------- forecasts


def test_without_experience_there_is_no_estimate() -> None:
    scene = Scene.of().settle()
    assert scene.status.estimate is None


def test_before_the_probe_the_typical_videojob_stands_for_it() -> None:
    rates = learn(Rates(), finished())
    scene = Scene.of().set(rates=rates).settle()
    found = scene.status.estimate
    assert found is not None
    assert found.start_time == NOW
    assert found.completion_time == NOW + timedelta(milliseconds=finished().execution_time_ms or 0)
    assert found.cpu_seconds is None


def test_once_the_input_is_known_it_is_its_own() -> None:
    """The worker tells what it found with its progress; twice the length is near twice the time of what scales."""
    rates = learn(Rates(), finished())
    scene = Scene.of().set(rates=rates).settle().tick(3)
    long = an_input(duration_ms=60_000)
    scene.pod("main-a1").news("transcode", 0, input=long).settle()
    assert scene.status.input == long
    found = scene.status.estimate
    assert found is not None
    assert found.completion_time is not None
    left = (found.completion_time - scene.seen.now).total_seconds()
    assert 2 + 2 + 2 < left < 4 + 4 + 2 + 0.1  # Transcode and Verify grow, Commit does not
    assert found.cpu_seconds is not None
    assert 4 * 3.5 < found.cpu_seconds < 8 * 3.5
    assert found.gpu_seconds == 0.0


def test_what_a_worker_says_of_another_input_is_not_believed() -> None:
    scene = Scene.of().settle()
    scene.pod("main-a1").news("transcode", 5, input=an_input(sha256="ff" * 32)).settle()
    assert scene.status.input is None


def test_an_estimate_is_never_written_for_itself() -> None:
    """Time passes and others teach: without other news there is nothing to write."""
    scene = Scene.of().settle()
    rates = learn(Rates(), finished())
    assert plan(replace(scene.seen, rates=rates, now=NOW + timedelta(seconds=30))).status is None
    later = scene.set(rates=rates).tick(5).news("transcode", 40, input=an_input()).look()
    assert later.progress_only
    assert later.status is not None
    assert later.status.estimate is not None


def test_what_was_expected_stays_when_it_has_ended() -> None:
    scene = Scene.of().set(rates=learn(Rates(), finished())).settle()
    before = scene.status.estimate
    scene.succeed("main-a1").settle()
    assert scene.status.phase == "Succeeded"
    assert scene.status.estimate is not None
    assert before is not None
    assert scene.status.estimate.start_time == before.start_time


def test_a_place_in_the_queue_says_when_it_starts() -> None:
    """Five before it and two slots: three typical VideoJobs one after another."""
    rates = learn(Rates(), finished())
    typical = timedelta(milliseconds=finished().execution_time_ms or 0)
    scene = Scene.of().set(rates=rates, place=(5, 2), waiting_message="slot cpu: 2 of 2 taken")
    scene.settle(granted=False)
    assert scene.status.phase == "Queued"
    found = scene.status.estimate
    assert found is not None
    assert found.start_time == NOW + 3 * typical
    assert found.completion_time == NOW + 4 * typical


def test_a_stage_nobody_has_seen_leaves_the_typical_estimate() -> None:
    status = finished().model_copy(update={"phase": "Running"})
    odd = status.model_copy(update={"stages": (*status.stages, StageStatus(name="Mux", group="main"))})
    scene = Scene.of().set(rates=learn(Rates(), finished()))
    found = estimate(scene.seen, odd)
    assert found is not None
    assert found.cpu_seconds is None
