"""Publish: the film goes to the platforms that the spec names, each by itself (S-047 to S-052). Nothing is decoded.

It reads what was committed, and nothing else: without a manifest nothing has passed the gates. What a platform took is kept in
the job's folder (`publish/<platform>.json`), and is not sent again by any later attempt.
"""

from __future__ import annotations

import json
import select
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from videojob_api.contract import FetchPolicy, StageResult
from videojob_api.manifest import Manifest
from videojob_api.story.platforms import PLATFORMS
from videojob_api.story.publishing import PublishParams, publisher
from videojob_api.story.variants import MAIN, named
from videojob_api.v1alpha1 import PublishStatus, PublishTarget
from videojob_api.v1alpha1.status import OutputStatus

from ..base.errors import BadConfig, External, Permanent, Recoverable, WorkerError, printable
from ..base.process import Fences, Finished
from ..compose import gates
from ..providers import publishers
from ..providers.calling import Means
from ..providers.publishers.base import PUBLISH_ERROR, Errand, Film
from ..storage import files
from ..storage.paths import vetted_file
from .context import Context
from .filming import FILM, METADATA

FOLDER = "publish"
DONE = frozenset({"Published", "Accepted", "QueuedManual"})
UNMET = "Video does not meet platform requirements"
RETRIES = 3
"""Further tries of one request within an attempt."""
MAX_SAID, MAX_MESSAGE = 480, 300


