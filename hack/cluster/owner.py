"""Whose host cluster this machine runs: there can be one only, since kubelet and iptables belong to the whole machine."""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster import record
from cluster.paths import RUN_DIR
from cluster.processes import Process
from cluster.record import Record

FILE = RUN_DIR / "owner.json"
LOCK = RUN_DIR / "lock"


@dataclass(frozen=True)
class Owner:
    """The checkout whose cluster was started last, with the processes, so that they are found even when the checkout is gone."""

    state: Path
    record: Record


class Decision(enum.Enum):
    """What `up` has to do before it starts anything."""

    KEEP = "everything runs and is ours"
    RESUME = "ours, but something of it is gone: clean up, then start again on the same data"
    TAKE_OVER = "another checkout's: stop it, clean up, then start"
    START = "nobody's: clean up whatever a lost owner left, then start"


def decide(owner: Owner | None, mine: Path, *, alive: bool) -> Decision:
    """What to do about the recorded owner; `alive` says whether all of its processes run."""
    if owner is None:
        return Decision.START
    if owner.state != mine:
        return Decision.TAKE_OVER
    return Decision.KEEP if alive else Decision.RESUME


def load(path: Path = FILE) -> Owner | None:
    """The recorded owner, None if there is none or the record is not readable."""
    try:
        data = json.loads(path.read_text())
        return Owner(Path(data["state"]), record.parse(data["record"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ran_here(recorded: Iterable[Process], path: Path = FILE) -> bool:
    """Whether a cluster of ours ran on this machine since it was booted and was not cleaned up after.

    The owner record is written before the first process starts, removed after the last trace, and gone with a reboot as the
    traces are. A recorded process that still runs is as good.
    """
    return path.exists() or any(process.alive() for process in recorded)


def save(owner: Owner, path: Path = FILE) -> None:
    """Write the owner down, at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps({"state": str(owner.state), "record": asdict(owner.record)}, indent=1) + "\n")
    fresh.replace(path)
