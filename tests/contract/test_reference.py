"""Nothing that people may match on, set or meet goes undocumented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

import reference
from chart_values import ChartValues
from videojob_api import exits, names, stages
from videojob_api.docs import field_docs
from videojob_operator.settings import Settings

TEXTS = {name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, (str, int))}
MEMBERS = [*names.Phase, *names.Condition, *names.Reason]


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """The reference as committed."""
    return (root / "crds" / "REFERENCE.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TEXTS)
def test_a_name_stands_in_the_reference(page: str, name: str) -> None:
    assert f"`{TEXTS[name]}`" in page


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: f"{type(member).__name__}.{member.name}")
def test_a_phase_condition_or_reason_stands_in_the_reference(page: str, member: names.Reason) -> None:
    heading = {"Phase": "## Phases", "Condition": "## Conditions", "Reason": "## Reasons"}[type(member).__name__]
    section = page.split(heading, 1)[1].split("\n## ", 1)[0]
    assert f"| `{member.value}` |" in section


@pytest.mark.parametrize("code", exits.ExitCode, ids=lambda code: code.name)
def test_an_exit_code_stands_in_the_reference(page: str, code: exits.ExitCode) -> None:
    assert f"| `{code.value}` | {code.name} |" in page


@pytest.mark.parametrize("kind", stages.KINDS)
def test_a_stage_stands_in_the_reference(page: str, kind: str) -> None:
    assert f"| `{kind}` | {stages.KINDS[kind].stage} |" in page


def test_every_name_has_a_sentence() -> None:
    found = reference.sentences(names)
    members = [f"{type(member).__name__}.{member.name}" for member in MEMBERS]
    assert [name for name in (*TEXTS, *members) if not found[name]] == []


def test_every_exit_code_and_class_has_a_sentence() -> None:
    found = reference.sentences(exits)
    members = [f"{type(member).__name__}.{member.name}" for member in (*exits.ExitCode, *exits.FailureClass)]
    assert [name for name in members if not found[name]] == []


def test_every_setting_has_a_sentence() -> None:
    assert [name for name in Settings.model_fields if not field_docs(Settings).get(name)] == []


def leaves(model: BaseModel, prefix: str = "") -> list[str]:
    """Paths of all values of the chart."""
    found: list[str] = []
    for name, field in type(model).model_fields.items():
        value, path = getattr(model, name), f"{prefix}{field.alias or name}"
        assert field_docs(type(model)).get(name), path
        found += leaves(value, f"{path}.") if isinstance(value, BaseModel) else [path]
    return found


def test_every_value_of_the_chart_stands_in_its_readme(root: Path) -> None:
    text = (root / "charts/videojob-operator/README.md").read_text(encoding="utf-8")
    assert [path for path in leaves(ChartValues()) if f"| `{path}` |" not in text] == []


def test_the_charts_schema_closes_every_object(root: Path) -> None:
    """A misspelt value must fail: objects with known members admit no others."""
    body = json.loads((root / "charts/videojob-operator/values.schema.json").read_text())
    for name, node in {"": body, **body["$defs"]}.items():
        assert node["additionalProperties"] is False, name
