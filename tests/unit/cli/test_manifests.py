"""What the command creates: whole objects, compared with files that a person has read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from videojob_api.contract import StorePaths
from videojob_cli import manifests

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    name: str
    given: Any


CASES = (
    Case(
        "transfer-pod-in",
        lambda: manifests.transfer_pod(
            "videojob-transfer-1",
            namespace="team",
            image="worker:1",
            claim="videojob-store",
            direction="in",
            size_bytes=6 * 2**30,
        ),
    ),
    Case(
        "transfer-pod-out",
        lambda: manifests.transfer_pod(
            "videojob-transfer-1", namespace="team", image="worker:1", claim="bytes", direction="out", uid="u-1"
        ),
    ),
    Case(
        "transfer-pod-evidence",
        lambda: manifests.transfer_pod(
            "videojob-transfer-1", namespace="team", image="worker:1", claim="bytes", direction="evidence", uid="u-1"
        ),
    ),
    Case("init", lambda: manifests.init_objects("team", image="worker:1")),
    Case(
        "init-with-everything",
        lambda: manifests.init_objects(
            "team", image=None, size="500Gi", storage_class="fast", access_mode="ReadWriteMany"
        ),
    ),
    Case("namespace", lambda: manifests.namespace_object("team")),
    Case(
        "videojob",
        lambda: manifests.videojob(
            manifests.transcode_spec(
                "store://inbox/" + "a" * 64, "clip.mp4", profiles=("720p",), priority="Low", limit="2Gi"
            ),
            generate="clip",
        ),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    made = case.given()
    documents = made if isinstance(made, list) else [made]
    assert documents == list(yaml.safe_load_all((GOLDEN / f"{case.name}.yaml").read_text()))


def test_s_053_a_store_has_the_seeds_room_and_a_place_for_everything() -> None:
    """500 GB where they are asked for; films, cache and temporary files lie in folders of their own."""
    made = manifests.init_objects("team", image=None, size="500Gi")
    (claim,) = [one for one in made if one["kind"] == "PersistentVolumeClaim"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "500Gi"
    paths = StorePaths()
    assert len({paths.job, paths.cache, paths.stock, paths.inbox, paths.scratch}) == 5


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("My Clip (1).mp4", "my-clip-1"),
        ("trailer.final.MOV", "trailer-final"),
        ("日本語.mp4", "video"),
        (".mp4", "mp4"),
        ("x" * 300 + ".mp4", "x" * 40),
        ("-a-.webm", "a"),
    ],
)
def test_a_name_made_of_a_files_name_is_one_kubernetes_takes(filename: str, name: str) -> None:
    assert manifests.slug(filename) == name
