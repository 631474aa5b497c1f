"""Where things lie: binaries by version in the user's cache, a cluster's state in its checkout, run-time facts in /run."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
GO_MODULES = PACKAGE / "go"
CHECKOUT = PACKAGE.parents[1]

RUN_DIR = Path("/run/videojob-cluster")
"""Facts about the one host cluster of this machine: lock, owner record, containerd's sockets. Gone after a reboot, as it is."""


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder for everything that is worth keeping between checkouts."""
    base = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "/root")) / ".cache")
    return Path(base) / "videojob"


def digest(*roots: Path, salt: str = "") -> str:
    """A short hash over the names and bytes of files and folders, so that a cached product is renewed when its sources change."""
    total = hashlib.sha256(salt.encode())
    for root in roots:
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            if "__pycache__" in path.parts:
                continue
            name = path.name if path == root else path.relative_to(root).as_posix()
            total.update(f"{name}\0{path.stat().st_size}\0".encode())
            total.update(path.read_bytes())
    return total.hexdigest()[:12]


def digest_text(text: str) -> str:
    """A short hash of a text, for names."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def binaries_dir(module: str, flags: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the binaries of one Go module lie; another pin, flag or machine kind is another folder."""
    key = digest(GO_MODULES / module, salt=f"{platform.machine()} {flags}")
    return cache_root(environ) / f"{module}-{key}" / "bin"


@dataclass(frozen=True)
class State:
    """The files of one cluster below its state folder."""

    root: Path

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Rendered configuration files."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, certificates embedded."""
        return self.root / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """Every request to the API server, one JSON object a line."""
        return self.root / "audit" / "audit.log"

    @property
    def record(self) -> Path:
        """What runs: addresses, ports, process ids."""
        return self.root / "cluster.json"

    @property
    def volumes(self) -> Path:
        """The folders behind the pool of PersistentVolumes."""
        return self.root / "volumes"

    @property
    def containerd(self) -> Path:
        """Root of containerd: loaded images live here and survive `down`."""
        return self.root / "containerd"

    def make(self) -> State:
        """Create the folders that every cluster writes to."""
        for path in (self.root, self.config, self.logs, self.audit_log.parent):
            path.mkdir(parents=True, exist_ok=True)
        return self


def checkout_state() -> State:
    """The state of this checkout's cluster."""
    return State(CHECKOUT / ".cluster")
