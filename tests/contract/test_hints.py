"""X-022, I9: whatever a worker fails with, the user is told what to do: by the worker, or by the operator's catalogue."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from videojob_operator.decide.hints import HINTS
from videojob_operator.decide.job.judge import CODES
from videojob_worker.base import errors

KINDS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.WorkerError)}
APART = {"stages/noop.py", "sweep.py", "stages/sweep.py"}
"""Stages of tests alone, and what runs for no VideoJob."""


@dataclass(frozen=True)
class Raised:
    """A place where a worker gives up."""

    where: str
    code: str
    hinted: bool


def _code(node: ast.expr, module: str) -> Iterator[str]:
    """What the first argument can be: a text, a name of the module, or one of two."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.Name) and isinstance(
        value := getattr(importlib.import_module(module), node.id, None), str
    ):
        yield value
    elif isinstance(node, ast.IfExp):
        yield from (*_code(node.body, module), *_code(node.orelse, module))


def raised() -> Iterator[Raised]:
    """Every error that the worker's code makes, with a code that can be read there."""
    root = Path(errors.__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).as_posix()
        if place in APART:
            continue
        module = "videojob_worker." + place.removesuffix(".py").replace("/", ".")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS and node.args:
                hinted = any(word.arg in ("hint", None) for word in node.keywords)
                for code in _code(node.args[0], module):
                    yield Raised(f"{place}:{node.lineno}", code, hinted)


RAISED = tuple(raised())


def test_the_places_are_found() -> None:
    assert len(RAISED) > 100
    assert {"CorruptMedia", "FFmpegFailed", "SourceNotFound", "Timeout"} <= {one.code for one in RAISED}


@pytest.mark.parametrize("code", sorted({one.code for one in RAISED if not one.hinted}))
def test_what_the_worker_leaves_without_a_hint_stands_in_the_catalogue(code: str) -> None:
    assert code in HINTS, [one.where for one in RAISED if one.code == code and not one.hinted]


@pytest.mark.parametrize("code", sorted(CODES.values()))
def test_a_failure_without_a_word_of_the_worker_has_a_hint(code: str) -> None:
    assert code in HINTS


@pytest.mark.parametrize("code", sorted(HINTS))
def test_a_hint_says_something_to_do_and_fits_an_event(code: str) -> None:
    assert 20 <= len(HINTS[code]) <= 200, "an Event shows the first 200 characters"
