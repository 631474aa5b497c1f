"""A real API server with etcd and controller manager for one test session: starts in seconds, needs no root, stops with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import controlplane, paths, processes, record


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane; nothing but the test knows it."""

    kubeconfig: Path
    """The administrator's, with certificates embedded."""
    audit_log: Path
    """Every request, one JSON object a line (level Metadata)."""
    state: Path
    """Its folder: logs, data, certificates."""

    def stop_apiserver(self) -> None:
        """End the API server, as an upgrade or a crash does; etcd keeps the objects."""
        processes.stop([self._process("kube-apiserver")])

    def start_apiserver(self) -> None:
        """Start the API server again at the same address and wait until it is ready."""
        controlplane.start_apiserver(self._starter())

    def restart_apiserver(self) -> None:
        """End and start the API server: every watch is cut."""
        self.stop_apiserver()
        self.start_apiserver()

    def stop(self) -> None:
        """Stop everything; logs and the audit log stay readable until the folder is removed."""
        controlplane.down(self.state)

    def _process(self, name: str) -> processes.Process:
        found = self._record().process(name)
        if found is None:
            raise LookupError(f"{name} was never started in {self.state}")
        return found

    def _record(self) -> record.Record:
        found = record.load(paths.State(self.state).record)
        if found is None:
            raise LookupError(f"no control plane was started in {self.state}")
        return found

    def _starter(self) -> controlplane.Starter:
        return controlplane.Starter(paths.State(self.state), self._record(), die_with_parent=True)


@contextmanager
def control_plane(state: Path | None = None) -> Iterator[ControlPlane]:
    """Start a control plane for the block; in a temporary folder that is removed afterwards unless one is given.

    The processes end with the thread that entered the block, even when the test run is killed.
    """
    folder = state or Path(tempfile.mkdtemp(prefix="videojob-control-plane-"))
    files = paths.State(folder)
    running = ControlPlane(files.kubeconfig, files.audit_log, folder)
    try:
        controlplane.up(folder, die_with_parent=True)
        yield running
    finally:
        running.stop()
        if state is None:
            shutil.rmtree(folder, ignore_errors=True)
