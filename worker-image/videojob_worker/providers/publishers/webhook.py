"""A server of one's own is told what there is to publish, and takes it from there (S-047)."""

from __future__ import annotations

import time
from typing import Any

from videojob_api.contract import canonical_json
from videojob_api.notices import SECRET_KEY

from ...net.messages import Request
from ...net.signing import SIGNATURE_HEADER, signature
from ..calling import answered_json, call, secret
from .base import QUESTION_BYTES, Errand, Sent, service

SERVICE = service("webhook")


class Webhook:
    """One POST with a name of its own, which a repetition has, too."""

    def publish(self, errand: Errand) -> Sent:
        """2xx takes it; a JSON object with `id` and `url`, if there is one, goes into the status."""
        target, means = errand.target, errand.means
        body = canonical_json({"platform": target.name, "visibility": target.visibility, **errand.film.facts})
        name = f"{errand.film.uid}.{target.name}"
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Idempotency-Key": name}
        if target.secret_name is not None:
            secret(
                means, SERVICE, target.secret_name, SECRET_KEY
            )  # that it is there; it signs byte for byte, as for notify
            key = (means.secrets / target.secret_name / SECRET_KEY).read_bytes()
            headers[SIGNATURE_HEADER] = signature(key, int(time.time()), body)
        request = Request(
            target.endpoint or "", headers=headers, body=body, seconds=target.timeout_seconds, max_bytes=QUESTION_BYTES
        )
        reply = call(means, SERVICE, request)
        said: Any = answered_json(SERVICE, reply) if reply.media_type == "application/json" and reply.body else {}
        said = said if isinstance(said, dict) else {}
        found = {key: str(said[key]) for key in ("id", "url") if isinstance(said.get(key), str | int)}
        return Sent("Published", "the webhook took it", **found)
