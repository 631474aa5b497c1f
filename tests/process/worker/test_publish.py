"""The stage Publish, run as Kubernetes would: document in, exit code and termination message out (S-047 to S-052)."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import platforms
import voices
from platforms import VIDEO, Platform
from videojob_api.contract import Identity, RunResult, StageResult, StageTask, StorePaths, TaskDocument, canonical_json
from videojob_api.manifest import Manifest
from videojob_api.story.publishing import PublishParams
from videojob_api.v1alpha1 import OutputStatus, PublishStatus
from videojob_worker import runner
from videojob_worker.base.watch import Stop
from webserver import reply

UID = "uid-1"
JOB = Identity(namespace="team", name="fig", uid=UID)
SECRETS = {"accessToken": "ya29.token-of-the-account"}
LATER = voices.json_reply({"error": {}}, "429 Too Many Requests", ("Retry-After: 120",))
REFUSED = voices.json_reply({"error": {"message": "no"}}, "403 Forbidden")


def committed(
    folder: Path, size: int = 3000, *, duration_ms: int = 30_000, width: int = 1080, variant: str | None = None
) -> Path:
    """A job's folder after Finalization."""
    job = folder / "job"
    (job / "videos").mkdir(parents=True)
    said = {"title": "The Last Fig", "description": "A fig fell.", "tags": ["fable"], "hashtags": ["#fable"]}
    files = {"video.mp4": bytes(range(250)) * (size // 250), "metadata.json": json.dumps(said).encode()}
    if variant is not None:
        other = {**said, "title": "Die letzte Feige"}
        files |= {f"video-{variant}.mp4": bytes(range(250)) * 8, f"metadata-{variant}.json": json.dumps(other).encode()}
    outputs = []
    for name, data in files.items():
        (job / "videos" / name).write_bytes(data)
        film = {"width": width, "height": 1920, "duration_ms": duration_ms, "synthetic": "compositeSynthetic"}
        outputs.append(
            OutputStatus(
                name=name.partition(".")[0], profile="story", path=f"videos/{name}", uri=f"store://jobs/{UID}/videos/{name}",
                media_type="video/mp4" if name.endswith(".mp4") else "application/json", size_bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(), **(film if name.endswith(".mp4") else {}),
            )
        )  # fmt: skip
    manifest = Manifest(job=JOB, outputs=tuple(outputs), stages=(), committed_time=datetime(2026, 1, 2, tzinfo=UTC))
    (job / "manifest.json").write_text(json.dumps(manifest.dump()))
    return job


def run(
    folder: Path, *targets: dict[str, Any], attempt: int = 1, key: str = "k", policy: str = "Allow", last: bool = False
) -> tuple[int, RunResult]:
    """One attempt of the stage, on what is committed there."""
    for name in ("scratch", "stock", "inbox", "cache", "secrets/channel"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, value in SECRETS.items():
        (folder / "secrets/channel" / name).write_text(value)
    params = PublishParams.model_validate({"platforms": list(targets), "fallback": {"policy": policy}})
    task = StageTask(
        kind="publish", container="provide", key=key, params=params.dump(), online=True, last_try=last or None
    )
    document = TaskDocument(
        job=JOB, group="publish", attempt=attempt, fetch=voices.LOOPBACK, stages=(task,),
        store=StorePaths(**{name: str(folder / name) for name in ("job", "scratch", "stock", "inbox", "cache")}),
    )  # fmt: skip
    (folder / "task.json").write_bytes(canonical_json(document.dump()))
    settings = runner.Settings(
        task=folder / "task.json", termination=folder / "termination", token=folder / "none",
        secrets=folder / "secrets",
    )  # fmt: skip
    return runner.run(settings, Stop()), RunResult.model_validate_json((folder / "termination").read_bytes())


def rows(result: RunResult) -> dict[str, PublishStatus]:
    """What became of each platform."""
    (stage,) = result.stages
    return {row.platform: row for row in stage.publish or ()}


def stage(result: RunResult) -> StageResult:
    return result.stages[0]


def youtube(server: Platform, **more: Any) -> dict[str, Any]:
    return {"name": "youtube", "secretName": "channel", "endpoint": server.url(), **more}


REELS: dict[str, Any] = {"name": "instagram_reels"}


def test_s_047_every_platform_has_its_own_result(tmp_path: Path) -> None:
    """S-050: what no program may post is queued for a person, with all that is needed to do it."""
    job = committed(tmp_path)
    with platforms.platform("youtube", "webhook") as server:
        code, result = run(tmp_path, youtube(server), REELS, {"name": "webhook", "endpoint": server.url("/hook")})
        assert bytes(server.film) == (job / "videos/video.mp4").read_bytes()
        (told,) = [each for each in server.begun if "platform" in each]
    assert code == 0
    found = rows(result)
    assert {name: row.state for name, row in found.items()} == {
        "youtube": "Published", "instagram_reels": "QueuedManual", "webhook": "Published",
    }  # fmt: skip
    assert (found["youtube"].id, found["youtube"].attempts) == (VIDEO, 1)
    assert found["instagram_reels"].message == "Video queued for manual Instagram posting"
    assert stage(result).degraded == ()
    record = json.loads((job / "publish/instagram_reels.json").read_text())
    assert (record["status"], record["video_path"]) == ("queued_manual", "videos/video.mp4")
    assert record["caption"] == "A fig fell.\n\n#fable"
    assert [output["name"] for output in told["outputs"]] == ["video", "metadata"]
    assert told["metadata"]["title"] == "The Last Fig"


def test_s_051_one_platforms_failure_undoes_no_other(tmp_path: Path) -> None:
    committed(tmp_path)
    with platforms.platform("youtube") as server:
        server.faults.append(("begin", REFUSED))
        code, result = run(tmp_path, youtube(server), REELS)
    assert code == 0
    assert {name: row.state for name, row in rows(result).items()} == {
        "youtube": "Error", "instagram_reels": "QueuedManual",
    }  # fmt: skip
    (said,) = stage(result).degraded
    assert said.startswith("youtube: youtube (127.0.0.1) answered 403")


def test_c_14_with_deny_it_fails_when_all_have_been_tried(tmp_path: Path) -> None:
    committed(tmp_path)
    with platforms.platform("youtube") as server:
        server.faults.append(("begin", REFUSED))
        code, result = run(tmp_path, youtube(server), REELS, policy="Deny")
    assert code == 65
    assert result.failure is not None
    assert result.failure.code == "PublishFailed"
    assert stage(result).state == "Failed"
    assert {name: row.state for name, row in rows(result).items()} == {
        "youtube": "Error", "instagram_reels": "QueuedManual",
    }  # fmt: skip


def test_what_was_taken_is_not_sent_again_by_a_later_attempt(tmp_path: Path) -> None:
    """Not even by one with another key, as a redrive from Publish has it."""
    committed(tmp_path)
    hook = {"name": "webhook"}
    with platforms.platform("youtube", "webhook") as server:
        hook["endpoint"] = server.url("/hook")
        server.faults.append(("begin", reply(headers=(f"Location: {server.url('/upload/youtube/v3/videos')}",))))
        server.faults.append(("begin", LATER))
        code, result = run(tmp_path, youtube(server), hook)
        assert (code, result.failure.retry_after_seconds if result.failure else None) == (69, 120)
        assert {name: row.state for name, row in rows(result).items()} == {
            "youtube": "Published",
            "webhook": "Retrying",
        }
        server.asked.clear()
        code, result = run(tmp_path, youtube(server), hook, attempt=2)
        assert code == 0
        assert server.asked == ["begin"], "the webhook alone"
        assert {name: (row.state, row.attempts) for name, row in rows(result).items()} == {
            "youtube": ("Published", 1), "webhook": ("Published", 2),
        }  # fmt: skip
        server.asked.clear()
        code, _ = run(tmp_path, youtube(server), hook, attempt=3, key="another")
        assert (code, server.asked) == (0, [])


def test_an_upload_that_was_cut_off_is_taken_up(tmp_path: Path) -> None:
    committed(tmp_path)
    with platforms.platform("youtube") as server:
        server.faults.append(("part", LATER))
        assert run(tmp_path, youtube(server))[0] == 69
        server.asked.clear()
        assert run(tmp_path, youtube(server), attempt=2)[0] == 0
        assert server.asked == ["where", "part"]
    assert "upload_id" not in (tmp_path / "job/publish/youtube.json").read_text(), "it has served"


def test_the_last_try_gives_up_and_says_so(tmp_path: Path) -> None:
    committed(tmp_path)
    with platforms.platform("youtube") as server:
        server.faults.append(("begin", LATER))
        code, result = run(tmp_path, youtube(server), last=True)
    assert code == 0
    assert rows(result)["youtube"].state == "Error"
    assert "given up" in stage(result).degraded[0]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"name": "facebook"}, "Publisher not configured for facebook"),
        ({"name": "youtube"}, "Publisher not configured for youtube"),
        ({"name": "tiktok", "via": "webhook"}, "Publisher not configured for tiktok"),
    ],
    ids=["nobody does", "no account", "no server"],
)
def test_s_051_who_is_not_configured_is_an_error(target: dict[str, Any], message: str, tmp_path: Path) -> None:
    committed(tmp_path)
    code, result = run(tmp_path, target)
    assert code == 0
    assert [(row.state, row.message) for row in rows(result).values()] == [("Error", message)]
    assert stage(result).degraded == (f"{target['name']}: {message}",)


