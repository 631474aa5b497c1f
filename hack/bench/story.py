"""`make bench-story`: how fast a story is drawn and encoded, beside the encoder alone in the same run (M1, M2, S-060..S-062).

Everything is a ratio of that run: machines differ, and this one may be busy. The encoder alone reads the very frames that the
film is made of from memory, at the same preset, with as many threads as it likes. `--peers` adds what people use today: a
script of FFmpeg's zoompan, and MoviePy 2.2.1, which is installed into a folder of its own for that.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
import wave
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from videojob_api.story.looks import Captions, Overlay, Transition
from videojob_api.story.looks import Encoding as Asked
from videojob_api.story.scenes import AssetRef, Background, Scene, SceneManifest, Speech, Word
from videojob_api.story.timing import laid_out
from videojob_worker.base.feeding import Sink
from videojob_worker.base.process import Finished
from videojob_worker.base.process import run as run_process
from videojob_worker.base.watch import Deadline, Stop
from videojob_worker.compose import drawing, encoding, sound
from videojob_worker.compose.encoding import Encoding
from videojob_worker.compose.film import Film
from videojob_worker.compose.fonts import book
from videojob_worker.compose.motion import zoom_window
from videojob_worker.compose.planes import from_rgb
from videojob_worker.compose.scenery import Scenery, view
from videojob_worker.compose.text import Typesetter

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")
sys.path.insert(1, str(ROOT / "tests/support"))

from bench import storyjob  # noqa: E402 - needs the paths above

FPS, SCENE_SECONDS, SIZE = 30, 5, (1920, 1080)
TEXT = "This is scene number {} of a story that is told in many pictures, and it speaks for some seconds."
REPEATS = 3
RAW = (
    "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", str(FPS), "-color_range", "tv",
    "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
)  # fmt: skip
"""How FFmpeg is to read frames. Their colours are named as in our films: else newer ones convert one side of a comparison."""


def photograph(path: Path, seed: int) -> None:
    """A picture with the statistics of photographs: coarse shapes, ever finer and weaker detail."""
    rng = np.random.default_rng(seed)
    made = np.zeros((1440, 2560, 3), np.float32)
    for octave in range(8):
        cells = rng.normal(0, 1, (9 << octave, 16 << octave, 3)).astype(np.float32)
        made += cv2.resize(cells, (2560, 1440), interpolation=cv2.INTER_CUBIC) * (60 / 1.9**octave)
    cv2.imwrite(str(path), np.clip(made + 120, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])


def speech(folder: Path, text: str) -> Speech:
    """A voice of 4.5 s; only its length and its words' times matter here."""
    path = folder / "voice.wav"
    if not path.exists():
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48_000)
            file.writeframes((np.random.default_rng(0).normal(0, 2000, 216_000)).astype("<i2").tobytes())
    words, at, step = [], 0, 4500 // len(text.split())
    for number, word in enumerate(text.split()):
        at = text.index(word, at)
        words.append(Word(text=word, start_ms=number * step, end_ms=(number + 1) * step, begin=at, end=at + len(word)))
        at += len(word)
    ref = AssetRef(stage="audio", path=path.name, sha256="0" * 64)
    return Speech(file=ref, samples=216_000, provider="bench", voice="noise", words=tuple(words))


def story(folder: Path, scenes: int) -> SceneManifest:
    """Pictures that zoom and pan, fades, captions, narration; a title over the first."""
    made = []
    for number in range(scenes):
        picture, text = folder / f"p{number}.jpg", TEXT.format(number + 1)
        if not picture.exists():
            photograph(picture, number)
        ref = AssetRef(stage="images", path=picture.name, sha256=f"{number:064x}")
        made.append(
            Scene(
                index=0, id=f"s{number + 1:03d}", text=text, spoken=text, start_frame=0, frames=FPS * SCENE_SECONDS,
                basis="given", effects=("fade_in", "fade_out", "ken_burns", "pan"), transition=Transition(),
                background=Background(kind="image", file=ref), speech=speech(folder, text),
                overlays=(Overlay(content="A story in pictures", position="top"),) if number == 0 else (),
            )
        )  # fmt: skip
    return SceneManifest(
        title="Bench", language="en", width=SIZE[0], height=SIZE[1], fps=FPS, scenes=laid_out(made, FPS, 500),
        captions=Captions(),
    )  # fmt: skip


