"""Films of stories with the real encoder: pictures, joins, sound, captions, all measured in the finished file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import wave
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clips import make
from stories import film, image, manifest, plain, run, scene, spoken, texture
from videojob_api.story.looks import Captions, Music, ThumbnailParams, Transition
from videojob_api.story.scenes import AssetRef, Background, SceneManifest
from videojob_worker.base.errors import Recoverable
from videojob_worker.base.process import Finished
from videojob_worker.compose import encoder, encoding, gates, marks, motion, picture, sound, thumbnail
from videojob_worker.compose.film import Film
from videojob_worker.compose.fonts import book
from videojob_worker.compose.making import Piece
from videojob_worker.compose.planes import Frame, from_rgb, mix
from videojob_worker.compose.text import Typesetter


def shot(path: Path) -> NDArray[np.uint8]:
    """All luma planes of a film of 320x180."""
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"],
        capture_output=True,
        check=True,
    )
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, 270, 320)[:, :180]


def entries(path: Path, what: str) -> list[dict[str, Any]]:
    argv = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", what, str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return next(iter(rows for name, rows in found.items() if isinstance(rows, list) and rows))


def made(
    one: Film, folder: Path, name: str = "film.mp4", sound_file: Path | None = None, dark: dict[str, int] | None = None
) -> Path:
    """Make all pieces and join them; `dark` is told how many frames of each are black."""
    folder.mkdir(exist_ok=True)
    told = dark if dark is not None else {}

    def heard(piece: Piece, black: int) -> None:
        told[piece.key] = black

    one.make(folder, one.pieces, lambda _done, _total: None, heard, workers=2)
    one.join(folder, lambda piece: folder / piece.name, sound_file, folder / name)
    return folder / name


def done(argv: Sequence[str], _doing: str, on_line: Callable[[str], None] | None = None) -> Finished:
    """FFmpeg, to a good end."""
    finished = run(list(argv))
    assert finished.code == 0, finished.stderr
    for line in finished.stdout.decode().splitlines() if on_line is not None else ():
        on_line(line)
    return finished


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    error = float(np.mean((a.astype(float) - b) ** 2))
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures."""
    for number in range(3):
        texture(640, 360, number).save(tmp_path / f"p{number}.png")
    return tmp_path


