"""A status stays below 32 KiB whatever went into it, and what is decided on stays whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import BUILTINS, NOW, SHA, Scene, a_failure, an_input, an_output
from videojob_api.contract import canonical_json
from videojob_api.story.templates import MAX_FILLED_BYTES
from videojob_api.v1alpha1 import (
    ConditionStatus,
    FailureStatus,
    HistoryEntry,
    NotifyStatus,
    OutputStatus,
    PlannedGroup,
    PlannedOutput,
    PlannedTemplate,
    PlanStatus,
    ProgressStatus,
    PublishStatus,
    QueueStatus,
    RetentionStatus,
    StageStatus,
    StoryMetadata,
    StoryStatus,
    VideoJobStatus,
)
from videojob_api.v1alpha1.publish import MAX_PLATFORMS, MAX_PROBLEMS
from videojob_api.v1alpha1.story_status import VariantStatus
from videojob_api.v1alpha1.story_variants import MAX_VARIANTS
from videojob_operator.decide.bounds import MAX_BYTES, STEPS, bounded, cut, size
from videojob_operator.decide.history import KEPT, MESSAGE_LENGTH
from videojob_operator.decide.job.results import MAX_INPUT_BYTES, MAX_OUTPUT_BYTES, MAX_OUTPUTS_BYTES

CHARACTERS = st.sampled_from(["a", "\u00e9", "\u754c", "\U0001f600", '"', "\\", "\x01", "\n", "<"])
UID = "u" * 36
SPEC = {
    "outputName": "n" * 63,
    "rendition": {
        "container": "webm",
        "video": {"codec": "vp9", "width": 7680, "height": 7680, "bitrate": "999999k", "preset": "ultrafast"}
        | {"maxFrameRate": 120},
        "audio": {"codec": "opus", "bitrate": "999999k", "channels": 2},
    },
}
"""The longest profile there can be."""


@st.composite
def texts(draw: st.DrawFn, longest: int) -> str:
    """One character many times: what counts is how many bytes it takes."""
    return draw(CHARACTERS) * draw(st.sampled_from((0, 1, longest // 2, longest)))


def filled(output: OutputStatus, text: str, most: int = MAX_OUTPUT_BYTES) -> OutputStatus:
    """An output with as long a text as a worker's result may carry."""
    bare = output.model_copy(update={"video_codec": ""})
    return output.model_copy(update={"video_codec": cut(text, most - len(canonical_json(bare.dump())))})


