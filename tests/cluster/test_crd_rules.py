"""Every constraint of the CRDs on a real API server: one manifest that passes, one that is refused, and in which words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cluster import binaries
from controlplane import ControlPlane
from crdrows import INBOX, STORIES, Case, an_object, story, videojob
from kube import Done, Kube


@pytest.fixture(scope="module")
def kube(plane: ControlPlane) -> Kube:
    """Kubectl as administrator."""
    return Kube(plane.kubeconfig, str(binaries.path("kubectl")))


def source(**fields: Any) -> dict[str, Any]:
    """A VideoJob with another source."""
    return videojob(transcode={"source": {"uri": INBOX, **fields}})


def limits(**fields: Any) -> dict[str, Any]:
    """A VideoJob with other limits."""
    return videojob(transcode={"source": {"uri": INBOX}, "limits": fields})


def profiles(*wanted: str) -> dict[str, Any]:
    """A VideoJob with other profiles."""
    return videojob(transcode={"source": {"uri": INBOX}, "profiles": list(wanted)})


def rendition(*, video: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A VideoProfile of 720p with what the case changes."""
    picture = {"width": 1280, "height": 720, "bitrate": "2500k", **(video or {})}
    return an_object("VideoProfile", {"rendition": {"video": picture, **fields}})


def thumbnail(**fields: Any) -> dict[str, Any]:
    """A VideoProfile for a still picture."""
    return an_object("VideoProfile", {"thumbnail": fields})


def profile(**spec: Any) -> dict[str, Any]:
    """A VideoProfile with this spec."""
    return an_object("VideoProfile", spec)


def queue(*slots: tuple[str, int], **spec: Any) -> dict[str, Any]:
    """A VideoQueue with these slots."""
    return an_object(
        "VideoQueue", {"slots": [{"name": name, "capacity": capacity} for name, capacity in slots], **spec}
    )


def row(namespace: str = "team-a", **limits: Any) -> dict[str, Any]:
    """A VideoQueue with one row of limits."""
    return queue(limits=[{"namespace": namespace, **limits}])


def store(**spec: Any) -> dict[str, Any]:
    """A MediaStore with this spec."""
    return an_object("MediaStore", spec)


CLAIM = {"claimName": "videojob-store"}


EXACTLY_ONE = "a VideoJob asks for exactly one kind of work: set one of spec.transcode, spec.story, spec.avatar"
VP9 = {"codec": "vp9"}
OPUS = {"codec": "opus", "bitrate": "96k"}

FACE = {"image": {"uri": "store://stock/face.png"}, "speech": {"text": "Hello."}}

