"""Programs that torch exported (`torch.export.save`, `.pt2`): a network as data, without the code of whoever made it.

In the optional image alone, which has torch. In fp16 the card computes with half the bits where that does no harm (autocast); the
CPU computes in fp32 whatever is asked for, and says so.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..base.errors import BadConfig, Permanent, Recoverable, Resource, WorkerError, out_of_memory
from . import models
from .archive import Unsafe, harmless
from .sessions import Accelerate, Precision, no_card

_ARCHIVE = b"PK\x03\x04"
_HINT = "export the model again with torch.export.save, in the torch of the worker image, or mount an ONNX export"
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "std::bad_alloc")


class Program:
    """One program, ready to run; asked in the way of `Session`."""

    def __init__(
        self, weights: Path, sha256: str, *, accelerator: Accelerate = "Prefer", precision: Precision = "fp32"
    ) -> None:
        """Raises BadConfig: ModelMissing, ModelChanged, ToolMissing, ModelInvalid, NoAccelerator; Resource: OutOfMemory."""
        if precision == "int8":
            raise BadConfig(
                "BadPrecision", f"{weights.name} is a torch program, which is not computed in int8",
                hint="set precision to fp16 or fp32, or mount an ONNX export that was quantised to int8",
            )  # fmt: skip
        content = models.mounted(weights, sha256)
        self.name = weights.name
        self._torch = torch = _torch()
        card = accelerator != "Never" and bool(torch.cuda.is_available())
        if accelerator == "Require" and not card:
            raise no_card()
        try:
            exported = torch.export.load(io.BytesIO(harmless(content)))
            self.side = _side(exported)
            self._net = exported.module(check_guards=False)
            self._device = torch.device("cuda:0" if card else "cpu")
            self._net.to(self._device)
        except Unsafe as error:
            raise BadConfig("ModelUnsafe", f"{self.name} is not opened: {error}", hint=_HINT) from None
        except Exception as error:  # noqa: BLE001 - torch fails in every way there is
            raise self._judged(error, loading=True) from None
        # Where its weights lie, by their own word; by what was asked for where it has none.
        found = next((tensor.device for tensor in self._net.state_dict().values()), self._device)
        self.accelerator: Literal["cpu", "cuda"] = "cuda" if found.type == "cuda" else "cpu"
        self._half = card and precision == "fp16"
        asked = precision == "fp16" and not card
        self.note = f"{self.name} was computed in fp32: fp16 needs a GPU" if asked else None

    def close(self) -> None:
        """Give its memory back; it answers no more."""
        del self._net
        if self.accelerator == "cuda":
            self._torch.cuda.empty_cache()

    def __call__(self, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Answers for pictures (count x 3 x height x width). Raises Resource when memory does not suffice."""
        torch = self._torch
        try:
            with torch.inference_mode(), torch.autocast(self._device.type, torch.float16, enabled=self._half):
                found = self._net(torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device))
            rows = found if isinstance(found, (list, tuple)) else [found]
            return [row.float().cpu().numpy() for row in rows]
        except Exception as error:  # noqa: BLE001 - torch fails in every way there is
            raise self._judged(error, loading=False) from None

    def _judged(self, error: Exception, *, loading: bool) -> WorkerError:
        """Memory is worth a smaller try; a program that is none is not; the rest may pass."""
        text = " ".join(str(error).split())[:300] or type(error).__name__
        if spent(self._torch, error):
            made: Resource = out_of_memory(self.name, text)
            return made
        if loading:
            return BadConfig("ModelInvalid", f"{self.name} cannot be loaded: {text}", hint=_HINT)
        if "shape" in text or "size" in text:
            return Permanent("ModelInvalid", f"{self.name} does not take such pictures: {text}", hint=_HINT)
        return Recoverable("InferenceFailed", f"{self.name} failed: {text}", hint="another attempt may work")


def is_program(weights: Path) -> bool:
    """Whether a file begins as torch's archives do: uploads are named by their digest, so a suffix tells nothing."""
    if not weights.is_file():
        return False
    with weights.open("rb") as file:
        return file.read(len(_ARCHIVE)) == _ARCHIVE


def spent(torch: Any, error: Exception) -> bool:
    """Whether torch failed for want of memory, the card's or the machine's; what it had set aside on the card is given back."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        torch.cuda.empty_cache()
        return True
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _NO_MEMORY)


def _torch() -> Any:
    try:
        import torch  # noqa: PLC0415 - seconds, and an image of its own
        import torchvision  # noqa: F401, PLC0415 - brings deformable convolution, which BiRefNet needs
    except ImportError:
        raise BadConfig(
            "ToolMissing", "this worker image has no torch",
            hint="use an image built of worker-image/Containerfile.vision, or an ONNX export of the model",
        ) from None  # fmt: skip
    return torch


def _side(exported: Any) -> int | None:
    """Pixels of the square that a program takes; None when it takes any."""
    inputs = set(exported.graph_signature.user_inputs)
    node = next(node for node in exported.graph.nodes if node.op == "placeholder" and node.name in inputs)
    shape = node.meta["val"].shape
    fixed = len(shape) == 4 and isinstance(shape[2], int) and shape[2] == shape[3]
    return int(shape[2]) if fixed else None
