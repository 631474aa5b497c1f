"""D-ID's contract against a server that has all of it (A-021, A-029, A-046): what is asked, what refusals mean, what is paid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import avatars
import voices
from didserver import CELEBRITY, HANG_UP, KEY, MP4, SLOW, DidServer, did, problem
from videojob_worker.base.errors import External, Permanent, Recoverable, WorkerError
from videojob_worker.providers.avatars.base import VIDEO, Errand, Performance
from videojob_worker.storage.ledger import Ledger
from webserver import reply

DIGEST = hashlib.sha256(MP4).hexdigest()


def asked(folder: Path, server: DidServer, **more: Any) -> Performance:
    """One attempt."""
    return avatars.perform(given(folder, server, **more))


def given(folder: Path, server: DidServer, **more: Any) -> Errand:
    return avatars.errand(folder, "did", **{"key": KEY, "endpoint": server.url, **more})


def failure(folder: Path, server: DidServer, **more: Any) -> WorkerError:
    """What an attempt ends with."""
    with pytest.raises(WorkerError) as caught:
        asked(folder, server, **more)
    return caught.value


def test_a_portrait_and_a_voice_become_a_video_and_nothing_stays_there(tmp_path: Path) -> None:
    """A-021, C16: the order of steps, the video at home before anything is deleted there."""
    with did() as server:
        found = asked(tmp_path, server)
        assert (found.sha256, found.size_bytes, found.path.read_bytes()) == (DIGEST, len(MP4), MP4)
        assert server.asked == [
            "credits", "image", "audio", "talk", "look", "look", "look", "video", "delete talk", "delete image",
            "delete audio",
        ]  # fmt: skip
        assert (server.talks, server.files, server.billed, found.notes) == ({}, {}, 1, ())


def test_what_a_talk_is_asked_for(tmp_path: Path) -> None:
    with did() as server:
        asked(
            tmp_path,
            server,
            stitch=False,
            padAudioMs=500,
            expression="happy",
            intensityPercent=60,
            driver="bank://lively/",
        )
        assert server.server is not None
        body = next(json.loads(one.body) for one in server.server.seen if one.method == "POST" and one.path == "/talks")
    assert body["script"]["type"] == "audio"
    assert body["config"] == {
        "stitch": False, "fluent": False, "pad_audio": 0.5, "result_format": "mp4",
        "driver_expressions": {"expressions": [{"start_frame": 0, "expression": "happy", "intensity": 0.6}]},
    }  # fmt: skip
    assert (body["driver_url"], body["name"], body["user_data"]) == ("bank://lively/", "uid-1.abc.1", "uid-1.abc.1")


@pytest.mark.parametrize("key", [KEY, f"Basic {KEY}"])
def test_a_021_the_key_goes_over_the_wire_as_the_console_shows_it(tmp_path: Path, key: str) -> None:
    with did() as server:
        assert asked(tmp_path, server, key=key).sha256 == DIGEST


def test_nothing_of_the_key_is_told_or_kept(tmp_path: Path) -> None:
    """I12."""
    with did(faults=[("talk", problem(400, "BadRequestError", f"you sent Basic {KEY}"))]) as server:
        error = failure(tmp_path, server)
    kept = (tmp_path / "paid" / "talk.json").read_text()
    assert "sEcReT" not in kept + error.status("AvatarGeneration", 1).message


@dataclass(frozen=True)
class Case:
    """What D-ID answers to a request, and what that means."""

    name: str
    step: str
    answer: Any
    kind: type[WorkerError]
    code: str = "AvatarGenerationError"
    said: str = ""
    wait: int | None = None
    """Retry-After."""
    again: int = 1
    """Talks that are paid after another attempt, which nothing disturbs."""


REFUSALS = (
    Case("400 is the request's fault", "talk", problem(400, "BadRequestError", "Failed to validate script"), Permanent,
         said="BadRequestError: Failed to validate script"),
    Case("401 waits for a Secret", "talk", problem(401, "AuthorizationError", "user unauthenticated"), External,
         "ProviderCredentials", "AuthorizationError", 900),
    Case("402 waits for credits", "talk", problem(402, "InsufficientCreditsError", "not enough credits"), External,
         "ProviderCredit", "not enough credits", 900),
    Case("403 is the key's fault", "talk", problem(403, "PermissionError", "not allowed"), Permanent, said="not allowed"),
    Case("429 waits a minute", "talk", problem(429, "TooManyRequestsError", "slow down"), External, said="slow down", wait=60),
    Case("429 waits as it is told", "talk", problem(429, "TooManyRequestsError", "slow", headers=("Retry-After: 17",)), External,
         wait=17),
    Case("451 names the celebrity", "talk", CELEBRITY, Permanent, said="celebrity Grace Hopper"),
    Case("an upload's outage", "image", problem(503, "ServiceUnavailable", "outage"), External, wait=60),
    Case("an upload's limit", "audio", problem(429, "TooManyRequestsError", "slow", headers=("Retry-After: 90",)), External,
         wait=90),
    Case("an upload that is hung up on", "image", HANG_UP, External, wait=60),
    Case("credits that cannot be told", "credits", problem(500, "InternalError", "oops"), External, wait=60),
)  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_what_a_refusal_means_and_that_it_is_not_paid(tmp_path: Path, case: Case) -> None:
    """A-029, A-034: class, Retry-After, D-ID's own words, something to do; the intent is taken back."""
    with did(faults=[(case.step, case.answer)]) as server:
        error = failure(tmp_path, server)
        assert (type(error), error.code, error.retry_after_seconds) == (case.kind, case.code, case.wait)
        assert case.said in error.message
        assert error.hint
        assert server.billed == 0
        assert asked(tmp_path, server).sha256 == DIGEST
        assert server.billed == case.again


