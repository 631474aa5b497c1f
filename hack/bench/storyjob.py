"""A whole story, and one edited picture or sentence of it, as VideoJobs of `videojob run`: what a user waits for (M2, S-060).

What `story.py` measures in its own process leaves out the start of the command and of its two containers, the plan, the voice,
the layout, the sound, the gates, the publication, and the copies at the end.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from videojob_api.names import API_VERSION
from videojob_api.v1alpha1.story_looks import QualityName

ASKED = {3: "30-60 s", 6: "60-120 s", 12: "120-180 s", 36: "300-600 s"}
"""Scenes of 5 s, and how long the whole video may take."""
SAID, EDITED = "Scene {} of a story in many pictures.", "Somebody has edited what is said here."
"""Short enough for scenes of 5 s."""


def asked(quality: str, texts: list[str], pictures: str = "store://stock/") -> dict[str, Any]:
    """The story of these sentences, for each a picture of the stock: p0.jpg and so on."""
    scenes = [
        {
            "text": text, "durationMs": 5000, "effects": ["fade_in", "fade_out", "ken_burns", "pan"],
            "image": {"uri": f"{pictures}p{place}.jpg"},
        }
        for place, text in enumerate(texts)
    ]  # fmt: skip
    return {"aspectRatio": "16:9", "quality": quality, "scenes": scenes}


def manifest(name: str, story: dict[str, Any]) -> dict[str, Any]:
    """Its VideoJob."""
    return {"apiVersion": API_VERSION, "kind": "VideoJob", "metadata": {"name": name}, "spec": {"story": story}}


def made(root: Path, name: str, story: dict[str, Any]) -> tuple[float, float, float]:
    """Wall and CPU seconds of the command and all it starts, and seconds of the video."""
    file = root / f"{name}.json"
    file.write_text(json.dumps(manifest(name, story)))
    argv: list[str | Path] = [sys.executable, "-m", "videojob_cli", "run", file]
    argv += ["--store", root / "store", "--output", root / "out"]
    since, cpu = time.monotonic(), _cpu_seconds()
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, spent = time.monotonic() - since, _cpu_seconds() - cpu
    outputs = json.loads((root / "out" / name / "status.json").read_bytes())["outputs"]
    return wall, spent, max(one.get("durationMs", 0) for one in outputs) / 1000


def _cpu_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def measured(root: Path, pictures: Path, quality: QualityName, most: int) -> list[tuple[str, str]]:
    """Stories of each length beside the time that S-060 asks for, then the longest once more with another picture and with
    another sentence, in the same store. `pictures` has `p0.jpg` and so on, as many as the story of `most` scenes needs, and
    `new.jpg`.
    """
    stock = root / "store/default/stock"
    stock.mkdir(parents=True)
    sizes = {scenes: wanted for scenes, wanted in ASKED.items() if scenes <= most} or {most: "no figure"}
    longest = max(sizes)
    for name in ["new.jpg", *(f"p{place}.jpg" for place in range(longest))]:
        (stock / name).hardlink_to(pictures / name)
    rows = []
    for scenes, wanted in sizes.items():
        story = asked(quality, [SAID.format(place + 1 + 100 * scenes) for place in range(scenes)])
        rows.append((f"VideoJob of {scenes} scenes (S-060: {wanted})", told(*made(root, f"made-{scenes}", story))))
    middle = longest // 2
    story["scenes"][middle]["image"] = {"uri": "store://stock/new.jpg"}
    rows.append((f"M2: that of {longest} scenes with another picture", told(*made(root, "picture", story))))
    story["scenes"][middle]["text"] = EDITED
    rows.append((f"that of {longest} scenes with another sentence", told(*made(root, "sentence", story))))
    return rows


def told(wall: float, cpu: float, lasts: float) -> str:
    """Figures as the table has them."""
    return f"{lasts:.0f} s of video in {wall:.1f} s ({cpu:.1f} of CPU)"


def table(rows: list[tuple[str, str]]) -> None:
    """Print rows of a Markdown table."""
    print("| what | figure |\n|---|---|")
    for name, figure in rows:
        print(f"| {name} | {figure} |")
