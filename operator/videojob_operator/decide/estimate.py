"""When will it be done: units of work of each stage from the probe and the plan, priced by what finished stages took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from videojob_api import profiles
from videojob_api.names import TERMINAL_PHASES, Phase
from videojob_api.v1alpha1 import EstimateStatus, InputStatus, StageStatus, VideoJobStatus, VideoProfileSpec

from .rates import BYTES, FIXED, JOB, LONGEST_SECONDS, SOURCE, START, TOLD, TYPICAL, Rates
from .world import Observed

EPOCH = datetime.fromtimestamp(0, UTC)
REMEMBERED = 200
"""After a start so many finished VideoJobs are read again, the latest ones."""


# ---------------------------------------------------------------- work


def work(status: VideoJobStatus, stage: str) -> dict[str, float]:
    """Units of work of a stage, by what they are counted in; without a probe only what every such stage costs."""
    found = {FIXED: 1.0}
    if status.story is not None and status.story.duration_ms is not None:
        films = (status.story.duration_ms, *(variant.duration_ms for variant in status.story.variants or ()))
        return found | {TOLD: sum(films) / 1000}
    seen = status.input
    if seen is None or status.plan is None:
        return found
    rate = _rate(seen)
    if rate is None:
        return found
    seconds = Fraction(max(0, seen.duration_ms), 1000)
    if stage in ("Ingest", "Fetch"):
        found[BYTES] = seen.size_bytes / 1e6
    if stage == "Transcode":
        found[SOURCE] = float(seen.width * seen.height * seconds * rate) / 1e6
    if stage in ("Transcode", "Verify"):
        for output in status.plan.outputs:
            name = profiles.object_name(output.profile)
            found[name] = found.get(name, 0.0) + _megapixels(output.spec, seen, rate, seconds)
    return found


def _known(status: VideoJobStatus) -> bool:
    """Whether it is known how much there is to do: of an input by its probe, of a story by its scenes."""
    return status.input is not None or (status.story is not None and status.story.duration_ms is not None)


def _rate(seen: InputStatus) -> Fraction | None:
    try:
        rate = Fraction(seen.frame_rate)
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 and seen.width > 0 and seen.height > 0 else None


def _megapixels(raw: Mapping[str, object], seen: InputStatus, rate: Fraction, seconds: Fraction) -> float:
    """Megapixel-frames of one output."""
    spec = VideoProfileSpec.model_validate(raw, extra="ignore")
    if spec.rendition is None:
        return spec.thumbnail.width * spec.thumbnail.height / 1e6 if spec.thumbnail is not None else 0.0
    shape = profiles.fit(spec.rendition.video, seen.width, seen.height, rate)
    return float(shape.width * shape.height * shape.frame_rate * seconds) / 1e6


# ---------------------------------------------------------------- learning


def learn(rates: Rates, status: VideoJobStatus) -> Rates:
    """The rates after one more VideoJob that has succeeded; what was taken from an earlier attempt teaches nothing."""
    if status.phase != Phase.SUCCEEDED or status.plan is None or not _known(status):
        return rates
    total, whole = 0.0, True
    for stage in status.stages:
        if stage.seconds is None or stage.state != "Succeeded":
            whole = False
            continue
        total += stage.seconds
        rates = rates.learn(stage.name, work(status, stage.name), stage.seconds, stage.cpu_seconds or 0.0)
    if whole and total and status.execution_time_ms is not None and all(s.attempt == 1 for s in status.stages):
        rest = status.execution_time_ms / 1000 - total
        rates = rates.learn(JOB, {START: float(len(status.plan.groups))}, max(rest, 0.001), 0.001)
        rates = rates.learn(f"{JOB} {status.type}", {TYPICAL: 1.0}, status.execution_time_ms / 1000, 0.001)
    return rates


def learn_all(statuses: Iterable[VideoJobStatus]) -> Rates:
    """What many VideoJobs teach, the latest ones last."""
    rates = Rates()
    done = [status for status in statuses if status.completion_time is not None]
    for status in sorted(done, key=lambda each: each.completion_time or EPOCH)[-REMEMBERED:]:
        rates = learn(rates, status)
    return rates


# ---------------------------------------------------------------- forecast


def estimate(seen: Observed, status: VideoJobStatus) -> EstimateStatus | None:
    """When the VideoJob starts and ends, and what it costs; None while nothing of its kind was learnt.

    Before the probe tells what there is to do, the typical VideoJob of its type stands for it.
    """
    if status.plan is None or status.phase in TERMINAL_PHASES:
        return status.estimate
    start = status.start_time or _start(seen, status)
    if not _known(status) or not all(seen.rates.knows(stage.name) for stage in status.stages):
        typical = f"{JOB} {status.type}"
        if not seen.rates.knows(typical):
            return None
        left = seen.rates.rate(typical, TYPICAL).seconds
        return EstimateStatus(start_time=start, completion_time=start + _span(left))
    left = cpu = 0.0
    for stage in status.stages:
        forecast = seen.rates.predict(stage.name, work(status, stage.name))
        left += _left(stage, forecast.seconds)
        cpu += (stage.cpu_seconds or 0.0) if stage.done else forecast.cpu_seconds
    gpu = sum(stage.gpu_seconds or 0.0 for stage in status.stages)  # no stage takes a GPU yet
    begun = {stage.group for stage in status.stages if stage.done or stage.state == "Running"}
    groups = [group for group in status.plan.groups if group.name not in begun]
    left += seen.rates.rate(JOB, START).seconds * len(groups)
    again = max(seen.now, start, status.next_retry_time or seen.now)
    end = again + _span(left)
    return EstimateStatus(start_time=start, completion_time=end, cpu_seconds=round(cpu, 1), gpu_seconds=gpu)


def _left(stage: StageStatus, seconds: float) -> float:
    """Seconds that a stage will still take."""
    if stage.done:
        return 0.0
    return seconds * (100 - stage.progress) / 100 if stage.state == "Running" else seconds


def _start(seen: Observed, status: VideoJobStatus) -> datetime:
    """When a VideoJob that waits gets its slot: those before it go first, as many at once as there are slots."""
    if seen.place is None:
        return seen.now
    ahead, capacity = seen.place
    typical = seen.rates.rate(f"{JOB} {status.type}", TYPICAL).seconds
    return seen.now + _span(typical * (ahead + 1) / max(1, capacity))


def _span(seconds: float) -> timedelta:
    return timedelta(seconds=round(min(seconds, LONGEST_SECONDS), 3))
