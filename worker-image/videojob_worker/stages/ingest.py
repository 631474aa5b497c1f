"""Vet the source and probe it: size, digest, form, structure, duration, before anything is decoded."""

from __future__ import annotations

from videojob_api.contract import IngestParams, StageResult
from videojob_api.v1alpha1.status import InputStatus

from ..base.errors import BadConfig, Permanent
from ..media import probe as probing
from ..media import sniff as sniffing
from ..storage import files
from .context import Context


def run(context: Context) -> StageResult:
    """Check the source against its limits (T-014, T-021) and record what it is.

    Raises Permanent: SourceNotFound, EmptyFile, FileTooLarge, InvalidFileType, UnsafeInput, CorruptMedia,
    DurationTooLong.
    """
    params = context.params
    if not isinstance(params, IngestParams):
        raise BadConfig("BadDocument", "stage ingest got another stage's params")
    source, limits = params.source, params.limits
    context.progress(0, "Checking the file")
    path = context.store.source(source.uri, source.filename)
    size = path.stat().st_size
    if size > limits.max_input_bytes:
        raise Permanent(
            "FileTooLarge",
            f"File too large: {size} bytes, the limit is {limits.max_input_size} ({limits.max_input_bytes} bytes)",
            hint="raise spec.transcode.limits.maxInputSize, or send a smaller file",
        )
    sniffed = sniffing.sniff(path, limits.allowed_types)

    def hashed(done: int) -> None:
        context.check()
        context.progress(done * 80 // size, "Reading the file")

    digest = files.sha256_file(path, hashed)
    if source.digest is not None and digest != source.digest:
        raise Permanent(
            "CorruptMedia",
            f"the upload's bytes do not match its name: sha256 is {digest}",
            hint="submit the file again; the upload was changed or not finished",
        )
    context.progress(85, "Probing the file")
    found = probing.probe(path, sniffed.demuxer, context.tool)
    # The longest that the file claims: a header that says ten hours is refused, whatever its streams say.
    longest_ms = max(found.duration_ms, found.announced_ms)
    if longest_ms > limits.max_duration_seconds * 1000:
        raise Permanent(
            "DurationTooLong",
            f"the video lasts {longest_ms // 1000} s, the limit is {limits.max_duration_seconds} s",
            hint="raise spec.transcode.limits.maxDurationSeconds, or cut the file",
        )
    video = found.video
    rate = video.average_rate.limit_denominator(100_000)
    return StageResult(
        kind=context.kind.kind,
        message=f"{sniffed.container}, {video.width}x{video.height}, {found.duration_ms / 1000:.1f} s",
        input=InputStatus(
            filename=source.filename,
            size_bytes=size,
            sha256=digest,
            container=sniffed.container,
            duration_ms=found.duration_ms,
            width=video.width,
            height=video.height,
            rotation=video.rotation,
            frame_rate=f"{rate.numerator}/{rate.denominator}",
            variable_frame_rate=video.variable,
            video_codec=video.codec,
            audio_codec=found.audio.codec if found.audio is not None else None,
        ),
    )
