"""A whole story, and one edited sentence of it, as VideoJobs: all stages in the worker's own processes, with the cache (M2).

What `story.py` measures in its own process leaves out what users wait for, too: the start of two containers, the voice, the
layout, the sound, the gates, the publication.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from storybench import StoryBench

EDITED = "This was the scene that somebody has edited, and it says another thing in as many words now."


def asked(preset: str, texts: list[str]) -> dict[str, Any]:
    """The story of these sentences, a picture of the stock for each."""
    scenes = [
        {
            "text": text, "durationMs": 5000, "effects": ["fade_in", "fade_out", "ken_burns", "pan"],
            "image": {"uri": f"store://stock/p{place}.jpg"},
        }
        for place, text in enumerate(texts)
    ]  # fmt: skip
    return {"width": 1920, "height": 1080, "encoding": {"preset": preset, "crf": 23}, "scenes": scenes}


def made(root: Path, name: str, story: dict[str, Any]) -> tuple[float, float]:
    """Wall and CPU seconds from its document to its publication; the start of processes counts as wall alone."""
    bench = StoryBench(root, name)
    document, since = bench.story(**story), time.monotonic()
    results = [bench.run(container, document) for container in ("work", "commit")]
    wall = time.monotonic() - since
    for result in results:
        if result.exit_code != 0:
            raise SystemExit(f"the story was not made: {result.failure}")
    return wall, sum(stage.cpu_seconds for result in results for stage in result.stages)


def edited(
    root: Path, pictures: Path, preset: str, texts: list[str]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """A story, and the same one with its middle sentence edited."""
    StoryBench(root)
    for place in range(len(texts)):
        (root / "stock" / f"p{place}.jpg").hardlink_to(pictures / f"p{place}.jpg")
    first = made(root, "first", asked(preset, texts))
    changed = [EDITED if place == len(texts) // 2 else text for place, text in enumerate(texts)]
    return first, made(root, "edited", asked(preset, changed))
