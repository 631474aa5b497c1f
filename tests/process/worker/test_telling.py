"""A result on its way to an operator that is too busy."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from videojob_worker.base import results
from videojob_worker.base.channel import Channel
from videojob_worker.base.watch import Stop


def test_a_result_is_posted_again_while_the_operator_is_too_busy(tmp_path: Path) -> None:
    """Case 73: a flood from elsewhere makes it answer 503 now and then; what it has judged is not repeated"""
    answers = [503, 503, 204, 204]
    posts: list[int] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            posts.append(answers[len(posts)])
            self.send_response(posts[-1])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    (tmp_path / "token").write_text("t")
    stop = Stop()
    stop.request()  # nobody waits between two tries
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            results.post(Channel(f"http://127.0.0.1:{server.server_port}", tmp_path / "token"), b"{}", stop)
        finally:
            server.shutdown()
            thread.join()
    assert posts == [503, 503, 204]
