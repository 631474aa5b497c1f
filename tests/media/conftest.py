"""Real FFmpeg on short clips that the tests make; where there is no FFmpeg the tests fail with one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clips import Clips, ffmpeg
from workbench import Workbench


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Clips by name, each made once."""
    ffmpeg()
    return Clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    """An empty store."""
    made = Workbench(tmp_path / "store")
    yield made
    made.remove()
