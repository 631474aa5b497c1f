"""Seeds of the random runs: `pytest tests/simulate --seed 17` replays one, `--seeds 20000` runs many."""

from __future__ import annotations

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    many = metafunc.config.getoption("--seeds")
    for name, count in (("seed", many), ("few", max(1, many // 4))):
        if name in metafunc.fixturenames:
            chosen = metafunc.config.getoption("--seed") or range(count)
            metafunc.parametrize(name, chosen, ids=lambda seed: f"seed={seed}")
