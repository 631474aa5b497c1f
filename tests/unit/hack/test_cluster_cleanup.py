"""What a host cluster leaves on a machine is found by what is ours alone, and nothing else is touched."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import cleanup, node, processes, volumes

_RULES = """\
*filter
:INPUT ACCEPT [10:20]
:KUBE-FIREWALL - [0:0]
:DOCKER - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -m comment --comment "not to KUBE-FIREWALL" -j DOCKER
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:CNI-0123456789abcdef - [0:0]
-A POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \\"videojob\\"" -j CNI-0123456789abcdef
-A CNI-0123456789abcdef -d 10.244.0.0/24 -j ACCEPT
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
COMMIT
"""


def test_chains_of_the_cluster_go_with_the_jumps_to_them_and_others_stay() -> None:
    assert cleanup.chain_removal(_RULES).splitlines() == [
        "*filter",
        ":KUBE-FIREWALL - [0:0]",
        "-D INPUT -j KUBE-FIREWALL",
        "-X KUBE-FIREWALL",
        "COMMIT",
        "*nat",
        ":CNI-0123456789abcdef - [0:0]",
        '-D POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \\"videojob\\"" -j CNI-0123456789abcdef',
        "-X CNI-0123456789abcdef",
        "COMMIT",
    ]


def test_a_machine_without_our_chains_needs_no_rules() -> None:
    assert cleanup.chain_removal("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n") == ""


@dataclass(frozen=True)
class Case:
    name: str
    given: str
    expect: list[str]


MOUNTS = (
    Case("below the state folder", "31 1 0:1 / /home/me/app/.cluster/x rw - tmpfs t rw", ["/home/me/app/.cluster/x"]),
    Case("a folder whose name only begins alike", "31 1 0:1 / /home/me/app/.cluster2/x rw - tmpfs t rw", []),
    Case(
        "a space in the path", "31 1 0:1 / /home/me/app/.cluster/a\\040b rw - tmpfs t rw", ["/home/me/app/.cluster/a b"]
    ),
    Case(
        "the inner one first",
        "31 1 0:1 / /home/me/app/.cluster/x rw - tmpfs t rw\n32 31 0:1 / /home/me/app/.cluster/x/y rw - tmpfs t rw",
        ["/home/me/app/.cluster/x/y", "/home/me/app/.cluster/x"],
    ),
    Case(
        "a pod's volume of a checkout that was moved",
        "31 1 0:1 / /elsewhere/.cluster/kubelet/pods/1/volumes/v rw - tmpfs t rw",
        ["/elsewhere/.cluster/kubelet/pods/1/volumes/v"],
    ),
)


@pytest.mark.parametrize("case", MOUNTS, ids=lambda case: case.name)
def test_mounts_are_ours_by_their_path(case: Case) -> None:
    assert cleanup.mounts_below(case.given, [Path("/home/me/app/.cluster")]) == case.expect


def test_only_shims_of_our_own_socket_are_ours() -> None:
    ours = ["/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-address", str(node.CONTAINERD_SOCKET)]
    theirs = ["/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-address", "/run/containerd/containerd.sock"]
    reader = ["less", str(node.CONTAINERD_SOCKET)]
    assert cleanup.shim_pids([(1, ours), (2, theirs), (3, reader), (4, [])]) == [1]


def test_a_process_is_known_by_its_start_time_and_stopped(tmp_path: Path) -> None:
    child = processes.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")
    impostor = processes.Process("impostor", child.pid, child.started + 1)
    assert child.alive()
    assert not impostor.alive()
    processes.stop([impostor])
    assert child.alive()
    processes.stop([child])
    assert not child.alive()


def test_a_process_that_will_not_end_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = processes.start("stubborn", [sys.executable, "-c", stubborn], log)
    assert processes.wait_until(lambda: "deaf" in log.read_text(), 20)
    processes.stop([child], seconds=0.2)
    assert not child.alive()


def test_a_released_volume_is_wiped_whatever_lies_in_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    folder = tmp_path / "local-00"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_text("x")
    (folder / "link").symlink_to(outside)
    folder.chmod(0o2775)
    volumes.wipe(folder)
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o7777 == 0o777
    assert (outside / "kept").read_text() == "kept"


def test_only_released_volumes_of_the_pool_are_recycled() -> None:
    def item(name: str, storage_class: str, phase: str) -> dict[str, object]:
        return {"metadata": {"name": name}, "spec": {"storageClassName": storage_class}, "status": {"phase": phase}}

    items = [
        item("a", "local", "Released"),
        item("b", "local", "Bound"),
        item("c", "nfs", "Released"),
        item("d", "local", "Available"),
    ]
    assert volumes.released(items) == ["a"]
