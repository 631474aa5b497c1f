"""What a host cluster leaves on a machine is found by what is ours alone, and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import cleanup, hostnet, node, volumes
from cluster.net import Networks

_RULES = """\
*filter
:INPUT ACCEPT [10:20]
:KUBE-FIREWALL - [0:0]
:DOCKER - [0:0]
:VIDEOJOB-PODS - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -j VIDEOJOB-PODS
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -m comment --comment "not to KUBE-FIREWALL" -j DOCKER
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:CNI-0123456789abcdef - [0:0]
:CNI-fedcba9876543210 - [0:0]
:CNI-00112233445566 - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-0123 - [0:0]
:CNI-DN-4567 - [0:0]
-A POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \\"videojob\\" id: \\"a1\\"" -j CNI-0123456789abcdef
-A POSTROUTING -s 10.4.0.2/32 -m comment --comment "name: \\"bridge\\" id: \\"b2\\"" -j CNI-fedcba9876543210
-A POSTROUTING -s 10.5.0.2/32 -m comment --comment "name: \\"videojob2\\" id: \\"c3\\"" -j CNI-00112233445566
-A CNI-0123456789abcdef -d 10.244.0.0/24 -m comment --comment "name: \\"videojob\\" id: \\"a1\\"" -j ACCEPT
-A CNI-fedcba9876543210 -d 10.4.0.0/24 -m comment --comment "name: \\"bridge\\" id: \\"b2\\"" -j ACCEPT
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"videojob\\" id: \\"a1\\"" -j CNI-DN-0123
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"bridge\\" id: \\"b2\\"" -j CNI-DN-4567
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
COMMIT
"""


_NAT_REMOVAL = [
    "*nat",
    ":CNI-0123456789abcdef - [0:0]",
    ":CNI-DN-0123 - [0:0]",
    '-D POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \\"videojob\\" id: \\"a1\\"" -j CNI-0123456789abcdef',
    '-D CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"videojob\\" id: \\"a1\\"" -j CNI-DN-0123',
    "-X CNI-0123456789abcdef",
    "-X CNI-DN-0123",
    "COMMIT",
]


def test_chains_of_the_cluster_go_with_the_jumps_to_them_and_those_of_other_networks_stay() -> None:
    assert cleanup.chain_removal(_RULES, kubernetes=True).splitlines() == [
        "*filter",
        ":KUBE-FIREWALL - [0:0]",
        ":VIDEOJOB-PODS - [0:0]",
        "-D INPUT -j KUBE-FIREWALL",
        "-D INPUT -j VIDEOJOB-PODS",
        "-X KUBE-FIREWALL",
        "-X VIDEOJOB-PODS",
        "COMMIT",
        *_NAT_REMOVAL,
    ]


def test_where_no_cluster_of_ours_ran_the_chains_that_every_kubernetes_has_stay() -> None:
    assert cleanup.chain_removal(_RULES, kubernetes=False).splitlines() == [
        "*filter",
        ":VIDEOJOB-PODS - [0:0]",
        "-D INPUT -j VIDEOJOB-PODS",
        "-X VIDEOJOB-PODS",
        "COMMIT",
        *_NAT_REMOVAL,
    ]


def test_the_firewall_chain_lets_only_answers_towards_the_pods_and_is_removed_wholly() -> None:
    networks = Networks.of(244)
    rules = [line for line in hostnet.firewall_rules(networks).splitlines() if line.startswith("-")]
    inward = [rule for rule in rules if f"-o {node.POD_BRIDGE}" in rule]
    assert len(inward) == 1
    assert "--ctstate RELATED,ESTABLISHED" in inward[0]
    assert all("--comment" in rule for rule in rules if rule.startswith("-A"))
    jumps = [rule for rule in rules if rule.startswith("-I")]
    saved = hostnet.firewall_rules(networks).replace("-I ", "-A ")
    removal = cleanup.chain_removal(saved, kubernetes=False).splitlines()
    assert [rule.replace("-I ", "-D ") for rule in jumps] == [line for line in removal if line.startswith("-D")]
    assert f"-X {hostnet.FIREWALL_CHAIN}" in removal


def test_the_cni_network_has_the_name_that_its_chains_are_known_by(tmp_path: Path) -> None:
    assert node.cni_config(Networks.of(244), tmp_path)["name"] == node.NETWORK == "videojob"


@dataclass(frozen=True)
class SwitchCase:
    name: str
    given: str
    starts: int
    expect: str


SWITCHES = (
    SwitchCase("it was off", "0\n", 1, "0"),
    SwitchCase("it was off and a second start found it on", "0\n", 2, "0"),
    SwitchCase("it was on already", "1\n", 1, "1"),
)


@pytest.mark.parametrize("case", SWITCHES, ids=lambda case: case.name)
def test_the_bridge_switch_gets_its_old_value_back(case: SwitchCase, tmp_path: Path) -> None:
    switch, before = tmp_path / "switch", tmp_path / "run" / "before"
    switch.write_text(case.given)
    for _ in range(case.starts):
        assert hostnet.switch_on_bridge_calls(switch, before)
        assert switch.read_text().strip() == "1"
    hostnet.restore_bridge_calls(switch, before)
    assert switch.read_text().strip() == case.expect
    assert not before.exists()
    switch.write_text("1")
    hostnet.restore_bridge_calls(switch, before)
    assert switch.read_text() == "1"


def test_a_machine_without_our_chains_needs_no_rules() -> None:
    assert cleanup.chain_removal("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n", kubernetes=True) == ""


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
        "a letter beyond ASCII",
        "31 1 0:1 / /home/me/app/.cluster/Vidéo\\040ž rw - tmpfs t rw",
        ["/home/me/app/.cluster/Vidéo ž"],
    ),
    Case(
        "a tab, a line feed and a backslash that begins no escape of the kernel's",
        "31 1 0:1 / /home/me/app/.cluster/a\\011b\\012c\\134x41\u2028 rw - tmpfs t rw",
        ["/home/me/app/.cluster/a\tb\nc\\x41\u2028"],
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
