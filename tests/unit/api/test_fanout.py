"""Sets of work items as text, and lists of them as files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob_api.contract import StageResult, StageTask, TaskDocument
from videojob_api.fanout import all_indexes, item_key, list_bytes, read_indexes, read_list, write_indexes


@given(st.sets(st.integers(0, 999)))
def test_a_set_reads_back_as_it_was_written(indexes: set[int]) -> None:
    text = write_indexes(indexes)
    assert read_indexes(text) == tuple(sorted(indexes))
    assert len(text) <= 4000


@pytest.mark.parametrize(
    ("indexes", "text"),
    [((), ""), ((3,), "3"), ((0, 1, 2, 3, 7), "0-3,7"), ((0, 2, 4), "0,2,4"), ((5, 4), "4-5")],
)
def test_a_set_in_the_form_of_a_jobs_own_status(indexes: tuple[int, ...], text: str) -> None:
    assert write_indexes(indexes) == text


@pytest.mark.parametrize("text", ["a", "1,", ",1", "3-1", "2,1", "1,1", "1-2-3", " 1", "-1", "0-99999"])
def test_what_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="indexes"):
        read_indexes(text)


def test_all_of_them() -> None:
    assert (all_indexes(1), all_indexes(4)) == ("0", "0-3")


def test_a_list_reads_back_and_anything_else_is_none() -> None:
    assert read_list(list_bytes(["a", {"b": 1}])) == ("a", {"b": 1})
    for body in (b"[]", b"{}", b'{"version": 2, "items": [1]}', b'{"version": 1, "items": []}', b"no"):
        with pytest.raises(ValueError, match=r"list|Expecting"):
            read_list(body)
    with pytest.raises(ValueError, match="bytes"):
        list_bytes(["x" * (1 << 20)])


def test_an_items_key_follows_from_the_item_and_its_stage_alone() -> None:
    assert item_key("k", {"a": 1, "b": 2}) == item_key("k", {"b": 2, "a": 1})
    assert len({item_key("k", "a"), item_key("k", "b"), item_key("l", "a")}) == 3


def test_documents_of_either_version_can_be_read() -> None:
    """What the version before wrote has none of the new fields; what it reads, it reads without them."""
    old = {"kind": "ingest", "container": "work", "key": "0" * 32, "params": {}}
    assert StageTask.model_validate(old).dump() == old | {"inputs": []}
    document = {"job": {"namespace": "n", "name": "n", "uid": "u"}, "group": "main", "attempt": 1, "stages": [old]}
    assert {"indexes", "itemsOf", "workList"}.isdisjoint(TaskDocument.model_validate(document).dump())
    assert {"workList", "items"}.isdisjoint(StageResult(kind="ingest").dump())
