"""A second VideoJob of the same request is served from the namespace's cache: the same bytes, and no tool runs (A-037, S-056)."""

from __future__ import annotations

import shutil
from typing import Any

from clips import Clips
from videojob_api.contract import cache_key
from videojob_api.exits import ExitCode
from videojob_api.manifest import Manifest
from workbench import KEYS, Workbench, plans

OTHER = "77777777-8f2c-4f0e-9a43-6f3f7f6f9b11"
NO_TOOLS = {"FFMPEG_PATH": "/nowhere/ffmpeg", "FFPROBE_PATH": "/nowhere/ffprobe"}


def another(bench: Workbench, **order: Any) -> dict[str, Any]:
    """The same request as another VideoJob of the namespace."""
    document = bench.document(cache={"mode": "ReadWrite", "source": bench.source["uri"], **order})
    document["job"] = document["job"] | {"name": "again", "uid": OTHER}
    document["store"] = document["store"] | {"job": str(bench.root / "again")}
    (bench.root / "again").mkdir(exist_ok=True)
    return document


def published(bench: Workbench) -> None:
    """One VideoJob from end to end, with the cache."""
    bench.outputs = plans(("360p", "thumbnail"))
    document = bench.document(cache={"mode": "ReadWrite", "source": bench.source["uri"]})
    for container in ("work", "commit"):
        assert bench.run(container, document).exit_code == ExitCode.OK


def test_the_second_videojob_runs_no_tool_and_publishes_the_same_bytes(bench: Workbench, clips: Clips) -> None:
    published(bench.put(clips("small")))
    document = another(bench, only=True)
    work = bench.run("work", document, **NO_TOOLS)
    assert [(stage.kind, stage.cached, stage.reused) for stage in work.stages] == [
        ("ingest", True, False), ("transcode", True, False), ("verify", True, False),
    ]  # fmt: skip
    assert bench.run("commit", document, **NO_TOOLS).exit_code == ExitCode.OK
    again = Manifest.model_validate_json((bench.root / "again/manifest.json").read_bytes())
    first = bench.manifest()
    assert again.input == first.input
    assert [(o.path, o.sha256) for o in again.outputs] == [(o.path, o.sha256) for o in first.outputs]
    for output in again.outputs:
        assert output.uri == f"store://jobs/{OTHER}/{output.path}"
        one, two = bench.job / output.path, bench.root / "again" / output.path
        assert one.read_bytes() == two.read_bytes()
        assert one.stat().st_nlink == two.stat().st_nlink == 1
    assert not (bench.root / "again/debug/main-a1/transcode.commands.txt").exists()


def test_a_corrupt_entry_is_made_again_and_heals(bench: Workbench, clips: Clips) -> None:
    """One byte of the film differs: without a slot the attempt ends with code 66; with one it encodes, and mends the entry.

    One thread, so that the second encoding has the bytes of the first.
    """
    bench.run_limits = {"threads": 1}
    published(bench.put(clips("small")))
    film = bench.root / "cache/transcode" / cache_key(KEYS["transcode"], bench.upload.name) / "360p.mp4"
    good = film.read_bytes()
    film.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    missed = bench.run("work", another(bench, only=True))
    assert missed.exit_code == ExitCode.UNCACHED
    assert missed.failure is not None
    assert (missed.failure.failure_class, missed.failure.code) == ("Disruption", "NotCached")
    document = another(bench) | {"attempt": 2}
    work = bench.run("work", document)
    assert [(stage.kind, stage.cached) for stage in work.stages] == [
        ("ingest", True), ("transcode", False), ("verify", True),
    ]  # fmt: skip
    assert bench.run("commit", document).exit_code == ExitCode.OK
    assert film.read_bytes() == good
    shutil.rmtree(bench.root / "again")
    assert bench.run("work", another(bench, only=True), **NO_TOOLS).exit_code == ExitCode.OK


def test_another_ladder_of_the_same_source_takes_what_it_shares(bench: Workbench, clips: Clips) -> None:
    """An edited copy: the source is not vetted again, the ladder that nobody made yet is encoded."""
    published(bench.put(clips("small")))
    bench.outputs = plans(("480p",))
    document = another(bench)
    for stage in document["stages"]:
        if stage["kind"] != "ingest":
            stage["key"] = "9" + stage["key"][1:]
        stage["inputs"] = [
            {"stage": given["stage"], "key": next(s["key"] for s in document["stages"] if s["kind"] == given["stage"])}
            for given in stage["inputs"]
        ]
    work = bench.run("work", document)
    assert [(stage.kind, stage.cached) for stage in work.stages] == [
        ("ingest", True), ("transcode", False), ("verify", False),
    ]  # fmt: skip
