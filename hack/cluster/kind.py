"""The cluster where an engine answers: kind, with one control-plane node and one worker.

Its command lines and configuration are tested against a stand-in; the audit log lies where the host cluster has it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster import binaries, controlplane, pki, say
from cluster.paths import CHECKOUT, State, digest_text

READY = "180s"
NODE_IMAGE = "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"
"""The Kubernetes minor that the host cluster runs, in the build of kind's pinned release (0.33.0; its notes list the images)."""
_AUDIT_DIR = "/var/log/videojob-audit"
_POLICY = "/etc/kubernetes/videojob/audit-policy.json"


def cluster_name(checkout: Path = CHECKOUT) -> str:
    """A name of its own for each checkout, so that two of them run side by side."""
    return f"videojob-{digest_text(str(checkout))[:6]}"


def config(state: State) -> dict[str, Any]:
    """The configuration: one control plane, one worker, every request in the audit log."""
    patch = {
        "kind": "ClusterConfiguration",
        "apiServer": {
            "extraArgs": {
                "audit-policy-file": _POLICY,
                "audit-log-path": f"{_AUDIT_DIR}/{state.audit_log.name}",
                "audit-log-maxsize": "1000",
            },
            "extraVolumes": [
                {
                    "name": "audit-policy",
                    "hostPath": _POLICY,
                    "mountPath": _POLICY,
                    "readOnly": True,
                    "pathType": "File",
                },
                {
                    "name": "audit-log",
                    "hostPath": _AUDIT_DIR,
                    "mountPath": _AUDIT_DIR,
                    "readOnly": False,
                    "pathType": "DirectoryOrCreate",
                },
            ],
        },
    }
    mounts = [
        {"hostPath": str(state.config / "audit-policy.json"), "containerPath": _POLICY, "readOnly": True},
        {"hostPath": str(state.audit_log.parent), "containerPath": _AUDIT_DIR},
    ]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [
            {"role": "control-plane", "extraMounts": mounts, "kubeadmConfigPatches": [json.dumps(patch)]},
            {"role": "worker"},
        ],
    }


def create_command(state: State, name: str) -> list[str]:
    """Create the cluster and wait for its nodes."""
    return [
        str(binaries.path("kind")),
        "create",
        "cluster",
        f"--name={name}",
        f"--image={NODE_IMAGE}",
        f"--config={state.config / 'kind.json'}",
        f"--kubeconfig={state.kubeconfig}",
        f"--wait={READY}",
    ]


def delete_command(state: State, name: str) -> list[str]:
    """Delete the cluster with all that it holds."""
    return [str(binaries.path("kind")), "delete", "cluster", f"--name={name}", f"--kubeconfig={state.kubeconfig}"]


def list_command() -> list[str]:
    """List the clusters of this engine by name."""
    return [str(binaries.path("kind")), "get", "clusters"]


def load_command(name: str, archive: Path) -> list[str]:
    """Bring an image archive into every node."""
    return [str(binaries.path("kind")), "load", "image-archive", str(archive), f"--name={name}"]


def audit_command(engine: str, state: State, name: str) -> list[str]:
    """Let everybody read the audit log: the API server makes it root's alone, and whoever uses the engine need not be root.

    A rotated log keeps the mode.
    """
    return [engine, "exec", f"{name}-control-plane", "chmod", "0644", f"{_AUDIT_DIR}/{state.audit_log.name}"]


def environment(engine: str) -> Mapping[str, str]:
    """Kind asks Docker first unless it is told otherwise."""
    return {**os.environ, "KIND_EXPERIMENTAL_PROVIDER": engine}


def exists(engine: str, name: str) -> bool:
    """Whether the cluster was created before."""
    done = subprocess.run(list_command(), capture_output=True, text=True, check=False, env=environment(engine))
    return name in done.stdout.split()


def up(state: State, engine: str) -> None:
    """Create the cluster unless it exists; its kubeconfig gets the context name that the host cluster has."""
    binaries.ensure(binaries.KIND_CLUSTER)
    name = cluster_name()
    state.make()
    (state.config / "audit-policy.json").write_text(json.dumps(controlplane.audit_policy()))
    (state.config / "kind.json").write_text(json.dumps(config(state), indent=1) + "\n")
    if exists(engine, name):
        say.line(f"the kind cluster {name} exists already")
        _run(
            [str(binaries.path("kind")), "export", "kubeconfig", f"--name={name}", f"--kubeconfig={state.kubeconfig}"],
            engine,
        )
    else:
        with say.step(f"kind cluster {name} ready"):
            _run(create_command(state, name), engine)
    _run(audit_command(engine, state, name), engine)
    _rename_context(state, f"kind-{name}")


def down(state: State, engine: str) -> None:
    """Delete the cluster if it exists."""
    name = cluster_name()
    binaries.ensure(("kind",))
    if exists(engine, name):
        with say.step(f"kind cluster {name} deleted"):
            _run(delete_command(state, name), engine)
    state.kubeconfig.unlink(missing_ok=True)


def load_images(engine: str, archives: list[Path]) -> None:
    """Bring image archives into the nodes."""
    for archive in archives:
        _run(load_command(cluster_name(), archive), engine)


def _rename_context(state: State, old: str) -> None:
    kubectl = [str(binaries.path("kubectl")), f"--kubeconfig={state.kubeconfig}", "config"]
    subprocess.run([*kubectl, "delete-context", pki.CONTEXT], capture_output=True, check=False)
    done = subprocess.run([*kubectl, "rename-context", old, pki.CONTEXT], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise say.CannotRunError(f"kind's kubeconfig could not be renamed: {done.stderr.strip()}")


def _run(command: list[str], engine: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(engine))
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["no message"]
        raise say.CannotRunError(f"{Path(command[0]).name} {command[1]} failed: {lines[-1]}")
