"""What all layers share: the count of tests per layer at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_layers: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Switches of the golden and simulate layers."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew, for a person to review")
    parser.addoption("--seed", type=int, action="append", help="simulate: replay this seed; may be repeated")
    parser.addoption("--seeds", type=int, default=200, help="simulate: number of seeds")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count each test once, by the folder it lies in."""
    if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
        _layers[report.nodeid.removeprefix("tests/").split("/", 1)[0]] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests each layer ran; pytest's own summary stays the last line."""
    if len(_layers) > 1:
        terminalreporter.section("tests per layer")
        for layer, count in _layers.items():
            terminalreporter.write_line(f"{layer:<10} {count:>5}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
