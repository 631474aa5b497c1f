"""`python -m videojob_operator`: the container's entry. The same handlers as under `kopf run`, with JSON logs, the namespaces
taken from the settings, and the health port open before anything else.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import kopf
from pydantic import ValidationError

from . import handlers
from .cluster.operator import StartError
from .runtime.logs import setup

log = logging.getLogger("videojob_operator")


async def run() -> None:
    """Come up, then let kopf watch until a signal or a dead stream ends it.

    A process 1 without a handler never hears SIGTERM, and coming up can take minutes where the CRDs or the Lease are
    missing. kopf puts its own handlers in our handlers' place.
    """
    operator = handlers.operator()
    stop = asyncio.current_task().cancel  # type: ignore[union-attr]  # a coroutine that runs has its task
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await operator.start()
    except asyncio.CancelledError:
        log.info("stopped before it was up")
        await operator.stop()
        return
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
    except asyncio.CancelledError:
        return 0  # told to stop between our handlers and kopf's
    except StartError as error:
        log.critical("cannot start", extra={"reason": str(error)})
        return 1
    except Exception:
        log.critical("the operator ends", exc_info=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
