"""A whole story, and one edited sentence of it, as VideoJobs: all stages in the worker's own processes, with the cache (M2).

What `story.py` measures in its own process leaves out what users wait for, too: the start of two containers, the voice, the
layout, the sound, the gates, the publication.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from storybench import StoryBench

ASKED = {3: "30-60 s", 6: "60-120 s", 12: "120-180 s", 36: "300-600 s"}
"""Scenes of 5 s, and how long the whole video may take."""
SAID, EDITED = "Scene {} of a story in many pictures.", "Somebody has edited what is said here."
"""Short enough for scenes of 5 s."""


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


def made(root: Path, name: str, story: dict[str, Any]) -> tuple[float, float, float]:
    """Wall and CPU seconds from its document to its publication, and those of the video; the start of processes counts as wall
    alone.
    """
    bench = StoryBench(root, name)
    document, since = bench.story(**story), time.monotonic()
    results = [bench.run(container, document) for container in ("work", "commit")]
    wall = time.monotonic() - since
    for result in results:
        if result.exit_code != 0:
            raise SystemExit(f"the story was not made: {result.failure}")
    stages = [stage for result in results for stage in result.stages]
    lasts = max(stage.story.duration_ms or 0 for stage in stages if stage.story is not None)
    return wall, sum(stage.cpu_seconds for stage in stages), lasts / 1000


def measured(root: Path, pictures: Path, preset: str, most: int) -> list[tuple[str, str]]:
    """Stories of each length beside the time that S-060 asks for, then the longest once more with another picture and with
    another sentence. `pictures` has `p0.jpg` and so on, as many as the story of `most` scenes needs, and `new.jpg`.
    """
    StoryBench(root)
    sizes = {scenes: wanted for scenes, wanted in ASKED.items() if scenes <= most} or {most: "no figure"}
    longest = max(sizes)
    for name in ["new.jpg", *(f"p{place}.jpg" for place in range(longest))]:
        (root / "stock" / name).hardlink_to(pictures / name)
    rows = []
    for scenes, wanted in sizes.items():
        story = asked(preset, [SAID.format(place + 1 + 100 * scenes) for place in range(scenes)])
        rows.append((f"VideoJob of {scenes} scenes (S-060: {wanted})", told(*made(root, f"made-{scenes}", story))))
    middle = longest // 2
    story["scenes"][middle]["image"] = {"uri": "store://stock/new.jpg"}
    rows.append((f"M2: that of {longest} scenes with another picture", told(*made(root, "picture", story))))
    story["scenes"][middle]["text"] = EDITED
    rows.append((f"that of {longest} scenes with another sentence", told(*made(root, "sentence", story))))
    return rows


def told(wall: float, cpu: float, lasts: float) -> str:
    """Figures as the table has them."""
    return f"{lasts:.0f} s of video in {wall:.1f} s ({cpu:.1f} of CPU in stages)"
