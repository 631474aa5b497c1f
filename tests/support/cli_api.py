"""A cluster small enough to hold in one's hand, for tests of the command line: objects in a dictionary, exec that starts
the worker's real transfer commands on local folders.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videojob_cli.errors import ApiError

Json = dict[str, Any]

JOBS = "/apis/videojob.dev/v1alpha1/namespaces/team/videojobs"
ACCOUNT = "/api/v1/namespaces/team/serviceaccounts/videojob-worker"
STORE = "/apis/videojob.dev/v1alpha1/namespaces/team/mediastores/default"
"""Where things lie in the namespace `team`."""

PROGRAM = (
    "import argparse,sys; from videojob_worker import transfer; p=argparse.ArgumentParser();"
    "transfer.add_subcommands(p.add_subparsers(required=True)); a=p.parse_args(); sys.exit(a.func(a))"
)


class ProcessChannel:
    """A command as a local process with real pipes, like one in a container."""

    def __init__(self, argv: Sequence[str], sent: Callable[[int], None] = lambda _: None) -> None:
        self._sent = sent
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self.errors = ""
        self._said: list[bytes] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while block := os.read(self._process.stdout.fileno(), 65536):
            with self._changed:
                self._said.append(block)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def write(self, block: bytes) -> None:
        assert self._process.stdin is not None
        self._sent(len(block))
        view = memoryview(block)
        while view:
            view = view[os.write(self._process.stdin.fileno(), view) :]

    def read(self, *, wait: bool) -> bytes:
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._said or self._ended, timeout=30)
            return self._said.pop(0) if self._said else b""

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(30)
        self.errors = self._process.stderr.read().decode()
        self._process.stdout.close()
        self._process.stderr.close()


def merged(old: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@dataclass
class HandApi:
    """Objects by path; what was asked, in order."""

    store: Path
    """A folder that stands for the volume."""
    namespace: str = "default"
    objects: dict[str, Json] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    commands: list[tuple[str, ...]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    """Bytes of each block that went into a command."""
    refuse: dict[tuple[str, str], ApiError] = field(default_factory=dict)
    """(method, last part of the path) -> what is answered instead."""
    pod_status: Json = field(default_factory=lambda: {"phase": "Running"})
    events: list[list[Json]] = field(default_factory=list)
    """What each watch in turn shows."""
    touch: Callable[[Sequence[str]], Sequence[str]] = lambda command: command
    """May change a transfer command before it starts."""
    _mounts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each pod, its parts of the volume by the place they are mounted at."""

    def put(self, path: str, **body: Any) -> Json:
        """An object that is there already."""
        parts = path.split("/")
        made: Json = {"metadata": {"name": parts[-1], "namespace": parts[-3], "resourceVersion": "1"}, **body}
        self.objects[path] = made
        return made

    def request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        self.requests.append((method, path))
        planned = self.refuse.get((method, path.rsplit("/", 1)[-1]))
        if planned is not None:
            raise planned
        if method == "POST":
            return self._create(path, copy.deepcopy(body or {}))
        if method == "GET" and path not in self.objects and path.rsplit("/", 1)[-1].endswith("s"):
            # Lists, also of all namespaces, by the plural at the end.
            plural = path.rsplit("/", 1)[-1]
            wanted = (query or {}).get("fieldSelector", "").removeprefix("metadata.name=")
            selector = (query or {}).get("labelSelector") or ""
            labels = dict(part.split("=", 1) for part in selector.split(",") if part)
            found = [
                each
                for where, each in self.objects.items()
                if where.split("/")[-2] == plural
                and ("/namespaces/" not in path or where.startswith(path + "/"))
                and (not wanted or each["metadata"]["name"] == wanted)
                and labels.items() <= (each["metadata"].get("labels") or {}).items()
            ]
            return {"items": found}
        if path not in self.objects:
            raise ApiError(f'"{path.rsplit("/", 1)[-1]}" not found', 404, "NotFound")
        if method == "DELETE":
            return self.objects.pop(path)
        if method == "PATCH":
            self.objects[path] = merged(self.objects[path], body)
        return copy.deepcopy(self.objects[path])

    def _create(self, path: str, body: Json) -> Json:
        metadata = body["metadata"]
        metadata.setdefault("name", f"{metadata.get('generateName', '')}x{len(self.objects)}")
        metadata.setdefault("uid", f"uid-{len(self.objects)}")
        metadata["resourceVersion"] = "1"
        where = f"{path}/{metadata['name']}"
        if where in self.objects:
            raise ApiError(f'"{metadata["name"]}" already exists', 409, "AlreadyExists")
        if body.get("kind") == "Pod":
            body["status"] = copy.deepcopy(self.pod_status)
            mounts = body["spec"]["containers"][0]["volumeMounts"]
            self._mounts[metadata["name"]] = {
                each["mountPath"]: each["subPath"] for each in mounts if "subPath" in each
            }
        self.objects[where] = body
        return copy.deepcopy(body)

    def watch(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[Json]:
        self.requests.append(("WATCH", path))
        assert self.events, "nobody prepared what this watch shows"
        yield from self.events.pop(0)

    def exec(self, namespace: str, pod: str, container: str, command: Sequence[str], *, stdin: bool) -> ProcessChannel:
        assert f"/api/v1/namespaces/{namespace}/pods/{pod}" in self.objects, "exec into a pod that is not there"
        assert tuple(command[:3]) == ("python3", "-m", "videojob_worker")
        verb, *rest = command[3:]
        self.commands.append((verb, *rest))
        mounts = self._mounts[pod]
        asked = next(iter(mounts))
        if "--root" in rest:
            at = rest.index("--root")
            asked = rest[at + 1]
            del rest[at : at + 2]
        folder = self.store / mounts[asked]
        folder.mkdir(parents=True, exist_ok=True)
        where = ("--inbox", str(folder)) if verb == "receive" else ("--root", str(folder))
        argv = [sys.executable, "-c", PROGRAM, verb, *rest, *where, "--scratch", str(self.store)]
        return ProcessChannel(self.touch(argv), self.sent.append)

    def pods(self) -> list[str]:
        """Pods that were left behind."""
        return [path for path in self.objects if "/pods/" in path]


def a_team(volume: Path) -> HandApi:
    """A cluster whose namespace `team` was made ready, its store in that folder."""
    made = HandApi(volume, "team")
    made.put(STORE, spec={"pvc": {"claimName": "bytes"}})
    made.put(ACCOUNT)["metadata"]["annotations"] = {"videojob.dev/worker-image": "worker:1"}
    return made
