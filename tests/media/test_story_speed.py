"""What a film costs, by the bench's own means: processor time beside the encoder's alone, and memory. Times of a wall say nothing
on a busy machine; `make bench-story` prints them.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench import storyfilm as bench
from videojob_api.story.scenes import SceneManifest
from videojob_api.story.timing import laid_out

FRAMES, MOST_MIB, MOST_TIMES = 60, 500, 2.5


def short(folder: Path) -> SceneManifest:
    """Two seconds of the bench's film: 1080p30, a photograph that moves, fades, captions."""
    whole = bench.story(folder, 1)
    scenes = [scene.model_copy(update={"frames": FRAMES, "speech": None}) for scene in whole.scenes]
    return whole.model_copy(update={"scenes": tuple(laid_out(scenes, bench.FPS, 500))})


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor time of this process and of the programs it ran."""

    def spent() -> float:
        found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in found)

    since = spent()
    work()
    return spent() - since


def test_s_060_and_s_061_a_film_costs_little_more_than_its_encoding(tmp_path: Path) -> None:
    """C5: three minutes in 60 s leave two cores 22 ms for a frame, most of which the encoder takes."""
    made, film = bench.Bench(tmp_path, "Standard"), short(tmp_path)
    made.frames(film, tmp_path / "frames.yuv")
    alone = cpu_seconds(lambda: made.raw(tmp_path / "frames.yuv"))
    (tmp_path / "frames.yuv").unlink()
    ours = cpu_seconds(lambda: made.ours(film, tmp_path / "out"))
    assert (tmp_path / "out/film.mp4").stat().st_size > 50_000
    assert alone > 0.1
    assert ours <= MOST_TIMES * alone


def test_s_062_a_pod_that_makes_1080p_needs_half_a_gigabyte_at_most(tmp_path: Path) -> None:
    """With its encoders, as many of them as it has cores."""
    bench.story(tmp_path, 2)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        _, peak = pool.submit(bench.worker, tmp_path, "Standard", 2, tmp_path / "out").result()
    assert 100 < peak <= MOST_MIB
