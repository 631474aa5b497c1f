"""TFLite models on the CPU. The library is imported with the first model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import models

Values = NDArray[np.float32]


class Network:
    """One model, ready to run. Of several threads that ask at the same time each gets an interpreter of its own; none of them
    is let go, so that there are as many as ever asked at once.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - costs a quarter of a second

        self._content = content  # interpreters read from these bytes as long as they live
        self._make: Callable[[], Any] = lambda: Interpreter(model_content=content, num_threads=threads)
        self._free: list[Any] = []
        first = self._begun()
        self._free.append(first)
        (entrance,) = first.get_input_details()
        self._entrance = int(entrance["index"])
        self.height, self.width = int(entrance["shape"][1]), int(entrance["shape"][2])
        """Of the pictures it takes."""
        self._exits = [int(exit_["index"]) for exit_ in first.get_output_details()]

    def _begun(self) -> Any:
        made = self._make()
        made.allocate_tensors()
        return made

    def __call__(self, picture: Values) -> list[Values]:
        """Answers for one picture (height x width x 3), without the batch's axis."""
        try:
            interpreter = self._free.pop()  # one step for all threads
        except IndexError:
            interpreter = self._begun()
        try:
            interpreter.set_tensor(self._entrance, picture[None])
            interpreter.invoke()
            return [np.asarray(interpreter.get_tensor(index))[0] for index in self._exits]
        finally:
            self._free.append(interpreter)


@lru_cache(maxsize=8)
def network(name: str, threads: int = 1) -> Network:
    """A model that packages carry; loaded once in a process (A-038).

    Raises BadConfig as `models.bundled` does.
    """
    return Network(models.bundled(name), threads)
