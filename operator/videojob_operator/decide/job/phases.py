"""The phases of a VideoJob and the moves between them. Terminal phases absorb (I3), but for an explicit redrive."""

from __future__ import annotations

from videojob_api.names import TERMINAL_PHASES, Phase

TRANSITIONS: dict[Phase | None, frozenset[Phase]] = {
    None: frozenset(Phase),
    Phase.PENDING: TERMINAL_PHASES | {Phase.QUEUED, Phase.RUNNING, Phase.SUSPENDED},
    Phase.QUEUED: TERMINAL_PHASES | {Phase.RUNNING, Phase.SUSPENDED},
    Phase.RUNNING: TERMINAL_PHASES | {Phase.QUEUED, Phase.SUSPENDED},
    Phase.SUSPENDED: TERMINAL_PHASES | {Phase.QUEUED, Phase.RUNNING},
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.CANCELLED: frozenset(),
}
"""From where to where. None and Pending reach the far end at once when an operator finds Jobs of a status that was wiped."""

REDRIVES: dict[Phase, frozenset[Phase]] = {
    phase: frozenset({Phase.PENDING, Phase.QUEUED, Phase.SUSPENDED, Phase.FAILED})
    for phase in (Phase.FAILED, Phase.CANCELLED)
}
"""From where to where a redrive leads. It ends in Failed again when what was wrong with the spec still is."""


def terminal(phase: Phase | None) -> bool:
    """Whether nothing more happens to a job in this phase."""
    return phase in TERMINAL_PHASES


def legal(before: Phase | None, after: Phase | None, *, redriven: bool = False) -> bool:
    """Whether a job may go from one phase to the other, by a redrive or by itself; staying is always legal."""
    if redriven:
        return before is not None and after in REDRIVES.get(before, ())
    return before == after or after in TRANSITIONS[before]