def run(context: Context) -> StageResult:
    """Try every platform that has not taken it yet.

    Raises External or Recoverable (PublishFailed) when one wants to be tried again, Permanent (PublishFailed) when one failed for
    good and the policy is Deny; each carries what became of all of them.
    """
    params = context.params
    if not isinstance(params, PublishParams):
        raise BadConfig("BadDocument", "stage publish got another stage's params")
    films = {MAIN: _film(context, MAIN)}
    rows: list[PublishStatus] = []
    again: list[WorkerError] = []
    for place, target in enumerate(params.platforms):
        context.check()
        context.progress(place * 100 // len(params.platforms), f"Publishing on {_label(target)}")
        book = _Book(context.store.job / FOLDER / f"{target.name}.json", context.document.job.uid)
        take = target.variant or MAIN
        if take not in films:
            films[take] = _film(context, take)
        row, error = _one(context, films[take], target=target, book=book)
        book.close(row)
        rows.append(row)
        again += [error] if error is not None else []
    message = ", ".join(f"{row.platform}: {row.state}" for row in rows) or "no platform is named any more"
    told = StageResult(kind=context.kind.kind, message=message[:200], publish=tuple(rows))
    if again:
        raise _with(max(again, key=lambda error: error.retry_after_seconds or 0), told)
    failed = tuple(f"{row.platform}: {_why(row)}"[:MAX_SAID] for row in rows if row.state not in DONE)
    if failed and params.fallback.policy == "Deny":
        raise _with(
            Permanent(
                PUBLISH_ERROR, "; ".join(failed), hint="mend what the message names, then retry: what was taken stays"
            ),
            told,
        )
    return told.model_copy(update={"degraded": failed[:8]})


def _with(error: WorkerError, told: StageResult) -> WorkerError:
    error.told = told.model_copy(update={"state": "Failed"})
    return error


def _why(row: PublishStatus) -> str:
    return "; ".join([row.message or row.state, *(row.validation or ())])


def _label(target: PublishTarget) -> str:
    return PLATFORMS[target.name].label if target.name in PLATFORMS else target.name


# ---------------------------------------------------------------- one platform


def _one(
    context: Context, found_film: tuple[Film, OutputStatus] | None, *, target: PublishTarget, book: _Book
) -> tuple[PublishStatus, WorkerError | None]:
    """What became of it there, and the failure after which it is worth another attempt."""
    known = book.row
    if known is not None and known.state in DONE:
        return known, None

    def row(state: str, message: str | None = None, **fields: Any) -> PublishStatus:
        attempts = (known.attempts if known is not None else 0) + 1
        said = " ".join(printable(message).split())[:MAX_MESSAGE] if message is not None else None
        values = {"state": state, "message": said, "attempts": min(attempts, 1000), "time": datetime.now(UTC), **fields}
        return PublishStatus.model_validate({"platform": target.name, **values})

    if found_film is None:
        return row(
            "Error",
            f"the story has no film {target.variant}: name one of story.variants in publish.platforms[].variant",
        ), None
    film, video = found_film
    found = publisher(target)
    if found is None:
        return row("Error", f"Publisher not configured for {target.name}"), None
    unmet = _unmet(target, video)
    if unmet:
        return row("Failed", UNMET, validation=unmet), None
    try:
        sent = publishers.publisher(found.name).publish(_errand(context, film, target, book))
    except (External, Recoverable) as error:
        if context.task.last_try:
            return row("Error", f"{error.message}; given up"), None
        return row("Retrying", error.message), error
    except Permanent as error:
        return row("Error", error.message), None
    try:
        return row(sent.state, sent.message, id=sent.id, url=sent.url), None
    except ValidationError:
        return row(sent.state, "it answered with an id or a URL that cannot be shown"), None


def _unmet(target: PublishTarget, video: OutputStatus) -> tuple[str, ...]:
    """What is beyond the platform's limits, in the seeds' words (S-048, S-049)."""
    if target.name not in PLATFORMS:
        return ()
    return gates.platform_problems(
        PLATFORMS[target.name], width=video.width or 0, height=video.height or 0, duration_ms=video.duration_ms or 0,
        size_bytes=video.size_bytes,
    )  # fmt: skip


def _errand(context: Context, film: Film, target: PublishTarget, book: _Book) -> Errand:
    def wait(seconds: float) -> None:
        select.select([context.stop.fileno()], [], [], seconds)
        context.check()

    def run(argv: Sequence[str], on_line: Any = None) -> Finished:
        return context.run(argv, fences=Fences(file_bytes=0), watchdog=context.watchdog(), on_line=on_line)

    def told(size: int) -> None:
        context.progress(size * 99 // max(1, film.size_bytes), f"Publishing on {_label(target)}: {size >> 20} MiB")

    means = Means(
        run=run, scratch=context.store.scratch, stock=Path(context.document.store.stock), secrets=context.secrets,
        policy=context.document.fetch or FetchPolicy(), check=context.check, wait=wait, retries=RETRIES,
    )  # fmt: skip
    return Errand(film, target, _label(target), means, book, told)


class _Book:
    """What is known of one platform, over attempts. It holds addresses to upload to: it is shown nowhere, and they are dropped
    when they have served.
    """

    def __init__(self, path: Path, uid: str) -> None:
        self._path, self._uid = path, uid
        self._known: dict[str, Any] = {}
        self.row: PublishStatus | None = None
        if path.parent.is_symlink() or path.is_symlink():
            raise Permanent(
                "UnsafeInput", f"the job's {FOLDER}/ holds a symbolic link", hint="remove it from the store"
            )
        path.parent.mkdir(exist_ok=True)
        if path.is_file():
            self._load()

    def _load(self) -> None:
        try:
            found = json.loads(self._path.read_bytes())
            self.row = PublishStatus.model_validate(found.pop("result")) if "result" in found else None
            self._known = {str(key): value for key, value in found.items() if isinstance(value, str)}
        except (ValueError, ValidationError, AttributeError):
            raise Permanent(
                PUBLISH_ERROR, f"{FOLDER}/{self._path.name} in the job's folder cannot be read, so that nobody knows whether the "
                "video is there already", hint="look at the platform; if it is not there, remove the file and retry",
            ) from None  # fmt: skip

    def read(self) -> dict[str, str]:
        """What was written last."""
        return dict(self._known)

    def write(self, known: Mapping[str, str]) -> None:
        """Keep this instead."""
        self._known = dict(known)
        self._save()

    def close(self, row: PublishStatus) -> None:
        """Note what became of it."""
        self.row = row
        if row.state in {"Published", "Accepted"}:
            self._known = {}
        self._save()

    def _save(self) -> None:
        body = {**self._known, **({"result": self.row.dump()} if self.row is not None else {})}
        files.write_atomic(self._path, json.dumps(body, indent=2, ensure_ascii=False).encode() + b"\n")


# ---------------------------------------------------------------- what is published


def _film(context: Context, take: str) -> tuple[Film, OutputStatus] | None:
    """A committed film and what is said of it; None for a variant that there is not. Raises Recoverable (ResultInvalid,
    VerifyFailed).
    """
    store = context.store
    hint = "drive the VideoJob again from VideoComposition"
    try:
        manifest = Manifest.model_validate(
            json.loads(vetted_file(store.job, store.manifest.name, "the manifest").read_bytes())
        )
    except (ValueError, ValidationError):
        raise Recoverable("ResultInvalid", "the job's manifest cannot be read", hint=hint) from None
    outputs = {output.name: output for output in manifest.outputs}
    wanted = (named(FILM, take), named(METADATA, take))
    if take and not set(wanted) <= set(outputs):
        return None
    if manifest.job.uid != context.document.job.uid or not set(wanted) <= set(outputs):
        raise Recoverable("ResultInvalid", "the job's manifest names no film of this VideoJob", hint=hint)
    for name in wanted:
        path = vetted_file(store.job, outputs[name].path, f"the output {name}")
        if not files.matches(path, outputs[name].size_bytes, outputs[name].sha256):
            raise Recoverable("VerifyFailed", f"the output {name} changed after it was published", hint=hint)
    video = outputs[wanted[0]]
    said = json.loads(vetted_file(store.job, outputs[wanted[1]].path, "the metadata").read_bytes())
    facts = {
        "job": manifest.job.dump(), "metadata": said,
        "outputs": [
            {"name": one.name, "uri": one.uri, "mediaType": one.media_type, "sizeBytes": one.size_bytes, "sha256": one.sha256}
            for one in manifest.outputs
        ],
    }  # fmt: skip
    film = Film(
        path=store.job / video.path, size_bytes=video.size_bytes, media_type=video.media_type, uid=manifest.job.uid,
        title=str(said["title"]), description=str(said["description"]), tags=tuple(said["tags"]),
        hashtags=tuple(said["hashtags"]), synthetic=video.synthetic is not None, facts=facts,
    )  # fmt: skip
    return film, video
