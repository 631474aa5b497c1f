"""Publishers against servers that answer as the vendors' manuals show (S-047 to S-052, cases 60 and 62)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import platforms
import voices
from platforms import POST, VIDEO, Platform
from videojob_api.story.publishing import PUBLISHERS
from videojob_api.v1alpha1 import PublishTarget
from videojob_worker.base.errors import External, Permanent, Recoverable, WorkerError
from videojob_worker.providers.publishers import MODULES, publisher
from videojob_worker.providers.publishers.base import Errand, Film, Sent, trusted
from videojob_worker.providers.publishers.youtube import PART_BYTES, SERVICE, described, until_reset
from webserver import Answer, raw, reply

SECRETS = {"accessToken": "ya29.token-of-the-account"}
FRESH = {"clientId": "me.apps", "clientSecret": "hush-hush-hush", "refreshToken": "1//refresh-of-the-account"}


@dataclass
class Notes:
    """A ledger in memory, with all that ever stood in it."""

    known: dict[str, str] = field(default_factory=dict)
    written: list[dict[str, str]] = field(default_factory=list)

    def read(self) -> dict[str, str]:
        return dict(self.known)

    def write(self, known: Mapping[str, str]) -> None:
        self.known = dict(known)
        self.written.append(self.known)


def film(folder: Path, size: int = 1000) -> Film:
    """A film of so many bytes, no two stretches of which are the same."""
    path = folder / "video.mp4"
    path.write_bytes(b"".join(n.to_bytes(8, "big") for n in range(size // 8 + 1))[:size])
    return Film(
        path=path, size_bytes=size, media_type="video/mp4", uid="uid-1", title="The Last <Fig>", description="A fig fell.",
        tags=("fable", "old fig"), hashtags=("#fable",), synthetic=True, facts={"job": {"uid": "uid-1"}, "outputs": []},
    )  # fmt: skip


def errand(
    folder: Path, platform: Platform, name: str, *, notes: Notes | None = None, secrets: dict[str, str] | None = None,
    size: int = 1000, retries: int = 3, **target: Any,
) -> Errand:  # fmt: skip
    """A film to a platform."""
    given = {"name": name, "endpoint": platform.url(), "secretName": "tts", **target}
    means = voices.means(folder, secrets=SECRETS if secrets is None else secrets, retries=retries)
    wanted = PublishTarget.model_validate(given).model_copy(update={"timeout_seconds": 2})
    return Errand(film(folder, size), wanted, name.title(), means, notes or Notes(), lambda _: None)


def send(given: Errand) -> Sent:
    return publisher(given.target.via or given.target.name).publish(given)


# ---------------------------------------------------------------- YouTube


def test_s_047_youtube_gets_the_film_in_parts_and_what_is_said_of_it(tmp_path: Path) -> None:
    size = 2 * PART_BYTES + 4321
    with platforms.platform("youtube") as server:
        given = errand(tmp_path, server, "youtube", size=size, visibility="Unlisted", madeForKids=True)
        sent = send(given)
        assert (sent.state, sent.id, sent.url) == ("Published", VIDEO, f"https://www.youtube.com/watch?v={VIDEO}")
        assert bytes(server.film) == given.film.path.read_bytes()
        assert server.asked == ["begin", "part", "part", "part"]
        assert server.begun == [{**described(given.film, "unlisted", kids=True), "length": str(size)}]
        assert server.server is not None
        assert {each.headers["authorization"] for each in server.server.seen} == {f"Bearer {SECRETS['accessToken']}"}


def test_what_youtube_is_told_fits_its_limits_and_bears_the_mark(tmp_path: Path) -> None:
    """Design section 7: the platform's own label says that machines made it."""
    long = replace(
        film(tmp_path),
        title="x" * 300,
        description="\u7121" * 3000,
        tags=tuple(f"{n:02d}{'t' * 76}" for n in range(10)),
    )
    said = described(long, "private", kids=False)
    assert len(said["snippet"]["title"]) == 100
    assert len(said["snippet"]["description"].encode()) <= 5000
    assert sum(len(tag) + 3 for tag in said["snippet"]["tags"]) <= 500
    assert said["status"] == {
        "privacyStatus": "private", "selfDeclaredMadeForKids": False, "containsSyntheticMedia": True,
    }  # fmt: skip
    assert described(film(tmp_path), "private", kids=False)["snippet"]["title"] == "The Last Fig"


