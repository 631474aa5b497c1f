"""Take a host cluster's traces off the machine: pods' processes, mounts, bridges, iptables chains, control groups, links.

It works from what the kernel shows and from the names that are ours alone, never from what a start meant to do, so that it
also cleans up after a cluster that died half-way or whose checkout is gone. Everything here may be called when there is
nothing to do.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from cluster import hostnet, node, processes
from cluster.paths import RUN_DIR, State

_OUR_NETWORK = re.compile(rf'name: \\?"{node.NETWORK}\\?" id: ')
"""In the comment of the bridge and portmap plugins' rules; `iptables-save` escapes the quotes."""
_SHARED_CHAINS = "CNI-HOSTPORT-"
"""One set for all CNI networks of the machine, Podman's and nerdctl's too."""
_MOUNT_ESCAPES = re.compile(r"\\(040|011|012|134)")
"""Blank, tab, line feed and backslash; the kernel writes every other byte of a path as it is."""
_LOG_LINKS = Path("/var/log/containers")
_KUBELET = "/.cluster/kubelet"
_CGROUPS = Path("/sys/fs/cgroup")


def shim_pids(commands: Iterable[tuple[int, Sequence[str]]]) -> list[int]:
    """The containerd shims that belong to our socket, out of (pid, argv) of all processes."""
    socket = str(node.CONTAINERD_SOCKET)
    return [pid for pid, argv in commands if argv and "containerd-shim" in Path(argv[0]).name and socket in argv]


def chain_removal(saved: str, *, kubernetes: bool) -> str:
    """Input for `iptables-restore --noflush` that removes the cluster's chains and the jumps to them, from `iptables-save`.

    Our firewall chain and the chains of our CNI network are known by name; KUBE-* chains look the same whoever made them
    and go only if `kubernetes` says that they are ours. Others' chains and rules stay; empty if there is nothing of ours.
    """
    result: list[str] = []
    table: list[str] = []
    for line in [*saved.splitlines(), "*"]:
        if line.startswith("*"):
            result += _table_removal(table, kubernetes=kubernetes)
            table = [line]
        else:
            table.append(line)
    return "".join(f"{line}\n" for line in result)


def _table_removal(table: list[str], *, kubernetes: bool) -> list[str]:
    chains = [line[1:].split()[0] for line in table if line.startswith(":")]
    named = [line for line in table if line.startswith("-A ") and _OUR_NETWORK.search(line)]
    ours = [
        chain
        for chain in chains
        if chain == hostnet.FIREWALL_CHAIN
        or (kubernetes and chain.startswith("KUBE-"))
        or (chain.startswith("CNI-") and not chain.startswith(_SHARED_CHAINS) and _belongs_to(named, chain))
    ]
    if not ours:
        return []
    jumps = [line for line in table if line.startswith("-A ") and _jumps_to(line, ours) and line.split()[1] not in ours]
    return [
        table[0],
        # Naming a chain empties it; a chain can be deleted only once nothing jumps to it.
        *(f":{chain} - [0:0]" for chain in ours),
        *(f"-D {line.removeprefix('-A ')}" for line in jumps),
        *(f"-X {chain}" for chain in ours),
        "COMMIT",
    ]


def _belongs_to(named: list[str], chain: str) -> bool:
    return any(line.split()[1] == chain or _jumps_to(line, [chain]) for line in named)


def _jumps_to(rule: str, chains: list[str]) -> bool:
    words = rule.split()
    return any(word in ("-j", "-g") and target in chains for word, target in itertools.pairwise(words))


def mounts_below(mountinfo: str, roots: Iterable[Path]) -> list[str]:
    """Mount points in or below the folders, the latest first, out of /proc/self/mountinfo.

    Pods' volumes are known by their path as well, since a checkout may have been moved while its cluster ran.
    """
    prefixes = [str(root) for root in roots]
    points = [
        _MOUNT_ESCAPES.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4])
        for line in mountinfo.split("\n")
        if line
    ]
    found = [
        point
        for point in points
        if any(f"{point}/".startswith(f"{prefix}/") for prefix in prefixes) or f"{_KUBELET}/" in f"{point}/"
    ]
    return found[::-1]


