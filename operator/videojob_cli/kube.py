"""The API server as this command sees it: JSON in, JSON out, watches and exec; every refusal becomes a sentence.

Requests are untyped: the objects are ours or small, and a client model would cost a second of start-up for nothing.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from videojob_api.names import API_VERSION, GROUP

from .errors import ApiError, CliError
from .exec_channel import Channel

JSON_TYPE = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

Json = dict[str, Any]


class Api(Protocol):
    """What the rest of the command needs of a cluster; tests hand in another one."""

    @property
    def namespace(self) -> str:
        """Namespace of the kubeconfig's context."""

    def request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON_TYPE,
    ) -> Json:
        """One request; ApiError when it is refused."""

    def watch(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[Json]:
        """Events of a watch, until it ends by itself or the time is over."""

    def exec(self, namespace: str, pod: str, container: str, command: Sequence[str], *, stdin: bool) -> Channel:
        """Start a command in a container."""


def objects(namespace: str, plural: str, name: str = "", *, group: str = API_VERSION) -> str:
    """Path of objects of a kind: ours, or of `group` `v1` the core's."""
    root = f"/api/{group}" if group == "v1" else f"/apis/{group}"
    return f"{root}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def status_of(api: Api, kind: str, name: str, namespace: str, remedy: str) -> Json:
    """Status of one of our objects. Raises CliError when there is none, with how to list them and the remedy."""
    plural = f"{kind.lower()}s"
    try:
        found = api.request("GET", objects(namespace, plural, name))
    except ApiError as error:
        if error.status != 404 or error.reason != "NotFound":
            raise
        lists = f"`kubectl get {plural} -A` lists them"
        raise CliError(f"No {kind} {name} in namespace {namespace}: {lists}; {remedy}") from error
    status: Json = found.get("status") or {}
    return status


def _said(body: str) -> tuple[str, str]:
    """The server's own words and its reason."""
    try:
        status = json.loads(body)
    except ValueError:
        return body.strip()[:500], ""
    if not isinstance(status, dict):
        return body.strip()[:500], ""
    return str(status.get("message", "")), str(status.get("reason", ""))


def refusal(method: str, path: str, status: int, body: str) -> ApiError:
    """The sentence for an answer that is not 2xx."""
    message, reason = _said(body)
    what = f"{method} {path}"
    if status == 401:
        text = "The API server does not accept these credentials: log in again, or choose another --context."
    elif status == 403:
        told = message.split("\n", 1)[0].rstrip(".")
        text = f"Refused: {told}. If it is a right that you lack, ask the cluster's admin (kubectl auth can-i)."
    elif status == 404 and not reason and f"/apis/{GROUP}/" in path:
        text = (
            "This cluster does not know VideoJobs: install the chart "
            "(helm upgrade --install videojob charts/videojob-operator -n videojob-system --create-namespace)."
        )
    elif status in {404, 409, 422, 400}:
        # The server adds the whole difference to some refusals; its first line says what is wrong.
        text = message.split("\n", 1)[0] or f"{what}: HTTP {status}"
    elif status == 429:
        text = f"The API server asks for patience: {message} Try again in a moment."
    else:
        text = f"The API server failed on {what} with HTTP {status}: {message or 'no reason given'}. Try again."
    return ApiError(text, status, reason)


def connect(kubeconfig: Path | None = None, context: str | None = None) -> Api:
    """A cluster by the usual rules: --kubeconfig, $KUBECONFIG, ~/.kube/config, else the pod this runs in.

    The client is loaded here: `run` and `plan` need none, and it takes half a second. Raises CliError naming what is missing.
    """
    return cast("Api", importlib.import_module("videojob_cli.connection").connect(kubeconfig, context))