def test_a_refresh_token_gets_a_token_that_works(tmp_path: Path) -> None:
    """A token lives for an hour; a scheduled video may wait for weeks."""
    with platforms.platform("youtube") as server:
        assert send(errand(tmp_path, server, "youtube", secrets={**SECRETS, **FRESH})).id == VIDEO
        assert server.asked[0] == "token"
        assert server.server is not None
        assert server.server.seen[-1].headers["authorization"] == "Bearer fresh-token-0001"


def test_a_refused_refresh_repeats_nothing_of_what_was_sent(tmp_path: Path) -> None:
    echo = voices.json_reply({"error": "invalid_grant", "message": FRESH["refreshToken"]}, "400 Bad Request")
    with platforms.platform("youtube") as server:
        server.faults.append(("token", echo))
        with pytest.raises(Permanent) as caught:
            send(errand(tmp_path, server, "youtube", secrets=FRESH))
    assert FRESH["refreshToken"] not in f"{caught.value.message}{caught.value.hint}"
    assert "gives no token" in caught.value.message


@pytest.mark.parametrize(
    "fault",
    [reply(status="503 Busy"), raw(b"\x00\x01"), reply(status="429 Slow", headers=("Retry-After: 1",))],
    ids=["503", "the line breaks", "429"],
)
def test_a_part_that_fails_is_sent_from_where_the_other_side_stands(fault: Answer, tmp_path: Path) -> None:
    with platforms.platform("youtube") as server:
        server.faults.append(("part", fault))
        given = errand(tmp_path, server, "youtube", size=PART_BYTES + 10)
        assert send(given).id == VIDEO
        assert bytes(server.film) == given.film.path.read_bytes()
        assert server.asked == ["begin", "part", "where", "part", "part"]


def test_an_upload_whose_last_answer_was_lost_is_not_sent_again(tmp_path: Path) -> None:
    """The film is there, but the pod never heard so: the next attempt asks the session."""
    notes = Notes()
    with platforms.platform("youtube") as server:
        given = errand(tmp_path, server, "youtube", notes=notes)
        send(given)
        assert notes.written == [{"session": notes.known["session"]}]
        server.asked.clear()
        assert send(given).id == VIDEO
        assert server.asked == ["where"]
        assert len(server.begun) == 1


def test_a_half_sent_film_is_gone_on_with_by_the_next_attempt(tmp_path: Path) -> None:
    notes = Notes()
    with platforms.platform("youtube") as server:
        given = errand(tmp_path, server, "youtube", notes=notes, size=2 * PART_BYTES, retries=0)
        server.faults += [("part", reply(status="500 Oops"))]
        with pytest.raises(Recoverable):
            send(given)
        server.film += given.film.path.read_bytes()[: PART_BYTES // 2]
        server.asked.clear()
        assert send(given).id == VIDEO
        assert server.asked == ["where", "part", "part"]
        assert bytes(server.film) == given.film.path.read_bytes()


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_a_session_that_has_ended_is_begun_anew(status: str, tmp_path: Path) -> None:
    notes = Notes()
    with platforms.platform("youtube") as server:
        notes.known = {"session": server.url("/upload/youtube/v3/videos?upload_id=old")}
        server.faults.append(("where", reply(status=status)))
        assert send(errand(tmp_path, server, "youtube", notes=notes)).id == VIDEO
        assert server.asked == ["where", "begin", "part"]


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "http://www.googleapis.com/x", "https://googleapis.com.evil.example/", None, 5]
)
def test_no_answer_leads_film_and_token_elsewhere(url: object) -> None:
    asked = "https://www.googleapis.com/upload"
    assert trusted(SERVICE, "https://upload.googleapis.com/s?id=1", asked, "googleapis.com").endswith("id=1")
    with pytest.raises(Recoverable, match="no address of its own"):
        trusted(SERVICE, url, asked, "googleapis.com")


