"""Avatars on this machine, whole: a real photograph and a spoken sentence become a video (A-001, A-002, A-014, A-035, C16)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

import tinynets
import voices
from demo.face import speaking
from didserver import KEY, did
from photographs import FOLDER, photograph
from videojob_cli.run import Ended, run
from videojob_worker.compose import marks
from videojob_worker.vision import faces
from videojob_worker.vision.faces import mouth_opening, portrait_face

PAINTED = Path(__file__).resolve().parents[2] / "crds/examples/media/portrait.jpg"
TEXT = "Hello and welcome. This portrait speaks."


def made(folder: Path, image: Path | bytes, **fields: Any) -> Ended:
    """One avatar from apply to its end, in a store that is kept."""
    stock = folder / "store" / "default" / "stock"
    stock.mkdir(parents=True, exist_ok=True)
    (stock / "face.png").write_bytes(image if isinstance(image, bytes) else image.read_bytes())
    policy = fields.pop("fallback", "Allow")
    asked = {"image": {"uri": "store://stock/face.png"}, "speech": {"text": TEXT}, **fields}
    body = {
        "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "greeting"},
        "spec": {
            "avatar": {key: value for key, value in asked.items() if value is not None}, "fallback": {"policy": policy},
            "retry": {"maxAttempts": 1},
        },
    }  # fmt: skip
    path = folder / "avatar.yaml"
    path.write_text(yaml.safe_dump(body))
    (ended,) = run([path], file=None, output=folder / "out", store=folder / "store", allow_networks=("127.0.0.0/8",))
    return ended


def frames(path: Path) -> list[np.ndarray[Any, Any]]:
    """Every picture of a video, RGB."""
    reader, found = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = reader.read()
        if not there:
            return found
        found.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def test_a_photograph_and_a_sentence_become_a_talking_person(tmp_path: Path) -> None:
    """Offline, by what is built in: found, cut out, put before the colour, moved by the voice, marked, published."""
    agreed = {
        "subject": "the astronaut of NASA's photograph",
        "reference": "not asked; measured by a test, and deleted",
    }
    ended = made(tmp_path, FOLDER / "astronaut.png", matting={"color": "#00C040"}, consent=agreed)
    status = ended.view.status
    assert status.phase == "Succeeded", status.failure
    assert status.avatar is not None
    person = status.avatar.person_detection
    assert person is not None
    assert (person.total_persons, person.selected_person_id) == (1, 1)
    assert person.confidence > 0.5
    stages = {stage.name: stage for stage in status.stages}
    assert stages["Detection"].message == "Detected 1 person, selected person #1"
    (one,) = (tmp_path / "store/default/jobs" / ended.view.uid / "debug").glob("detect-*/*.document.json")
    done = [task["kind"] for task in json.loads(one.read_text())["stages"]]
    assert done == ["detect", "matte"], "nobody waits for either slot: one process does both (A-005)"
    assert stages["Detection"].job == stages["BackgroundRemoval"].job
    assert {stages[name].accelerator for name in ("Detection", "BackgroundRemoval")} == {"cpu"}
    video, still = (tmp_path / "out/greeting" / name for name in ("video.mp4", "video_thumb.jpg"))
    assert [output.name for output in status.outputs] == ["video", "thumbnail"]
    assert all(output.synthetic == "compositeSynthetic" for output in status.outputs)
    assert marks.read(video) == marks.read(still) == marks.COMPOSITE
    manifest = json.loads((tmp_path / "out/greeting/manifest.json").read_text())
    assert manifest["avatar"]["consent"] == agreed
    pictures = frames(video)
    corner = np.median(pictures[0][:40, :40].reshape(-1, 3), axis=0)
    assert np.abs(corner - (0x00, 0xC0, 0x40)).max() < 6, "decoded as the file says that it is coded"
    mouths = [mouth_opening(portrait_face(picture)) for picture in pictures[::3]]
    assert max(mouths) > min(mouths) + 0.02, "the mouth moves"


@pytest.mark.parametrize(
    ("asked", "sure"), [({}, 0.3), ({"confidencePercent": 60}, 0.6)], ids=["the class's word", "the spec's word wins"]
)
def test_a_022_how_sure_is_the_worker_class_s_to_say_unless_the_spec_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, int], sure: float
) -> None:
    """A-001, A-022: at 1.0 nobody is sure enough, and it takes the second look. What comes after the detection ends at once."""
    monkeypatch.setenv("YOLO_CONFIDENCE_THRESHOLD", "1.0")
    nobody = {"name": "command", "model": "nobody"}
    ended = made(tmp_path, FOLDER / "astronaut.png", detection=asked, matting={"matter": "none"}, provider=nobody)
    stage = next(stage for stage in ended.view.status.stages if stage.name == "Detection")
    again = "it took a second look, at 0.3, to find anybody"
    assert (again in (stage.notes or ())) == (sure == 0.3)


def test_the_mouth_in_the_finished_video_follows_the_voice_and_rests_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured in the mp4 that people get, after two encoders: a landmark model's opening of the mouth against the loudness of
    its own sound, of a photograph and of the example's painted portrait, with a pause between two sentences.
    """
    said = {"text": "Good morning everybody. This picture speaks, and then it rests.", "voice": {"pauseMs": 1400}}
    for name, image in {"photograph": FOLDER / "astronaut.png", "painted portrait": PAINTED}.items():
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        ended = made(folder, image, speech=said)
        assert ended.view.status.phase == "Succeeded", ended.view.status.failure
        seen = speaking(folder / "out/greeting/video.mp4")
        silent = seen.silent()
        spoken = float(np.percentile(seen.opening[seen.level > np.percentile(seen.level, 60)], 75))
        with capsys.disabled():
            rest = f"at rest {seen.opening[silent].mean():.3f}, speaking {spoken:.3f}"
            sys.stdout.write(f"\nfinished video of a {name}: r = {seen.together():.2f}, {rest}\n")
        assert seen.together() > 0.75
        assert silent.sum() > 20
        assert seen.opening[silent].std() < 0.008
        assert spoken - seen.opening[silent].mean() > 0.025


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"image": b"half"}, "CorruptImage", "avatar.image"),
        ({"image": b"no picture at all"}, "InvalidImageType", "avatar.image"),
        ({"image": b""}, "EmptyFile", "avatar.image"),
    ],
    ids=["half a picture", "no picture", "nothing"],
)
def test_what_is_no_portrait_is_refused(tmp_path: Path, change: dict[str, bytes], code: str, said: str) -> None:
    """Case 68, A-044: Permanent, naming the field."""
    half = (FOLDER / "astronaut.png").read_bytes()[:20_000]
    failure = made(tmp_path, half if change["image"] == b"half" else change["image"]).view.status.failure
    assert failure is not None
    assert (failure.failure_class, failure.code) == ("Permanent", code)
    assert said in failure.message
    assert failure.hint


