"""The phases of a VideoJob and the moves between them. Terminal phases absorb (I3)."""

from __future__ import annotations

from videojob_api.names import TERMINAL_PHASES, Phase

TRANSITIONS: dict[Phase | None, frozenset[Phase]] = {
    None: frozenset(Phase) - {Phase.CANCELLED},
    Phase.PENDING: frozenset({Phase.QUEUED, Phase.RUNNING, Phase.SUSPENDED, Phase.SUCCEEDED, Phase.FAILED}),
    Phase.QUEUED: frozenset({Phase.RUNNING, Phase.SUSPENDED, Phase.SUCCEEDED, Phase.FAILED}),
    Phase.RUNNING: frozenset({Phase.QUEUED, Phase.SUSPENDED, Phase.SUCCEEDED, Phase.FAILED}),
    Phase.SUSPENDED: frozenset({Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED}),
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.CANCELLED: frozenset(),
}
"""From where to where. None and Pending reach the far end at once when an operator finds Jobs of a status that was wiped."""


def terminal(phase: Phase | None) -> bool:
    """Whether nothing more happens to a job in this phase."""
    return phase in TERMINAL_PHASES


def legal(before: Phase | None, after: Phase | None) -> bool:
    """Whether a job may go from one phase to the other; staying is always legal."""
    return before == after or after in TRANSITIONS[before]
