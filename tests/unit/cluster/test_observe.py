"""Raw objects become views, whatever they look like (cases 39, 46, 56)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from videojob_operator.cluster.api import JOBS, PODS, VIDEOJOBS
from videojob_operator.cluster.observe import EPOCH, job_view, pod_view, trim, videojob_view
from videojob_operator.decide.job import live

SOURCE = {"uri": "store://inbox/" + "a1" * 32}


def a_raw(**parts: Any) -> dict[str, Any]:
    meta = {"namespace": "ns", "name": "n", "uid": "u", "generation": 3, "creationTimestamp": "2026-11-21T12:00:00Z"}
    return {"metadata": meta, "spec": {"transcode": {"source": SOURCE}}} | parts


@dataclass(frozen=True)
class Case:
    name: str
    given: dict[str, Any]
    spec_ok: bool
    error: str = ""


SPECS = (
    Case("a plain spec is read", {"transcode": {"source": SOURCE}}, True),
    Case(
        "a field of a later version is left out", {"transcode": {"source": SOURCE, "hue": 1}, "later": {"a": 1}}, True
    ),
    Case(
        "a wrong value names its field",
        {"transcode": {"source": {"uri": "ftp://x"}}},
        False,
        "spec.transcode.source.uri",
    ),
    Case("no kind of work says what to do", {}, False, "exactly one"),
    Case(
        "an avatar without a voice says what to do",
        {"avatar": {"image": {"uri": "store://stock/a.png"}}},
        False,
        "one voice",
    ),
    Case("a story without words says what to do", {"story": {}}, False, "a story is told in one way"),
    Case(
        "fields of a later version are left out of a story",
        {
            "story": {
                "scenes": [{"text": "A fig.", "mood": 1}],
                "captions": {"style": "word", "glow": 2},
                "odour": "sweet",
            }
        },
        True,
    ),
)


@pytest.mark.parametrize("case", SPECS, ids=lambda case: case.name)
def test_specs(case: Case) -> None:
    view = videojob_view(a_raw(spec=case.given))
    assert (view.spec is not None) == case.spec_ok
    assert case.error in (view.spec_error or "")


@pytest.mark.parametrize(
    "status",
    [
        None,
        5,
        "text",
        [],
        {"phase": "Dancing"},
        {"stages": [{"name": 1}]},
        {"conditions": [{"type": "Ready"}]},
        {"plan": 7},
    ],
    ids=repr,
)
def test_any_status_is_read_as_far_as_it_goes(status: Any) -> None:
    """Case 56: a status wiped or edited by hand never stops the operator"""
    view = videojob_view(a_raw(status=status))
    assert view.status.phase is None
    assert view.status.stages == ()


def test_one_broken_condition_does_not_cost_the_others() -> None:
    good = {"type": "Accepted", "status": "True", "reason": "Resolved", "lastTransitionTime": "2026-11-21T12:00:00Z"}
    view = videojob_view(a_raw(status={"conditions": [{"type": 5}, good], "attempts": 2, "later": True}))
    assert [entry.type for entry in view.status.conditions] == ["Accepted"]
    assert view.status.attempts == 2


def test_an_object_of_nothing_becomes_a_view() -> None:
    view = videojob_view({})
    assert (view.uid, view.created, view.spec) == ("", EPOCH, None)
    assert job_view({}).attempt == 0
    assert pod_view({"status": {"conditions": ["x", None], "containerStatuses": [3]}}).phase == "Pending"


def test_a_job_without_its_labels_is_known_by_the_status() -> None:
    """Case 39"""
    status = videojob_view(
        a_raw(status={"stages": [{"name": "Ingest", "group": "main", "attempt": 2, "job": "the-job"}]})
    ).status
    view = job_view({"metadata": {"name": "the-job", "uid": "j"}}, status=status)
    assert (view.group, view.attempt) == ("main", 2)


def test_a_trimmed_job_gives_the_same_view() -> None:
    condition = {
        "type": "Failed",
        "status": "True",
        "reason": "PodFailurePolicy",
        "message": "m",
        "lastTransitionTime": "bad",
    }
    raw = {
        "metadata": {"name": "j", "uid": "u", "managedFields": [{}], "labels": {"videojob.dev/attempt": "1"}},
        "spec": {"template": {"x": "y" * 1000}},
        "status": {"conditions": [condition]},
    }
    slim = trim(JOBS, raw)
    assert job_view(slim) == job_view(raw)
    assert "template" not in str(slim)
    assert job_view(slim).finished == "Failed"


def test_a_trimmed_videojob_keeps_what_decides() -> None:
    raw = a_raw()
    raw["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "x",
        "videojob.dev/retry": "1",
    }
    slim = trim(VIDEOJOBS, raw)
    assert videojob_view(slim).annotations == (("videojob.dev/retry", "1"),)


def container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state}


def a_pod(phase: str, *statuses: dict[str, Any], main: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    raw = {
        "metadata": {"name": "p", "uid": "p"},
        "spec": {"initContainers": [{"name": "work"}], "containers": [{"name": "commit"}]},
        "status": {"phase": phase, "initContainerStatuses": list(statuses), "containerStatuses": list(main)},
    }
    return trim(PODS, raw)


def test_containers_come_in_the_order_they_run() -> None:
    view = pod_view(
        a_pod(
            "Running",
            container("work", terminated={"exitCode": 0, "message": "m"}),
            main=(container("commit", running={}),),
        )
    )
    assert [(entry.name, entry.state) for entry in view.containers] == [("work", "Terminated"), ("commit", "Running")]


@dataclass(frozen=True)
class Live:
    name: str
    pods: tuple[dict[str, Any], ...]
    live: bool
    conditions: tuple[dict[str, str], ...] = ()


COMPLETE = ({"type": "Complete", "status": "True"},)
WORKS, DID = container("work", running={}), container("work", terminated={"exitCode": 0})
LIVES = (
    Live("a Job without a pod holds its slot", (), True),
    Live("a finished Job without a pod holds none", (), False, COMPLETE),
    Live("a pod that waits to be scheduled holds it", (a_pod("Pending"),), True),
    Live("a running init container holds it", (a_pod("Running", WORKS),), True),
    Live("between two containers it is held", (a_pod("Running", DID),), True),
    Live(
        "it is free the moment the last container has ended",
        (a_pod("Running", DID, main=(container("commit", terminated={"exitCode": 0}),)),),
        False,
    ),
    Live(
        "a failed init container frees it",
        (a_pod("Pending", container("work", terminated={"exitCode": 65})),),
        False,
    ),
    Live(
        "one of which a child was killed for memory frees it, though it exited with 0 (case 30)",
        (a_pod("Pending", container("work", terminated={"exitCode": 0, "reason": "OOMKilled"})),),
        False,
    ),
    Live(
        "a failed container frees it though another one has not been told yet (as decide has it)",
        (a_pod("Running", container("work", terminated={"exitCode": 1}), main=(container("commit", running={}),)),),
        False,
    ),
    Live("an evicted pod without statuses holds none", (a_pod("Failed"),), False),
    Live("a finished Job whose container still runs holds it", (a_pod("Running", WORKS),), True, COMPLETE),
)


@pytest.mark.parametrize("case", LIVES, ids=lambda case: case.name)
def test_a_job_holds_its_slot_until_its_containers_have_ended(case: Live) -> None:
    """A-006"""
    assert live(job_view({"status": {"conditions": list(case.conditions)}}, case.pods)) == case.live
