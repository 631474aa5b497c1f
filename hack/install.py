"""Everything up to an installed chart: cluster, images, `helm upgrade --install`. Can be repeated.

Used by `make demo` and by the end-to-end tests, so that both start from the same product.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMESPACE = "videojob-system"
RELEASE = "videojob"


def hack(*args: str) -> str:
    """`python3 hack/cluster ...`: progress goes to the terminal, the answer is returned."""
    argv = [sys.executable, "hack/cluster", *args]
    return subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def image_values() -> list[str]:
    """Helm settings that name the images as they were built and loaded."""
    values = []
    for line in hack("images", "--print-refs").splitlines():
        name, _, reference = line.partition("=")
        repository, _, tag = reference.rpartition(":")
        values += ["--set", f"{name}.image.repository={repository}", "--set-string", f"{name}.image.tag={tag}"]
    return values


def install(*extra: str) -> None:
    """Cluster, images, chart, and wait until the operator is ready. `extra` goes to helm."""
    subprocess.run([sys.executable, "hack/cluster", "up"], cwd=ROOT, check=True, stdout=sys.stderr)
    subprocess.run([sys.executable, "hack/cluster", "images"], cwd=ROOT, check=True, stdout=sys.stderr)
    helm, kubeconfig = hack("path", "helm"), hack("kubeconfig")
    argv = [
        *(helm, "upgrade", "--install", RELEASE, "charts/videojob-operator", "--namespace", NAMESPACE),
        *("--create-namespace", "--wait", "--timeout", "180s", *image_values(), *extra),
    ]
    subprocess.run(argv, cwd=ROOT, check=True, stdout=sys.stderr, env={**os.environ, "KUBECONFIG": kubeconfig})


if __name__ == "__main__":
    try:
        install(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
