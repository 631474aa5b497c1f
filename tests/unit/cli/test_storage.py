"""`videojob storage stats`: the seeds' numbers from MediaStore.status (A-018)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from cli_api import HandApi
from videojob_cli import storage
from videojob_cli.client import VideoJobs
from videojob_cli.errors import CliError
from videojob_cli.sources import local_file

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
    return HandApi(tmp_path, "team")


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


def test_files_for_the_stock_lie_under_their_names(api: HandApi, tmp_path: Path) -> None:
    """S-036, S-055: what a scene's picture and a story's music are named by; one pod, nothing is sent twice."""
    api.put(STORE, spec={"pvc": {"claimName": "bytes"}})
    files = [tmp_path / "red fox.jpg", tmp_path / "dawn.jpg"]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 70_000)
    names = ["nature/fox.jpg", "nature/dawn.jpg"]

    def put() -> list[str]:
        return VideoJobs(api).upload([local_file(file) for file in files], image="worker:1", names=names)

    assert put() == [f"store://stock/{name}" for name in names]
    folder = api.store / "team/stock/nature"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "fox.jpg": files[0].read_bytes(),
        "dawn.jpg": files[1].read_bytes(),
    }
    files[1].write_bytes(b"another dawn")
    api.commands.clear()
    put()
    sent = [command for command in api.commands if "--length" in command]
    assert len(sent) == 1
    assert (folder / "dawn.jpg").read_bytes() == b"another dawn"
    assert api.pods() == []


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
