"""The namespace's cache in real folders: nothing that is not whole is ever taken, nobody waits for it, nothing fails by it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from videojob_api import contract
from videojob_api.contract import CacheOrder, StageResult, StageTask, TaskDocument
from videojob_api.stages import KINDS
from videojob_api.v1alpha1.base import StatusModel
from videojob_api.v1alpha1.status import InputStatus, OutputStatus
from videojob_worker.base.errors import NotCached
from videojob_worker.base.logs import json_log
from videojob_worker.base.watch import Deadline, Stop
from videojob_worker.stages import caching
from videojob_worker.stages.context import Context
from videojob_worker.storage import files
from videojob_worker.storage.cache import Cache, copy
from videojob_worker.storage.paths import Store
from videojob_worker.storage.records import STAGE_FILE, recorded, written

DATA = {"720p.mp4": b"film" * 5000, "thumbnail.jpg": b"still"}
SOURCE = b"the source"
DIGEST = hashlib.sha256(SOURCE).hexdigest()
KEY = {"ingest": "1" * 32, "transcode": "2" * 32, "verify": "3" * 32, "commit": "4" * 32}
INBOX = f"store://inbox/{DIGEST}"
STOCK = "store://stock/intro.mp4"
ALL = ["ingest", "transcode", "verify"]


def an_output(name: str, data: bytes, uid: str = "one") -> OutputStatus:
    return OutputStatus(
        name=Path(name).stem, profile="720p", path=name, uri=f"store://jobs/{uid}/videos/{name}", media_type="video/mp4",
        size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), width=2, height=2, video_codec="h264",
    )  # fmt: skip


def a_record(kind: str = "transcode", data: dict[str, bytes] = DATA, uid: str = "one") -> StageResult:
    found = InputStatus(
        size_bytes=len(SOURCE), sha256=DIGEST, container="mp4", duration_ms=1000, width=2, height=2, frame_rate="30/1",
        video_codec="h264",
    )  # fmt: skip
    outputs = tuple(an_output(name, body, uid) for name, body in data.items()) if kind != "ingest" else ()
    return StageResult(kind=kind, input=found, files=outputs)


def filled(folder: Path, data: dict[str, bytes] = DATA) -> dict[str, Path]:
    """These files in a folder, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in data.items():
        (folder / name).write_bytes(body)
    return {name: folder / name for name in data}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def made(tmp_path: Path) -> tuple[Cache, dict[str, Path]]:
    """A cache with one entry, and the files it was made of."""
    cache, sources = Cache(tmp_path / "cache"), filled(tmp_path / "videos")
    assert cache.keep("transcode", "k", a_record(), sources, "pod-1")
    return cache, sources


def taken(cache: Cache, folder: Path) -> bool:
    """Whether the entry is there and can be brought; what cannot be read is not there."""
    folder.mkdir()
    record = cache.record("transcode", "k")
    try:
        return record is not None and cache.bring("transcode", "k", record, folder)
    except OSError:
        return False


# ---------------------------------------------------------------- entries


def test_an_entry_is_copied_and_shares_no_file(made: tuple[Cache, dict[str, Path]], tmp_path: Path) -> None:
    """No hard link: what a later writer, or a sweep, does to one of them reaches no other."""
    cache, sources = made
    assert taken(cache, tmp_path / "job")
    for name, body in DATA.items():
        copies = [sources[name], cache.entry("transcode", "k") / name, tmp_path / "job" / name]
        assert [path.read_bytes() for path in copies] == [body] * 3
        assert [path.stat().st_nlink for path in copies] == [1] * 3
    assert names(tmp_path / "cache/transcode") == ["k"], "nothing is left beside the entry"


