"""Wait until the kinds are served: watches that start before their CRD deliver nothing, for ever."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from .api import OWN_KINDS, Api, ApiError, Resource

log = logging.getLogger(__name__)


class KindsMissingError(RuntimeError):
    """Some kinds were not served in time; the message names them and the remedy."""


async def wait_for_kinds(
    api: Api,
    seconds: float,
    *,
    kinds: tuple[Resource, ...] = OWN_KINDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Return once the API server serves every kind; whichever came first, the CRDs or the operator.

    Args:
        api: asked by discovery, which every account may do.
        seconds: longest wait.
        kinds: what is needed.
        clock: seconds on a clock that never goes back.
        sleep: waits that many seconds.

    Raises:
        KindsMissingError: naming the missing ones, or the error that kept the server from answering.
    """
    until = clock() + seconds
    told = False
    while True:
        problem = ""
        missing: list[str] = []
        try:
            for group, version in sorted({(kind.group, kind.version) for kind in kinds}):
                served = await api.served(group, version)
                missing += [
                    f"{kind.plural}.{kind.group}"
                    for kind in kinds
                    if (kind.group, kind.version) == (group, version) and kind.plural not in served
                ]
        except ApiError as error:
            problem = str(error)
        if not missing and not problem:
            return
        sentence = problem or f"not served by the API server: {', '.join(missing)}"
        if clock() >= until:
            raise KindsMissingError(f"{sentence}; install the CRDs: kubectl apply -f crds/")
        if not told:
            log.warning("waiting for the CRDs", extra={"missing": missing, "error": problem, "seconds": seconds})
            told = True
        await sleep(1.0)
