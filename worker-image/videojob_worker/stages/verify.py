"""Measure every output on its own and compare it with its order: nothing unproven is published.

Every packet is counted and every keyframe is decoded, each of which a player may start from; the sound is decoded
wholly. Bytes that change later are caught by their digests.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from videojob_api import profiles
from videojob_api.contract import OutputPlan, StageResult, VerifyParams
from videojob_api.v1alpha1.status import InputStatus, OutputStatus

from ..base.errors import BadConfig, Recoverable
from ..base.process import Fences
from ..media import probe as probing
from ..media import tools
from ..media.progress import ProgressReader
from ..storage import files
from .context import Context, plain_file

DECODER_FENCES = Fences(file_bytes=1 << 20)
"""A decode to nowhere writes nothing."""


def run(context: Context) -> StageResult:
    """Check every output; the result's `files` repeat transcode's with the facts as measured.

    Raises Recoverable (VerifyFailed): the outputs are then made anew.
    """
    params = context.params
    if not isinstance(params, VerifyParams):
        raise BadConfig("BadDocument", "stage verify got another stage's params")
    made, folder = context.earlier("transcode"), context.folder("transcode")
    source = made.input
    by_name = {output.name: output for output in made.files}
    measured = []
    for place, plan in enumerate(params.outputs):
        context.check()
        context.progress(place * 100 // len(params.outputs), f"Verifying {plan.name}")
        ordered = by_name.get(plan.name)
        if ordered is None or source is None:
            raise _failed(plan.name, "it was not made")
        path = plain_file(folder, ordered.path)
        if not files.matches(path, ordered.size_bytes, ordered.sha256):
            raise _failed(plan.name, "its bytes changed after it was made")
        measured.append(
            _film(context, plan, ordered, source=source, path=path, drift_ms=params.max_duration_drift_ms)
            if plan.spec.rendition is not None
            else _still(context, plan, ordered, path)
        )
    return StageResult(
        kind=context.kind.kind, message=f"{len(measured)} outputs verified", input=source, files=tuple(measured),
        tools=made.tools,
    )  # fmt: skip


def _film(
    context: Context, plan: OutputPlan, ordered: OutputStatus, *, source: InputStatus, path: Path, drift_ms: int
) -> OutputStatus:
    rendition = plan.spec.rendition
    if rendition is None:
        raise _failed(plan.name, "its profile is no rendition")
    demuxer = {"mp4": "mov", "webm": "matroska"}[rendition.container]
    found = probing.probe(path, demuxer, context.tool, count_packets=True)
    rate = Fraction(ordered.frame_rate or "1")
    shape = profiles.fit(rendition.video, source.width, source.height, rate)
    audio_codec = found.audio.codec if found.audio is not None else None
    wanted_audio = rendition.audio.codec if rendition.audio is not None and source.audio_codec is not None else None
    _same(plan.name, "size", f"{found.video.width}x{found.video.height}", f"{shape.width}x{shape.height}")
    _same(plan.name, "video codec", found.video.codec, rendition.video.codec)
    _same(plan.name, "audio codec", audio_codec, wanted_audio)
    _same(plan.name, "rotation mark", found.video.rotation, 0)
    wanted_ms = source.duration_ms if ordered.duration_ms is None else ordered.duration_ms
    if abs(found.duration_ms - wanted_ms) > drift_ms:
        raise _failed(plan.name, f"it lasts {found.duration_ms} ms, the source {wanted_ms} ms")
    if found.video.packets is not None and (found.video.packets - 2) * 1000 > (found.duration_ms + drift_ms) * rate:
        raise _failed(
            plan.name, f"it has {found.video.packets} pictures in {found.duration_ms} ms at {ordered.frame_rate}"
        )
    _decodes(context, plan.name, path, demuxer, ["-map", "0:v:0", "-map", "0:a?"])
    return ordered.model_copy(
        update={
            "width": found.video.width,
            "height": found.video.height,
            "duration_ms": found.duration_ms,
            "video_codec": found.video.codec,
            "audio_codec": audio_codec,
            "aspect_ratio": profiles.aspect_ratio(found.video.width, found.video.height),
            "bitrate_kbps": round(ordered.size_bytes * 8 / max(1, found.duration_ms)),
        }
    )


def _still(context: Context, plan: OutputPlan, ordered: OutputStatus, path: Path) -> OutputStatus:
    thumbnail = plan.spec.thumbnail
    if thumbnail is None:
        raise _failed(plan.name, "its profile is no still picture")
    found = probing.probe(path, "mjpeg", context.tool)
    _same(plan.name, "size", f"{found.video.width}x{found.video.height}", f"{thumbnail.width}x{thumbnail.height}")
    _same(plan.name, "codec", found.video.codec, "mjpeg")
    _decodes(context, plan.name, path, "mjpeg", ["-map", "0:v:0"])
    return ordered.model_copy(update={"width": found.video.width, "height": found.video.height})


def _decodes(context: Context, name: str, path: Path, demuxer: str, maps: list[str]) -> None:
    """Decode to nowhere; any error at all is a failure."""
    argv = [tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", "-xerror", "-nostats", "-progress", "pipe:1"]
    argv += ["-threads", str(context.document.limits.threads), "-skip_frame:v", "nokey", "-err_detect", "explode"]
    argv += [*tools.flat(tools.input_options(demuxer)), "-i", tools.file_url(path), *maps, "-f", "null", "-"]
    watchdog, reader = context.watchdog(), ProgressReader(0)

    def line(text: str) -> None:
        reader.feed(text)
        watchdog.advance(reader.clock)

    finished = context.run(argv, fences=DECODER_FENCES, watchdog=watchdog, on_line=line)
    if finished.code != 0 or finished.stderr.strip():
        raise _failed(name, "it does not decode cleanly", finished.stderr)


def _same(name: str, what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise _failed(name, f"its {what} is {found}, wanted {wanted}")


def _failed(name: str, why: str, log_tail: str | None = None) -> Recoverable:
    return Recoverable(
        "VerifyFailed",
        f"the output {name} failed verification: {why}",
        hint="the outputs are made anew on the next attempt; if it fails again, see debug/ for the commands",
        log_tail=log_tail,
    )
