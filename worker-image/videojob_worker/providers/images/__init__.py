"""Where backgrounds come from: an interface, and one file and one row for each provider (S-035 to S-037). Offline ones first.

A provider finds or makes one picture for one wish and writes it as it came. Nothing is decoded here, beside credentials and a
network: only first bytes are looked at. Which provider is next, what is kept, and the text card at the end are the chain's.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob_api.story.params import Provider

from .. import rows
from .base import IMAGE_ERROR, ImageProvider


@dataclass(frozen=True)
class Row:
    """One provider."""

    name: str
    module: str
    """Module and class, imported on use."""
    online: bool
    """Whether it needs the network, and mostly a Secret."""
    keys: tuple[str, ...] = ()
    """Keys of its Secret."""


IMAGES: dict[str, Row] = {
    row.name: row
    for row in (
        Row("files", "files:Files", online=False),
        Row("stock", "files:Files", online=False),
        Row("solid", "plain:Solid", online=False),
        Row("gradient", "plain:Gradient", online=False),
        Row("card", "plain:Card", online=False),
        Row("pexels", "pexels:Pexels", online=True, keys=("key",)),
        Row("unsplash", "unsplash:Unsplash", online=True, keys=("key",)),
        Row("stability", "stability:Stability", online=True, keys=("key",)),
        Row("openai", "openai:OpenAI", online=True, keys=("key",)),
    )
}
"""Every provider by name."""


def provider(choice: Provider) -> ImageProvider:
    """The provider that a link of the chain names. Raises Permanent listing the known ones."""
    found: ImageProvider = rows.chosen(
        __name__, IMAGES, choice.name, what="image provider", field="story.images.providers[].name", code=IMAGE_ERROR
    )
    return found
