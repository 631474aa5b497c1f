"""Commands that ask something of a VideoJob that exists: cancel, retry, suspend, resume, and the dead letters (T-005, X-008)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from videojob_api.names import LABEL_DEAD_LETTER

from . import show
from .client import VideoJobs
from .errors import CliError, Exit
from .options import Context, Form, Kubeconfig, Namespace, Output

dlq = typer.Typer(no_args_is_help=True, help="Dead letters: VideoJobs that failed for good.")
DEAD = f"{LABEL_DEAD_LETTER}=true"
From = Annotated[
    str | None,
    typer.Option(
        "--from", help="Stage or output from which work is done anew, even where it is there; e.g. Transcode."
    ),
]
Selector = Annotated[
    str | None, typer.Option("-l", "--selector", help="Those with these labels instead of names; e.g. team=news.")
]
Everywhere = Annotated[bool, typer.Option("-A", "--all-namespaces", help="Of all namespaces.")]


def _jobs(namespace: str | None, context: str | None, kubeconfig: Path | None) -> VideoJobs:
    return VideoJobs.connect(namespace=namespace, kubeconfig=kubeconfig, context=context)


def _say(name: str, what: str) -> None:
    show.say(f"videojob.videojob.dev/{name} {what}")


def cancel(name: str, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """End a VideoJob that has not ended: its pods are stopped, nothing is published."""
    _jobs(namespace, context, kubeconfig).cancel(name)
    _say(name, "is being cancelled")


def retry(
    name: str, start: From = None, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None
) -> None:
    """Drive a Failed or Cancelled VideoJob again, from the first stage whose output is missing."""
    _jobs(namespace, context, kubeconfig).retry(name, start=start)
    _say(name, "is queued again")


def suspend(name: str, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Let no further stage of a VideoJob start; a running one ends first."""
    _jobs(namespace, context, kubeconfig).suspend(name, on=True)
    _say(name, "starts no further stage")


def resume(name: str, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Let a suspended VideoJob go on."""
    _jobs(namespace, context, kubeconfig).suspend(name, on=False)
    _say(name, "goes on")


@dlq.command("list")
def list_dead_letters(
    everywhere: Everywhere = False,
    output: Output = Form.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List VideoJobs that failed for good, and why."""
    jobs = _jobs(namespace, context, kubeconfig)
    found = list(jobs.list(everywhere=everywhere, selector=DEAD))
    show.listed("dead letters", found, show.dead_letters, output, None if everywhere else jobs.namespace)


@dlq.command("retry")
def retry_dead_letters(
    names: Annotated[list[str] | None, typer.Argument(help="Names of dead letters.", show_default=False)] = None,
    selector: Selector = None,
    every: Annotated[bool, typer.Option("--all", help="All dead letters of the namespace.")] = False,
    start: From = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Drive dead letters again, from the first stage whose output is missing; the queue paces them."""
    if sum((bool(names), selector is not None, every)) != 1:
        raise CliError("Name dead letters, or give -l LABELS, or --all: `videojob dlq list` shows them.", Exit.USAGE)
    jobs = _jobs(namespace, context, kubeconfig)
    wanted = names or dead_letters(jobs, selector)
    if not wanted:
        show.say(f"No dead letters{f' with {selector}' if selector else ''} in {jobs.namespace}.")
    if failed := retry_all(jobs, wanted, start):
        raise CliError(f"{failed} of {len(wanted)} could not be driven again.")


def dead_letters(jobs: VideoJobs, selector: str | None) -> list[str]:
    """Names of the dead letters that have these labels, too."""
    found = jobs.list(selector=f"{DEAD},{selector}" if selector else DEAD)
    return [str(job["metadata"]["name"]) for job in found]


def retry_all(jobs: VideoJobs, wanted: Sequence[str], start: str | None = None) -> int:
    """Ask for each, whatever becomes of the others; returns how many were refused, each with its reason on stderr."""
    failed = 0
    for name in wanted:
        try:
            jobs.retry(name, dead=True, start=start)
        except CliError as error:
            show.say(error.message)
            failed += 1
        else:
            _say(name, "is queued again")
    return failed


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (cancel, retry, suspend, resume):
        app.command()(command)
    app.add_typer(dlq, name="dlq")