CASES = (
    # ------------------------------------------------------------ VideoJob: what is asked for
    Case("one source and nothing else", videojob()),
    Case("no kind of work", videojob(transcode=None, priority="Normal"), EXACTLY_ONE),
    Case("two kinds of work at once", videojob(story={"script": {"text": "Hello."}}), EXACTLY_ONE),
    Case("an avatar", videojob(transcode=None, avatar=FACE)),
    Case("an avatar without a portrait", videojob(transcode=None, avatar={}), "spec.avatar.image: Required value"),
    Case(
        "an avatar of an unknown provider",
        videojob(transcode=None, avatar={**FACE, "provider": {"name": "puppet"}}),
        'Unsupported value: "puppet"',
    ),
    Case("a transcode without a source", videojob(transcode={}), "spec.transcode.source: Required value"),
    Case("no spec at all", {**videojob(), "spec": None}, "spec: Required value"),
    Case("a misspelt field", videojob(prioritty="High"), 'unknown field "spec.prioritty"'),
    Case("a misspelt field further down", source(file="a.mp4"), 'unknown field "spec.transcode.source.file"'),
    # ------------------------------------------------------------ VideoJob: the source
    Case("an upload by its digest", source(uri=INBOX)),
    Case("a file in the stock", source(uri="store://stock/intros/2026/open.mp4")),
    Case(
        "a path of the machine", source(uri="file:///etc/passwd"), "source.uri is an https:// or http:// URL, or names"
    ),
    Case("a URL", source(uri="https://media.example/a%20b.mp4?X-Amz-Signature=ab%2Fcd+e")),
    Case("a URL without encryption", source(uri="http://media.example:8080/a.mp4")),
    Case("a URL and the digest it promises", source(uri="https://media.example/a.mp4", sha256="ab" * 32)),
    Case("a URL and a secret for it", source(uri="https://media.example/a.mp4", secretName="media-key")),
    Case(
        "a URL with a password",
        source(uri="https://u:p@media.example/a.mp4"),
        "must not carry a user or password: put an",
    ),
    Case("a URL with a user", source(uri="http://u@media.example/"), "name it in source.secretName"),
    Case(
        "a URL with a blank", source(uri="https://media.example/a b"), "spec.transcode.source.uri in body should match"
    ),
    Case("a URL of another scheme", source(uri="gopher://media.example/"), "source.uri is an https:// or http:// URL"),
    Case("a URL of 2,100 characters", source(uri="https://m.example/" + "a" * 2100), "may not be more than 2048"),
    Case("half a digest", source(uri="https://m.example/a", sha256="abab"), "source.sha256 in body should match"),
    Case("a digest beside an upload", source(sha256="ab" * 32), "source.sha256 goes with a URL; an upload's digest"),
    Case("a secret for an upload", source(secretName="media-key"), "source.secretName goes with an https:// URL"),
    Case(
        "a secret over an open line",
        source(uri="http://media.example/a.mp4", secretName="media-key"),
        "a secret is not sent over an open line",
    ),
    Case(
        "a secret that is a path",
        source(uri="https://m.example/a", secretName="../x"),
        "source.secretName in body should match",
    ),
    Case(
        "a way out of the stock", source(uri="store://stock/../jobs/x.mp4"), "spec.transcode.source.uri in body should"
    ),
    Case(
        "a way out further down", source(uri="store://stock/a/../../x.mp4"), "spec.transcode.source.uri in body should"
    ),
    Case("a hidden file", source(uri="store://stock/.hidden"), "spec.transcode.source.uri in body should match"),
    Case("somebody else's outputs", source(uri="store://jobs/x/videos/a.mp4"), "or names a file of the namespace's"),
    Case("a digest cut short", source(uri="store://inbox/0123"), "spec.transcode.source.uri in body should match"),
    Case("a digest in capitals", source(uri=INBOX.upper()), "spec.transcode.source.uri in body should match"),
    Case(
        "a path of 2,100 characters", source(uri="store://stock/" + "a" * 2100), "Too long: may not be more than 2048"
    ),
    Case("a name of a file", source(filename="Mein Urlaub (2).MOV")),
    Case("a path as the name of a file", source(filename="../x.mp4"), "spec.transcode.source.filename in body should"),
    Case("an empty name of a file", source(filename=""), "should be at least 1 chars long"),
    # ------------------------------------------------------------ VideoJob: limits and profiles
    Case("a limit in gibibytes", limits(maxInputSize="2Gi")),
    Case("a negative size", limits(maxInputSize="-5Mi"), "spec.transcode.limits.maxInputSize in body should match"),
    Case("a size of nothing", limits(maxInputSize="0"), "limits.maxInputSize must be above zero, for example 500Mi"),
    Case("a size of nothing with a unit", limits(maxInputSize="0.0Gi"), "limits.maxInputSize must be above zero"),
    Case("a size that is a number", limits(maxInputSize=500), "must be of type string"),
    Case("the longest duration", limits(maxDurationSeconds=86400)),
    Case("a duration of nothing", limits(maxDurationSeconds=0), "should be greater than or equal to 1"),
    Case("more than a day", limits(maxDurationSeconds=86401), "should be less than or equal to 86400"),
    Case("one type", limits(allowedTypes=["webm"])),
    Case("no type", limits(allowedTypes=[]), "should have at least 1 items"),
    Case("an unknown type", limits(allowedTypes=["gif"]), 'supported values: "mp4", "mov", "avi", "mkv", "webm"'),
    Case("a type twice", limits(allowedTypes=["mp4", "mp4"]), "Duplicate value"),
    Case("the seeds' spelling of a profile", profiles("webm_720p")),
    Case("no profile", profiles(), "should have at least 1 items"),
    Case("a profile twice", profiles("720p", "720p"), "Duplicate value"),
    Case("a profile in capitals", profiles("HD"), "spec.transcode.profiles[0] in body should match"),
    Case("seventeen profiles", profiles(*(f"p{n}" for n in range(17))), "must have at most 16 items"),
    # ------------------------------------------------------------ VideoJob: retention
    Case("times of its own", videojob(retention={"videosSeconds": 5, "debugSeconds": 60, "deletionPolicy": "Retain"})),
    Case("held", videojob(retention={"hold": True})),
    Case("gone a day after its end", videojob(retention={"ttlSecondsAfterFinished": 86400})),
    Case(
        "held and gone",
        videojob(retention={"hold": True, "ttlSecondsAfterFinished": 0}),
        "retention.hold keeps everything, the VideoJob included: set retention.hold to false or remove",
    ),
    Case("kept for no time", videojob(retention={"videosSeconds": 0}), "should be greater than or equal to 1"),
    Case("kept for eleven years", videojob(retention={"videosSeconds": 346896000}), "should be less than or equal to"),
    Case("an unknown policy", videojob(retention={"deletionPolicy": "Keep"}), 'supported values: "Delete", "Retain"'),
    # ------------------------------------------------------------ VideoJob: how to run it
    Case("high priority", videojob(priority="High")),
    Case("an unknown priority", videojob(priority="Urgent"), 'supported values: "High", "Normal", "Low"'),
    Case("one pod a stage", videojob(execution={"mode": "Spread"})),
    Case("nothing from the cache", videojob(cache={"mode": "Off"})),
    Case("from the cache, nothing into it", videojob(cache={"mode": "ReadOnly"})),
    Case(
        "an unknown use of the cache",
        videojob(cache={"mode": "WriteOnly"}),
        'supported values: "ReadWrite", "ReadOnly", "Off"',
    ),
    Case(
        "an unknown way to run", videojob(execution={"mode": "Fast"}), 'supported values: "Auto", "Compact", "Spread"'
    ),
    Case("a week", videojob(timeoutSeconds=604800)),
    Case(
        "no time at all", videojob(timeoutSeconds=0), "spec.timeoutSeconds in body should be greater than or equal to 1"
    ),
    Case("a single attempt", videojob(retry={"maxAttempts": 1})),
    Case("no attempt", videojob(retry={"maxAttempts": 0}), "should be greater than or equal to 1"),
    Case("twenty-one attempts", videojob(retry={"maxAttempts": 21}), "should be less than or equal to 20"),
    Case("a multiplier of nothing", videojob(retry={"multiplier": 0}), "should be greater than or equal to 1"),
    Case("waits that stay the same", videojob(retry={"backoffSeconds": 300})),
    Case(
        "a first wait beyond the longest",
        videojob(retry={"backoffSeconds": 301}),
        "retry.maxBackoffSeconds must be at least retry.backoffSeconds",
    ),
    Case("a negative wait", videojob(retry={"backoffSeconds": -1}), "should be greater than or equal to 0"),
    Case("another queue", videojob(queue="overnight")),
    Case("a queue that is no name", videojob(queue="Over Night"), "spec.queue in body should match"),
    Case("another store", videojob(store="archive.team")),
    Case("a store that is a path", videojob(store="../archive"), "spec.store in body should match"),
    Case("an identifier of one's own", videojob(externalId="order/4711 ü")),
    Case("an identifier of 254 characters", videojob(externalId="x" * 254), "may not be more than 253"),
    Case("a webhook", videojob(notify=[{"url": "https://hooks.example.org/videos?key=1"}])),
    Case(
        "two webhooks, one signed, in the seeds' words",
        videojob(
            notify=[
                {"url": "http://receiver.team-a.svc:8080", "secretName": "signing", "events": ["progress_update"]},
                {"url": "https://hooks.example.org", "format": "Seed"},
            ]
        ),
    ),
    Case(
        "a webhook without a scheme", videojob(notify=[{"url": "hooks.example.org"}]), "notify[].url is an http:// or"
    ),
    Case(
        "a webhook with a password",
        videojob(notify=[{"url": "https://user:secret@hooks.example.org/"}]),
        "notify[].url is an http:// or https:// URL with a host and without user, password or #fragment",
    ),
    Case("a webhook twice", videojob(notify=[{"url": "https://a.example"}, {"url": "https://a.example"}]), "Duplicate"),
    Case("five webhooks", videojob(notify=[{"url": f"https://{n}.example"} for n in range(5)]), "at most 4 items"),
    Case("an unknown format", videojob(notify=[{"url": "https://a.example", "format": "XML"}]), "Unsupported value"),
    Case("no event at all", videojob(notify=[{"url": "https://a.example", "events": []}]), "should have at least 1"),
    Case("an unknown event", videojob(notify=[{"url": "https://a.example", "events": ["done"]}]), "Unsupported value"),
    *STORIES,
    # ------------------------------------------------------------ VideoProfile
    Case("a rendition", rendition()),
    Case("a silent rendition", rendition(container="mp4")),
    Case("a rendition in VP9", rendition(container="webm", video=VP9, audio=OPUS)),
    Case("a still picture", thumbnail(width=640, height=360)),
    Case("a still picture of the usual size", thumbnail()),
    Case("a profile of nothing", profile(outputName="x"), "a VideoProfile describes exactly one thing"),
    Case(
        "a profile of two outputs",
        profile(thumbnail={}, rendition={"video": {"width": 16, "height": 16, "bitrate": "1k"}}),
        "set one of spec.rendition, spec.thumbnail and spec.story",
    ),
    Case("a template", profile(story={"blanks": [{"name": "city"}], "defaults": {"script": {"text": "In {{city}}."}}})),
    Case("a template of nothing", profile(story={"blanks": []}), "spec.story.defaults: Required"),
    Case("a template and an output", profile(story={"defaults": {}}, thumbnail={}), "set one of spec.rendition"),
    Case(
        "a blank twice",
        profile(story={"blanks": [{"name": "city"}, {"name": "city"}], "defaults": {}}),
        "spec.story.blanks[1]: Duplicate value",
    ),
    Case(
        "a blank with a name of its own kind",
        profile(story={"blanks": [{"name": "{{city}}"}], "defaults": {}}),
        "spec.story.blanks[0].name in body should match",
    ),
    Case("VP9 in mp4", rendition(video=VP9), "rendition.container mp4 carries video.codec h264 and audio.codec aac"),
    Case("opus in mp4", rendition(audio=OPUS), "container webm carries vp9 and opus: use codecs"),
    Case("H.264 in webm", rendition(container="webm"), "container webm carries vp9 and opus: use codecs"),
    Case(
        "aac in webm",
        rendition(container="webm", video=VP9, audio={}),
        "rendition.container mp4 carries video.codec h264",
    ),
    Case("an unknown container", rendition(container="avi"), 'supported values: "mp4", "webm"'),
    Case("an odd width", rendition(video={"width": 1279}), "should be a multiple of 2"),
    Case("a picture beyond 8K", rendition(video={"width": 7682}), "should be less than or equal to 7680"),
    Case("a picture without a bit rate", profile(rendition={"video": {"width": 16, "height": 16}}), "Required value"),
    Case("a bit rate of nothing", rendition(video={"bitrate": "0k"}), "rendition.video.bitrate in body should match"),
    Case("a bit rate in megabits", rendition(video={"bitrate": "5M"}), "rendition.video.bitrate in body should match"),
    Case("an unknown preset", rendition(video={"preset": "placebo"}), "Unsupported value"),
    Case("a frame rate of nothing", rendition(video={"maxFrameRate": 0}), "should be greater than or equal to 1"),
    Case("raw arguments for the encoder", rendition(video={"args": "-f null"}), "unknown field"),
    Case("six channels of sound", rendition(audio={"channels": 6}), "should be less than or equal to 2"),
    Case("a moment after the end", thumbnail(atPercent=101), "should be less than or equal to 100"),
    Case("a quality of nothing", thumbnail(quality=0), "should be greater than or equal to 1"),
    Case("an output's name of its own", profile(outputName="webm_720p", thumbnail={})),
    Case("an output's name that is a path", profile(outputName="a/b", thumbnail={}), "spec.outputName in body should"),
    # ------------------------------------------------------------ VideoQueue
    Case("two classes of slots", queue(("cpu", 4), ("yolo", 0))),
    Case("a class twice", queue(("cpu", 1), ("cpu", 2)), "Duplicate value"),
    Case("fewer than no slots", queue(("cpu", -1)), "should be greater than or equal to 0"),
    Case("a class in capitals", queue(("CPU", 1)), "spec.slots[0].name in body should match"),
    Case("thirty-three classes", queue(*((f"c{n}", 1) for n in range(33))), "must have at most 32 items"),
    Case("a queue that is paused", queue(("cpu", 4), paused=True)),
    Case("a pause that is a word", queue(paused="yes"), "must be of type boolean"),
    Case("the shallowest queue", queue(maxDepth=1)),
    Case("a queue in which nobody may wait", queue(maxDepth=0), "should be greater than or equal to 1"),
    Case("a queue without aging", queue(agingSeconds=0)),
    Case("aging backwards", queue(agingSeconds=-1), "should be greater than or equal to 0"),
    Case(
        "limits of one namespace", row(running=2, queued=50, submitsPerMinute=30, allowedPriorities=["Normal", "Low"])
    ),
    Case("limits of everybody else", row("*", running=0)),
    Case("limits of nobody", queue(limits=[{"running": 1}]), "spec.limits[0].namespace: Required value"),
    Case("a row that limits nothing", row(), "a row of limits sets at least one of running, queued, submitsPerMinute"),
    Case(
        "a namespace twice",
        queue(limits=[{"namespace": "*", "running": 1}, {"namespace": "*", "queued": 1}]),
        "Duplicate value",
    ),
    Case("a pattern of namespaces", row("team-*", running=1), "spec.limits[0].namespace in body should match"),
    Case("a rate of nothing", row(submitsPerMinute=0), "should be greater than or equal to 1"),
    Case("fewer than none running", row(running=-1), "should be greater than or equal to 0"),
    Case("as many waiting as the queue holds", queue(maxDepth=5, limits=[{"namespace": "*", "queued": 5}])),
    Case(
        "more waiting than the queue holds",
        queue(maxDepth=5, limits=[{"namespace": "*", "queued": 6}]),
        "limits[].queued must be at most maxDepth: more could never wait",
    ),
    Case("no priority at all", row(allowedPriorities=[]), "should have at least 1 items"),
    Case("a priority twice", row(allowedPriorities=["Low", "Low"]), "Duplicate value"),
    Case("a priority nobody knows", row(allowedPriorities=["Urgent"]), 'supported values: "High", "Normal", "Low"'),
    # ------------------------------------------------------------ MediaStore
    Case("a claim", store(pvc={"claimName": "videojob-store"})),
    Case("a store of no kind", store(), "set spec.pvc.claimName: a PersistentVolumeClaim is the one kind of store"),
    Case("tiers of its own", store(pvc=CLAIM, retention={"videosSeconds": 60}, minFreeSpace="10Gi")),
    Case("a tier of no time", store(pvc=CLAIM, retention={"videosSeconds": 0}), "spec.retention.videosSeconds"),
    Case(
        "no free space wanted",
        store(pvc=CLAIM, minFreeSpace="0"),
        "spec.minFreeSpace must be above zero, for example 5G",
    ),
    Case("free space in words", store(pvc=CLAIM, minFreeSpace="much"), "spec.minFreeSpace in body should match"),
    Case("a place where its files are served", store(pvc=CLAIM, publicBaseUrl="https://cdn.example/videos")),
    Case(
        "files that nobody can fetch so",
        store(pvc=CLAIM, publicBaseUrl="ftp://cdn.example"),
        "spec.publicBaseUrl in body should match",
    ),
    Case("a claim without a name", store(pvc={}), "spec.pvc.claimName: Required value"),
    Case("a claim in capitals", store(pvc={"claimName": "Store"}), "spec.pvc.claimName in body should match"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.given['kind']}: {case.name}")
def test_the_server_takes_it_or_says_why_not(kube: Kube, case: Case) -> None:
    manifest = json.dumps(case.given)
    done = kube.run("create", "--dry-run=server", "-n", "default", "-f", "-", stdin=manifest, check=False)
    if case.expect:
        assert done.code != 0, "it was taken"
        assert case.expect in done.err
    else:
        assert done.code == 0, done.err


@dataclass(frozen=True)
class Change:
    """A change of an object that exists, and the server's words against it; without words it is taken."""

    name: str
    given: dict[str, Any]
    expect: str = ""
    kind: str = "VideoJob"
    of: str = "existing"
    """Name of the object."""


EXISTING = (
    ("existing", videojob(suspend=True, stopAfter="Verify", idempotencyKey="order-4711")),
    ("existing-story", story(suspend=True)),
    ("existing-avatar", videojob(transcode=None, avatar=FACE, suspend=True)),
    ("existing", store(pvc=CLAIM)),
)
"""What the changes are made to; the VideoJobs are suspended, so that no operator touches them."""
SAME = EXISTING[0][1]["spec"]["transcode"]

CHANGES = (
    Change("a stop and another priority", {"suspend": True, "priority": "Low"}),
    Change("another webhook", {"notify": [{"url": "https://hooks.example.org"}]}),
    Change("a hold", {"retention": {"hold": True}}),
    Change("more attempts", {"retry": {"maxAttempts": 5}}),
    Change("the same work", {"transcode": SAME}),
    Change("another source", {"transcode": {"source": {"uri": "store://stock/b.mp4"}}}, "spec.transcode is immutable"),
    Change("another profile", {"transcode": {"profiles": ["360p"]}}, "create another VideoJob to work on other input"),
    Change("another limit", {"transcode": {"limits": {"maxDurationSeconds": 1}}}, "spec.transcode is immutable"),
    Change("the same store", {"store": "default"}),
    Change(
        "another store",
        {"store": "archive"},
        "spec.store is immutable, for the files lie there: create another VideoJob to use another store",
    ),
    Change("the same stop and the same name", {"stopAfter": "Verify", "idempotencyKey": "order-4711"}),
    Change(
        "another stop", {"stopAfter": "Ingest"}, "spec.stopAfter is immutable: create another VideoJob to go further"
    ),
    Change("no stop any more", {"stopAfter": None}, "spec.stopAfter is immutable"),
    Change("another name of the request", {"idempotencyKey": "order-4712"}, "spec.idempotencyKey is immutable: create"),
    Change("no name any more", {"idempotencyKey": None}, "spec.idempotencyKey is immutable"),
    Change("no work any more", {"transcode": None}, EXACTLY_ONE),
    Change("a story's way out", {"publish": {"auto": True, "platforms": [{"name": "tiktok"}]}}, of="existing-story"),
    Change("the same story", {"story": {"title": "The Last Fig"}}, of="existing-story"),
    Change(
        "another title",
        {"story": {"title": "The First Fig"}},
        "spec.story is immutable: create another VideoJob; what both have in common",
        of="existing-story",
    ),
    Change(
        "another sentence", {"story": {"script": {"text": "A pear."}}}, "spec.story is immutable", of="existing-story"
    ),
    Change("the same face", {"avatar": FACE}, of="existing-avatar"),
    Change(
        "other words",
        {"avatar": {"speech": {"text": "Good day."}}},
        "spec.avatar is immutable: create another VideoJob",
        of="existing-avatar",
    ),
    Change("the same claim, other tiers", {"pvc": CLAIM, "retention": {"debugSeconds": 60}}, kind="MediaStore"),
    Change(
        "another claim",
        {"pvc": {"claimName": "other"}},
        "spec.pvc is immutable, for the files stay on their claim: create another MediaStore",
        kind="MediaStore",
    ),
)


@pytest.fixture(scope="module")
def existing(kube: Kube) -> Iterator[Callable[[Change], Done]]:
    """Patches an object of a kind that exists."""
    for name, body in EXISTING:
        named = {**body, "metadata": {"name": name}}
        kube.run("create", "-n", "default", "-f", "-", stdin=json.dumps(named))

    def patch(change: Change) -> Done:
        text = json.dumps({"spec": change.given})
        return kube.run("patch", change.kind, change.of, "-n", "default", "--type=merge", "-p", text, check=False)

    yield patch
    for name, body in EXISTING:
        kube.run("delete", body["kind"], name, "-n", "default")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.kind}: {change.name}")
def test_an_input_stays_as_it_was_and_the_rest_may_change(existing: Callable[[Change], Done], change: Change) -> None:
    """Case 47: what is immutable is refused at admission, with the way out."""
    done = existing(change)
    if change.expect:
        assert done.code != 0, "it was taken"
        assert change.expect in done.err
    else:
        assert done.code == 0, done.err
