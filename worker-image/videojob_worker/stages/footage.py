"""A video of a person instead of a photograph (A-041): judged, brought into a form of ours, and read frame by frame.

FFmpeg alone decodes what a stranger made, under the fences of a transcode's input. Later stages read what it has written:
upright, square pixels, a constant rate from the file's first moment on, colours as RGB, so that nobody guesses a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import ffmpeg
import numpy as np

from videojob_api.avatar.tasks import FILM_FILE

from ..base.errors import Permanent, Recoverable, WorkerError
from ..base.feeding import Sink, run_fed
from ..base.process import GIB, Fences
from ..compose.encoding import COLOURS
from ..media import ladder, tools
from ..media import packets as listing
from ..media import probe as probing
from ..media import sniff as sniffing
from ..media.probe import Probe
from ..media.progress import ProgressReader
from ..vision.boxes import Picture
from .context import Context, plain_file

MOST_SECONDS, LEAST_SECONDS = 60, 0.2
"""A longer video is refused: each frame is cut out by itself."""
LONGEST, SHORTEST, MOST_PIXELS = 1280, 64, 4096 * 2304
"""Pixels of a frame's sides, larger ones are made smaller, smaller ones refused; and most pixels of a frame as it comes."""
MOST_RATE = 30
"""Frames a second; of faster videos every second frame is left, or as many as that."""
SHORTFALL_MS = 1000
"""How much earlier than announced the pictures may end before the file counts as cut off."""
FIELD = "avatar.image"
FENCES = Fences(address_space=16 * GIB, file_bytes=4 * GIB)
_HEAD = 4096


@dataclass(frozen=True)
class Footage:
    """A video of ours."""

    path: Path
    width: int
    height: int
    rate: Fraction
    """Frames a second."""
    duration_ms: int

    @property
    def count(self) -> int:
        """How many frames there are."""
        return max(1, round(self.duration_ms * self.rate / 1000))


def is_video(path: Path) -> bool:
    """Whether a file's first bytes are those of a video's container. What is no picture either is told by `refusal`."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    try:
        sniffing.require_video(head)
    except Permanent:
        return False
    return True


def refusal(path: Path, error: Permanent) -> Permanent:
    """Why a file is no portrait: as the picture's decoder has it, and what its first bytes say that it is."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    try:
        sniffing.require_video(head)
    except Permanent as found:
        what = found.message.removeprefix("Invalid file type: ").partition(";")[0]
        text = f"{error.message}: {what}; allowed: pictures (jpeg, png, webp) and videos (mp4, mov, avi, mkv, webm)"
        return Permanent(
            error.code, text, hint="judged by content, not by name: give a JPEG or PNG of the person, or an MP4"
        )
    return error


def brought(context: Context, source: Path, target: Path) -> Footage:
    """Write a stranger's video in our form.

    Raises Permanent: InvalidFileType, UnsafeInput, CorruptMedia, DurationTooLong, ImageTooLarge, ImageTooSmall; and what running
    FFmpeg raises.
    """
    try:
        return _brought(context, source, target)
    except WorkerError as error:
        error.message = f"{FIELD}: {error.message}"
        raise


