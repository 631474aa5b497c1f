"""Options that several commands share."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

CLUSTER = "Cluster"


class Form(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def duration(text: str) -> float:
    """Seconds of `90`, `90s`, `10m` or `1h`."""
    match = re.fullmatch(r"([0-9]+)([smh]?)", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a time such as 90s, 10m or 1h")
    return float(int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]])


Namespace = Annotated[
    str | None,
    typer.Option("-n", "--namespace", help="Namespace; that of the context by default.", rich_help_panel=CLUSTER),
]
Context = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.", rich_help_panel=CLUSTER)]
Kubeconfig = Annotated[
    Path | None,
    typer.Option("--kubeconfig", help="Kubeconfig; $KUBECONFIG or ~/.kube/config by default.", rich_help_panel=CLUSTER),
]
Image = Annotated[
    str | None,
    typer.Option(
        "--image",
        help="Worker image for the transfer pod; by default as the namespace's worker account says.",
        envvar="VIDEOJOB_WORKER_IMAGE",
        rich_help_panel=CLUSTER,
    ),
]
Output = Annotated[Form, typer.Option("-o", "--output", help="Form of the result.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it to its end; exit 3 when it failed.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", parser=duration, metavar="TIME", help="Longest wait (90s, 10m, 1h); exit 4 after it."),
]
Manifests = Annotated[
    list[Path] | None, typer.Option("-f", "--filename", help="Manifest with VideoJobs (and VideoProfiles); repeatable.")
]
Clip = Annotated[Path | None, typer.Option("--file", help="Video file to work on.")]
