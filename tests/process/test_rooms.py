"""Rooms without what they must not know: each imported in an interpreter that lacks it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Room:
    """A package and what must not be needed to import all of it."""

    package: str
    without: tuple[str, ...]


CLUSTER = ("kopf", "kubernetes", "aiohttp", "prometheus_client")
ROOMS = (
    Room("videojob_api", (*CLUSTER, "yaml", "ffmpeg", "pydantic_settings", "videojob_operator", "videojob_worker")),
    Room("videojob_operator.decide", (*CLUSTER, "yaml", "ffmpeg", "videojob_worker", "videojob_cli")),
    Room("videojob_operator.render", (*CLUSTER, "yaml", "ffmpeg", "videojob_worker", "videojob_cli")),
    Room("videojob_operator.settings", (*CLUSTER, "videojob_worker", "videojob_cli")),
    Room("videojob_operator.runtime", ("kopf", "kubernetes", "videojob_api", "videojob_worker", "videojob_cli")),
    Room("videojob_operator.cluster", ("kopf", "ffmpeg", "videojob_worker", "videojob_cli")),
    Room("videojob_operator.handlers", ("ffmpeg", "videojob_worker", "videojob_cli")),
    Room("videojob_worker.transfer", (*CLUSTER, "pydantic", "yaml", "ffmpeg", "videojob_operator", "videojob_cli")),
    Room(
        "videojob_worker",
        ("kopf", "kubernetes", "prometheus_client", "yaml", "pydantic_settings", "videojob_operator", "videojob_cli"),
    ),
)
IMPORT_ALL = """
import importlib, pkgutil, sys
package, *blocked = sys.argv[1:]
for each in blocked:
    sys.modules[each] = None  # the import system then raises ModuleNotFoundError
top = importlib.import_module(package)
for found in pkgutil.walk_packages(getattr(top, "__path__", []), package + "."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


def import_all(package: str, *blocked: str) -> subprocess.CompletedProcess[str]:
    """Import a package and everything below it in a fresh interpreter that lacks some modules."""
    argv = [sys.executable, "-c", IMPORT_ALL, package, *blocked]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT / "tests")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.package)
def test_a_room_can_be_imported_without_what_it_must_not_know(room: Room) -> None:
    done = import_all(room.package, *room.without)
    assert done.returncode == 0, done.stderr


def test_blocking_a_library_does_block_it() -> None:
    """Else the test above could not fail."""
    done = import_all("videojob_api", "pydantic")
    assert done.returncode == 1
    assert "import of pydantic halted" in done.stderr
