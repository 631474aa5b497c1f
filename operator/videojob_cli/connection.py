"""The cluster itself: requests, watches and exec through the Kubernetes client, loaded only by commands that ask a cluster."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import websocket
from kubernetes import config as kubeconfig_loader
from kubernetes.client import ApiClient, Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.stream import ws_client

from .errors import ApiError, CliError
from .exec_channel import Channel, WebSocketChannel
from .kube import JSON_TYPE, Json, objects, refusal

CONNECT_SECONDS = 10
REQUEST_SECONDS = 30
WATCH_SECONDS = 240
"""A watch is renewed after so long, so that a connection which died silently is noticed."""
USER_AGENT = "videojob-cli"


class Kube:
    """A cluster reached through a kubeconfig, or from inside a pod."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        client.user_agent = USER_AGENT
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    @property
    def namespace(self) -> str:
        """Namespace of the kubeconfig's context."""
        return self._namespace

    def _send(
        self,
        method: str,
        path: str,
        body: Json | None,
        query: Mapping[str, str] | None,
        content_type: str,
        *,
        read_seconds: float,
    ) -> Any:
        where = path + ("?" + urlencode(query) if query else "")
        headers = {"Accept": JSON_TYPE, "Content-Type": content_type}
        parts = self._client.param_serialize(method, where, header_params=headers, auth_settings=["BearerToken"])
        verb, url, headers, _, _ = parts
        data = None if body is None else json.dumps(body)
        try:
            answer = self._client.rest_client.pool_manager.request(
                verb,
                url,
                body=data,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
                retries=False,
                preload_content=False,
            )
            if not 200 <= answer.status < 300:
                raise refusal(method, path, answer.status, answer.data.decode("utf-8", "replace"))
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        return answer

    def _unreachable(self, error: Exception) -> ApiError:
        host = self._client.configuration.host
        if isinstance(error, urllib3.exceptions.SSLError):
            text = f"The API server at {host} does not prove its identity ({error}): check the kubeconfig's CA."
        else:
            text = f"The API server at {host} does not answer: is the cluster up, and the right --context chosen?"
        return ApiError(text, 0)

    def request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON_TYPE,
    ) -> Json:
        """One request; ApiError when it is refused."""
        answer = self._send(method, path, body, query, content_type, read_seconds=REQUEST_SECONDS)
        try:
            result: Json = json.loads(answer.data)
        except (ValueError, urllib3.exceptions.HTTPError) as error:
            raise ApiError(
                f"The API server's answer to {method} {path} is not JSON: is that its address?", 0
            ) from error
        return result

    def watch(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[Json]:
        """Events of a watch, until it ends by itself or the time is over; ApiError 410 when it must begin anew."""
        seconds = max(1.0, min(seconds, WATCH_SECONDS))
        asked = {**query, "watch": "true", "timeoutSeconds": str(max(1, round(seconds)))}
        answer = self._send("GET", path, None, asked, JSON_TYPE, read_seconds=seconds + 5)
        left = b""
        deadline = time.monotonic() + seconds
        try:
            for block in answer.stream(65536, decode_content=True):
                *lines, left = (left + block).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield self._event(json.loads(line))
                if time.monotonic() > deadline:
                    return
        except urllib3.exceptions.HTTPError:
            return  # the caller looks again; a lost connection is nothing special for a watch
        finally:
            answer.close()

    @staticmethod
    def _event(event: Json) -> Json:
        if event.get("type") == "ERROR":
            status = event.get("object", {})
            raise ApiError(str(status.get("message", "the watch failed")), int(status.get("code", 500)))
        return event

    def exec(self, namespace: str, pod: str, container: str, command: Sequence[str], *, stdin: bool) -> Channel:
        """Start a command in a container: its channels, binary, by the newest protocol both sides speak."""
        query = [("container", container), ("stdout", "true"), ("stderr", "true"), ("tty", "false")]
        query += [("stdin", "true" if stdin else "false"), *(("command", part) for part in command)]
        path = objects(namespace, "pods", f"{pod}/exec", group="v1")
        _, url, headers, _, _ = self._client.param_serialize("GET", path, auth_settings=["BearerToken"])
        lowered = {name.lower(): value for name, value in headers.items()}
        address = ws_client.get_websocket_url(url, query)
        try:
            socket = ws_client.create_websocket(self._client.configuration, address, lowered)
        except websocket.WebSocketBadStatusException as error:
            body = (error.resp_body or b"").decode("utf-8", "replace")
            raise refusal("exec", path, error.status_code, body) from error
        except (websocket.WebSocketException, OSError) as error:
            raise ApiError(f"No connection to pod {pod}: {error}. Try again.", 0) from error
        return WebSocketChannel(socket)


def connect(kubeconfig: Path | None = None, context: str | None = None) -> Kube:
    """A cluster by the usual rules: --kubeconfig, $KUBECONFIG, ~/.kube/config, else the pod this runs in.

    Raises CliError naming what is missing.
    """
    settings = type.__call__(Configuration)
    wanted = str(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG") or None
    if wanted is None and not Path("~/.kube/config").expanduser().exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        try:
            kubeconfig_loader.load_incluster_config(client_configuration=settings)
        except ConfigException as error:
            raise CliError(f"This pod has no service account token to log in with: {error}") from error
        own = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
        return Kube(ApiClient(settings), own.read_text().strip() if own.exists() else "default")
    try:
        contexts, active = kubeconfig_loader.list_kube_config_contexts(config_file=wanted)
        kubeconfig_loader.load_kube_config(config_file=wanted, context=context, client_configuration=settings)
    except (ConfigException, OSError, ValueError, TypeError, KeyError) as error:
        where = wanted or "~/.kube/config"
        raise CliError(
            f"No usable kubeconfig ({where}: {error}). Set KUBECONFIG or --kubeconfig; `make cluster` starts a cluster "
            "on this machine, and `videojob run` needs none."
        ) from error
    chosen = next((entry for entry in contexts if entry["name"] == context), active)
    return Kube(ApiClient(settings), chosen["context"].get("namespace") or "default")
