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
