"""What runs, written down where the next command finds it: one JSON file in the cluster's state folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cluster.net import Networks
from cluster.processes import Process


@dataclass(frozen=True)
class Record:
    """A cluster's addresses, ports and processes."""

    address: str
    """Where the API server listens: loopback, or the node's own address."""
    ports: Mapping[str, int]
    networks: Networks | None = None
    """None for a control plane without a node."""
    processes: tuple[Process, ...] = field(default=())

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.address}:{self.ports['apiserver']}"

    def process(self, name: str) -> Process | None:
        """The process of that name, if one was started."""
        return next((process for process in self.processes if process.name == name), None)

    def started(self, process: Process) -> Record:
        """The record with this process in it, in place of an earlier one of the same name."""
        others = tuple(other for other in self.processes if other.name != process.name)
        return replace(self, processes=(*others, process))

    def all_alive(self) -> bool:
        """Whether every recorded process runs; false if there is none."""
        return bool(self.processes) and all(process.alive() for process in self.processes)


def save(record: Record, path: Path) -> None:
    """Write the record at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(asdict(record), indent=1) + "\n")
    fresh.replace(path)


def load(path: Path) -> Record | None:
    """The record, None if there is none or it is not readable as one."""
    try:
        return parse(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def parse(data: Mapping[str, Any]) -> Record:
    """A record from its JSON form."""
    networks = data["networks"]
    return Record(
        address=data["address"],
        ports={name: int(port) for name, port in data["ports"].items()},
        networks=None if networks is None else Networks(**networks),
        processes=tuple(Process(**process) for process in data["processes"]),
    )
