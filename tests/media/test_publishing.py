"""From a prompt to a platform, by the operator's own planner and real workers: written, spoken, filmed, and sent out."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import platforms
import voices
from videojob_api.contract import FetchPolicy
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_cli import forked
from videojob_cli.embedded import Embedded, config
from videojob_cli.localjob import Folders
from videojob_cli.run import find_ffmpeg, launcher
from videojob_operator.decide.world import VideoJobView

TEXT = "A fig fell. A wasp told no one."
CHAT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]}


def test_s_072_s_047_from_a_prompt_to_a_platform(tmp_path: Path) -> None:
    """S-050, S-051: the webhook hears of the committed film, Instagram's is left to a person, and Facebook has nobody."""
    with platforms.platform("webhook") as server:
        assert server.server is not None
        server.server.pages["/v1/chat/completions"] = voices.json_reply(CHAT)
        prompt = {"prompt": "A fig falls.", "model": "small", "baseUrl": server.url("/v1")}
        spec = VideoJobSpec.model_validate(
            {
                "story": {"script": {"fromPrompt": prompt}, "quality": "Draft", "metadata": {"title": "Tonight"}},
                "publish": {
                    "auto": True,
                    "platforms": [
                        {"name": "facebook"}, {"name": "webhook", "endpoint": server.url("/hook")},
                        {"name": "instagram_reels"},
                    ],
                },
            }
        )  # fmt: skip
        settings = replace(config(), fetch=FetchPolicy(allow_networks=("127.0.0.0/8",)), cache=False)
        folders = Folders(tmp_path)
        with forked.server() as workers:
            launch = launcher(folders, server=workers, environ=find_ffmpeg(dict(os.environ)))
            embedded = Embedded(launch, capacity={"cpu": 1}, settings=settings)
            embedded.add(
                VideoJobView("default", "fig", "uid-1", 1, datetime.now(UTC), spec, VideoJobStatus(phase=None))
            )
            (view,) = embedded.run()
    status = view.status
    assert status.phase == "Succeeded", status.failure
    assert [(row.platform, row.state) for row in status.publish] == [
        ("facebook", "Error"), ("webhook", "Published"), ("instagram_reels", "QueuedManual"),
    ]  # fmt: skip
    assert status.publish[0].message == "Publisher not configured for facebook"
    degraded = next(entry for entry in status.conditions if entry.type == "Degraded")
    assert (degraded.status, degraded.reason) == ("True", "PublishFailed")
    (told,) = server.begun
    film = next(output for output in status.outputs if output.name == "video")
    assert {"name": "video", "uri": film.uri, "sha256": film.sha256}.items() <= told["outputs"][0].items()
    assert (told["metadata"]["title"], told["metadata"]["description"]) == ("Tonight", TEXT)
    job = folders.job("default", "uid-1")
    assert (job / "publish/instagram_reels.json").is_file()
    assert status.plan is not None
    assert status.plan.fetched is not None
    assert status.plan.fetched.sha256 == hashlib.sha256(f"{TEXT}\n".encode()).hexdigest()
