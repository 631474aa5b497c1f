"""Finalizing: the provider's video is judged, compressed, marked as synthetic, and a still picture is taken from it.

A provider's file is a stranger's: it is decoded here, without a network and without credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from videojob_api.avatar.tasks import SAID_FILE, VIDEO_FILE, FinishParams, Said, of
from videojob_api.contract import StageResult
from videojob_api.v1alpha1 import AvatarStatus
from videojob_api.v1alpha1.status import OutputStatus
from videojob_api.v1alpha1.story_looks import Captions

from ..base.errors import BadConfig, Recoverable
from ..base.feeding import Sink, run_fed
from ..compose import marks
from ..compose.captions import CAPTION_TYPES, Passage
from ..compose.encoding import COLOURS
from ..compose.fonts import book
from ..compose.subtitled import Saying, Subtitles
from ..compose.text import Typesetter
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
HD_ROWS = 720
"""From so many rows on players take the colours of an unmarked video for BT.709."""


@dataclass(frozen=True)
class Spoken:
    """The words of the speech, and how they are shown."""

    said: Said
    captions: Captions
    language: str

    @classmethod
    def of(cls, context: Context, params: FinishParams) -> Spoken | None:
        """What the voice said, where it is shown."""
        if params.captions is None:
            return None
        context.earlier("speak")
        told = plain_file(context.folder("speak"), SAID_FILE).read_bytes()
        return cls(Said.model_validate_json(told), params.captions, params.language or "en")

    def subtitles(self, frame: tuple[int, int]) -> Subtitles:
        """Set for a video of that size."""
        sayings = [
            Saying(one.start_ms, Passage(one.text, one.words, one.end_ms - one.start_ms)) for one in self.said.sentences
        ]
        return Subtitles(sayings, self.captions, self.language, Typesetter(book()), frame)

    def lettering(self, frame: tuple[int, int]) -> Subtitles | None:
        """What is to be seen in the picture; None when nothing is."""
        made = self.subtitles(frame) if self.captions.burn and self.captions.style != "none" else None
        return made if made is not None and made.band[1] else None

    def files(self, context: Context, frame: tuple[int, int], duration_ms: int) -> list[OutputStatus]:
        """The captions as files beside the videos."""
        found = []
        for form, text in self.subtitles(frame).files(self.captions.sidecars).items():
            path = context.staging / f"{VIDEO}.{form}"
            path.write_text(text, encoding="utf-8")
            row = output(context, f"captions-{form}", CAPTION_TYPES[form], stored(path), duration_ms=duration_ms)
            found.append(row.model_copy(update={"profile": "avatar"}))
        return found


def run(context: Context) -> StageResult:
    """Write the video and its still picture. Raises Recoverable (VerifyFailed) for a video that is not what was asked for."""
    params = context.params
    if not isinstance(params, FinishParams):
        raise BadConfig("BadDocument", "stage finish got another stage's params")
    context.earlier("animate")
    seconds, sizes, files, texts = list[int](), list[str](), list[OutputStatus](), list[OutputStatus]()
    found = sitters(context)
    words = Spoken.of(context, params)
    for place, one in enumerate(found):
        context.progress(100 * place // len(found), "Judging the video")
        video, still = _finished(context, one.number, words)
        files += [video, still]
        seconds.append(video.duration_ms or 0)
        sizes.append(f"{seconds[-1] / 1000:.1f} s of {video.width}x{video.height}")
        if place == 0 and words is not None:  # all of them say the same
            texts = words.files(context, (video.width or 2, video.height or 2), seconds[-1])
    return StageResult(
        kind=context.kind.kind, message=", ".join(sizes)[:200], files=(*files, *texts),
        tools={"ffmpeg": tools.version(context.tool)}, avatar=AvatarStatus(duration_ms=max(seconds)),
    )  # fmt: skip


def _finished(context: Context, number: int | None, words: Spoken | None) -> tuple[OutputStatus, OutputStatus]:
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
    shape = (found.video.width // 2 * 2, found.video.height // 2 * 2)
    lettering = words.lettering(shape) if words is not None else None
    if lettering is None:
        at.done(_encoder(context, raw, target, found), "compressing the avatar")
    else:
        _captioned(context, at, _encoder(context, raw, target, found, lettering, shape), lettering, found)
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


def _captioned(context: Context, at: Studio, argv: list[str], lettering: Subtitles, found: probing.Probe) -> None:
    """Compress with captions, which are drawn while FFmpeg takes them."""

    def feed(sink: Sink) -> None:
        for band in lettering.frames(found.video.average_rate, found.duration_ms):
            context.check()
            sink.write(memoryview(band))

    finished = run_fed(lambda stdin: at.run(argv, stdin=stdin), feed)
    if finished.code != 0:
        text = f"FFmpeg failed with code {finished.code} while captioning the avatar"
        raise Recoverable("CompositionError", text, hint="see debug/ for its last words", log_tail=finished.stderr)


def _encoder(  # noqa: PLR0917 - a file, what becomes of it, and what is laid over it
    context: Context, raw: Path, target: Path, found: probing.Probe, lettering: Subtitles | None = None,
    shape: tuple[int, int] = (0, 0),
) -> list[str]:  # fmt: skip
    # What is not marked is taken as players take it: by its size.
    matrix = "auto" if found.video.matrix is not None else "bt709" if found.video.height >= HD_ROWS else "bt601"
    rate = found.video.average_rate
    even = "scale=trunc(iw/2)*2:trunc(ih/2)*2"
    plain = f"{even}:in_color_matrix={matrix}:out_color_matrix=bt709:out_range=tv,setsar=1,format=yuv420p"
    letters, picture = list[str](), ["-map", "0:v:0", "-vf", plain]
    if lettering is not None:
        first, rows = lettering.band
        letters = [
            "-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{shape[0]}x{rows}", "-r", f"{rate.numerator}/{rate.denominator}",
            "-i", "pipe:0",
        ]  # fmt: skip
        band = "[1:v:0]scale=out_color_matrix=bt709:out_range=tv,format=yuva420p[band]"
        laid = f"[0:v:0]{plain}[under];{band};[under][band]overlay=0:{first}:eof_action=pass,format=yuv420p[shown]"
        picture = ["-filter_complex", laid, "-map", "[shown]"]
    return [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "warning", "-nostats", *tools.flat(tools.input_options("mov")), "-i",
        tools.file_url(raw), *letters, *picture, "-map", "0:a:0", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags",
        "+bitexact", "-threads", str(context.document.limits.threads), "-c:v", "libx264", "-preset", "medium", "-crf", "20",
        *COLOURS, "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", "-f", "mp4", tools.file_url(target),
    ]  # fmt: skip


def _frame(source: Path, moment_ms: int, target: Path) -> list[str]:
    return [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", "-nostats", "-ss", f"{moment_ms / 1000:.3f}",
        *tools.flat(tools.input_options("mov")), "-i", tools.file_url(source), "-map", "0:v:0", "-frames:v", "1", "-f",
        "image2", "-update", "1", tools.file_url(target),
    ]  # fmt: skip
