"""Seeds of the random runs: `pytest tests/simulate --seed 17` replays one, `--seeds 20000` runs many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from simcluster import TALLY

HERE = Path(__file__).parent


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    many = metafunc.config.getoption("--seeds")
    for name, count in (("seed", many), ("few", max(1, many // 4))):
        if name in metafunc.fixturenames:
            chosen = metafunc.config.getoption("--seed") or range(count)
            metafunc.parametrize(name, chosen, ids=lambda seed: f"seed={seed}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tracer doubles the time of these, and they reach no line that the other layers leave out."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """How much a test has simulated goes along with its report, from whatever process it runs in."""
    before = Counter(TALLY)
    result = yield
    item.user_properties.extend((TALLY - before).items())
    return result
