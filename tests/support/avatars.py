"""Avatars under test: a portrait and a voice, an errand to a provider, and the same as a program that can be killed."""

from __future__ import annotations

import json
import multiprocessing
import struct
import time
import zlib
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import voices
from videojob_api.avatar.params import Animator
from videojob_worker.base.errors import WorkerError
from videojob_worker.providers.avatars import provider
from videojob_worker.providers.avatars.base import Errand, Performance
from videojob_worker.storage.ledger import Ledger

KEYS = {"did": "D_ID_API_KEY", "http": "key"}


def portrait(path: Path, size: int = 8) -> Path:
    """A small PNG, whole and valid."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([200, 150, 120] * size) for _ in range(size))
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


def speech(path: Path) -> Path:
    """A WAV of two seconds."""
    path.write_bytes(voices.wav_file(voices.tone(2000, 16_000), 16_000))
    return path


def errand(
    folder: Path, name: str, *, key: str = "", retries: int = 0, tag: str = "uid-1.abc", **choice: Any
) -> Errand:
    """A portrait for a provider, in a folder that outlives attempts."""
    for part in ("paid", "work"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    means = voices.means(folder, secrets={KEYS[name]: key} if key else {}, retries=retries)
    given = {"name": name, "timeoutSeconds": 5, **({"secretName": "tts"} if key else {}), **choice}
    return Errand(
        image=portrait(folder / "work" / "portrait.png"), audio=speech(folder / "work" / "speech.wav"),
        choice=Animator.model_validate(given), means=means, ledger=Ledger(folder / "paid" / "talk.json"), keep=folder / "paid",
        tag=tag, told=lambda _percent, _text: None,
    )  # fmt: skip


def perform(given: Errand) -> Performance:
    """Ask the provider that the errand names."""
    return provider(given.choice).perform(given)


END = "end.json"
"""What an attempt in a process of its own ended with."""


def attempt(folder: Path, choice: dict[str, Any], key: str) -> None:
    """One attempt in a process of its own, which waits a little where a pod would wait for seconds."""
    given = errand(folder, key=key, **choice)
    given = replace(given, means=replace(given.means, wait=lambda seconds: time.sleep(seconds / 100)))
    try:
        end = {"end": "done", "sha256": perform(given).sha256}
    except WorkerError as error:
        end = {"end": error.code, "message": error.message}
    (folder / END).write_text(json.dumps(end))


PROCESSES = multiprocessing.get_context("forkserver")
"""Processes that share nothing with the test; what takes long to import is loaded once for all of them."""
PROCESSES.set_forkserver_preload(["avatars", "videojob_worker.net.exchange", "videojob_worker.net.download"])


def start(folder: Path, choice: dict[str, Any], key: str) -> BaseProcess:
    """Start an attempt."""
    (folder / END).unlink(missing_ok=True)
    process = PROCESSES.Process(target=attempt, args=(folder, choice, key), daemon=True)
    process.start()
    return process


def ended(folder: Path) -> str | None:
    """What the last attempt ended with; None for one that did not come to an end."""
    path = folder / END
    return str(json.loads(path.read_text())["end"]) if path.exists() else None
