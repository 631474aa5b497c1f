"""A fan-out in the worker: the real runner on a plain folder, one item at a time as in an Indexed Job, or all in one pod."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from videojob_api.contract import RunResult
from videojob_api.fanout import INDEX_VARIABLE, LIST_FILE, item_key, list_uri
from videojob_worker import runner
from videojob_worker.base.logs import json_log
from videojob_worker.base.watch import Stop
from workbench import UID, Workbench

KEYS = {kind: f"{number}" * 32 for number, kind in enumerate(("nooplist", "noopitem", "noopjoin", "noopleft"), 5)}


class Bench(Workbench):
    """Documents of the graph that does nothing."""

    def run(
        self, container: str = "work", document: dict[str, Any] | None = None, prefix: Sequence[str] = (), **env: str
    ) -> RunResult:
        """The runner in this process: what the others do with a child of their own takes a second each time."""
        assert not prefix
        message, task = self.root / "message", self.root / "task.json"
        task.write_text(json.dumps(document))
        index = env.get(INDEX_VARIABLE, "")
        settings = runner.Settings(
            task, container, message, token=self.root / "token", index=int(index) if index.isdecimal() else None
        )
        code = runner.run(settings, Stop(), json_log(io.StringIO()))
        result = RunResult.model_validate_json(message.read_bytes())
        assert result.exit_code == code
        return result

    def task(self, kind: str, params: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """One stage."""
        return {"kind": kind, "container": "work", "key": KEYS[kind], "params": params or {}, **more}

    def listing(self, items: int) -> dict[str, Any]:
        """The stage that lists the items."""
        return self.task("nooplist", {"items": items})

    def item(self, *fails: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The fan-out."""
        given = {"stage": "nooplist", "key": KEYS["nooplist"]}
        return self.task("noopitem", {"fails": list(fails)}, inputs=[given], itemsOf="nooplist", **more)

    def join(self, **more: Any) -> dict[str, Any]:
        """The stage that reads what the items left."""
        given = {"stage": "noopitem", "key": KEYS["noopitem"], "itemsOf": "nooplist", **more}
        return self.task("noopjoin", inputs=[given, {"stage": "nooplist", "key": KEYS["nooplist"]}])

    def of(self, *stages: dict[str, Any], attempt: int = 1, group: str = "main", **more: Any) -> dict[str, Any]:
        """A document of these stages."""
        return self.document(attempt, group=group, **more) | {"stages": list(stages)}

    def listed(self, items: int) -> dict[str, Any]:
        """Let the items be listed; the list as the operator records it."""
        result = self.run("work", self.of(self.listing(items), group="nooplist"))
        found = result.stages[0].work_list
        assert found is not None
        return found.dump()

    def one(self, document: dict[str, Any], index: int) -> RunResult:
        """One pod of the Indexed Job."""
        return self.run("work", document, **{INDEX_VARIABLE: str(index)})

    def joined(self) -> list[str]:
        """What the join has found, in order."""
        path = self.job / "processed" / "noopjoin" / KEYS["noopjoin"] / "joined.json"
        found: list[str] = json.loads(path.read_text())
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "store")


def test_a_list_lies_in_the_folder_of_the_stage_that_made_it(bench: Bench) -> None:
    found = bench.listed(3)
    assert found["uri"] == list_uri("nooplist", KEYS["nooplist"])
    path = bench.job / found["uri"].removeprefix("store://")
    assert json.loads(path.read_text())["items"] == ["item 0", "item 1", "item 2"]
    assert path.stat().st_size == found["sizeBytes"]


def test_each_index_works_on_its_own_item_and_the_join_reads_all(bench: Bench) -> None:
    listed = bench.listed(3)
    document = bench.of(bench.item(workList=listed), group="noopitem", indexes="0-2")
    found = [bench.one(document, index) for index in range(3)]
    assert [(result.exit_code, result.index) for result in found] == [(0, 0), (0, 1), (0, 2)]
    assert {path.name for path in (bench.job / "debug" / "noopitem-a1").iterdir()} == {"0", "1", "2"}
    bench.run("work", bench.of(bench.join(workList=listed), group="noopjoin"))
    assert bench.joined() == ["item 0", "item 1", "item 2"]


def test_the_next_attempt_counts_its_indexes_through_what_is_left(bench: Bench) -> None:
    listed = bench.listed(9)
    document = bench.of(bench.item(workList=listed), group="noopitem", attempt=2, indexes="0-3,7")
    result = bench.one(document, 4)
    assert (result.index, result.stages[0].message) == (7, "item 7")
    folder = bench.job / "processed" / "noopitem" / item_key(KEYS["noopitem"], "item 7")
    assert (folder / "item.txt").read_text() == "item 7"


def test_an_item_that_fails_says_which_it_was_and_leaves_the_others(bench: Bench) -> None:
    listed = bench.listed(2)
    document = bench.of(bench.item({"item": 1}, workList=listed), group="noopitem", indexes="0-1")
    assert bench.one(document, 0).exit_code == 0
    failed = bench.one(document, 1)
    assert (failed.exit_code, failed.index, failed.failure.code) == (75, 1, "Noop")
    again = bench.of(bench.item({"item": 1}, workList=listed), group="noopitem", attempt=2, indexes="1")
    assert bench.one(again, 0).exit_code == 0