# ---------------------------------------------------------------- TikTok


def test_s_047_tiktok_gets_the_film_in_chunks_and_says_what_became_of_it(tmp_path: Path) -> None:
    """Chunks as its manual has them: of 10 MB, the last with the rest; the label of synthetic media is set."""
    size = 25_000_000
    with platforms.platform("tiktok") as server:
        given = errand(tmp_path, server, "tiktok", size=size, visibility="Public")
        assert send(given) == Sent("Published", None, "7301")
        assert bytes(server.film) == given.film.path.read_bytes()
        assert server.asked == ["creator", "begin", "part", "part", "where"]
        (said,) = server.begun
        assert said["source_info"] == {
            "source": "FILE_UPLOAD", "video_size": size, "chunk_size": 10_000_000, "total_chunk_count": 2,
        }  # fmt: skip
        assert said["post_info"]["is_aigc"] is True
        assert said["post_info"]["privacy_level"] == "PUBLIC_TO_EVERYONE"
        assert said["post_info"]["title"] == "The Last <Fig> #fable"
        assert server.server is not None
        sent = [each.headers.get("authorization") for each in server.server.seen if each.path.startswith("/video/")]
        assert sent == [None, None], "the address itself is the right to upload"


def test_a_small_film_goes_whole(tmp_path: Path) -> None:
    with platforms.platform("tiktok") as server:
        send(errand(tmp_path, server, "tiktok", size=4_999_999))
        info = server.begun[0]["source_info"]
        assert (info["chunk_size"], info["total_chunk_count"]) == (4_999_999, 1)


def test_a_chunk_that_fails_is_sent_again(tmp_path: Path) -> None:
    with platforms.platform("tiktok") as server:
        given = errand(tmp_path, server, "tiktok", size=25_000_000)
        server.faults.append(("part", reply(status="500 Oops")))
        send(given)
        assert bytes(server.film) == given.film.path.read_bytes()
        assert server.asked == ["creator", "begin", "part", "where", "part", "part", "where"]


def test_a_post_that_was_begun_is_not_begun_twice(tmp_path: Path) -> None:
    notes = Notes()
    with platforms.platform("tiktok") as server:
        given = errand(tmp_path, server, "tiktok", notes=notes)
        send(given)
        assert notes.known["publishId"] == POST
        server.asked.clear()
        assert send(given).id == "7301"
        assert server.asked == ["where", "where"]
        assert len(server.begun) == 1


def test_a_post_that_failed_is_an_error_and_the_next_attempt_begins_another(tmp_path: Path) -> None:
    notes = Notes()
    with platforms.platform("tiktok") as server:
        given = errand(tmp_path, server, "tiktok", notes=notes)
        server.states = [{"status": "FAILED", "fail_reason": "frame_rate_check_failed"}]
        with pytest.raises(Permanent, match="frame_rate_check_failed"):
            send(given)
        assert notes.known == {}
        server.states = []
        assert send(given).id == "7301"
        assert len(server.begun) == 2


def test_what_is_still_processed_is_accepted(tmp_path: Path) -> None:
    with platforms.platform("tiktok") as server:
        server.states = [{"status": "PROCESSING_DOWNLOAD"}]
        sent = send(errand(tmp_path, server, "tiktok"))
        assert (sent.state, sent.id) == ("Accepted", POST)


def test_an_address_that_has_ended_is_another_attempts_matter(tmp_path: Path) -> None:
    notes = Notes()
    with platforms.platform("tiktok") as server:
        given = errand(tmp_path, server, "tiktok", notes=notes)
        server.faults.append(("part", reply(status="403 Forbidden")))
        with pytest.raises(External, match="has ended"):
            send(given)
        assert notes.known == {}


