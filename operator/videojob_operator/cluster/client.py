"""The protocol of `api.py` spoken to a real API server through `kubernetes.aio`, without its typed models.

The client brings what is hard to get right (kubeconfig, exec plugins, projected tokens and their renewal, TLS, proxies);
requests and answers stay plain JSON: a typed call costs several times the CPU and memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config as kube_config
from kubernetes.aio.client import ApiClient, Configuration

from videojob_api import __version__
from videojob_api.names import FIELD_MANAGER

from .api import PAGE, TOKENREVIEWS, ApiError, Identity, Raw, Resource
from .metrics import Metrics

REQUEST_SECONDS = 30.0
MERGE = "application/merge-patch+json"
USER_AGENT = f"{FIELD_MANAGER}/{__version__}"


async def connect(
    metrics: Metrics | None = None, *, kubeconfig: Path | None = None, user_agent: str = USER_AGENT
) -> Client:
    """Connect with the named kubeconfig, else with the pod's service account, else with the user's kubeconfig.

    Raises:
        ApiError: neither is there, or it cannot be read.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG"):
            kube_config.load_incluster_config(client_configuration=configuration)
        else:
            file = str(kubeconfig) if kubeconfig else None
            await kube_config.load_kube_config(config_file=file, client_configuration=configuration)
    except Exception as error:
        where = kubeconfig or os.environ.get("KUBECONFIG") or Path("~/.kube/config")
        raise ApiError(
            0, "NoCredentials", f"no service account in this environment and no usable kubeconfig at {where}: {error}"
        ) from error
    return Client(configuration, metrics, user_agent)


class Client:
    """A connection to one API server."""

    def __init__(self, configuration: Any, metrics: Metrics | None = None, user_agent: str = USER_AGENT) -> None:
        self._client = ApiClient(configuration)
        self._client.user_agent = user_agent
        self._metrics = metrics

    @property
    def host(self) -> str:
        """URL of the API server."""
        return str(self._client.configuration.host)

    @property
    def tls(self) -> ssl.SSLContext:
        """Certificates of both sides, for requests that are no calls, such as a test's watch."""
        return cast("ssl.SSLContext", self._client.rest_client.ssl_context)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        """See Api.get."""
        return await self._call("GET", resource.path(namespace, name))

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        limit: int = PAGE,
    ) -> AsyncIterator[tuple[Raw, ...]]:
        """See Api.pages."""
        query: dict[str, str] = {"limit": str(limit)}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        while True:
            answer = await self._call("GET", resource.path(namespace), query=query)
            token = (answer.get("metadata") or {}).get("continue")
            yield tuple(answer.get("items") or ())
            if not token:
                return
            query["continue"] = token

    async def create(self, resource: Resource, namespace: str | None, body: Raw) -> Raw:
        """See Api.create."""
        return await self._call("POST", resource.path(namespace), body=body, resource=resource)

    async def patch(
        self, resource: Resource, namespace: str | None, name: str, patch: Raw, *, version: str | None = None
    ) -> Raw:
        """See Api.patch."""
        body = dict(patch)
        if version is not None:
            body["metadata"] = {**body.get("metadata", {}), "resourceVersion": version}
        return await self._call("PATCH", resource.path(namespace, name), body=body, kind=MERGE, resource=resource)

    async def patch_status(
        self, resource: Resource, namespace: str | None, name: str, patch: Raw, *, version: str | None
    ) -> Raw:
        """See Api.patch_status."""
        body: Raw = {"status": patch}
        if version is not None:
            body["metadata"] = {"resourceVersion": version}
        path = resource.path(namespace, name, "status")
        return await self._call("PATCH", path, body=body, kind=MERGE, resource=resource, subresource="status")

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, *, uid: str, version: str | None = None
    ) -> None:
        """See Api.delete."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid} | ({"resourceVersion": version} if version is not None else {}),
        }
        await self._call("DELETE", resource.path(namespace, name), body=body, resource=resource)

    async def token_review(self, token: str, audience: str) -> Identity | None:
        """See Api.token_review."""
        body = {
            "apiVersion": TOKENREVIEWS.api_version,
            "kind": TOKENREVIEWS.kind,
            "spec": {"token": token, "audiences": [audience]},
        }
        status = (await self._call("POST", TOKENREVIEWS.path(), body=body, resource=TOKENREVIEWS)).get("status") or {}
        if not status.get("authenticated") or audience not in (status.get("audiences") or ()):
            return None
        user = status.get("user") or {}
        extra = user.get("extra") or {}

        def first(key: str) -> str | None:
            values = extra.get(f"authentication.kubernetes.io/{key}") or ()
            return str(values[0]) if values else None

        return Identity(str(user.get("username", "")), first("pod-name"), first("pod-uid"))

    async def served(self, group: str, version: str) -> frozenset[str]:
        """See Api.served."""
        try:
            answer = await self._call("GET", f"/apis/{group}/{version}")
        except ApiError as error:
            if error.not_found:
                return frozenset()
            raise
        return frozenset(str(entry.get("name", "")) for entry in answer.get("resources") or ())

    async def close(self) -> None:
        """See Api.close."""
        await self._client.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Raw | None = None,
        kind: str = "application/json",
        resource: Resource | None = None,
        subresource: str = "",
    ) -> Raw:
        headers: dict[str, Any] = dict(self._client.default_headers)
        headers["Accept"] = "application/json"
        if body is not None:
            headers["Content-Type"] = kind
        try:
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            url = self._client.configuration.host + path + ("?" + urlencode(query) if query else "")
            answer = await self._client.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS)
            )
            data = await answer.read()
        except TimeoutError as error:
            raise ApiError(0, "Timeout", f"{method} {path}: no answer within {REQUEST_SECONDS:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(0, "Unreachable", f"{method} {path}: {error}") from error
        if self._metrics is not None and resource is not None:
            self._metrics.write(method, resource.plural, subresource, answer.status)
        if answer.status >= 400:
            raise _error(answer.status, data, answer.headers.get("Retry-After"), f"{method} {path}")
        return await _decode(data)


async def _decode(data: bytes) -> Raw:
    """Parse an answer; big lists in a thread, so that the loop goes on."""
    value = json.loads(data) if len(data) < 1 << 20 else await asyncio.to_thread(json.loads, data)
    return value if isinstance(value, dict) else {}


def _error(status: int, data: bytes, retry_after: str | None, what: str) -> ApiError:
    """An error from the server's Status object, or from whatever came instead."""
    try:
        body = json.loads(data)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    details = body.get("details") or {}
    causes = tuple(str(cause.get("reason", "")) for cause in details.get("causes") or ())
    wait = retry_after or details.get("retryAfterSeconds")
    text = str(body.get("message") or data[:200].decode(errors="replace") or "no message")
    return ApiError(
        status,
        str(body.get("reason") or "Unknown"),
        f"{what}: {text}",
        causes=causes,
        retry_after=float(wait) if wait is not None and str(wait).isdecimal() else None,
    )
