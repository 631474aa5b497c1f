"""`videojob run` with real FFmpeg: the example's outputs, the same outputs however it is grouped, bad input as on a cluster."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from starting import PIPES, prepared, started
from videojob_api.v1alpha1 import OutputStatus
from videojob_cli.collecting import Ended
from videojob_cli.run import run
from videojob_operator.decide.world import VideoJobView
from webserver import redirect, reply, serve

EXAMPLES = Path(__file__).resolve().parents[2] / "crds/examples"
CLIP = EXAMPLES / "media/clip.mp4"


def manifest(folder: Path, name: str = "small", *, source: dict[str, Any] | None = None, **spec: Any) -> Path:
    """A VideoJob that makes the two cheapest outputs."""
    transcode = {"profiles": ["360p", "thumbnail"], **spec.pop("transcode", {})}
    if source is not None:
        transcode["source"] = source
    path = folder / f"{name}.yaml"
    body = {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": name}}
    path.write_text(yaml.safe_dump({**body, "spec": {"transcode": transcode, **spec}}))
    return path


def probed(path: Path) -> tuple[str, int, int]:
    argv = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=codec_name,width,height"]
    done = subprocess.run([*argv, "-of", "json", str(path)], capture_output=True, text=True, check=True)
    stream = json.loads(done.stdout)["streams"][0]
    return stream["codec_name"], stream["width"], stream["height"]


def digests(ended: Ended) -> dict[str, str]:
    return {one.name: one.sha256 for one in ended.view.status.outputs}


def facts(ended: Ended) -> list[OutputStatus]:
    """The outputs, but for what another byte changes: an encoder with two threads does not promise equal ones."""
    by_bytes = {"path": "", "uri": "", "sha256": "", "size_bytes": 0, "bitrate_kbps": None}
    return [one.model_copy(update=by_bytes) for one in ended.view.status.outputs]


def test_the_example_gives_its_five_outputs(tmp_path: Path) -> None:
    """T-001 to T-007, X-023: five profiles from one manifest, each file as its status says."""
    (ended,) = run([EXAMPLES / "transcode.yaml"], file=None, output=tmp_path)
    status = ended.view.status
    assert status.phase == "Succeeded", status.failure
    assert {path.name: probed(path) for path in ended.folder.iterdir() if path.suffix != ".json"} == {
        "720p.mp4": ("h264", 1280, 720),
        "480p.mp4": ("h264", 854, 480),
        "360p.mp4": ("h264", 640, 360),
        "webm_720p.webm": ("vp9", 1280, 720),
        "thumbnail.jpg": ("mjpeg", 320, 180),
    }
    for one in status.outputs:
        body = (ended.folder / Path(one.path).name).read_bytes()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (one.size_bytes, one.sha256)
    published = json.loads((ended.folder / "manifest.json").read_text())["outputs"]
    assert [one["sha256"] for one in published] == [one.sha256 for one in status.outputs]
    assert [path.name for path in tmp_path.iterdir()] == ["trailer"], "the temporary store is gone"


def test_one_pod_or_four_the_outputs_are_the_same(tmp_path: Path) -> None:
    """What a stage makes depends on its parameters alone, not on how stages are grouped into pods."""
    made = {}
    for mode in ("Compact", "Spread"):
        path = manifest(tmp_path, mode.lower(), source={"uri": "store://stock/clip.mp4"}, execution={"mode": mode})
        (ended,) = run([path], file=CLIP, output=tmp_path / "out")
        assert ended.view.status.phase == "Succeeded", ended.view.status.failure
        made[mode] = facts(ended)
        jobs = {stage.job for stage in ended.view.status.stages}
        assert len(jobs) == {"Compact": 1, "Spread": 4}[mode]
    assert made["Compact"] == made["Spread"]


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("an empty file", b"", "EmptyFile"),
        ("a text", b"no video at all\n" * 500, "InvalidFileType"),
        ("half a video", CLIP.read_bytes()[: CLIP.stat().st_size // 2], "CorruptMedia"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_bad_input_fails_at_once_and_publishes_nothing(name: str, body: bytes, code: str, tmp_path: Path) -> None:
    """T-021, case 63: the class, code, message and hint are those of the cluster."""
    bad = tmp_path / "clip.mp4"
    bad.write_bytes(body)
    (ended,) = run([manifest(tmp_path)], file=bad, output=tmp_path / "out")
    status = ended.view.status
    assert status.phase == "Failed", name
    assert status.failure is not None
    assert (status.failure.failure_class, status.failure.code, status.attempts) == ("Permanent", code, 1)
    assert status.failure.hint
    assert status.outputs == ()
    assert sorted(path.name for path in ended.folder.iterdir()) == ["debug", "inputs.json", "status.json"]


def test_a_source_that_is_not_in_the_store(tmp_path: Path) -> None:
    path = manifest(tmp_path, source={"uri": "store://stock/absent.mp4"})
    (ended,) = run([path], file=None, output=tmp_path / "out")
    assert ended.view.status.failure is not None
    assert ended.view.status.failure.code == "SourceNotFound"


def test_a_kept_store_holds_stock_files_and_can_be_run_again(tmp_path: Path) -> None:
    """The layout of a volume: a team's stock is found, evidence stays, a second run gives the same bytes."""
    stock = tmp_path / "store/default/stock"
    stock.mkdir(parents=True)
    shutil.copyfile(CLIP, stock / "clip.mp4")
    path = manifest(tmp_path, source={"uri": "store://stock/clip.mp4"}, transcode={"profiles": ["thumbnail"]})
    runs = [run([path], file=None, output=tmp_path / name, store=tmp_path / "store")[0] for name in ("one", "two")]
    assert digests(runs[0]) == digests(runs[1]) != {}
    job = tmp_path / "store/default/jobs" / runs[0].view.uid
    assert {each.name for each in job.iterdir()} >= {"debug", "videos", "manifest.json"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupted_run_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, a plain kill and a closed terminal end the workers and their tools before the command itself ends."""
    ffmpeg = tmp_path / "bin" / "ffmpeg"
    ffmpeg.parent.mkdir()
    begun = tmp_path / "begun"
    real = shutil.which("ffmpeg")
    ffmpeg.write_text(
        f'#!/bin/sh\ncase "$*" in *libx264*) echo $$ > {begun}; exec sleep 300;; esac\nexec {real} "$@"\n'
    )
    ffmpeg.chmod(0o755)
    argv = [sys.executable, "-m", "videojob_cli", "run", str(manifest(tmp_path)), "--file", str(CLIP)]
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "FFMPEG_PATH": str(ffmpeg)}
    # A shell starts background jobs with SIGINT ignored, and that is inherited: tests run in one, too.
    heard = f"signal.signal({number:d}, signal.SIG_DFL)"
    with started(prepared(heard, [*argv, "--output", str(tmp_path / "out")]), env=environ, **PIPES) as process:
        deadline = time.monotonic() + 60
        while not (begun.exists() and begun.read_text().strip()) and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert not Path(f"/proc/{begun.read_text().strip()}").exists()
    assert not list((tmp_path / "out").glob(".videojob-store-*"))


def test_a_url_is_fetched_once_and_gives_what_its_file_gives(tmp_path: Path) -> None:
    """X-023, T-001, case 62: in any grouping the same outputs; the URL's query is told nowhere."""
    sha = hashlib.sha256(CLIP.read_bytes()).hexdigest()
    upload = manifest(tmp_path, source={"uri": f"store://inbox/{sha}", "filename": CLIP.name})
    (plain,) = run([upload], file=CLIP, output=tmp_path / "plain")
    told: list[str] = []
    with serve({"/a/clip.mp4": reply(CLIP.read_bytes())}) as server:
        server.pages["/"] = redirect("/a/clip.mp4?X-Sig=geheim")
        for mode in ("Compact", "Spread"):
            name = mode.lower()
            source = {"uri": server.url("/?X-Key=geheim"), "filename": CLIP.name}
            path = manifest(tmp_path, name, source=source, execution={"mode": mode})
            (ended,) = run(
                [path], file=None, output=tmp_path / name, store=tmp_path / "store", allow_networks=("127.0.0.0/8",),
                log=told.append,
            )  # fmt: skip
            status = ended.view.status
            assert status.phase == "Succeeded", status.failure
            assert [stage.name for stage in status.stages] == ["Fetch", "Ingest", "Transcode", "Verify", "Commit"]
            assert facts(ended) == facts(plain)
            assert status.plan is not None
            assert status.plan.fetched is not None
            assert status.plan.fetched.sha256 == sha
            assert "geheim" not in status.model_dump_json()
        assert len(server.seen) == 4
    kept = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file() and "debug" in path.parts]
    assert kept
    assert b"geheim" not in b"".join(kept)
    assert told
    assert "geheim" not in "".join(told)


