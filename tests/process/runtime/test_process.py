"""The operator as a process, before it has anything to do."""

from __future__ import annotations

import json
from pathlib import Path

from aiohttp import web

from operated import OperatorProcess
from videojob_operator.runtime.http import Server


async def test_sigterm_is_heard_while_the_crds_are_missing(tmp_path: Path) -> None:
    """As process 1 nothing but a handler of its own would end it; it says good-bye with status 0"""

    async def nothing_there(_: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "reason": "NotFound", "message": "not found"}, status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", nothing_there)
    server = Server(app, "127.0.0.1", 0)
    await server.start()
    address = f"http://127.0.0.1:{server.port}"
    (tmp_path / "kubeconfig").write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": address}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    operator = OperatorProcess(tmp_path / "kubeconfig", tmp_path / "operator.log")
    try:
        await operator.start().waits_for("waiting for the CRDs")
        assert operator.stop() == 0
    finally:
        operator.end()
        await server.stop()
