"""The Makefile where there is no virtual environment, or half of one."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from programs import program

# ---------------------------------------------------------------- make


@dataclass(frozen=True)
class VenvCase:
    name: str
    user: int
    works_after: str
    """What has to have happened before the stand-in can make a virtual environment: nothing, apt, or never."""
    expect: str | None
    """None where the .venv is made, else what the refusal says."""


VENVS = (
    VenvCase("python can make one", 1000, "", None),
    VenvCase("root gets the package", 0, "apt", None),
    VenvCase("an ordinary user is told the package", 1000, "apt", "install the package python3-venv"),
    VenvCase("the package does not help", 0, "never", "install the package python3-venv"),
)


NEEDED = ("pyproject.toml", "worker-image/videojob_worker/vision/models.json", "tests/support/photographs.json")
"""What an installation follows from."""


@pytest.mark.parametrize("case", VENVS, ids=lambda case: case.name)
def test_make_recovers_from_half_a_virtual_environment(case: VenvCase, tmp_path: Path, root: Path) -> None:
    shutil.copy(root / "Makefile", tmp_path)
    for needed in NEEDED:
        (tmp_path / needed).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / needed).touch()
    ready = "true" if not case.works_after else f"test -e {tmp_path}/{case.works_after}"
    # Like Debian's python3 without python3-venv: the folder and its python appear, then it fails.
    program(tmp_path / "half", "exit 1")
    program(tmp_path / "whole", "exit 0")
    script = (
        f'[ "$1" = -c ] && exit 0\nmkdir -p .venv/bin\ncp {tmp_path}/half .venv/bin/python\n{ready} || exit 1\n'
        f"cp {tmp_path}/whole .venv/bin/python"
    )
    fakes = tmp_path / "fakes"
    program(fakes / "python3", script)
    program(fakes / "id", f"echo {case.user}")
    program(
        fakes / "apt-get",
        f'case "$*" in *python3-venv*) case "$*" in *--no-remove*) touch {tmp_path}/apt;; esac;; esac',
    )
    program(tmp_path / ".venv/bin/python", "exit 1")
    done = subprocess.run(
        ["make", "venv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{fakes}:/usr/local/bin:/usr/bin:/bin"},
    )
    if case.expect is None:
        assert done.returncode == 0, done.stderr
        assert (tmp_path / ".venv/.installed").exists()
    else:
        assert done.returncode != 0
        assert case.expect in done.stderr
        assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(("there", "expect"), [(True, "venv"), (False, "system")], ids=["a .venv", "no .venv"])
def test_a_cluster_is_stopped_without_a_virtual_environment_too(
    there: bool, expect: str, tmp_path: Path, root: Path
) -> None:
    shutil.copy(root / "Makefile", tmp_path)
    python = program(tmp_path / "python", '[ "$1" = -c ] || echo system "$@"')
    if there:
        program(tmp_path / ".venv/bin/python", '[ "$1" = -c ] || echo venv "$@"')
    done = subprocess.run(
        ["make", "-s", "cluster-down", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{expect} hack/cluster down\n"