def test_an_account_without_credits_is_asked_for_nothing(tmp_path: Path) -> None:
    with did(credits=0) as server:
        error = failure(tmp_path, server)
        assert (error.code, server.asked) == ("ProviderCredit", ["credits"])
        server.credits = 1
        assert asked(tmp_path, server).sha256 == DIGEST


def test_an_account_that_may_not_ask_for_its_credits_goes_on(tmp_path: Path) -> None:
    with did(faults=[("credits", problem(403, "PermissionError", "no"))]) as server:
        assert asked(tmp_path, server).sha256 == DIGEST


# ---------------------------------------------------------------- answers that were lost


@pytest.mark.parametrize("lost", [SLOW, HANG_UP, reply(b"{", "201 Created"), reply(b"[]", "201 Created")],
                         ids=["504", "hung up", "half an answer", "another answer"])  # fmt: skip
def test_a_talk_whose_answer_was_lost_is_found_by_its_name(tmp_path: Path, lost: Any) -> None:
    """The 504 of a slow text is one: the talk is there all the same."""
    with did(lost=[("talk", lost)]) as server:
        assert asked(tmp_path, server).sha256 == DIGEST
        assert (server.billed, server.asked.count("talk"), server.asked.count("list")) == (1, 1, 1)


@pytest.mark.parametrize("how", [{"terse": True}, {"page": 2}], ids=["a list without names", "a list of pages"])
def test_the_name_is_found_among_others(tmp_path: Path, how: dict[str, Any]) -> None:
    with did(lost=[("talk", HANG_UP)], **how) as server:
        for place in range(5):
            assert asked(tmp_path / f"other{place}", server, tag=f"uid-{place}.other").id
        server.lost = [("talk", HANG_UP)]
        found = asked(tmp_path, server)
        assert (found.sha256, server.billed) == (DIGEST, 6)


def test_a_talk_that_is_listed_late_is_waited_for(tmp_path: Path) -> None:
    with did(lost=[("talk", HANG_UP)], unlisted=2) as server:
        assert asked(tmp_path, server).sha256 == DIGEST
        assert server.asked.count("list") == 3


