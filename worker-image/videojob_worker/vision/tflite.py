"""TFLite models on the CPU. The library is imported with the first model."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from . import models

Values = NDArray[np.float32]


class Network:
    """One model, ready to run; it belongs to one thread at a time."""

    def __init__(self, content: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - costs a quarter of a second

        self._content = content  # the interpreter reads from these bytes as long as it lives
        self._interpreter = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        (entrance,) = self._interpreter.get_input_details()
        self._entrance = int(entrance["index"])
        self.height, self.width = int(entrance["shape"][1]), int(entrance["shape"][2])
        """Of the pictures it takes."""
        self._exits = [int(exit_["index"]) for exit_ in self._interpreter.get_output_details()]

    def __call__(self, picture: Values) -> list[Values]:
        """Answers for one picture (height x width x 3), without the batch's axis."""
        self._interpreter.set_tensor(self._entrance, picture[None])
        self._interpreter.invoke()
        return [np.asarray(self._interpreter.get_tensor(index))[0] for index in self._exits]


@lru_cache(maxsize=8)
def network(name: str, threads: int = 1) -> Network:
    """A model that packages carry; loaded once in a process (A-038).

    Raises BadConfig as `models.bundled` does.
    """
    return Network(models.bundled(name), threads)