def test_s_049_what_a_platform_would_not_take_is_not_sent_to_it(tmp_path: Path) -> None:
    """S-048: a minute of Shorts, and what Instagram shows; others get it all the same."""
    committed(tmp_path, duration_ms=91_000, width=3840)
    with platforms.platform("youtube") as server:
        shorts = youtube(server, name="youtube_shorts")
        code, result = run(
            tmp_path, shorts, REELS, {"name": "webhook", "endpoint": server.url("/none"), "via": "queued_manual"}
        )
        assert server.asked == []
    assert code == 0
    found = rows(result)
    assert {name: (row.state, row.message) for name, row in found.items() if name != "webhook"} == {
        "youtube_shorts": ("Failed", "Video does not meet platform requirements"),
        "instagram_reels": ("Failed", "Video does not meet platform requirements"),
    }
    assert found["instagram_reels"].validation == (
        "Video exceeds Instagram duration limit", "Video aspect ratio not ideal for Instagram",
    )  # fmt: skip
    assert found["youtube_shorts"].validation is not None
    assert found["youtube_shorts"].validation[0] == "Video exceeds YouTube Shorts duration limit"
    assert found["webhook"].state == "QueuedManual"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda job: (job / "manifest.json").unlink(), 65),
        (lambda job: (job / "manifest.json").write_text("{"), 75),
        (lambda job: (job / "videos/video.mp4").write_bytes(b"another film"), 75),
        (lambda job: (job / "publish").symlink_to(job / "videos"), 65),
    ],
    ids=["nothing was committed", "half a manifest", "another film", "a link in the way"],
)
def test_nothing_goes_out_that_has_not_passed_the_gates(spoil: Any, code: int, tmp_path: Path) -> None:
    spoil(committed(tmp_path))
    with platforms.platform("youtube") as server:
        found, result = run(tmp_path, youtube(server))
        assert server.asked == []
    assert (found, result.stages) == (code, ())


