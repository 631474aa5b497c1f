"""Voices of services, against servers that answer as the vendors' manuals show (S-032, S-034, S-041, S-071, case 60, 62)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import voices as support
from videojob_worker.base.errors import External, Permanent, Recoverable, WorkerError
from videojob_worker.net.exchange import exchange
from videojob_worker.providers.voices import voice
from videojob_worker.providers.voices.base import Utterance
from webserver import Answer, Request, WebServer, raw, reply, serve

TEXT = "Mary had a little lamb."
GOOD: dict[str, Callable[[], Answer]] = {
    "openai": lambda: reply(support.wav_file(support.tone(1200)), headers=("Content-Type: audio/wav",)),
    "elevenlabs": lambda: support.json_reply(support.elevenlabs(TEXT)),
    "azure": lambda: reply(support.wav_file(support.tone(1200)), headers=("Content-Type: audio/x-wav",)),
    "google": lambda: support.json_reply(support.google(5)),
    "polly": lambda: support.polly(TEXT),
}


def speak(
    name: str, answer: Answer | list[Answer], folder: Path, retries: int = 0, **choice: Any
) -> tuple[Utterance, WebServer]:
    """One line by a provider whose server answers like this, in turn, the last answer for ever."""
    turns = list(answer) if isinstance(answer, list) else [answer]

    def page(request: Request, connection: Any) -> None:
        (turns.pop(0) if len(turns) > 1 else turns[0])(request, connection)

    language = choice.pop("language", "en-US")
    with serve({support.PATHS[name]: page}) as server:
        endpoint = server.url("/v1" if name == "openai" else "")
        wanted = {
            "endpoint": endpoint,
            "secretName": "tts",
            "timeoutSeconds": 5,
            **support.MORE.get(name, {}),
            **choice,
        }
        manner = support.manner(name, language, **wanted)
        mine = support.means(folder, secrets=support.SECRETS, retries=retries)
        (found,) = voice(manner.choice).speak([support.line(TEXT)], manner, mine)
    assert found is not None
    return found, server


@pytest.mark.parametrize("name", support.PATHS)
def test_s_032_a_line_is_spoken_by(name: str, tmp_path: Path) -> None:
    found, server = speak(name, GOOD[name](), tmp_path)
    assert found.sound.duration_ms == 1200
    assert {request.method for request in server.seen} == {"POST"}
    if found.words:
        assert [word.text for word in found.words] == TEXT.split()
        starts = [word.start_ms for word in found.words]
        assert starts == sorted(starts)
        assert starts[0] == 0
        assert 500 < starts[-1] < found.words[-1].end_ms <= 1200
    assert bool(found.words) is (name in {"elevenlabs", "google", "polly"})


def body(server: WebServer) -> Any:
    return json.loads(server.seen[0].body)


def test_s_032_what_openai_is_asked(tmp_path: Path) -> None:
    found, server = speak("openai", GOOD["openai"](), tmp_path, voice="nova", model="tts-1-hd", rate=125, pitch=2)
    assert body(server) == {
        "model": "tts-1-hd", "input": TEXT, "voice": "nova", "response_format": "wav", "speed": 1.25,
    }  # fmt: skip
    assert server.seen[0].headers["authorization"] == "Bearer sk-0123456789abcdef"
    assert (found.left_percent, found.left_semitones) == (100, 2)


def test_a_server_of_ones_own_needs_no_key(tmp_path: Path) -> None:
    _, server = speak("openai", GOOD["openai"](), tmp_path, secretName=None)
    assert "authorization" not in server.seen[0].headers


def test_s_032_what_elevenlabs_is_asked(tmp_path: Path) -> None:
    found, server = speak("elevenlabs", GOOD["elevenlabs"](), tmp_path, rate=125)
    assert body(server) == {"text": TEXT, "model_id": "eleven_multilingual_v2", "voice_settings": {"speed": 1.2}}
    assert server.seen[0].path.endswith("?output_format=pcm_24000")
    assert server.seen[0].headers["xi-api-key"] == "sk-0123456789abcdef"
    assert found.left_percent == 104


def test_s_032_what_azure_is_asked(tmp_path: Path) -> None:
    _, server = speak("azure", GOOD["azure"](), tmp_path, voice="en-US-JennyNeural", rate=90, pitch=-2)
    assert server.seen[0].body.decode() == (
        '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US"><voice name="en-US-JennyNeural">'
        f'<prosody rate="-10%" pitch="-2st">{TEXT}</prosody></voice></speak>'
    )
    headers = server.seen[0].headers
    assert headers["ocp-apim-subscription-key"] == "sk-0123456789abcdef"
    assert headers["x-microsoft-outputformat"] == "riff-24khz-16bit-mono-pcm"


def test_s_034_what_google_is_asked(tmp_path: Path) -> None:
    _, server = speak("google", GOOD["google"](), tmp_path)
    asked = body(server)
    assert asked["voice"] == {"languageCode": "en-US", "name": "en-US-Neural2-C"}
    assert asked["audioConfig"]["speakingRate"] == 1.0
    assert asked["input"]["ssml"].startswith('<speak><mark name="0"/>Mary <mark name="1"/>had ')
    assert asked["enableTimePointing"] == ["SSML_MARK"]
    assert server.seen[0].headers["x-goog-api-key"] == "sk-0123456789abcdef"


def test_s_032_what_polly_is_asked(tmp_path: Path) -> None:
    _, server = speak("polly", GOOD["polly"](), tmp_path, rate=110)
    assert body(server) == {
        "Engine": "neural", "VoiceId": "Joanna", "TextType": "ssml", "OutputFormat": "pcm", "SampleRate": "16000",
        "Text": f'<speak><prosody rate="110%">{TEXT}</prosody></speak>',
    }  # fmt: skip
    assert json.loads(server.seen[1].body)["SpeechMarkTypes"] == ["word"]
    authorization = server.seen[0].headers["authorization"]
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-central-1/polly/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=" in authorization


# ---------------------------------------------------------------- when it goes wrong


@dataclass(frozen=True)
class Wrong:
    """An answer, and what it means."""

    name: str
    answer: Answer
    kind: type[WorkerError]
    text: str
    retry_after: int | None = None


WRONG = (
    Wrong("401", support.json_reply({"detail": {"status": "invalid_api_key", "message": "Invalid API key"}},
          "401 Unauthorized"), Permanent, "answered 401: Invalid API key"),
    Wrong("403", support.json_reply({"error": {"code": 403, "message": "The caller does not have permission"}},
          "403 Forbidden"), Permanent, "answered 403: The caller does not have permission"),
    Wrong("429 with Retry-After", reply(b"", "429 Too Many Requests", ("Retry-After: 37",)), External, "answered 429", 37),
    Wrong("500", reply(b"<html>oops</html>", "500 Internal Server Error"), Recoverable, "answered 500"),
    Wrong("503 with Retry-After", reply(b"", "503 Unavailable", ("Retry-After: 9",)), Recoverable, "answered 503", 9),
    Wrong("400", support.json_reply({"message": "Voice not found"}, "400 Bad Request"), Permanent, "Voice not found"),
    Wrong("a redirect", reply(b"", "302 Found", ("Location: http://127.0.0.1/",)), Permanent, "answered 302"),
    Wrong("half an answer", reply(b"abc", length=1000), External, "ended before the whole file had come"),
    Wrong("no HTTP", raw(b"hello\r\n\r\n"), External, "answered what is no HTTP"),
    Wrong("nothing", lambda _, connection: connection.close(), External, "127.0.0.1"),
)  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
@pytest.mark.parametrize("name", support.PATHS)
def test_s_041_and_s_071_a_failure_of(name: str, case: Wrong, tmp_path: Path) -> None:
    with pytest.raises(case.kind, match=case.text) as caught:
        speak(name, case.answer, tmp_path)
    error = caught.value
    assert error.code == "TTSError"
    assert name in error.message
    assert error.hint
    assert error.retry_after_seconds == case.retry_after


@pytest.mark.parametrize("name", support.PATHS)
def test_a_slow_service_is_not_waited_for(name: str, tmp_path: Path) -> None:
    holding: list[WebServer] = []

    def slow(_: Request, __: Any) -> None:
        holding[0].ended.wait(20)

    with serve({support.PATHS[name]: slow}) as server:
        holding.append(server)
        endpoint = server.url("/v1" if name == "openai" else "")
        wanted = {"endpoint": endpoint, "secretName": "tts", "timeoutSeconds": 1, **support.MORE.get(name, {})}
        manner = support.manner(name, **wanted)
        mine = replace(
            support.means(tmp_path, secrets=support.SECRETS),
            exchange=lambda request, *rest, **more: exchange(replace(request, seconds=0.2), *rest, **more),
        )
        with pytest.raises(External, match="did not answer in time"):
            list(voice(manner.choice).speak([support.line(TEXT)], manner, mine))
        server.ended.set()


@pytest.mark.parametrize(
    ("name", "answer", "text"),
    [
        ("openai", reply(b"ID3\x04not a wav"), "the sound is no WAV: it begins with 494433046e6f7420"),
        ("openai", reply(support.wav_file(b"")), "no sound came"),
        ("azure", reply(support.wav_file(b"\0" * 100, width=1)), "the WAV has format 1, 8 bits"),
        ("azure", reply(b"RIFF\0\0\0\0WAVE"), "the WAV holds no samples"),
        ("elevenlabs", reply(b"<html>"), "the answer is no JSON"),
        ("elevenlabs", support.json_reply({"audio_base64": "%%%"}), "audio_base64 is no base64"),
        ("elevenlabs", support.json_reply({}), "the answer has no audio_base64"),
        ("elevenlabs", support.json_reply(support.elevenlabs("Something else.")), "the alignment is of another text"),
        (
            "elevenlabs",
            support.json_reply({**support.elevenlabs(TEXT), "alignment": {"characters": []}}),
            "not as documented",
        ),
        ("google", support.json_reply({"audioContent": 5}), "no audioContent"),
        ("google", support.json_reply(support.google(9)), "the timepoints are of another text"),
        ("polly", reply(b""), "no sound came"),
        ("polly", reply(b"\1\1"), "the speech marks are not as documented"),
    ],
)
def test_a_broken_answer_is_recoverable(name: str, answer: Answer, text: str, tmp_path: Path) -> None:
    with pytest.raises(Recoverable, match=text) as caught:
        speak(name, answer, tmp_path)
    assert caught.value.code == "TTSError"


def test_polly_says_with_400_that_it_is_asked_too_often(tmp_path: Path) -> None:
    answer = support.json_reply({"message": "ThrottlingException: Rate exceeded"}, "400 Bad Request")
    with pytest.raises(External, match="Rate exceeded"):
        speak("polly", answer, tmp_path)


def test_a_failure_that_passes_is_tried_again(tmp_path: Path) -> None:
    good = GOOD["openai"]()
    turns = [reply(b"", "500 Oops"), reply(b"", "429 Slow", ("Retry-After: 2",)), good]
    found, server = speak("openai", turns, tmp_path, retries=2)
    assert found.sound.duration_ms == 1200
    assert len(server.seen) == 3


def test_a_long_wait_is_left_to_the_operator(tmp_path: Path) -> None:
    with pytest.raises(External) as caught:
        speak("openai", [reply(b"", "429 Slow", ("Retry-After: 60",)), GOOD["openai"]()], tmp_path, retries=2)
    assert caught.value.retry_after_seconds == 60


def test_a_permanent_failure_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Permanent):
        speak("openai", [reply(b"", "401 No"), GOOD["openai"]()], tmp_path, retries=2)


def test_case_62_what_a_service_repeats_of_a_key_is_hidden(tmp_path: Path) -> None:
    answer = support.json_reply({"error": {"message": "Incorrect key: sk-0123456789abcdef."}}, "401 Unauthorized")
    with pytest.raises(Permanent) as caught:
        speak("openai", answer, tmp_path)
    assert "sk-0123" not in caught.value.message
    assert "Incorrect key: ***" in caught.value.message


def test_piper_is_run_with_the_model_of_the_stock(tmp_path: Path) -> None:
    """A program in piper's place that keeps what it was asked, since no model may be assumed here."""
    from videojob_worker.providers.voices.piper import Piper  # noqa: PLC0415 - this provider alone takes another program

    sound = tmp_path / "sound.wav"
    sound.write_bytes(support.wav_file(support.tone(700, 22_050), 22_050))
    program = tmp_path / "piper"
    program.write_text(
        '#!/bin/sh\necho "$@" > asked\nwhile [ "$1" != --input-file ]; do shift; done; cat "$2" >> asked\n'
        'while [ "$1" != --output-file ]; do shift; done; cp sound.wav "$2"\n'
    )
    program.chmod(0o755)
    for name in ("en.onnx", "en.onnx.json"):
        (tmp_path / name).write_text("{}")
    manner = support.manner("piper", "en", model="en.onnx", voice="3", rate=125)
    (found,) = Piper(str(program)).speak([support.line(TEXT)], manner, support.means(tmp_path))
    assert found is not None
    assert (found.sound.rate, found.sound.duration_ms) == (22_050, 700)
    asked = (tmp_path / "asked").read_text()
    assert f"--model {tmp_path}/en.onnx" in asked
    assert "--speaker 3 --length-scale 0.8000" in asked
    assert asked.endswith(f"{TEXT}\n")
