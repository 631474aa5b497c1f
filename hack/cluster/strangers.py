"""Another Kubernetes on this machine: found before anything is stopped or cleaned, and never touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cluster import say
from cluster.processes import Process

KUBELETS = ("kubelet", "k3s", "k0s", "rke2", "kubelite", "microk8s")
"""Programs that manage the whole machine's pods and iptables; `kubelite` is what MicroK8s runs."""


def find(commands: Iterable[tuple[int, Sequence[str]]], ours: Iterable[Process]) -> str | None:
    """The name of a running kubelet, or of what contains one, that is none of our recorded processes; None without one.

    `commands` are the pid and argv of all processes.
    """
    own = {process.pid for process in ours if process.alive()}
    names = (Path(argv[0]).name for pid, argv in commands if argv and pid not in own)
    return next((name for name in names if name in KUBELETS), None)


def refuse(commands: Iterable[tuple[int, Sequence[str]]], ours: Iterable[Process]) -> None:
    """CannotRunError in one sentence if another Kubernetes runs here."""
    found = find(commands, ours)
    if found:
        raise say.CannotRunError(
            f"A {found} that is not ours runs on this machine, and there can be only one: stop it first."
        )
