"""Discovery, defaults, events, rights: the smaller parts of the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import NOW, a_videojob
from clock import Clock
from fakeapi import Call, FakeApi
from videojob_api.names import ANNOTATION_DEFAULTS_HASH, GROUP
from videojob_operator.cluster.api import EVENTS, VIDEOQUEUES, ApiError, Raw, Resource
from videojob_operator.cluster.client import _error
from videojob_operator.cluster.defaults import DEPLOYMENTS, ensure, load
from videojob_operator.cluster.discovery import KindsMissingError, wait_for_kinds
from videojob_operator.cluster.events import Recorder
from videojob_operator.cluster.metrics import Metrics
from videojob_operator.cluster.rbac import ROLE_RULES, rules
from videojob_operator.decide.world import Event

SYSTEM = "videojob-system"
QUEUE = """
apiVersion: videojob.dev/v1alpha1
kind: VideoQueue
metadata: {name: default}
spec: {slots: [{name: cpu, capacity: 4}]}
"""


# ---------------------------------------------------------------- discovery


async def test_kinds_that_come_late_are_waited_for() -> None:
    api, clock = FakeApi(), Clock()
    served, api.groups = api.groups, {}

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        if len(clock.slept) == 3:
            api.groups = served

    await wait_for_kinds(api, 120, clock=clock, sleep=sleep)
    assert len(clock.slept) == 3


async def test_kinds_that_do_not_come_are_named() -> None:
    api, clock = FakeApi(), Clock()
    api.groups = {GROUP: frozenset({"videojobs", "videoqueues"})}
    with pytest.raises(
        KindsMissingError, match=r"videoprofiles\.videojob\.dev, mediastores\.videojob\.dev.*kubectl apply"
    ):
        await wait_for_kinds(api, 120, clock=clock, sleep=clock.sleep)
    assert sum(clock.slept) == 120


# ---------------------------------------------------------------- defaults


def manifests(tmp_path: Path, text: str = QUEUE) -> tuple[Raw, ...]:
    path = tmp_path / "defaults.yaml"
    path.write_text(text)
    return load(path)


async def test_defaults_are_created_once_and_owned_by_the_deployment(tmp_path: Path) -> None:
    api = FakeApi()
    api.put(DEPLOYMENTS, SYSTEM, "operator", metadata={"uid": "deployment-uid"})
    assert await ensure(api, SYSTEM, manifests(tmp_path), "operator") == 1
    assert await ensure(api, SYSTEM, manifests(tmp_path), "operator") == 0
    made = api.objects["videoqueues", SYSTEM, "default"]
    assert made["metadata"]["ownerReferences"][0]["uid"] == "deployment-uid"
    assert made["metadata"]["annotations"][ANNOTATION_DEFAULTS_HASH]


async def test_a_new_file_changes_what_nobody_else_touched(tmp_path: Path) -> None:
    api = FakeApi()
    await ensure(api, SYSTEM, manifests(tmp_path))
    assert await ensure(api, SYSTEM, manifests(tmp_path, QUEUE.replace("4", "6"))) == 1
    assert api.objects["videoqueues", SYSTEM, "default"]["spec"]["slots"][0]["capacity"] == 6


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"managedFields": [{"manager": "kubectl-edit", "fieldsV1": {"f:spec": {}}}]}, id="edited by hand"),
        pytest.param({"annotations": {}}, id="made by somebody else"),
    ],
)
async def test_what_others_own_is_left(tmp_path: Path, metadata: Raw) -> None:
    api = FakeApi()
    await ensure(api, SYSTEM, manifests(tmp_path))
    api.put(VIDEOQUEUES, SYSTEM, "default", metadata=metadata)
    assert await ensure(api, SYSTEM, manifests(tmp_path, QUEUE.replace("4", "6"))) == 0
    assert api.objects["videoqueues", SYSTEM, "default"]["spec"]["slots"][0]["capacity"] == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("kind: Secret\nmetadata: {name: x}\nspec: {}\n", "document 1.*'Secret'", id="another kind"),
        pytest.param("a: [", "cannot be read", id="no YAML"),
        pytest.param("- 1\n", "document 1", id="a list"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        manifests(tmp_path, text)


# ---------------------------------------------------------------- events


def a_recorder(api: FakeApi) -> tuple[Recorder, Metrics]:
    metrics = Metrics()
    return Recorder(api, instance="pod", metrics=metrics, now=lambda: NOW), metrics


async def test_an_event_is_told_once_and_then_counted() -> None:
    api = FakeApi()
    recorder, _ = a_recorder(api)
    for _ in range(3):
        recorder.tell(a_videojob(), Event("StageStarted", "Ingest"))
    recorder.tell(a_videojob(), Event("StageStarted", "Transcode"))
    await recorder.drain()
    assert api.wrote().count(api.wrote()[0]) == 1
    assert [raw.get("series", {}).get("count") for raw in api.all(EVENTS)] == [3, None]


async def test_another_life_does_not_tell_it_again() -> None:
    api = FakeApi()
    for _ in range(2):
        recorder, metrics = a_recorder(api)
        recorder.tell(a_videojob(), Event("StageStarted", "Ingest"))
        await recorder.drain()
    assert len(api.all(EVENTS)) == 1
    assert b"videojob_events_dropped_total 0.0" in metrics.exposition()


async def test_an_event_that_cannot_be_written_is_dropped_and_counted() -> None:
    def refuse(_: Call) -> None:
        raise ApiError(500, "InternalError", "no")

    api = FakeApi(fault=refuse)
    recorder, metrics = a_recorder(api)
    recorder.tell(a_videojob(), Event("StageStarted", "x" * 5000))
    await recorder.drain()
    assert b"videojob_events_dropped_total 1.0" in metrics.exposition()


# ---------------------------------------------------------------- rights and errors


def test_the_rights_hold_no_secret_no_wildcard_and_each_has_a_reason() -> None:
    """20: least privilege"""
    for rule in ROLE_RULES:
        assert "*" not in (rule.api_group, *rule.resources, *rule.verbs)
        assert not {"secrets", "pods/exec", "pods/log"} & set(rule.resources)
        assert rule.reason
    assert [rule["resources"] for rule in rules("cluster")] == [["tokenreviews"]]
    pods = [rule for rule in ROLE_RULES if "pods" in rule.resources]
    assert {verb for rule in pods for verb in rule.verbs} == {"list", "watch"}


def test_paths_are_those_of_the_api_server() -> None:
    assert Resource("", "v1", "pods", "Pod").path("ns", "p", "status") == "/api/v1/namespaces/ns/pods/p/status"
    assert VIDEOQUEUES.path() == "/apis/videojob.dev/v1alpha1/videoqueues"
    assert Resource("a", "v1", "b", "B", namespaced=False).path("ns", "n") == "/apis/a/v1/b/n"


@pytest.mark.parametrize(
    ("status", "body", "expect"),
    [
        pytest.param(409, b'{"reason":"AlreadyExists","message":"m"}', "already_exists", id="a taken name"),
        pytest.param(409, b'{"reason":"Conflict"}', "conflict", id="a changed object"),
        pytest.param(404, b"not json", "not_found", id="a proxy's 404"),
        pytest.param(410, b"[]", "expired", id="an old continue token"),
        pytest.param(403, b'{"details":{"causes":[{"reason":"NamespaceTerminating"}]}}', "forbidden", id="forbidden"),
    ],
)
def test_answers_become_errors(status: int, body: bytes, expect: str) -> None:
    error = _error(status, body, "7", "GET /x")
    assert getattr(error, expect)
    assert error.retry_after == 7.0
    assert "GET /x" in str(error)
