"""Join the pieces without encoding them again, lay the sound under them, mark and measure the film (S-023, S-064, S-065)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videojob_api.contract import Measured, StageFile, StageResult, canonical_json
from videojob_api.keeping import SOUND_PARTS
from videojob_api.manifest import ManifestPiece
from videojob_api.story import looks
from videojob_api.story.scenes import SceneManifest, Speech
from videojob_api.story.tasks import JoinParams
from videojob_api.story.variants import MAIN, named
from videojob_api.v1alpha1.status import OutputStatus
from videojob_api.v1alpha1.story_status import StoryStatus

from ..base.errors import BadConfig, Recoverable
from ..compose import captions, encoding, gates, marks, sound
from ..compose.film import Film
from ..compose.fonts import book
from ..compose.text import Typesetter
from ..media import probe as probing
from ..media import tools, tunes
from ..storage import files
from ..storage.records import stored
from .context import Context, plain_file
from .filming import FILM, PIECES_FILE, Drawn, drawn, film_file, manifest_of, marked, output, pieces_of
from .kept import Kept
from .scenes import written
from .studio import Studio, film

SOUND_FILE = "sound.m4a"
TELLING_MS = 3000
"""So much speech has a loudness of its own: one that is measured in blocks of 400 ms."""


def run(context: Context) -> StageResult:
    """Write the film and the captions' files of each take. Equal sounds are laid once.

    Raises Recoverable: CompositionError when FFmpeg fails, VerifyFailed for a film that is not as ordered.
    """
    params = context.params
    if not isinstance(params, JoinParams):
        raise BadConfig("BadDocument", "stage join got another stage's params")
    pieces, keys = drawn(context), pieces_of(context)
    takes = {MAIN: params.loudness_lufs, **{take.name: take.loudness_lufs for take in params.takes or ()}}
    films: list[_Made] = []
    # A program takes longer to load than to say its version.
    with ThreadPoolExecutor(1, thread_name_prefix="version") as beside:
        version = beside.submit(tools.version, context.tool)
        for place, (take, lufs) in enumerate(takes.items()):

            def told(percent: int, message: str, done: int = place * 100) -> None:
                context.progress((done + percent) // len(takes), message)

            films.append(_take(context, take, lufs, pieces, keys[take], told=told))
    count = len(keys[MAIN]) if len(takes) == 1 else len({key for own in keys.values() for key in own})
    what = f"{films[0].lasts_ms / 1000:.1f} s" if len(takes) == 1 else f"{len(takes)} films"
    rows = [row for made in films for row in made.pieces]
    return StageResult(
        kind=context.kind.kind,
        message=f"{what} of {count} pieces, {pieces.made} of them new",
        files=tuple(file for made in films for file in made.files),
        parts=(written(context.staging, PIECES_FILE, canonical_json(rows)),),
        tools={"ffmpeg": version.result()},
        story=StoryStatus(pieces=count, pieces_made=pieces.made, duration_ms=films[0].lasts_ms),
    )


def _take(
    context: Context, take: str, lufs: int, pieces: Drawn, keys: Sequence[str], *, told: Callable[[int, str], None]
) -> _Made:  # fmt: skip
    """One take: its film, which passed the gates, and what goes with it."""
    manifest, at = manifest_of(context, take), Studio(context)
    told(5, "Laying the sound")
    heard = _sound(context, manifest, lufs, at)
    told(40, "Joining the scenes")
    target = context.staging / film_file(take)
    whole = film(context, manifest, looks.Encoding(), keys=keys)
    whole.join(context.staging, lambda piece: pieces.paths[piece.key], heard.path, target)
    marks.mark(target)
    told(60, "Measuring the film")
    dark = sum(pieces.black[key] for key in keys)
    with ThreadPoolExecutor(1, thread_name_prefix="digest") as beside:  # both only read it
        vouched = beside.submit(stored, target)
        found = _measured(context, target, heard, dark * 1000 // manifest.fps)
        made = vouched.result()
    wrong = gates.problems(wanted(manifest, lufs), found)
    if wrong:
        which = f"the film of variant {take}" if take else "the film"
        text = f"{which} is not as ordered: {'; '.join(wrong)}"
        raise Recoverable(
            "VerifyFailed", text, hint="look at debug/ for the commands, and at the pictures and voices used"
        )
    files = [_film(context, manifest, take, found, made), *_captions(context, manifest, take)]
    return _Made(files, _listed(whole, pieces, take), found.video_ms)


@dataclass(frozen=True)
class _Made:
    """What came of one take."""

    files: list[OutputStatus]
    pieces: list[dict[str, Any]]
    lasts_ms: int


def _listed(whole: Film, pieces: Drawn, take: str) -> list[dict[str, Any]]:
    """The pieces as the published manifest lists them."""
    return [
        ManifestPiece(
            variant=take or None,
            scenes=tuple(scene.id for scene in whole.shown(piece.segment)),
            frames=piece.segment.frames,
            key=piece.key,
            sha256=pieces.parts[piece.key].sha256,
            made=not pieces.parts[piece.key].brought,
        ).dump()
        for piece in whole.pieces
    ]


def wanted(manifest: SceneManifest, lufs: int) -> gates.Wanted:
    """What the finished film is held against. With music, or of a word or two, the whole has another loudness."""
    spoken_ms = sum(scene.speech.duration_ms for scene in manifest.scenes if scene.speech is not None)
    telling = manifest.music is None and spoken_ms >= TELLING_MS
    return gates.Wanted(manifest.total_frames, manifest.fps, narrated=spoken_ms > 0, lufs=lufs if telling else None)


def _film(context: Context, manifest: SceneManifest, take: str, found: gates.Measured, made: StageFile) -> OutputStatus:
    path = context.staging / film_file(take)
    return output(
        context, named(FILM, take), "video/mp4", made, (manifest.width, manifest.height), "h264", audio_codec="aac",
        duration_ms=found.video_ms, frame_rate=f"{manifest.fps}/1", synthetic=marked(path, named(FILM, take)),
        bitrate_kbps=round(made.size_bytes * 8 / max(1, found.video_ms)),
    )  # fmt: skip


def _captions(context: Context, manifest: SceneManifest, take: str) -> list[OutputStatus]:
    """The narration as files beside the film; a story without a word has none."""
    if not any(scene.text for scene in manifest.scenes):
        return []
    found = []
    for form, text in captions.sidecars(manifest, manifest.captions.sidecars, Typesetter(book())).items():
        path = context.staging / f"{named(FILM, take)}.{form}"
        path.write_text(text, encoding="utf-8")
        found.append(
            output(
                context,
                named(f"captions-{form}", take),
                captions.CAPTION_TYPES[form],
                stored(path),
                duration_ms=manifest.duration_ms,
            )
        )
    return found


@dataclass(frozen=True)
class Heard:
    """The film's whole sound."""

    path: Path
    measured: Measured


