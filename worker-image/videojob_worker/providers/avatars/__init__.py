"""Who makes a portrait speak: an interface, and one file and one row for each provider (A-021, A-029, A-046).

A provider turns one portrait and one voice into one video file. It decodes nothing that comes from the network, and is paid at
most once for the same request: what it is about to ask for is written down before it asks, the name it got is written down
before it waits, and whoever comes after a crash looks there first. Where nobody can tell whether a lost request was taken, it
says so and asks for nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob_api.avatar.params import Animator

from .. import rows
from .base import AVATAR_ERROR, AvatarProvider


@dataclass(frozen=True)
class Row:
    """One provider."""

    name: str
    module: str
    """Module and class, imported on use."""


AVATARS: dict[str, Row] = {
    row.name: row for row in (Row("command", "command:Command"), Row("http", "http:Http"), Row("did", "did:Did"))
}
"""Every provider by name."""


def provider(choice: Animator) -> AvatarProvider:
    """The provider that was chosen. Raises Permanent listing the known ones."""
    found: AvatarProvider = rows.chosen(
        __name__, AVATARS, choice.name, what="avatar provider", field="avatar.provider.name", code=AVATAR_ERROR
    )
    return found
