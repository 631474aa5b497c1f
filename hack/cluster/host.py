"""The host cluster: a whole Kubernetes node made of this machine's processes, started, kept, taken over and stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster import (
    api,
    binaries,
    cleanup,
    controlplane,
    cri,
    hostnet,
    locks,
    manifests,
    net,
    node,
    owner,
    pki,
    processes,
    record,
    say,
    scratchimage,
    strangers,
    volumes,
)
from cluster.controlplane import LOOPBACK, Starter
from cluster.net import Networks
from cluster.owner import Decision, Owner
from cluster.paths import CHECKOUT, State
from cluster.processes import Process
from cluster.record import Record

_API_NAME = "kubernetes.default.svc.cluster.local"
_FREE_BYTES = 4 * 2**30
"""Images, volumes and logs of a demo; below 1 GiB the kubelet starts to evict."""


def require_root(user: int | None = None) -> None:
    """CannotRunError in one sentence for whoever has neither an engine nor root; `user` is the effective user id."""
    if (os.geteuid() if user is None else user) != 0:
        raise say.CannotRunError(
            "No Docker or Podman engine answers and you are not root: start an engine, or run this as root"
            " to get a cluster made of processes of this machine."
        )


def up(state: State) -> Record:
    """Bring the cluster up and wait until a pod can be started and finds names; quick if it runs already.

    The whole is one transaction per machine: a second `up`, from here or another checkout, waits for the first.
    """
    require_root()
    with locks.exclusive(owner.LOCK, "another start or stop of the cluster"):
        current = owner.load()
        decision = owner.decide(current, state.root, alive=current is not None and current.record.all_alive())
        if decision is Decision.KEEP and current is not None and api.Client(state, current.record.server).ready():
            say.line(f"the cluster of {CHECKOUT} runs already")
            return _furnish(state, current.record)
        make_room(current, state, cleanup.all_commands())
        binaries.require_space(state.root, _FREE_BYTES, "a cluster")
        starter = _starter(state)
        with say.step("control plane ready"):
            controlplane.prepare(state, starter.seen)
            hostnet.make_node_bridge(_networks(starter.seen))
            hostnet.admit_pods(_networks(starter.seen))
            _rotate_audit(state)
            controlplane.start(starter)
        with say.step("node ready"):
            _start_node(starter)
            _furnish(state, starter.seen)
        return starter.seen


def refuse_strangers(state: State) -> None:
    """CannotRunError if another Kubernetes runs here; for asking before packages are installed.

    Asked under the lock: a kubelet that another checkout starts at this moment is recorded when the lock is free.
    """
    with locks.exclusive(owner.LOCK, "another start or stop of the cluster"):
        strangers.refuse(cleanup.all_commands(), _recorded(owner.load(), state))


def make_room(
    current: Owner | None,
    state: State,
    commands: Sequence[tuple[int, Sequence[str]]],
    stop: Callable[[Owner | None, State], None] | None = None,
) -> None:
    """Stop and clean up what is ours, but first refuse where another Kubernetes runs: its chains look like ours.

    `commands` are the pid and argv of all processes.
    """
    strangers.refuse(commands, _recorded(current, state))
    if current is not None and current.state != state.root:
        say.line(f"taking over from the cluster of {current.state.parent}")
    (stop or _stop)(current, state)


def down(state: State) -> None:
    """Stop this checkout's cluster and delete what it held: objects, volumes, certificates. Loaded images and logs stay.

    Another checkout's running cluster is left alone.
    """
    with locks.exclusive(owner.LOCK, "another start or stop of the cluster"):
        current = owner.load()
        if current is not None and current.state != state.root:
            say.line(f"the running cluster belongs to {current.state.parent}: left alone")
        elif current is not None or state.record.is_file():
            require_root()
            with say.step("cluster stopped"):
                _stop(current, state)
        for name in ("etcd", "kubelet", "pki", "config", "volumes"):
            shutil.rmtree(state.root / name, ignore_errors=True)
        state.kubeconfig.unlink(missing_ok=True)
        state.record.unlink(missing_ok=True)


def running(state: State) -> Record | None:
    """The record of this checkout's cluster if all of its processes run."""
    current = owner.load()
    if current is None or current.state != state.root or not current.record.all_alive():
        return None
    return current.record


def load_images(archives: list[Path]) -> None:
    """Bring image archives (OCI or Docker) into the node."""
    for archive in archives:
        done = _ctr("images", "import", str(archive))
        if done.returncode != 0:
            raise say.CannotRunError(f"containerd could not import {archive}: {done.stderr.strip().splitlines()[-1]}")


def image_names() -> set[str]:
    """The references that the node knows."""
    return set(_ctr("images", "ls", "-q").stdout.split())


