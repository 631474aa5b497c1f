"""Quality of the film's pictures, against the same motion drawn from the photographs themselves and never encoded."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path

import cv2
import numpy as np

from bench.storyfilm import FPS, RAW, SIZE, Bench
from videojob_api.story.looks import Captions
from videojob_api.story.scenes import SceneManifest
from videojob_api.story.timing import laid_out
from videojob_worker.compose.film import Film
from videojob_worker.compose.motion import zoom_window
from videojob_worker.compose.planes import from_rgb
from videojob_worker.compose.scenery import Scenery, view
from videojob_worker.compose.text import Typesetter


class Judge:
    """Two scenes of a film without words: their frames as the encoder gets them, and as they are held against. The FFmpeg that
    comes with MoviePy tells the figure: it has libvmaf.
    """

    def __init__(self, bench: Bench, manifest: SceneManifest, python: Path) -> None:
        ask = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"
        told = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
        self._program, self._folder = told.stdout.strip(), bench.folder
        plain = [scene.model_copy(update={"overlays": ()}) for scene in manifest.scenes[:2]]
        changes = {"captions": Captions(style="none"), "scenes": tuple(laid_out(plain, FPS, 500))}
        self.manifest = manifest.model_copy(update=changes)
        self.frames, self._reference = bench.folder / "own.yuv", bench.folder / "reference.yuv"
        bench.frames(self.manifest, self.frames)
        lanczos(bench.film(self.manifest), self._reference)

    def close(self) -> None:
        """Let go of the frames."""
        self.frames.unlink()
        self._reference.unlink()

    def score(self, film: Path) -> tuple[float, float]:
        """VMAF of a film, frame by frame: its mean, and its 1st percentile."""
        log = self._folder / "vmaf.json"
        graph = f"[0:v]settb=1/30,setpts=N[a];[1:v]settb=1/30,setpts=N[b];[a][b]libvmaf=n_threads=2:log_fmt=json:log_path={log}"
        argv: list[str | Path] = [
            self._program,
            "-v",
            "error",
            "-i",
            film,
            *RAW,
            "-i",
            self._reference,
            "-lavfi",
            graph,
        ]
        subprocess.run([*argv, "-f", "null", "-"], check=True, stdin=subprocess.DEVNULL)
        scores = sorted(frame["metrics"]["vmaf"] for frame in json.loads(log.read_text(encoding="utf-8"))["frames"])
        return statistics.mean(scores), scores[len(scores) // 100]


def vmaf(bench: Bench, manifest: SceneManifest, python: Path) -> str:
    """Quality of our film, and that of the encoder alone on the same frames, so that it is seen whose loss it is."""
    judge, out = Judge(bench, manifest, python), bench.folder / "vmaf"
    try:
        bench.ours(judge.manifest, out)
        ours = told(judge.score(out / "film.mp4"))
        bench.raw(judge.frames)
        return f"{ours}; x264 alone on the same frames: {told(judge.score(bench.folder / 'raw.mp4'))}"
    finally:
        judge.close()


def told(score: tuple[float, float]) -> str:
    """For people."""
    return f"mean {score[0]:.1f}, 1st percentile {score[1]:.1f}"


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
