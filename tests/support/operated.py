"""The operator as a process against a real API server, and a test that plays user, scheduler and kubelet."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from builders import a_result
from videojob_api.contract import RunResult
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_api.v1alpha1 import PlannedOutput
from videojob_operator.cluster.api import (
    JOBS,
    MEDIASTORES,
    PODS,
    VIDEOJOBS,
    VIDEOPROFILES,
    VIDEOQUEUES,
    ApiError,
    Raw,
    Resource,
)
from videojob_operator.cluster.client import Client, connect

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "videojob-system"
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
SOURCE = "store://inbox/" + "a1" * 32


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class OperatorProcess:
    """One life of the operator."""

    kubeconfig: Path
    log: Path
    settings: dict[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = (sys.executable, "-m", "videojob_operator")
    http_port: int = field(default_factory=free_port)
    worker_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> OperatorProcess:
        """Start it; it logs to `log`."""
        env = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "VIDEOJOB_HOST": "127.0.0.1",
            "VIDEOJOB_HTTP_PORT": str(self.http_port),
            "VIDEOJOB_WORKER_PORT": str(self.worker_port),
            **{f"VIDEOJOB_{name.upper()}": value for name, value in self.settings.items()},
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(list(self.argv), env=env, stdout=out, stderr=out, cwd=ROOT)
        return self

    async def ready(self, seconds: float = 30) -> OperatorProcess:
        """Wait until `/readyz` says so."""
        await self._probe("readyz", seconds)
        return self

    async def waits_for(self, reason: str, seconds: float = 30) -> None:
        """Wait until `/readyz` gives that reason for not being ready."""
        await self._probe("readyz", seconds, lambda status, text: status == 503 and reason in text)

    async def exports(self, text: str, seconds: float = 10) -> None:
        """Wait until `/metrics` holds that text: a count follows the answer to the write, which a watch may overtake."""
        await self._probe("metrics", seconds, lambda _, body: text in body)

    async def logs(self, words: str, *, namespace: str, seconds: float = 40) -> None:
        """Wait until its log has a record about that namespace that begins so."""

        def found() -> bool:
            return any(r["message"].startswith(words) and r.get("namespace") == namespace for r in self.records())

        await self._probe("metrics", seconds, lambda *_: found())

    async def _probe(
        self, route: str, seconds: float, wanted: Callable[[int, str], bool] = lambda status, _: status == 200
    ) -> None:
        last = "no answer"
        try:
            async with asyncio.timeout(seconds), aiohttp.ClientSession() as session:
                while True:
                    assert self.process is not None
                    assert self.process.poll() is None, f"the operator ended: {self.said()}"
                    try:
                        async with session.get(f"http://127.0.0.1:{self.http_port}/{route}") as answer:
                            last = await answer.text()
                            if wanted(answer.status, last):
                                return
                    except aiohttp.ClientError as error:
                        last = str(error)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"/{route} within {seconds} s: {last}\n{self.said()}") from None

    async def fetch(self, route: str) -> tuple[int, str]:
        """One GET of the health port."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.http_port}/{route}") as got:
            return got.status, await got.text()

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory is short."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 10) -> int:
        """SIGTERM; returns the exit status. Fails when it takes longer."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the operator did not end within {seconds} s of SIGTERM: {self.said()}") from None

    def end(self) -> None:
        """Whatever state it is in: gone."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-6000:]

    def records(self) -> list[dict[str, Any]]:
        """Its log, parsed; a line that is no JSON fails the test."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Cluster:
    """A user and a kubelet's hands on a real API server."""

    def __init__(self, api: Client, host: str, session: aiohttp.ClientSession) -> None:
        self.api = api
        self._host = host
        self._session = session

    async def until(
        self,
        resource: Resource,
        namespace: str,
        wanted: Callable[[Raw], bool],
        *,
        name: str | None = None,
        seconds: float = 20,
        because: Callable[[], str] = lambda: "",
    ) -> Raw:
        """Watch until an object (of that name) is as wanted; returns it."""
        query = {"watch": "true", "timeoutSeconds": str(int(seconds) + 5)}
        if name is not None:
            query["fieldSelector"] = f"metadata.name={name}"
        last: Raw = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        async for event in self._watch(resource.path(namespace), query):
                            if event.get("type") == "ERROR" or "object" not in event:
                                break  # the server is starting, or has forgotten: watch anew
                            last = event["object"]
                            if event["type"] in {"ADDED", "MODIFIED"} and wanted(last):
                                return last
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.1)  # no server: nothing to watch until it listens again
        except TimeoutError:
            pass
        raise AssertionError(
            f"{resource.plural} {namespace}/{name or '*'}: not as wanted within {seconds} s; last seen:\n"
            f"{yaml.safe_dump(last)[-3000:]}\n{because()}"
        )

    async def _watch(self, path: str, query: dict[str, str]) -> AsyncIterator[Raw]:
        """Events of one watch; it ends when the server cuts it."""
        async with self._session.get(self._host + path, params=query) as stream:
            buffer = b""
            async for chunk in stream.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    async def watch(self, resource: Resource, namespace: str) -> AsyncIterator[tuple[str, Raw]]:
        """Every change of a namespace's objects, first those that are there; for as long as the server keeps the watch."""
        async for event in self._watch(resource.path(namespace), {"watch": "true", "timeoutSeconds": "600"}):
            if event["type"] in {"ADDED", "MODIFIED", "DELETED"}:
                yield event["type"], event["object"]

    async def gone(self, resource: Resource, namespace: str, name: str, seconds: float = 30) -> None:
        """Wait until the API server reports that object deleted."""
        query = {"watch": "true", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": str(int(seconds) + 5)}
        present = [raw for raw in await self.all(resource, namespace) if raw["metadata"]["name"] == name]
        if not present:
            return
        query["resourceVersion"] = present[0]["metadata"]["resourceVersion"]
        async with asyncio.timeout(seconds):
            async for event in self._watch(resource.path(namespace), query):
                if event["type"] == "DELETED":
                    return
        raise AssertionError(f"{resource.plural} {namespace}/{name} was not deleted within {seconds} s")

    async def all(self, resource: Resource, namespace: str) -> list[Raw]:
        """Every object of a kind."""
        return [raw async for page in self.api.pages(resource, namespace) for raw in page]

    async def token(self, namespace: str, account: str) -> str:
        """A token of a ServiceAccount."""
        url = self._host + ACCOUNTS.path(namespace, account, "token")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
        async with self._session.post(url, json=body) as answer:
            found = await answer.json()
        return str(found["status"]["token"])

    async def namespace(self, name: str, *, store: bool = True) -> str:
        """A namespace, ready for VideoJobs unless `store` is False."""
        await self.ensure(NAMESPACES, None, {"metadata": {"name": name}})
        await self.ensure(ACCOUNTS, name, {"metadata": {"name": "videojob-worker"}})
        if store:
            await self.store(name)
        return name

    async def store(self, namespace: str) -> None:
        """The namespace's store."""
        await self.ensure(
            MEDIASTORES, namespace, {"metadata": {"name": "default"}, "spec": {"pvc": {"claimName": "videojob-store"}}}
        )

    async def defaults(self, *names: str) -> None:
        """Built-in profiles, and a default queue with room for whatever tests leave running."""
        await self.namespace(SYSTEM, store=False)
        await self.ensure(
            VIDEOQUEUES,
            SYSTEM,
            {"metadata": {"name": "default"}, "spec": {"slots": [{"name": "cpu", "capacity": 1000}]}},
        )
        for name in names or BUILTIN_PROFILES:
            await self.ensure(
                VIDEOPROFILES, SYSTEM, {"metadata": {"name": name}, "spec": BUILTIN_PROFILES[name].dump()}
            )

    async def ensure(self, resource: Resource, namespace: str | None, body: Raw) -> Raw:
        """Create it unless it is there."""
        try:
            return await self.api.create(
                resource, namespace, {"apiVersion": resource.api_version, "kind": resource.kind, **body}
            )
        except ApiError as error:
            if not error.already_exists:
                raise
            return await self.api.get(resource, namespace, body["metadata"]["name"])

    async def submit(self, namespace: str, name: str, **spec: Any) -> Raw:
        """A VideoJob that transcodes an upload; one after the other does, so that the cache is off."""
        work = {"source": {"uri": SOURCE, "filename": "clip.mp4"}, "profiles": ["720p", "thumbnail"]}
        body = {"transcode": work, "cache": {"mode": "Off"}}
        return await self.ensure(VIDEOJOBS, namespace, {"metadata": {"name": name}, "spec": body | spec})

    async def pod(self, namespace: str, job: str, **until: Any) -> Raw:
        """The pod that the Job controller made for a Job."""
        return await self.until(
            PODS, namespace, lambda raw: raw["metadata"].get("labels", {}).get("job-name") == job, **until
        )

    async def pod_of(self, namespace: str, videojob: str, attempt: int = 1, group: str = "main") -> Raw:
        """The pod of an attempt of a VideoJob."""
        job = await self.until(
            JOBS,
            namespace,
            lambda raw: (
                raw["metadata"]["labels"].get("videojob.dev/name") == videojob
                and raw["metadata"]["labels"].get("videojob.dev/attempt") == str(attempt)
                and raw["metadata"]["labels"].get("videojob.dev/group") == group
            ),
        )
        return await self.pod(namespace, job["metadata"]["name"])

    async def play(self, pod: Raw, phase: str, *containers: Raw) -> None:
        """Set a pod's status as the kubelet would: the containers in order, init ones first."""
        first = [entry["name"] for entry in pod["spec"].get("initContainers", ())]
        status = {
            "phase": phase,
            "initContainerStatuses": [entry for entry in containers if entry["name"] in first],
            "containerStatuses": [entry for entry in containers if entry["name"] not in first],
        }
        meta = pod["metadata"]
        await self.api.patch_status(PODS, meta["namespace"], meta["name"], status, version=None)

    async def succeed(self, videojob: Raw, pod: Raw, *, group: str = "main", attempt: int = 1) -> None:
        """The pod does its work: each container ends with its result in the termination message."""
        for name, results in self._results(videojob, pod, group, attempt):
            await self.play(pod, "Running", *results[:-1], a_running(name))
            await self.play(pod, "Running", *results)
        await self.play(pod, "Succeeded", *results)

    def _results(self, videojob: Raw, pod: Raw, group: str, attempt: int) -> Iterable[tuple[str, list[Raw]]]:
        document = json.loads(pod["metadata"]["annotations"]["videojob.dev/task"])
        outputs = tuple(
            PlannedOutput.model_validate(entry)
            for stage in document["stages"]
            if stage["kind"] == "commit"
            for entry in stage["params"]["outputs"]
        )
        done: list[Raw] = []
        for name in dict.fromkeys(stage["container"] for stage in document["stages"]):
            kinds = [stage["kind"] for stage in document["stages"] if stage["container"] == name]
            result = a_result(
                name, kinds, group=group, attempt=attempt, uid=videojob["metadata"]["uid"], outputs=outputs
            )
            done = [*done, an_ended(name, 0, result)]
            yield name, done


def seconds_ago(seconds: float) -> str:
    """A moment as the API server writes it: by the real clock, for the operator's own is real here."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds").replace("+00:00", "Z")


def a_running(name: str) -> Raw:
    """Status of a container at work."""
    return _container(name, {"running": {"startedAt": seconds_ago(0)}})


def an_ended(name: str, code: int, result: RunResult | str | None = None, reason: str | None = None) -> Raw:
    """Status of a container that has terminated."""
    text = result.model_dump_json(by_alias=True, exclude_none=True) if isinstance(result, RunResult) else result
    return _container(
        name,
        {
            "terminated": {
                "exitCode": code,
                "reason": reason or ("Completed" if code == 0 else "Error"),
                "message": text,
                "startedAt": seconds_ago(5),
                "finishedAt": seconds_ago(0),
            }
        },
    )


def _container(name: str, state: Raw) -> Raw:
    return {
        "name": name,
        "image": "worker",
        "imageID": "worker",
        "ready": False,
        "restartCount": 0,
        "started": "running" in state,
        "state": state,
    }


def finished(raw: Raw) -> bool:
    """Whether a VideoJob has ended."""
    return (raw.get("status") or {}).get("phase") in {"Succeeded", "Failed", "Cancelled"}


def phase_is(*phases: str) -> Callable[[Raw], bool]:
    """Whether a VideoJob is in one of the phases."""
    return lambda raw: (raw.get("status") or {}).get("phase") in phases


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Cluster]:
    """Connect as the administrator, under another name than the operator's."""
    api = await connect(kubeconfig=kubeconfig, user_agent="a-test")
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=api.tls))
    try:
        yield Cluster(api, api.host, session)
    finally:
        await session.close()
        await api.close()


async def install_crds(cluster: Cluster) -> None:
    """Apply `crds/` and wait until they are served."""
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            await cluster.ensure(CRDS, None, document)
            await cluster.until(
                CRDS,
                "",
                lambda raw: any(
                    entry["type"] == "Established" and entry["status"] == "True"
                    for entry in raw.get("status", {}).get("conditions") or ()
                ),
                name=document["metadata"]["name"],
            )
