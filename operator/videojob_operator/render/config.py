"""What the operator's settings contribute to manifests."""

from __future__ import annotations

from dataclasses import dataclass

from videojob_api import names
from videojob_operator.settings import Settings


@dataclass(frozen=True)
class RenderConfig:
    """What is the same in every worker pod of this operator."""

    image_pull_policy: str = "IfNotPresent"
    service_account: str = names.WORKER_SERVICE_ACCOUNT
    token_seconds: int = 3600
    """Life of the projected token; the kubelet renews it before."""
    grace_seconds: int = 20
    """From SIGTERM to SIGKILL: enough to end the encoder and to write a result."""

    @classmethod
    def of(cls, settings: Settings) -> RenderConfig:
        """The part of the settings that manifests need."""
        return cls(image_pull_policy=settings.image_pull_policy)