def ffmpeg() -> str:
    """Path of FFmpeg."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise SystemExit("ffmpeg was not found: make packages")
    return found


class Bench:
    """One folder, one preset."""

    def __init__(self, folder: Path, preset: str) -> None:
        self.folder, self.preset = folder, preset

    def film(self, manifest: SceneManifest) -> Film:
        """Our film, by the same code as the worker's stage."""
        code = Encoding.of(Asked(preset=self.preset, crf=23), (manifest.width, manifest.height), manifest.fps, "bench")

        def run(argv: list[str], stdin: int | None = None) -> Finished:
            return run_process(argv, cwd=self.folder, stop=Stop(), deadline=Deadline(None), stdin=stdin)

        def locate(background: Background) -> Path:
            assert background.file is not None  # noqa: S101 - every scene of the bench has one
            return self.folder / background.file.path

        return Film(manifest, code, book(), locate, program=ffmpeg(), run=run, demuxer=lambda _: "mov")  # type: ignore[arg-type]  # a list is a sequence

    def ours(self, manifest: SceneManifest, out: Path) -> float:
        """Seconds from a manifest to a finished file, sound and all."""
        since = time.monotonic()
        film = self.film(manifest)
        out.mkdir(exist_ok=True)
        wanted = [piece for piece in film.pieces if not (out / piece.name).exists()]
        film.make(out, wanted, lambda _done, _total: None, workers=os.cpu_count() or 2)
        heard = out / f"{sound.key(manifest, -16, None)}.m4a"
        if not heard.exists():
            sound.lay(
                manifest, sound.passages(manifest, lambda spoken: self.folder / spoken.file.path), out / "s.wav", None
            )
            subprocess.run(
                encoding.sound(ffmpeg(), out / "s.wav", heard),
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
        (out / "film.mp4").unlink(missing_ok=True)
        film.join(out, lambda piece: out / piece.name, heard, out / "film.mp4")
        return time.monotonic() - since

    def frames(self, manifest: SceneManifest, target: Path) -> float:
        """Write the film's frames into memory; answers the CPU seconds of drawing them."""
        film, setter = self.film(manifest), Typesetter(book())

        def scenery(index: int, _first: int) -> Scenery:
            scene = manifest.scenes[index]
            return Scenery(manifest, scene, view(manifest, scene, film.locate, setter), setter)

        since = time.thread_time()
        with target.open("wb") as file:
            for piece in film.pieces:
                drawing.draw(manifest, piece.segment, scenery, Sink(file.fileno()), lambda _count: None)
        return time.thread_time() - since

    def raw(self, frames: Path) -> float:
        """Seconds of the encoder alone."""
        since = time.monotonic()
        argv = [
            ffmpeg(),
            "-v",
            "error",
            "-y",
            *RAW,
            "-i",
            frames,
            "-c:v",
            "libx264",
            "-preset",
            self.preset,
            "-crf",
            "23",
        ]
        subprocess.run([*map(str, argv), str(self.folder / "raw.mp4")], check=True, stdin=subprocess.DEVNULL)
        return time.monotonic() - since

    def zoompan(self, scenes: int) -> float:
        """The script that people use: each picture enlarged to 8000 pixels against the jitter of whole pixels, then joined."""
        since, rows = time.monotonic(), []
        for number in range(scenes):
            out = self.folder / f"z{number}.mp4"
            move = (
                f"scale=8000:-1,zoompan=z='1+0.25*on/{FPS * SCENE_SECONDS}':x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)':"
                f"d={FPS * SCENE_SECONDS}:s={SIZE[0]}x{SIZE[1]}:fps={FPS},fade=in:0:15,fade=out:{FPS * SCENE_SECONDS - 15}:15,"
                "format=yuv420p"
            )
            argv: list[str | Path] = [ffmpeg(), "-v", "error", "-y", "-i", self.folder / f"p{number}.jpg", "-vf", move]
            argv += [
                "-frames:v",
                str(FPS * SCENE_SECONDS),
                "-c:v",
                "libx264",
                "-preset",
                self.preset,
                "-crf",
                "23",
                out,
            ]
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
            rows.append(f"file '{out}'")
        listing = self.folder / "z.txt"
        listing.write_text("\n".join(rows), encoding="utf-8")
        argv = [
            ffmpeg(),
            "-v",
            "error",
            "-y",
            "-f",
            "concat",
            "-safe",
            "0",
            "-i",
            listing,
            "-c",
            "copy",
            self.folder / "z.mp4",
        ]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return time.monotonic() - since

    def moviepy(self, python: Path, scenes: int) -> float:
        """MoviePy as the seed writes it, at the same preset; no captions, which it would draw at extra cost."""
        script = f"""
import sys
from moviepy import CompositeVideoClip, ImageClip, concatenate_videoclips, vfx
clips = []
for n in range({scenes}):
    clip = ImageClip(f"{self.folder}/p{{n}}.jpg").resized(width={SIZE[0]}).with_duration({SCENE_SECONDS})
    clip = clip.resized(lambda t: 1 + 0.05 * t).with_position("center")
    made = CompositeVideoClip([clip], size={SIZE}).with_duration({SCENE_SECONDS})
    clips.append(made.with_effects([vfx.FadeIn(0.5), vfx.FadeOut(0.5)]))
concatenate_videoclips(clips).write_videofile("{self.folder}/m.mp4", fps={FPS}, codec="libx264", preset="{self.preset}",
    ffmpeg_params=["-crf", "23"], audio=False, logger=None)
"""
        since = time.monotonic()
        subprocess.run([python, "-c", script], check=True, stdin=subprocess.DEVNULL)
        return time.monotonic() - since


class Memory:
    """The most that this process and its children hold at once, looked at ten times a second. What they share, such as FFmpeg's
    libraries, counts once, as it does for a pod.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.peak = max(self.peak, sum(_resident(pid) for pid in ["self", *_children()]))


def _children() -> list[str]:
    found: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            found += (task / "children").read_text(encoding="ascii").split()
    return found


def _resident(pid: str) -> int:
    with suppress(OSError):
        match = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8"), re.MULTILINE)
        return int(match[1]) if match else 0
    return 0


def worker(folder: Path, preset: str, scenes: int, out: Path) -> tuple[float, float]:
    """Seconds and MiB of one film, measured in a process of its own: that of a pod."""
    with Memory() as memory:
        seconds = Bench(folder, preset).ours(story(folder, scenes), out)
    return seconds, memory.peak / 1024


def moviepy_python(folder: Path) -> Path:
    """A Python with MoviePy 2.2.1, in a folder of its own."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "moviepy==2.2.1"], check=True)
    return python


def vmaf(bench: Bench, manifest: SceneManifest, film: Path, python: Path) -> str:
    """Quality of two scenes against the same motion drawn from the photograph with Lanczos, told by the FFmpeg that comes with
    MoviePy, which has libvmaf; and that of the encoder alone, so that it is seen whose loss it is.
    """
    reference = bench.folder / "reference.yuv"
    draft = manifest.model_copy(update={"captions": Captions(style="none")})
    plain = [scene.model_copy(update={"overlays": ()}) for scene in draft.scenes[:2]]
    draft = draft.model_copy(update={"scenes": tuple(laid_out(plain, FPS, 500))})
    out = bench.folder / "vmaf"
    out.mkdir(exist_ok=True)
    source = bench.film(draft)
    source.make(out, source.pieces, lambda _done, _total: None, workers=2)
    source.join(out, lambda piece: out / piece.name, None, film)
    own = bench.folder / "own.yuv"
    bench.frames(draft, own)
    bench.raw(own)
    own.unlink()
    lanczos(source, reference)
    ask = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"
    program = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    ours, alone = (scored(program, film_, reference, bench.folder) for film_ in (film, bench.folder / "raw.mp4"))
    reference.unlink()
    return f"{ours}; x264 alone on the same frames: {alone}"


def scored(program: str, film: Path, reference: Path, folder: Path) -> str:
    """VMAF of a film, frame by frame."""
    log = folder / "vmaf.json"
    graph = (
        f"[0:v]settb=1/30,setpts=N[a];[1:v]settb=1/30,setpts=N[b];[a][b]libvmaf=n_threads=2:log_fmt=json:log_path={log}"
    )
    argv: list[str | Path] = [program, "-v", "error", "-i", film, *RAW, "-i", reference, "-lavfi", graph]
    subprocess.run([*argv, "-f", "null", "-"], check=True, stdin=subprocess.DEVNULL)
    scores = sorted(frame["metrics"]["vmaf"] for frame in json.loads(log.read_text(encoding="utf-8"))["frames"])
    return f"mean {statistics.mean(scores):.1f}, 1st percentile {scores[len(scores) // 100]:.1f}"


def lanczos(film: Film, target: Path) -> None:
    """The same motion and light, each frame sampled from the photograph itself with Lanczos, in RGB."""
    with target.open("wb") as file:
        for scene in film.manifest.scenes:
            assert scene.background is not None  # noqa: S101 - every scene of the bench has one
            image = cv2.imread(str(film.locate(scene.background)))
            assert image is not None  # noqa: S101 - written by this program
            shown = Scenery(
                film.manifest,
                scene,
                view(film.manifest, scene, film.locate, Typesetter(film.fonts)),
                Typesetter(film.fonts),
            )
            moving = view(film.manifest, scene, film.locate, Typesetter(film.fonts))
            for number in range(scene.frames):
                zoom = moving.zoom(number / FPS)  # type: ignore[attr-defined]  # ken_burns is a Zoom
                focus = moving.focus  # type: ignore[attr-defined]
                window = zoom_window(*SIZE, focus)
                across, up = window.right - window.left, window.bottom - window.top
                scale = min(image.shape[1] / across, image.shape[0] / up)
                rows = []
                for axis, whole, first in ((0, image.shape[1], window.left), (1, image.shape[0], window.top)):
                    part = (window.right - window.left) if axis == 0 else (window.bottom - window.top)
                    at = focus[axis] + (0.5 - focus[axis]) / zoom  # where the frame's first pixel looks, without zoom
                    start = (whole - part * scale) / 2 + (at - first) * scale - 0.5
                    rows.append([scale / zoom if axis == 0 else 0, scale / zoom if axis == 1 else 0, start])
                matrix = np.array(rows)
                made = cv2.warpAffine(
                    image,
                    matrix,
                    SIZE,
                    flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
                    borderMode=cv2.BORDER_REPLICATE,
                )
                light = shown.light(number)
                planes = cv2.cvtColor((made * light).astype(np.uint8), cv2.COLOR_BGR2RGB)
                for plane in from_rgb(planes).all:
                    file.write(plane.tobytes())


def table(rows: list[tuple[str, str]]) -> None:
    """Print rows of a Markdown table."""
    print("| what | figure |\n|---|---|")
    for name, figure in rows:
        print(f"| {name} | {figure} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=36, help="scenes of 5 s of the whole film")
    parser.add_argument("--excerpt", type=int, default=6, help="scenes of the excerpt that is repeated")
    parser.add_argument("--preset", default="superfast")
    parser.add_argument(
        "--peers", action="store_true", help="also zoompan and MoviePy 2.2.1 (installed for it), and VMAF"
    )
    options = parser.parse_args()
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())  # noqa: S108 - raw frames
    with tempfile.TemporaryDirectory(prefix="videojob-bench-", dir=memory) as made:
        bench, folder = Bench(Path(made), options.preset), Path(made)
        print("drawing pictures", file=sys.stderr)
        whole, excerpt = story(folder, options.scenes), story(folder, options.excerpt)
        frames = excerpt.total_frames
        cpu = bench.frames(excerpt, folder / "frames.yuv")
        raw, ours = [], []
        for number in range(REPEATS):
            print(f"excerpt, run {number + 1} of {REPEATS}", file=sys.stderr)
            raw.append(bench.raw(folder / "frames.yuv"))
            ours.append(bench.ours(excerpt, folder / f"e{number}"))
        peers: list[tuple[str, Callable[[], float]]] = []
        python = moviepy_python(folder) if options.peers else Path()
        if options.peers:
            peers = [
                ("zoompan script, no captions, no sound", lambda: bench.zoompan(options.excerpt)),
                ("MoviePy 2.2.1, no captions, no sound", lambda: bench.moviepy(python, options.excerpt)),
            ]
        others = [(name, run()) for name, run in peers]
        (folder / "frames.yuv").unlink()
        print("the whole film", file=sys.stderr)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            full, peak = pool.submit(worker, folder, options.preset, options.scenes, folder / "whole").result()
        edited = list(whole.scenes)
        photograph(folder / "new.jpg", 10_000)
        place = min(16, len(edited) - 1)
        ref = AssetRef(stage="images", path="new.jpg", sha256="f" * 64)
        edited[place] = edited[place].model_copy(update={"background": Background(kind="image", file=ref)})
        once_more = bench.ours(whole.model_copy(update={"scenes": tuple(edited)}), folder / "whole")
        print("VideoJobs", file=sys.stderr)
        jobs = storyjob.measured(folder / "jobs", folder, options.preset, options.scenes)
        raw_fps, our_fps = frames / statistics.median(raw), frames / statistics.median(ours)
        full_fps = whole.total_frames / full
        rows = [
            ("machine", f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, preset {options.preset}, CRF 23"),
            ("drawing a frame of 1080p: zoom, fades, captions", f"{cpu / frames * 1000:.1f} ms of one core"),
            ("x264 alone on those frames", f"{raw_fps:.1f} frames/s"),
            (
                f"the story, {options.excerpt * SCENE_SECONDS} s, with sound and join",
                f"{our_fps:.1f} frames/s, {our_fps / raw_fps:.2f} of x264 alone",
            ),
            (
                f"M1: the story, {options.scenes * SCENE_SECONDS} s",
                f"{full:.1f} s, {full_fps:.1f} frames/s, {full_fps / raw_fps:.2f} of x264 alone",
            ),
            ("M2: one of its pictures changed, drawn and joined alone", f"{once_more:.1f} s"),
            *jobs,
            ("memory of the worker and its encoders at once", f"{peak:.0f} MiB"),
            ("size against x264 alone", f"{_size(folder / 'e0' / 'film.mp4') / _size(folder / 'raw.mp4'):.2f}"),
        ]
        rows += [
            (name, f"{seconds:.1f} s, {seconds / statistics.median(ours):.1f} times ours") for name, seconds in others
        ]
        if options.peers:
            rows.append(("VMAF against Lanczos from the photographs", vmaf(bench, whole, folder / "v.mp4", python)))
        table(rows)


def _size(path: Path) -> int:
    return path.stat().st_size


if __name__ == "__main__":
    main()
