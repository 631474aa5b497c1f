"""A plan becomes API calls, in an order in which a crash after any of them heals: status.plan first where it must be on
record, then children, then one status patch, then events. Labels that come are there before the status that calls for
them, labels that go leave after it: who waits for the status, and then selects by label, misses nothing.

Every write carries a precondition: a deterministic name, a resourceVersion or a UID.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from videojob_api import names
from videojob_api.v1alpha1 import VideoJobStatus

from ..decide.world import Action, ConfirmPods, CreateJob, DeleteJob, DeleteVideoJob, Plan, VideoJobView, WidenJob
from ..runtime.budget import Budget
from ..runtime.cache import owner_of, uid_of
from .api import JOBS, PODS, VIDEOJOBS, Api, ApiError, Raw, metadata
from .counting import count
from .events import Recorder
from .knowledge import Knowledge
from .metrics import Metrics
from .observe import also_of

log = logging.getLogger(__name__)

Outcome = Literal["done", "again"]
"""`again`: the world was not as the plan assumed; look at it anew."""
LABEL_CONTROLLER = "batch.kubernetes.io/controller-uid"
"""The Job controller's label on the pods of a Job."""
Render = Callable[[CreateJob, VideoJobView], Raw]
_KNOWN = frozenset(field.alias or name for name, field in VideoJobStatus.model_fields.items())


@dataclass
class Seen:
    """The VideoJob as stored when the plan was made, or as our own latest write left it."""

    raw: Raw

    @property
    def version(self) -> str:
        """Its resourceVersion: the precondition of the next write."""
        return str(metadata(self.raw).get("resourceVersion", ""))


