"""Wiring: the only module that imports kopf. Handlers put a key into our queue and return; no `if` about video here.

kopf owns login, watch streams, reconnects, signals and the order of start-up and clean-up. Only `on.event` handlers are
used: they write nothing. Run it as `python -m videojob_operator`, or as `kopf run -m videojob_operator.handlers`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import kopf

from .cluster.api import JOBS, MEDIASTORES, PODS, VIDEOJOBS, VIDEOPROFILES, VIDEOQUEUES, Resource
from .cluster.knowledge import MANAGED, SELECTOR
from .cluster.operator import Operator
from .cluster.serving import StartError
from .runtime.logs import json_formatter
from .settings import Settings

__all__ = ["json_formatter", "operator"]

EXIT_SECONDS = 9
"""After a signal the process ends within this time, whatever hangs."""

_operators: list[Operator] = []


def operator() -> Operator:
    """This process's operator, made of the environment at first use."""
    if not _operators:
        _operators.append(Operator(Settings()))
    return _operators[0]


class Backoffs:
    """Waits between tries of kopf's requests, in seconds: for ever, since an outage ends; resync watches over it."""

    def __iter__(self) -> Iterator[float]:
        """Every request starts anew."""
        yield from (0.5, 1, 2, 3, 5, 8)
        while True:
            yield 10.0


@kopf.on.startup(errors=kopf.ErrorsMode.PERMANENT)
async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Configure kopf, then come up; watches start after this."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    ours = operator().settings
    # a watch is asked for again as often as everything is listed: rights that were withdrawn show then, not hours later
    settings.watching.server_timeout = min(300, ours.resync_seconds)
    settings.watching.connect_timeout = 5
    settings.watching.initial_streaming = True
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Backoffs()
    settings.queueing.idle_timeout = 2
    settings.queueing.exit_timeout = 1
    # kopf would also kill a process that only starts its watches again
    settings.process.ultimate_exiting_timeout = None if operator().outlives_watches else EXIT_SECONDS
    for resource in MANAGED:
        settings.watching.label_selectors[resource.group, resource.version, resource.plural] = SELECTOR
    everywhere = not ours.watch_namespaces
    if settings.peering.clusterwide != everywhere:
        raise kopf.PermanentError(
            "kopf's namespaces and VIDEOJOB_WATCH_NAMESPACES differ: leave the variable empty with -A, or give the same "
            "list to both, the operator's own namespace included"
        )
    try:
        await operator().start()
    except StartError as error:
        raise kopf.PermanentError(str(error)) from error


@kopf.on.cleanup()
async def stop(**_: Any) -> None:
    """Go down, unless the watches alone end."""
    if not operator().outlives_watches:
        await operator().stop()


@kopf.on.login()
def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """The same credentials as our own client's: the pod's service account, unless a kubeconfig is named."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or os.environ.get("KUBECONFIG"):
        return kopf.login_with_kubeconfig(**kwargs)
    found = kopf.login_with_service_account(**kwargs)
    address = f"[{host}]" if ":" in host else host
    return replace(found, server=f"https://{address}:{port}") if found else None


def _saw(resource: Resource, event: Any) -> None:
    operator().saw(resource, event["type"], dict(event["object"]))


@kopf.on.event(VIDEOJOBS.group, VIDEOJOBS.version, VIDEOJOBS.plural)
async def videojob(event: Any, **_: Any) -> None:
    """A VideoJob changed."""
    _saw(VIDEOJOBS, event)


@kopf.on.event(JOBS.group, JOBS.version, JOBS.plural)
async def job(event: Any, **_: Any) -> None:
    """One of our Jobs changed."""
    _saw(JOBS, event)


@kopf.on.event(PODS.version, PODS.plural)
async def pod(event: Any, **_: Any) -> None:
    """One of our pods changed."""
    _saw(PODS, event)


@kopf.on.event(MEDIASTORES.group, MEDIASTORES.version, MEDIASTORES.plural)
async def mediastore(event: Any, **_: Any) -> None:
    """A store changed."""
    _saw(MEDIASTORES, event)


@kopf.on.event(VIDEOQUEUES.group, VIDEOQUEUES.version, VIDEOQUEUES.plural)
async def videoqueue(event: Any, **_: Any) -> None:
    """A queue changed."""
    _saw(VIDEOQUEUES, event)


@kopf.on.event(VIDEOPROFILES.group, VIDEOPROFILES.version, VIDEOPROFILES.plural)
async def videoprofile(event: Any, **_: Any) -> None:
    """A profile changed."""
    _saw(VIDEOPROFILES, event)