def remove_containers() -> None:
    """While containerd still answers: end all tasks and forget their containers; images stay."""
    ctr = ["ctr", "--address", str(node.CONTAINERD_SOCKET), "--timeout", "20s", "--namespace", "k8s.io"]
    if not node.CONTAINERD_SOCKET.is_socket() or shutil.which("ctr") is None:
        return
    listed = subprocess.run([*ctr, "containers", "ls", "-q"], capture_output=True, text=True, check=False)
    names = listed.stdout.split()
    if listed.returncode != 0 or not names:
        return
    subprocess.run([*ctr, "tasks", "delete", "--force", *names], capture_output=True, check=False)
    subprocess.run([*ctr, "containers", "delete", *names], capture_output=True, check=False)


def machine(roots: Iterable[Path], *, kubernetes: bool) -> None:
    """Remove what a cluster left on the machine; `roots` are the state folders whose mounts are ours.

    What every Kubernetes names alike (KUBE-* chains, the control groups) or relies on (the bridge switch) is touched only if
    `kubernetes` says that a cluster of ours ran here since boot and no other one runs.
    """
    _kill_shims()
    _unmount([*roots, node.CONTAINERD_STATE])
    for link in (node.NODE_BRIDGE, node.POD_BRIDGE):
        if Path(f"/sys/class/net/{link}").exists():
            subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)
    for family in ("iptables", "ip6tables"):
        _remove_chains(family, kubernetes=kubernetes)
    if kubernetes:
        _remove_cgroups()
        hostnet.restore_bridge_calls()
    shutil.rmtree(node.CONTAINERD_STATE, ignore_errors=True)
    shutil.rmtree(RUN_DIR / "addresses", ignore_errors=True)


def log_links(state: State) -> None:
    """The kubelet links every container's log in a folder of the machine; take ours away."""
    for link in _LOG_LINKS.iterdir() if _LOG_LINKS.is_dir() else []:
        if link.is_symlink() and os.readlink(link).startswith(f"{state.logs}/"):  # noqa: PTH115  the target may be gone
            link.unlink()


def all_commands() -> list[tuple[int, list[str]]]:
    """Pid and argv of every process; those that end meanwhile are left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            argv = (folder / "cmdline").read_bytes().split(b"\0")[:-1]
        except OSError:
            continue
        found.append((int(folder.name), [part.decode(errors="replace") for part in argv]))
    return found


def _kill_shims() -> None:
    """A shim adopts what its container leaves, so killing its children until none is left ends the pod; then the shim."""

    def gone() -> bool:
        shims = shim_pids(all_commands())
        for shim in shims:
            children = _children(shim)
            for pid in children or [shim]:
                _kill(pid)
        return not shims

    processes.wait_until(gone, 10.0)


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found += [int(pid) for pid in thread.read_text().split()]
        except OSError:
            continue
    return [pid for pid in found if processes.start_time(pid) is not None]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _unmount(roots: list[Path]) -> None:
    for point in mounts_below(Path("/proc/self/mountinfo").read_bytes().decode(errors="surrogateescape"), roots):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


def _remove_chains(family: str, *, kubernetes: bool) -> None:
    if shutil.which(f"{family}-save") is None:
        return
    saved = subprocess.run([f"{family}-save"], capture_output=True, text=True, check=False).stdout
    rules = chain_removal(saved, kubernetes=kubernetes)
    if rules:
        subprocess.run([f"{family}-restore", "--noflush"], input=rules, text=True, capture_output=True, check=False)


def _remove_cgroups() -> None:
    """Control groups can be removed once empty, the inner ones first; version 1 has one tree per controller."""
    for tree in (_CGROUPS / "kubepods", *_CGROUPS.glob("*/kubepods")):
        for folder, _, _ in os.walk(tree, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                continue
