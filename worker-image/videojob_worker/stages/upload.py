"""Upload: the portrait and the voice, judged, and in a form that every later stage reads (A-001, A-044, case 68)."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from PIL import Image

from videojob_api.avatar.tasks import AUDIO_BYTES, IMAGE_BYTES, PORTRAIT_FILE, SPEECH_FILE, UploadParams
from videojob_api.contract import StageResult
from videojob_api.v1alpha1 import AvatarStatus, StoredFile

from ..base.errors import BadConfig, Permanent
from ..base.process import Fences
from ..compose import picture
from ..media import tools, tunes
from ..storage.records import stored
from .context import Context, plain_file

LONGEST, SHORTEST = 1920, 64
"""Pixels of a portrait's sides: larger ones are made smaller, smaller ones are refused."""
MOST_SECONDS, LEAST_SECONDS = 300, 0.2
RATE = 48_000
FENCES = Fences(file_bytes=256 << 20, cpu_seconds=300)


def run(context: Context) -> StageResult:
    """Write `portrait.png` (RGB, as people see it) and `speech.wav` (mono, 48 kHz).

    Raises Permanent: FileTooLarge, InvalidImageType, ImageTooLarge, CorruptImage, ImageTooSmall, InvalidFileType, CorruptMedia,
    DurationTooLong, NoSound.
    """
    params = context.params
    if not isinstance(params, UploadParams):
        raise BadConfig("BadDocument", "stage upload got another stage's params")
    context.progress(10, "Reading the portrait")
    size = _portrait(context, params.image)
    context.progress(50, "Reading the voice")
    target = context.staging / SPEECH_FILE
    if params.audio is not None:
        source = context.store.source(params.audio.uri, params.audio.filename)
        _bounded(source, AUDIO_BYTES, "avatar.audio")
        _decoded(context, source, target)
    else:
        target.write_bytes(plain_file(context.folder("speak"), SPEECH_FILE).read_bytes())
    seconds = _seconds(target)
    return StageResult(
        kind=context.kind.kind, message=f"a portrait of {size[0]}x{size[1]}, {seconds:.1f} s of speech",
        parts=(stored(context.staging / PORTRAIT_FILE), stored(target)), avatar=AvatarStatus(duration_ms=round(seconds * 1000)),
    )  # fmt: skip


def _portrait(context: Context, given: StoredFile) -> tuple[int, int]:
    source = context.store.source(given.uri, given.filename)
    _bounded(source, IMAGE_BYTES, "avatar.image")
    try:
        found = picture.read(source)
    except Permanent as error:
        raise Permanent(error.code, f"avatar.image: {error.message}", hint=error.hint) from None
    scale = LONGEST / max(found.size)
    if scale < 1:
        found = found.resize(
            (max(1, round(found.width * scale)), max(1, round(found.height * scale))), Image.Resampling.LANCZOS
        )
    if min(found.size) < SHORTEST:
        text = f"avatar.image: the picture is {found.width}x{found.height}, at least {SHORTEST}x{SHORTEST} are needed"
        raise Permanent("ImageTooSmall", text, hint="give a larger picture of the person")
    found.save(context.staging / PORTRAIT_FILE, compress_level=1)
    return found.size


def _decoded(context: Context, source: Path, target: Path) -> None:
    """A stranger's sound to plain samples, at most a little longer than is permitted."""
    demuxer = tunes.demuxer(source, "avatar.audio")
    argv = [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", *tools.flat(tools.input_options(demuxer)), "-i",
        tools.file_url(source), "-map", "0:a:0", "-map_metadata", "-1", "-fflags", "+bitexact", "-t", str(MOST_SECONDS + 1),
        "-ac", "1", "-ar", str(RATE), "-c:a", "pcm_s16le", "-f", "wav", tools.file_url(target),
    ]  # fmt: skip
    finished = context.run(argv, fences=FENCES, watchdog=context.watchdog())
    if finished.code != 0:
        error = tools.judge_reading(finished, "reading the voice")
        error.message = f"avatar.audio: {error.message}".replace("as a video", "as a sound")
        raise error


def _seconds(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        count = file.getnframes()
        loudest = max(
            (
                int(np.abs(np.frombuffer(part, "<i2").astype(np.int32)).max())
                for part in iter(lambda: file.readframes(1 << 20), b"")
            ),
            default=0,
        )  # fmt: skip
    seconds = count / RATE
    if seconds > MOST_SECONDS:
        text = f"avatar.audio: the voice lasts more than {MOST_SECONDS} s"
        raise Permanent("DurationTooLong", text, hint="give a shorter one, or divide it over several VideoJobs")
    if seconds < LEAST_SECONDS or loudest < 64:
        text = f"avatar.audio: nothing is heard in it ({seconds:.1f} s)"
        raise Permanent("NoSound", text, hint="give a recording in which somebody speaks")
    return seconds


def _bounded(path: Path, limit: int, field: str) -> None:
    size = path.stat().st_size
    if size == 0:
        raise Permanent("EmptyFile", f"{field}: the file has 0 bytes", hint="upload it again")
    if size > limit:
        text = f"File too large: {field} has {size} bytes, the limit is {limit} bytes"
        raise Permanent("FileTooLarge", text, hint="give a smaller file")
