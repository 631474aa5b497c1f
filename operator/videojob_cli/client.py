"""The three verbs for Python programs: submit, status, wait (X-026).

    from videojob_cli.client import VideoJobs
    jobs = VideoJobs.connect(namespace="team-a")
    name = jobs.submit_file(Path("clip.mp4"), profiles=["720p"])
    job = jobs.wait(name, seconds=600)
    jobs.download(name, Path("out"))

Every method raises CliError with one sentence when it cannot do what it says.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from videojob_api.names import ANNOTATION_CANCEL, ANNOTATION_RETRY, TERMINAL_PHASES, Phase
from videojob_api.v1alpha1.sources import STOCK

from . import manifests, sources, transfer
from .errors import ApiError, CliError, Exit
from .kube import APPLY_PATCH, MERGE_PATCH, Api, Json, connect, objects

RENEW_SECONDS = 1.0
"""Pause before a watch that ended early, or a question without an answer, is begun again."""
PATIENCE_SECONDS = 60.0
"""A wait without a time limit bears an API server that does not answer for so long."""
_TRANSIENT = frozenset({0, 410, 429, 500, 502, 503, 504})
Changed = Callable[[Json], None]


def phase_of(job: Json) -> str:
    """`status.phase`, or an empty text while the operator has not seen the object."""
    return str((job.get("status") or {}).get("phase") or "")


def is_finished(job: Json) -> bool:
    """Whether it ended, either way."""
    return phase_of(job) in TERMINAL_PHASES


def _nonce() -> str:
    """A text that no verb had before: when it was asked, for people, and a few digits against the same second."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(3)}"


def _starts(job: Json) -> list[str]:
    """What a retry can start from: stages, and outputs by name."""
    status = job.get("status") or {}
    outputs = (status.get("plan") or {}).get("outputs") or []
    return [str(entry["name"]) for entry in (*(status.get("stages") or []), *outputs)]