def test_a_url_that_leads_inside_is_refused(tmp_path: Path) -> None:
    """Case 60: by default not even to this machine."""
    with serve({"/clip.mp4": reply(CLIP.read_bytes())}) as server:
        (ended,) = run(
            [manifest(tmp_path, source={"uri": server.url("/clip.mp4")})], file=None, output=tmp_path / "out"
        )
        assert server.seen == []
    failure = ended.view.status.failure
    assert failure is not None
    assert (failure.code, failure.stage, failure.attempt) == ("AddressRefused", "Fetch", 1)


def test_what_a_run_took_forecasts_its_like(tmp_path: Path) -> None:
    """status.estimate: of two like VideoJobs the first teaches, and the second knows its end as soon as it is probed."""
    stock = tmp_path / "store/default/stock"
    stock.mkdir(parents=True)
    shutil.copyfile(CLIP, stock / "clip.mp4")
    source = {"uri": "store://stock/clip.mp4"}
    paths = [manifest(tmp_path, name, source=source) for name in ("first", "second")]
    forecasts: dict[str, list[float | None]] = {"first": [], "second": []}

    def changed(view: VideoJobView) -> None:
        if view.status.estimate is not None:
            forecasts[view.name].append(view.status.estimate.cpu_seconds)

    ended = run(paths, file=None, output=tmp_path / "out", store=tmp_path / "store", changed=changed, cores=2)
    assert [one.view.status.phase for one in ended] == ["Succeeded", "Succeeded"]
    assert all(stage.seconds is not None for one in ended for stage in one.view.status.stages)
    assert forecasts["first"] == []
    known = [cpu for cpu in forecasts["second"] if cpu is not None]
    spent = sum(stage.cpu_seconds or 0 for stage in ended[1].view.status.stages)
    assert known
    assert spent / 3 < known[0] < spent * 3
