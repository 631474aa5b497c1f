"""Running an engine in a process of its own, many lines at a time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...base.errors import Recoverable
from ..calling import Means
from .base import TTS_ERROR, Sound, service, wav

LINES_AT_ONCE = 16
"""So that a long story is seen to advance."""


def spoken(
    host: str, name: str, request: Mapping[str, Any], texts: Sequence[str], means: Means
) -> Iterator[tuple[Sound, dict[str, Any]]]:
    """Each text as sound, with what the engine told of it. Raises Recoverable when the engine fails."""
    for begin in range(0, len(texts), LINES_AT_ONCE):
        yield from _batch(host, name, request, texts[begin : begin + LINES_AT_ONCE], means)


def _batch(
    host: str, name: str, request: Mapping[str, Any], texts: Sequence[str], means: Means
) -> list[tuple[Sound, dict[str, Any]]]:
    folder = means.scratch
    outs = [folder / f"{name}-{place}.wav" for place in range(len(texts))]
    for out in outs:
        out.unlink(missing_ok=True)
    ask = folder / f"{name}.json"
    lines = [{"text": text, "out": str(out)} for text, out in zip(texts, outs, strict=True)]
    ask.write_text(json.dumps({**request, "atOnce": means.threads, "lines": lines}), encoding="utf-8")
    told: list[str] = []
    program = str(Path(__file__).with_name("host.py"))
    finished = means.run([sys.executable, "-I", "-S", program, host, str(ask)], told.append)
    if finished.code != 0 or len(told) != len(texts):
        last = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Recoverable(
            TTS_ERROR, f"{name} ended with code {finished.code}: {last[:200]}", log_tail=finished.stderr,
            hint=f"install what {name} needs: Debian's packages libflite1, and libespeak-ng1 with espeak-ng-data",
        )  # fmt: skip
    found = [(wav(service(name), out.read_bytes()), json.loads(line)) for out, line in zip(outs, told, strict=True)]
    for out in outs:
        out.unlink()
    return found
