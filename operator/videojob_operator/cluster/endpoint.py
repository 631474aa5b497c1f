"""The port for workers: progress and large results, by POST with the pod's projected token (A-010, A-012).

All of it is advisory, and a flood, a forgery or a stale sender changes nothing.
A token is bound to one VideoJob by its audience and to one pod by the API server.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from pydantic import ValidationError

from videojob_api import names
from videojob_api.contract import (
    MAX_PROGRESS_BYTES,
    MAX_RESULT_BYTES,
    PROGRESS_ROUTE,
    RESULT_ROUTE,
    Progress,
    RunResult,
    canonical_json,
)
from videojob_api.stages import KINDS
from videojob_api.sweeping import MAX_QUESTION_BYTES, SWEEP_ROUTE, SweepAnswer, SweepQuestion

from ..runtime.budget import Budget
from ..runtime.http import read_body, recover, refusal
from .api import Api, ApiError
from .inbox import Inbox, Sender
from .metrics import Metrics
from .reviews import BusyError, Reviews, remember

log = logging.getLogger(__name__)

MAX_PODS = 5000
"""Pods of which the pace is remembered."""
MAX_CONNECTIONS = 1000
"""Workers speak for a moment, each on a connection of its own."""
CONNECTION_SECONDS = 20.0
"""Longest life of a connection: ten seconds for the body, the rest for the review."""
POSTS_PER_SECOND, POSTS_BURST = 1.0, 5.0
"""Posts a pod may send."""
MAX_TOKEN_BYTES = 4096
MAX_UID_CHARS = 64


class Sweeps(Protocol):
    """Who answers the questions of sweeps."""

    def is_sweep(self, uid: str, pod_uid: str) -> bool:
        """Whether the pod is one of a sweep of that MediaStore."""

    def answer(self, question: SweepQuestion) -> SweepAnswer:
        """What may be deleted."""


class Endpoint:
    """The HTTP side of the inbox.

    Args:
        api: reviews tokens.
        inbox: where news is kept.
        sender: what the cache knows of a pod: `sender(videojob_uid, pod_uid)`; None when it is no live pod of that job.
        taken: told of each VideoJob that has news.
        sweeps: answers the questions of sweeps.
        metrics: counts posts by outcome.
        clock: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        api: Api,
        inbox: Inbox,
        *,
        sender: Callable[[str, str], Sender | None],
        taken: Callable[[str, bool], None],
        sweeps: Sweeps,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox = inbox
        self._sender = sender
        self._taken = taken
        self._sweeps = sweeps
        self._metrics = metrics
        self._clock = clock
        self._reviews = Reviews(api, clock=clock)
        self._budgets: dict[str, Budget] = {}

    def app(self) -> web.Application:
        """The application that serves both routes."""
        app = web.Application(client_max_size=MAX_RESULT_BYTES, middlewares=[recover, self._count])
        app.router.add_post(PROGRESS_ROUTE, self.post_progress)
        app.router.add_post(RESULT_ROUTE, self.post_result)
        app.router.add_post(SWEEP_ROUTE, self.post_sweep)
        return app

    @web.middleware
    async def _count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        status = 500
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as error:
            status = error.status
            raise
        else:
            return response
        finally:
            self._metrics.post(request.path.rsplit("/", 1)[-1] if status < 404 or status > 405 else "other", status)

    async def post_progress(self, request: web.Request) -> web.Response:
        """Take a progress sample: 204, or why not."""
        token = _bearer(request)
        if token is None:
            return _no_token()
        body = await read_body(request, MAX_PROGRESS_BYTES)
        if body is None:
            return refusal(413, f"a progress post has at most {MAX_PROGRESS_BYTES} bytes")
        try:
            sample = Progress.model_validate_json(body)
        except ValidationError as error:
            return refusal(422, _first(error))
        refused = await self._vet(token, sample.uid, sample.group, sample.attempt)
        if refused is not None:
            return refused
        if sample.gpu_percent is not None:
            row = KINDS.get(sample.stage)
            self._metrics.gpu_load.labels(row.stage if row is not None else "other").observe(sample.gpu_percent)
        if self._inbox.put_progress(sample):
            self._taken(sample.uid, False)
        return web.Response(status=204)

    async def post_result(self, request: web.Request) -> web.Response:
        """Take a whole result: 204, or why not."""
        token = _bearer(request)
        if token is None:
            return _no_token()
        body = await read_body(request, MAX_RESULT_BYTES)
        if body is None:
            return refusal(413, f"a result has at most {MAX_RESULT_BYTES} bytes")
        try:
            result = RunResult.model_validate_json(body)
        except ValidationError as error:
            return refusal(422, _first(error))
        refused = await self._vet(token, result.uid, result.group, result.attempt)
        if refused is not None:
            return refused
        self._inbox.put_result(result.model_copy(update={"sha256": hashlib.sha256(body).hexdigest()}))
        self._taken(result.uid, True)
        return web.Response(status=204)

    async def post_sweep(self, request: web.Request) -> web.Response:
        """Answer a sweep's question: 200 with a SweepAnswer, or why not."""
        token = _bearer(request)
        if token is None:
            return _no_token()
        body = await read_body(request, MAX_QUESTION_BYTES)
        if body is None:
            return refusal(413, f"a question has at most {MAX_QUESTION_BYTES} bytes")
        try:
            question = SweepQuestion.model_validate_json(body)
        except ValidationError as error:
            return refusal(422, _first(error))
        found = await self._identify(token, names.store_audience(question.uid))
        if isinstance(found, web.Response):
            return found
        if not self._sweeps.is_sweep(question.uid, found):
            return refusal(403, "this pod is no sweep of that MediaStore")
        answer = self._sweeps.answer(question)
        return web.Response(body=canonical_json(answer.dump()), content_type="application/json")

    async def _vet(self, token: str, uid: str, group: str, attempt: int) -> web.Response | None:
        """None when the sender may speak for that attempt, else the refusal (cases 72 to 75)."""
        if not uid or len(uid) > MAX_UID_CHARS:
            return refusal(422, f"uid: give the VideoJob's UID, 1 to {MAX_UID_CHARS} characters")
        found = await self._identify(token, names.audience(uid))
        if isinstance(found, web.Response):
            return found
        sender = self._sender(uid, found)
        if sender is None:
            return refusal(403, "this pod is no pod of that VideoJob")
        if (sender.group, sender.attempt) != (group, attempt):
            return refusal(409, f"this pod runs attempt {sender.attempt} of {sender.group}, not {attempt} of {group}")
        return None

    async def _identify(self, token: str, audience: str) -> str | web.Response:
        """UID of the pod behind a token, or the refusal."""
        try:
            identity = await self._reviews.identity(token, audience)
        except BusyError:
            return refusal(503, "too many unknown tokens; say it again", **{"Retry-After": "2"})
        except ApiError as error:
            log.warning("token review failed", extra={"error": str(error), "audience": audience})
            return refusal(503, "the token cannot be reviewed now; go on without", **{"Retry-After": "10"})
        if identity is None:
            return refusal(401, f"the token is not valid for the audience {audience}")
        if not identity.pod_uid:
            return refusal(403, "the token is not bound to a pod")
        if not self._budget(identity.pod_uid).try_take():
            return refusal(429, "too many posts from this pod: one a second is enough", **{"Retry-After": "2"})
        return identity.pod_uid

    def _budget(self, pod_uid: str) -> Budget:
        budget = self._budgets.get(pod_uid) or Budget(POSTS_PER_SECOND, POSTS_BURST, clock=self._clock)
        remember(self._budgets, pod_uid, budget, MAX_PODS)
        return budget


def _bearer(request: web.Request) -> str | None:
    """The token in the header; looked for before a byte of the body is read."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= MAX_TOKEN_BYTES else None


def _no_token() -> web.Response:
    return refusal(401, "send the pod's projected token as: Authorization: Bearer TOKEN")


def _first(error: ValidationError) -> str:
    entry = error.errors()[0]
    return f"{'.'.join(str(part) for part in entry['loc']) or 'body'}: {entry['msg']}"
