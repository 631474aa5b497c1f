"""`python -m videojob_operator`: the container's entry. The same handlers as under `kopf run`, with JSON logs, the namespaces
taken from the settings, and the health port open before anything else.
"""

from __future__ import annotations

import asyncio
import logging
import sys

import kopf
from pydantic import ValidationError

from . import handlers
from .cluster.operator import StartError
from .runtime.logs import setup

log = logging.getLogger("videojob_operator")


async def run() -> None:
    """Come up, then let kopf watch until a signal or a dead stream ends it."""
    operator = handlers.operator()
    await operator.start()
    await kopf.operator(
        namespaces=operator.namespaces,
        clusterwide=not operator.namespaces,
        standalone=True,
    )


def main() -> int:
    """Run until stopped; 0 after a signal, 1 with a sentence in the log otherwise, 2 for settings that do not fit."""
    try:
        settings = handlers.operator().settings
        setup(settings.log_level)
    except (ValidationError, ValueError) as error:
        print(f"the settings (environment VIDEOJOB_*) do not fit: {error}", file=sys.stderr)
        return 2
    try:
        asyncio.run(run())
    except StartError as error:
        log.critical("cannot start", extra={"reason": str(error)})
        return 1
    except Exception:
        log.critical("the operator ends", exc_info=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