Harm = Callable[[Path], object]
HARMS: dict[str, Harm] = {
    "one byte was flipped": lambda entry: (entry / "720p.mp4").write_bytes(b"FILM" + DATA["720p.mp4"][4:]),
    "a file was cut off": lambda entry: os.truncate(entry / "720p.mp4", 100),
    "a file is missing": lambda entry: (entry / "thumbnail.jpg").unlink(),
    "half-written: no record": lambda entry: (entry / STAGE_FILE).unlink(),
    "half-written: half a record": lambda entry: os.truncate(entry / STAGE_FILE, 40),
    "half-written: empty": lambda entry: [path.unlink() for path in entry.iterdir()],
    "a file is a link": lambda entry: swap(entry / "720p.mp4", lambda path: path.symlink_to("/etc/hostname")),
    "a file is a pipe": lambda entry: swap(entry / "720p.mp4", os.mkfifo),
    "a file is a folder": lambda entry: swap(entry / "720p.mp4", Path.mkdir),
    "the record is another kind's": lambda entry: (entry / STAGE_FILE).write_bytes(written(a_record("verify"))),
    "the record leads out": lambda entry: (entry / STAGE_FILE).write_bytes(
        written(a_record(data={"../720p.mp4": DATA["720p.mp4"]}))
    ),
    "the entry is a file": lambda entry: swap(entry, lambda path: path.write_bytes(b"x")),
}


def swap(path: Path, make: Callable[[Path], object]) -> None:
    files.remove(path)
    make(path)


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_not_whole_is_not_taken_and_is_made_again(
    harm: str, made: tuple[Cache, dict[str, Path]], tmp_path: Path
) -> None:
    """A corrupt or half-written entry: no reader takes it, the next writer puts a whole one in its place."""
    cache, sources = made
    HARMS[harm](cache.entry("transcode", "k"))
    assert not taken(cache, tmp_path / "job")
    assert cache.keep("transcode", "k", a_record(), sources, "pod-2")
    assert taken(cache, tmp_path / "job-2")
    assert names(tmp_path / "cache/transcode") == ["k"]


def test_a_writer_that_died_leaves_nothing_that_counts(tmp_path: Path) -> None:
    """Its staging folder is hidden; the same pod's second try clears it."""
    cache, sources = Cache(tmp_path / "cache"), filled(tmp_path / "videos")
    filled(tmp_path / "cache/transcode/.k.pod-1")
    assert cache.record("transcode", "k") is None
    assert cache.keep("transcode", "k", a_record(), sources, "pod-1")
    assert names(tmp_path / "cache/transcode") == ["k"]


def test_two_writers_of_one_key_leave_one_whole_entry(tmp_path: Path) -> None:
    """The second one publishes while the first is still copying: either's bytes, never a mixture, and neither fails."""
    first, second = (
        filled(tmp_path / "one"),
        filled(tmp_path / "two", {name: body[::-1] for name, body in DATA.items()}),
    )
    other = a_record(data={name: body[::-1] for name, body in DATA.items()})
    done: list[bool] = []

    def meanwhile() -> None:
        if not done:
            done.append(True)
            done.append(Cache(tmp_path / "cache").keep("transcode", "k", other, second, "pod-2"))

    cache = Cache(tmp_path / "cache", meanwhile)
    assert cache.keep("transcode", "k", a_record(), first, "pod-1")
    assert done == [True, True]
    assert taken(Cache(tmp_path / "cache"), tmp_path / "job")
    assert (tmp_path / "job/720p.mp4").read_bytes() == DATA["720p.mp4"]
    assert names(tmp_path / "cache/transcode") == ["k"]


def test_a_sweep_in_the_middle_of_a_copy_is_a_miss_and_never_half_an_entry(
    made: tuple[Cache, dict[str, Path]], tmp_path: Path
) -> None:
    """The entry goes between two of its files; what was open stays readable, the rest is missing."""
    entry = made[0].entry("transcode", "k")
    cache = Cache(tmp_path / "cache", lambda: files.remove(entry))
    assert not taken(cache, tmp_path / "job")
    assert (tmp_path / "job/720p.mp4").read_bytes() == DATA["720p.mp4"]