def test_what_is_there_is_taken_up(bench: Bench) -> None:
    listed = bench.listed(2)
    document = bench.of(bench.item(workList=listed), group="noopitem", indexes="0-1")
    bench.one(document, 0)
    again = bench.one(document | {"attempt": 2}, 0)
    assert again.stages[0].reused


def test_an_edited_list_makes_anew_only_what_is_new(bench: Bench) -> None:
    """X-008: items go by their content, not by their place."""
    bench.run("work", bench.of(bench.listing(2), bench.item()))
    other = bench.of(bench.listing(3) | {"key": "9" * 32}, bench.item() | {"inputs": []})
    bench.run("work", other)
    made = [path.stat().st_mtime_ns for path in (bench.job / "processed" / "noopitem").glob("*/item.txt")]
    assert len(made) == 3


def test_one_pod_runs_over_all_items(bench: Bench) -> None:
    document = bench.of(bench.listing(4), bench.item(), bench.join())
    result = bench.run("work", document)
    assert result.exit_code == 0
    assert [stage.items for stage in result.stages] == [None, 4, None]
    assert bench.joined() == [f"item {number}" for number in range(4)]
    assert result.index is None


def test_one_pod_that_failed_in_the_middle_goes_on_where_it_was(bench: Bench) -> None:
    stages = (bench.listing(3), bench.item({"item": 1}), bench.join())
    assert bench.run("work", bench.of(*stages)).exit_code == 75
    assert bench.run("work", bench.of(*stages, attempt=2)).exit_code == 0
    assert len(bench.joined()) == 3


@pytest.mark.parametrize(
    ("indexes", "index", "message"),
    [
        ("0-2", None, "JOB_COMPLETION_INDEX"),
        ("0-2", "3", "JOB_COMPLETION_INDEX"),
        ("0-2", "x", "JOB_COMPLETION_INDEX"),
        ("0-2,8", "3", "work item 8 is none of the 3"),
        ("2-0", "0", "indexes rise"),
        ("", "0", "names no index"),
    ],
)
def test_an_index_that_is_none_is_a_wrong_document(bench: Bench, indexes: str, index: str | None, message: str) -> None:
    document = bench.of(bench.item(workList=bench.listed(3)), group="noopitem", indexes=indexes)
    result = bench.run("work", document, **({} if index is None else {INDEX_VARIABLE: index}))
    assert (result.exit_code, result.failure.code) == (78, "BadDocument")
    assert message in result.failure.message


@pytest.mark.parametrize("how", ["gone", "changed", "a link"])
def test_a_list_that_is_not_as_it_was_is_no_list(bench: Bench, how: str) -> None:
    """Case 65: what a stage left is believed by its digest alone."""
    listed = bench.listed(3)
    path = bench.job / "processed" / "nooplist" / KEYS["nooplist"] / LIST_FILE
    if how == "changed":
        path.write_bytes(path.read_bytes().replace(b"item 1", b"item 9"))
    else:
        path.unlink()
    if how == "a link":
        path.symlink_to("/etc/passwd")
    document = bench.of(bench.item(workList=listed), group="noopitem", indexes="0-2")
    result = bench.one(document, 1)
    assert result.exit_code != 0
    assert result.failure.code in ("ResultInvalid", "SourceNotFound", "UnsafeInput")


def report(bench: Bench, listed: dict[str, Any]) -> RunResult:
    """A report about the fan-out."""
    given = {"stage": "noopitem", "key": KEYS["noopitem"], "itemsOf": "nooplist", "workList": listed}
    params = {"group": "noopitem", "attempt": 1, "fanOut": given}
    task = {"kind": "report", "container": "commit", "key": "a" * 32, "params": params}
    return bench.run("commit", bench.document(1, group="report-noopitem") | {"stages": [task]})


def test_a_report_tells_which_items_are_there(bench: Bench) -> None:
    """Case 29."""
    listed = bench.listed(4)
    assert report(bench, listed).present == ""
    document = bench.of(bench.item(workList=listed), group="noopitem", indexes="0-3")
    for index in (0, 1, 3):
        bench.one(document, index)
    assert report(bench, listed).present == "0-1,3"
    folder = bench.job / "processed" / "noopitem" / item_key(KEYS["noopitem"], "item 1")
    (folder / "stage.json").write_text("{half")
    assert report(bench, listed).present == "0,3"


def test_a_join_waits_for_no_item_that_is_missing(bench: Bench) -> None:
    listed = bench.listed(2)
    bench.one(bench.of(bench.item(workList=listed), group="noopitem", indexes="0-1"), 0)
    result = bench.run("work", bench.of(bench.join(workList=listed), group="noopjoin"))
    assert (result.exit_code, result.failure.code) == (75, "ResultInvalid")
    assert "item 1" in result.failure.message


@pytest.mark.parametrize("items", [0, 1001], ids=["none", "too many"])
def test_a_list_has_from_one_to_a_thousand_items(bench: Bench, items: int) -> None:
    result = bench.run("work", bench.of(bench.listing(items), group="nooplist"))
    assert (result.exit_code, result.failure.code) == (65, "TooManyItems")
    assert str(items) in result.failure.message


def test_a_document_of_the_version_before_is_run_as_it_was(bench: Bench) -> None:
    """No field of it has to be there, and an index in the environment means nothing to it."""
    document = bench.of(bench.task("noopleft"))
    assert not {"indexes", "itemsOf", "workList"} & set(document) | set(document["stages"][0]) & {"itemsOf", "workList"}
    result = bench.one(document, 5)
    assert (result.exit_code, result.index) == (0, None)
    assert result.uid == UID
