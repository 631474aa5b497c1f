"""For platforms that let no program post: a record in the job's folder that a person works off (S-050)."""

from __future__ import annotations

from .base import Errand, Sent


class QueuedManual:
    """Writes what is to be posted beside the film."""

    def publish(self, errand: Errand) -> Sent:
        """A record `publish/<platform>.json`, which says it all."""
        film = errand.film
        errand.ledger.write(
            {
                "status": "queued_manual", "video_path": f"videos/{film.path.name}", "title": film.title,
                "caption": film.caption(), "tags": ", ".join(film.tags),
            }
        )  # fmt: skip
        family = errand.label.split()[0]
        return Sent("QueuedManual", f"Video queued for manual {family} posting")
