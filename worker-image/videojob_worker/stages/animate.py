"""AvatarGeneration: the portrait speaks, by a provider or by the talking face that is built in (A-021, A-029, A-046). The person
of a video moves already: there the voice is laid under it (A-041).

What was asked of a provider who is paid stands in `paid/` of the job's folder, by the stage's key: every attempt of the same work
goes on there, and work that is wanted anew has another key.
"""

from __future__ import annotations

import select
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videojob_api.avatar.params import BUILTIN, Animator, online
from videojob_api.avatar.tasks import (
    CUTOUT_FILE,
    PAID,
    SCENE_FILE,
    SCENES_FILE,
    SPEECH_FILE,
    VIDEO_FILE,
    AnimateParams,
    of,
)
from videojob_api.contract import FetchPolicy, StageResult
from videojob_api.v1alpha1 import AvatarStatus

from ..base.errors import BadConfig, Permanent, Recoverable
from ..base.feeding import Sink, run_fed
from ..base.process import Fences, Finished
from ..compose.encoding import COLOURS
from ..media import tools
from ..providers.avatars import provider
from ..providers.avatars.base import Errand, Performance
from ..providers.calling import Means
from ..storage.ledger import Ledger
from ..storage.records import stored
from .context import Context, plain_file
from .footage import Footage, film_of
from .sitting import Sitter, picture, samples, sitters

FPS = 25
RETRIES = 3
"""Further tries of one request within an attempt."""
FENCES = Fences(file_bytes=4 << 30)
RECORD = "request.json"
KEY_LENGTH, TAG_LENGTH = 32, 16
"""So much of the stage's key is in the name of a request's folder in `paid/`, and in the name that a provider is told."""


def run(context: Context) -> StageResult:
    """Write the provider's video, as it came. Raises what the provider raises, Permanent (NoFace) of the talking face."""
    params = context.params
    if not isinstance(params, AnimateParams):
        raise BadConfig("BadDocument", "stage animate got another stage's params")
    choice, targets = params.animator, []
    context.earlier("matte")
    ids, notes = list[str](), list[str]()
    found, film = sitters(context), film_of(context)
    if film is not None:
        notes.append("the person moves as in the video: the voice is laid under it and moves no mouth")
    for place, one in enumerate(found):
        targets.append(context.staging / of(VIDEO_FILE, one.number))
        if film is not None:
            _voiced(context, film, one, targets[-1])
            continue
        if choice.name == BUILTIN:
            _talk(context, one, (place, len(found)), targets[-1])
            continue
        made = _performed(context, choice, one)
        shutil.copyfile(made.path, targets[-1])
        ids += [made.id] if made.id is not None else []
        notes += made.notes
    return StageResult(
        kind=context.kind.kind, parts=tuple(map(stored, targets)), notes=tuple(notes[:8]),
        message=f"{sum(target.stat().st_size for target in targets) / 1e6:.1f} MB of video by {choice.name}",
        avatar=AvatarStatus(provider=choice.name, provider_id=" ".join(ids)[:128] or None),
    )  # fmt: skip


# ---------------------------------------------------------------- by a provider


def _performed(context: Context, choice: Animator, one: Sitter) -> Performance:
    folder = context.store.job / PAID / of(context.task.key[:KEY_LENGTH], one.number)
    if folder.parent.is_symlink() or folder.is_symlink():
        raise Permanent("UnsafeInput", f"the job's {PAID}/ is a symbolic link", hint="remove it from the store")
    folder.mkdir(parents=True, exist_ok=True)
    scene = plain_file(context.folder("matte"), of(SCENE_FILE, one.number))
    errand = Errand(
        image=scene, audio=plain_file(context.folder("upload"), SPEECH_FILE),
        choice=choice, means=means(context, local=not online(choice)), ledger=Ledger(folder / RECORD), keep=folder,
        tag=tag_of(context.document.job.uid, folder.name),
        told=context.progress,
    )  # fmt: skip
    return provider(choice).perform(errand)


def tag_of(uid: str, folder: str) -> str:
    """A request's own name, by the VideoJob's UID and the name of its folder in `paid/`, which ends with the person's number."""
    return f"videojob-{uid}-{folder[:TAG_LENGTH]}{folder[KEY_LENGTH:]}"


