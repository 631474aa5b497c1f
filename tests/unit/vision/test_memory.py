"""A model that really runs out of memory asks for less, and says so (A-030): under a limit of the kernel's, not of a fake's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import limited
import tinynets
from videojob_worker.base.errors import Resource, out_of_memory
from videojob_worker.vision.birefnet import BiRefNetMatter
from videojob_worker.vision.sessions import Accelerate, Precision

WIDE = 64
"""Planes: 256 MiB twice at 1024 x 1024, a quarter of it at 512 x 512."""


@pytest.mark.parametrize(
    ("more_mib", "degraded"),
    [
        pytest.param(2000, None, id="memory for 1024: as asked for"),
        pytest.param(
            400, "the mask was made at 512 instead of 1024 pixels, for want of memory", id="memory for 512 only"
        ),
    ],
)
def test_the_size_follows_from_the_memory_there_is(more_mib: int, degraded: str | None, tmp_path: Path) -> None:
    weights, sha256 = tinynets.matter(tmp_path, wide=WIDE)
    told = limited.cut_out("birefnet", weights, sha256, more_mib)
    assert told["degraded"] == degraded
    assert told["accelerator"] == "cpu"
    assert float(str(told["inside"])) > 0.95
    assert float(str(told["outside"])) < 0.05


def test_with_memory_for_neither_the_attempt_fails_as_one_that_needs_more(tmp_path: Path) -> None:
    """The operator gives the next attempt more."""
    weights, sha256 = tinynets.matter(tmp_path, wide=WIDE)
    told = limited.cut_out("birefnet", weights, sha256, 80)
    assert (told["code"], told["class"]) == ("OutOfMemory", "Resource")


class Machine:
    """A card and a CPU with memory for squares up to these sizes; 0: not even for the weights."""

    def __init__(self, card: int, cpu: int) -> None:
        self.room = {"cuda": card, "cpu": cpu}
        self.tried: list[tuple[str, int]] = []
        self.open = 0

    def opener(self, _weights: Path, _sha256: str, accelerator: Accelerate, _precision: Precision) -> Net:
        place: Literal["cpu", "cuda"] = "cpu" if accelerator == "Never" else "cuda"
        if self.room[place] == 0:
            self.tried.append((place, 0))
            raise out_of_memory("the weights")
        self.open += 1
        assert self.open == 1, "two sessions at once need the memory of both"
        return Net(self, place)


class Net:
    """Answers with a mask of everything, where there is room."""

    note: str | None = None
    side: int | None = None

    def __init__(self, machine: Machine, accelerator: Literal["cpu", "cuda"]) -> None:
        self.machine, self.accelerator = machine, accelerator

    def __call__(self, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        side = pictures.shape[-1]
        self.machine.tried.append((self.accelerator, side))
        if side > self.machine.room[self.accelerator]:
            raise out_of_memory("the net")
        return [np.full((1, 1, side, side), 9, np.float32)]

    def close(self) -> None:
        self.machine.open -= 1


GPU, CPU = "cuda", "cpu"
LADDER = (
    pytest.param(1024, 1024, "Prefer", [(GPU, 1024)], None, id="room for all on the card"),
    pytest.param(512, 1024, "Prefer", [(GPU, 1024), (GPU, 512)], "at 512 instead of 1024 pixels", id="for 512 on the card"),
    pytest.param(
        100, 1024, "Prefer", [(GPU, 1024), (GPU, 512), (CPU, 512)], "at 512 instead of 1024 pixels and on the CPU",
        id="for neither: the CPU",
    ),
    pytest.param(0, 1024, "Prefer", [(GPU, 0), (CPU, 1024)], "on the CPU", id="not even for the weights"),
)  # fmt: skip


@pytest.mark.parametrize(("card", "cpu", "mode", "tried", "words"), LADDER)
def test_1024_then_512_then_the_cpu(
    card: int, cpu: int, mode: Accelerate, tried: list[tuple[str, int]], words: str | None
) -> None:
    """A-030, A-032, and the accelerator that is told is the one of the session that answered."""
    machine = Machine(card, cpu)
    matter = BiRefNetMatter(Path("weights"), "0" * 64, accelerator=mode, opener=machine.opener)
    mask = matter.matte(np.zeros((40, 40, 3), np.uint8), None)
    assert mask.min() > 0.99
    assert machine.tried == tried
    assert matter.accelerator == tried[-1][0]
    assert matter.degraded == (f"the mask was made {words}, for want of memory" if words is not None else None)
    assert machine.open == 1


@pytest.mark.parametrize("card", [100, 0])
def test_a_required_card_without_memory_fails_the_attempt_rather_than_to_be_left(card: int) -> None:
    """A-032: `Require` waits for a better moment."""
    machine = Machine(card, 1024)
    with pytest.raises(Resource):
        BiRefNetMatter(Path("weights"), "0" * 64, accelerator="Require", opener=machine.opener).matte(
            np.zeros((40, 40, 3), np.uint8), None
        )
    assert all(place == GPU for place, _ in machine.tried)