@st.composite
def statuses(draw: st.DrawFn) -> VideoJobStatus:
    """Everything at once, each text as long as those who write it let it be."""
    name = "n" * draw(st.sampled_from((1, 63)))
    stages = draw(st.integers(1, 14))
    platforms = draw(st.integers(0, MAX_PLATFORMS))
    tale = platforms > 0 or draw(st.booleans())  # what goes to platforms is a story
    count = draw(st.integers(0, 5 * (MAX_VARIANTS + 1) if tale else 16))
    planned = PlannedOutput(profile="p" * len(name), name=name, spec=SPEC)
    output, facts = an_output(planned, UID), draw(texts(900))
    if tale:
        output = an_output(PlannedOutput(profile="story", name=f"captions-srt-{'v' * 16}", spec=SPEC), UID)
    share = min(MAX_OUTPUT_BYTES, MAX_OUTPUTS_BYTES // max(1, count))
    brought = PlannedTemplate(
        profile=name, namespace=name, story={"script": {"text": draw(texts(MAX_FILLED_BYTES // 6))}}
    )
    source = an_input().model_copy(update={"filename": "", "video_codec": ""})
    room = MAX_INPUT_BYTES - len(canonical_json(source.dump()))
    failed = draw(st.booleans())
    said = tuple(draw(texts(300)) for _ in range(draw(st.integers(0, 8))))
    words = draw(texts(80))
    kind = PlanStatus(
        execution="Spread", image="i" * 300, claim_name="c" * 253, outputs=() if tale else (planned,) * count,
        template=brought if tale else None,
        groups=tuple(PlannedGroup(name=f"group{n}", stages=(f"BackgroundRemoval{n}",), slot="cpu") for n in range(stages)),
    )  # fmt: skip
    return VideoJobStatus(
        phase="Failed" if failed else "Succeeded", type="Transcode", stage="BackgroundRemoval1", plan=kind,
        observed_retry=draw(texts(128)), observed_cancel=draw(texts(128)), queued_time=NOW, completion_time=NOW,
        progress=ProgressStatus(percent=50, summary="50%", message=draw(texts(500))),
        queue=QueueStatus(name=name, reason="WaitingForSlot", since=NOW, message=draw(texts(500))),
        retention=RetentionStatus(
            uploads_expires_at=NOW, processed_expires_at=NOW, videos_expires_at=NOW, debug_expires_at=NOW,
            changed_time=NOW, message=draw(texts(300)),
        ),
        conditions=tuple(
            ConditionStatus(type=f"DeadLettered{n}", status="True", reason="AttemptsExhausted", message=draw(texts(1000)),
                            observed_generation=9, last_transition_time=NOW)
            for n in range(9)
        ),
        history=tuple(
            HistoryEntry(sequence=n, time=NOW, event="processing_completed", phase="Succeeded", attempt=3,
                         stage="BackgroundRemoval1", message=draw(texts(MESSAGE_LENGTH)))
            for n in range(KEPT)
        ),
        notify=tuple(
            NotifyStatus(name=f"notify-1234567{n}", host="h" * 253, state="Retrying", next_retry_time=NOW,
                         message=draw(texts(300)))
            for n in range(draw(st.integers(0, 4)))
        ),
        stages=tuple(
            StageStatus(name=f"BackgroundRemoval{n}", group=f"group{n}", job="j" * 63, slot="birefnet", key="k" * 32,
                        attempt=3, failures=2, start_time=NOW, completion_time=NOW, cpu_seconds=1234.567,
                        gpu_seconds=1234.567, message=draw(texts(200)), degraded=said or None, notes=said or None)
            for n in range(stages)
        ),
        story=StoryStatus.model_construct(
            title=draw(texts(200)), scenes=500,
            metadata=StoryMetadata.model_construct(description=draw(texts(200)), tags=(words,) * 10, hashtags=(words,) * 16),
            variants=(VariantStatus.model_construct(name="v" * 16, title=draw(texts(200))),) * MAX_VARIANTS,
        ) if tale else None,
        input=source.model_copy(update={"filename": cut(draw(texts(2000)), room)}),
        failure=FailureStatus(
            failure_class="Recoverable", code="C" * 64, stage="BackgroundRemoval1", attempt=3, exit_code=75, time=NOW,
            message=draw(texts(1000)), hint=draw(texts(1000)), log_tail=draw(texts(2000)),
        ) if failed else None,
        publish=tuple(
            PublishStatus.model_construct(
                platform=f"instagram_stories{n}", state="QueuedManual", message=draw(texts(300)), id="i" * 128,
                url=f"https://{'u' * 292}", validation=("v" * 120,) * MAX_PROBLEMS, attempts=1000, time=NOW,
            ) for n in range(platforms)
        ),
        outputs=() if failed else (filled(output, facts, share),) * count,
    )  # fmt: skip


def decided_on(status: VideoJobStatus) -> dict[str, Any]:
    """What later decisions read: none of it may be lost to a long text."""
    body = status.dump()
    for part in ("progress", "queue", "retention", "history", "input"):
        body.pop(part, None)
    body["conditions"] = [(entry["type"], entry["status"], entry["reason"]) for entry in body["conditions"]]
    said = {"message": "", "notes": None}
    body["stages"] = [{**stage, **said, "degraded": bool(stage.get("degraded"))} for stage in body["stages"]]
    body["story"] = {**body.get("story", {}), "metadata": None, "variants": None}
    body["notify"] = [{**row, "message": ""} for row in body.get("notify", ())]
    body["publish"] = [(row["platform"], row["state"], row["attempts"]) for row in body.get("publish", ())]
    body["outputs"] = [(row["name"], row["uri"], row["sizeBytes"], row["sha256"]) for row in body.get("outputs", ())]
    body["failure"] = {key: body.get("failure", {}).get(key) for key in ("class", "code", "stage", "attempt")}
    return body


@settings(max_examples=300)
@given(statuses())
def test_a_status_stays_below_32_kib_whatever_went_into_it(status: VideoJobStatus) -> None:
    """Case 57 for the status: long names, many outputs, long failures, twenty entries, as many stages as a story has."""
    found = bounded(status)
    stored = canonical_json(found.dump())
    assert len(stored) == size(found) <= MAX_BYTES < 32 * 1024
    assert bounded(found) is found, "a second look finds nothing to write"
    assert decided_on(found) == decided_on(status)
    assert found.history[-1].sequence == KEPT - 1
    assert VideoJobStatus.model_validate_json(stored) == found
    if found.failure is not None:
        assert found.failure.message or not status.failure.message  # type: ignore[union-attr]  # both have one


def test_every_step_has_to_be_there_for_the_worst_of_them() -> None:
    """The generator above reaches the last step: it is not the first that saves the day."""
    worst = VideoJobStatus(
        conditions=tuple(
            ConditionStatus(type=f"T{n}", status="True", reason="R", message="\x01" * 1000, last_transition_time=NOW)
            for n in range(9)
        ),
        outputs=tuple(
            filled(an_output(PlannedOutput(profile="p" * 63, name="n" * 63, spec=SPEC), UID), "x" * 900)
            for _ in range(16)
        ),
        plan=PlanStatus(
            execution="Compact",
            image="i" * 300,
            outputs=(PlannedOutput(profile="p" * 63, name="n" * 63, spec=SPEC),) * 16,
        ),
        stages=tuple(
            StageStatus(name=f"S{n}", group="main", job="j" * 63, key="k" * 32, start_time=NOW, completion_time=NOW)
            for n in range(30)
        ),
    )
    assert size(worst) > MAX_BYTES
    for step in STEPS[:-1]:
        worst = step(worst)
    assert size(worst) > MAX_BYTES, "the last step is never needed: take it away"
    assert size(STEPS[-1](worst)) <= MAX_BYTES


def test_a_status_that_fits_is_left_alone() -> None:
    status = Scene.of().settle().succeed("main-a1").settle().status
    assert bounded(status) is status


@pytest.mark.parametrize("character", ["a", "\u00e9", "\u754c", "\U0001f600", '"', "\x01"], ids=ascii)
def test_a_text_is_cut_by_the_bytes_it_takes(character: str) -> None:
    found = cut(character * 500, 300)
    assert 294 < len(canonical_json(found)) - 2 <= 300
    assert cut(found, 300) == found


@pytest.mark.parametrize("ends", ["failed", "told"])
def test_a_status_with_the_longest_words_of_a_worker_is_bounded_where_it_is_built(ends: str) -> None:
    """Through plan(): sixteen outputs, a failure of the longest texts; and after the end, when only webhooks still write."""
    hooks = [{"url": f"https://{n}.{'h' * 60}.example/{'p' * 900}"} for n in range(4)]
    names = [f"{'p' * 60}{n:02}" for n in range(16)]
    scene = Scene.of(notify=hooks, transcode={"source": {"uri": f"store://inbox/{SHA}"}, "profiles": names})
    scene.set(profiles=tuple(replace(BUILTINS[0], name=name) for name in names)).settle()
    said = a_failure("X" * 5000).model_copy(
        update={"message": "\x01" * 5000, "hint": "\x01" * 5000, "log_tail": "\x01" * 9000}
    )
    scene.fail("main-a1", 65 if ends == "told" else 75, said).settle()
    assert scene.status.failure is not None
    assert size(scene.status) <= MAX_BYTES
    assert [output.profile for output in scene.status.plan.outputs] == names  # type: ignore[union-attr]  # it was planned
