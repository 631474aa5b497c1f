"""A server of one's own, and a program of the worker's image: both make one video for one request, however often asked."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import avatars
from didserver import MP4, Everywhere, form_part
from videojob_api.avatar.params import AVATAR_KEYS, Animator, online
from videojob_worker.base.errors import External, Permanent, Recoverable, Resource, WorkerError
from videojob_worker.providers.avatars import AVATARS, provider
from voices import json_reply
from webserver import Answer, Request, reply, serve

NAME = "uid-1.abc"


@dataclass
class Studio:
    """A server that animates portraits, as the provider's own pages say it should."""

    states: list[dict[str, Any]] = field(
        default_factory=lambda: [{"status": "queued"}, {"status": "running", "percent": 40}, {"status": "done"}]
    )
    works: dict[str, int] = field(default_factory=dict)
    begun: int = 0
    forms: list[Request] = field(default_factory=list)
    lost: int = 0
    """So many answers to a PUT are lost."""
    url: str = ""

    def answer(self, request: Request, connection: socket.socket) -> None:
        """One request."""
        self._right(request)(request, connection)

    def _right(self, request: Request) -> Answer:
        if request.headers.get("authorization") != "Bearer studio-key-1":
            return json_reply({"error": "who are you"}, "401 Unauthorized")
        name, _, part = request.path.removeprefix("/avatars/").partition("/")
        if request.method == "PUT":
            self.begun += name not in self.works
            self.works.setdefault(name, 0)
            self.forms.append(request)
            self.lost -= 1
            return reply(status="502 Bad Gateway") if self.lost >= 0 else json_reply({}, "202 Accepted")
        if name not in self.works:
            return json_reply({"error": "not here"}, "404 Not Found")
        if request.method == "DELETE":
            del self.works[name]
            return reply(status="204 No Content")
        if part == "video":
            return reply(MP4)
        self.works[name] += 1
        return json_reply(self.states[min(self.works[name], len(self.states)) - 1])


@contextmanager
def studio(**how: Any) -> Iterator[Studio]:
    found = Studio(**how)
    with serve(Everywhere(found.answer)) as server:
        found.url = server.url("/avatars")
        yield found


def asked(folder: Path, place: Studio, **more: Any) -> Any:
    return avatars.perform(avatars.errand(folder, "http", key="studio-key-1", endpoint=place.url, **more))


def test_a_server_of_ones_own_makes_a_video_and_forgets_it(tmp_path: Path) -> None:
    with studio() as place:
        found = asked(tmp_path, place, model="musetalk", expression="happy")
        assert (found.path.read_bytes(), found.id, place.works, place.begun) == (MP4, NAME, {}, 1)
        (sent,) = place.forms
        for what in ("image", "audio"):
            part = form_part(sent, what)
            assert part is not None
            assert part[1] == (tmp_path / "work" / ("portrait.png" if what == "image" else "speech.wav")).read_bytes()
        options = form_part(sent, "options")
        assert options is not None
        assert json.loads(options[1]) == {
            "model": "musetalk",
            "expression": "happy",
            "intensityPercent": 100,
            "padAudioMs": 0,
        }
        assert asked(tmp_path, place).sha256 == found.sha256
        assert place.begun == 1


def test_what_nobody_goes_on_with_is_forgotten_there_and_kept_here_if_it_was_done(tmp_path: Path) -> None:
    """A-046: the server need not go on with it; who drives it again asks for the same name."""
    for states, begun in (([{"status": "running"}], 2), ([{"status": "running"}, {"status": "done"}], 1)):
        with studio(states=states) as place:
            folder = tmp_path / str(begun)
            errand = avatars.errand(folder, "http", key="studio-key-1", endpoint=place.url, patienceSeconds=1)
            with pytest.raises(External):
                avatars.perform(errand)
            assert provider(errand.choice).withdraw(errand) == ()
            assert place.works == {}
            place.states = [{"status": "done"}]
            assert avatars.perform(errand).path.read_bytes() == MP4
            assert (place.begun, place.works) == (begun, {})


def test_a_put_whose_answer_was_lost_begins_nothing_anew(tmp_path: Path) -> None:
    with studio(lost=1) as place:
        with pytest.raises(Recoverable):
            asked(tmp_path, place)
        assert asked(tmp_path, place).id == NAME
        assert (place.begun, len(place.forms)) == (1, 1)


