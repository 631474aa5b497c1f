"""Every CEL rule of the generated CRDs has a row that passes by it and a row that it refuses, and says field and fix."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

CRDS = sorted((Path(__file__).resolve().parents[2] / "crds").glob("*.yaml"))
FEWEST, MOST = 15, 25
"""Fewer leave mistakes to be found at run time; more cost every write of the API server, and nobody reads them all."""
LEAST_QUOTE = 20
"""Characters of a rule's message that a row has to quote: a shorter piece could be anybody's."""


@dataclass(frozen=True)
class CelRule:
    """One rule, and where it stands."""

    kind: str
    path: tuple[str, ...]
    """Fields from the object down to where `self` is; `[]` for the items of a list."""
    rule: str
    message: str

    @property
    def named(self) -> set[str]:
        """Fields of `self` that the rule speaks of."""
        return set(re.findall(r"(?<!oldS)self\.([A-Za-z0-9]+)\b(?!\()", self.rule))

    @property
    def on_change(self) -> bool:
        """Whether it compares with what was there before."""
        return "oldSelf" in self.rule


def rules_of(kind: str, node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[CelRule]:
    """All rules at a node of a schema and below it."""
    for entry in node.get("x-kubernetes-validations", ()):
        yield CelRule(kind, path, entry["rule"], entry["message"])
    for name, part in node.get("properties", {}).items():
        yield from rules_of(kind, part, (*path, name))
    if "items" in node:
        yield from rules_of(kind, node["items"], (*path, "[]"))


def every_rule() -> list[CelRule]:
    """The rules of all kinds, read from the files that people apply."""
    found = []
    for path in CRDS:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        for version in body["versions"]:
            found += rules_of(body["names"]["kind"], version["schema"]["openAPIV3Schema"])
    return found


RULES = every_rule()


@pytest.fixture(scope="module")
def rows(root: Path) -> ModuleType:
    """The tables that the layer `cluster` runs through a real API server."""
    path = root / "tests" / "cluster" / "test_crd_rules.py"
    spec = importlib.util.spec_from_file_location("crd_rows", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def at(node: Any, path: tuple[str, ...]) -> list[Any]:
    """What stands at a path of a manifest: nothing, one value, or those of all items."""
    for place, name in enumerate(path):
        if name == "[]":
            return [found for item in node or () for found in at(item, path[place + 1 :])]
        if not isinstance(node, dict) or name not in node:
            return []
        node = node[name]
    return [node]


def passes_by(rule: CelRule, kind: str, given: dict[str, Any]) -> bool:
    """Whether a manifest comes to the rule with something to judge: a field that the rule names, or, where it forbids one,
    the object that could have it.
    """
    found = at(given, rule.path) if kind == rule.kind else []
    forbids = re.fullmatch(r"!has\(self\.\w+\)", rule.rule) is not None
    return any(forbids or not rule.named or (isinstance(one, dict) and rule.named & set(one)) for one in found)


def quotes(rule: CelRule, kind: str, words: str) -> bool:
    """Whether a row expects the words of this rule."""
    return kind == rule.kind and len(words) >= LEAST_QUOTE and words in rule.message


def table(rows: ModuleType) -> list[tuple[str, dict[str, Any], str, bool]]:
    """All rows: kind, manifest, expected words, and whether it is a change of what exists."""
    made = [(case.given["kind"], case.given, case.expect, False) for case in rows.CASES]
    return made + [(change.kind, {"spec": change.given}, change.expect, True) for change in rows.CHANGES]


by_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kind}: {rule.message[:60]}")


@by_rule
def test_a_rule_has_a_row_that_is_taken(rule: CelRule, rows: ModuleType) -> None:
    wanted = [row for row in table(rows) if not row[2] and row[3] == rule.on_change]
    assert any(passes_by(rule, kind, given) for kind, given, _, _ in wanted), (
        f"add a row to tests/cluster/test_crd_rules.py that is taken and sets one of {sorted(rule.named)}"
    )


@by_rule
def test_a_rule_has_a_row_that_is_refused(rule: CelRule, rows: ModuleType) -> None:
    refused = [row for row in table(rows) if row[3] or not rule.on_change]
    assert any(quotes(rule, kind, words) for kind, _, words, _ in refused), (
        f"add a row to tests/cluster/test_crd_rules.py that is refused with at least {LEAST_QUOTE} characters of this message"
    )


@by_rule
def test_a_message_names_the_field_and_the_fix(rule: CelRule) -> None:
    """S-003: what is refused says where, and what to do about it."""
    names = rule.named | {rule.path[-1]} if rule.path[-1] != "[]" else rule.named | {rule.path[-2]}
    assert any(re.search(rf"\b{re.escape(name)}\b", rule.message) for name in names), "name the field"
    fix = re.compile(
        r"\b(set|create|use|must be|remove|put|goes with|is an|names|carries|at least|is the one|sets|name it)\b"
    )
    assert fix.search(rule.message), "say what to do"
    assert len(rule.message) <= 250


def test_no_two_rules_say_the_same() -> None:
    messages = [(rule.kind, rule.message) for rule in RULES]
    assert len(set(messages)) == len(messages)


def test_there_are_as_many_rules_as_people_and_servers_can_bear() -> None:
    assert FEWEST <= len(RULES) <= MOST, [rule.message for rule in RULES]
