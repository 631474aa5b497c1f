"""The two ports of the operator: one for probes and metrics, one for workers."""

from __future__ import annotations

from collections.abc import Callable

from ..runtime.http import Server, health_app
from ..settings import Settings
from .endpoint import CONNECTION_SECONDS, MAX_CONNECTIONS, Endpoint

Problem = Callable[[], str | None]


class StartError(RuntimeError):
    """The operator cannot start; the message says why and what to do."""


class Ports:
    """Servers that are up until `close`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._servers: list[Server] = []

    async def probes(self, dead: Problem, unready: Problem, exposition: Callable[[], bytes]) -> None:
        """/healthz, /readyz and /metrics. Raises StartError when the port is taken."""
        app = health_app(dead, unready, exposition)
        await self._listen(Server(app, self._settings.host, self._settings.http_port), "VIDEOJOB_HTTP_PORT")

    async def workers(self, endpoint: Endpoint) -> None:
        """Progress, results and sweeps. Raises StartError when the port is taken."""
        server = Server(
            endpoint.app(),
            self._settings.host,
            self._settings.worker_port,
            max_connections=MAX_CONNECTIONS,
            max_seconds=CONNECTION_SECONDS,
        )
        await self._listen(server, "VIDEOJOB_WORKER_PORT")

    async def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            await server.stop()

    async def _listen(self, server: Server, setting: str) -> None:
        try:
            await server.start()
        except OSError as error:
            where = f"{self._settings.host}:{server.port}"
            raise StartError(f"{where} cannot be listened on: {error}; set {setting}") from error
        self._servers.append(server)
