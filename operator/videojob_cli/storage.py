"""`videojob storage`: how full a namespace's store is, from MediaStore.status in the seeds' words (A-018), and files for the
stock that a team keeps.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from videojob_api.names import DEFAULT_STORE
from videojob_api.v1alpha1 import MediaStoreStatus
from videojob_api.v1alpha1.sources import STOCK, STORED

from . import show, sources
from .client import VideoJobs
from .errors import CliError
from .kube import Api, Json, status_of
from .options import Context, Form, Image, Kubeconfig, Namespace, Output

app = typer.Typer(no_args_is_help=True, help="What a namespace's store holds.")


def statistics(api: Api, namespace: str, store: str = DEFAULT_STORE) -> Json:
    """The numbers of a store: free space is at most a minute old while VideoJobs run.

    Args:
        api: the cluster.
        namespace: the store's.
        store: name of the MediaStore.

    Raises:
        CliError: when there is no such store, or no operator has looked at it.
    """
    remedy = f"`videojob init -n {namespace}` makes one named {DEFAULT_STORE}."
    raw = status_of(api, "MediaStore", store, namespace, remedy)
    if raw.get("observedGeneration", -1) < 0:
        raise CliError(f"No operator has looked at MediaStore {namespace}/{store} yet: is it running?")
    status = MediaStoreStatus.model_validate(raw)
    disk = status.disk
    return {
        "total_files": status.total_files,
        "total_size_mb": status.total_size_mb,
        "disk": {"free_gb": disk.free_gb, "percent_used": disk.percent_used} if disk is not None else None,
        "tiers": {tier.name: {"files": tier.files, "size_bytes": tier.size_bytes} for tier in status.tiers},
    }


def table(found: Json) -> str:
    """The same for people."""
    rows = [(f"  {name}", tier["files"], _mb(tier["size_bytes"])) for name, tier in found["tiers"].items()]
    rows.append(("in all", found["total_files"], f"{found['total_size_mb']:.1f}"))
    disk = found["disk"]
    space = (
        f"{disk['free_gb']:.1f} GB free, {disk['percent_used']:.0f} % used"
        if disk is not None
        else "free space is not known: no worker has reported it yet"
    )
    return f"{show.columns(('TIER', 'FILES', 'MB'), rows)}\n{space}"


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}"


@app.command("stats")
def command(
    store: Annotated[str, typer.Option(help="The MediaStore.")] = DEFAULT_STORE,
    output: Output = Form.JSON,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print a store's numbers as JSON: files, megabytes, free space, and what each retention tier holds."""
    jobs = VideoJobs.connect(namespace=namespace, kubeconfig=kubeconfig, context=context)
    found = statistics(jobs.api, jobs.namespace, store)
    print(table(found) if output is Form.TABLE else show.dump(found, output))


def names(files: Sequence[Path], folder: str) -> list[str]:
    """Paths in the stock of files that go into one folder of it; CliError for what no manifest could name, and for twins."""
    found = ["/".join([*(part for part in folder.split("/") if part), file.name]) for file in files]
    for file, name in zip(files, found, strict=True):
        if re.fullmatch(STORED, f"{STOCK}{name}") is None:
            raise CliError(
                f"{file}: {STOCK}{name} is no name a manifest can use. Letters, digits, dots, dashes and underscores are; no "
                "part begins with a dot or a dash; at most 8 parts."
            )
        if found.count(name) > 1:
            raise CliError(f"Several files are called {file.name}: give each its own folder with --to.")
    return found


@app.command("put")
def put(
    files: Annotated[list[Path], typer.Argument(help="Pictures, clips, music, models.")],
    to: Annotated[str, typer.Option("--to", help="Folder of the stock; its words describe the files, too.")] = "",
    max_size: Annotated[str, typer.Option(help="Largest file, for example 2Gi.")] = sources.DEFAULT_LIMIT,
    store: Annotated[str, typer.Option(help="The MediaStore.")] = DEFAULT_STORE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    image: Image = None,
) -> None:
    """Bring files into the namespace's stock, where they stay, and print the URIs to name them by. A file of the same name is
    replaced.
    """
    wanted = names(files, to)
    found = [sources.local_file(file) for file in files]
    jobs = VideoJobs.connect(namespace=namespace, kubeconfig=kubeconfig, context=context)
    text = "uploading " + ", ".join(file.name for file in files)
    with show.Bytes(text, sum(file.size for file in found)) as bar:
        uris = jobs.upload(
            found, store=store, limits=[max_size] * len(found), image=image, moved=bar.moved, names=wanted
        )
    print(*uris, sep="\n")
