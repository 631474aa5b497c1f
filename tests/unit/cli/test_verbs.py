"""cancel, retry, suspend, resume and the dead letters, as a program calls them and as people read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli_api import HandApi
from videojob_cli import show, verbs
from videojob_cli.client import VideoJobs
from videojob_cli.errors import CliError, Exit

JOBS = "/apis/videojob.dev/v1alpha1/namespaces/team/videojobs"
CANCEL, RETRY = "videojob.dev/cancel", "videojob.dev/retry"
LETTER = {"videojob.dev/dead-letter": "true"}


def a_cluster(tmp_path: Path, phase: str | None, **status: Any) -> HandApi:
    api = HandApi(tmp_path, "team")
    api.put(f"{JOBS}/trailer", spec={}, status={"phase": phase, **status} if phase else {})
    return api


def trailer(api: HandApi) -> dict[str, Any]:
    return api.objects[f"{JOBS}/trailer"]


@dataclass(frozen=True)
class Case:
    """A verb on a VideoJob in a phase, and the sentence against it; without one it is taken."""

    verb: str
    phase: str | None
    expect: str = ""


VERBS: dict[str, Callable[[VideoJobs], None]] = {
    "cancel": lambda jobs: jobs.cancel("trailer"),
    "retry": lambda jobs: jobs.retry("trailer"),
    "dlq retry": lambda jobs: jobs.retry("trailer", dead=True),
    "suspend": lambda jobs: jobs.suspend("trailer", on=True),
    "resume": lambda jobs: jobs.suspend("trailer", on=False),
}
CASES = (
    *(Case("cancel", phase) for phase in (None, "Pending", "Queued", "Running", "Suspended")),
    *(
        Case("cancel", phase, f"VideoJob trailer has ended as {phase}: there is nothing to cancel.")
        for phase in ("Succeeded", "Failed", "Cancelled")
    ),
    Case("retry", "Failed"),
    Case("retry", "Cancelled"),
    *(
        Case("retry", phase, f"VideoJob trailer is {phase or 'new'}: only what Failed or was Cancelled can be retried;")
        for phase in (None, "Running", "Succeeded")
    ),
    Case("dlq retry", "Failed"),
    Case("dlq retry", "Cancelled", "VideoJob trailer is Cancelled: only a Failed one is a dead letter;"),
    *(Case(verb, phase) for verb in ("suspend", "resume") for phase in (None, "Running", "Suspended")),
    Case("suspend", "Succeeded", "VideoJob trailer has ended as Succeeded: nothing of it starts any more."),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.verb} while {case.phase or 'nobody has seen it'}")
def test_a_verb_is_asked_for_or_refused_with_a_sentence(tmp_path: Path, case: Case) -> None:
    """T-005, X-008: what would do nothing is not asked for."""
    api = a_cluster(tmp_path, case.phase)
    jobs = VideoJobs(api)
    if case.expect:
        with pytest.raises(CliError) as refused:
            VERBS[case.verb](jobs)
        assert refused.value.message.startswith(case.expect)
        assert [method for method, _ in api.requests] == ["GET"], "nothing was written"
        return
    VERBS[case.verb](jobs)
    asked = trailer(api)["metadata"].get("annotations", {})
    match case.verb:
        case "cancel":
            assert list(asked) == [CANCEL]
        case "retry" | "dlq retry":
            assert list(asked) == [RETRY]
        case _:
            assert trailer(api)["spec"] == {"suspend": case.verb == "suspend"}
    assert all(asked.values())


def test_each_time_is_another_nonce(tmp_path: Path) -> None:
    """Case 53: a second retry is one, also within the same second."""
    api = a_cluster(tmp_path, "Failed")
    nonces = set()
    for _ in range(5):
        VideoJobs(api).retry("trailer")
        nonces.add(trailer(api)["metadata"]["annotations"][RETRY])
    assert len(nonces) == 5


def test_a_retry_from_a_stage_or_an_output(tmp_path: Path) -> None:
    """What the VideoJob has is asked for in the nonce; anything else is refused with the choice."""
    known = {"stages": [{"name": "Ingest"}, {"name": "Transcode"}], "plan": {"outputs": [{"name": "720p"}]}}
    for start in ("Transcode", "720p"):
        api = a_cluster(tmp_path, "Failed", **known)
        VideoJobs(api).retry("trailer", start=start)
        assert trailer(api)["metadata"]["annotations"][RETRY].endswith(f";from={start}")
    api = a_cluster(tmp_path, "Failed", **known)
    with pytest.raises(CliError, match=r"has no stage or output transcode: use one of Ingest, Transcode, 720p\."):
        VideoJobs(api).retry("trailer", start="transcode")
    assert [method for method, _ in api.requests] == ["GET"]


def test_dead_letters_are_driven_again_by_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T-005: those with the labels, and no others; one that is refused keeps nobody else."""
    api = HandApi(tmp_path, "team")
    for name, phase, team in (("a", "Failed", "news"), ("b", "Failed", "sport"), ("c", "Running", "news")):
        api.put(f"{JOBS}/{name}", spec={}, status={"phase": phase})
        api.objects[f"{JOBS}/{name}"]["metadata"]["labels"] = {**LETTER, "team": team}
    jobs = VideoJobs(api)
    assert verbs.dead_letters(jobs, "team=news") == ["a", "c"]
    assert verbs.dead_letters(jobs, None) == ["a", "b", "c"]
    assert verbs.retry_all(jobs, ["c", "a"]) == 1, "c runs again already"
    asked = {name: RETRY in api.objects[f"{JOBS}/{name}"]["metadata"].get("annotations", {}) for name in "abc"}
    assert asked == {"a": True, "b": False, "c": False}
    said = capsys.readouterr()
    assert "VideoJob c is Running: only a Failed one is a dead letter" in said.out + said.err
    assert "videojob.videojob.dev/a is queued again" in said.out + said.err