def test_the_plain_way_goes_on_where_sharing_blocks_stopped(tmp_path: Path) -> None:
    """From a file system that cannot share with the target's: /proc has no blocks at all."""
    copy(Path("/proc/self/limits"), tmp_path / "limits")
    assert (tmp_path / "limits").read_bytes().startswith(b"Limit")


def test_a_use_makes_an_entry_young_again(made: tuple[Cache, dict[str, Path]]) -> None:
    cache, sources = made
    entry = cache.entry("transcode", "k")
    for act in (lambda: cache.touch("transcode", "k"), lambda: cache.keep("transcode", "k", a_record(), sources, "p")):
        os.utime(entry, (1, 1))
        act()
        assert entry.stat().st_mtime > 1
    cache.touch("transcode", "nothing")


# ---------------------------------------------------------------- a VideoJob and the cache


class Shelf:
    """One namespace's part of a volume, and VideoJobs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("cache", "inbox", "stock"):
            (root / name).mkdir()
        (root / "inbox" / DIGEST).write_bytes(SOURCE)
        (root / "stock/intro.mp4").write_bytes(SOURCE)

    def context(self, uid: str, kind: str, order: CacheOrder | None) -> Context:
        """A stage of a VideoJob about to run."""
        paths = contract.StorePaths(
            job=str(self.root / uid), scratch=str(self.root),
            **{name: str(self.root / name) for name in ("inbox", "stock", "cache")},
        )  # fmt: skip
        given = tuple(contract.StageInput(stage=other, key=KEY[other]) for other in ALL if other != kind)
        task = StageTask(kind=kind, container="work", key=KEY[kind], params={}, inputs=given)
        document = TaskDocument(
            job=contract.Identity(namespace="team", name=uid, uid=uid), group="main", attempt=1, stages=(task,),
            store=paths, cache=order,
        )  # fmt: skip
        store = Store(paths)
        found = Context(secrets=Path("/nowhere"),
            document=document, task=task, kind=KINDS[kind], params=StatusModel(), store=store, debug=self.root,
            staging=store.staging(kind, KEY[kind], 1, f"pod-{uid}"), final=store.stage(kind, KEY[kind]), stop=Stop(),
            deadline=Deadline(600), log=json_log(), tell=lambda *_: None,
        )  # fmt: skip
        found.staging.mkdir(parents=True)
        return found

    def publish(self, uid: str, order: CacheOrder | None, data: dict[str, bytes] = DATA) -> None:
        """A VideoJob that has run its stages and has just been published."""
        for kind in ("ingest", "transcode", "verify"):
            folder = self.root / uid / "processed" / kind / KEY[kind]
            folder.mkdir(parents=True)
            (folder / STAGE_FILE).write_bytes(written(a_record(kind, data, uid)))
        filled(self.root / uid / "videos", data)
        caching.keep(self.context(uid, "commit", order), a_record("verify", data, uid))

    def take(self, uid: str, order: CacheOrder | None) -> list[str]:
        """Kinds that a VideoJob finds in the cache, one stage after the other."""
        got = []
        for kind in ("ingest", "transcode", "verify"):
            context = self.context(uid, kind, order)
            found = caching.take(context)
            if found is None:
                files.remove(context.staging)
                continue
            assert (found.cached, found.reused) == (True, False)
            assert {output.uri.split("/")[3] for output in found.files} <= {uid}
            (context.staging / STAGE_FILE).write_bytes(written(found))
            files.publish_folder(context.staging, context.final)
            got.append(kind)
        return got

    def entries(self) -> list[str]:
        return sorted(str(path.relative_to(self.root / "cache")) for path in (self.root / "cache").glob("*/*"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


ORDER = CacheOrder(mode="ReadWrite", source=INBOX)


def test_a_second_videojob_takes_what_the_first_has_published(shelf: Shelf) -> None:
    shelf.publish("one", ORDER)
    assert shelf.take("two", ORDER) == ALL
    for name, body in DATA.items():
        assert (shelf.root / "two/processed/transcode" / KEY["transcode"] / name).read_bytes() == body


MODES = {
    "ReadWrite keeps and takes": (ORDER, ALL, 3),
    "ReadOnly takes and keeps nothing": (CacheOrder(mode="ReadOnly", source=INBOX), ALL, 0),
    "Off does neither": (None, [], 0),
}


@pytest.mark.parametrize("name", MODES)
def test_modes(name: str, shelf: Shelf) -> None:
    order, found, kept = MODES[name]
    shelf.publish("one", order)
    assert len(shelf.entries()) == kept
    shelf.publish("other", ORDER)
    assert shelf.take("two", order) == found


def test_a_stock_file_goes_by_its_bytes(shelf: Shelf) -> None:
    """Ingest always reads it, since nothing promises its bytes; the rest is taken, until the file is another one."""
    order = CacheOrder(mode="ReadWrite", source=STOCK)
    shelf.publish("one", order)
    ingest = shelf.root / "two/processed/ingest" / KEY["ingest"]
    ingest.mkdir(parents=True)
    (ingest / STAGE_FILE).write_bytes(written(a_record("ingest")))
    assert shelf.take("two", order) == ["transcode", "verify"]
    changed = a_record("ingest")
    assert changed.input is not None
    other = changed.model_copy(update={"input": changed.input.model_copy(update={"sha256": "f" * 64})})
    (shelf.root / "three/processed/ingest" / KEY["ingest"]).mkdir(parents=True)
    (shelf.root / "three/processed/ingest" / KEY["ingest"] / STAGE_FILE).write_bytes(written(other))
    assert shelf.take("three", order) == []


def test_a_record_that_lies_about_the_source_reaches_no_other_entry(shelf: Shelf) -> None:
    """A decoder that a hostile file took over says it has worked on another file: the cache's writer measures itself."""
    (shelf.root / "stock/intro.mp4").write_bytes(b"hostile")
    shelf.publish("one", CacheOrder(mode="ReadWrite", source=STOCK))
    assert shelf.entries() == []
    shelf.publish("two", CacheOrder(mode="ReadWrite", source=f"store://inbox/{'e' * 64}"))
    assert shelf.entries() == []