def _sound(context: Context, manifest: SceneManifest, lufs: int, at: Studio) -> Heard:
    """The film's whole sound; another picture leaves it as it is (M2)."""
    tune = context.store.source(manifest.music.uri, "music") if manifest.music is not None else None
    digest = files.sha256_file(tune, lambda _: context.check()) if tune is not None else None
    key = sound.key(manifest, lufs, digest)
    kept = Kept(context, SOUND_PARTS)
    there = kept.find(key)
    if there is not None:
        known = kept.record(key)
        measured = known.parts[0].measured if known is not None and known.parts else None
        if measured is not None:
            return Heard(there / SOUND_FILE, measured)
    folder = kept.folder(key)
    raw = folder / "sound.wav"

    def locate(speech: Speech) -> Path:
        return plain_file(context.folder(speech.file.stage), speech.file.path)

    bed = _bed(manifest, lufs, tune, folder / "music.wav", at) if tune is not None else None
    sound.lay(manifest, sound.passages(manifest, locate), raw, bed)
    measured = sound.compressed(tools.ffmpeg(), raw, folder / SOUND_FILE, manifest.duration_ms, at.done)
    record = stored(folder / SOUND_FILE).model_copy(update={"measured": measured})
    place = kept.keep(key, StageResult(kind=SOUND_PARTS, parts=(record,)), folder)
    return Heard(place / SOUND_FILE, measured)


def _bed(manifest: SceneManifest, lufs: int, tune: Path, target: Path, at: Studio) -> sound.Bed | None:
    """The music as plain sound, as long as the film. Raises Permanent for a file that is no music."""
    if manifest.music is None:
        return None
    seconds = manifest.total_frames / manifest.fps
    finished = at.run(encoding.music(tools.ffmpeg(), tune, tunes.demuxer(tune), target, seconds))
    if finished.code != 0:
        raise tools.judge_reading(finished, "reading the music")
    loud = sound.integrated(at.done(sound.loudness(tools.ffmpeg(), target), "measuring the music").stderr)
    return sound.Bed(target, loud, manifest.music, lufs)


def _measured(context: Context, path: Path, heard: Heard, black_ms: int) -> gates.Measured:
    """The finished file's packets, counted, beside what pieces and sound brought along; both were copied into it."""
    found = probing.probe(path, "mov", context.tool, count_packets=True)
    return gates.Measured(
        found.video.packets or 0,
        found.video_ms,
        (found.audio.duration_ms if found.audio is not None else None) or 0,
        black_ms,
        heard.measured.silence_ms or 0,
        heard.measured.lufs if heard.measured.lufs is not None else gates.QUIET_LUFS,
        marks.read(path),
    )
