"""What a unit of work costs, as finished stages have taught: a bounded running estimate.

Everything is learnt per (stage, profile, accelerator), in seconds of wall time and of CPU for one unit of work: a megapixel
of one frame for a profile and for the source's decode, a megabyte for reading, a second of a story, one for what every
stage and every Job costs however small it is. A stage's outputs come from one run, so that only their sum is known: each
finished stage corrects the rates behind its own forecast, each by its share in it, and mixtures of profiles tell them
apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log
from types import MappingProxyType

Key = tuple[str, str, str]
"""Stage, profile (or what else it costs, in brackets), accelerator."""
CPU = "cpu"
"""The accelerator of all stages that use none."""
JOB = "(job)"
"""In the place of a stage: the VideoJob as a whole."""
FIXED, SOURCE, BYTES, START, TYPICAL, TOLD = "(fixed)", "(source)", "(bytes)", "(start)", "(typical)", "(told)"
PRIOR_SECONDS = {FIXED: 0.3, SOURCE: 0.004, BYTES: 0.01, START: 1.0, TYPICAL: 30.0, TOLD: 0.05}
PRIOR_PROFILE = 0.02
"""What a unit is taken for before anything was learnt; the first stage that is seen corrects it wholly."""
MAX_KEYS = 256
"""The rates that were used longest ago go beyond this many."""
SLOWEST_GAIN = 0.2
"""How much of an error corrects a rate that is known well: the cluster of today counts, not that of last month."""
MOST = 5.0
"""One stage changes a forecast by at most this power of e: a clock that jumped is no lesson."""
LEAST = 1e-9
"""Seconds a unit costs at least: what is nothing can never be corrected."""
STEPS = 24
"""Halvings of the search for the correction: a millionth is near enough."""
LONGEST_SECONDS = 10.0**7


@dataclass(frozen=True)
class Rate:
    """What one unit costs."""

    seconds: float
    cpu_seconds: float
    seen: int = 0
    """Stages it was learnt from."""


@dataclass(frozen=True)
class Rates:
    """All that was learnt. Frozen: learning makes new ones."""

    table: Mapping[Key, Rate] = field(default_factory=lambda: MappingProxyType({}))

    def knows(self, stage: str) -> bool:
        """Whether any such stage was seen."""
        return any(key[0] == stage for key in self.table)

    def rate(self, stage: str, what: str) -> Rate:
        """What a unit costs, as far as is known: a profile never seen is taken for the mean of those that were."""
        found = self.table.get((stage, what, CPU))
        if found is not None:
            return found
        others = [rate for (of, name, _), rate in self.table.items() if of == stage and name not in PRIOR_SECONDS]
        if what in PRIOR_SECONDS or not others:
            prior = PRIOR_SECONDS.get(what, PRIOR_PROFILE)
            return Rate(prior, prior)
        seconds = exp(sum(log(rate.seconds) for rate in others) / len(others))
        return Rate(seconds, exp(sum(log(rate.cpu_seconds) for rate in others) / len(others)))

    def predict(self, stage: str, work: Mapping[str, float]) -> Rate:
        """Seconds of a stage."""
        rates = {what: self.rate(stage, what) for what in work}
        wall = sum(rates[what].seconds * amount for what, amount in work.items())
        return Rate(wall, sum(rates[what].cpu_seconds * amount for what, amount in work.items()))

    def learn(self, stage: str, work: Mapping[str, float], seconds: float, cpu_seconds: float) -> Rates:
        """The rates after one more finished stage."""
        work = {what: amount for what, amount in work.items() if amount > 0}
        if not work or not 0 < seconds < LONGEST_SECONDS:
            return self
        before = {what: self.rate(stage, what) for what in work}
        gains = {what: max(SLOWEST_GAIN, 1 / (rate.seen + 1)) for what, rate in before.items()}
        wall = _corrected({what: rate.seconds for what, rate in before.items()}, work, gains, seconds)
        cpu = _corrected({w: rate.cpu_seconds for w, rate in before.items()}, work, gains, max(cpu_seconds, 0.001))
        table = {key: rate for key, rate in self.table.items() if key[0] != stage or key[1] not in work}
        table |= {(stage, w, CPU): Rate(wall[w], cpu[w], rate.seen + 1) for w, rate in before.items()}
        for key in list(table)[: max(0, len(table) - MAX_KEYS)]:
            del table[key]
        return Rates(MappingProxyType(table))


def _corrected(
    rates: Mapping[str, float], work: Mapping[str, float], gains: Mapping[str, float], actual: float
) -> dict[str, float]:
    """Rates under which the same work would have been forecast nearer to what it took."""
    parts = {what: rates[what] * amount for what, amount in work.items()}
    total = sum(parts.values())
    pull = {what: gains[what] * part / total for what, part in parts.items()}
    wanted = max(-MOST, min(MOST, sum(pull.values()) * log(actual / total)))

    def moved(by: float) -> float:
        """How far the forecast comes when every rate gives way as it is pulled."""
        return log(sum(part * exp(max(-50.0, min(50.0, by * pull[what]))) for what, part in parts.items()) / total)

    low, high = -1.0, 1.0
    while moved(low) > wanted:
        low *= 2
    while moved(high) < wanted:
        high *= 2
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if moved(middle) < wanted else (low, middle)
    return {what: max(LEAST, rates[what] * exp(high * pull[what])) for what in parts}
