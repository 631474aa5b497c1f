"""`videojob repro` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import repro, show, sources
from .client import VideoJobs
from .errors import CliError, Exit
from .options import Context, Form, Image, Kubeconfig, Namespace, Output


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FOLDER",
            help="The VideoJob, or the folder that a failed `videojob run` left (a path with a / in it).",
        ),
    ],
    stage: Annotated[str | None, typer.Option(help="Run up to this stage; the one that failed by default.")] = None,
    attempt: Annotated[int | None, typer.Option(help="Which attempt; that of the latest failure by default.")] = None,
    index: Annotated[
        int | None, typer.Option(help="Which work item, of a stage that runs once for each of many.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="The input, if the store has it no more.")] = None,
    folder: Annotated[
        Path, typer.Option("--folder", help="Folder for what is fetched and made: one a VideoJob in it.")
    ] = Path("videojob-repro"),
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the worker's log.")] = False,
    form: Output = Form.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    image: Image = None,
) -> None:
    """Run a failed attempt once more on this machine: same document, inputs and runner; then and now side by side.

    Exit 0 when it ends here as it did there, 5 when it does not.
    """
    given = sources.local_file(file) if file is not None else None
    log = show.say if verbose else None
    if "/" in name:
        verdict = repro.from_folder(Path(name), folder, stage=stage, attempt=attempt, index=index, file=given, log=log)
    else:
        jobs = VideoJobs.connect(namespace=namespace, kubeconfig=kubeconfig, context=context)
        verdict = repro.from_cluster(
            jobs, name, folder, stage=stage, attempt=attempt, index=index, file=given, image=image, log=log
        )
    print(verdict if form is Form.TABLE else show.dump(verdict.dump(), form))
    if not verdict.agrees:
        raise CliError("It does not end here as it did there.", Exit.DIFFERENT)
