"""ScriptWriting: a language model writes the script, once; from then on it is its bytes (S-072). Nothing is decoded."""

from __future__ import annotations

import select
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from videojob_api.contract import FetchPolicy, StageResult
from videojob_api.keeping import KEPT_SECONDS, SCRIPT_PARTS
from videojob_api.story.tasks import PromptParams
from videojob_api.v1alpha1.sources import UPLOADS
from videojob_api.v1alpha1.status import FetchedStatus

from ..base.errors import BadConfig, Permanent
from ..base.process import Fences, Finished
from ..providers import writing
from ..providers.calling import Means
from ..storage import files
from .context import Context
from .kept import Kept
from .scenes import written

SCRIPT_FILE = "script.txt"
RETRIES = 2


def run(context: Context) -> StageResult:
    """Write `uploads/<sha256>`; what was asked before, in this namespace, is not asked again.

    Raises Permanent, External or Recoverable (SceneGenerationError), Permanent (UnsafeInput).
    """
    params = context.params
    if not isinstance(params, PromptParams):
        raise BadConfig("BadDocument", "stage prompt got another stage's params")
    kept, key = Kept(context, SCRIPT_PARTS, KEPT_SECONDS[SCRIPT_PARTS]), context.task.key
    folder = kept.find(key)
    known = folder is not None
    if folder is None:
        context.progress(0, "A language model writes the script")
        text = writing.write(params, _means(context))
        draft = kept.folder(key)
        part = written(draft, SCRIPT_FILE, text.encode(errors="replace"))
        folder = kept.keep(key, StageResult(kind=SCRIPT_PARTS, parts=(part,)), draft)
    data = (folder / SCRIPT_FILE).read_bytes()
    words, wanted = len(data.decode(errors="replace").split()), params.prompt.max_words
    uploads = context.store.uploads
    if uploads.is_symlink():
        raise Permanent("UnsafeInput", "the job's folder uploads/ is a symbolic link", hint="remove it from the store")
    uploads.mkdir(exist_ok=True)
    digest = files.sha256_file(folder / SCRIPT_FILE)
    files.write_atomic(uploads / digest, data)
    return StageResult(
        kind=context.kind.kind,
        message=f"a script of {words} words" + (", asked for before" if known else f" by {params.prompt.model}")[:100],
        fetched=FetchedStatus(uri=UPLOADS + digest, size_bytes=len(data), sha256=digest),
        notes=(f"the script has {words} words, {wanted} were asked for",) if words > wanted else (),
    )


def _means(context: Context) -> Means:
    def wait(seconds: float) -> None:
        select.select([context.stop.fileno()], [], [], seconds)
        context.check()

    def tool(argv: Sequence[str], on_line: Any = None) -> Finished:
        return context.run(argv, fences=Fences(file_bytes=0), watchdog=context.watchdog(), on_line=on_line)

    return Means(
        run=tool, scratch=context.store.scratch, stock=Path(context.document.store.stock), secrets=context.secrets,
        policy=context.document.fetch or FetchPolicy(), check=context.check, wait=wait, retries=RETRIES,
    )  # fmt: skip
