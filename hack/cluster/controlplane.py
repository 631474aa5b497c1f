"""etcd, API server and controller manager: the same for the whole host cluster and for the tests' bare control plane."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import api, binaries, net, pki, processes, record
from cluster.paths import State
from cluster.record import Record

READY_SECONDS = 90.0
PORTS = ("apiserver", "etcd", "etcd-peer", "controller-manager")
LOOPBACK = "127.0.0.1"
_BARE_SERVICES = "10.96.0.0/16"
"""Service addresses of a control plane without a node: handed out, never routed."""


def audit_policy() -> dict[str, Any]:
    """Who did what when, without bodies: the tests and the benchmarks count API writes by it."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }


def etcd_command(state: State, ports: Mapping[str, int]) -> list[str]:
    """The store: on loopback, only for holders of a certificate."""
    peer = f"https://{LOOPBACK}:{ports['etcd-peer']}"
    client = f"https://{LOOPBACK}:{ports['etcd']}"
    return [
        str(binaries.path("etcd")),
        f"--data-dir={state.root / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--cert-file={state.pki / 'etcd.crt'}",
        f"--key-file={state.pki / 'etcd.key'}",
        "--client-cert-auth",
        f"--trusted-ca-file={state.pki / 'ca.crt'}",
        f"--peer-cert-file={state.pki / 'etcd.crt'}",
        f"--peer-key-file={state.pki / 'etcd.key'}",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={state.pki / 'ca.crt'}",
        # A cluster for demo and tests may be lost with the power; waiting for the disk at every write would be measured instead.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver_command(state: State, seen: Record) -> list[str]:
    """The API server: RBAC and Node authorizer, nobody anonymous, every request in the audit log.

    PodSecurity is among the admission plugins that are on by default; NodeRestriction is added.
    """
    services = seen.networks.services if seen.networks else _BARE_SERVICES
    return [
        str(binaries.path("kube-apiserver")),
        f"--etcd-servers=https://{LOOPBACK}:{seen.ports['etcd']}",
        f"--etcd-cafile={state.pki / 'ca.crt'}",
        f"--etcd-certfile={state.pki / 'etcd-client.crt'}",
        f"--etcd-keyfile={state.pki / 'etcd-client.key'}",
        f"--bind-address={seen.address}",
        f"--advertise-address={seen.address}",
        f"--secure-port={seen.ports['apiserver']}",
        f"--tls-cert-file={state.pki / 'apiserver.crt'}",
        f"--tls-private-key-file={state.pki / 'apiserver.key'}",
        f"--client-ca-file={state.pki / 'ca.crt'}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-account-key-file={state.pki / 'sa.pub'}",
        f"--service-account-signing-key-file={state.pki / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-cluster-ip-range={services}",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={state.pki / 'ca.crt'}",
        f"--kubelet-client-certificate={state.pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={state.pki / 'kubelet-client.key'}",
        f"--audit-policy-file={state.config / 'audit-policy.json'}",
        f"--audit-log-path={state.audit_log}",
        "--audit-log-maxsize=1000",
        "--audit-log-maxbackup=1",
        "--profiling=false",
    ]


def controller_manager_command(state: State, seen: Record) -> list[str]:
    """The built-in controllers, each with its own service account."""
    return [
        str(binaries.path("kube-controller-manager")),
        f"--kubeconfig={state.config / 'controller-manager.kubeconfig'}",
        f"--authentication-kubeconfig={state.config / 'controller-manager.kubeconfig'}",
        f"--authorization-kubeconfig={state.config / 'controller-manager.kubeconfig'}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={seen.ports['controller-manager']}",
        f"--tls-cert-file={state.pki / 'apiserver.crt'}",
        f"--tls-private-key-file={state.pki / 'apiserver.key'}",
        f"--root-ca-file={state.pki / 'ca.crt'}",
        f"--service-account-private-key-file={state.pki / 'sa.key'}",
        f"--cluster-signing-cert-file={state.pki / 'ca.crt'}",
        f"--cluster-signing-key-file={state.pki / 'ca.key'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--profiling=false",
    ]


@dataclass
class Starter:
    """Starts one process after the other and writes each down before the next, so that a start cut short can be cleaned up."""

    state: State
    seen: Record
    die_with_parent: bool = False
    keep: Callable[[Record], None] = lambda _: None
    """Where else the record is written down."""

    def save(self) -> None:
        """Write the record down."""
        record.save(self.seen, self.state.record)
        self.keep(self.seen)

    def run(self, name: str, command: list[str], ready: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Start the process if it is not running and wait until it is ready."""
        current = self.seen.process(name)
        log = self.state.logs / f"{name}.log"
        if current is None or not current.alive():
            current = processes.start(name, command, log, die_with_parent=self.die_with_parent)
            self.seen = self.seen.started(current)
            self.save()
        processes.wait_ready(name, current, log, ready, seconds)


def prepare(state: State, seen: Record) -> None:
    """Certificates, kubeconfigs and the audit policy; needs no process."""
    state.make()
    addresses = [LOOPBACK, seen.address]
    if seen.networks:
        addresses.append(seen.networks.first_service)
    pki.issue(state, pki.pairs(tuple(dict.fromkeys(addresses)), seen.address))
    (state.config / "audit-policy.json").write_text(json.dumps(audit_policy()))
    pki.write_kubeconfig(state, "controller-manager", seen.server, state.config / "controller-manager.kubeconfig")
    pki.write_kubeconfig(state, "admin", seen.server, state.kubeconfig)


def start(starter: Starter) -> None:
    """etcd, then the API server; the controller manager is started but not waited for, since nothing here needs it first."""
    state, seen = starter.state, starter.seen
    starter.run("etcd", etcd_command(state, seen.ports), lambda: _etcd_ready(state, seen.ports["etcd"]))
    start_apiserver(starter)
    starter.run("kube-controller-manager", controller_manager_command(state, seen), lambda: True)


def start_apiserver(starter: Starter) -> None:
    """Start the API server alone and wait for /readyz; also what a test calls after it stopped it."""
    client = api.Client(starter.state, starter.seen.server)
    starter.run("kube-apiserver", apiserver_command(starter.state, starter.seen), client.ready)


def _etcd_ready(state: State, port: int) -> bool:
    context = pki.client_context(state, "etcd-client")
    try:
        with urllib.request.urlopen(f"https://{LOOPBACK}:{port}/health", timeout=2, context=context) as answer:
            return bool(json.loads(answer.read())["health"] == "true")
    except (urllib.error.URLError, OSError, ValueError):
        return False


def up(folder: Path, *, die_with_parent: bool = False) -> Record:
    """Start a control plane without a node in the folder, on loopback and free ports; no root needed, several may run."""
    binaries.ensure(binaries.CONTROL_PLANE)
    state = State(folder)
    seen = record.load(state.record)
    if seen is None or not seen.all_alive():
        if seen is not None:
            stop(state)
        ports = dict(zip(PORTS, net.free_ports(len(PORTS)), strict=True))
        seen = Record(address=LOOPBACK, ports=ports)
    prepare(state, seen)
    starter = Starter(state, seen, die_with_parent)
    start(starter)
    return starter.seen


def stop(state: State) -> None:
    """Stop the control plane; the last started goes first, so that nobody complains about a lost server."""
    seen = record.load(state.record)
    if seen is not None:
        processes.stop(reversed(seen.processes))
    state.record.unlink(missing_ok=True)


def down(folder: Path) -> None:
    """Stop the control plane and remove its data; logs and the audit log stay for whoever wants to read them."""
    state = State(folder)
    stop(state)
    shutil.rmtree(state.root / "etcd", ignore_errors=True)
