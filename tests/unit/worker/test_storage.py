"""Paths are vetted and files are whole or absent (case 65)."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from videojob_api.contract import StorePaths
from videojob_worker.base.errors import Permanent
from videojob_worker.storage import files
from videojob_worker.storage.paths import Store, vetted_file


@pytest.mark.parametrize("name", ["", "..", "../x", "a/../../x", "/etc/passwd", "a/..", "a\0b"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(Permanent) as raised:
        vetted_file(tmp_path, name, "the source")
    assert raised.value.code == "UnsafeInput"


def test_a_root_may_itself_be_a_link(tmp_path: Path) -> None:
    """Whoever runs the worker chose the root; what lies below it came from strangers."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/clip").write_bytes(b"x")
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert vetted_file(tmp_path / "root", "clip", "the source") == (tmp_path / "real/clip").resolve()


def test_a_source_is_looked_for_in_inbox_and_stock_alone(tmp_path: Path) -> None:
    store = Store(StorePaths(job=str(tmp_path), inbox=str(tmp_path / "in"), stock=str(tmp_path / "st")))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/abc").write_bytes(b"x")
    assert store.source("store://inbox/abc", None).name == "abc"
    with pytest.raises(Permanent, match="does not exist"):
        store.source("store://stock/abc", "clip.mp4")
    with pytest.raises(Permanent, match="neither in inbox, nor in stock"):
        store.source("store://jobs/abc", None)


def test_a_digest_is_of_the_bytes_and_never_of_a_link_s_target(tmp_path: Path) -> None:
    data = b"x" * (files.CHUNK + 5)
    path = tmp_path / "file"
    path.write_bytes(data)
    heard: list[int] = []
    assert files.sha256_file(path, heard.append) == hashlib.sha256(data).hexdigest()
    assert heard == [files.CHUNK, files.CHUNK + 5]
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="symbolic links"):
        files.sha256_file(tmp_path / "link")
    assert not files.matches(tmp_path / "link", len(data), hashlib.sha256(data).hexdigest())


def test_an_atomic_write_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    """Case 65: an output's path that was made a link beforehand."""
    target = tmp_path / "target"
    target.write_bytes(b"old")
    (tmp_path / "manifest.json").symlink_to(target)
    files.write_atomic(tmp_path / "manifest.json", b"new")
    assert target.read_bytes() == b"old"
    assert (tmp_path / "manifest.json").read_bytes() == b"new"
    assert {path.name for path in tmp_path.iterdir()} == {"target", "manifest.json"}


def test_removing_a_linked_folder_leaves_what_it_points_at(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    files.remove(tmp_path / "link")
    files.remove(tmp_path / "never-there")
    assert (tmp_path / "kept/file").exists()
    assert not (tmp_path / "link").exists()


def test_a_staging_folder_replaces_an_older_final_one(tmp_path: Path) -> None:
    for name, text in (("staging", "new"), ("final", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(text)
    files.publish_folder(tmp_path / "staging", tmp_path / "final")
    assert (tmp_path / "final/file").read_text() == "new"
    assert not (tmp_path / "staging").exists()


def test_pods_that_write_the_same_file_at_once_leave_a_whole_one(tmp_path: Path) -> None:
    """Every item of a fan-out writes the folder's policy when it starts; process ids are the same in every pod."""
    bodies = [bytes([number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: files.write_atomic(tmp_path / "kept", body), bodies))
    assert (tmp_path / "kept").read_bytes() in bodies
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
