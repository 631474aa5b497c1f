"""How busy GPUs are is read from NVML where there is one (A-025, A-027)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import pytest

from videojob_worker.base.cards import Cards, load

NOT_SUPPORTED = 3
"""What NVML answers for a slice of a card."""


class Driver:
    """NVML's functions, over cards with these loads; None: one that does not tell."""

    def __init__(self, loads: Sequence[int | None], *, broken: bool = False) -> None:
        self.loads, self.broken, self.started = loads, broken, 0

    def nvmlInit_v2(self) -> int:  # noqa: N802 - the library's names
        self.started += 1
        return int(self.broken)

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self.loads)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number: ctypes.c_uint, handle: Any) -> int:  # noqa: N802
        handle._obj.value = number.value + 1
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle: ctypes.c_void_p, rates: Any) -> int:  # noqa: N802
        found = self.loads[(handle.value or 0) - 1]
        rates._obj.gpu = found or 0
        return 0 if found is not None else NOT_SUPPORTED


@pytest.mark.parametrize(
    ("driver", "percent"),
    [
        pytest.param(Driver([93]), 93, id="one card"),
        pytest.param(Driver([100, 51]), 76, id="two cards: their mean"),
        pytest.param(Driver([None, 40]), 40, id="a card that does not tell is left out"),
        pytest.param(Driver([None]), None, id="no card tells"),
        pytest.param(Driver([]), None, id="a driver without cards"),
        pytest.param(Driver([50], broken=True), None, id="a driver that does not start"),
        pytest.param(None, None, id="no driver"),
    ],
)
def test_the_load_is_the_mean_of_those_that_tell(driver: Driver | None, percent: int | None) -> None:
    assert Cards(lambda: driver).percent() == percent


def test_the_driver_is_asked_to_start_once_and_only_when_it_is_needed() -> None:
    driver = Driver([10])
    cards = Cards(lambda: driver)
    assert driver.started == 0
    assert [cards.percent() for _ in range(3)] == [10, 10, 10]
    assert driver.started == 1


def test_a_library_that_is_not_there_is_none() -> None:
    assert load("libnvidia-of-nobody.so.1") is None
