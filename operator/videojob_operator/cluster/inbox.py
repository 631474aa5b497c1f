"""What workers report: progress and large results, by POST with the pod's projected token (A-010, A-012).

All of it is advisory: no decision depends on a post having come, and a flood, a forgery or a stale sender changes nothing.
A token is bound to one VideoJob by its audience and to one pod by the API server, which is asked at most once a minute.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

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
)

from ..runtime.budget import Budget
from ..runtime.http import read_body, recover, refusal
from .api import Api, ApiError, Identity
from .metrics import Metrics

log = logging.getLogger(__name__)

REVIEW_SECONDS = 60.0
"""A token's review is believed for this long."""
MAX_TOKENS = 5000
"""Reviews remembered at once."""
MAX_RESULTS = 8
"""Whole results kept per VideoJob."""
POSTS_PER_SECOND, POSTS_BURST = 1.0, 5.0
"""Posts a pod may send."""
MAX_TOKEN_BYTES = 4096


@dataclass(frozen=True)
class Sender:
    """The pod behind a post, as the cache knows it: which attempt it runs."""

    group: str
    attempt: int


@dataclass
class _Box:
    progress: Progress | None = None
    results: dict[str, RunResult] = field(default_factory=dict)


class Inbox:
    """The latest news of each VideoJob, in memory."""

    def __init__(self) -> None:
        self._boxes: dict[str, _Box] = {}

    def progress(self, uid: str) -> Progress | None:
        """Latest sample of the running stage."""
        box = self._boxes.get(uid)
        return box.progress if box else None

    def results(self, uid: str) -> tuple[RunResult, ...]:
        """Whole results, each with the digest of the bytes that came."""
        box = self._boxes.get(uid)
        return tuple(box.results.values()) if box else ()

    def put_progress(self, sample: Progress) -> bool:
        """Keep the sample unless it goes back within its stage and attempt (I10). True when it is news."""
        box = self._boxes.setdefault(sample.uid, _Box())
        known = box.progress
        same = known is not None and (known.group, known.attempt, known.stage) == (
            sample.group,
            sample.attempt,
            sample.stage,
        )
        if known is not None and same and sample.percent < known.percent:
            return False
        news = known != sample
        box.progress = sample
        return news

    def put_result(self, result: RunResult) -> None:
        """Keep a whole result; the oldest goes when there are too many."""
        box = self._boxes.setdefault(result.uid, _Box())
        box.results[str(result.sha256)] = result
        while len(box.results) > MAX_RESULTS:
            del box.results[next(iter(box.results))]

    def forget(self, uid: str) -> None:
        """The VideoJob is gone or finished."""
        self._boxes.pop(uid, None)


class Endpoint:
    """The HTTP side of the inbox.

    Args:
        api: reviews tokens.
        inbox: where news is kept.
        sender: what the cache knows of a pod: `sender(videojob_uid, pod_uid)`; None when it is no live pod of that job.
        taken: told of each VideoJob that has news.
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
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._inbox = inbox
        self._sender = sender
        self._taken = taken
        self._metrics = metrics
        self._clock = clock
        self._reviews: dict[str, tuple[float, Identity | None]] = {}
        self._budgets: dict[str, Budget] = {}

    def app(self) -> web.Application:
        """The application that serves both routes."""
        app = web.Application(client_max_size=MAX_RESULT_BYTES, middlewares=[recover, self._count])
        app.router.add_post(PROGRESS_ROUTE, self.post_progress)
        app.router.add_post(RESULT_ROUTE, self.post_result)
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
        body = await read_body(request, MAX_PROGRESS_BYTES)
        if body is None:
            return refusal(413, f"a progress post has at most {MAX_PROGRESS_BYTES} bytes")
        try:
            sample = Progress.model_validate_json(body)
        except ValidationError as error:
            return refusal(422, _first(error))
        refused = await self._vet(request, sample.uid, sample.group, sample.attempt)
        if refused is not None:
            return refused
        if self._inbox.put_progress(sample):
            self._taken(sample.uid, False)
        return web.Response(status=204)

    async def post_result(self, request: web.Request) -> web.Response:
        """Take a whole result: 204, or why not."""
        body = await read_body(request, MAX_RESULT_BYTES)
        if body is None:
            return refusal(413, f"a result has at most {MAX_RESULT_BYTES} bytes")
        try:
            result = RunResult.model_validate_json(body)
        except ValidationError as error:
            return refusal(422, _first(error))
        refused = await self._vet(request, result.uid, result.group, result.attempt)
        if refused is not None:
            return refused
        self._inbox.put_result(result.model_copy(update={"sha256": hashlib.sha256(body).hexdigest()}))
        self._taken(result.uid, True)
        return web.Response(status=204)

    async def _vet(self, request: web.Request, uid: str, group: str, attempt: int) -> web.Response | None:
        """None when the sender may speak for that attempt, else the refusal (cases 72 to 75)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_BYTES or not uid or len(uid) > 64:
            return refusal(401, "send the pod's projected token as: Authorization: Bearer TOKEN")
        try:
            identity = await self._review(token.strip(), names.audience(uid))
        except ApiError as error:
            log.warning("token review failed", extra={"error": str(error), "uid": uid})
            return refusal(503, "the token cannot be reviewed now; go on without", **{"Retry-After": "10"})
        if identity is None:
            return refusal(401, f"the token is not valid for the audience {names.audience(uid)}")
        if not identity.pod_uid:
            return refusal(403, "the token is not bound to a pod")
        if not self._budget(identity.pod_uid).try_take():
            return refusal(429, "too many posts from this pod: one a second is enough", **{"Retry-After": "2"})
        sender = self._sender(uid, identity.pod_uid)
        if sender is None:
            return refusal(403, "this pod is no pod of that VideoJob")
        if (sender.group, sender.attempt) != (group, attempt):
            return refusal(409, f"this pod runs attempt {sender.attempt} of {sender.group}, not {attempt} of {group}")
        return None

    async def _review(self, token: str, audience: str) -> Identity | None:
        digest = hashlib.sha256(f"{audience}\n{token}".encode()).hexdigest()
        now = self._clock()
        known = self._reviews.get(digest)
        if known is not None and now - known[0] < REVIEW_SECONDS:
            return known[1]
        identity = await self._api.token_review(token, audience)
        if len(self._reviews) >= MAX_TOKENS:
            self._reviews = {key: entry for key, entry in self._reviews.items() if now - entry[0] < REVIEW_SECONDS}
            if len(self._reviews) >= MAX_TOKENS:
                self._reviews.clear()
        self._reviews[digest] = (now, identity)
        return identity

    def _budget(self, pod_uid: str) -> Budget:
        budget = self._budgets.pop(pod_uid, None) or Budget(POSTS_PER_SECOND, POSTS_BURST, clock=self._clock)
        self._budgets[pod_uid] = budget  # moved to the end: the front is the pod that was silent longest
        if len(self._budgets) > MAX_TOKENS:
            del self._budgets[next(iter(self._budgets))]
        return budget


def _first(error: ValidationError) -> str:
    entry = error.errors()[0]
    return f"{'.'.join(str(part) for part in entry['loc']) or 'body'}: {entry['msg']}"
