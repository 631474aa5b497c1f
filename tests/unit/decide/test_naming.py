"""Names of Jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob_operator.decide.naming import job_name, label_value, share

RFC1123 = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Case:
    name: str
    given: str
    expect: str


CASES = (
    Case("a plain name is kept", "trailer", "trailer-main-a1-"),
    Case("dots become dashes: a Job's name is a label", "my.video.2026", "my-video-2026-main-a1-"),
    Case("253 characters are cut to 30", "x" * 253, "x" * 30 + "-main-a1-"),
    Case("what ends with a dash after the cut loses it", "y" * 29 + "-" + "z" * 50, "y" * 29 + "-main-a1-"),
    Case("a name without a letter still gets one", "...", "videojob-main-a1-"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_job_names_are_valid_whatever_the_videojob_is_called(case: Case) -> None:
    """Case 57."""
    name = job_name("uid", case.given, "main", 1)
    assert name.startswith(case.expect)
    assert RFC1123.fullmatch(name)


@given(name=st.text(max_size=300), group=st.text(max_size=60), attempt=st.integers(1, 999), uid=st.text(max_size=60))
def test_any_name_gives_a_valid_label(name: str, group: str, attempt: int, uid: str) -> None:
    """Case 57: unicode, newlines, whatever."""
    found = job_name(uid, name, group, attempt)
    assert RFC1123.fullmatch(found)
    assert len(found) <= 63
    assert found == job_name(uid, name, group, attempt)


def test_uid_group_and_attempt_make_the_name_and_nothing_else_does() -> None:
    """Case 50: a VideoJob made anew under the same name never adopts the old one's Jobs."""
    base = job_name("uid-1", "a", "main", 1)
    assert base != job_name("uid-2", "a", "main", 1)
    assert base[-8:] != job_name("uid-1", "a", "work", 1)[-8:]
    assert base[-8:] != job_name("uid-1", "a", "main", 2)[-8:]
    assert job_name("uid", "a", "main", 11)[-8:] != job_name("uid", "a", "main1", 1)[-8:]


@given(st.text(max_size=300))
def test_label_values_fit(text: str) -> None:
    assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", label_value(text))


def test_share_is_chance_without_a_dice() -> None:
    found = [share("uid", str(number)) for number in range(200)]
    assert found == [share("uid", str(number)) for number in range(200)]
    assert all(0 <= value < 1 for value in found)
    assert 0.3 < sum(found) / len(found) < 0.7
