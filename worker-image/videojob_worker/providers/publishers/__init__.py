"""How a film gets to a platform: an interface, and one file and one row for each way (S-047 to S-052). The offline one first.

A publisher brings one film to one platform and says what became of it. It never sends twice what was taken: what it needs to ask
for that later, it puts into its ledger before the first byte goes out.
"""

from __future__ import annotations

from .. import rows
from .base import Publisher

MODULES: dict[str, str] = {
    "queued_manual": "manual:QueuedManual",
    "webhook": "webhook:Webhook",
    "youtube": "youtube:YouTube",
    "tiktok": "tiktok:TikTok",
}
"""Module and class of each row of `videojob_api.story.publishing.PUBLISHERS`, imported on use."""


def publisher(name: str) -> Publisher:
    """The publisher of a row. KeyError for one that is in no row."""
    found: Publisher = rows.made(__name__, MODULES[name])
    return found
