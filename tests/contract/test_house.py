"""The house stays as it was built: rooms, their doors, and what may not lie about."""

from __future__ import annotations

import ast
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TREE = sorted(
    ROOT / line
    for line in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / line).is_file()
)
MODULES = [path for path in TREE if path.suffix == ".py"]
PACKAGES = [path for path in MODULES if path.name == "__init__.py" and "tests" not in path.parts]


def name(path: Path) -> str:
    """A path as people write it."""
    return str(path.relative_to(ROOT))


def test_no_package_shadows_the_standard_module_operator() -> None:
    """With operator/__init__.py, Python started in this folder cannot import collections."""
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


OPEN_ENDS = re.compile(
    r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|pragma: no " + "cover|mark\\.(?:skip|xfail)\\b|<!-" + "- figures"
)
"""Work left for another day, figures never filled in, and tests that cannot fail. Written apart, so that these lines do not
find themselves."""
ELSEWHERE = re.compile(
    "(?:^|[\\s\"'=])/(?:wor" + "k|roo" + "t)/|pypi\\.or" + "g|python" + "hosted\\.org|proxy\\.golan" + "g|"
    "(?:index-ur" + "l|find-link" + "s|GOPROX" + "Y)[ =]+['\"]?https?://(?![^/ ]*\\.example)"
)
"""Paths of one machine, and package registries by host or setting."""


@dataclass(frozen=True)
class Ban:
    """Something that must not stand anywhere in the tree."""

    name: str
    pattern: re.Pattern[str]


@pytest.mark.parametrize(
    "ban", [Ban("open ends", OPEN_ENDS), Ban("one machine's paths or registries", ELSEWHERE)], ids=lambda ban: ban.name
)
def test_the_tree_is_free_of(ban: Ban) -> None:
    found = []
    for path in TREE:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{name(path)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(text.splitlines(), 1)
            if ban.pattern.search(line)
        ]
    assert found == []


FAST = (ROOT / "tests" / "unit", ROOT / "tests" / "golden")
SLOW = re.compile(r"^(?:import|from) (?:subprocess|http\.server|starting|operated|webserver)\b", re.MULTILINE)
"""What starts a process, or a server that somebody waits for."""


def test_what_is_checked_before_each_commit_starts_no_process_and_no_server() -> None:
    """It belongs to tests/process: `make check` ends within a minute, or nobody runs it."""
    fast = [path for path in MODULES if any(path.is_relative_to(folder) for folder in FAST)]
    assert fast
    assert [name(path) for path in fast if SLOW.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("path", PACKAGES, ids=name)
def test_a_package_begins_with_its_constitution(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text is not None
    assert len(text.split()) >= 8
