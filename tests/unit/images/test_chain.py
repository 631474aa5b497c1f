"""Chains of providers: what is kept, what fails, and the text card at the end (S-035 to S-041, S-056, C14)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import voices
from galleries import jpeg, link, wish
from videojob_api.story.params import Provider
from videojob_worker.base.errors import External, Permanent, Recoverable, Stopped
from videojob_worker.providers.calling import Means
from videojob_worker.providers.images.base import Picture, Wish
from videojob_worker.providers.images.chain import Found, Shelf, find


class Gallery:
    """A provider that answers as told, and counts."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = True

    def __init__(self, answer: bytes | Exception | None) -> None:
        self.answer, self.asked = answer, 0

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            return None
        path = means.scratch / f"{choice.name}.jpg"
        path.write_bytes(self.answer)
        return Picture("image", path=path, credit="Somebody")


def readable(path: Path, kind: str) -> None:
    if not path.read_bytes().startswith(b"\xff\xd8"):
        raise Permanent("CorruptImage", "the image cannot be decoded")


def ask(
    folder: Path, rooms: dict[str, Gallery], names: Sequence[str], *, shelf: Shelf | None = None, policy: Any = "Allow",
    want: Wish | None = None,
) -> Found:  # fmt: skip
    return find(
        want or wish(), [link(name) for name in names], voices.means(folder), policy=policy, shelf=shelf, readable=readable,
        opened=lambda choice: rooms[choice.name],
    )  # fmt: skip


def test_the_first_that_has_a_picture_wins(tmp_path: Path) -> None:
    """S-037."""
    rooms = {"a": Gallery(None), "b": Gallery(jpeg()), "c": Gallery(jpeg(2))}
    found = ask(tmp_path, rooms, "abc")
    assert (found.provider, found.degraded, rooms["c"].asked) == ("b", None, 0)


FAILURES = [
    Permanent("ImageGenerationError", "openai answered 401"),
    External("ImageGenerationError", "openai answered 429", retry_after_seconds=60),
    Recoverable("ImageGenerationError", "openai answered 500"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.message)
def test_s_038_a_failure_ends_as_a_text_card_that_says_why(failure: Exception, tmp_path: Path) -> None:
    found = ask(tmp_path, {"a": Gallery(failure), "b": Gallery(b"broken")}, "ab")
    assert found.picture == Picture("card")
    assert str(found.degraded).startswith("a text card stands in for a picture: a: openai answered 4") or "500" in str(
        found.degraded
    )
    assert "b: b gave a file that cannot be used: the image cannot be decoded" in str(found.degraded)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.message)
def test_s_041_with_deny_the_failure_is_the_jobs(failure: Exception, tmp_path: Path) -> None:
    """C14: also where a later link would have helped: a fallback does not hide a broken provider."""
    with pytest.raises(type(failure)) as caught:
        ask(tmp_path, {"a": Gallery(failure), "b": Gallery(jpeg())}, "ab", policy="Deny")
    assert caught.value is failure


@pytest.mark.parametrize("answer", [None, b"broken"])
def test_s_041_deny_also_refuses_nothing_and_nonsense(answer: bytes | None, tmp_path: Path) -> None:
    with pytest.raises((Permanent, Recoverable)) as caught:
        ask(tmp_path, {"a": Gallery(answer)}, "a", policy="Deny")
    assert caught.value.code == "ImageGenerationError"


def test_a_stop_is_no_failure_of_a_provider(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        ask(tmp_path, {"a": Gallery(Stopped()), "b": Gallery(jpeg())}, "ab")


def test_a_scene_that_wants_a_colour_asks_nobody(tmp_path: Path) -> None:
    rooms = {"a": Gallery(jpeg())}
    found = ask(tmp_path, rooms, "a", want=wish(color="#445566"))
    assert (found.picture, rooms["a"].asked) == (Picture("colour", color="#445566"), 0)


class Memory(dict[str, Picture]):
    """A shelf without a folder."""

    def put(self, name: str, picture: Picture) -> Picture:
        self[name] = picture
        return picture


def test_s_056_the_same_wish_is_not_paid_twice(tmp_path: Path) -> None:
    shelf, rooms = Memory(), {"a": Gallery(jpeg())}
    first = ask(tmp_path, rooms, "a", shelf=shelf)
    again = ask(tmp_path, rooms, "a", shelf=shelf)
    assert (first.kept, again.kept, rooms["a"].asked) == (False, True, 1)
    assert again.picture == first.picture
    ask(tmp_path, rooms, "a", shelf=shelf, want=wish("Other words"))
    assert rooms["a"].asked == 2


def test_a_broken_picture_is_never_kept(tmp_path: Path) -> None:
    shelf, rooms = Memory(), {"a": Gallery(b"broken")}
    assert ask(tmp_path, rooms, "a", shelf=shelf).degraded
    assert not shelf


def test_c14_a_link_that_failed_is_told_although_the_next_one_helped(tmp_path: Path) -> None:
    rooms = {"a": Gallery(FAILURES[0]), "b": Gallery(jpeg())}
    found = ask(tmp_path, rooms, "ab")
    assert (found.provider, found.degraded) == ("b", "b gave a picture instead: a: openai answered 401")
