"""manifest.json: what a job published. It lies beside `videos/`, is written last, and says everything about the files."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from .contract import Identity
from .v1alpha1.avatar_status import AvatarStatus
from .v1alpha1.base import StatusModel
from .v1alpha1.status import InputStatus, OutputStatus
from .v1alpha1.story_status import StoryStatus

MANIFEST_VERSION = 1


class ManifestStage(StatusModel):
    """A stage whose outputs went into the publication."""

    kind: str
    """The stage's kind."""
    version: int
    """The stage's own version."""
    key: str
    """Its content key."""


class ManifestPiece(StatusModel):
    """A piece of a story's film."""

    variant: str | None = None
    """The variant whose film it is; absent for the story's own."""
    scenes: tuple[str, ...]
    """The scene that it shows, by its id; both, where it is the passage from one to the next."""
    frames: int
    """How long it is."""
    key: str
    """Its content key: what is seen in it."""
    sha256: str
    """Digest of its bytes as they went into the film."""
    made: bool
    """Whether it was drawn for this VideoJob; else another one had drawn it before."""


class Manifest(StatusModel):
    """Outputs count as published once this file is there, whole."""

    version: int = MANIFEST_VERSION
    """Version of this form."""
    job: Identity
    """Whose work it is."""
    input: InputStatus | None = None
    """What the outputs were made from; absent for a story."""
    story: StoryStatus | None = None
    """What the story is."""
    pieces: tuple[ManifestPiece, ...] = ()
    """Of a story: the pieces of its film, in order."""
    avatar: AvatarStatus | None = None
    """Who the avatar is, and whether that person agreed."""
    outputs: tuple[OutputStatus, ...]
    """The published files; paths are below the folder of this file."""
    stages: tuple[ManifestStage, ...]
    """What made them; the keys tell a repeated commit from another one."""
    tools: dict[str, str] = Field(default_factory=dict)
    """Versions of the programs that made them."""
    committed_time: datetime
    """When they were published."""