@pytest.mark.parametrize(
    ("state", "kind", "begun"),
    [({"status": "failed", "error": "no face"}, Recoverable, 2), ({"status": "rejected", "error": "no face"}, Permanent, 1),
     ({"status": "asleep"}, Recoverable, 1), ({}, Recoverable, 1)],
    ids=["failed", "rejected", "a status that is not known", "no status"],
)  # fmt: skip
def test_what_a_bad_end_means(tmp_path: Path, state: dict[str, Any], kind: type[WorkerError], begun: int) -> None:
    with studio(states=[{"status": "queued"}, state]) as place:
        with pytest.raises(kind) as caught:
            asked(tmp_path, place)
        assert state.get("error", "") in caught.value.message
        place.states = [{"status": "done"}]
        assert asked(tmp_path, place).id == NAME
        assert place.begun == begun


def test_a_server_that_forgot_is_asked_again_and_one_that_dawdles_is_waited_for(tmp_path: Path) -> None:
    with studio(states=[{"status": "running"}] * 4 + [{"status": "done"}]) as place:
        with pytest.raises(External, match="not done within 15 s"):
            asked(tmp_path, place, patienceSeconds=15)
        place.works.clear()
        assert asked(tmp_path, place).id == NAME
        assert place.begun == 2


def test_it_needs_an_endpoint_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(Permanent) as caught:
        avatars.perform(avatars.errand(tmp_path, "http", key="studio-key-1"))
    assert "avatar.provider.endpoint" in str(caught.value.hint)


# ---------------------------------------------------------------- a program

PROGRAM = """#!/bin/sh
echo starting
echo "30% lips"
while [ $# -gt 0 ]; do case $1 in --output) out=$2;; --image) image=$2;; --options) options=$2;; esac; shift; done
{body}
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Any]:
    """Puts a program of a model on the PATH."""
    folder, before = tmp_path / "bin", os.environ["PATH"]
    folder.mkdir()
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"

    def made(body: str, name: str = "videojob-avatar-musetalk") -> None:
        path = folder / name
        path.write_text(PROGRAM.replace("{body}", body))
        path.chmod(0o755)

    yield made
    os.environ["PATH"] = before


def ran(folder: Path, told: list[tuple[int, str]] | None = None, **more: Any) -> Any:
    errand = avatars.errand(folder, "command", **{"model": "musetalk", **more})
    heard = told if told is not None else []
    return provider(errand.choice).perform(replace(errand, told=lambda percent, text: heard.append((percent, text))))


def test_a_program_makes_a_video_once_and_tells_how_far_it_is(tmp_path: Path, program: Any) -> None:
    program("cat " + str(tmp_path / "made.mp4") + ' > "$out"; echo run >> ' + str(tmp_path / "runs"))
    (tmp_path / "made.mp4").write_bytes(MP4)
    told: list[tuple[int, str]] = []
    assert ran(tmp_path, told).path.read_bytes() == MP4
    assert told == [(30, "lips")]
    assert ran(tmp_path).path.read_bytes() == MP4
    assert (tmp_path / "runs").read_text() == "run\n"


@pytest.mark.parametrize(
    ("body", "kind"),
    [("echo no face >&2; exit 65", Permanent), ("exit 69", External), ("exit 73", Resource),
     ("echo oops >&2; exit 1", Recoverable),
     ("exit 0", Recoverable), ('echo sorry > "$out"', Recoverable), ("kill -9 $$", Resource)],
    ids=["65", "69", "73", "another code", "no video", "no MP4", "killed"],
)  # fmt: skip
def test_how_a_program_ends_badly(tmp_path: Path, program: Any, body: str, kind: type[WorkerError]) -> None:
    program(body)
    with pytest.raises(kind):
        ran(tmp_path)


def test_only_programs_for_avatars_can_be_asked_for(tmp_path: Path) -> None:
    """Case 59: a model's name is a name, and no path or option."""
    with pytest.raises(Permanent, match="has no program videojob-avatar-nothing"):
        ran(tmp_path, model="nothing")
    for name in ("../../bin/sh", "-x", "a b", ""):
        with pytest.raises(ValueError, match="model"):
            Animator.model_validate({"name": "command", "model": name})


# ---------------------------------------------------------------- the table


def test_the_table_and_the_contract_agree_on_who_is_online() -> None:
    assert set(AVATAR_KEYS) <= set(AVATARS)
    assert {name for name in AVATARS if online(Animator(name=name))} == {"did", "http"}
    with pytest.raises(Permanent, match="unknown avatar provider nobody; known: command, http, did"):
        provider(Animator(name="nobody"))