def means(context: Context, *, local: bool) -> Means:
    """What a provider of avatars may use in this stage; a local one runs a program of the image."""
    watchdog = context.watchdog()

    def wait(seconds: float) -> None:
        select.select([context.stop.fileno()], [], [], seconds)
        context.check()

    def run(argv: Sequence[str], on_line: Callable[[str], None] | None = None) -> Finished:
        lines = 0

        def heard(line: str) -> None:
            nonlocal lines
            lines += 1
            watchdog.advance(lines)
            if on_line is not None:
                on_line(line)

        if not local:
            raise BadConfig("BadDocument", "a provider on the network runs no program")
        return context.run(argv, fences=FENCES, watchdog=watchdog, on_line=heard)

    return Means(
        run=run, scratch=context.store.scratch, stock=Path(context.document.store.stock), secrets=context.secrets,
        policy=context.document.fetch or FetchPolicy(), check=context.check, wait=wait, retries=RETRIES,
    )  # fmt: skip


# ---------------------------------------------------------------- built in


def _voiced(context: Context, film: Footage, one: Sitter, target: Path) -> None:
    """The person's own motion with the voice under it, silence behind the voice, as long as the video."""
    scenes = plain_file(context.folder("matte"), of(SCENES_FILE, one.number))
    voice, seconds = plain_file(context.folder("upload"), SPEECH_FILE), f"{film.duration_ms / 1000:.3f}"
    argv = [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "warning", "-nostats", "-f", "mov", "-protocol_whitelist", "file", "-i",
        tools.file_url(scenes), "-f", "wav", "-protocol_whitelist", "file", "-i", tools.file_url(voice), "-map", "0:v:0", "-map",
        "1:a:0", "-af", f"apad=whole_dur={seconds}", "-t", seconds, "-c:v", "copy", "-c:a", "aac", "-b:a", "192k", "-movflags",
        "+faststart", "-f", "mp4", tools.file_url(target),
    ]  # fmt: skip
    finished = context.run(argv, fences=FENCES, watchdog=context.watchdog())
    if finished.code != 0:
        text = f"FFmpeg failed with code {finished.code} while laying the voice under the video"
        raise Recoverable("CompositionError", text, hint="see debug/ for its last words", log_tail=finished.stderr)


@dataclass(frozen=True)
class _Shape:
    width: int
    height: int


def _talk(context: Context, one: Sitter, turn: tuple[int, int], target: Path) -> None:
    """Draw the talking face frame by frame, straight into the encoder, with the voice beside it; `turn` is the person's place
    among so many.
    """
    from ..vision.faces import portrait_face  # noqa: PLC0415
    from ..vision.talking import talk  # noqa: PLC0415 - with its models; a provider's pod needs neither
    from .matte import BACKGROUND_FILE  # noqa: PLC0415

    person, behind = (picture(context, "matte", of(name, one.number)) for name in (CUTOUT_FILE, BACKGROUND_FILE))
    mesh = portrait_face(np.ascontiguousarray(person[..., :3]), within=one.place())
    voice, rate = samples(context)
    total = max(1, round(len(voice) * FPS / rate))
    seed = int(context.task.key[:8], 16)
    frames = talk(person, behind, voice, rate, fps=FPS, seed=seed, mesh=mesh)
    watchdog = context.watchdog()
    shape = _Shape(person.shape[1], person.shape[0])

    def feed(sink: Sink) -> None:
        for number, frame in enumerate(frames):
            context.check()
            sink.write(memoryview(frame.tobytes()))
            watchdog.advance(number)
            if number % FPS == 0:
                done = (turn[0] * total + number) * 100 // (turn[1] * total)
                context.progress(min(99, done), f"Drawing second {number // FPS} of {total // FPS}")

    argv = _encoder(context, shape, plain_file(context.folder("upload"), SPEECH_FILE), target)
    finished = run_fed(lambda stdin: context.run(argv, fences=FENCES, watchdog=watchdog, stdin=stdin), feed)
    if finished.code != 0:
        text = f"FFmpeg failed with code {finished.code} while drawing the avatar"
        raise Recoverable("CompositionError", text, hint="see debug/ for its last words", log_tail=finished.stderr)


def _encoder(context: Context, shape: _Shape, voice: Path, target: Path) -> list[str]:
    return [
        tools.ffmpeg(), "-hide_banner", "-nostdin", "-v", "warning", "-nostats", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s",
        f"{shape.width}x{shape.height}", "-r", str(FPS), "-i", "pipe:0", "-f", "wav", "-protocol_whitelist", "file", "-i",
        tools.file_url(voice), "-map", "0:v:0", "-map", "1:a:0", "-threads", str(context.document.limits.threads),
        "-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-crf",
        "16", *COLOURS, "-c:a", "aac", "-b:a", "192k", "-movflags", "+faststart", "-f", "mp4", tools.file_url(target),
    ]  # fmt: skip