def test_a_record_that_cannot_be_read_stops_rather_than_sends_twice(tmp_path: Path) -> None:
    job = committed(tmp_path)
    (job / "publish").mkdir()
    (job / "publish/youtube.json").write_text("[]")
    with platforms.platform("youtube") as server:
        code, result = run(tmp_path, youtube(server))
        assert (code, server.asked) == (65, [])
    assert result.failure is not None
    assert "whether the video is there already" in result.failure.message


def test_a_url_that_cannot_be_shown_is_left_out(tmp_path: Path) -> None:
    committed(tmp_path)
    with platforms.platform("webhook") as server:
        server.faults.append(("begin", voices.json_reply({"id": "x" * 500, "url": "javascript:alert(1)"})))
        code, result = run(tmp_path, {"name": "webhook", "endpoint": server.url("/hook")})
    assert code == 0
    (row,) = rows(result).values()
    assert (row.state, row.id, row.url) == ("Published", None, None)


def test_a_variant_goes_to_the_platform_that_asks_for_it(tmp_path: Path) -> None:
    """S-052, S-067: each platform gets the film that its target names, with what is said of that one."""
    job = committed(tmp_path, variant="de")
    targets = ({"name": "instagram_reels"}, {"name": "instagram_post", "variant": "de"})
    code, result = run(tmp_path, *targets)
    assert (code, {row.state for row in rows(result).values()}) == (0, {"QueuedManual"})
    told = {name: (job / f"publish/instagram_{name}.json").read_text() for name in ("reels", "post")}
    assert ("The Last Fig" in told["reels"], "Die letzte Feige" in told["reels"]) == (True, False)
    assert ("Die letzte Feige" in told["post"], "video-de.mp4" in told["post"]) == (True, True)


def test_a_variant_that_there_is_not_is_told_and_keeps_nobody_else_from_going_out(tmp_path: Path) -> None:
    committed(tmp_path)
    code, result = run(tmp_path, {"name": "instagram_post", "variant": "fr"}, {"name": "instagram_reels"})
    found = rows(result)
    assert (code, found["instagram_reels"].state, found["instagram_post"].state) == (0, "QueuedManual", "Error")
    assert "the story has no film fr: name one of story.variants" in (found["instagram_post"].message or "")
    assert result.stages[0].degraded is not None