def test_a_talk_that_nobody_finds_is_maybe_billed_and_never_asked_for_again(tmp_path: Path) -> None:
    """Also not by any later attempt: a person decides."""
    with did(faults=[("talk", SLOW)]) as server:
        for _ in range(3):
            error = failure(tmp_path, server)
            assert (type(error), error.code) == (Permanent, "MaybeBilled")
            assert "maybe billed" in error.message
        assert (server.asked.count("talk"), server.billed) == (1, 0)
        # Driven again from this stage the work has another key: another name, another record.
        again = replace(
            given(tmp_path, server, tag="uid-1.def"),
            ledger=Ledger(tmp_path / "paid" / "other.json"),
            keep=tmp_path / "work",
        )
        assert avatars.perform(again).sha256 == DIGEST


def test_while_nobody_can_look_nobody_asks(tmp_path: Path) -> None:
    outage = problem(503, "ServiceUnavailable", "outage")
    with did(lost=[("talk", outage)], faults=[("list", outage), ("list", outage)]) as server:
        for _ in range(2):
            assert isinstance(failure(tmp_path, server), External)
        assert asked(tmp_path, server).sha256 == DIGEST
        assert (server.billed, server.asked.count("talk")) == (1, 1)


def test_a_server_that_is_not_there_was_asked_for_nothing(tmp_path: Path) -> None:
    """The way to it broke between the uploads and the talk."""
    with did() as server:
        errand = given(tmp_path, server)
        reach = errand.means.exchange

        def broken(request: Any, policy: Any, **how: Any) -> Any:
            away = request.url.endswith("/talks") and request.method == "POST"
            return reach(replace(request, url="http://127.0.0.1:9/talks") if away else request, policy, **how)

        with pytest.raises(External) as caught:
            avatars.perform(replace(errand, means=replace(errand.means, exchange=broken)))
        assert "cannot be reached" in caught.value.message
        assert asked(tmp_path, server).sha256 == DIGEST
        assert (server.billed, server.asked.count("image"), server.asked.count("list")) == (1, 1, 0)


def test_two_pods_at_once_ask_for_one_talk(tmp_path: Path) -> None:
    """A pod that ought to be gone is not: both saw that nothing was asked for."""
    with did() as server:
        first, second = given(tmp_path, server), given(tmp_path, server)
        assert avatars.perform(first).sha256 == DIGEST
        with pytest.raises(Permanent) as caught:
            avatars.perform(second)
        assert (caught.value.code, server.billed) == ("MaybeBilled", 1)


def test_a_record_that_cannot_be_read_is_no_licence_to_pay(tmp_path: Path) -> None:
    with did() as server:
        (tmp_path / "paid").mkdir()
        (tmp_path / "paid" / "talk.json").write_text("{")
        assert failure(tmp_path, server).code == "MaybeBilled"
        assert server.asked == []


# ---------------------------------------------------------------- waiting, and bringing home


def test_an_outage_while_a_talk_is_made_is_waited_out_by_its_id(tmp_path: Path) -> None:
    """A-029: External, and the next attempt asks for the same talk, by GET first."""
    outage = problem(503, "ServiceUnavailable", "outage")
    with did(faults=[("look", outage)] * 5) as server:
        assert isinstance(failure(tmp_path, server), External)
        before = len(server.asked)
        assert asked(tmp_path, server).sha256 == DIGEST
        assert (server.asked[before], server.billed) == ("look", 1)


def test_a_poll_that_fails_now_and_then_ends_nothing(tmp_path: Path) -> None:
    faults = [("look", SLOW), ("look", problem(429, "TooManyRequestsError", "slow", headers=("Retry-After: 1",)))]
    with did(faults=faults) as server:
        assert asked(tmp_path, server).sha256 == DIGEST


def test_a_talk_that_takes_too_long_is_waited_for_by_the_next_attempt(tmp_path: Path) -> None:
    with did(states=("created", *["started"] * 5, "done")) as server:
        error = failure(tmp_path, server, patienceSeconds=15)
        assert isinstance(error, External)
        assert "patienceSeconds" in str(error.hint)
        assert asked(tmp_path, server).sha256 == DIGEST
        assert (server.billed, server.asked.count("image")) == (1, 1)