def _ctr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["ctr", "--address", str(node.CONTAINERD_SOCKET), "--namespace", "k8s.io", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _starter(state: State) -> Starter:
    """Ports and addresses: those of last time if they are still free, since certificates and stored objects name them."""
    before = record.load(state.record)
    routes = net.current_routes()
    if before is not None and before.networks is not None and net.is_free(before.networks, routes):
        networks = before.networks
    else:
        networks = net.choose_networks(routes)
        shutil.rmtree(state.root / "etcd", ignore_errors=True)
    names = (*controlplane.PORTS, *node.PORTS)
    ports = dict(zip(names, net.free_ports(len(names)), strict=True))
    seen = Record(address=networks.node, ports=ports, networks=networks)
    starter = Starter(state, seen, keep=lambda now: owner.save(Owner(state.root, now)))
    state.make()
    starter.save()
    return starter


def _networks(seen: Record) -> Networks:
    if seen.networks is None:
        raise say.CannotRunError("The record in .cluster is of a control plane without a node: run `down` first.")
    return seen.networks


def _stop(current: Owner | None, state: State) -> None:
    """Stop the recorded owner's cluster, and what an earlier one of ours left; then clean the machine."""
    found = _recorded(current, state)
    ran = owner.ran_here(found)
    alone = strangers.find(cleanup.all_commands(), found) is None
    control_plane = ("etcd", "kube-apiserver")
    # First who would start pods again, then the pods, then the API server, which waits for those who still watch it.
    processes.stop(process for process in reversed(found) if process.name not in (*control_plane, "containerd"))
    cleanup.remove_containers()
    processes.stop(process for process in reversed(found) if process.name in (*control_plane, "containerd"))
    roots = {state.root, current.state if current else state.root}
    cleanup.machine(roots, kubernetes=ran and alone)
    for root in roots:
        cleanup.log_links(State(root))
    owner.FILE.unlink(missing_ok=True)


def _recorded(current: Owner | None, state: State) -> list[Process]:
    """The processes that the owner record and this checkout's own name."""
    before = record.load(state.record)
    return [*(current.record.processes if current else ()), *(before.processes if before else ())]


def _rotate_audit(state: State) -> None:
    if state.audit_log.is_file():
        state.audit_log.replace(state.audit_log.with_name("audit.previous.log"))


def _start_node(starter: Starter) -> None:
    state, seen = starter.state, starter.seen
    networks = _networks(seen)
    volumes.make_folders(state.volumes)
    node.write_configs(
        state,
        seen,
        networks,
        nested_overlay=_on_overlay(state.root),
        bridge_calls_iptables=hostnet.switch_on_bridge_calls(),
    )
    client = api.Client(state, seen.server)
    client.apply(manifests.kubelet_access())
    starter.run("containerd", ["containerd", "--config", str(state.config / "containerd.toml")], _containerd_ready)
    _load_own_images(state)
    starter.run("kube-scheduler", node.scheduler_command(state, seen), lambda: True)
    starter.run("kubelet", node.kubelet_command(state, networks), lambda: _healthy(seen.ports["kubelet-healthz"]))
    starter.run("kube-proxy", node.proxy_command(state), lambda: _healthy(seen.ports["proxy-healthz"]))


def _furnish(state: State, seen: Record) -> Record:
    """Apply what the cluster needs beside Kubernetes, free released volumes, and wait until the node and DNS are ready."""
    client = api.Client(state, seen.server)
    for manifest in (*manifests.storage(state.volumes), *manifests.dns(_networks(seen), _upstream())):
        client.apply(manifest)
    volumes.make_folders(state.volumes)
    volumes.recycle(client, state.volumes)
    pki.write_kubeconfig(state, "admin", seen.server, state.kubeconfig)
    networks = _networks(seen)
    if not processes.wait_until(lambda: _usable(client) and net.resolves(networks.dns, _API_NAME), 90.0):
        raise say.CannotRunError(f"The node or CoreDNS was not ready after 90 s; the logs are in {state.logs}.")
    return seen


def _usable(client: api.Client) -> bool:
    """What the API says; after a restart it may be last time's word, so a real query for a name decides."""
    seen = client.get(f"/api/v1/nodes/{pki.NODE}")
    conditions = seen["status"].get("conditions", []) if seen else []
    if not any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
        return False
    deployment = client.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    account = client.get("/api/v1/namespaces/default/serviceaccounts/default")
    return bool(account and deployment and deployment.get("status", {}).get("readyReplicas"))


def _load_own_images(state: State) -> None:
    known = image_names()
    for program, reference in (("pause", node.PAUSE_IMAGE), ("coredns", node.COREDNS_IMAGE)):
        if reference not in known:
            archive = state.root / f"{program}.tar"
            load_images([scratchimage.write(binaries.path(program), reference, archive)])
            archive.unlink()


def _containerd_ready() -> bool:
    return node.CONTAINERD_SOCKET.is_socket() and cri.answers(node.CONTAINERD_SOCKET)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _upstream() -> list[str]:
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        found = manifests.nameservers(path.read_text()) if path.is_file() else []
        if found:
            return found
    return []


def _on_overlay(folder: Path) -> bool:
    found = subprocess.run(
        ["stat", "--file-system", "--format=%T", folder], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() == "overlayfs"
