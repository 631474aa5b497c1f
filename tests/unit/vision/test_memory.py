"""A model that really runs out of memory asks for less, and says so (A-030): under a limit of the kernel's, not of a fake's."""

from __future__ import annotations

from pathlib import Path

import pytest

import limited
import tinynets

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