def test_a_picture_without_anybody_says_so(tmp_path: Path) -> None:
    """Case 68."""
    path = tmp_path / "blank.png"
    Image.fromarray(np.full((300, 400, 3), 128, np.uint8)).save(path)
    failure = made(tmp_path, path).view.status.failure
    assert failure is not None
    assert failure.message.startswith("No persons detected")
    assert failure.stage == "Detection"


def test_a_recorded_voice_and_a_person_of_several(tmp_path: Path) -> None:
    """A-014: the voice is a file; the person is chosen by number, and cut out by colours alone where that is asked for."""
    stock = tmp_path / "store/default/stock"
    stock.mkdir(parents=True)
    (stock / "voice.wav").write_bytes(voices.wav_file(voices.tone(1500, 24_000)))
    people = tmp_path / "people.png"
    Image.fromarray(photograph("zidane.jpg")).save(people)
    ended = made(
        tmp_path, people, speech=None, audio={"uri": "store://stock/voice.wav"}, matting={"matter": "grabcut"},
        detection={"select": "Index", "index": 2},
    )  # fmt: skip
    status = ended.view.status
    assert status.phase == "Succeeded", status.failure
    stages = {stage.name: stage for stage in status.stages}
    assert stages["Detection"].message == "Detected 2 persons, selected person #2"
    assert "SpeechGeneration" not in stages
    assert next(each for each in status.conditions if each.type == "Degraded").reason == "MattingFallback"


def pair(folder: Path) -> Path:
    """A picture of two people: the painted woman, and the same one smaller and the other way round, to her right."""
    one = Image.open(PAINTED).convert("RGB")
    wide = Image.new("RGB", (1280, 720), (176, 186, 184))
    wide.paste(one.resize((400, 500)), (120, 220))
    wide.paste(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((376, 470)), (760, 250))
    wide.save(folder / "pair.png")
    return folder / "pair.png"


