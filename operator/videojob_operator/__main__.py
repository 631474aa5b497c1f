"""`python -m videojob_operator`: the container's entry. The same handlers as under `kopf run`, with JSON logs, the namespaces
taken from the settings, and the health port open before anything else.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Collection, Coroutine
from typing import Any, Protocol

import kopf
from pydantic import ValidationError

from . import handlers
from .cluster.operator import Operator
from .cluster.serving import StartError
from .runtime.ending import die
from .runtime.logs import setup

log = logging.getLogger("videojob_operator")


GRACE_SECONDS = 0.5


class Watching(Protocol):
    """kopf, as far as it is used here."""

    def __call__(
        self,
        *,
        namespaces: Collection[str],
        clusterwide: bool,
        standalone: bool,
        stop_flag: asyncio.Event,
        ready_flag: asyncio.Event,
    ) -> Coroutine[Any, Any, None]:
        """Watch until the flag is set or a watch fails."""


async def run(operator: Operator, watch: Watching) -> None:
    """Come up, then let kopf watch until a signal or a dead stream ends it.

    When the list of namespaces has changed, and when one of them refuses a watch, the watches start again with those that
    are left: the operator itself goes on.
    """
    operator.outlives_watches = True
    ending = Ending(operator)
    try:
        await operator.start()
        while not ending.asked:
            regroup, up = operator.regroup(), asyncio.Event()
            ending.flag = regroup
            taking_over = asyncio.create_task(ending.take_over(up))
            watching = watch(
                namespaces=operator.namespaces,
                clusterwide=not operator.namespaces,
                standalone=True,
                stop_flag=regroup,
                ready_flag=up,
            )
            try:
                await until_stopped(asyncio.create_task(watching), operator.stopped)
            except Exception as error:
                if getattr(error, "status", None) not in {403, 404} or not await operator.refused(error):
                    raise
            else:
                if ending.asked or not regroup.is_set():
                    return
            finally:
                taking_over.cancel()
                ending.listen()
            log.info("the watches start again", extra={"namespaces": list(operator.namespaces) or "all"})
    except asyncio.CancelledError:
        if not ending.asked:
            raise
        log.info("stopped before it was up")
    finally:
        await operator.stop()


async def until_stopped(watching: asyncio.Task[None], stopped: asyncio.Event) -> None:
    """Wait for the watches' end, but no longer than for the operator's: for tasks of its own that it has forgotten kopf waits
    five seconds more.
    """
    over = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({watching, over}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({watching}, timeout=GRACE_SECONDS)
        watching.cancel()
        await asyncio.wait({watching})
    finally:
        over.cancel()
    if not watching.cancelled():
        watching.result()


class Ending:
    """What a signal does, from the first moment on: a process 1 without a handler never hears SIGTERM, and coming up can
    take minutes where the CRDs or the Lease are missing.
    """

    def __init__(self, operator: Operator) -> None:
        self.asked = False
        self._operator = operator
        self.flag: asyncio.Event | None = None
        """Ends the watches; None as long as there are none."""
        self._task = asyncio.current_task()
        self.listen()

    def listen(self) -> None:
        """Put our handlers in the place of whose there are."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._end)

    async def take_over(self, up: asyncio.Event) -> None:
        """After kopf is up: it has put its own handlers in place, and its end is not always ours."""
        await up.wait()
        self.listen()

    def _end(self) -> None:
        if self.asked:
            return
        self.asked = True
        self._operator.outlives_watches = False  # kopf's clean-up stops it, as soon as the watches have ended
        asyncio.get_running_loop().call_later(handlers.EXIT_SECONDS, die, "it did not stop in time after a signal")
        if self.flag is not None:
            self.flag.set()
        elif self._task is not None:
            self._task.cancel()


def main() -> int:
    """Run until stopped; 0 after a signal, 1 with a sentence in the log otherwise, 2 for settings that do not fit."""
    try:
        settings = handlers.operator().settings
        setup(settings.log_level)
    except (ValidationError, ValueError) as error:
        print(f"the settings (environment VIDEOJOB_*) do not fit: {error}", file=sys.stderr)
        return 2
    try:
        asyncio.run(run(handlers.operator(), kopf.operator))
    except StartError as error:
        log.critical("cannot start", extra={"reason": str(error)})
        return 1
    except Exception:
        log.critical("the operator ends", exc_info=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
