"""`videojob storage stats`: the seeds' numbers from MediaStore.status (A-018)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from cli_api import HandApi
from videojob_cli import storage
from videojob_cli.errors import CliError

STORE = "/apis/videojob.dev/v1alpha1/namespaces/team/mediastores/default"
STATUS = {
    "observedGeneration": 1,
    "totalFiles": 42,
    "totalSizeBytes": 1_234_000_000,
    "totalSizeMb": 1234.0,
    "disk": {
        "freeBytes": 20_000_000_000,
        "capacityBytes": 80_000_000_000,
        "freeGb": 20.0,
        "percentUsed": 75.0,
        "time": "2026-11-21T12:00:00Z",
    },
    "tiers": [
        {"name": "videos", "files": 40, "sizeBytes": 1_200_000_000},
        {"name": "debug", "files": 2, "sizeBytes": 34_000_000},
    ],
}


@pytest.fixture
def api(tmp_path: Path) -> HandApi:
    return HandApi(tmp_path)


def test_a_018_the_four_numbers_under_their_old_names(api: HandApi) -> None:
    api.put(STORE, spec={}, status=STATUS)
    found = storage.statistics(api, "team")
    assert (found["total_files"], found["total_size_mb"]) == (42, 1234.0)
    assert found["disk"] == {"free_gb": 20.0, "percent_used": 75.0}
    assert found["tiers"]["debug"] == {"files": 2, "size_bytes": 34_000_000}


def test_a_018_for_people(api: HandApi) -> None:
    api.put(STORE, spec={}, status=STATUS)
    *lines, space = storage.table(storage.statistics(api, "team")).splitlines()
    assert [line.split() for line in lines] == [
        ["TIER", "FILES", "MB"],
        ["videos", "40", "1200.0"],
        ["debug", "2", "34.0"],
        ["in", "all", "42", "1234.0"],
    ]
    assert space == "20.0 GB free, 75 % used"


def test_a_store_whose_space_no_worker_has_told(api: HandApi) -> None:
    api.put(STORE, spec={}, status={"observedGeneration": 1})
    found = storage.statistics(api, "team")
    assert (found["total_files"], found["disk"], found["tiers"]) == (0, None, {})
    assert "free space is not known" in storage.table(found)


def test_a_store_that_is_not_there(api: HandApi) -> None:
    with pytest.raises(CliError, match=r"No MediaStore default in namespace team.*`videojob init -n team` makes one"):
        storage.statistics(api, "team")


def test_a_store_that_no_operator_has_seen(api: HandApi) -> None:
    api.put(STORE, spec={}, status={"observedGeneration": -1})
    with pytest.raises(CliError, match="No operator has looked at MediaStore team/default yet"):
        storage.statistics(api, "team")


@dataclass(frozen=True)
class Case:
    """Files, their folder, and their names or what is said."""

    name: str
    files: tuple[str, ...]
    folder: str
    expect: list[str] | str


CASES = (
    Case("beside each other", ("a/sea.jpg", "b/fox.png"), "", ["sea.jpg", "fox.png"]),
    Case("in a folder", ("sea.jpg",), "/tales/tide/", ["tales/tide/sea.jpg"]),
    Case("two of one name", ("a/sea.jpg", "b/sea.jpg"), "tide", "Several files are called sea.jpg: .*--to"),
    Case("a blank", ("red fox.jpg",), "", r"red fox.jpg: store://stock/red fox.jpg is no name a manifest can use"),
    Case("hidden", (".sea.jpg",), "", "no part begins with a dot"),
    Case("a way up", ("sea.jpg",), "../other", "is no name a manifest can use"),
    Case("too deep", ("sea.jpg",), "a/b/c/d/e/f/g/h", "at most 8 parts"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_names_in_the_stock(case: Case) -> None:
    files = [Path(name) for name in case.files]
    if isinstance(case.expect, str):
        with pytest.raises(CliError, match=case.expect):
            storage.names(files, case.folder)
    else:
        assert storage.names(files, case.folder) == case.expect
