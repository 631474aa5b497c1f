"""An avatar's stages: which there are, in which Jobs, with which slots and keys (A-001 to A-007)."""

from __future__ import annotations

from typing import Any

from builders import Scene, a_videojob
from videojob_api import stages
from videojob_api.v1alpha1 import PlanStatus, VideoJobSpec
from videojob_api.v1alpha1.avatar import USUAL_CONFIDENCE
from videojob_operator.decide import recipes
from videojob_operator.decide.recipes.avatar import published

FACE: dict[str, Any] = {"image": {"uri": "store://inbox/" + "ab" * 32}, "speech": {"text": "Hello."}}
ONLINE = {"name": "did", "secretName": "d-id"}


def spec_of(**fields: Any) -> VideoJobSpec:
    asked = {key: value for key, value in {**FACE, **fields}.items() if value is not None}
    found: VideoJobSpec = a_videojob("Compact", transcode=None, avatar=asked).spec
    return found


def steps_of(**fields: Any) -> tuple[recipes.Step, ...]:
    return recipes.steps(spec_of(**fields), PlanStatus(execution="Compact", image="worker"))


def keys_of(**fields: Any) -> dict[str, str]:
    return recipes.keys(steps_of(**fields), 2)


def test_a_003_stages_and_percents_are_those_of_the_seeds() -> None:
    """A-003, C17: Upload to 20, Detection 25-40, BackgroundRemoval 50-60, AvatarGeneration 70-80, Finalizing from 90."""
    drawn = {row.stage: row.band for row in stages.AVATAR}
    assert drawn == {
        "SpeechGeneration": (0, 10), "Upload": (0, 20), "Detection": (25, 40), "BackgroundRemoval": (50, 60),
        "AvatarGeneration": (70, 80), "Finalizing": (90, 99), "Delivery": (99, 100),
    }  # fmt: skip
    assert [step.kind.stage for step in steps_of()] == list(drawn)
    recorded = {"speech": None, "audio": {"uri": "store://stock/voice.wav"}}
    assert [step.kind.stage for step in steps_of(**recorded)] == list(drawn)[1:]


def test_a_005_a_007_every_slot_class_has_a_pod_of_its_own() -> None:
    """One job detects while another one is cut out; nobody holds a slot that he does not use. Compact merges what takes one."""
    groups = recipes.groups(steps_of(), "Compact")
    assert [(group.name, group.stages, group.slot) for group in groups] == [
        ("speak", ("SpeechGeneration", "Upload"), "cpu"),
        ("detect", ("Detection",), "yolo"),
        ("matte", ("BackgroundRemoval",), "birefnet"),
        ("animate", ("AvatarGeneration",), "avatar"),
        ("finish", ("Finalizing", "Delivery"), "cpu"),
    ]
    alone = recipes.groups(steps_of(), "Spread")
    assert [(group.name, group.slot) for group in alone] == [(row.kind, row.slot) for row in stages.AVATAR]


def test_other_kinds_of_work_are_grouped_as_before() -> None:
    plain = a_videojob("Compact").spec
    assert plain is not None
    found = recipes.groups(recipes.steps(plain, PlanStatus(execution="Compact", image="worker")), "Compact")
    assert [group.name for group in found] == ["main"]


def test_a_046_a_provider_online_has_a_pod_that_decodes_nothing() -> None:
    by_name = {step.kind.kind: step for step in steps_of(provider=ONLINE)}
    assert by_name["animate"].online
    assert not any(step.online for kind, step in by_name.items() if kind != "animate")
    assert not any(step.online for step in steps_of())
    assert not any(step.online for step in steps_of(provider={"name": "command", "model": "musetalk"}))


def test_a_voice_online_speaks_in_a_pod_of_its_own() -> None:
    voice = {"providers": [{"name": "openai", "secretName": "tts"}]}
    groups = recipes.groups(steps_of(speech={"text": "Hello.", "voice": voice}), "Compact")
    assert [(group.name, group.stages) for group in groups][:2] == [
        ("speak", ("SpeechGeneration",)),
        ("upload", ("Upload",)),
    ]


