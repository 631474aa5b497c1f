"""One work item of a fan-out once more: which one is meant, and the same end from what it left (`videojob repro --index`)."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from videojob_api.contract import Identity
from videojob_api.noop import NoopFailure, NoopParams
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_cli import forked, repro
from videojob_cli.attempts import choose
from videojob_cli.embedded import Embedded, config
from videojob_cli.errors import CliError
from videojob_cli.localfanout import launcher
from videojob_cli.localjob import Folders
from videojob_cli.main import app
from videojob_operator.decide.recipes.noop import noop
from videojob_operator.decide.world import VideoJobView

WHOSE = Identity(namespace="team", name="film", uid="u1")


def status(fan_out: dict[str, Any] | None, **stage: Any) -> VideoJobStatus:
    """A VideoJob whose fan-out has failed in its second attempt."""
    groups = [{"name": "noopitem", "stages": ["NoopItem"], "after": []}]
    row = {"name": "NoopItem", "group": "noopitem", "attempt": 2, "state": "Failed", "failures": 2, **stage}
    return VideoJobStatus.model_validate({
        "phase": "Failed", "plan": {"execution": "Spread", "image": "w", "groups": groups},
        "stages": [row | ({"fanOut": fan_out} if fan_out else {})],
    })  # fmt: skip


@dataclass(frozen=True)
class Case:
    name: str
    given: VideoJobStatus
    index: int | None
    expect: str
    """The folder of its files, or what is said."""


FAN_OUT = {"total": 12, "succeeded": 9, "failed": 3, "left": "3,7-8"}
CASES = (
    Case("an item that failed", status(FAN_OUT), 7, "noopitem-a2-i7"),
    Case("one that did not", status(FAN_OUT), 0, "noopitem-a2-i0"),
    Case("the last one there is", status(FAN_OUT), 11, "noopitem-a2-i11"),
    Case(
        "none is named",
        status(FAN_OUT),
        None,
        r"Stage NoopItem of VideoJob film runs once for each of 12 work items: name one with --index, 0 to 11 "
        r"\(not done: 3,7-8\)\.",
    ),
    Case("one beyond the last", status(FAN_OUT), 12, r"has no work item 12: --index takes 0 to 11 \(not done: 3,7-8\)\."),
    Case("one before the first", status(FAN_OUT), -1, "has no work item -1: --index takes 0 to 11"),
    Case("a fan-out of one", status({"total": 1, "left": "0"}), None, r"--index, 0 alone \(not done: 0\)\."),
    Case(
        "all are done by now",
        status({"total": 3, "succeeded": 3, "left": ""}, state="Succeeded"),
        None,
        r"0 to 2 \(all are done by now\)",
    ),
    Case("no fan-out", status(None), 3, "Stage NoopItem of VideoJob film has no work items of its own: leave out --index"),
    Case("no fan-out, and none is named", status(None), None, "noopitem-a2"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_which_work_item_is_meant(case: Case) -> None:
    if case.expect.startswith("noopitem-a"):
        assert choose(WHOSE, case.given, None, None, case.index).folder == case.expect
        return
    with pytest.raises(CliError, match=case.expect):
        choose(WHOSE, case.given, None, None, case.index)


def failed(root: Path, how: str = "recoverable", mode: str = "Spread", **params: NoopParams) -> Path:
    """The folder of a VideoJob whose item 2 of 4 failed, as a run without a cluster leaves it."""
    fails = {"noopitem": NoopParams(fails=(NoopFailure(item=2, attempts=9, how=how),))}  # type: ignore[arg-type]
    recipe = noop(**({"nooplist": NoopParams(items=4)} | fails | params))
    folders = Folders(root)
    spec = {
        "transcode": {"source": {"uri": "store://stock/a.mp4"}},
        "execution": {"mode": mode},
        "retry": {"maxAttempts": 1},
    }
    view = VideoJobView("team", "film", "u1", 1, datetime.now(UTC), VideoJobSpec.model_validate(spec), VideoJobStatus())
    with forked.server() as server:
        launch = launcher(folders, server=server, environ=dict(os.environ))
        embedded = Embedded(
            launch, capacity={"cpu": 2}, settings=replace(config(), recipes=(("Transcode", recipe),))
        )  # fmt: skip
        embedded.add(view)
        (ended,) = embedded.run()
    assert ended.status.failure is not None
    folder = folders.job("team", "u1")
    (folder / "status.json").write_text(ended.status.model_dump_json(by_alias=True, exclude_none=True))
    return folder


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One such folder, as it was left."""
    return failed(tmp_path_factory.mktemp("once"))


