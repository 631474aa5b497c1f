"""A graph of real pods: branches side by side, a fan-out that loses some of its items, a join behind it.

Its stages do nothing, so that it takes as long as the cluster does; the operator runs them while this module lasts only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from audit import Audit
from kube import Kube
from podstates import most_at_work

SYSTEM, OPERATOR = "videojob-system", "deployment/videojob-operator"
SWITCH = "VIDEOJOB_NOOP"
INDEX = "batch.kubernetes.io/job-completion-index"
ATTEMPT = "videojob.dev/attempt"
NAME = "videojob.dev/name"
ITEMS, SLOTS = 5, 3
ITEM = "noopitem"
WANTED = {
    "nooplist": {"items": ITEMS},
    "noopleft": {"seconds": 3},
    "noopright": {"seconds": 3},
    ITEM: {"seconds": 12, "fails": [{"item": 1, "attempts": 2}]},
}
"""Item 1 fails at the end of its first two attempts: it does not live to see the end of the first."""


def _switch(kube: Kube, setting: str) -> None:
    kube.run("set", "env", OPERATOR, "-n", SYSTEM, setting)
    kube.run("rollout", "status", OPERATOR, "-n", SYSTEM, "--timeout=120s")


@pytest.fixture(scope="module", autouse=True)
def stages_that_do_nothing(kube: Kube) -> Iterator[None]:
    """The operator runs them for every VideoJob; afterwards nothing of the setting is left."""
    _switch(kube, f"{SWITCH}=true")
    yield
    _switch(kube, f"{SWITCH}-")
    template = kube.get("deployment", "videojob-operator", SYSTEM)["spec"]["template"]["spec"]
    assert SWITCH not in json.dumps(template)


@pytest.fixture
def three_slots(kube: Kube) -> Iterator[str]:
    """A queue of its own: more work items than slots."""
    spec = {"slots": [{"name": "cpu", "capacity": SLOTS}]}
    meta = {"name": "three", "namespace": SYSTEM}
    kube.apply({"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoQueue", "metadata": meta, "spec": spec})
    yield "three"
    kube.run("delete", "videoqueue", "three", "-n", SYSTEM)


BESIDE = {"nooplist": {"items": 1, "seconds": 600}}
"""Takes one slot once there is one, which leaves enough for what the fan-out runs again, and keeps it."""


def _videojob(namespace: str, queue: str, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    spec = {
        "queue": queue,
        "execution": {"mode": "Spread"},
        "retry": {"backoffSeconds": 0},
        "externalId": json.dumps(wanted),
        "transcode": {"source": {"uri": f"store://inbox/{'a1' * 32}", "filename": "none.mp4"}},
    }
    meta = {"name": name, "namespace": namespace, "labels": {NAME: name}}
    return {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": meta, "spec": spec}


def _begun(kube: Kube, namespace: str, *items: int) -> None:
    """Wait until the first attempt works on these items: until each has said something, for it may be told to stop by then."""
    for item in items:
        selector = f"videojob.dev/group={ITEM},{ATTEMPT}=1,{INDEX}={item}"
        pod = kube.watch("pods", f"--selector={selector}", namespace, lambda seen: _state(seen) == "running", 60)
        kube.run("logs", pod["metadata"]["name"], "-n", namespace, "--follow", "--limit-bytes=1", timeout=20)


def _state(pod: dict[str, Any]) -> str:
    """`waiting`, `running` or `terminated`: the pods of these stages have one container."""
    reports = pod["status"].get("containerStatuses") or [{"state": {"waiting": {}}}]
    return str(next(iter(reports[0]["state"])))


def _span(pod: dict[str, Any]) -> tuple[datetime, datetime]:
    """From when to when its container ran."""
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return datetime.fromisoformat(ended["startedAt"]), datetime.fromisoformat(ended["finishedAt"])


def test_a_fan_out_runs_again_only_what_it_lost_and_is_joined_once(
    kube: Kube,
    namespace: str,
    three_slots: str,
    audit: Audit,
    on_volume: Callable[..., str],
    tmp_path: Path,
) -> None:
    """A-007, X-006, case 28: of five items in three slots two lose their pods and run again, by no fault of theirs; one of
    these then fails, and runs once more, alone. The others go on meanwhile, and nobody repeats them.
    """
    with (
        kube.recorded("pods", f"videojob.dev/queue={three_slots}", tmp_path / "pods.json") as states,
        kube.recorded("videojobs", f"{NAME}=beside", tmp_path / "beside.json") as beside,
    ):
        kube.apply(_videojob(namespace, three_slots, "graph", WANTED))
        _begun(kube, namespace, 0, 1)
        kube.apply(_videojob(namespace, three_slots, "beside", BESIDE))
        lost = f"videojob.dev/group={ITEM},{ATTEMPT}=1,{INDEX} in (0, 1)"
        kube.run("delete", "pods", "-n", namespace, "-l", lost, "--wait=false")
        kube.wait("condition=Complete", "videojob", "graph", namespace, 120)
        seen, waited = states(), beside()
        kube.run("delete", "videojob", "beside", "-n", namespace)
    assert any(_told(state) for state in waited), "it waits while the fan-out holds every slot"

    names = [name for name in audit.created_jobs(namespace) if not name.startswith("beside-")]
    created = sorted(name.removeprefix("graph-").rsplit("-", 1)[0] for name in names)
    assert created == [
        *(f"{ITEM}-a{attempt}" for attempt in (1, 2, 3)), "noopjoin-a1", "noopleft-a1", "nooplist-a1", "noopright-a1",
    ]  # fmt: skip
    jobs = {
        int(job["metadata"]["labels"][ATTEMPT]): job
        for job in kube.list("jobs", namespace, f"videojob.dev/group={ITEM}")
    }
    assert {
        attempt: (_document(job)["indexes"], job["spec"]["completions"], job["spec"]["parallelism"])
        for attempt, job in jobs.items()
    } == {1: ("0-4", ITEMS, SLOTS), 2: ("0-1", 2, 2), 3: ("1", 1, 1)}

    items = [pod for pod in seen if pod["metadata"]["labels"]["videojob.dev/group"] == ITEM]
    ran = {(int(pod["metadata"]["labels"][ATTEMPT]), int(pod["metadata"]["labels"][INDEX])) for pod in items}
    assert ran == {(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 0), (2, 1), (3, 0)}
    assert len({pod["metadata"]["uid"] for pod in items}) == len(ran), "each index of each attempt had one pod"
    assert most_at_work(seen) <= SLOTS

    ended = {
        pod["metadata"]["labels"]["videojob.dev/group"]: pod for pod in kube.list("pods", namespace, f"{NAME}=graph")
    }
    left, right = _span(ended["noopleft"]), _span(ended["noopright"])
    assert max(left[0], right[0]) < min(left[1], right[1]), "the branches ran side by side"
    last = max(_span(pod)[1] for pod in kube.list("pods", namespace, f"videojob.dev/group={ITEM}"))
    assert last <= _span(ended["noopjoin"])[0], "the join waits for every item"

    status = kube.get("videojob", "graph", namespace)["status"]
    assert (status["phase"], status["attempts"], status["progress"]["percent"]) == ("Succeeded", 3, 100)
    assert "failure" not in status
    stage = next(stage for stage in status["stages"] if stage["group"] == ITEM)
    assert (stage["state"], stage["attempt"], stage["failures"], stage["disruptions"]) == ("Succeeded", 3, 1, 1)
    counts = stage["fanOut"]
    assert (counts["total"], counts["succeeded"], counts["failed"], counts["left"]) == (ITEMS, ITEMS, 0, "")
    uid = kube.get("videojob", "graph", namespace)["metadata"]["uid"]
    joined = on_volume(namespace, JOINED, f"/store/{namespace}/jobs/{uid}/processed/noopjoin")
    assert json.loads(joined) == [[f"item {number}" for number in range(ITEMS)]]


JOINED = """
import json, pathlib, sys
print(json.dumps([json.loads(path.read_text()) for path in pathlib.Path(sys.argv[1]).glob("*/joined.json")]))
"""


def _document(job: dict[str, Any]) -> dict[str, Any]:
    text = job["spec"]["template"]["metadata"]["annotations"]["videojob.dev/task"]
    found: dict[str, Any] = json.loads(text)
    return found


def _told(job: dict[str, Any]) -> bool:
    """Whether it waits because the fan-out holds all slots: as many as it works on items at once."""
    said = (job.get("status", {}).get("queue") or {}).get("message") or ""
    return bool(said == f"slot cpu: {SLOTS} of {SLOTS} taken, 0 ahead")
