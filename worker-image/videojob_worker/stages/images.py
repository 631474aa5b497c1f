"""ImageGeneration: a background for each scene, found beside the narration (S-035 to S-041, S-056, X-014).

Nothing is decoded here: where providers are asked over a network, their credentials are in this container.
"""

from __future__ import annotations

import select
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from videojob_api.contract import FetchPolicy, StageFile, StageResult, canonical_json
from videojob_api.story.scenes import Scene, SceneManifest
from videojob_api.story.tasks import ImageParams
from videojob_api.story.variants import MAIN, scenes_file

from ..base.errors import BadConfig
from ..base.process import Fences, Finished
from ..providers.calling import Means
from ..providers.images import chain
from ..providers.images.base import Wish
from ..providers.images.chain import Found
from ..storage import files
from .context import Context
from .picturing import Shelf, background, readable
from .scenes import manifest_of, said_of, written

AT_ONCE = 4
"""Wishes that are asked for side by side: most of it is waiting for somebody's answer."""
FENCES = Fences(file_bytes=64 << 20, cpu_seconds=300)
MAX_SAID = 480


def run(context: Context) -> StageResult:
    """Write the files of all backgrounds, and `scenes.json`, one more of it for each take.

    Raises what a provider raised with `fallback: Deny` (ImageGenerationError, S-041).
    """
    params = context.params
    if not isinstance(params, ImageParams):
        raise BadConfig("BadDocument", "stage images got another stage's params")
    told = {name: manifest_of(context, "scenes", name) for name in (MAIN, *(take.name for take in params.takes or ()))}
    like = {take.name: take.pictured for take in params.takes or ()}
    wishes = {name: _wishes(manifest, told[like.get(name, MAIN)], params.genre) for name, manifest in told.items()}
    came = _found(context, params, [wish for each in wishes.values() for wish in each])
    made: dict[str, StageFile] = {}
    said: dict[str, tuple[str, ...]] = {}
    for name, manifest in told.items():
        found = [came[wish] for wish in wishes[name]]
        said[name] = degraded(manifest.scenes, found)
        scenes = tuple(
            scene.model_copy(update={"background": background(context, one, made)})
            for scene, one in zip(manifest.scenes, found, strict=True)
        )
        whole = manifest.model_copy(update={"scenes": scenes, "degraded": said[name]})
        made[scenes_file(name)] = written(context.staging, scenes_file(name), canonical_json(whole.dump()))
    counted = Counter(came[wish].provider for wish in wishes[MAIN])
    return StageResult(
        kind=context.kind.kind,
        message=f"backgrounds: {', '.join(f'{count} of {name}' for name, count in counted.most_common())}"[:200],
        parts=tuple(made.values()),
        degraded=said_of(said),
    )


def _wishes(manifest: SceneManifest, by: SceneManifest, genre: str) -> list[Wish]:
    """What each scene of a take wants, in the words of the take that it shares its pictures with."""
    words = {scene.origin: scene.text for scene in by.scenes}
    return [
        Wish(words.get(scene.origin, scene.text), scene.image, manifest.width, manifest.height, genre)
        for scene in manifest.scenes
    ]


def _found(context: Context, params: ImageParams, wishes: Sequence[Wish]) -> dict[Wish, Found]:
    """A background for each wish; equal wishes are one."""
    scratch = context.store.scratch / f"picture-{context.task.key[:12]}"
    scratch.mkdir(parents=True, exist_ok=True)
    shelf, means = Shelf(context, params.images.cache_seconds), _means(context, params, scratch)
    asked = list(dict.fromkeys(wishes))

    def ask(wish: Wish) -> Found:
        context.check()
        return chain.find(
            wish, params.images.providers, means, policy=params.fallback.policy, shelf=shelf, readable=readable
        )

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="picture") as pool:
        jobs = [pool.submit(ask, wish) for wish in asked]
        try:
            came = {}
            for place, (wish, job) in enumerate(zip(asked, jobs, strict=True)):
                came[wish] = job.result()
                context.progress(place * 90 // len(asked), f"Background {place + 1} of {len(asked)}")
        finally:
            for job in jobs:
                job.cancel()
    return came


def degraded(scenes: Sequence[Scene], found: Sequence[Found]) -> tuple[str, ...]:
    """What to say of providers that failed, a sentence for each reason (S-038, C14)."""
    reasons: dict[str, list[str]] = {}
    for scene, one in zip(scenes, found, strict=True):
        if one.degraded is not None:
            reasons.setdefault(one.degraded, []).append(scene.id)
    return tuple(f"{named(ids)}: {why}"[:MAX_SAID] for why, ids in reasons.items())


def named(ids: Sequence[str]) -> str:
    """Scenes by name, some of them."""
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return f"scene{'s' if len(ids) > 1 else ''} {', '.join(ids[:3])}{more}"


def _means(context: Context, params: ImageParams, scratch: Path) -> Means:
    def wait(seconds: float) -> None:
        select.select([context.stop.fileno()], [], [], seconds)
        context.check()

    def run(argv: Sequence[str], on_line: Callable[[str], None] | None = None) -> Finished:
        return context.run(argv, fences=FENCES, watchdog=context.watchdog(), on_line=on_line)

    for old in scratch.iterdir():
        files.remove(old)
    return Means(
        run=run, scratch=scratch, stock=Path(context.document.store.stock), secrets=context.secrets,
        policy=context.document.fetch or FetchPolicy(), check=context.check, wait=wait, retries=params.images.retries,
        threads=context.document.limits.threads, inbox=Path(context.document.store.inbox),
    )  # fmt: skip
