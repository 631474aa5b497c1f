"""What all layers share: which tests keep to one process, and the count of tests per layer at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # a busy machine fails no test

ROOT = Path(__file__).resolve().parents[1]
TOGETHER = ("e2e", "cluster")
"""Layers whose tests share one cluster each, in the order in which they start."""
LONGEST_SECONDS = {"e2e": 2400, "cluster": 1200}
"""Of a test with what it is the first to need: the images of a cluster, its programs. Elsewhere `timeout` holds."""
_layers: Counter[str] = Counter()
_simulated: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Switches of the golden and simulate layers."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew, for a person to review")
    parser.addoption("--seed", type=int, action="append", help="simulate: replay this seed; may be repeated")
    parser.addoption("--seeds", type=int, default=300, help="simulate: number of seeds")


def _layer(path: str) -> str:
    return path.removeprefix("tests/").split("/", 1)[0]


class Layered(LoadScopeScheduling):
    """Hands out a layer that shares a cluster as one piece, and every other test by itself."""

    def _split_scope(self, nodeid: str) -> str:
        layer = _layer(nodeid)
        return layer if layer in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Layered | None:
    """For the controller of `pytest -n`; where no test shares a cluster, pytest's own ways to hand them out are quicker."""
    return Layered(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares a cluster starts first, and may take longer."""
    turn = {layer: number for number, layer in enumerate(TOGETHER)}
    items.sort(key=lambda item: turn.get(_layer(item.nodeid), len(TOGETHER)))
    for item in items:
        if (seconds := LONGEST_SECONDS.get(_layer(item.nodeid))) is not None:
            item.add_marker(pytest.mark.timeout(seconds))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count each test once, by the folder it lies in."""
    if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
        _layers[_layer(report.nodeid)] += 1
    if report.when == "call" and _layer(report.nodeid) == "simulate":
        _simulated.update({str(name): int(str(count)) for name, count in report.user_properties})
        _simulated["random seeds"] += "[seed=" in report.nodeid


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests each layer ran, and what was simulated; pytest's own summary stays the last line."""
    if len(_layers) > 1:
        terminalreporter.section("tests per layer")
        for layer, count in _layers.items():
            terminalreporter.write_line(f"{layer:<10} {count:>5}")
    if _simulated:
        parts = ", ".join(f"{count} {what}" for what, count in sorted(_simulated.items()))
        terminalreporter.write_line(f"simulated: {parts}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
