"""Upload: the portrait, or a video in its place, and the voice, judged, in a form that later stages read (A-001, A-044)."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from PIL import Image

from videojob_api.avatar.tasks import (
    AUDIO_BYTES,
    FILM_BYTES,
    FILM_FILE,
    IMAGE_BYTES,
    PORTRAIT_FILE,
    SPEECH_FILE,
    UploadParams,
)
from videojob_api.contract import StageFile, StageResult
from videojob_api.v1alpha1 import AvatarStatus, StoredFile

from ..base.errors import BadConfig, Permanent
from ..base.process import Fences
from ..compose import picture
from ..media import sniff as sniffing
from ..media import tools, tunes
from ..storage.records import stored
from ..vision import filming
from .context import Context, plain_file
from .footage import Footage, brought, frames, is_video, refusal
from .sitting import save

LONGEST, SHORTEST = 1920, 64
"""Pixels of a portrait's sides: larger ones are made smaller, smaller ones are refused."""
MOST_SECONDS, LEAST_SECONDS = 300, 0.2
RATE = 48_000
SLACK_MS = 250
"""So much longer than the video a voice may be: what encoders add at the end is cut off."""
LOOKS = 12
"""So many frames of a video are looked at for the one that becomes a picture."""
FENCES = Fences(file_bytes=256 << 20, cpu_seconds=300)


def run(context: Context) -> StageResult:
    """Write `portrait.png` (RGB, as people see it), or `film.mp4` where a video was given, and `speech.wav` (mono, 48 kHz).

    Of a video, a provider who takes pictures gets the frame that shows a face best. Raises Permanent: FileTooLarge,
    InvalidImageType, ImageTooLarge, CorruptImage, ImageTooSmall, InvalidFileType, UnsafeInput, CorruptMedia, DurationTooLong,
    NoSound.
    """
    params = context.params
    if not isinstance(params, UploadParams):
        raise BadConfig("BadDocument", "stage upload got another stage's params")
    context.progress(10, "Reading the portrait")
    image = _bounded(context, params.image, "avatar.image", FILM_BYTES)
    film = brought(context, image, context.staging / FILM_FILE) if is_video(image) else None
    what = _portrait(context, image) if film is None else _film(context, film, moving=params.moving is True)
    moving = film if params.moving is True else None
    context.progress(50, "Reading the voice")
    target = context.staging / SPEECH_FILE
    if params.audio is not None:
        if film is not None and params.audio.uri == params.image.uri:
            source, demuxer = image, sniffing.sniff(image).demuxer
        else:
            source = _bounded(context, params.audio, "avatar.audio", AUDIO_BYTES)
            demuxer = tunes.demuxer(source, "avatar.audio")
        _decoded(context, source, target, demuxer=demuxer, timed=moving is not None)
    else:
        target.write_bytes(plain_file(context.folder("speak"), SPEECH_FILE).read_bytes())
    seconds = _seconds(target)
    lasts = round(seconds * 1000)
    if moving is not None:
        _fits(lasts, moving, "avatar.audio" if params.audio is not None else "avatar.speech")
        lasts = moving.duration_ms
    return StageResult(
        kind=context.kind.kind, message=f"{what[0]}, {seconds:.1f} s of speech", parts=(what[1], stored(target)),
        avatar=AvatarStatus(duration_ms=lasts),
    )  # fmt: skip


def _film(context: Context, film: Footage, *, moving: bool) -> tuple[str, StageFile]:
    """What was given, in words and as a file: the video, or the frame of it that shows a face best."""
    size = f"{film.width}x{film.height}"
    if moving:
        return f"a video of {size}, {film.duration_ms / 1000:.1f} s", stored(film.path)
    found = filming.best(frames(film, max(1, film.count // LOOKS)))
    if found is None:
        raise Permanent(
            "CorruptMedia", "avatar.image: the video has no frame", hint="play it locally, and upload it again"
        )
    film.path.unlink()
    save(context.staging / PORTRAIT_FILE, found)
    return f"the best frame of a video, {size}", stored(context.staging / PORTRAIT_FILE)


def _fits(lasts_ms: int, film: Footage, field: str) -> None:
    if lasts_ms > film.duration_ms + SLACK_MS:
        text = f"{field}: the voice lasts {lasts_ms / 1000:.1f} s, the video of avatar.image {film.duration_ms / 1000:.1f} s"
        raise Permanent(
            "DurationTooLong",
            text,
            hint="give a longer video or a shorter voice, or a photograph, which speaks as long as the voice",
        )


def _portrait(context: Context, source: Path) -> tuple[str, StageFile]:
    if source.stat().st_size > IMAGE_BYTES:
        raise _too_large(source, IMAGE_BYTES, "avatar.image")
    try:
        found = picture.read(source)
    except Permanent as error:
        told = refusal(source, error) if error.code == "InvalidImageType" else error
        raise Permanent(told.code, f"avatar.image: {told.message}", hint=told.hint) from None
    scale = LONGEST / max(found.size)
    if scale < 1:
        found = found.resize(
            (max(1, round(found.width * scale)), max(1, round(found.height * scale))), Image.Resampling.LANCZOS
        )
    if min(found.size) < SHORTEST:
        text = f"avatar.image: the picture is {found.width}x{found.height}, at least {SHORTEST}x{SHORTEST} are needed"
        raise Permanent("ImageTooSmall", text, hint="give a larger picture of the person")
    save(context.staging / PORTRAIT_FILE, np.asarray(found))
    return f"a portrait of {found.width}x{found.height}", stored(context.staging / PORTRAIT_FILE)


def _decoded(context: Context, source: Path, target: Path, *, demuxer: str, timed: bool) -> None:
    """A stranger's sound to plain samples, at most a little longer than is permitted. `timed` counts from the file's first
    moment, where its picture may be, and not from the first sound.
    """
    laid = ("-af", "aresample=async=1:first_pts=0") if timed else ()
    argv = [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", *tools.flat(tools.input_options(demuxer)), "-i",
        tools.file_url(source), "-map", "0:a:0", "-map_metadata", "-1", "-fflags", "+bitexact", "-t", str(MOST_SECONDS + 1),
        *laid, "-ac", "1", "-ar", str(RATE), "-c:a", "pcm_s16le", "-f", "wav", tools.file_url(target),
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


def _bounded(context: Context, given: StoredFile, field: str, limit: int) -> Path:
    path = context.store.source(given.uri, given.filename)
    size = path.stat().st_size
    if size == 0:
        raise Permanent("EmptyFile", f"{field}: the file has 0 bytes", hint="upload it again")
    if size > limit:
        raise _too_large(path, limit, field)
    return path


def _too_large(path: Path, limit: int, field: str) -> Permanent:
    text = f"File too large: {field} has {path.stat().st_size} bytes, the limit is {limit} bytes"
    return Permanent("FileTooLarge", text, hint="give a smaller file")
