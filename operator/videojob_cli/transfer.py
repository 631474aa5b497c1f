"""Files in and out: a short-lived pod of the worker image, made with the caller's own rights, and exec into it.

The pod is deleted when the block ends, whatever happened in it; should this process die first, the pod ends when idle.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from videojob_api.contract import StorePaths
from videojob_api.names import ANNOTATION_WORKER_IMAGE, DEFAULT_STORE, WORKER_SERVICE_ACCOUNT

from . import manifests
from .errors import ApiError, CliError, Refused
from .exec_channel import Channel
from .kube import Api, Json, objects

CHUNK = 256 * 1024
POD_SECONDS = 120.0
"""How long a transfer pod may take to start."""
POLL_SECONDS = 0.2
_HEAD_BYTES = 4096

Moved = Callable[[int], None]
"""Told how many more bytes have moved."""


def nothing_moved(_: int) -> None:
    """For callers who show no progress."""


def file_digest(path: Path, moved: Moved = nothing_moved) -> str:
    """sha256 of a local file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
            moved(len(block))
    return digest.hexdigest()


def claim_of(api: Api, namespace: str, store: str = DEFAULT_STORE) -> str:
    """Claim behind a MediaStore; CliError with the command that makes one when it is missing."""
    try:
        found = api.request("GET", objects(namespace, "mediastores", store))
    except ApiError as error:
        if error.status == 404 and error.reason:
            raise CliError(
                f"Namespace {namespace} has no MediaStore {store}: make it ready with `videojob init -n {namespace}` (with "
                "--create-namespace if it is new)."
            ) from error
        raise
    claim = found["spec"].get("pvc", {}).get("claimName")
    if not claim:
        raise CliError(f"MediaStore {namespace}/{store} names no claim: set its spec.pvc.claimName.")
    return str(claim)


def worker_image(api: Api, namespace: str, given: str | None) -> str:
    """Image of transfer pods: as given, $VIDEOJOB_WORKER_IMAGE, else what the namespace's worker account says."""
    chosen = given or os.environ.get("VIDEOJOB_WORKER_IMAGE")
    if chosen:
        return chosen
    again = f"run `videojob init -n {namespace}` (again), or give the worker image with --image."
    try:
        account = api.request("GET", objects(namespace, "serviceaccounts", WORKER_SERVICE_ACCOUNT, group="v1"))
    except ApiError as error:
        if error.status == 404:
            raise CliError(f"Namespace {namespace} has no ServiceAccount {WORKER_SERVICE_ACCOUNT}: {again}") from error
        raise
    image = (account["metadata"].get("annotations") or {}).get(ANNOTATION_WORKER_IMAGE)
    if not image:
        raise CliError(
            f"ServiceAccount {namespace}/{WORKER_SERVICE_ACCOUNT} has no annotation {ANNOTATION_WORKER_IMAGE}: {again}"
        )
    return str(image)


def _waiting_for(pod: Json) -> str:
    """What keeps a pod from starting, in the cluster's words."""
    status = pod.get("status", {})
    for container in status.get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("message") or waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
            return f"{waiting.get('reason')}: {waiting.get('message', '')}".strip(": ")
    for condition in status.get("conditions", ()):
        if condition.get("status") == "False" and condition.get("message"):
            return str(condition["message"])
    return f"phase {status.get('phase', 'unknown')}"


_HOPELESS = ("InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull", "CreateContainerError")


