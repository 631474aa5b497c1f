"""What is generated is what is committed; what is committed is what an API server takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import generate
from videojob_api import names, schema
from videojob_api.v1alpha1 import KINDS, Kind

GENERATED = generate.files()
by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_as_its_source_says(root: Path, name: str) -> None:
    written = (root / name).read_text(encoding="utf-8")
    assert written == GENERATED[name], f"{name} is not what its source says: run `make generate` and commit the result"


def test_check_says_that_nothing_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_kubectl_apply_on_the_folder_takes_the_crds_and_nothing_else(root: Path) -> None:
    """`kubectl apply -f crds/` reads .json, .yaml and .yml and does not descend."""
    read = {path.name for path in (root / "crds").iterdir() if path.suffix in {".json", ".yaml", ".yml"}}
    assert read == {f"{kind.plural}.yaml" for kind in KINDS}


def test_the_chart_carries_every_crd_and_no_other(root: Path) -> None:
    files = {path.name for path in (root / "charts/videojob-operator/files/crds").iterdir()}
    assert files == {f"{kind.plural}.yaml" for kind in KINDS}


@by_kind
def test_a_crd_file_stays_below_200_kilobytes(root: Path, kind: Kind) -> None:
    """Client-side apply keeps a copy in an annotation of at most 256 KiB."""
    assert (root / "crds" / f"{kind.plural}.yaml").stat().st_size < 200_000


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema node below and including this one, with its path."""
    yield path, node
    for name, part in node.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}[]")


@by_kind
def test_every_field_has_a_description(kind: Kind) -> None:
    """`kubectl explain` is the manual."""
    silent = [
        path
        for path, node in nodes(schema.object_schema(kind), kind.kind)
        if not node.get("description") and not path.endswith(("[]", f"{kind.kind}.metadata"))
    ]
    assert silent == []


@by_kind
def test_the_schema_holds_nothing_that_an_api_server_refuses(kind: Kind) -> None:
    refused = {
        "$ref",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "const",
        "title",
        "discriminator",
        "prefixItems",
        "uniqueItems",
    }
    for path, node in nodes(schema.object_schema(kind), kind.kind):
        assert not refused & set(node), path
        assert isinstance(node["type"], str), path
        assert None not in (node.get("default", 0), *(node.get("enum") or ())), path


@by_kind
def test_every_rule_has_one_line_that_names_the_field(kind: Kind) -> None:
    for path, node in nodes(schema.object_schema(kind), kind.kind):
        for rule in node.get("x-kubernetes-validations", ()):
            assert "\n" not in rule["message"], path
            word = path.rsplit(".", 1)[-1]
            named = (word, "spec.", "VideoJob", *node.get("properties", ()))
            assert any(each in rule["message"] for each in named), f"{path}: {rule['message']}"


@by_kind
def test_lists_say_how_they_merge(kind: Kind) -> None:
    """Server-side apply by two managers needs it."""
    lists = [(path, node) for path, node in nodes(schema.object_schema(kind), "") if node["type"] == "array"]
    for path, node in lists:
        assert node["x-kubernetes-list-type"] in {"atomic", "set", "map"}, path
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], path


@by_kind
def test_names_of_a_kind_are_those_of_the_table(root: Path, kind: Kind) -> None:
    body = yaml.safe_load((root / "crds" / f"{kind.plural}.yaml").read_text())
    assert body["metadata"]["name"] == f"{kind.plural}.{names.GROUP}"
    assert body["spec"]["names"]["shortNames"] == [kind.short]
    assert body["spec"]["names"]["categories"] == [names.CATEGORY]


def test_an_unseen_object_is_in_progress_for_kstatus() -> None:
    """Without it Flux and Helm would call a VideoJob that nobody has looked at current."""
    status = schema.object_schema(KINDS[0])["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}


@by_kind
def test_no_default_is_null_anywhere(root: Path, kind: Kind) -> None:
    """An optional field is absent: an API server refuses a schema whose default its own type does not allow."""
    text = (root / "crds" / f"{kind.plural}.yaml").read_text(encoding="utf-8")
    assert [default for default in _defaults(yaml.safe_load(text)) if "null" in json.dumps(default)] == []


def _defaults(node: Any) -> Iterator[Any]:
    if isinstance(node, list):
        for part in node:
            yield from _defaults(part)
    elif isinstance(node, dict):
        if "type" in node and "default" in node:
            yield node["default"]
        for part in node.values():
            yield from _defaults(part)