def test_a_verdict_about_other_bytes_is_not_taken(shelf: Shelf) -> None:
    """The transcode was made anew to other bytes: verify runs, and the entry that then fits takes the old one's place."""
    shelf.publish("one", ORDER)
    name = contract.cache_key(KEY["verify"], DIGEST)
    old = shelf.root / "cache/verify" / name / STAGE_FILE
    old.write_bytes(written(a_record("verify", {"720p.mp4": b"other"})))
    assert shelf.take("two", ORDER) == ["ingest", "transcode"]
    shelf.publish("three", ORDER)
    assert shelf.take("four", ORDER) == ALL


def test_outputs_that_failed_their_check_are_not_taken_a_second_time(shelf: Shelf) -> None:
    shelf.publish("one", ORDER)
    assert shelf.take("two", ORDER) == ALL
    context = shelf.context("two", "verify", ORDER)
    caching.refuse(context)
    assert not context.folder("transcode").exists()
    assert caching.take(shelf.context("two", "transcode", ORDER)) is None
    assert caching.take(shelf.context("three", "ingest", ORDER)) is not None


def test_an_attempt_that_may_only_take_ends_where_it_would_have_to_work(shelf: Shelf) -> None:
    """It holds no slot for the work: exit code 66, class Disruption, so that it counts as no failure."""
    only = ORDER.model_copy(update={"only": True})
    with pytest.raises(NotCached) as raised:
        shelf.take("two", only)
    status = raised.value.status("Ingest", 1)
    assert (status.failure_class, status.code, status.exit_code) == ("Disruption", "NotCached", 66)
    shelf.publish("one", ORDER)
    assert shelf.take("three", only) == ALL


