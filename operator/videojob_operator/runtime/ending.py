"""The end of the process when going on would do harm."""

from __future__ import annotations

import logging
import os
import sys

log = logging.getLogger(__name__)


def die(reason: str) -> None:
    """End the process at once: a restart costs nothing, going on without the fence, or half dead, would."""
    log.critical("the operator ends", extra={"reason": reason})
    sys.stderr.flush()
    os._exit(1)