def test_a_039_everybody_in_the_picture_speaks_in_a_video_of_their_own(tmp_path: Path) -> None:
    """A-038, A-039: one VideoJob, one warm pod for each model, a video for each person; nobody else is seen in it."""
    ended = made(
        tmp_path, pair(tmp_path), speech={"text": "We are two."}, detection={"select": "All", "crop": "UpperBody"},
        matting={"color": "#2060A0"},
    )  # fmt: skip
    status = ended.view.status
    assert status.phase == "Succeeded", status.failure
    assert [output.name for output in status.outputs] == ["video-1", "thumbnail-1", "video-2", "thumbnail-2"]
    assert status.avatar is not None
    person = status.avatar.person_detection
    assert person is not None
    assert (person.total_persons, person.selected_person_id, person.selected_person_ids) == (2, 1, (1, 2))
    stages = {stage.name: stage for stage in status.stages}
    assert stages["Detection"].message == "Detected 2 persons, selected persons #1, #2"
    left, right = (frames(tmp_path / f"out/greeting/video-{number}.mp4") for number in (1, 2))
    assert left[0].shape[0] > right[0].shape[0], "the one on the left is the larger one"
    for pictures in (left, right):
        assert len(faces.find_faces(pictures[0])) == 1
        sides = np.concatenate([pictures[0][:, :6].reshape(-1, 3), pictures[0][:, -6:].reshape(-1, 3)])
        assert np.abs(sides.astype(int) - (0x20, 0x60, 0xA0)).max() < 25, "nothing of the other one is seen"
        mouths = [mouth_opening(portrait_face(picture)) for picture in pictures[::3]]
        assert max(mouths) > min(mouths) + 0.02, "the mouth moves"


def test_who_is_chosen_speaks_also_where_nobody_is_cut_out(tmp_path: Path) -> None:
    """A-014: with `matter: none` both are seen, and it is the smaller one's mouth that moves."""
    ended = made(
        tmp_path, pair(tmp_path), speech={"text": "I am on the right."}, detection={"select": "Index", "index": 2},
        matting={"matter": "none"},
    )  # fmt: skip
    assert ended.view.status.phase == "Succeeded", ended.view.status.failure
    pictures = frames(tmp_path / "out/greeting/video.mp4")
    halves = [
        [mouth_opening(portrait_face(np.ascontiguousarray(picture[:, part]))) for picture in pictures[::3]]
        for part in (slice(0, 640), slice(640, 1280))
    ]
    assert max(halves[1]) > min(halves[1]) + 0.02
    assert max(halves[0]) < min(halves[0]) + 0.01


def test_silence_is_no_voice(tmp_path: Path) -> None:
    stock = tmp_path / "store/default/stock"
    stock.mkdir(parents=True)
    (stock / "voice.wav").write_bytes(voices.wav_file(bytes(2 * 24_000)))
    asked = {"speech": None, "audio": {"uri": "store://stock/voice.wav"}}
    failure = made(tmp_path, FOLDER / "astronaut.png", **asked).view.status.failure
    assert failure is not None
    assert (failure.code, failure.failure_class) == ("NoSound", "Permanent")


