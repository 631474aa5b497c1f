"""Memory that an attempt lacks: the next one has more, whatever happens to the operator in between (case 30)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

from builders import CONFIG, UID, a_videojob
from simcluster import Cluster
from siminvariants import check_history
from simobjects import Outcome
from simoperator import Operator, drive
from videojob_operator.settings import read_classes

CLASSES = read_classes(
    {"small": {"resources": {"limits": {"memory": "256Mi"}}, "maxMemory": "1Gi"}, "tight": {"maxMemory": "3Gi"}}
)
SETTINGS = replace(CONFIG, classes=tuple(CLASSES.items()))


@dataclass(frozen=True)
class Case:
    name: str
    worker: str
    needs_mib: int
    expect: list[int]
    """Memory limits of the attempts, in MiB."""
    phase: str = "Succeeded"
    writes_mib: int = 0


CASES = (
    Case("enough at once", "small", 200, [256]),
    Case("enough the third time", "small", 500, [256, 384, 576]),
    Case("the bound is enough", "small", 1024, [256, 384, 576, 864, 1024]),
    Case("the bound is not, half the work is", "tight", 4000, [3072, 3072]),
    Case("nothing is", "tight", 9000, [3072] * 6, phase="Failed"),
    Case("disk, which takes no memory", "default", 0, [3072] * 3, writes_mib=1800),
)


def limits(cluster: Cluster) -> list[int]:
    """Memory limits of the working container, attempt by attempt."""
    return [
        int(part["resources"]["limits"]["memory"].removesuffix("Mi"))
        for manifest in cluster.launched
        for part in manifest["spec"]["template"]["spec"].get("initContainers", [])
        if part["name"] == "work"
    ]


def run(case: Case, crash: tuple[int, Literal["before", "after"]] | None = None) -> Cluster:
    """One VideoJob whose work needs so much, from apply to the deletion of its last Job."""

    def script(_uid: str, _group: str, _attempt: int, container: str) -> Outcome:
        if container != "work":
            return Outcome()
        return Outcome(needs_mib=case.needs_mib, writes_mib=case.writes_mib)

    cluster = Cluster(script)
    fields: dict[str, Any] = {"workerClass": case.worker, "retry": {"maxAttempts": 6}}
    cluster.apply(a_videojob(**fields))
    cluster.crash_at = crash
    drive(cluster, Operator(cluster, config=SETTINGS))
    return cluster


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_attempt_has_what_the_ones_before_it_lacked(case: Case) -> None:
    cluster = run(case)
    status = cluster.objects["videojob", UID].value.status
    assert (status.phase, limits(cluster)) == (case.phase, case.expect)
    assert check_history(cluster.history[UID]) == []
    if case.phase == "Failed":
        assert (status.failure.code, status.failure.failure_class) == ("OutOfMemory", "Resource")
        assert "spec.workerClass" in status.failure.hint


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("case", CASES[1:4], ids=lambda case: case.name)
def test_a_crash_at_any_write_takes_no_step_of_the_ladder_twice(case: Case, where: Literal["before", "after"]) -> None:
    """I1, I4: the ladder is in the status, not in the operator."""
    writes = len(run(case).writes)
    for number in range(1, writes + 1):
        crashed = run(case, (number, where))
        assert limits(crashed) == case.expect, number
        assert crashed.objects["videojob", UID].value.status.phase == case.phase
        assert check_history(crashed.history[UID]) == []