def test_rejected_is_permanent_and_says_why(tmp_path: Path) -> None:
    with did(
        states=("created", "rejected"), failure={"kind": "ModerationError", "description": "explicit text"}
    ) as server:
        error = failure(tmp_path, server)
        assert isinstance(error, Permanent)
        assert "explicit text" in error.message
        assert server.billed == 0


def test_a_talk_that_ended_in_an_error_is_not_paid_and_another_is_asked_for(tmp_path: Path) -> None:
    with did(states=("created", "error"), failure={"description": "face is too small"}) as server:
        error = failure(tmp_path, server)
        assert isinstance(error, External)
        assert "face is too small" in error.message
        server.states = ("done",)
        assert asked(tmp_path, server).sha256 == DIGEST
        assert server.billed == 1


def test_a_status_that_is_not_known_pays_for_nothing_more(tmp_path: Path) -> None:
    with did(states=("paused",)) as server:
        assert isinstance(failure(tmp_path, server), Recoverable)
        server.states = ("done",)
        assert asked(tmp_path, server).sha256 == DIGEST
        assert server.billed == 1


def test_an_address_that_has_ended_is_asked_for_again(tmp_path: Path) -> None:
    """A signed address lives for hours; a look at the talk gives another one."""
    with did(url_seconds=-1) as server:
        error = failure(tmp_path, server)
        assert isinstance(error, External)
        assert server.asked.count("video") == 3
        server.url_seconds = 60
        assert asked(tmp_path, server).sha256 == DIGEST
        assert server.billed == 1


BROKEN: dict[str, Callable[[], Any]] = {
    "a page that apologises": lambda: reply(b"<html>sorry</html>"),
    "nothing": reply,
    "half of it": lambda: reply(MP4[:900], length=len(MP4)),
    "an outage": lambda: reply(status="503 Busy"),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_video_that_did_not_come_whole_is_brought_by_the_next_attempt(
    tmp_path: Path, answer: Callable[[], Any]
) -> None:
    """C16: whole, or not at all."""
    with did(faults=[("video", answer())]) as server:
        assert isinstance(failure(tmp_path, server), (External, Recoverable))
        assert not (tmp_path / "paid" / VIDEO).exists()
        assert asked(tmp_path, server).sha256 == DIGEST
        assert server.billed == 1


def test_a_talk_that_is_gone_before_its_video_came_is_maybe_billed(tmp_path: Path) -> None:
    with did(faults=[("video", reply(status="503 Busy"))]) as server:
        assert isinstance(failure(tmp_path, server), External)
        server.talks.clear()
        assert failure(tmp_path, server).code == "MaybeBilled"
        assert server.asked.count("talk") == 1


def test_a_copy_that_cannot_be_deleted_is_told_and_tried_again(tmp_path: Path) -> None:
    with did(faults=[("delete talk", problem(500, "InternalError", "oops"))]) as server:
        found = asked(tmp_path, server)
        (note,) = found.notes
        assert note.startswith("D-ID keeps talks tlk_")
        before = len(server.asked)
        again = asked(tmp_path, server)
        assert (again.notes, server.asked[before:], server.talks) == ((), ["delete talk"], {})


@pytest.mark.parametrize(("what", "size"), [("image", 10_000_001), ("audio", 15_000_001)])
def test_what_is_too_large_for_d_id_is_not_sent(tmp_path: Path, what: str, size: int) -> None:
    with did() as server:
        errand = given(tmp_path, server)
        path = errand.image if what == "image" else errand.audio
        with path.open("ab") as file:
            file.truncate(size)
        with pytest.raises(Permanent) as caught:
            avatars.perform(errand)
        assert what in caught.value.message
        assert server.billed == 0


def test_without_a_secret_it_says_which_key_it_wants(tmp_path: Path) -> None:
    with did() as server:
        error = failure(tmp_path, server, key="")
    assert "D_ID_API_KEY" in str(error.hint)
    assert "avatar.provider.secretName" in str(error.hint)


def test_a_wrong_key_waits_for_a_person(tmp_path: Path) -> None:
    with did() as server:
        error = failure(tmp_path, server, key=voices.SECRETS["key"])
    assert (type(error), error.code) == (External, "ProviderCredentials")
