"""The command as a process of its own, with an API server on the loopback: what it says, and how it ends by a signal (T-001).

A plain kill or a closed terminal leaves no transfer pod.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from starting import PIPES, prepared, started


@dataclass
class Cluster:
    """An API server on the loopback whose pods never start."""

    url: str = ""
    looked: threading.Event = field(default_factory=threading.Event)
    """Somebody waits for a pod."""
    pods: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any) -> Any:
        *_, plural, name = path.partition("?")[0].split("/")
        if method == "POST":
            self.made.append(body["metadata"]["name"])
            if name == "videojobs":
                return body
            self.pods.add(self.made[-1])
        elif method == "DELETE":
            self.pods.remove(name)
        elif plural == "mediastores":
            return {"spec": {"pvc": {"claimName": "bytes"}}}
        elif plural == "pods":
            self.looked.set()
        return {"status": {"phase": "Pending"}}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
            data = json.dumps(made.answer(self.command, self.path, body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - named by the server

        def log_message(self, *_: Any) -> None:
            """Nothing: the test's output is pytest's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def command(
    cluster: Cluster, folder: Path, *args: str, before: str = ""
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """`videojob` with a kubeconfig for this cluster, in a folder of its own."""
    entry = {"name": "c", "cluster": {"server": cluster.url}, "user": {"token": "x"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "c", "namespace": "team"}}
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [context]}
    (folder / "config").write_text(yaml.safe_dump({**config, "clusters": [entry], "users": [entry]}))
    argv = [sys.executable, "-m", "videojob_cli", *args]
    environ = {**os.environ, "KUBECONFIG": str(folder / "config")}
    return started(prepared(before, argv), cwd=folder, env=environ, **PIPES)


def upload(cluster: Cluster, folder: Path, before: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """An upload that waits for its pod for ever."""
    (folder / "clip.mp4").write_bytes(b"x")
    return command(cluster, folder, "upload", "--file", "clip.mp4", "--image", "worker:1", before=before)


def test_submit_says_what_to_type_next(cluster: Cluster, tmp_path: Path) -> None:
    """S-006: results go to standard output, talk goes beside it."""
    body = {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "trailer"}}
    spec = {"transcode": {"source": {"uri": "store://stock/a.mp4"}, "profiles": ["720p"]}}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump({**body, "spec": spec}))
    with command(cluster, tmp_path, "submit", "-f", "job.yaml") as process:
        out, told = process.communicate(timeout=60)
    assert (process.returncode, out.decode()) == (0, "trailer\n"), told
    assert told.decode().splitlines() == [
        "videojob.videojob.dev/trailer created in team",
        "follow it:  videojob status -n team trailer --wait",
        "fetch it:   videojob outputs -n team trailer --download trailer",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_removes_the_transfer_pod(number: signal.Signals, cluster: Cluster, tmp_path: Path) -> None:
    with upload(cluster, tmp_path, f"signal.signal({number:d}, signal.SIG_DFL)") as process:
        assert cluster.looked.wait(60)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert (len(cluster.made), cluster.pods) == (1, set())
    assert b"Traceback" not in errors


def test_under_nohup_a_closed_terminal_is_nothing(cluster: Cluster, tmp_path: Path) -> None:
    with upload(cluster, tmp_path, "signal.signal(signal.SIGHUP, signal.SIG_IGN)") as process:
        assert cluster.looked.wait(60)
        process.send_signal(signal.SIGHUP)
        cluster.looked.clear()
        assert cluster.looked.wait(60), "it goes on"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert cluster.pods == set()
