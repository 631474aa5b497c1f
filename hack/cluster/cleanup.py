"""Take a host cluster's traces off the machine: pods' processes, mounts, bridges, iptables chains, control groups, links.

It works from what the kernel shows and from the names that are ours alone, never from what a start meant to do, so that it
also cleans up after a cluster that died half-way or whose checkout is gone. Everything here may be called when there is
nothing to do.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from cluster import node, processes
from cluster.paths import RUN_DIR, State

_OUR_CHAINS = ("KUBE-", "CNI-")
_LOG_LINKS = Path("/var/log/containers")
_KUBELET = "/.cluster/kubelet"
_CGROUPS = Path("/sys/fs/cgroup")


def shim_pids(commands: Iterable[tuple[int, Sequence[str]]]) -> list[int]:
    """The containerd shims that belong to our socket, out of (pid, argv) of all processes."""
    socket = str(node.CONTAINERD_SOCKET)
    return [pid for pid, argv in commands if argv and "containerd-shim" in Path(argv[0]).name and socket in argv]


def chain_removal(saved: str) -> str:
    """Input for `iptables-restore --noflush` that removes the cluster's chains and the jumps to them, from `iptables-save`.

    Chains and rules of others are not touched; empty if there is nothing of ours.
    """
    result: list[str] = []
    table: list[str] = []
    for line in [*saved.splitlines(), "*"]:
        if line.startswith("*"):
            result += _table_removal(table)
            table = [line]
        else:
            table.append(line)
    return "".join(f"{line}\n" for line in result)


def _table_removal(table: list[str]) -> list[str]:
    chains = [line[1:].split()[0] for line in table if line.startswith(":")]
    ours = [chain for chain in chains if chain.startswith(_OUR_CHAINS)]
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


def _jumps_to(rule: str, chains: list[str]) -> bool:
    words = rule.split()
    return any(word in ("-j", "-g") and target in chains for word, target in itertools.pairwise(words))


def mounts_below(mountinfo: str, roots: Iterable[Path]) -> list[str]:
    """Mount points in or below the folders, the latest first, out of /proc/self/mountinfo.

    Pods' volumes are known by their path as well, since a checkout may have been moved while its cluster ran.
    """
    prefixes = [str(root) for root in roots]
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
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


def machine(roots: Iterable[Path]) -> None:
    """Remove what a cluster left on the machine; `roots` are the state folders whose mounts are ours."""
    _kill_shims()
    _unmount([*roots, node.CONTAINERD_STATE])
    for link in (node.NODE_BRIDGE, node.POD_BRIDGE):
        if Path(f"/sys/class/net/{link}").exists():
            subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)
    for family in ("iptables", "ip6tables"):
        _remove_chains(family)
    _remove_cgroups()
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
    for point in mounts_below(Path("/proc/self/mountinfo").read_text(), roots):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


def _remove_chains(family: str) -> None:
    if shutil.which(f"{family}-save") is None:
        return
    saved = subprocess.run([f"{family}-save"], capture_output=True, text=True, check=False).stdout
    rules = chain_removal(saved)
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
