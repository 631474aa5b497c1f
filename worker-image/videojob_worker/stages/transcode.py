"""Make every rendition and still picture from one decode of the source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videojob_api import profiles
from videojob_api.contract import ONE_BY_ONE, OutputPlan, StageResult, TranscodeParams
from videojob_api.v1alpha1.status import OutputStatus

from ..base.errors import BadConfig, Permanent
from ..base.process import GIB, Fences
from ..media import ladder, tools
from ..media import packets as listing
from ..media import probe as probing
from ..media import sniff as sniffing
from ..media.ladder import Rung
from ..media.probe import Probe
from ..media.progress import ProgressReader
from ..media.sniff import Sniffed
from ..storage import files
from .context import Context

SHORTFALL_MS = 1000
"""How much earlier than announced the pictures and sound may end before the source counts as cut off."""
DRIFT_MS = 400
"""How much earlier the outputs may end than headers say before the packets are asked."""


def run(context: Context) -> StageResult:
    """Run FFmpeg once for the whole ladder (T-006); in the working size OneByOne, once for each output, which needs the memory of
    one encoder at a time and makes the same.

    Raises Permanent (CorruptMedia, SourceChanged), Resource (OutOfMemory, DiskFull), Stalled (Timeout, Stalled), Recoverable
    (FFmpegFailed), Stopped.
    """
    params = context.params
    if not isinstance(params, TranscodeParams):
        raise BadConfig("BadDocument", "stage transcode got another stage's params")
    source = context.earlier("ingest").input
    if source is None:
        raise BadConfig("BadDocument", "stage ingest recorded no input")
    path = context.store.source(params.source.uri, params.source.filename)
    if files.sha256_file(path, lambda _: context.check()) != source.sha256:
        # Files of the stock can be replaced between two stages; what ingest found would be said of other bytes.
        raise Permanent(
            "SourceChanged",
            "the source is not the file any more that ingest checked",
            hint="create another VideoJob for the new file; use another name in the stock for a new version",
        )
    sniffed = sniffing.sniff(path)
    found = probing.probe(path, sniffed.demuxer, context.tool)
    rungs = ladder.rungs(
        params.outputs, found.video.width, found.video.height, found.video.rate, audio=found.audio is not None
    )
    passes = [(rung,) for rung in rungs] if context.task.working_size == ONE_BY_ONE else [rungs]
    lasts: dict[str, int] = {}
    for place, some in enumerate(passes):
        lasts |= _encode(
            context, path=path, sniffed=sniffed, found=found, rungs=rungs, some=some, place=(place, len(passes))
        )
    context.progress(99, "Reading the outputs")
    return StageResult(
        kind=context.kind.kind,
        message=f"{len(rungs)} outputs",
        input=source,
        files=tuple(_status(context, rung, lasts[rung.plan.name]) for rung in rungs),
        tools={"ffmpeg": tools.version(context.tool)},
    )


def _encode(
    context: Context,
    *,
    path: Path,
    sniffed: Sniffed,
    found: Probe,
    rungs: Sequence[Rung],
    some: Sequence[Rung],
    place: tuple[int, int],
) -> dict[str, int]:
    """Make some rungs of the ladder from one decode; how long each lasts in milliseconds, by name. `place`: which of how many
    decodes it is.
    """
    argv = ladder.arguments(
        tools.ffmpeg(),
        path,
        sniffed.demuxer,
        probe=found,
        ladder=rungs,
        folder=context.staging,
        threads=context.document.limits.threads,
        only=some,
    )
    reader, watchdog = ProgressReader(found.duration_ms), context.watchdog()

    def heard(line: str) -> None:
        sample = reader.feed(line)
        watchdog.advance(reader.clock)
        if sample is not None:
            text = f"Encoding {len(some)} outputs" if place[1] == 1 else f"Encoding {some[0].plan.name}, one by one"
            percent = (100 * place[0] + sample.percent) // place[1]
            context.progress(percent, text, sample.speed, sample.eta_seconds)

    fences = _fences([rung.plan for rung in some], found.duration_ms)
    finished = context.run(argv, fences=fences, watchdog=watchdog, on_line=heard)
    missing = [rung.file_name for rung in some if not _there(context, rung)]
    if finished.code != 0 or missing:
        if finished.code == 0:
            raise Permanent(
                "CorruptMedia",
                f"the source gave no picture for {', '.join(missing)}",
                hint="play the file locally: its pictures cannot be decoded",
                log_tail=finished.stderr,
            )
        raise tools.judge_reading(finished, "encoding") if reader.frames == 0 else tools.judge(finished, "encoding")
    lasts = {rung.plan.name: found.lasts_ms(audio=rung.audio) for rung in some}
    announced = max((lasts[rung.plan.name] for rung in some if rung.frame_rate), default=0)
    if reader.position_ms < announced - DRIFT_MS:
        sound = any(rung.audio for rung in some)
        measured = _measured(context, path, sniffed, found, sound=sound, reader=reader, log_tail=finished.stderr)
        lasts = {rung.plan.name: min(measured.lasts_ms(audio=rung.audio), reader.position_ms) for rung in some}
    return lasts


def _measured(
    context: Context, path: Path, sniffed: Sniffed, found: Probe, *, sound: bool, reader: ProgressReader, log_tail: str
) -> Probe:
    """What the packets say of a source that ended before its header had it: the true durations.

    Subtitles, further tracks or a last picture that stands for long make a header's duration longer than what is
    used. Raises Permanent (CorruptMedia) if no packet of any stream comes near the header's end, or if packets are there
    that could not be decoded.
    """
    packets = listing.spans(path, sniffed.demuxer, context.tool)
    measured = probing.measured(found, packets)
    reached = max(span.end_ms for span in packets.values()) - min(span.first_ms for span in packets.values())
    cut = not sniffed.whole and reached < found.announced_ms - SHORTFALL_MS
    if cut or reader.position_ms < measured.lasts_ms(audio=sound) - SHORTFALL_MS:
        raise Permanent(
            "CorruptMedia",
            f"the file is truncated or damaged: it announces {found.duration_ms / 1000:.1f} s, "
            f"{reader.position_ms / 1000:.1f} s could be decoded",
            hint="play the file locally to its end; upload the whole file again",
            log_tail=log_tail,
        )
    return measured


def _there(context: Context, rung: Rung) -> bool:
    path = context.staging / rung.file_name
    return path.is_file() and path.stat().st_size > 0


def _fences(plans: Sequence[OutputPlan], duration_ms: int) -> Fences:
    """Room for four times the largest output there should be; a decoder that makes frames without end stops there."""
    rates = [
        profiles.kilobits(plan.spec.rendition.video.bitrate) + 512 for plan in plans if plan.spec.rendition is not None
    ]
    return Fences(address_space=16 * GIB, file_bytes=(64 << 20) + 4 * max(rates, default=0) * 125 * duration_ms // 1000)


def _status(context: Context, rung: Rung, duration_ms: int) -> OutputStatus:
    """The facts of one output as it was ordered; verify replaces them by what it measures."""
    path = context.staging / rung.file_name
    rendition = rung.plan.spec.rendition
    rate = rung.frame_rate
    return OutputStatus(
        name=rung.plan.name,
        profile=rung.plan.profile,
        path=rung.file_name,
        uri=f"store://jobs/{context.document.job.uid}/videos/{rung.file_name}",
        media_type=rung.media_type,
        size_bytes=path.stat().st_size,
        sha256=files.sha256_file(path, lambda _: context.check()),
        width=rung.width,
        height=rung.height,
        duration_ms=duration_ms if rendition is not None else None,
        frame_rate=f"{rate.numerator}/{rate.denominator}" if rate is not None else None,
        aspect_ratio=profiles.aspect_ratio(rung.width, rung.height),
        video_codec=rendition.video.codec if rendition is not None else "mjpeg",
        audio_codec=rendition.audio.codec
        if rendition is not None and rendition.audio is not None and rung.audio
        else None,
    )
