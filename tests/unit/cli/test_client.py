"""submit, status, wait, outputs against a cluster in the hand: all that moves no file (S-006, X-026)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli_api import ACCOUNT, JOBS, STORE, HandApi, a_team
from videojob_cli.client import VideoJobs
from videojob_cli.errors import ApiError, CliError, Exit

BODY = bytes(range(251)) * 9000


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HandApi:
    monkeypatch.delenv("VIDEOJOB_WORKER_IMAGE", raising=False)
    return a_team(tmp_path / "volume")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "My Clip (1).mp4"
    path.write_bytes(BODY)
    return path


def test_a_file_too_large_never_makes_a_pod(api: HandApi, clip: Path) -> None:
    """T-014, T-021: refused before anything is created."""
    with pytest.raises(CliError, match=r"File too large: .* has 2259000 bytes, limits.maxInputSize allows 1048576"):
        VideoJobs(api).submit_file(clip, max_size="1Mi")
    assert api.requests == []


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda api: api.objects.pop(STORE), "videojob init -n team"),
        (lambda api: api.objects.pop(ACCOUNT), "has no ServiceAccount videojob-worker"),
        (lambda api: api.objects[ACCOUNT]["metadata"].pop("annotations"), "no annotation videojob.dev/worker-image"),
        (
            lambda api: api.refuse.update({("POST", "pods"): ApiError("exceeded quota: small", 403, "Forbidden")}),
            "exceeded quota",
        ),
        (
            lambda api: api.pod_status.update(phase="Pending", containerStatuses=[
                {"state": {"waiting": {"reason": "InvalidImageName", "message": "bad reference"}}}
            ]),
            "did not start .InvalidImageName: bad reference",
        ),
        (lambda api: api.pod_status.update(phase="Failed"), "did not start"),
    ],
    ids=["no store", "no worker account", "no image", "a quota", "a bad image", "a pod that fails"],
)  # fmt: skip
def test_what_is_missing_is_named_with_its_remedy(api: HandApi, clip: Path, break_it: Any, says: str) -> None:
    break_it(api)
    with pytest.raises(CliError, match=says):
        VideoJobs(api).submit_file(clip)
    assert api.pods() == []
    assert not [path for path in api.objects if path.startswith(JOBS)]


# ---------------------------------------------------------------- wait


def seen(phase: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "trailer", "resourceVersion": "2"}, "status": {"phase": phase, **status}}


def test_wait_follows_to_the_end_and_survives_watches_that_break(api: HandApi) -> None:
    """S-006: a watch that ends or is too old is begun anew from the object as it is."""
    api.put(f"{JOBS}/trailer", status={"phase": "Queued"})
    api.events = [
        [{"type": "MODIFIED", "object": seen("Running")}],
        [{"type": "MODIFIED", "object": seen("Succeeded")}],
    ]
    phases: list[str] = []
    job = VideoJobs(api).wait("trailer", seconds=60, changed=lambda job: phases.append(job["status"]["phase"]))
    assert job["status"]["phase"] == "Succeeded"
    assert phases == ["Queued", "Running", "Queued", "Succeeded"]


def test_wait_gives_up_in_time_with_a_code_of_its_own(api: HandApi) -> None:
    api.put(f"{JOBS}/trailer", status={"phase": "Running"})
    api.events = [[]]
    with pytest.raises(CliError, match=r"is not finished after 0 s .phase Running.; it goes on") as caught:
        VideoJobs(api).wait("trailer", seconds=0)
    assert caught.value.code is Exit.TIMEOUT


class Blinking(HandApi):
    """An API server that does not answer the next few questions for a VideoJob."""

    silent = 0
    error = ApiError("The API server at https://x does not answer: is the cluster up?", 0)

    def request(self, method: str, path: str, *rest: Any) -> dict[str, Any]:
        if method == "GET" and path.startswith(JOBS) and self.silent > 0:
            self.silent -= 1
            raise self.error
        return super().request(method, path, *rest)


class Time:
    """A clock that only sleeping moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Blink:
    name: str
    silent: int
    seconds: float | None = None
    says: str = ""
    code: Exit = Exit.ERROR
    error: ApiError = Blinking.error


BLINKS = (
    Blink("a blink is nothing", 20),
    Blink(
        "without a time limit a minute", 1000, says="does not answer.* VideoJob team/trailer was not heard of for 60 s"
    ),
    Blink("with one, to its end", 150, seconds=200),
    Blink("and no longer", 1000, seconds=200, says="is not finished after 200 s.*does not answer", code=Exit.TIMEOUT),
    Blink("a refusal is none", 1000, says="log in again", error=ApiError("log in again", 401, "Unauthorized")),
)


@pytest.mark.parametrize("case", BLINKS, ids=lambda case: case.name)
def test_an_api_server_that_does_not_answer_for_a_while(case: Blink, tmp_path: Path) -> None:
    """S-006: an upgrade of the control plane does not end a wait, a cluster that is gone does."""
    api, time = Blinking(tmp_path / "volume", "team"), Time()
    api.error = case.error
    api.put(f"{JOBS}/trailer", status={"phase": "Running"})
    api.events = [[], [{"type": "MODIFIED", "object": seen("Succeeded")}]]

    def changed(job: dict[str, Any]) -> None:
        if time.now == 0:  # after the first answer it falls silent
            api.silent = case.silent

    jobs = VideoJobs(api, clock=time, sleep=time.sleep)
    if not case.says:
        assert jobs.wait("trailer", seconds=case.seconds, changed=changed)["status"]["phase"] == "Succeeded"
        assert time.now >= case.silent
        return
    with pytest.raises(CliError, match=case.says) as caught:
        jobs.wait("trailer", seconds=case.seconds, changed=changed)
    assert caught.value.code is case.code


def test_wait_tells_that_the_job_was_deleted(api: HandApi) -> None:
    api.put(f"{JOBS}/trailer", status={"phase": "Running"})
    api.events = [[{"type": "DELETED", "object": seen("Running")}]]
    with pytest.raises(CliError, match="was deleted while"):
        VideoJobs(api).wait("trailer")


def test_status_of_a_job_that_is_not_there(api: HandApi) -> None:
    with pytest.raises(CliError, match="Namespace team has no VideoJob trailer: `videojob list -n team`"):
        VideoJobs(api).status("trailer")


@pytest.mark.parametrize(
    ("status", "says", "code"),
    [
        ({"phase": "Running"}, "no outputs yet .phase Running.", Exit.ERROR),
        ({}, "no outputs yet .phase unknown.", Exit.ERROR),
        ({"phase": "Failed", "failure": {"message": "File too large"}}, "File too large", Exit.JOB_FAILED),
    ],
    ids=["still running", "not seen yet", "failed"],
)
def test_why_there_are_no_outputs(api: HandApi, status: dict[str, Any], says: str, code: Exit) -> None:
    api.put(f"{JOBS}/trailer", status=status)
    with pytest.raises(CliError, match=says) as caught:
        VideoJobs(api).outputs("trailer")
    assert caught.value.code is code