@pytest.mark.parametrize(
    ("visibility", "options", "why"),
    [
        ("Unlisted", ["SELF_ONLY"], "no videos that are Unlisted"),
        ("Public", ["SELF_ONLY"], "may not post as PUBLIC_TO_EVERYONE; it may as: SELF_ONLY"),
    ],
)
def test_what_an_account_may_not_post_is_said_before_anything_is_sent(
    visibility: str, options: list[str], why: str, tmp_path: Path
) -> None:
    facts = {"data": {"privacy_level_options": options}, "error": {"code": "ok"}}
    with platforms.platform("tiktok") as server:
        server.faults.append(("creator", voices.json_reply(facts)))
        with pytest.raises(Permanent, match=why):
            send(errand(tmp_path, server, "tiktok", visibility=visibility))
    assert not server.begun


# ---------------------------------------------------------------- one's own server, and people


def test_a_webhook_is_told_once_under_one_name_and_signed(tmp_path: Path) -> None:
    with platforms.platform("webhook") as server:
        given = errand(tmp_path, server, "webhook", endpoint=server.url("/hook"), secrets={"secret": "shared-secret\n"})
        sent = send(given)
        assert (sent.state, sent.id, sent.url) == ("Published", "post-17", "https://cms.example/post-17")
        assert server.server is not None
        (request,) = server.server.seen
        assert request.headers["idempotency-key"] == "uid-1.webhook"
        assert json.loads(request.body) == {
            "platform": "webhook", "visibility": "Private", "job": {"uid": "uid-1"}, "outputs": [],
        }  # fmt: skip
        moment, _, found = request.headers["videojob-signature"].partition(",v1=")
        text = moment.removeprefix("t=").encode() + b"." + request.body
        assert found == hmac.new(b"shared-secret\n", text, hashlib.sha256).hexdigest()


def test_a_webhook_that_says_nothing_has_taken_it(tmp_path: Path) -> None:
    with platforms.platform("webhook") as server:
        server.faults.append(("begin", reply(status="204 No Content")))
        given = errand(tmp_path, server, "facebook", via="webhook", endpoint=server.url("/hook"), secretName=None)
        assert send(given) == Sent("Published", "the webhook took it")
        assert server.begun[0]["platform"] == "facebook"


def test_s_050_what_no_program_may_post_is_left_to_a_person(tmp_path: Path) -> None:
    notes = Notes()
    with platforms.platform() as server:
        given = replace(
            errand(tmp_path, server, "instagram_reels", via="queued_manual", notes=notes), label="Instagram"
        )
        assert send(given) == Sent("QueuedManual", "Video queued for manual Instagram posting")
    assert notes.known == {
        "status": "queued_manual", "video_path": "videos/video.mp4", "title": "The Last <Fig>",
        "caption": "A fig fell.\n\n#fable", "tags": "fable, old fig",
    }  # fmt: skip


# ---------------------------------------------------------------- bad answers
ENDS: list[tuple[str, Answer, type[WorkerError], int | None]] = [
    ("401", voices.json_reply({"error": {"code": 401, "message": "Invalid Credentials"}}, "401 Unauthorized"), Permanent, None),
    ("403", voices.json_reply({"error": {"code": "spam_risk", "message": "no"}}, "403 Forbidden"), Permanent, None),
    ("400", voices.json_reply({"error": {"message": "bad"}}, "400 Bad Request"), Permanent, None),
    ("429", voices.json_reply({"error": {}}, "429 Too Many Requests", ("Retry-After: 120",)), External, 120),
    ("500", reply(b"<html>oops</html>", "500 Internal Server Error"), Recoverable, None),
    ("silence", lambda _request, connection: connection.recv(1), External, None),
    ("no HTTP", raw(b"\x00\x01\x02"), External, None),
]  # fmt: skip


@pytest.mark.parametrize("name", ["youtube", "tiktok", "webhook"])
@pytest.mark.parametrize(("said", "answer", "kind", "wait"), ENDS, ids=[row[0] for row in ENDS])
def test_s_051_every_bad_answer_has_its_class(
    name: str, said: str, answer: Answer, kind: type[WorkerError], wait: int | None, tmp_path: Path
) -> None:
    """Case 62: nothing of the account is told."""
    secrets = {"secret": "shared-secret"} if name == "webhook" else SECRETS
    with platforms.platform(name) as server:
        server.faults.append(("begin", answer))
        more = {"endpoint": server.url("/hook")} if name == "webhook" else {}
        given = errand(tmp_path, server, name, retries=0, secrets=secrets, **more)
        with pytest.raises(kind) as caught:
            send(given)
    error = caught.value
    assert (error.code, error.retry_after_seconds) == ("PublishFailed", wait), said
    assert name in error.message
    assert SECRETS["accessToken"] not in f"{error.message}{error.hint}"


