"""Who the parts of a cluster are: one certificate authority, one key pair each, one kubeconfig for each client."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import binaries, say
from cluster.paths import State

CONTEXT = "videojob"
NODE = "videojob-node"
KUBELET_CLIENT = "videojob:apiserver-kubelet-client"
"""The API server's name towards the kubelet; a binding to system:kubelet-api-admin lets it exec, attach and read logs."""


@dataclass(frozen=True)
class Pair:
    """One certificate and its key: common name = user, organizations = groups, addresses only for those that serve."""

    name: str
    common_name: str
    organizations: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def pairs(addresses: tuple[str, ...], node_address: str) -> tuple[Pair, ...]:
    """Every identity of a cluster whose API server answers at `addresses`."""
    names = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
    )
    return (
        Pair("apiserver", "kube-apiserver", addresses=(*names, *addresses)),
        Pair("etcd", "etcd", addresses=("localhost", "127.0.0.1")),
        Pair("etcd-client", "videojob:etcd-client"),
        Pair("kubelet-client", KUBELET_CLIENT),
        Pair("admin", "videojob:admin", ("system:masters",)),
        Pair("controller-manager", "system:kube-controller-manager"),
        Pair("scheduler", "system:kube-scheduler"),
        Pair("proxy", "system:kube-proxy"),
        Pair("kubelet", f"system:node:{NODE}", ("system:nodes",), (NODE, node_address)),
    )


def issue(state: State, wanted: tuple[Pair, ...]) -> None:
    """Write the authority and all pairs, once: a state that has them for the same names keeps them, and its data stay valid."""
    request = {
        "directory": str(state.pki),
        "pairs": [
            {
                "name": pair.name,
                "commonName": pair.common_name,
                "organizations": pair.organizations,
                "addresses": pair.addresses,
            }
            for pair in wanted
        ],
    }
    text = json.dumps(request, sort_keys=True)
    mark = state.pki / "request.json"
    if mark.is_file() and mark.read_text() == text:
        return
    done = subprocess.run([binaries.path("certs")], input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise say.CannotRunError(f"The cluster's certificates could not be written: {done.stderr.strip()}")
    mark.write_text(text)


def kubeconfig(state: State, user: str, server: str) -> dict[str, Any]:
    """A kubeconfig (as JSON, which is YAML too) with everything embedded, so that the file can be copied."""

    def embedded(name: str) -> str:
        return base64.b64encode((state.pki / name).read_bytes()).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [
            {"name": CONTEXT, "cluster": {"server": server, "certificate-authority-data": embedded("ca.crt")}}
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": embedded(f"{user}.crt"),
                    "client-key-data": embedded(f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user}}],
    }


def write_kubeconfig(state: State, user: str, server: str, target: Path) -> Path:
    """Write the kubeconfig, readable by its owner only since it holds a key."""
    target.touch(mode=0o600)
    target.chmod(0o600)
    target.write_text(json.dumps(kubeconfig(state, user, server), indent=1) + "\n")
    return target


def client_context(state: State, user: str) -> ssl.SSLContext:
    """TLS as this user, trusting only the cluster's own authority."""
    context = ssl.create_default_context(cafile=str(state.pki / "ca.crt"))
    context.load_cert_chain(state.pki / f"{user}.crt", state.pki / f"{user}.key")
    return context