def test_what_changed_is_made_again_and_nothing_else() -> None:
    """Another background cuts out anew and speaks anew, and detects nobody again; consent renews the publication alone."""
    first = keys_of()
    assert [kind for kind, key in keys_of(matting={"color": "#102030"}).items() if key != first[kind]] == [
        "matte", "animate", "finish", "deliver",
    ]  # fmt: skip
    agreed = {"subject": "Ada", "reference": "form 7"}
    assert [kind for kind, key in keys_of(consent=agreed).items() if key != first[kind]] == ["deliver"]
    assert [kind for kind, key in keys_of(speech={"text": "Bye."}).items() if key == first[kind]] == []


def test_captions_renew_the_finished_video_alone_and_are_published_as_files() -> None:
    """Another style makes nobody speak again; `finish` reads what the voice says when."""
    shown = {"captions": {"style": "word", "sidecars": ["srt"]}}
    first, words = keys_of(), keys_of(**shown)
    assert [kind for kind, key in words.items() if key != first[kind]] == ["finish", "deliver"]
    reads = {step.kind.kind: step.reads for step in steps_of(**shown)}
    assert "speak" in reads["finish"]
    asked = spec_of(**shown, detection={"select": "All"}).avatar
    assert asked is not None
    assert published(asked, 5) == ("video-1", "thumbnail-1", "video-2", "thumbnail-2", "captions-srt")


def test_a_039_everybody_has_a_video_of_their_own() -> None:
    """A pair of outputs for each person, at most eight; of one person the names have no number."""
    one, every = spec_of().avatar, spec_of(detection={"select": "All"}).avatar
    assert one is not None
    assert every is not None
    assert published(one, 2) == published(one, 6) == ("video", "thumbnail")
    assert published(every, 0) == published(every, 2) == ("video-1", "thumbnail-1")
    assert published(every, 4) == ("video-1", "thumbnail-1", "video-2", "thumbnail-2")
    assert len(published(every, 40)) == 16


def test_the_fields_of_a_001_have_the_seeds_defaults() -> None:
    """A-001: confidence 0.5 unless the worker class says otherwise, smoothing on; 0.45 and 0.3 as the seeds' project has them."""
    asked = spec_of().avatar
    assert asked is not None
    look = asked.detection
    assert (look.confidence_percent, look.iou_percent, look.second_pass_percent) == (None, 45, 30)
    assert USUAL_CONFIDENCE == 50
    assert asked.matting.smoothing


AGREED = {"subject": "Ada", "reference": "form 7"}


def test_a_queue_may_demand_that_somebody_has_agreed() -> None:
    """Without a word about consent the VideoJob fails at once, and says what to write; with one it goes its way."""
    given = Scene.of(transcode=None, avatar=FACE).set(consent_required=True).settle()
    assert given.condition("Failed") == ("True", "ConsentRequired")
    assert given.condition("Accepted") == ("False", "ConsentRequired")
    failure = given.status.failure
    assert failure is not None
    assert failure.message == "queue default demands spec.avatar.consent, and there is none"
    assert failure.hint is not None
    assert failure.hint.startswith("create the VideoJob anew with avatar.consent")
    assert given.jobs == {}
    for scene in (
        Scene.of(transcode=None, avatar={**FACE, "consent": AGREED}).set(consent_required=True),
        Scene.of(transcode=None, avatar=FACE),
        Scene.of().set(consent_required=True),
    ):
        assert scene.settle().jobs


def test_what_was_accepted_before_the_queue_demanded_consent_goes_on() -> None:
    given = Scene.of(transcode=None, avatar=FACE).settle().set(consent_required=True).settle()
    assert given.status.phase == "Running"


def test_a_041_a_video_stays_one_for_the_provider_that_is_built_in_and_is_a_picture_for_all_others() -> None:
    """Keys of those who pay for a talk are what they were."""
    given = {step.kind.kind: step.params.dump() for step in steps_of()}["upload"]
    assert given["moving"] is True
    for provider in ({"name": "command"}, ONLINE):
        steps = {step.kind.kind: step.params.dump() for step in steps_of(provider=provider)}
        assert "moving" not in steps["upload"]
