"""Withdraw: what an avatar that nobody goes on with has left at its provider is brought home or deleted there (A-004, A-046).

It runs in a pod of its own after the VideoJob was cancelled, or has failed for good: only the operator knows that. A worker that
is stopped cannot tell a cancel from a node that is drained, and the next attempt goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from videojob_api.avatar.tasks import PAID, WithdrawParams
from videojob_api.contract import StageResult

from ..base.errors import BadConfig, External, Permanent, Recoverable
from ..providers.avatars import provider
from ..providers.avatars.base import Dealing
from ..storage.ledger import Ledger
from .animate import RECORD, means, tag_of
from .context import Context

CODE = "ProviderKeeps"


def run(context: Context) -> StageResult:
    """Withdraw every request that is on record in `paid/`. Raises External, and nothing that would cost the job its files, when
    something is left at the provider; the message says what.
    """
    params = context.params
    if not isinstance(params, WithdrawParams):
        raise BadConfig("BadDocument", "stage withdraw got another stage's params")
    notes, problems, count = list[str](), list[str](), 0
    for folder in _requests(context.store.job / PAID):
        count += 1
        try:
            dealing = Dealing(
                choice=params.animator, means=means(context, local=False), ledger=Ledger(folder / RECORD), keep=folder,
                tag=tag_of(context.document.job.uid, folder.name), told=context.progress,
            )  # fmt: skip
            notes += provider(params.animator).withdraw(dealing)
        except (Permanent, External, Recoverable) as error:
            problems.append(error.message)
    context.note("left.txt", "\n".join((*problems, *notes)))
    if problems:
        hint = f"it is tried again; then delete it in the account of {params.animator.name}"
        raise External(CODE, "; ".join(problems)[:1000], hint=hint)
    text = f"{count} requests withdrawn from {params.animator.name}"
    return StageResult(kind=context.kind.kind, notes=tuple(note[:300] for note in notes[:8]), message=text)


def _requests(paid: Path) -> Iterator[Path]:
    """Folders of requests; links are followed nowhere."""
    if paid.is_dir() and not paid.is_symlink():
        yield from (path for path in sorted(paid.iterdir()) if path.is_dir() and not path.is_symlink())