class TransferPod:
    """A waiting pod through which files go."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self.name = name

    def start(self, seconds: float = POD_SECONDS) -> None:
        """Wait until its container runs; CliError with the cluster's reason when it does not in time."""
        path = objects(self._namespace, "pods", self.name, group="v1")
        deadline = time.monotonic() + seconds
        reason = "not seen yet"
        while time.monotonic() < deadline:
            # Looked at again and again rather than watched: it takes a second, and needs no right but `get`.
            pod = self._api.request("GET", path)
            reason = _waiting_for(pod)
            phase = pod.get("status", {}).get("phase")
            if phase == "Running":
                return
            if phase in {"Failed", "Succeeded"} or reason.startswith(_HOPELESS):
                raise CliError(f"The transfer pod {self._namespace}/{self.name} did not start ({reason}).")
            time.sleep(POLL_SECONDS)
        raise CliError(
            f"The transfer pod {self._namespace}/{self.name} did not start within {seconds:.0f} s ({reason}). "
            "Check the claim, the image and the namespace's quota."
        )

    def _run(self, *command: str, stdin: bool) -> Channel:
        argv = ("python3", "-m", "videojob_worker", *command)
        return self._api.exec(self._namespace, self.name, manifests.CONTAINER, argv, stdin=stdin)

    def upload(
        self, file: Path, sha256: str, max_bytes: int, moved: Moved = nothing_moved, *, name: str | None = None
    ) -> bool:
        """Bring a file into the inbox under its digest, or into the stock under a name; False when it was there already.

        Raises CliError when the store refuses it or the file changes on the way.
        """
        place = () if name is None else ("--inbox", StorePaths().stock, "--name", name)
        with file.open("rb") as source:
            length = os.fstat(source.fileno()).st_size
            options = ("--length", str(length), "--max-bytes", str(max_bytes), "--sha256", sha256)
            channel = self._run("receive", *options, *place, stdin=True)
            try:
                there, said = _head(channel)
                if there.get("found"):
                    return False
                left = length
                while left and not said:
                    block = source.read(min(CHUNK, left))
                    if not block:
                        raise CliError(f"{file} became shorter while it was sent. Submit it again.")
                    channel.write(block)
                    left -= len(block)
                    moved(len(block))
                    said = channel.read(wait=False)  # a refusal comes early; nothing else does
                answer = _answer(channel, said)
            finally:
                channel.close()
        if answer.get("sha256") != sha256 or answer.get("sizeBytes") != length:
            raise CliError(f"{file} did not arrive whole (the store has {answer}). Submit it again.")
        return True

    def download(
        self, path: str, target: Path, sha256: str | None, moved: Moved = nothing_moved, *, root: str | None = None
    ) -> int:
        """Bring one file of the job's folder, or below another `root` of the pod, to `target`: whole and verified or not at
        all; its size in bytes. Raises CliError; Refused with reason NotFound when it is not there.
        """
        channel = self._run("send", path, *(("--root", root) if root is not None else ()), stdin=False)
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            head, rest = _head(channel)
            length = int(head["sizeBytes"])
            digest = hashlib.sha256()
            left = length
            with part.open("xb") as file:
                while left:
                    block = rest or channel.read(wait=True)
                    rest = b""
                    if not block:
                        raise CliError(f"{path}: the connection ended with {left} bytes missing. Try again.")
                    block, rest = block[:left], block[left:]
                    file.write(block)
                    digest.update(block)
                    left -= len(block)
                    moved(len(block))
                file.flush()
                os.fsync(file.fileno())
            sent = _answer(channel, rest)
            whole = digest.hexdigest()
            if sent.get("sha256") != whole or sha256 not in {None, whole}:
                raise CliError(
                    f"{path} arrived with sha256 {whole}, expected was {sha256 or sent.get('sha256')}: the stored copy is "
                    "damaged; run the job again."
                )
            part.replace(target)
        except OSError as error:
            raise CliError(f"Writing {target} failed: {error.strerror}. Choose another folder.") from error
        finally:
            channel.close()
            part.unlink(missing_ok=True)
        return length


def _answer(channel: Channel, begun: bytes) -> dict[str, Any]:
    """The JSON line at the end; CliError with the other end's sentence when it refused."""
    said = begun
    while b"\n" not in said and len(said) < _HEAD_BYTES:
        block = channel.read(wait=True)
        if not block:
            break
        said += block
    return _parsed(channel, said.split(b"\n", 1)[0])


def _parsed(channel: Channel, line: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError as error:
        words = channel.errors.strip().splitlines()
        told = words[-1] if words else line.decode("utf-8", "replace")[:200] or "it said nothing"
        raise CliError(
            f"The transfer pod's helper failed ({told}): is --image a worker image of this version?"
        ) from error
    if not answer.get("ok"):
        raise Refused(str(answer.get("error", "the transfer failed")), str(answer.get("code", "")))
    return answer


def _head(channel: Channel) -> tuple[dict[str, Any], bytes]:
    said = b""
    while b"\n" not in said and len(said) < _HEAD_BYTES * 128:
        block = channel.read(wait=True)
        if not block:
            break
        said += block
    line, _, rest = said.partition(b"\n")
    return _parsed(channel, line), rest


@contextlib.contextmanager
def transfer_pod(
    api: Api,
    namespace: str,
    *,
    image: str,
    claim: str,
    direction: manifests.Direction,
    uid: str | None = None,
    size_bytes: int = 0,
) -> Iterator[TransferPod]:
    """A started transfer pod for so many bytes, gone afterwards."""
    name = f"videojob-transfer-{secrets.token_hex(5)}"
    body = manifests.transfer_pod(
        name, namespace=namespace, image=image, claim=claim, direction=direction, uid=uid, size_bytes=size_bytes
    )
    path = objects(namespace, "pods", group="v1")
    try:
        # Inside: a signal or a lost answer can come when the pod is made already.
        api.request("POST", path, body)
        pod = TransferPod(api, namespace, name)
        pod.start()
        yield pod
    finally:
        with contextlib.suppress(ApiError):
            api.request("DELETE", f"{path}/{name}", {"propagationPolicy": "Background"})
