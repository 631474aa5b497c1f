"""What people see of the kinds through kubectl."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import binaries
from controlplane import ControlPlane
from kstatus import kstatus
from kube import Kube
from videojob_api import names, schema
from videojob_api.v1alpha1 import KINDS, VIDEOJOB, Kind

by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
NAMESPACE = "crd-kubectl"


@pytest.fixture(scope="module")
def kube(plane: ControlPlane) -> Iterator[Kube]:
    """Kubectl as administrator, and a namespace to work in."""
    kubectl = Kube(plane.kubeconfig, str(binaries.path("kubectl")))
    kubectl.run("create", "namespace", NAMESPACE)
    yield kubectl
    kubectl.run("delete", "namespace", NAMESPACE, "--wait=false")


def submit(kube: Kube, name: str, **spec: Any) -> dict[str, Any]:
    """A VideoJob as somebody applies it; returned as the server keeps it. Suspended, so that no operator runs it."""
    body = {
        "apiVersion": names.API_VERSION,
        "kind": "VideoJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"transcode": {"source": {"uri": "store://stock/a.mp4"}}, "suspend": True, **spec},
    }
    kube.apply(body)
    return kube.get("videojob", name, NAMESPACE)


def report(kube: Kube, name: str, **status: Any) -> None:
    """A status as the operator writes it."""
    patch = json.dumps({"status": status})
    kube.run("patch", "vj", name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch)


def test_the_folder_is_applied_as_it_is_and_a_second_time_changes_nothing(kube: Kube) -> None:
    kube.run("apply", "-f", "crds/")
    again = kube.run("apply", "-f", "crds/").out.splitlines()
    assert len(again) == len(KINDS)
    assert all(line.endswith(" unchanged") for line in again), again


@by_kind
def test_the_server_finds_nothing_wrong_with_the_schema(kube: Kube, kind: Kind) -> None:
    """A schema that is not structural is kept, but reported."""
    body = kube.get("crd", f"{kind.plural}.{names.GROUP}")
    assert {c["type"]: c["status"] for c in body["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }


def fields(node: dict[str, Any]) -> Iterator[str]:
    """Names of all fields below a node."""
    for name, part in node.get("properties", {}).items():
        yield name
        yield from fields(part)
    yield from fields(node["items"]) if "items" in node else ()


@by_kind
def test_explain_lists_every_field(kube: Kube, kind: Kind) -> None:
    """`kubectl explain videojob.spec --recursive` is the manual."""
    shown = kube.run("explain", f"{kind.kind.lower()}.spec", "--recursive").out
    words = {line.split("\t")[0].strip() for line in shown.splitlines()}
    assert set(fields(schema.structural(kind.spec))) <= words
    assert "<no description>" not in shown


def test_explain_says_what_a_field_means(kube: Kube) -> None:
    shown = " ".join(kube.run("explain", "videojob.spec.transcode.profiles").out.split())
    assert "Names of VideoProfiles, one output each" in shown


def test_a_videojob_is_filled_in_with_defaults(kube: Kube) -> None:
    spec = submit(kube, "defaults", retry={"maxAttempts": 7})["spec"]
    assert spec["transcode"]["profiles"] == ["720p", "480p", "thumbnail"]
    assert spec["transcode"]["limits"]["maxInputSize"] == "500Mi"
    assert spec["retry"] == {"maxAttempts": 7, "backoffSeconds": 2, "multiplier": 2, "maxBackoffSeconds": 300}
    assert (spec["queue"], spec["store"], spec["priority"], spec["execution"]) == (
        "default", "default", "Normal", {"mode": "Auto"},
    )  # fmt: skip


def test_a_new_videojob_is_in_progress_for_kstatus(kube: Kube) -> None:
    """Its status is about no generation yet, so that Flux and Helm wait."""
    body = submit(kube, "unseen")
    assert body["status"]["observedGeneration"] == -1
    assert body["metadata"]["generation"] == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.status is not None], ids=lambda kind: kind.kind)
def test_whatever_has_a_status_begins_unseen(kube: Kube, kind: Kind) -> None:
    """ObservedGeneration defaults to -1: until the operator has looked, kstatus says InProgress."""
    spec = {"MediaStore": {"pvc": {"claimName": "videojob-store"}}, "VideoQueue": {}}.get(
        kind.kind, {"transcode": {"source": {"uri": "store://stock/a.mp4"}}, "suspend": True}
    )
    name = f"unseen-{kind.short}"
    body = {"apiVersion": names.API_VERSION, "kind": kind.kind, "metadata": {"name": name, "namespace": NAMESPACE}}
    kube.apply({**body, "spec": spec})
    found = kube.get(kind.plural, name, NAMESPACE)
    assert found["status"]["observedGeneration"] == -1
    assert kstatus(found) == "InProgress"


def test_the_columns_of_the_front_page(kube: Kube) -> None:
    submit(kube, "front-page")
    progress = {"percent": 62, "summary": "62%", "message": "encoding 3 renditions"}
    report(kube, "front-page", type="Transcode", phase="Running", stage="Transcode", attempts=1, progress=progress)
    head, row = kube.run("get", "videojobs", "front-page", "-n", NAMESPACE).out.splitlines()
    assert head.split() == ["NAME", "TYPE", "PHASE", "STAGE", "PROGRESS", "ATTEMPTS", "AGE"]
    assert row.split()[:6] == ["front-page", "Transcode", "Running", "Transcode", "62%", "1"]
    wide = kube.run("get", "vj", "front-page", "-n", NAMESPACE, "-o", "wide").out
    assert "encoding 3 renditions" in wide
    assert "PRIORITY" in wide


def test_short_names_and_the_category_find_every_kind(kube: Kube) -> None:
    submit(kube, "found")
    for kind in KINDS:
        kube.run("get", kind.short, "-n", NAMESPACE)
    assert "videojob.videojob.dev/found" in kube.run("get", names.CATEGORY, "-n", NAMESPACE, "-o", "name").out


SELECTED = {
    ".status.phase": "Failed",
    ".status.type": "Story",
    ".status.failure.code": "CorruptMedia",
    ".spec.queue": "night",
    ".spec.priority": "Low",
    ".spec.store": "archive",
}


def nested(path: str, value: str) -> dict[str, Any]:
    """An object with one field: what lies below `.spec` or `.status`."""
    first, *rest = path.split(".")[2:]
    return {first: nested(".x." + ".".join(rest), value) if rest else value}


@pytest.mark.parametrize("path", VIDEOJOB.selectable)
def test_a_field_that_selects(kube: Kube, path: str) -> None:
    """`kubectl get vj --field-selector status.phase=Failed`: the API server picks, nobody lists everything."""
    wanted = SELECTED[path]
    name = f"selected-by-{wanted.lower()}"
    body = nested(path, wanted)
    submit(kube, name, **(body if path.startswith(".spec.") else {}))
    if path == ".status.failure.code":
        body["failure"] |= {"class": "Permanent", "message": "the file is truncated"}
    if path.startswith(".status."):
        report(kube, name, **body)
    found = kube.run("get", "vj", "-n", NAMESPACE, "-o", "name", "--field-selector", f"{path[1:]}={wanted}").out.split()
    assert found == [f"videojob.videojob.dev/{name}"]


def test_fields_select_together_and_by_what_they_are_not(kube: Kube) -> None:
    for name, priority in (("both", "High"), ("one", "Normal")):
        submit(kube, f"pick-{name}", queue="picked", priority=priority)
    picked = ("get", "vj", "-n", NAMESPACE, "-o", "name", "--field-selector")
    assert kube.run(*picked, "spec.queue=picked,spec.priority=High").out.split() == ["videojob.videojob.dev/pick-both"]
    assert kube.run(*picked, "spec.queue=picked,spec.priority!=High").out.split() == ["videojob.videojob.dev/pick-one"]


def test_a_field_that_does_not_select_is_refused(kube: Kube) -> None:
    done = kube.run("get", "vj", "-n", NAMESPACE, "--field-selector", "spec.suspend=true", check=False)
    assert done.code != 0
    assert "field label not supported: spec.suspend" in done.err


def test_wait_for_finished_returns_when_the_condition_is_there(kube: Kube) -> None:
    submit(kube, "ends")
    condition = {
        "type": "Finished",
        "status": "True",
        "reason": "Succeeded",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    # kubectl believes a condition only when the status is about the object's generation
    report(kube, "ends", phase="Succeeded", observedGeneration=1, conditions=[condition])
    kube.wait("condition=Finished", "videojob", "ends", NAMESPACE, 10)


def test_a_user_cannot_write_status_with_the_spec(kube: Kube) -> None:
    """Status is a subresource: the operator's word alone."""
    submit(kube, "honest")
    patch = json.dumps({"status": {"phase": "Succeeded"}})
    kube.run("patch", "vj", "honest", "-n", NAMESPACE, "--type=merge", "-p", patch)
    assert "phase" not in kube.get("videojob", "honest", NAMESPACE)["status"]


def test_a_phase_that_does_not_exist_is_refused(kube: Kube) -> None:
    """Case 21: the server holds the operator to the schema."""
    submit(kube, "phases")
    patch = json.dumps({"status": {"phase": "Paused"}})
    argv = ("patch", "vj", "phases", "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch)
    done = kube.run(*argv, check=False)
    assert done.code != 0
    assert "supported values: " in done.err


EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "crds" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_taken_by_the_server(kube: Kube, path: Path) -> None:
    shown = kube.run("apply", "--dry-run=server", "-n", NAMESPACE, "-f", str(path)).out
    assert len(shown.splitlines()) == len(list(yaml.safe_load_all(path.read_text(encoding="utf-8"))))


def test_the_defaults_of_the_chart_are_taken_by_the_server(kube: Kube) -> None:
    kube.run("apply", "--dry-run=server", "-n", NAMESPACE, "-f", "charts/videojob-operator/files/defaults.yaml")
