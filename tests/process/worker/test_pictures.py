"""Pictures on their way to a scene: what is kept, what is named, what came whole (S-019, S-035, S-037, S-056, S-065)."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stages as support
import voices
from galleries import jpeg, link, wish
from stories import manifest, scene, spoken
from videojob_api.contract import StageFile
from videojob_api.story.scenes import Background
from videojob_worker.base.errors import Permanent, WorkerError
from videojob_worker.providers.images import intact
from videojob_worker.providers.images.base import Picture
from videojob_worker.providers.images.chain import Found, find
from videojob_worker.stages import caching, images, layout
from videojob_worker.stages.picturing import Shelf, background, readable
from webserver import reply, serve

WEEK = 604_800


def picture(folder: Path, data: bytes | None = None) -> Picture:
    path = folder / "came.jpg"
    path.write_bytes(data or jpeg())
    return Picture("image", path=path, credit="Somebody")


def test_s_035_a_picture_is_kept_for_the_namespace_and_for_its_time(tmp_path: Path) -> None:
    """S-056: another VideoJob finds it, with whom to name for it; a week later nobody does."""
    one = support.context(tmp_path)
    assert Shelf(one, WEEK).get("a1") is None
    kept = Shelf(one, WEEK).put("a1", picture(tmp_path))
    assert kept.path is not None
    assert kept.path.read_bytes() == jpeg()
    caching.keep_parts(support.context(tmp_path, kind="finalize"))
    there = Shelf(support.context(tmp_path, "two"), WEEK).get("a1")
    assert there is not None
    assert there.path is not None
    assert (there.path.read_bytes(), there.credit, there.suffix) == (jpeg(), "Somebody", "jpg")
    os.utime(tmp_path / "cache/picture/a1/stage.json", (1, 1))
    assert Shelf(support.context(tmp_path, "three"), WEEK).get("a1") is None
    assert Shelf(support.context(tmp_path, "four", order=None), WEEK).get("a1") is None


@pytest.mark.parametrize("harm", ["picture.jpg", "picture.json", "stage.json"])
def test_what_is_kept_badly_is_as_if_it_were_not_there(harm: str, tmp_path: Path) -> None:
    shelf = Shelf(support.context(tmp_path), WEEK)
    shelf.put("a1", picture(tmp_path))
    folder = tmp_path / "one/processed/picture/a1"
    (folder / harm).write_bytes(b"x")
    assert shelf.get("a1") is None
    assert shelf.put("a1", picture(tmp_path)).path is not None
    assert shelf.get("a1") is not None


def test_a_picture_of_another_job_that_was_changed_is_not_taken(tmp_path: Path) -> None:
    Shelf(support.context(tmp_path), WEEK).put("a1", picture(tmp_path))
    caching.keep_parts(support.context(tmp_path, kind="finalize"))
    (tmp_path / "cache/picture/a1/picture.jpg").write_bytes(jpeg(2))
    assert Shelf(support.context(tmp_path, "two"), WEEK).get("a1") is None


def test_equal_pictures_are_one_file_beside_the_manifest(tmp_path: Path) -> None:
    made: dict[str, StageFile] = {}
    context = support.context(tmp_path)
    found = [background(context, Found(picture(tmp_path), name), made) for name in ("files", "pexels")]
    assert [one.file for one in found] == [found[0].file] * 2
    assert found[1].provider == "pexels"
    assert found[0].file is not None
    assert found[0].file.sha256 == hashlib.sha256(jpeg()).hexdigest()
    assert [path.name for path in context.staging.iterdir()] == list(made) == [found[0].file.path]


# ---------------------------------------------------------------- the file that the user names


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for name in ("stock", "inbox", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "stock/fox.jpg").write_bytes(jpeg())
    (tmp_path / "stock/notes.txt").write_bytes(jpeg())
    return tmp_path


def uploaded(store: Path, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    (store / "inbox" / digest).write_bytes(data)
    return f"store://inbox/{digest}"


def asked(store: Path, uri: str, **more: Any) -> Found:
    means = replace(voices.means(store / "scratch"), stock=store / "stock", inbox=store / "inbox")
    fields = {"policy": "Deny", "shelf": None, "readable": readable} | more
    return find(wish(uri=uri), [link("card")], means, **fields)


def test_s_019_a_named_file_comes_before_all_providers(store: Path) -> None:
    clip = b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp41\x00\x00\x00\x08moov"
    assert asked(store, "store://stock/fox.jpg").picture.path == store / "stock/fox.jpg"
    found = asked(store, uploaded(store, jpeg(form="PNG")))
    assert (found.provider, found.picture.kind, found.picture.suffix) == ("named", "image", "png")
    assert asked(store, uploaded(store, clip)).picture.kind == "clip"


def test_s_037_a_named_url_is_fetched_and_kept(store: Path) -> None:
    shelf = Shelf(support.context(store, "job"), WEEK)
    with serve({"/a.jpg": reply(jpeg())}) as server:
        first = asked(store, server.url("/a.jpg"), shelf=shelf)
        again = asked(store, server.url("/a.jpg"), shelf=shelf)
        assert (first.provider, first.kept, again.kept) == ("linked", False, True)
        assert len(server.seen) == 1
    assert first.picture.path is not None
    assert first.picture.path.read_bytes() == jpeg()


BAD = {
    "not there": "store://stock/none.jpg",
    "not uploaded": "store://inbox/" + "0" * 64,
    "no picture": "store://stock/notes.txt",
}


@pytest.mark.parametrize("name", BAD)
def test_s_041_a_named_file_that_cannot_be_used(store: Path, name: str) -> None:
    """C14: with Deny it ends the job, else the next link helps out and it is said."""
    with pytest.raises(WorkerError) as caught:
        asked(store, BAD[name])
    assert caught.value.code == "ImageGenerationError"
    found = asked(store, BAD[name], policy="Allow")
    assert (found.provider, found.picture.kind) == ("card", "card")
    assert str(found.degraded).startswith("card gave a picture instead: named: ")


def test_a_link_in_the_inbox_and_a_text_are_refused(store: Path) -> None:
    (store / "inbox" / ("0" * 64)).symlink_to(store / "stock/fox.jpg")
    for uri in ("store://inbox/" + "0" * 64, uploaded(store, b"a text")):
        with pytest.raises(Permanent):
            asked(store, uri)


# ---------------------------------------------------------------- whole or not, by structure alone


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_a_picture_that_was_cut_off_is_noticed_without_decoding_it(form: str, tmp_path: Path) -> None:
    data, path = jpeg(form=form), tmp_path / "x"
    path.write_bytes(data)
    intact.check(path)
    path.write_bytes(data[: len(data) // 2])
    if form == "GIF":  # its end is one byte, which its data may hold as well: the layout looks at the rest
        path.write_bytes(data[:4])
    with pytest.raises(Permanent, match="cut off"):
        intact.check(path)


def test_what_is_no_picture_or_far_too_large_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"<svg/>")
    with pytest.raises(Permanent, match="no image of a known kind"):
        readable(path, "image")
    with pytest.raises(Permanent):
        readable(path, "clip")
    os.truncate(path, 65 << 20)
    with pytest.raises(Permanent, match="too large"):
        readable(path, "image")


# ---------------------------------------------------------------- what is said, and who comes to whom


def test_c14_what_failed_is_said_once_for_all_its_scenes() -> None:
    scenes = manifest([scene(f"Text {number}") for number in range(6)]).scenes
    down, other = (
        Found(Picture("card"), "card", degraded="a is down"),
        Found(Picture("card"), "card", degraded="b is down"),
    )
    said = images.degraded(scenes, [down, down, Found(Picture("card"), "card"), down, other, down])
    assert said == ("scenes s001, s002, s004 and 1 more: a is down", "scene s005: b is down")


def test_x_014_backgrounds_come_to_the_scenes_that_were_spoken_meanwhile() -> None:
    """A sentence that was divided while it was spoken has one picture; a scene that nobody knows has the card."""

    def colour(number: int) -> Background:
        return Background(kind="colour", color=f"#00000{number}")

    pictured = [scene("One two.", background=colour(1), origin="a"), scene("Three.", background=colour(2), origin="b")]
    said = [
        scene(text, speech=spoken(text), origin=origin)
        for text, origin in (("One", "a"), ("two.", "a"), ("Three.", "b"))
    ]
    found = layout.together(manifest([*said, scene("new", origin="c")]).scenes, manifest(pictured).scenes)
    assert [one.background for one in found] == [colour(1), colour(1), colour(2), Background(kind="card")]
    assert [one.text for one in found] == ["One", "two.", "Three.", "new"]


def test_an_entry_goes_with_its_job_when_nothing_is_to_be_kept(tmp_path: Path) -> None:
    Shelf(support.context(tmp_path), WEEK).put("a1", picture(tmp_path))
    caching.keep_parts(
        support.context(tmp_path, kind="finalize", order=support.ORDER.model_copy(update={"mode": "ReadOnly"}))
    )
    assert not (tmp_path / "cache/picture").exists()
    shutil.rmtree(tmp_path / "one")