class Applier:
    """Performs plans.

    Args:
        api: where the calls go.
        knowledge: takes in every answer, so that the next plan sees our own writes.
        render: makes the Job's manifest.
        recorder: tells events.
        budget: bounds status patches over all VideoJobs.
        metrics: counts what was written.
        created: told of the VideoJob's UID when a Job was created.
    """

    def __init__(
        self,
        api: Api,
        knowledge: Knowledge,
        *,
        render: Render,
        recorder: Recorder,
        budget: Budget,
        metrics: Metrics,
        created: Callable[[str], None],
    ) -> None:
        self._api = api
        self._knowledge = knowledge
        self._render = render
        self._recorder = recorder
        self._budget = budget
        self._metrics = metrics
        self._created = created

    async def apply(self, job: VideoJobView, raw: Raw, plan: Plan) -> Outcome:
        """Perform the plan. Raises ApiError for what only time can mend.

        Args:
            job: the VideoJob the plan was made for.
            raw: the object behind it; its resourceVersion is the precondition of the status patch.
            plan: what to do.
        """
        seen = Seen(raw)
        if await self._label(job, seen, [label for label in plan.labels if label[1] is not None]) == "again":
            return "again"
        if plan.status_first and plan.status is not None:
            if await self.write_status(job, seen, plan.status) == "again":
                return "again"
            self._tell(job, plan)
        for action in plan.actions:
            if await self._act(job, seen, action) == "again":
                return "again"
            if isinstance(action, DeleteVideoJob):
                return "done"  # there is nothing left to write to
        status_last = plan.status is not None and not plan.status_first
        if status_last and plan.status and await self.write_status(job, seen, plan.status) == "again":
            return "again"
        if status_last or plan.status is None:
            self._tell(job, plan)
        return await self._label(job, seen, [label for label in plan.labels if label[1] is None])

    def _tell(self, job: VideoJobView, plan: Plan) -> None:
        """Tell the plan's events: as soon as the status has what they are about, for no later plan has them again."""
        for event in plan.events:
            self._recorder.tell(job, event)
            log.log(
                logging.WARNING if event.type == "Warning" else logging.INFO,
                event.message,
                extra={"namespace": job.namespace, "job": job.name, "uid": job.uid, "reason": event.reason}
                | _where(plan.status or job.status),
            )

    async def _act(self, job: VideoJobView, seen: Seen, action: Action) -> Outcome:
        if isinstance(action, CreateJob):
            return await self._create(job, action)
        if isinstance(action, DeleteJob):
            try:
                await self._api.delete(JOBS, job.namespace, action.name, uid=action.uid)
            except ApiError as error:
                if not (error.not_found or error.conflict):  # conflict: a namesake with another UID, not ours
                    raise
            return "done"
        if isinstance(action, DeleteVideoJob):
            return await self._delete(job, seen)
        if isinstance(action, WidenJob):
            return await self._widen(job, action)
        if isinstance(action, ConfirmPods):
            return await self._confirm_pods(job, action)
        try:
            found = await self._api.get(JOBS, job.namespace, action.name)
        except ApiError as error:
            if error.not_found:
                return "done"
            raise
        if owner_of(found) != job.uid:
            return "done"
        self._knowledge.learnt(JOBS, found)
        return "again"

    async def _confirm_pods(self, job: VideoJobView, action: ConfirmPods) -> Outcome:
        news = False
        labels = f"{LABEL_CONTROLLER}={action.uid}"
        async for page in self._api.pages(PODS, job.namespace, labels=labels):
            for pod in page:
                if owner_of(pod) == action.uid:
                    news |= self._knowledge.learnt(PODS, pod) or uid_of(pod) not in action.pods
        if news:
            log.info(
                "pods of a Job that has ended were not seen yet",
                extra={"namespace": job.namespace, "job": job.name, "uid": job.uid, "kubernetes_job": action.name},
            )
        return "again" if news else "done"

    async def _delete(self, job: VideoJobView, seen: Seen) -> Outcome:
        """Delete the VideoJob by its own wish, unless anything about it, a hold say, has changed since."""
        log.info(
            "deleting a VideoJob: its ttlSecondsAfterFinished has passed",
            extra={"namespace": job.namespace, "job": job.name, "uid": job.uid},
        )
        try:
            await self._api.delete(VIDEOJOBS, job.namespace, job.name, uid=job.uid, version=seen.version)
        except ApiError as error:
            return await self._refused(job, error)
        return "done"

    async def _create(self, job: VideoJobView, action: CreateJob) -> Outcome:
        """Create the Job. Its name makes it happen once (I1): a taken name counts only if the Job is controlled by us."""
        manifest = self._render(action, job)
        try:
            created = await self._api.create(JOBS, job.namespace, manifest)
        except ApiError as error:
            if not error.already_exists:
                raise
            existing = await self._existing(job, action.name)
            if existing is None:
                return "again"
            if owner_of(existing) != job.uid:
                log.warning(
                    "a Job of the wanted name belongs to somebody else; it is left alone",
                    extra={"namespace": job.namespace, "job": job.name, "uid": job.uid, "kubernetes_job": action.name},
                )
                self._knowledge.note_foreign(job.uid, action.name)
                return "again"
            if _otherwise(existing, manifest):
                self._knowledge.learnt(JOBS, existing)
                return "again"  # what was decided for this attempt stands on its Job
            created = existing
        else:
            self._created(job.uid)
            log.info(
                "Job created",
                extra={
                    "namespace": job.namespace,
                    "job": job.name,
                    "uid": job.uid,
                    "stage": ",".join(stage.kind for stage in action.document.stages),
                    "group": action.document.group,
                    "attempt": action.document.attempt,
                    "kubernetes_job": action.name,
                },
            )
        self._knowledge.learnt(JOBS, created)
        return "done"

    async def _widen(self, job: VideoJobView, action: WidenJob) -> Outcome:
        """Raise the Job's parallelism, unless anything about it has changed since: then what it may have is decided anew."""
        patch: Raw = {"spec": {"parallelism": action.parallelism}}
        try:
            answer = await self._api.patch(JOBS, job.namespace, action.name, patch, version=action.version)
        except ApiError as error:
            if error.not_found:
                return "again"
            if not error.conflict:
                raise
            found = await self._existing(job, action.name)
            if found is not None and owner_of(found) == job.uid:
                self._knowledge.learnt(JOBS, found)
            return "again"
        log.info(
            "a fan-out has more slots",
            extra={
                "namespace": job.namespace,
                "job": job.name,
                "uid": job.uid,
                "kubernetes_job": action.name,
                "parallelism": action.parallelism,
            },
        )
        self._knowledge.learnt(JOBS, answer)
        return "done"

    async def _existing(self, job: VideoJobView, name: str) -> Raw | None:
        try:
            return await self._api.get(JOBS, job.namespace, name)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def write_status(self, job: VideoJobView, seen: Seen, status: VideoJobStatus) -> Outcome:
        """Patch the status if it differs and the object is still the one the plan was made for (case 19)."""
        patch = status_patch(seen.raw.get("status"), status.dump())
        if not patch:
            return "done"
        self._metrics.budget_wait.observe(await self._budget.take())
        try:
            answer = await self._api.patch_status(VIDEOJOBS, job.namespace, job.name, patch, version=seen.version)
        except ApiError as error:
            return await self._refused(job, error)
        self._learn(job, seen, answer)
        count(self._metrics, job.namespace, job.status, status)
        return "done"

    async def _label(self, job: VideoJobView, seen: Seen, labels: Sequence[tuple[str, str | None]]) -> Outcome:
        if not labels:
            return "done"
        patch: Raw = {"metadata": {"labels": dict(labels)}}
        try:
            answer = await self._api.patch(VIDEOJOBS, job.namespace, job.name, patch, version=seen.version)
        except ApiError as error:
            return await self._refused(job, error)
        self._learn(job, seen, answer)
        return "done"

    def _learn(self, job: VideoJobView, seen: Seen, answer: Raw) -> None:
        if uid_of(answer) == job.uid:
            self._knowledge.learnt(VIDEOJOBS, answer)
            seen.raw = answer

    async def _refused(self, job: VideoJobView, error: ApiError) -> Outcome:
        """A VideoJob that is gone needs nothing more, its Jobs go with it by ownership; one that changed is read anew."""
        if error.not_found:
            return "done"
        if not error.conflict:
            raise error
        await self._reread(job)
        return "again"

    async def _reread(self, job: VideoJobView) -> None:
        try:
            found = await self._api.get(VIDEOJOBS, job.namespace, job.name)
        except ApiError as error:
            if not error.not_found:
                raise
            return
        if uid_of(found) == job.uid:
            self._knowledge.learnt(VIDEOJOBS, found)


def status_patch(old: Any, new: Mapping[str, Any]) -> Raw:
    """The JSON merge patch that makes `new` of `old`; empty when nothing differs. Top-level fields that this version does
    not know stay as they are: a later version may have written them.
    """
    before = old if isinstance(old, Mapping) else {}
    patch = _merge(before, new)
    return {key: value for key, value in patch.items() if key in new or key in _KNOWN}


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> Raw:
    patch: Raw = {key: None for key in old if key not in new and old[key] is not None}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if nested := _merge(before, value):
                patch[key] = nested
        elif key not in old or before != value:
            patch[key] = value
    return patch


def _otherwise(existing: Raw, wanted: Raw) -> bool:
    """Whether a Job of ours, of that very attempt, was made to hold other slots than are wanted now."""
    there, here = (metadata(raw).get("labels") or {} for raw in (existing, wanted))
    return bool(there.get(names.LABEL_GROUP)) and also_of(there) != also_of(here)


def _where(status: VideoJobStatus) -> dict[str, Any]:
    return {"stage": status.stage, "attempt": status.attempts}