@pytest.fixture
def left(once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(once, tmp_path / "left"))


@pytest.mark.parametrize("how", ["recoverable", "permanent"])
def test_a_work_item_that_failed_ends_the_same_here(how: str, tmp_path: Path) -> None:
    """X-023: by the document of that item alone. A permanent failure has removed what the stages before it made: they are
    done again here.
    """
    folder = failed(tmp_path / "origin", how)
    verdict = repro.from_folder(folder, tmp_path / "again", index=2)
    assert verdict.agrees, verdict
    code = {"recoverable": 75, "permanent": 65}[how]
    assert (verdict.then.exit_code, verdict.now.exit_code, verdict.now.code) == (code, code, "Noop")
    assert verdict.dump()["index"] == 2
    assert str(verdict).startswith("VideoJob film: stage NoopItem, group noopitem, attempt 1, work item 2\n")
    assert verdict.folder == tmp_path / "again/film/noopitem-a1-i2"
    assert bool(verdict.notes) == (how == "permanent")


def test_a_work_item_that_succeeded_does_so_here(left: Path, tmp_path: Path) -> None:
    verdict = repro.from_folder(left, tmp_path / "again", index=1)
    assert verdict.agrees, verdict
    assert (verdict.then.exit_code, verdict.now.exit_code) == (0, 0)


def test_a_work_item_that_left_nothing_is_named(left: Path, tmp_path: Path) -> None:
    shutil.rmtree(left / "debug/noopitem-a1/3")
    with pytest.raises(
        CliError, match=r"Attempt 1 of group noopitem .* left nothing .*debug/noopitem-a1/3/work.document"
    ):
        repro.from_folder(left, tmp_path / "again", index=3)


def test_a_list_that_was_tampered_with_is_made_anew(left: Path, tmp_path: Path) -> None:
    (listed,) = left.glob("processed/nooplist/*/items.json")
    listed.write_text('{"version": 1, "items": ["other"]}\n')
    verdict = repro.from_folder(left, tmp_path / "again", index=2)
    assert verdict.agrees, verdict
    assert any("NoopList" in note for note in verdict.notes)


def test_the_stage_behind_a_fan_out_gets_what_its_items_left_or_is_told_what_is_missing(tmp_path: Path) -> None:
    """A join needs every item; those that are gone come back on the cluster only."""
    join = {"noopitem": NoopParams(), "noopjoin": NoopParams(fails=(NoopFailure(attempts=9),))}
    folder = failed(tmp_path / "origin", **join)
    verdict = repro.from_folder(folder, tmp_path / "again")
    assert verdict.agrees, verdict
    assert (verdict.attempt.stage, verdict.now.exit_code) == ("NoopJoin", 75)
    shutil.rmtree(next(folder.glob("processed/noopitem/*")))
    with pytest.raises(
        CliError, match=r"Not all work items of stage NoopItem .* `videojob retry film --from NoopItem`"
    ):
        repro.from_folder(folder, tmp_path / "again")


def test_in_one_pod_the_whole_fan_out_runs_again(tmp_path: Path) -> None:
    """Compact has no Indexed Job: nobody needs to name an item, and nobody may."""
    folder = failed(tmp_path / "origin", mode="Compact")
    verdict = repro.from_folder(folder, tmp_path / "again")
    assert verdict.agrees, verdict
    assert (verdict.attempt.stage, verdict.now.exit_code) == ("NoopItem", 75)
    with pytest.raises(CliError, match="leave out --index"):
        repro.from_folder(folder, tmp_path / "again", index=2)


def test_the_command_takes_an_index(left: Path, tmp_path: Path) -> None:
    where = [f"{left}{os.sep}", "--folder", str(tmp_path / "again")]
    done = CliRunner().invoke(app, ["repro", *where, "--index", "2"])
    assert (done.exit_code, "They agree" in done.output) == (0, True), done.output
    done = CliRunner().invoke(app, ["repro", *where])
    assert isinstance(done.exception, CliError)
    assert "name one with --index, 0 to 3 (not done: 2)" in done.exception.message