def story(pictures: Path, **more: Any) -> SceneManifest:
    kinds = ("fade", "dissolve", "slide", "wipe", "zoom", "cut")
    scenes = [
        scene(
            f"Scene number {number}.", 30 + number, background=image(pictures / f"p{number % 3}.png"),
            effects=("fade_in", "fade_out", "ken_burns") if number % 2 else ("ken_burns", "pan"),
            transition=Transition(kind=kind, duration_ms=400), speech=spoken(f"Scene number {number}.", word_ms=250),
        )
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    return manifest(scenes, **more)


def test_pieces_join_without_a_gap_and_each_begins_closed(pictures: Path) -> None:
    """S-020, S-023: frames and times are exact; a keyframe begins every piece and nothing refers across it."""
    one = story(pictures)
    path = made(film(one, pictures), pictures / "out")
    packets = entries(path, "packet=pts,dts,flags,stream_index")
    pts = sorted(int(packet["pts"]) for packet in packets)
    dts = [int(packet["dts"]) for packet in packets]
    assert pts == [number * 1000 for number in range(one.total_frames)]
    assert all(a < b for a, b in pairwise(dts))
    keys = {int(packet["pts"]) // 1000 for packet in packets if "K" in packet["flags"]}
    starts = [piece.segment.start_frame for piece in film(one, pictures).pieces]
    assert keys == set(starts)
    stream = entries(path, "stream=r_frame_rate,avg_frame_rate,duration,width,height,color_space,pix_fmt,has_b_frames")[
        0
    ]
    assert (stream["r_frame_rate"], stream["avg_frame_rate"]) == ("30/1", "30/1")
    assert float(stream["duration"]) == pytest.approx(one.total_frames / 30, abs=1e-3)
    assert (stream["color_space"], stream["pix_fmt"]) == ("bt709", "yuv420p")
    from_start = shot(path)
    assert len(from_start) == one.total_frames
    middle = starts[3]
    cut = pictures / "tail.mp4"
    make(cut, ["-ss", f"{middle / 30:.4f}", "-i", str(path), "-c", "copy"])
    assert np.array_equal(shot(cut)[:20], from_start[middle : middle + 20])


def test_every_frame_is_the_picture_it_should_be(pictures: Path) -> None:
    """S-021: zoom, light and mixture of each frame, against the same picture computed for that very moment."""
    one = story(pictures, captions=Captions(style="none"))
    frames = shot(made(film(one, pictures), pictures / "out"))
    canvas = picture.canvas(picture.read(pictures / "p1.png"), motion.zoom_window(320, 180, (160, 90)))
    second = one.scenes[1]
    assert (second.head.kind, second.tail.kind) == ("fade", "dissolve")
    view = motion.Zoom(
        canvas, 320, 180, focus=(160, 90), rate=motion.zoom_rate((second.frames + second.tail.frames) / 30)
    )
    for number in (0, 1, 7, 14, 20, 24):
        wanted = Frame.blank(320, 180)
        view.draw(number / 30, wanted.planes)
        light = min(1.0, number / second.head.frames)
        expected = 16 + (wanted.planes.y.astype(float) - 16) * light
        assert psnr(frames[second.start_frame + number], expected) > 36, number


def test_a_dissolve_is_half_of_each_at_the_cut(pictures: Path) -> None:
    """S-020: both scenes keep their time; the mixture is in the middle exactly at the cut."""
    half = Transition(kind="dissolve", duration_ms=400)
    one = manifest(
        [scene("", 30, background=plain("#000000"), transition=half), scene("", 30, background=plain("#FFFFFF"))]
    )
    light = shot(made(film(one, pictures), pictures / "out"))[:, 90, 160].astype(int)
    assert (light[0], light[23], light[36], light[59]) == (16, 16, 235, 235)
    steps = np.diff(light[23:37])
    assert (steps > 0).all()
    assert abs((light[29] + light[30]) / 2 - (16 + 235) / 2) <= 3


@pytest.mark.parametrize("kind", ["slide", "wipe", "zoom"])
def test_other_transitions_begin_with_one_picture_and_end_with_the_other(pictures: Path, kind: Any) -> None:
    half = Transition(kind=kind, duration_ms=600)
    one = manifest(
        [scene("", 30, background=plain("#000000"), transition=half), scene("", 30, background=plain("#FFFFFF"))]
    )
    frames = shot(made(film(one, pictures), pictures / "out")).astype(int)
    assert frames[20].max() <= 18
    assert frames[39].min() >= 232
    share = [float((frames[number].mean() - 16) / 219) for number in range(21, 39)]
    assert all(b >= a - 0.01 for a, b in pairwise(share))
    assert 0.3 < share[8] < 0.7
    if kind in {"slide", "wipe"}:
        left, right = frames[30][:, :40].mean(), frames[30][:, -40:].mean()
        assert (right > left) if kind == "slide" else (left > right)


def test_a_long_scene_is_encoded_in_strands_whose_seams_nobody_sees(pictures: Path) -> None:
    """M2: where a group of pictures would end anyway, so that one edited scene keeps several cores busy. The bytes are the same
    whoever encodes which strand when; a piece is told once, with the black frames of all its strands.
    """
    lengths, strands = (120, 150, 270), ((0,), (0, 75), (0, 90, 180))
    looks: dict[str, Any] = {"effects": ("ken_burns", "pan"), "transition": Transition(kind="cut")}
    scenes = [
        scene(f"Scene {number}.", frames, background=image(pictures / f"p{number}.png"), **looks)
        for number, frames in enumerate(lengths)
    ]
    scenes.append(scene("", 150, background=Background(kind="colour", color="#000000"), **looks))
    story_ = manifest(scenes)
    dark: dict[str, int] = {}
    one, again = film(story_, pictures), film(story_, pictures)
    path = made(one, pictures / "a", dark=dark)
    (pictures / "b").mkdir()
    again.make(pictures / "b", again.pieces[::-1], lambda _done, _total: None, workers=1)
    for piece in one.pieces:
        assert (pictures / "a" / piece.name).read_bytes() == (pictures / "b" / piece.name).read_bytes()
    assert [dark[piece.key] for piece in one.pieces] == [0, 0, 0, 150]
    assert not [left.name for left in (pictures / "b").iterdir() if left.name.startswith(".")]
    packets = entries(path, "packet=pts,dts,flags,stream_index")
    assert sorted(int(packet["pts"]) for packet in packets) == [number * 1000 for number in range(690)]
    assert all(int(a["dts"]) < int(b["dts"]) for a, b in pairwise(packets))
    keys = [int(packet["pts"]) // 1000 for packet in packets if "K" in packet["flags"]]
    wanted = [begin + first for begin, firsts in zip((0, 120, 270), strands, strict=True) for first in firsts]
    assert keys == [*wanted, 540, 615]
    shown = shot(path)
    for frame in (119, 120, 194, 195, 196, 359, 360, 449, 450):
        assert psnr(shown[frame], from_rgb(one.still(frame, pictures)).y) > 30


def test_an_encoder_that_fails_ends_the_film_and_leaves_no_file(pictures: Path) -> None:
    """S-040, S-071: the reason is the encoder's, and those beside it end with it."""
    broken = film(story(pictures), pictures)
    broken.code = dataclasses.replace(broken.code, preset="quickest")
    (pictures / "out").mkdir()
    with pytest.raises(Recoverable) as raised:
        broken.make(pictures / "out", broken.pieces, lambda _done, _total: None, workers=2)
    assert raised.value.code == "CompositionError"
    assert "could not be encoded" in raised.value.message
    assert not list((pictures / "out").iterdir())


def test_frames_are_drawn_on_again_once_the_encoder_has_them(pictures: Path) -> None:
    """It looks ahead at several frames; none of them is the memory that the next one is drawn into."""
    code = film(story(pictures), pictures).code
    shape = code.height * code.width * 3 // 2
    noise = np.random.default_rng(4).integers(0, 256, (12, shape), dtype=np.uint8)
    files = []
    for name, again in (("own", False), ("again", True)):
        one = Frame.blank(code.width, code.height)
        file = encoder.PieceFile(pictures / f"{name}.mp4", code, [range(12)])
        with file.strand(0) as strand:
            for data in noise:
                frame = one if again else Frame.blank(code.width, code.height)
                frame.data[:] = data
                strand.write(frame.data.data)
        file.close()
        files.append((pictures / f"{name}.mp4").read_bytes())
    assert files[0] == files[1]


def test_the_same_scene_is_the_same_bytes_and_another_one_changes_alone(pictures: Path) -> None:
    """M2: an edited scene is one new piece; every other one keeps key and bytes, whatever machine or order made it."""
    first, second = film(story(pictures), pictures), film(story(pictures), pictures)
    made(first, pictures / "a")
    (pictures / "b").mkdir()
    second.make(pictures / "b", second.pieces[::-1], lambda _done, _total: None, workers=1)

    def digests(folder: Path) -> dict[str, str]:
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.glob("*.mp4")
            if path.stem != "film"
        }

    assert digests(pictures / "a") == digests(pictures / "b")
    edited = story(pictures)
    texture(640, 360, 99).save(pictures / "new.png")
    scenes = list(edited.scenes)
    scenes[0] = scenes[0].model_copy(update={"background": image(pictures / "new.png")})
    third = film(edited.model_copy(update={"scenes": tuple(scenes)}), pictures)
    changed = [piece for piece in third.pieces if piece.key not in {known.key for known in first.pieces}]
    assert [piece.segment.scene for piece in changed] == [0]
    longer = list(edited.scenes)
    longer[0] = longer[0].model_copy(update={"frames": longer[0].frames + 7})
    moved = manifest(longer)
    assert len({piece.key for piece in film(moved, pictures).pieces} - {piece.key for piece in first.pieces}) == 1


def test_captions_are_seen_while_their_words_are_spoken(pictures: Path) -> None:
    """S-022, S-065: pixels of letters come and go with the voice's words, to the frame; the picture below stays dark."""
    text = "First words here. Then others follow."
    dark = scene(text, 75, background=plain("#000000"), speech=spoken(text, word_ms=400, offset_ms=200))
    one = manifest([scene("", 20, background=plain("#000000")), dark], captions=Captions(size=90))
    frames = shot(made(film(one, pictures), pictures / "out"))
    lit = np.flatnonzero((frames[:, 120:] > 200).sum(axis=(1, 2)) > 20)
    assert (lit[0], lit[-1]) == (20 + 6, 20 + 75 - 1 - (max(0, 75 - 6 - 72 - 8)))
    assert frames[:, :120].max() <= 20
    ink = [frames[number, 120:].astype(int) for number in (30, 20 + 6 + 36 + 3)]
    assert np.abs(ink[0] - ink[1]).max() > 100


def test_a_clip_is_a_background_and_is_repeated(pictures: Path) -> None:
    source = [
        "-f",
        "lavfi",
        "-i",
        "color=white:s=160x120:r=30:d=0.5,fade=in:0:15",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
    ]
    clip = make(pictures / "c.mp4", source)
    ref = AssetRef(stage="images", path=clip.name, sha256="0" * 64)
    one = manifest([scene("", 40, background=Background(kind="clip", file=ref))])
    light = shot(made(film(one, pictures), pictures / "out"))[:, 90, 160].astype(int)
    assert len(light) == 40
    assert (light[[0, 15]] < 40).all()
    assert (light[[14, 29]] > 200).all()
    still = film(one, pictures).still(35, pictures / "out")
    assert abs(16 + int(still[90, 160, 0]) * 219 // 255 - light[35]) <= 3
    assert not list((pictures / "out").glob(".*"))


def test_a_still_is_the_frame_of_the_film_wherever_it_stands(pictures: Path) -> None:
    """S-042: in a scene, while it fades, and within each transition that shows two scenes."""
    one = film(story(pictures), pictures)
    frames = shot(made(one, pictures / "out"))
    kinds = set()
    for piece in one.pieces:
        at = piece.segment.start_frame + piece.segment.frames // 3
        still = one.still(at, pictures)
        grey = 16 + (still.astype(float) @ np.array([0.2126, 0.7152, 0.0722])) * 219 / 255
        assert psnr(grey, frames[at]) > 33, piece.segment
        kinds.add(piece.segment.kind)
    assert kinds == {"scene", "join"}
    assert np.array_equal(one.still(0, pictures), one.still(0, pictures))


def test_a_broken_picture_ends_the_film_and_names_the_scene(pictures: Path) -> None:
    (pictures / "bad.png").write_bytes(b"no picture")
    one = film(manifest([scene("", 30), scene("", 30, background=image(pictures / "bad.png"))]), pictures)
    (pictures / "out").mkdir()
    with pytest.raises(Exception, match="scene s002: the file is no image of a known kind"):
        one.make(pictures / "out", one.pieces, lambda _done, _total: None, workers=2)


def test_sound_picture_gates_thumbnail_and_mark(pictures: Path) -> None:
    """S-042, S-064, S-065: the finished file is measured; sound is where the scenes are; the mark outlives the join."""
    one = story(pictures, captions=Captions(style="none"))
    out = pictures / "out"
    out.mkdir()
    voice = pictures / "v.wav"
    with wave.open(str(voice), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        beep = np.sin(np.arange(48 * 750) * 2 * np.pi * 880 / 48_000) * 6000
        file.writeframes(beep.astype("<i2").tobytes())
    tune = make(pictures / "m.mp3", ["-f", "lavfi", "-i", "sine=220:d=2", "-ac", "2"])
    seconds = one.total_frames / 30
    assert run(encoding.music("ffmpeg", tune, "mp3", out / "m.wav", seconds)).code == 0
    lufs = sound.integrated(run(sound.loudness("ffmpeg", out / "m.wav")).stderr)
    assert -30 < lufs < -5
    spoken_lufs = sound.integrated(run(sound.loudness("ffmpeg", voice)).stderr)
    bed = sound.Bed(out / "m.wav", lufs, Music(uri="store://stock/m.mp3"), spoken_lufs)
    sound.lay(one, sound.passages(one, lambda _: voice), out / "all.wav", bed)
    measured = sound.compressed("ffmpeg", out / "all.wav", out / "all.m4a", one.duration_ms, done)
    assert measured.silence_ms is not None
    assert measured.lufs is not None
    dark: dict[str, int] = {}
    path = made(film(one, pictures), out, sound_file=out / "all.m4a", dark=dark)
    marks.mark(path)
    assert marks.read(path) == marks.COMPOSITE

    streams = {
        row["codec_type"]: row for row in entries(path, "stream=codec_type,duration,nb_frames,codec_name,profile")
    }
    audio_ms, black = round(float(streams["audio"]["duration"]) * 1000), sum(dark.values())
    found = gates.Measured(
        int(streams["video"]["nb_frames"]), round(float(streams["video"]["duration"]) * 1000), audio_ms,
        black * 1000 // 30, measured.silence_ms, measured.lufs, marks.read(path),
    )  # fmt: skip
    wanted = gates.Wanted(one.total_frames, 30, narrated=True, lufs=spoken_lufs)
    assert gates.problems(wanted, found) == ()
    # What was measured while it was made is what the finished file shows and sounds like.
    seen = sum(np.mean(frame <= 20) >= 0.98 for frame in shot(path))
    assert 0 < black < 30
    assert abs(black - seen) <= len(dark)
    listened = run(sound.loudness("ffmpeg", path))
    assert abs(found.lufs - sound.integrated(listened.stderr)) < 0.5
    quiet = run(
        ["ffmpeg", "-v", "info", "-i", str(path), "-vn", "-af", "silencedetect=noise=-50dB:d=0.5", "-f", "null", "-"]
    )
    lasting = [float(text) for text in re.findall(r"silence_duration: ([\d.]+)", quiet.stderr)]
    assert abs(found.silence_ms - round(sum(lasting) * 1000)) < 100
    heard = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-af", "highpass=600", "-ac", "1", "-f", "s16le", "-"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    level = np.abs(np.frombuffer(heard, "<i2").astype(float)).reshape(-1)
    for each in one.scenes:
        at = each.start_frame * 1600
        onset = at - 2400 + int(np.argmax(level[max(0, at - 2400) : at + 4800] > 1500)) if at else 0
        assert abs(onset - at) <= 48 * 20, each.id

    look = ThumbnailParams(title_overlay=False)
    moment = thumbnail.moment_ms(look, round(seconds * 1000))
    drawn = Image.fromarray(film(one, pictures).still(moment * 30 // 1000, out))
    thumbnail.make(drawn, look, one, Typesetter(film(one, pictures).fonts), out / "t.jpg", title="x")
    still = np.asarray(picture.read(out / "t.jpg").convert("L")).astype(float)
    assert psnr(16 + still * 219 / 255, shot(path)[60]) > 24


def test_mixing_is_what_the_dissolve_of_the_film_uses() -> None:
    """The unit of the dissolve, at its middle."""
    black, white = Frame.blank(16, 8), Frame.blank(16, 8)
    white.planes.y[:] = 235
    mix(black.planes, white.planes, 0.5)
    assert set(black.planes.y.ravel()) <= {125, 126}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "It’s “quoted” — naïve café, 25 % … €3"),
        ("ja", "吾輩は猫である。名前はまだ無い。カタカナ「テスト」、１２３％"),
        ("de", "Größe, Übermut, ß"),
        ("ru", "Съешь ещё этих мягких французских булок"),
        ("el", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία"),
        ("zh", "快速的棕色狐狸跳过了懒狗"),
        ("ko", "다람쥐 헌 쳇바퀴에 타고파"),
        ("ar", "نص حكيم له سر قاطع"),
        ("he", "דג סקרן שט בים"),
        ("hi", "ऋषियों को सताने वाले"),
        ("th", "เป็นมนุษย์สุดประเสริฐ"),
    ],
    ids=lambda value: value if len(value) == 2 else "",
)
def test_the_bundled_fonts_have_every_letter(language: str, text: str) -> None:
    """S-022: no missing glyph, by the fonts' own tables, for the scripts of most of the world; Japanese in Japanese shapes."""
    fonts = book()
    chain = fonts.chain("Arial-Bold", language)
    assert fonts.missing(text, chain) == ""
    faces = {run.face for run in fonts.runs(text, chain)}
    assert all(ord(ch) in face.characters for face in faces for ch in " ")
    if language == "ja":
        assert any("VL" in face.family or "JP" in face.family for face in faces)
