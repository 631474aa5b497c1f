"""Build the pinned Go programs once and keep them by version: a cold machine compiles for minutes, a warm one for nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster import locks, paths, say, toolchain

KUBERNETES = "v1.34.4"
HELM = "v3.22.0"
_VERSION = "k8s.io/component-base/version"
_FREE_BYTES = 8 * 2**30
"""What a cold build writes: modules, compiler cache and binaries, with room to spare."""


@dataclass(frozen=True)
class Binary:
    """One program: its name for people, the package that builds it, and the Go module under go/ that pins it."""

    name: str
    package: str
    module: str


FLAGS: Mapping[str, str] = {
    # Without the stamps the control plane calls itself v0.0.0, which kubelet and Helm refuse.
    "kubernetes": f"-s -w -X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=34"
    f" -X {_VERSION}.gitTreeState=clean",
    # Without a cluster at hand, as in `helm template`, Helm would take itself to be talking to Kubernetes 1.20.
    "helm": f"-s -w -X helm.sh/helm/v3/internal/version.version={HELM}"
    " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34",
    "kind": "-s -w",
}

TABLE: tuple[Binary, ...] = (
    # In the order in which a start needs them; the compiler works through them in this order.
    Binary("certs", "./certs", "kubernetes"),
    Binary("pause", "./pause", "kubernetes"),
    Binary("etcd", "go.etcd.io/etcd/server/v3", "kubernetes"),
    Binary("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "kubernetes"),
    Binary("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "kubernetes"),
    Binary("kubectl", "k8s.io/kubernetes/cmd/kubectl", "kubernetes"),
    Binary("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", "kubernetes"),
    Binary("kubelet", "k8s.io/kubernetes/cmd/kubelet", "kubernetes"),
    Binary("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy", "kubernetes"),
    Binary("coredns", "./coredns", "kubernetes"),
    Binary("helm", "helm.sh/helm/v3/cmd/helm", "helm"),
    Binary("kind", "sigs.k8s.io/kind", "kind"),
)

CONTROL_PLANE = ("certs", "etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
HOST_CLUSTER = tuple(binary.name for binary in TABLE if binary.module == "kubernetes")
KIND_CLUSTER = ("kubectl", "kind")


def by_name(name: str) -> Binary:
    """The table's row for a program; CannotRunError lists the known names."""
    for binary in TABLE:
        if binary.name == name:
            return binary
    known = ", ".join(binary.name for binary in TABLE)
    raise say.CannotRunError(f"There is no tool named {name!r} here; known are {known}.")


def path(name: str) -> Path:
    """Where the program lies once it is built."""
    binary = by_name(name)
    return paths.binaries_dir(binary.module, FLAGS[binary.module]) / name


def missing(names: Iterable[str]) -> list[Binary]:
    """Those that the cache lacks, in the table's order."""
    wanted = set(names)
    return [binary for binary in TABLE if binary.name in wanted and not path(binary.name).is_file()]


def build_command(go: Path, flags: str, output: Path, packages: Iterable[str]) -> list[str]:
    """One compiler call for all packages of a module, so that linking one overlaps with compiling the next."""
    return [str(go), "build", "-trimpath", f"-ldflags={flags}", "-o", f"{output}/", *packages]


def ensure(names: Iterable[str]) -> None:
    """Build what the cache lacks; a second process that wants the same waits for the first and finds it done.

    Raises CannotRunError with one sentence if there is no Go, no disk space, or the compiler fails.
    """
    names = tuple(names)
    if not missing(names):
        return
    with locks.exclusive(paths.cache_root() / "build.lock", "another build of the Kubernetes binaries"):
        absent = missing(names)
        if not absent:
            return
        require_space(paths.cache_root(), _FREE_BYTES, "building the Kubernetes binaries")
        go = toolchain.find()
        for module in dict.fromkeys(binary.module for binary in absent):
            _build_module(go, module, [binary for binary in absent if binary.module == module])


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Refuse early, in one sentence, what would end half-way with a full disk."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise say.CannotRunError(
            f"{folder} has {free / 2**30:.1f} GiB free and {purpose} needs {needed / 2**30:.0f} GiB:"
            " free some space or set XDG_CACHE_HOME to a larger disk."
        )


def _build_module(go: Path, module: str, wanted: list[Binary]) -> None:
    target = paths.binaries_dir(module, FLAGS[module])
    fresh = target.with_name(f"fresh-{os.getpid()}")
    fresh.mkdir(parents=True, exist_ok=True)
    try:
        packages = [binary.package for binary in wanted]
        say.line(f"compiling {', '.join(binary.name for binary in wanted)} (minutes, only once)")
        with say.step(f"compiled {len(wanted)} programs of go/{module}"):
            _run(build_command(go, FLAGS[module], fresh, packages), paths.GO_MODULES / module, fresh)
        target.mkdir(parents=True, exist_ok=True)
        for binary in wanted:
            (fresh / _built_name(binary)).rename(target / binary.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _built_name(binary: Binary) -> str:
    """What `go build -o DIR/` calls it: the last part of the package path that is not a major version."""
    return Path(binary.package.removesuffix("/v3")).name


def _run(command: list[str], folder: Path, output: Path) -> None:
    environ = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    # -mod=mod in somebody's GOFLAGS would rewrite the pins, a vendor flag would miss them.
    environ["GOFLAGS"] = "-mod=readonly -buildvcs=false"
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as go:
        done = threading.Event()
        watcher = threading.Thread(target=_announce, args=(output, done), daemon=True)
        watcher.start()
        _, errors = go.communicate()
        done.set()
        watcher.join()
    if go.returncode != 0:
        tail = " | ".join([text for text in errors.strip().splitlines() if not text.startswith("go: downloading")][-3:])
        raise say.CannotRunError(f"The Go compiler could not build the Kubernetes binaries: {tail}")


def _announce(output: Path, done: threading.Event) -> None:
    seen: set[str] = set()
    while not done.wait(1.0):
        for name in sorted({entry.name for entry in output.iterdir()} - seen):
            seen.add(name)
            say.line(f"  built {'etcd' if name == 'server' else name}")