def test_what_is_left_of_a_broken_entry_is_not_in_the_way_of_the_stage(shelf: Shelf) -> None:
    shelf.publish("one", ORDER)
    os.truncate(shelf.root / "cache/transcode" / contract.cache_key(KEY["transcode"], DIGEST) / "thumbnail.jpg", 1)
    assert caching.take(shelf.context("two", "ingest", ORDER)) is not None
    ingest = shelf.root / "two/processed/ingest" / KEY["ingest"]
    ingest.mkdir(parents=True)
    (ingest / STAGE_FILE).write_bytes(written(a_record("ingest")))
    context = shelf.context("two", "transcode", ORDER)
    assert caching.take(context) is None
    assert list(context.staging.iterdir()) == []


def test_a_hit_makes_its_entries_young_again(shelf: Shelf) -> None:
    """Only the commit container may write there: it notes the use of what the others took."""
    shelf.publish("one", ORDER)
    entries = [shelf.root / "cache" / name for name in shelf.entries()]
    for entry in entries:
        os.utime(entry, (1, 1))
    shelf.take("two", ORDER)
    assert {entry.stat().st_mtime for entry in entries} == {1}
    filled(shelf.root / "two/videos")
    readonly = CacheOrder(mode="ReadOnly", source=INBOX)
    caching.keep(shelf.context("two", "commit", readonly), a_record("verify"))
    assert all(entry.stat().st_mtime > 1 for entry in entries)


def test_a_cache_that_cannot_be_written_fails_nothing(shelf: Shelf) -> None:
    files.remove(shelf.root / "cache")
    (shelf.root / "cache").write_bytes(b"a file in its place")
    shelf.publish("one", ORDER)
    assert shelf.take("two", ORDER) == []


def test_a_stage_that_follows_from_more_than_its_key_is_not_cached(shelf: Shelf) -> None:
    shelf.publish("one", ORDER)
    context = shelf.context("two", "transcode", ORDER)
    assert caching.take(replace(context, kind=replace(KINDS["transcode"], cacheable=False))) is None
    assert recorded(context.staging) is None
    assert [kind for kind, row in KINDS.items() if row.cacheable] == ALL


# ---------------------------------------------------------------- single sentences and pictures of a story


def spoken(shelf: Shelf, uid: str, *keys: str) -> None:
    """Sentences in a job's folder, as the stage that speaks leaves them."""
    for key in keys:
        folder = shelf.root / uid / "processed" / "voice" / key
        body = f"sound of {key}".encode()
        filled(folder, {"speech.wav": body})
        digest = hashlib.sha256(body).hexdigest()
        part = contract.StageFile(path="speech.wav", size_bytes=len(body), sha256=digest)
        (folder / STAGE_FILE).write_bytes(written(StageResult(kind="voice", parts=(part,))))


@pytest.mark.parametrize(
    ("order", "kept"),
    [(ORDER, ["voice/a1", "voice/a2"]), (CacheOrder(mode="ReadOnly", source=INBOX), []), (None, [])],
    ids=["ReadWrite", "ReadOnly", "Off"],
)
def test_s_056_sentences_are_kept_for_the_namespace(shelf: Shelf, order: CacheOrder | None, kept: list[str]) -> None:
    spoken(shelf, "one", "a1", "a2", "bad")
    (shelf.root / "one/processed/voice/bad/speech.wav").write_bytes(b"changed meanwhile")
    caching.keep_parts(shelf.context("one", "commit", order))
    assert shelf.entries() == kept


def test_s_034_a_sentence_that_is_used_again_stays(shelf: Shelf) -> None:
    spoken(shelf, "one", "a1")
    caching.keep_parts(shelf.context("one", "commit", ORDER))
    os.utime(shelf.root / "cache/voice/a1", (1, 1))
    spoken(shelf, "two", "a1")
    caching.keep_parts(shelf.context("two", "commit", ORDER))
    assert (shelf.root / "cache/voice/a1").stat().st_mtime > 1
    taken_from, record = Cache(shelf.root / "cache"), Cache(shelf.root / "cache").record("voice", "a1")
    (shelf.root / "three").mkdir()
    assert record is not None
    assert taken_from.bring("voice", "a1", record, shelf.root / "three")
    assert (shelf.root / "three/speech.wav").read_bytes() == b"sound of a1"