def test_d_id_makes_the_video_and_is_left_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A-021, A-046: the portrait before its background and the voice go there; the result is judged here, and nothing stays."""
    secrets = tmp_path / "secrets" / "d-id"
    secrets.mkdir(parents=True)
    (secrets / "D_ID_API_KEY").write_text(KEY)
    monkeypatch.setenv("VIDEOJOB_SECRETS", str(tmp_path / "secrets"))
    own = made(tmp_path / "own", FOLDER / "astronaut.png")
    assert own.view.status.phase == "Succeeded", own.view.status.failure
    video = (tmp_path / "own/out/greeting/video.mp4").read_bytes()
    with did(video=video) as server:
        ended = made(
            tmp_path, FOLDER / "astronaut.png",
            provider={"name": "did", "endpoint": server.url, "secretName": "d-id", "pollSeconds": 1},
        )  # fmt: skip
        status = ended.view.status
        assert status.phase == "Succeeded", status.failure
        assert (server.billed, server.talks, server.files) == (1, {}, {})
    assert status.avatar is not None
    assert (status.avatar.provider, (status.avatar.provider_id or "")[:4]) == ("did", "tlk_")
    (job,) = (tmp_path / "store/default/jobs").iterdir()
    assert not (job / "paid").exists()


def test_weights_of_ones_own_find_and_cut_out(tmp_path: Path) -> None:
    """A-020, A-032, A-036: files of the store, checked by digest; what they really computed on is told. A drawn figure has no
    face that could talk.
    """
    stock = tmp_path / "store/default/stock"
    stock.mkdir(parents=True)
    (detector, found), (matter, cut) = tinynets.detector(stock, "yolo8"), tinynets.matter(stock)
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[80:336, 96:224] = (230, 30, 30)
    Image.fromarray(picture).save(tmp_path / "figure.png")
    looks = {"detector": "onnx", "weights": {"uri": f"store://stock/{detector.name}", "sha256": found}}
    mask = {
        "matter": "birefnet", "precision": "fp16", "weights": {"uri": f"store://stock/{matter.name}", "sha256": cut}
    }  # fmt: skip
    status = made(tmp_path, tmp_path / "figure.png", detection=looks, matting=mask).view.status
    stages = {stage.name: stage for stage in status.stages}
    assert stages["Detection"].message == "Detected 1 person, selected person #1"
    assert (stages["Detection"].state, stages["BackgroundRemoval"].state) == ("Succeeded", "Succeeded")
    assert {stages[name].accelerator for name in ("Detection", "BackgroundRemoval")} == {"cpu"}
    told = ("matter.onnx was computed as exported: fp16 needs TensorRT, or such an export",)
    assert stages["BackgroundRemoval"].notes == told
    assert status.avatar is not None
    assert status.avatar.person_detection is not None
    assert status.avatar.person_detection.detector == "onnx"
    assert status.failure is not None
    assert status.failure.code == "NoFace"


@pytest.mark.parametrize("policy", ["Allow", "Deny"])
def test_a_mask_that_memory_suffices_for_only_when_it_is_smaller_is_told_or_refused(
    policy: str, tmp_path: Path
) -> None:
    """A-030, C14: Degraded in words; with Deny the attempt fails as one that needs more memory."""
    stock = tmp_path / "store/default/stock"
    stock.mkdir(parents=True)
    weights, sha256 = tinynets.matter(stock, hungry=True)
    mask = {"matter": "birefnet", "weights": {"uri": f"store://stock/{weights.name}", "sha256": sha256}}
    status = made(tmp_path, FOLDER / "astronaut.png", matting=mask, fallback=policy).view.status
    stage = next(stage for stage in status.stages if stage.name == "BackgroundRemoval")
    if policy == "Allow":
        assert stage.degraded == ("the mask was made at 512 instead of 1024 pixels, for want of memory",)
        degraded = next(each for each in status.conditions if each.type == "Degraded")
        assert (degraded.status, degraded.reason) == ("True", "MattingFallback")
    else:
        assert status.failure is not None
        assert (status.failure.code, status.failure.failure_class) == ("OutOfMemory", "Resource")


def test_weights_that_are_not_those_that_were_named_are_refused(tmp_path: Path) -> None:
    """A-020: a checksum mismatch fails at once, and says what helps."""
    stock = tmp_path / "store/default/stock"
    stock.mkdir(parents=True)
    weights, _ = tinynets.detector(stock, "yolo8")
    named = {"uri": f"store://stock/{weights.name}", "sha256": "ab" * 32}
    asked = {"detector": "onnx", "weights": named}
    failure = made(tmp_path, FOLDER / "astronaut.png", detection=asked).view.status.failure
    assert failure is not None
    assert (failure.code, failure.failure_class) == ("ModelChanged", "Permanent")
    assert "checksum mismatch" in failure.message
    assert failure.message.startswith("avatar.detection.weights: ")
    assert failure.hint is not None


def test_a_039_each_person_is_a_talk_of_their_own_and_paid_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people at D-ID: two talks, each with a record and a name of its own, and nothing stays there."""
    secrets = tmp_path / "secrets" / "d-id"
    secrets.mkdir(parents=True)
    (secrets / "D_ID_API_KEY").write_text(KEY)
    monkeypatch.setenv("VIDEOJOB_SECRETS", str(tmp_path / "secrets"))
    own = made(tmp_path / "own", PAINTED)
    video = (tmp_path / "own/out/greeting/video.mp4").read_bytes()
    assert own.view.status.phase == "Succeeded", own.view.status.failure
    with did(video=video) as server:
        ended = made(
            tmp_path, pair(tmp_path), detection={"select": "All"},
            provider={"name": "did", "endpoint": server.url, "secretName": "d-id", "pollSeconds": 1},
        )  # fmt: skip
        assert ended.view.status.phase == "Succeeded", ended.view.status.failure
        assert (server.billed, server.talks, server.files) == (2, {}, {})
    assert ended.view.status.avatar is not None
    assert len((ended.view.status.avatar.provider_id or "").split()) == 2
    assert [output.name for output in ended.view.status.outputs][::2] == ["video-1", "video-2"]
