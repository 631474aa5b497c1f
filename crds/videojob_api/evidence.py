"""What an attempt leaves in `debug/<group>-a<attempt>/` so that it can be run again elsewhere: names of the files, and the form
of the one that no other module describes.

Beside these lie the container's whole result (`contract.result_path`) and, in reading order, what its tools were called with.
"""

from __future__ import annotations

from pydantic import Field

from . import contract
from .v1alpha1.base import StatusModel

EVIDENCE_VERSION = 1


class InputFile(StatusModel):
    """One file the attempt read."""

    name: str
    """`store://...` as the document names it, or a path below the job's folder, such as `processed/transcode/<key>/720p.mp4`."""
    sha256: str
    """Digest of its bytes: as found in the attempt, or as an earlier stage recorded it."""
    size_bytes: int | None = None
    """Size in bytes; absent if the file was not there."""


class Evidence(StatusModel):
    """Versions and inputs of one container's run."""

    version: int = EVIDENCE_VERSION
    """Version of this form."""
    versions: dict[str, str] = Field(default_factory=dict)
    """What ran, by name: `videojob`, `python`, and after a failure `ffmpeg`."""
    inputs: tuple[InputFile, ...] = ()
    """What it read, in the document's order."""


def folder(group: str, attempt: int, index: int | None = None) -> str:
    """Where an attempt leaves all this, below the job's folder; of a fan-out, each work item by itself."""
    return contract.debug_folder(group, attempt, index)


def document_path(group: str, attempt: int, container: str, index: int | None = None) -> str:
    """The task document, credentials hidden."""
    return f"{folder(group, attempt, index)}/{container}.document.json"


def evidence_path(group: str, attempt: int, container: str, index: int | None = None) -> str:
    """The Evidence."""
    return f"{folder(group, attempt, index)}/{container}.evidence.json"


def commands_path(group: str, attempt: int, kind: str, index: int | None = None) -> str:
    """Command lines of a stage's tools, quoted for a shell, one a line, in order."""
    return f"{folder(group, attempt, index)}/{kind}.commands.txt"


def stderr_path(group: str, attempt: int, kind: str, index: int | None = None) -> str:
    """The last words of each of them, in order."""
    return f"{folder(group, attempt, index)}/{kind}.stderr.txt"
