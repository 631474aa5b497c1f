"""The pool of local volumes: folders, and the way back into the pool for a volume whose claim is gone.

A deleted claim leaves its volume Released with the bytes in it, and nothing reuses it. The next `up`, also of a cluster that
runs, wipes such volumes and makes them Available again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cluster import manifests, say
from cluster.api import Client


def make_folders(root: Path) -> None:
    """One folder per volume, writable by whoever a pod runs as where it sets no fsGroup."""
    for index in range(manifests.POOL_SIZE):
        folder = root / manifests.volume_name(index)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)


def released(items: Iterable[dict[str, Any]]) -> list[str]:
    """Names of the pool's volumes whose claim is gone."""
    return [
        item["metadata"]["name"]
        for item in items
        if item["spec"].get("storageClassName") == manifests.STORAGE_CLASS
        and item.get("status", {}).get("phase") == "Released"
    ]


def recycle(client: Client, root: Path) -> int:
    """Wipe and free every Released volume; says how many."""
    names = released(client.get("/api/v1/persistentvolumes")["items"])
    for name in names:
        wipe(root / name)
        client.patch(f"/api/v1/persistentvolumes/{name}", {"spec": {"claimRef": None}})
    if names:
        say.line(f"wiped and freed {len(names)} released volumes")
    return len(names)


def wipe(folder: Path) -> None:
    """Empty the folder and give it back its first owner and mode, which a pod's fsGroup may have changed."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    os.chown(folder, os.geteuid(), os.getegid())
    folder.chmod(0o777)
