"""ONNX graphs on what the machine has: TensorRT or CUDA where the library brings them and a card answers, else the CPU.

An ONNX file is data: no code comes with it. The library is imported with the first graph.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ..base.errors import BadConfig, Permanent, Recoverable, Resource, WorkerError, out_of_memory
from . import models

Accelerate: TypeAlias = Literal["Prefer", "Require", "Never"]
Precision: TypeAlias = Literal["fp32", "fp16", "int8"]
_CARDS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
_NO_MEMORY = ("out of memory", "failed to allocate", "bad_alloc", "bfcarena", "cudaerrormemoryallocation")


class Session:
    """One graph, ready to run."""

    def __init__(
        self, weights: Path, sha256: str, *, accelerator: Accelerate = "Prefer", precision: Precision = "fp32",
        threads: int = 0,
    ) -> None:  # fmt: skip
        """Raises BadConfig: ModelMissing, ModelChanged, ToolMissing, ModelInvalid, NoAccelerator; Resource: OutOfMemory."""
        if accelerator not in get_args(Accelerate):
            raise BadConfig("BadDocument", f"{accelerator} is no mode of acceleration", hint="Prefer, Require or Never")
        content = models.mounted(weights, sha256)
        try:
            import onnxruntime  # noqa: PLC0415 - a fifth of a second, and an extra of its own
        except ImportError:
            raise BadConfig(
                "ToolMissing", "this worker image has no onnxruntime",
                hint="use an image built of worker-image/Containerfile.vision, or a model that needs no weights",
            ) from None  # fmt: skip
        cards = _CARDS if models.tensorrt() else _CARDS[1:]
        wanted = (
            [] if accelerator == "Never" else [name for name in cards if name in onnxruntime.get_available_providers()]
        )
        providers: list[Any] = [
            (name, {f"trt_{precision}_enable": True} if name.startswith("Tensorrt") and precision != "fp32" else {})
            for name in wanted
        ]
        if wanted:
            with redirect_stdout(io.StringIO()):  # it tells what it did not find on the worker's log
                onnxruntime.preload_dlls()  # CUDA's libraries, from the packages beside it
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what fails is told by us
        try:
            self._session = onnxruntime.InferenceSession(
                content, sess_options=options, providers=[*providers, ("CPUExecutionProvider", {})]
            )
        except Exception as error:  # noqa: BLE001 - the library has its own families of errors
            raise _judged(error, weights.name, loading=True) from None
        # What it really runs on: the library goes on without a card that does not answer.
        used = self._session.get_providers()[0]
        self.accelerator: Literal["cpu", "cuda"] = "cuda" if used in _CARDS else "cpu"
        if accelerator == "Require" and self.accelerator == "cpu":
            raise no_card()
        self.name = weights.name
        self.entrance = self._session.get_inputs()[0]
        own = used == _CARDS[0] or precision == "fp32" or (precision == "fp16" and "float16" in self.entrance.type)
        self.note = (
            None if own else f"{self.name} was computed as exported: {precision} needs TensorRT, or such an export"
        )
        """What was asked for and could not be had, in words."""
        self.exits = tuple(exit_.name for exit_ in self._session.get_outputs())
        self.notes: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        """What who exported it wrote into it."""

    @property
    def side(self) -> int | None:
        """Pixels of the square it takes; None when it takes any."""
        shape = self.entrance.shape
        return shape[2] if len(shape) == 4 and isinstance(shape[2], int) and shape[2] == shape[3] else None

    def close(self) -> None:
        """Give its memory back; it answers no more."""
        del self._session

    def __call__(self, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Answers for pictures (count x 3 x height x width). Raises Resource when memory does not suffice."""
        kind = np.float16 if "float16" in self.entrance.type else np.float32
        try:
            found = self._session.run(None, {self.entrance.name: np.ascontiguousarray(pictures, kind)})
        except Exception as error:  # noqa: BLE001 - the library has its own families of errors
            raise _judged(error, self.name, loading=False) from None
        return [np.asarray(one, np.float32) for one in found]


def no_card() -> BadConfig:
    """The error of a GPU that has to be there and does not answer (A-032)."""
    return BadConfig(
        "NoAccelerator", "accelerator.mode is Require, and no GPU answers here",
        hint="let the worker class ask for one, or set accelerator.mode to Prefer",
    )  # fmt: skip


def _judged(error: Exception, name: str, *, loading: bool) -> WorkerError:
    """Memory is worth a smaller try; a file that is no graph is not; the rest may pass."""
    text = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
    if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _NO_MEMORY):
        made: Resource = out_of_memory(name, text)
        return made
    if loading:
        return BadConfig(
            "ModelInvalid", f"{name} cannot be loaded: {text}", hint="export it again as ONNX, opset 17 or later"
        )
    if "INVALID_ARGUMENT" in text or "Got invalid dimensions" in text:
        return Permanent(
            "ModelInvalid", f"{name} does not take such pictures: {text}", hint="export it for 3 x height x width"
        )
    return Recoverable(
        "InferenceFailed",
        f"{name} failed: {text}",
        hint="another attempt may work; if not, run the model with Never as accelerator",
    )
