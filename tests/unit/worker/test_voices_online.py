"""Voices before anything is asked of a service: choice, credentials, signature (S-003, S-032, S-033, case 60)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import voices as support
from videojob_api.story.params import Provider, Voice
from videojob_api.story.tasks import VOICE_KEYS, online
from videojob_worker.base.errors import Permanent
from videojob_worker.providers.sigv4 import Credentials, signed
from videojob_worker.providers.voices import VOICES, voice

TEXT = "Mary had a little lamb."


def test_the_signature_is_that_of_the_published_example() -> None:
    """The example of AWS's own manual for version 4: GET iam ListUsers at 20150830T123600Z."""
    found = signed(
        "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, b"",
        credentials=Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), region="us-east-1", service="iam",
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )  # fmt: skip
    assert found["Authorization"].endswith("Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")


def test_case_60_a_voice_goes_nowhere_it_may_not(tmp_path: Path) -> None:
    manner = support.manner("openai", endpoint="http://169.254.169.254/v1")
    with pytest.raises(Permanent, match="link-local") as caught:
        list(voice(manner.choice).speak([support.line(TEXT)], manner, support.means(tmp_path)))
    assert caught.value.code == "TTSError"


@pytest.mark.parametrize("name", support.PATHS)
def test_without_its_secret_a_voice_says_what_is_missing(name: str, tmp_path: Path) -> None:
    more = {**support.MORE.get(name, {}), "region": "eu-central-1"}
    keys = VOICE_KEYS[name]
    for choice, text in (
        ({}, "needs credentials"),
        ({"secretName": "tts"}, f"no Secret tts with a usable key {keys[0]}"),
    ):
        manner = support.manner(name, **more, **choice)
        with pytest.raises(Permanent, match=text):
            list(voice(manner.choice).speak([support.line(TEXT)], manner, support.means(tmp_path)))


@pytest.mark.parametrize(
    ("name", "language", "choice", "text"),
    [
        ("nobody", "en", {}, "unknown voice provider nobody; known: flite, espeak"),
        ("flite", "de", {}, "flite speaks English, not de"),
        ("flite", "en", {"voice": "bob"}, "flite has no voice bob; known: slt, rms"),
        ("espeak", "tlh", {}, "espeak-ng does not speak tlh"),
        ("espeak", "de", {"voice": "de --path=/"}, "espeak-ng's voices have names"),
        ("azure", "sv", {"region": "x"}, "azure needs a voice for sv"),
        ("azure", "en", {}, "azure needs the region"),
        ("polly", "is", {"region": "x", "secretName": "tts"}, "polly needs a voice for is"),
        ("polly", "en", {}, "polly needs a region"),
        ("piper", "en", {}, "piper needs a model"),
        ("piper", "en", {"model": "../x.onnx"}, "piper needs a model"),
        ("piper", "en", {"model": "x.onnx"}, "the stock has no file x.onnx"),
        ("piper", "en", {"model": "x.onnx", "voice": "amy"}, "numbers of speakers"),
    ],
)
def test_s_003_a_choice_that_cannot_speak_names_the_remedy(
    name: str, language: str, choice: dict[str, Any], text: str, tmp_path: Path
) -> None:
    manner = support.manner(name, language, **choice)
    with pytest.raises(Permanent, match=text) as caught:
        list(voice(manner.choice).speak([support.line(TEXT)], manner, support.means(tmp_path, secrets=support.SECRETS)))
    assert (caught.value.code, bool(caught.value.hint)) == ("TTSError", True)


def test_s_033_silent_says_nothing(tmp_path: Path) -> None:
    manner = support.manner("silent")
    assert list(voice(manner.choice).speak([support.line(TEXT)] * 2, manner, support.means(tmp_path))) == [None, None]
    assert voice(manner.choice).chosen(manner) == "silent"


def test_the_contract_knows_which_voices_need_a_network() -> None:
    """The operator chooses pod and Secrets by it; these are the rows whose modules call a service."""
    assert set(VOICE_KEYS) == set(support.PATHS) <= set(VOICES)
    assert not online(Voice())
    assert online(Voice(providers=(Provider(name="flite"), Provider(name="azure"))))