def limit(status: str, reason: str, domain: str, headers: tuple[str, ...] = ()) -> Answer:
    """How its manual shows an error."""
    said = [{"message": "The request cannot be completed.", "domain": domain, "reason": reason}]
    document = {"error": {"code": int(status[:3]), "message": "The request cannot be completed.", "errors": said}}
    return voices.json_reply(document, status, headers)


@pytest.mark.parametrize("step", ["begin", "part"])
@pytest.mark.parametrize(
    ("answer", "least", "most", "why"),
    [
        (limit("403 Forbidden", "quotaExceeded", "youtube.quota"), 1, 86_400, "quota of this day"),
        (limit("403 Forbidden", "dailyLimitExceeded", "usageLimits"), 1, 86_400, "quota of this day"),
        (limit("400 Bad Request", "uploadLimitExceeded", "youtube.video"), 86_400, 86_400, "as many videos"),
        (limit("403 Forbidden", "rateLimitExceeded", "usageLimits", ("Retry-After: 90",)), 90, 90, "too often"),
    ],
    ids=["quota", "day", "uploads", "rate"],
)
def test_s_051_a_limit_of_youtube_is_waited_for(
    answer: Answer, least: int, most: int, why: str, step: str, tmp_path: Path
) -> None:
    """Case 62: a limit that ends by itself is no refusal, whatever its status; nothing is asked again before."""
    with platforms.platform("youtube") as server:
        server.faults.append((step, answer))
        with pytest.raises(External, match=why) as caught:
            send(errand(tmp_path, server, "youtube", retries=2))
        assert server.asked.count(step) == 1
    assert caught.value.retry_after_seconds is not None
    assert least <= caught.value.retry_after_seconds <= most


@pytest.mark.parametrize(
    ("now", "seconds"),
    [("2026-11-22T07:59:59+00:00", 1), ("2026-11-22T08:00:00+00:00", 86_400), ("2026-07-01T23:30:00+00:00", 30_600)],
)
def test_a_quota_comes_back_after_midnight_of_the_pacific(now: str, seconds: int) -> None:
    assert until_reset(datetime.fromisoformat(now)) == seconds


@pytest.mark.parametrize(
    ("name", "step", "answer"),
    [
        ("youtube", "begin", reply(b"{}")),
        ("youtube", "part", reply(b"not json", "201 Created")),
        ("youtube", "part", voices.json_reply({"id": "<script>"}, "201 Created")),
        ("youtube", "part", reply(status="308 Resume Incomplete")),
        ("tiktok", "begin", voices.json_reply({"data": {}, "error": {"code": "ok"}})),
        ("tiktok", "begin", voices.json_reply({"data": {}, "error": {"code": "invalid_params"}})),
        ("tiktok", "begin", voices.json_reply([])),
        ("tiktok", "where", voices.json_reply({"data": {"status": "DANCING"}, "error": {"code": "ok"}})),
    ],
)
def test_an_answer_that_makes_no_sense_is_tried_again(name: str, step: str, answer: Answer, tmp_path: Path) -> None:
    with platforms.platform(name) as server:
        server.faults.append((step, answer))
        with pytest.raises(Recoverable):
            send(errand(tmp_path, server, name, retries=0))


@pytest.mark.parametrize("name", ["youtube", "tiktok"])
def test_an_account_that_is_not_there_names_secret_and_field(name: str, tmp_path: Path) -> None:
    with platforms.platform(name) as server, pytest.raises(Permanent) as caught:
        send(errand(tmp_path, server, name, secrets={}))
    assert "Secret tts" in caught.value.message
    assert "accessToken" in str(caught.value.hint)


def test_every_row_has_its_module() -> None:
    assert set(MODULES) == set(PUBLISHERS)
    for name in MODULES:
        assert callable(publisher(name).publish)