class VideoJobs:
    """VideoJobs of one namespace."""

    def __init__(
        self,
        api: Api,
        namespace: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self.api = api
        self.namespace = namespace or api.namespace

    @classmethod
    def connect(
        cls, *, namespace: str | None = None, kubeconfig: Path | None = None, context: str | None = None
    ) -> VideoJobs:
        """By kubeconfig; the namespace of its context unless another is given."""
        return cls(connect(kubeconfig, context), namespace)

    # ------------------------------------------------------------ submit

    def upload(
        self,
        files: Sequence[sources.LocalFile],
        *,
        store: str = "default",
        limits: Sequence[str] = (),
        image: str | None = None,
        moved: transfer.Moved = transfer.nothing_moved,
        names: Sequence[str] | None = None,
    ) -> list[str]:
        """Bring files through one pod into the namespace's inbox, or under these names into its stock; their URIs. What is
        there already is not sent again.
        """
        allowed = [
            sources.check_size(file, limit)
            for file, limit in zip(files, limits or [sources.DEFAULT_LIMIT] * len(files), strict=True)
        ]
        if files:
            claim = transfer.claim_of(self.api, self.namespace, store)
            chosen = transfer.worker_image(self.api, self.namespace, image)
            total = sum(file.size for file in files)
            with transfer.transfer_pod(
                self.api, self.namespace, image=chosen, claim=claim, direction="in" if names is None else "stock",
                size_bytes=total,
            ) as pod:  # fmt: skip
                for place, (file, limit) in enumerate(zip(files, allowed, strict=True)):
                    name = names[place] if names is not None else None
                    pod.upload(file.path, file.sha256, limit, moved, name=name)
        return [file.uri for file in files] if names is None else [f"{STOCK}{name}" for name in names]

    def create(self, document: Json) -> Json:
        """Create a VideoJob as it stands; the object made."""
        metadata = {**document["metadata"], "namespace": self.namespace}
        query = {"fieldValidation": "Strict", "fieldManager": manifests.MANAGER}
        try:
            return self.api.request(
                "POST", objects(self.namespace, "videojobs"), {**document, "metadata": metadata}, query
            )
        except ApiError as error:
            if error.reason == "AlreadyExists":
                raise CliError(
                    f"VideoJob {self.namespace}/{metadata.get('name')} exists: look at it with `videojob status "
                    f"{metadata.get('name')} -n {self.namespace}`, or delete it or choose another name."
                ) from error
            raise

    def apply_profile(self, document: Json) -> None:
        """Create or update a VideoProfile that came with the jobs."""
        name = document["metadata"].get("name")
        if not name:
            raise CliError("A VideoProfile needs metadata.name.")
        query = {"fieldManager": manifests.MANAGER, "fieldValidation": "Strict"}
        body = {**document, "metadata": {**document["metadata"], "namespace": self.namespace}}
        self.api.request("PATCH", objects(self.namespace, "videoprofiles", name), body, query, APPLY_PATCH)

    def submit_file(
        self,
        path: Path,
        *,
        name: str | None = None,
        profiles: Sequence[str] = (),
        priority: str | None = None,
        max_size: str | None = None,
        image: str | None = None,
        moved: transfer.Moved = transfer.nothing_moved,
    ) -> str:
        """Upload a file and create a transcode of it; the VideoJob's name."""
        file = sources.local_file(path)
        limit = max_size or sources.DEFAULT_LIMIT
        self.upload([file], limits=[limit], image=image, moved=moved)
        spec = manifests.transcode_spec(file.uri, path.name, profiles=profiles, priority=priority, limit=max_size)
        made = self.create(manifests.videojob(spec, name=name, generate=manifests.slug(path.name)))
        return str(made["metadata"]["name"])

    # ------------------------------------------------------------ status

    def status(self, name: str) -> Json:
        """The VideoJob as the API server has it."""
        try:
            return self.api.request("GET", objects(self.namespace, "videojobs", name))
        except ApiError as error:
            if error.status == 404 and error.reason:
                raise CliError(
                    f"Namespace {self.namespace} has no VideoJob {name}: `videojob list -n {self.namespace}` shows them."
                ) from error
            raise

    def list(self, *, everywhere: bool = False, selector: str | None = None) -> Sequence[Json]:
        """VideoJobs of the namespace, or of all."""
        path = objects(self.namespace, "videojobs")
        if everywhere:
            path = path.replace(f"/namespaces/{self.namespace}", "", 1)
        items: list[Json] = self.api.request("GET", path, None, {"labelSelector": selector} if selector else None)[
            "items"
        ]
        return items

    # ------------------------------------------------------------ verbs

    def cancel(self, name: str) -> None:
        """Ask for the end of a VideoJob that has not ended."""
        job = self.status(name)
        if is_finished(job):
            raise CliError(f"VideoJob {name} has ended as {phase_of(job)}: there is nothing to cancel.")
        self._patch(name, {"metadata": {"annotations": {ANNOTATION_CANCEL: _nonce()}}})

    def retry(self, name: str, *, dead: bool = False, start: str | None = None) -> None:
        """Ask for another run of a VideoJob that Failed or was Cancelled; of one that Failed alone if `dead`. From `start`,
        a stage or an output, work is done anew even where it is there.
        """
        job = self.status(name)
        phase = phase_of(job)
        if phase != Phase.FAILED and (dead or phase != Phase.CANCELLED):
            what = "only a Failed one is a dead letter" if dead else "only what Failed or was Cancelled can be retried"
            raise CliError(
                f"VideoJob {name} is {phase or 'new'}: {what}; `videojob status {name} -n {self.namespace}` shows it."
            )
        known = _starts(job)
        if start is not None and start not in known:
            raise CliError(f"VideoJob {name} has no stage or output {start}: use one of {', '.join(known) or 'none'}.")
        nonce = _nonce() if start is None else f"{_nonce()};from={start}"
        self._patch(name, {"metadata": {"annotations": {ANNOTATION_RETRY: nonce}}})

    def suspend(self, name: str, *, on: bool) -> None:
        """Set or clear `spec.suspend` of a VideoJob that has not ended."""
        job = self.status(name)
        if is_finished(job):
            raise CliError(f"VideoJob {name} has ended as {phase_of(job)}: nothing of it starts any more.")
        self._patch(name, {"spec": {"suspend": on}})

    def _patch(self, name: str, patch: Json) -> None:
        query = {"fieldManager": manifests.MANAGER}
        self.api.request("PATCH", objects(self.namespace, "videojobs", name), patch, query, MERGE_PATCH)

    # ------------------------------------------------------------ wait

    def wait(self, name: str, *, seconds: float | None = None, changed: Changed | None = None) -> Json:
        """Follow a VideoJob to its end and return it; `changed` is told of each change.

        Raises CliError with code TIMEOUT when `seconds` pass first; the VideoJob goes on.
        """
        deadline = self._clock() + seconds if seconds is not None else float("inf")
        answered = self._clock()
        job: Json = {}

        def seen(news: Json) -> None:
            nonlocal answered, job
            answered, job = self._clock(), news
            if changed is not None:
                changed(news)

        while True:
            begun = self._clock()
            lost: ApiError | None = None
            try:
                self._look(name, deadline, seen)
            except ApiError as error:
                if error.status not in _TRANSIENT:
                    raise
                lost = error
            if is_finished(job):
                return job
            now = self._clock()
            if now >= deadline:
                raise CliError(
                    f"VideoJob {self.namespace}/{name} is not finished after {seconds:.0f} s (phase "
                    f"{phase_of(job) or 'unknown'}); it goes on: `videojob status {name} -n {self.namespace} --wait`."
                    + (f" {lost.message}" if lost is not None else ""),
                    Exit.TIMEOUT,
                )
            if lost is not None and seconds is None and now - answered >= PATIENCE_SECONDS:
                raise CliError(
                    f"{lost.message} VideoJob {self.namespace}/{name} was not heard of for {now - answered:.0f} s; it goes "
                    f"on: `videojob status {name} -n {self.namespace} --wait`."
                ) from lost
            if now - begun < RENEW_SECONDS:
                self._sleep(RENEW_SECONDS)

    def _look(self, name: str, deadline: float, seen: Changed) -> None:
        """One GET and the watch that begins there, until the VideoJob is finished or the watch ends."""
        job = self.status(name)
        seen(job)
        if is_finished(job):
            return
        query = {"fieldSelector": f"metadata.name={name}", "resourceVersion": job["metadata"]["resourceVersion"]}
        for event in self.api.watch(objects(self.namespace, "videojobs"), query, deadline - self._clock()):
            if event["type"] == "DELETED":
                raise CliError(f"VideoJob {self.namespace}/{name} was deleted while it was waited for.")
            job = dict(event["object"])
            seen(job)
            if is_finished(job):
                return

    # ------------------------------------------------------------ outputs

    def outputs(self, name: str) -> tuple[Json, Sequence[Json]]:
        """A finished VideoJob and its published outputs; CliError saying why there are none."""
        job = self.status(name)
        phase = phase_of(job)
        if phase in {Phase.FAILED, Phase.CANCELLED}:
            failure = (job["status"] or {}).get("failure") or {}
            why = failure.get("message", "no reason given") if phase == Phase.FAILED else "it was asked to end"
            raise CliError(f"VideoJob {name} ended as {phase} and published nothing: {why}", Exit.JOB_FAILED)
        found = (job.get("status") or {}).get("outputs") or []
        if not found and phase == Phase.SUCCEEDED:
            stage = job["status"].get("stage")
            raise CliError(f"VideoJob {name} published nothing: its spec.stopAfter ended it after {stage}.")
        if not found:
            raise CliError(
                f"VideoJob {name} has no outputs yet (phase {phase or 'unknown'}): wait with `videojob status {name} "
                f"-n {self.namespace} --wait`."
            )
        return job, found

    def download(
        self,
        name: str,
        folder: Path,
        *,
        image: str | None = None,
        moved: transfer.Moved = transfer.nothing_moved,
    ) -> Sequence[Path]:
        """Bring all outputs into a folder, each verified; the files, in the order of status. Good ones stay as they are."""
        job, found = self.outputs(name)
        targets = [(output, folder / _filename(output)) for output in found]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CliError(f"Folder {folder} cannot be made: {error.strerror}. Choose another one.") from error
        missing = [(output, target) for output, target in targets if not _is_there(output, target)]
        if missing:
            spec = job["spec"]
            claim = transfer.claim_of(self.api, self.namespace, spec.get("store", "default"))
            chosen = transfer.worker_image(self.api, self.namespace, image)
            uid = job["metadata"]["uid"]
            total = sum(output["sizeBytes"] for output, _ in missing)
            with transfer.transfer_pod(
                self.api, self.namespace, image=chosen, claim=claim, direction="out", uid=uid, size_bytes=total
            ) as pod:
                for output, target in missing:
                    pod.download(output["path"], target, output["sha256"], moved)
        return [target for _, target in targets]


def _filename(output: Json) -> str:
    """The file's own name: never a path that the status could smuggle in."""
    name = PurePosixPath(str(output["path"])).name
    if not name or name in {".", ".."} or os.sep in name or "\x00" in name:
        raise CliError(f"Output {output.get('name')} has no usable file name ({output['path']!r}).")
    return name


def _is_there(output: Json, target: Path) -> bool:
    if not target.is_file() or target.stat().st_size != output["sizeBytes"]:
        return False
    return transfer.file_digest(target) == str(output["sha256"])
