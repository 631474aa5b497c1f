"""A program of the worker's image: for models such as MuseTalk or LivePortrait, in an image of their own.

`videojob-avatar-<model> --image FILE --audio FILE --output FILE --options JSON`; a line of standard output that begins with a
number is its percent. It ends with 0, or with the worker's own exit codes: 65 it cannot be, 69 somebody else failed, 73 no room.
Only programs of that name can be asked for, so that a VideoJob names no program of its own.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import ClassVar

from videojob_api.exits import ExitCode

from ...base.errors import External, Permanent, Recoverable, Resource
from ..calling import wrong
from .base import AVATAR_ERROR, FIELD, Dealing, Errand, Performance, bring, kept, looks_like_video, service

SERVICE = service("command")
PREFIX = "videojob-avatar-"


class Command:
    """One run of the program."""

    version: ClassVar[int] = 1

    def perform(self, errand: Errand) -> Performance:
        """The video that an earlier attempt made, or one run."""
        found = kept(errand)
        if found is not None:
            return found
        made = errand.keep / "coming.mp4"
        made.unlink(missing_ok=True)
        self._run(errand, made)
        if made.is_symlink() or not made.is_file():
            raise wrong(SERVICE, "it ended well and left no video")
        with made.open("rb") as file:
            looks_like_video(SERVICE, file.read(16))
        return bring(errand, made, {})

    def withdraw(self, _dealing: Dealing) -> tuple[str, ...]:
        """Nothing to do: it never left this machine."""
        return ()

    def _run(self, errand: Errand, made: Path) -> None:
        name = f"{PREFIX}{errand.choice.model or 'default'}"
        program = shutil.which(name)
        if program is None:
            raise Permanent(
                AVATAR_ERROR, f"this worker image has no program {name}",
                hint=f"set spec.workerClass to one whose image has it, or {FIELD}.model to one that it has",
            )  # fmt: skip
        options = {
            "expression": errand.choice.expression, "intensityPercent": errand.choice.intensity_percent,
            "padAudioMs": errand.choice.pad_audio_ms,
        }  # fmt: skip

        def heard(line: str) -> None:
            found = re.match(r"(\d{1,3})(?:\.\d+)?\s*%?\s*(.*)", line)
            if found is not None and int(found[1]) <= 100:
                errand.told(int(found[1]), " ".join(found[2].split())[:120] or "Animating the portrait")

        done = errand.means.run(
            [
                program, "--image", str(errand.image), "--audio", str(errand.audio), "--output", str(made), "--options",
                json.dumps({key: value for key, value in options.items() if value is not None}),
            ],
            heard,
        )  # fmt: skip
        if done.code == 0:
            return
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
        text = f"{name} ended with code {done.code}: {last}"
        if done.code == ExitCode.PERMANENT:
            raise Permanent(AVATAR_ERROR, text, hint="change the portrait or the voice", log_tail=done.stderr)
        if done.code == ExitCode.EXTERNAL:
            raise External(AVATAR_ERROR, text, hint="it goes on by itself")
        if done.code == ExitCode.RESOURCE:
            raise Resource(AVATAR_ERROR, text, hint="the next attempt may get more memory", log_tail=done.stderr)
        raise Recoverable(AVATAR_ERROR, text, hint="another attempt may work; see debug/", log_tail=done.stderr)