def _brought(context: Context, source: Path, target: Path) -> Footage:
    sniffed = sniffing.sniff(source)
    found = probing.probe(source, sniffed.demuxer, context.tool)
    size, rate = _shape(found)
    longest = max(found.duration_ms, found.announced_ms)
    if longest > MOST_SECONDS * 1000:
        raise _too_long(f"{longest / 1000:.1f} s")
    reader, watchdog = ProgressReader(max(1, found.video_ms)), context.watchdog()

    def heard(line: str) -> None:
        sample = reader.feed(line)
        watchdog.advance(reader.clock)
        if sample is not None:
            context.progress(10 + sample.percent * 4 // 10, "Reading the video", sample.speed, sample.eta_seconds)

    argv = _arguments(context, source, sniffed.demuxer, found, shape=(size, rate), target=target)
    finished = context.run(argv, fences=FENCES, watchdog=watchdog, on_line=heard)
    if finished.code != 0 or not target.is_file() or reader.frames == 0:
        if finished.code == 0:
            raise Permanent(
                "CorruptMedia", "the file gave no picture", hint="play it locally: its pictures cannot be decoded",
                log_tail=finished.stderr,
            )  # fmt: skip
        raise tools.judge_reading(finished, "reading the video")
    made = opened(context, target)
    if made.duration_ms > MOST_SECONDS * 1000:
        raise _too_long(f"more than {MOST_SECONDS} s")
    if made.duration_ms < found.video_ms - SHORTFALL_MS:
        _judge_short(context, source, sniffed, found, made)
    return made


def _too_long(lasts: str) -> Permanent:
    return Permanent(
        "DurationTooLong", f"the video lasts {lasts}, the limit is {MOST_SECONDS} s",
        hint="cut it, or divide it over several VideoJobs; a photograph may speak for longer",
    )  # fmt: skip


def _shape(found: Probe) -> tuple[tuple[int, int], Fraction]:
    """Size and rate of our form."""
    across, up = found.video.width, found.video.height
    if across * up > MOST_PIXELS:
        text = f"the video has {across}x{up} pixels, the limit is {MOST_PIXELS}"
        raise Permanent("ImageTooLarge", text, hint=f"scale it down to {LONGEST} pixels a side: more is not used")
    if min(across, up) < SHORTEST:
        text = f"the video is {across}x{up}, at least {SHORTEST}x{SHORTEST} are needed"
        raise Permanent("ImageTooSmall", text, hint="give a larger video of the person")
    scale = min(1.0, LONGEST / max(across, up))
    rate = found.video.rate
    if rate > MOST_RATE:
        rate = rate / 2 if rate / 2 <= MOST_RATE else Fraction(MOST_RATE)
    return (round(across * scale / 2) * 2, round(up * scale / 2) * 2), rate


def _arguments(
    context: Context, source: Path, demuxer: str, found: Probe, *, shape: tuple[tuple[int, int], Fraction], target: Path
) -> list[str]:
    (width, height), rate = shape
    threads = context.document.limits.threads
    options = {("format" if name == "f" else name): value for name, value in tools.input_options(demuxer).items()}
    stream = ffmpeg.input(tools.file_url(source), threads=threads, **options)[str(found.video.index)]
    if found.video.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", deint="interlaced")
    # From the file's first moment on: a picture that begins later than the sound would else come too early.
    stream = stream.filter("fps", fps=f"{rate.numerator}/{rate.denominator}", start_time=0, round="near")
    stream = stream.filter("scale", width, height, flags=ladder.SCALER)
    if found.video.hdr:
        stream = ladder.tone_map(stream, found)
    stream = stream.filter("setsar", "1").filter("format", "gbrp")
    made = ffmpeg.output(
        stream, tools.file_url(target), vcodec="libx264rgb", preset="veryfast", crf=14, threads=threads, t=MOST_SECONDS + 1,
        map_metadata=-1, map_chapters=-1, fflags="+bitexact", format="mp4",
    )  # fmt: skip
    return list(
        ffmpeg.compile(
            made, cmd=[tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "warning", "-nostats", "-progress", "pipe:1"]
        )
    )


def _judge_short(context: Context, source: Path, sniffed: sniffing.Sniffed, found: Probe, made: Footage) -> None:
    """A video that ended before its header had it: is it all there by its packets?"""
    packets = listing.spans(source, sniffed.demuxer, context.tool)
    measured = probing.measured(found, packets)
    reached = max(span.end_ms for span in packets.values()) - min(span.first_ms for span in packets.values())
    cut = not sniffed.whole and reached < found.announced_ms - SHORTFALL_MS
    if cut or made.duration_ms < measured.video_ms - SHORTFALL_MS:
        raise Permanent(
            "CorruptMedia",
            f"the file is truncated or damaged: it announces {found.duration_ms / 1000:.1f} s, "
            f"{made.duration_ms / 1000:.1f} s could be decoded",
            hint="play the file locally to its end; upload the whole file again",
        )


def opened(context: Context, path: Path) -> Footage:
    """A video of ours that is there."""
    found = probing.probe(path, "mov", context.tool).video
    return Footage(path, found.width, found.height, found.average_rate, found.duration_ms or 0)


def film_of(context: Context) -> Footage | None:
    """The video that was given; None where it is a photograph."""
    if FILM_FILE not in {part.path for part in context.earlier("upload").parts}:
        return None
    return opened(context, plain_file(context.folder("upload"), FILM_FILE))


def frames(film: Footage, every: int = 1) -> Iterator[Picture]:
    """Its frames, or one of every so many, in RGB. Raises Recoverable when there are not as many as there should be."""
    reader, number = cv2.VideoCapture(str(film.path)), 0
    try:
        while reader.grab():
            if number % every == 0:
                there, frame = reader.retrieve()
                if not there:
                    break
                yield np.ascontiguousarray(frame[..., ::-1])
            number += 1
    finally:
        reader.release()
    if abs(number - film.count) > 1:
        text = f"{film.path.name} has {number} frames of {film.count}"
        raise Recoverable("ResultInvalid", text, hint="a retry makes it anew")


def drawn(context: Context, film: Footage, pictures: Iterable[Picture], shape: tuple[int, int], target: Path) -> None:
    """Write pictures of this width and height as a video at the film's rate, without sound.

    Raises Recoverable: CompositionError.
    """
    watchdog = context.watchdog()

    def feed(sink: Sink) -> None:
        for number, picture in enumerate(pictures):
            context.check()
            sink.write(memoryview(picture.tobytes()))
            watchdog.advance(number)

    argv = [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "warning", "-nostats", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s",
        f"{shape[0]}x{shape[1]}", "-r", f"{film.rate.numerator}/{film.rate.denominator}", "-i", "pipe:0", "-threads",
        str(context.document.limits.threads), "-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p", "-c:v",
        "libx264", "-preset", "veryfast", "-crf", "16", *COLOURS, "-fflags", "+bitexact", "-f", "mp4", tools.file_url(target),
    ]  # fmt: skip
    finished = run_fed(lambda stdin: context.run(argv, fences=FENCES, watchdog=watchdog, stdin=stdin), feed)
    if finished.code != 0:
        text = f"FFmpeg failed with code {finished.code} while writing the cut-out"
        raise Recoverable("CompositionError", text, hint="see debug/ for its last words", log_tail=finished.stderr)
