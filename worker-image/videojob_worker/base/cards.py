"""How busy the GPUs of this container are, as NVIDIA's own library (NVML) samples them; nothing where there is none."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
"""Comes with the driver: the container runtime mounts it where a pod is given a GPU."""


class Rates(ctypes.Structure):
    """`nvmlUtilization_t`: percent of the last sample period in which kernels ran, and in which memory was read or written."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


def load(name: str = LIBRARY) -> Any | None:
    """The library, or None."""
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


class Cards:
    """The GPUs that this container was given."""

    def __init__(self, library: Callable[[], Any | None] = load) -> None:
        """Asks nothing: a driver that does not answer costs seconds."""
        self._load: Callable[[], Any | None] | None = library
        self._library: Any = None
        self._handles: list[ctypes.c_void_p] = []

    def percent(self) -> int | None:
        """Mean load of the GPUs, 0 to 100; None where nobody says. With time slicing it is the whole card's."""
        loads = [load for handle in self._known() if (load := self._ask(handle)) is not None]
        return min(100, round(sum(loads) / len(loads))) if loads else None

    def _known(self) -> list[ctypes.c_void_p]:
        if self._load is not None:
            self._library, self._load = self._load(), None
            self._handles = self._found() if self._library is not None else []
        return self._handles

    def _found(self) -> list[ctypes.c_void_p]:
        count = ctypes.c_uint()
        if self._library.nvmlInit_v2() or self._library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return []
        handles = []
        for number in range(count.value):
            handle = ctypes.c_void_p()
            if not self._library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(number), ctypes.byref(handle)):
                handles.append(handle)
        return handles

    def _ask(self, handle: ctypes.c_void_p) -> int | None:
        """Load of one; None for a card that does not tell, such as a slice of one (MIG)."""
        rates = Rates()
        failed = self._library.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(rates))
        return None if failed else int(rates.gpu)
