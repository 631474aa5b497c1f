"""Stories on real pods: spread over an Indexed Job, one of its pods lost; a sentence edited; a provider that is down."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import Audit
from kube import Kube

GROUP, ATTEMPT = "videojob.dev/group", "videojob.dev/attempt"
INDEX = "batch.kubernetes.io/job-completion-index"
SCRIPT = """\
# The Well

(wind)
At the end of the village there was an old well that nobody used any more.
One summer it began to sing, every evening, in a very low and friendly voice.
The children came first, then the baker, and at last even the mayor sat down to listen.
"What do you want?" they asked it, and the well fell silent for a while.
"Only some company," it said.
"""
EDITED = SCRIPT.replace("a very low and friendly voice", "a voice like that of a cello")
DOWN = {"name": "pexels", "endpoint": "https://pictures.invalid/v1", "secretName": "pictures"}
FILES = {"video.mp4", "video_thumb.jpg", "metadata.json", "video.srt", "video.vtt"}


@pytest.fixture
def tell(kube: Kube) -> Callable[..., str]:
    """Creates a story in a namespace: small, as a draft; returns its name."""

    def run(namespace: str, name: str, story: dict[str, Any], **spec: Any) -> str:
        look = {"title": "The Well", "quality": "Draft", "aspectRatio": "1:1", "fps": 24}
        meta = {"name": name, "namespace": namespace}
        body = {**spec, "story": {**look, **story}}
        kube.apply({"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": meta, "spec": body})
        return name

    return run


def _script(kube: Kube, namespace: str, name: str, text: str) -> dict[str, Any]:
    """A ConfigMap with a script; what a story says of it."""
    meta = {"name": name, "namespace": namespace}
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"story.md": text}})
    return {"configMapRef": {"name": name, "key": "story.md"}}


def _status(kube: Kube, namespace: str, name: str) -> dict[str, Any]:
    status: dict[str, Any] = kube.get("videojob", name, namespace)["status"]
    return status


def _stage(status: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [stage for stage in status["stages"] if stage["name"] == name]
    return dict(found)


def _pods(kube: Kube, namespace: str, attempt: int) -> list[dict[str, Any]]:
    return kube.list("pods", namespace, f"{GROUP}=compose,{ATTEMPT}={attempt}")


def _drawing(kube: Kube, namespace: str, index: int) -> str:
    """The pod of a piece, once it has said that it draws frames."""
    selector = f"{GROUP}=compose,{ATTEMPT}=1,{INDEX}={index}"
    pod = kube.watch(
        "pods", f"--selector={selector}", namespace, lambda seen: seen["status"].get("phase") == "Running", 120
    )
    name: str = pod["metadata"]["name"]
    argv = ["timeout", "60", kube.kubectl, "logs", "-f", name, "-n", namespace]
    with subprocess.Popen(argv, env={**os.environ, **kube.env}, stdout=subprocess.PIPE, text=True) as log:
        assert log.stdout is not None
        said = any('"Drawing ' in line for line in log.stdout)
        log.terminate()
    assert said, f"pod {name} has ended without a word of its frames"
    return name


def _probed(path: Path) -> dict[str, Any]:
    argv = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height:format=duration", "-of", "json"]
    found: dict[str, Any] = json.loads(subprocess.run([*argv, str(path)], capture_output=True, check=True).stdout)
    return found


def test_a_pod_lost_while_it_draws_repeats_its_piece_and_no_other(
    kube: Kube, namespace: str, tell: Callable[..., str], audit: Audit, tmp_path: Path
) -> None:
    """S-007 to S-013, S-030, X-014: a script from a ConfigMap in Spread; one index is drawn twice, all others once.

    Then a sentence is edited and told under another name: its piece alone is made.
    """
    slow = {"effects": ["ken_burns"], "compression": {"preset": "medium"}}
    story = {**slow, "script": _script(kube, namespace, "well", SCRIPT)}
    name = tell(namespace, "well", story, execution={"mode": "Spread"})
    lost = 2
    pod = _drawing(kube, namespace, lost)
    kube.run("delete", "pod", pod, "-n", namespace, "--grace-period=1", "--wait=false")
    kube.wait("condition=Finished", "videojob", name, namespace, 240)
    status = _status(kube, namespace, name)
    assert status["phase"] == "Succeeded", status
    pieces = status["story"]["pieces"]
    assert (pieces, status["story"]["piecesMade"]) == (5, 5)
    stage = _stage(status, "VideoComposition")
    assert (stage["attempt"], stage["failures"], stage["disruptions"]) == (2, 0, 1)
    assert (stage["fanOut"]["total"], stage["fanOut"]["succeeded"]) == (pieces, pieces)
    first, second = ([each["metadata"]["labels"][INDEX] for each in _pods(kube, namespace, n)] for n in (1, 2))
    assert sorted(first) == [str(index) for index in range(pieces) if index != lost]
    assert len(second) == 1
    created = [job for job in audit.created_jobs(namespace) if "-compose-" in job]
    assert [job.rsplit("-", 1)[0] for job in created] == [f"{name}-compose-a1", f"{name}-compose-a2"]
    assert kube.get("job", created[1], namespace)["spec"]["completions"] == 1
    _as_published(kube, namespace, name, tmp_path)

    edited = {**slow, "script": _script(kube, namespace, "edited", EDITED)}
    again = tell(namespace, "edited", edited, execution={"mode": "Compact"})
    kube.wait("condition=Complete", "videojob", again, namespace, 180)
    found = _status(kube, namespace, again)["story"]
    assert (found["pieces"], found["piecesMade"]) == (pieces, 1)


def _as_published(kube: Kube, namespace: str, name: str, folder: Path) -> None:
    """S-024, S-042 to S-047: the files as they come to a person, probed."""
    done = kube.cli("outputs", "-n", namespace, name, "--download", str(folder))
    assert done.code == 0, done.out + done.err
    assert {path.name for path in folder.iterdir()} == FILES
    video = _probed(folder / "video.mp4")
    assert [each["codec_name"] for each in video["streams"]] == ["h264", "aac"]
    assert (video["streams"][0]["width"], video["streams"][0]["height"]) == (1080, 1080)
    status = _status(kube, namespace, name)
    assert float(video["format"]["duration"]) == pytest.approx(status["story"]["durationMs"] / 1000, abs=0.1)
    still = _probed(folder / "video_thumb.jpg")["streams"][0]
    assert (still["codec_name"], still["width"], still["height"]) == ("mjpeg", 1080, 1080)
    assert json.loads((folder / "metadata.json").read_text())["title"] == "The Well"
    told = (folder / "video.vtt").read_text()
    assert told.startswith("WEBVTT")
    assert "low and friendly" in " ".join(told.split())
    assert "wind" not in told
    assert "-->" in (folder / "video.srt").read_text()
    assert status["story"]["narrator"] == "offline (flite:slt)"


def _sound(path: Path) -> bytes:
    argv = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-f", "s16le", "-"]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def test_variants_of_a_spread_story_are_films_of_one_work_list(
    kube: Kube, namespace: str, tell: Callable[..., str], audit: Audit, tmp_path: Path
) -> None:
    """S-067: another shape, another language and another thumbnail through the Jobs of one story, each stage once; the pieces of
    all films are items of one Indexed Job.
    """
    texts = ["There was an old well.", "One summer it sang."]
    german = {"name": "de", "language": "de", "title": "Der Brunnen", "texts": ["Ein Brunnen.", "Er sang."]}
    story = {
        "scenes": [{"text": text} for text in texts], "images": {"providers": [{"name": "gradient"}]},
        "transition": {"kind": "cut"},
        "variants": [{"name": "wide", "aspectRatio": "16:9"}, german, {"name": "b", "thumbnail": {"title": "It sings!"}}],
    }  # fmt: skip
    name = tell(namespace, "well", story, execution={"mode": "Spread"})
    kube.wait("condition=Finished", "videojob", name, namespace, 240)
    status = _status(kube, namespace, name)
    assert status["phase"] == "Succeeded", status.get("failure")
    fan_out = _stage(status, "VideoComposition")["fanOut"]
    assert (fan_out["total"], fan_out["succeeded"]) == (6, 6), "two scenes in each of three films"
    assert status["story"]["piecesMade"] == 6
    jobs = audit.created_jobs(namespace)
    assert len(jobs) == len(set(jobs)) == len(status["stages"]), "one Job for a stage, whatever number of films"
    assert len([job for job in jobs if "-compose-" in job]) == 1
    outputs = {output["name"]: output for output in status["outputs"]}
    sizes = {film: (outputs[film]["width"], outputs[film]["height"]) for film in outputs if film.startswith("video")}
    assert sizes == {"video": (1080, 1080), "video-wide": (1920, 1080), "video-de": (1080, 1080)}
    assert {"thumbnail", "thumbnail-wide", "thumbnail-de", "thumbnail-b"} <= outputs.keys()

    done = kube.cli("outputs", "-n", namespace, name, "--download", str(tmp_path))
    assert done.code == 0, done.out + done.err
    for film, size in sizes.items():
        found = _probed(tmp_path / f"{film}.mp4")
        assert (found["streams"][0]["width"], found["streams"][0]["height"]) == size
        assert float(found["format"]["duration"]) == pytest.approx(outputs[film]["durationMs"] / 1000, abs=0.1)
    one, wide, other = (_sound(tmp_path / f"{film}.mp4") for film in ("video", "video-wide", "video-de"))
    assert one == wide != other, "the same voice in another shape, another one in another language"
    assert "Brunnen" in (tmp_path / "video-de.vtt").read_text()


def _secret(kube: Kube, namespace: str) -> None:
    meta = {"name": "pictures", "namespace": namespace}
    kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"key": "geheim-0123456789"}})


def test_a_provider_that_is_down(kube: Kube, namespace: str, tell: Callable[..., str]) -> None:
    """S-037 to S-041, C14: the video is made all the same and says so; with fallback.policy Deny it is a dead letter."""
    _secret(kube, namespace)
    script = {"text": "A well sang in the evening. Nobody knew the song, and everybody hummed it on the way home."}
    images = {"providers": [DOWN, {"name": "card"}], "retries": 0}
    story = {"script": script, "images": images}
    allowed = tell(namespace, "allowed", story)
    denied = tell(namespace, "denied", story, fallback={"policy": "Deny"}, retry={"maxAttempts": 1})
    kube.wait("condition=Complete", "videojob", allowed, namespace, 120)
    status = _status(kube, namespace, allowed)
    assert {output["name"] for output in status["outputs"]} >= {"video", "thumbnail", "metadata"}
    (degraded,) = [each for each in status["conditions"] if each["type"] == "Degraded"]
    assert (degraded["status"], degraded["reason"]) == ("True", "ImageFallback")
    for words in ("card", "pexels", "pictures.invalid"):
        assert words in degraded["message"]
    kube.wait("condition=DeadLettered", "videojob", denied, namespace, 120)
    failed = kube.get("videojob", denied, namespace)
    failure = failed["status"]["failure"]
    assert (failed["status"]["phase"], failure["class"], failure["code"]) == (
        "Failed",
        "External",
        "ImageGenerationError",
    ), failure
    assert "pictures.invalid" in failure["message"]
    assert failure["hint"]
    assert failed["metadata"]["labels"]["videojob.dev/dead-letter"] == "true"
    assert not failed["status"].get("outputs")
    assert "geheim" not in json.dumps([status, failed["status"], kube.list("events", namespace)])
