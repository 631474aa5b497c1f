"""Finalizing: the provider's video is judged, compressed, marked as synthetic, and a still picture is taken from it.

A provider's file is a stranger's: it is decoded here, without a network and without credentials.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from videojob_api.avatar.tasks import VIDEO_FILE, FinishParams, of
from videojob_api.contract import StageResult
from videojob_api.v1alpha1 import AvatarStatus
from videojob_api.v1alpha1.status import OutputStatus

from ..base.errors import BadConfig, Recoverable
from ..compose import marks
from ..media import probe as probing
from ..media import tools
from ..storage.records import stored
from .context import Context, plain_file
from .filming import marked, output
from .sitting import sitters
from .studio import Studio

VIDEO, STILL = "video", "thumbnail"
DRIFT_MS = 1500
"""A provider's video may be so much shorter than the voice, or longer."""
MOMENT_MS = 2000
QUALITY = 90


def run(context: Context) -> StageResult:
    """Write the video and its still picture. Raises Recoverable (VerifyFailed) for a video that is not what was asked for."""
    params = context.params
    if not isinstance(params, FinishParams):
        raise BadConfig("BadDocument", "stage finish got another stage's params")
    context.earlier("animate")
    seconds, sizes, files = list[int](), list[str](), list[OutputStatus]()
    found = sitters(context)
    for place, one in enumerate(found):
        context.progress(100 * place // len(found), "Judging the video")
        video, still = _finished(context, one.number)
        files += [video, still]
        seconds.append(video.duration_ms or 0)
        sizes.append(f"{seconds[-1] / 1000:.1f} s of {video.width}x{video.height}")
    return StageResult(
        kind=context.kind.kind, message=", ".join(sizes)[:200], files=tuple(files),
        tools={"ffmpeg": tools.version(context.tool)}, avatar=AvatarStatus(duration_ms=max(seconds)),
    )  # fmt: skip


def _finished(context: Context, number: int | None) -> tuple[OutputStatus, OutputStatus]:
    """One person's video and still picture."""
    raw = plain_file(context.folder("animate"), of(VIDEO_FILE, number))
    found = probing.probe(raw, "mov", context.tool)
    wanted = (context.earlier("upload").avatar or AvatarStatus()).duration_ms or 0
    if found.audio is None:
        raise _failed("it has no sound")
    if abs(found.duration_ms - wanted) > DRIFT_MS + wanted // 20:
        raise _failed(f"it lasts {found.duration_ms} ms, the voice {wanted} ms")
    name, at = of(VIDEO, number), Studio(context)
    target = context.staging / f"{name}.mp4"
    at.done(_encoder(context, raw, target), "compressing the avatar")
    marks.mark(target)
    made = probing.probe(target, "mov", context.tool)
    moment = min(MOMENT_MS, made.duration_ms // 2)
    frame, still = context.staging / "frame.png", context.staging / f"{name}_thumb.jpg"
    at.done(_frame(target, moment, frame), "taking a still picture")
    with Image.open(frame, formats=("PNG",)) as opened:
        opened.convert("RGB").save(still, "JPEG", quality=QUALITY, xmp=marks.packet())
        size = opened.size
    frame.unlink()
    return _video(context, name, target, made), _still(context, of(STILL, number), still, size)


def _video(context: Context, name: str, path: Path, made: probing.Probe) -> OutputStatus:
    found = stored(path)
    row = output(
        context, name, "video/mp4", found, (made.video.width, made.video.height), made.video.codec,
        audio_codec=made.audio.codec if made.audio is not None else None, duration_ms=made.duration_ms,
        frame_rate=str(made.video.average_rate), synthetic=marked(path, name),
        bitrate_kbps=round(found.size_bytes * 8 / max(1, made.duration_ms)),
    )  # fmt: skip
    return row.model_copy(update={"profile": "avatar"})


def _still(context: Context, name: str, path: Path, size: tuple[int, int]) -> OutputStatus:
    row = output(context, name, "image/jpeg", stored(path), size, "mjpeg", synthetic=marked(path, name))
    return row.model_copy(update={"profile": "avatar"})


def _failed(why: str) -> Recoverable:
    return Recoverable(
        "VerifyFailed", f"the provider's video is not what was asked for: {why}",
        hint="look at it in processed/animate of the job's folder; another provider may do better",
    )  # fmt: skip


def _encoder(context: Context, raw: Path, target: Path) -> list[str]:
    return [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "warning", "-nostats", *tools.flat(tools.input_options("mov")), "-i",
        tools.file_url(raw), "-map", "0:v:0", "-map", "0:a:0", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags",
        "+bitexact", "-threads", str(context.document.limits.threads), "-vf",
        "scale=trunc(iw/2)*2:trunc(ih/2)*2,setsar=1,format=yuv420p", "-c:v", "libx264", "-preset", "medium", "-crf", "20",
        "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", "-f", "mp4", tools.file_url(target),
    ]  # fmt: skip


def _frame(source: Path, moment_ms: int, target: Path) -> list[str]:
    return [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", "-nostats", "-ss", f"{moment_ms / 1000:.3f}",
        *tools.flat(tools.input_options("mov")), "-i", tools.file_url(source), "-map", "0:v:0", "-frames:v", "1", "-f",
        "image2", "-update", "1", tools.file_url(target),
    ]  # fmt: skip