def test_a_verb_on_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="Namespace team has no VideoJob trailer"):
        VideoJobs(HandApi(tmp_path, "team")).cancel("trailer")


def test_dead_letters_are_listed_with_their_reasons(tmp_path: Path) -> None:
    """T-005: by label; one line each, whatever the message has in it."""
    failure = {"code": "SourceNotFound", "stage": "Ingest", "message": "no file\nstore://inbox/00"}
    api = a_cluster(tmp_path, "Failed", failure=failure, attempts=1)
    trailer(api)["metadata"]["labels"] = LETTER
    api.put(f"{JOBS}/fine", spec={}, status={"phase": "Succeeded"})
    found = VideoJobs(api).list(selector="videojob.dev/dead-letter=true")
    assert [job["metadata"]["name"] for job in found] == ["trailer"]
    assert show.dead_letters(found, namespaces=True).split("\n") == [
        "NAMESPACE   NAME      CODE             STAGE    ATTEMPTS   FAILED   MESSAGE",
        "team        trailer   SourceNotFound   Ingest   1          -        no file store://inbox/00",
    ]


def test_outputs_of_what_published_nothing_say_why(tmp_path: Path) -> None:
    """X-002: cancelled, or stopped before the publication as it was asked to."""
    with pytest.raises(CliError, match="ended as Cancelled and published nothing: it was asked to end") as cancelled:
        VideoJobs(a_cluster(tmp_path, "Cancelled")).outputs("trailer")
    assert cancelled.value.code == Exit.JOB_FAILED
    with pytest.raises(CliError, match=r"published nothing: its spec\.stopAfter ended it after Verify"):
        VideoJobs(a_cluster(tmp_path, "Succeeded", stage="Verify")).outputs("trailer")


def test_the_reason_of_a_cancelled_job(tmp_path: Path) -> None:
    api = a_cluster(tmp_path, "Cancelled")
    assert show.failure(trailer(api)) == ["It was asked to end; `videojob retry trailer` drives it again."]
