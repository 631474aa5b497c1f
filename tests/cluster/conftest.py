"""A real etcd, API server and controller manager, without nodes: tests play the kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from audit import Audit
from controlplane import ControlPlane, control_plane
from operated import Cluster, OperatorProcess, connected, install_crds

_numbers = count(1)


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """One control plane for the whole layer, CRDs applied."""
    with control_plane() as running:

        async def prepare() -> None:
            async with connected(running.kubeconfig) as cluster:
                await install_crds(cluster)
                await cluster.defaults()

        asyncio.run(prepare())
        yield running


@pytest.fixture
async def cluster(plane: ControlPlane) -> AsyncIterator[Cluster]:
    """The administrator's hands."""
    async with connected(plane.kubeconfig) as hands:
        yield hands


@pytest.fixture
def namespace() -> str:
    """The name of a namespace nobody uses."""
    return f"team-{next(_numbers)}"


@pytest.fixture
def audit(plane: ControlPlane) -> Audit:
    """What the API server logs from here on."""
    return Audit(plane.audit_log)


@pytest.fixture
def operators(plane: ControlPlane, tmp_path: Path) -> Iterator[Callable[..., OperatorProcess]]:
    """Makes operators; whatever they are doing, they end with the test."""
    made: list[OperatorProcess] = []

    def make(**settings: str) -> OperatorProcess:
        process = OperatorProcess(plane.kubeconfig, tmp_path / f"operator-{len(made)}.log", settings)
        made.append(process)
        return process

    yield make
    for process in made:
        process.end()
