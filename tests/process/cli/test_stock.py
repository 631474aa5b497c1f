"""`videojob storage put` against a cluster in the hand: files go through the worker's real commands (S-036)."""

from __future__ import annotations

from pathlib import Path

from cli_api import HandApi
from videojob_cli.client import VideoJobs
from videojob_cli.sources import local_file

STORE = "/apis/videojob.dev/v1alpha1/namespaces/team/mediastores/default"


def test_files_for_the_stock_lie_under_their_names(tmp_path: Path) -> None:
    """S-036, S-055: what a scene's picture and a story's music are named by; one pod, nothing is sent twice."""
    api = HandApi(tmp_path / "volume", "team")
    api.put(STORE, spec={"pvc": {"claimName": "bytes"}})
    files = [tmp_path / "red fox.jpg", tmp_path / "dawn.jpg"]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 70_000)
    names = ["nature/fox.jpg", "nature/dawn.jpg"]

    def put() -> list[str]:
        return VideoJobs(api).upload([local_file(file) for file in files], image="worker:1", names=names)

    assert put() == [f"store://stock/{name}" for name in names]
    folder = api.store / "team/stock/nature"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "fox.jpg": files[0].read_bytes(),
        "dawn.jpg": files[1].read_bytes(),
    }
    files[1].write_bytes(b"another dawn")
    api.sent.clear()
    put()
    assert sum(api.sent) == len(b"another dawn")
    assert (folder / "dawn.jpg").read_bytes() == b"another dawn"
    assert api.pods() == []
