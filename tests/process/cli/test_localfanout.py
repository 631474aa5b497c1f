"""The whole graph without a cluster: branches and work items as processes of this machine, as many as there are slots (X-023)."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from graphs import ITEM, JOIN
from videojob_api.noop import NoopFailure, NoopParams
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_cli import forked
from videojob_cli.embedded import Embedded, config
from videojob_cli.localfanout import launcher
from videojob_cli.localjob import Folders
from videojob_operator.decide.recipes.noop import noop
from videojob_operator.decide.world import ContainerView, CreateJob, JobView, PodView, VideoJobView


class Machine:
    """One VideoJob of stages that do nothing, and a look at every state on its way."""

    def __init__(self, root: Path, mode: str, *, cores: int, items: int = 4, **params: NoopParams) -> None:
        self.folders = Folders(root)
        self.seen: list[VideoJobView] = []
        self.jobs: dict[str, Any] = {}
        self.most: dict[str, int] = {}
        self.others: dict[str, Any] = {}
        recipe = noop(**({"nooplist": NoopParams(items=items)} | params))

        def launch(action: Any, news: Any) -> Any:
            if action.document.job.name in self.others:
                return self.others[action.document.job.name](action, self)
            self.jobs[action.document.group] = job = self.start(action, news)
            return job

        self.embedded = Embedded(
            launch, capacity={"cpu": cores}, settings=replace(config(), recipes=(("Transcode", recipe),)),
            changed=self._changed,
        )  # fmt: skip
        self.add("one", mode)

    def add(self, name: str, mode: str, jobs: Any = None) -> None:
        """Submit a VideoJob, with what plays its Jobs if no processes do."""
        if jobs is not None:
            self.others[name] = jobs
        spec = {"transcode": {"source": {"uri": "store://stock/a.mp4"}}, "execution": {"mode": mode}}
        spec["retry"] = {"backoffSeconds": 1}
        view = VideoJobView(
            "default", name, f"uid-{name}", 1, datetime.now(UTC), VideoJobSpec.model_validate(spec), VideoJobStatus()
        )
        self.embedded.add(view)

    def _changed(self, view: VideoJobView) -> None:
        self.seen.append(view)
        for name, job in self.jobs.items():
            found: JobView = job.view()
            running = sum(pod.phase == "Running" for pod in found.pods)
            self.most[name] = max(self.most.get(name, 0), running)

    def run(self) -> VideoJobStatus:
        """To the end."""
        with forked.server() as server:
            self.start = launcher(self.folders, server=server, environ=dict(os.environ))
            return self.embedded.run()[0].status

    def joined(self) -> list[str]:
        """What the last stage has found."""
        path = next((self.folders.job("default", "uid-one") / "processed" / JOIN).glob("*/joined.json"))
        found: list[str] = json.loads(path.read_text())
        return found


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_the_graph_runs_to_its_end_on_this_machine(tmp_path: Path, mode: str) -> None:
    machine = Machine(tmp_path, mode, cores=3)
    status = machine.run()
    assert status.phase == "Succeeded", status.failure
    assert machine.joined() == [f"item {number}" for number in range(4)]
    percents = [view.status.progress.percent for view in machine.seen]
    assert percents == sorted(percents)


def test_no_more_items_run_at_once_than_there_are_slots(tmp_path: Path) -> None:
    """X-004: with one slot the fan-out is a loop over its items."""
    machine = Machine(tmp_path, "Spread", cores=1, noopitem=NoopParams(seconds=0.1))
    assert machine.run().phase == "Succeeded"
    assert machine.most[ITEM] == 1


class Beside:
    """A Job that holds its slot until the first item of the fan-out beside it has succeeded; then it fails for good."""

    uid, progress, results = "beside", None, ()

    def __init__(self, action: CreateJob, machine: Machine) -> None:
        self.action, self._machine, self._created = action, machine, datetime.now(UTC)

    def view(self) -> JobView:
        """As it is by now."""
        fan_out = self._machine.jobs.get(ITEM)
        over = fan_out is not None and bool(fan_out.view().completed)
        work = ContainerView("work", "Terminated", 65) if over else ContainerView("work", "Running")
        pod = PodView("beside", "beside", "Failed" if over else "Running", (work,))
        document = self.action.document
        return JobView(
            self.action.name, self.uid, document.group, document.attempt, self._created, self.action.slot, pods=(pod,)
        )

    def stop(self) -> None:
        """Nothing runs."""


def test_a_fan_out_uses_the_slot_that_another_videojob_leaves(tmp_path: Path) -> None:
    """X-004: begun with one of the two slots, it runs two items at once as soon as it may."""
    machine = Machine(tmp_path, "Spread", cores=2, noopitem=NoopParams(seconds=0.2))
    machine.add("two", "Compact", Beside)
    assert machine.run().phase == "Succeeded"
    fan_out = machine.jobs[ITEM]
    assert (fan_out.action.parallelism, fan_out.view().parallelism, machine.most[ITEM]) == (1, 2, 2)


def test_an_item_that_failed_runs_again_alone(tmp_path: Path) -> None:
    fails = NoopParams(fails=(NoopFailure(item=2),))
    machine = Machine(tmp_path, "Spread", cores=4, noopitem=fails)
    status = machine.run()
    assert status.phase == "Succeeded", status.failure
    stage = next(stage for stage in status.stages if stage.group == ITEM)
    assert (stage.attempt, stage.failures, stage.fan_out.total) == (2, 1, 4)
    assert machine.jobs[ITEM].view().completions == 1
    assert machine.joined()[2] == "item 2"
