"""A store in a plain folder, and the real worker run on it as a process, as a pod or `videojob run` would."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from videojob_api.contract import OutputPlan, RunResult, StageResult
from videojob_api.manifest import Manifest
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_worker.base.watch import Stop
from videojob_worker.runner import Settings, run

FIVE = tuple(BUILTIN_PROFILES)
UID = "0b3f5a52-8f2c-4f0e-9a43-6f3f7f6f9b11"
KEYS = {"fetch": "0" * 32, "ingest": "1" * 32, "transcode": "2" * 32, "verify": "3" * 32, "commit": "4" * 32}


def plans(names: Sequence[str]) -> list[dict[str, Any]]:
    """Built-in profiles as the operator resolves them."""
    return [
        OutputPlan(name=BUILTIN_PROFILES[name].output_name or name, profile=name, spec=BUILTIN_PROFILES[name]).dump()
        for name in names
    ]


class Workbench:
    """One VideoJob's folder, and the documents that run on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.job = root / "job"
        for name in ("job", "inbox", "stock", "cache", "tmp"):
            (root / name).mkdir(parents=True)
        self.source: dict[str, Any] = {}
        self.limits: dict[str, Any] = {}
        self.run_limits: dict[str, Any] = {"threads": 2}
        self.outputs = plans(("360p",))
        self.operator_url: str | None = None

    def put(self, clip: Path, filename: str | None = None) -> Workbench:
        """Upload a file to the inbox and make it the source."""
        return self.put_bytes(clip.read_bytes(), filename or clip.name)

    def put_bytes(self, data: bytes, filename: str = "clip.mp4") -> Workbench:
        """The same for bytes that are no file yet."""
        digest = hashlib.sha256(data).hexdigest()
        (self.root / "inbox" / digest).write_bytes(data)
        self.source = {"uri": f"store://inbox/{digest}", "filename": filename}
        return self

    @property
    def upload(self) -> Path:
        """Where the source lies."""
        return self.root / str(self.source["uri"]).removeprefix("store://")

    def document(self, attempt: int = 1, group: str = "main", **more: Any) -> dict[str, Any]:
        """The task document of a compact transcode."""
        params = {
            "ingest": {"source": self.source, "limits": self.limits},
            "transcode": {"source": self.source, "outputs": self.outputs},
            "verify": {"outputs": self.outputs},
            "commit": {"outputs": self.outputs},
        }
        inputs = {
            "transcode": ["ingest"],
            "verify": ["ingest", "transcode"],
            "commit": ["ingest", "transcode", "verify"],
        }
        return {
            "version": 1,
            "job": {"namespace": "team", "name": "trailer", "uid": UID},
            "group": group,
            "attempt": attempt,
            "stages": [
                {
                    "kind": kind,
                    "container": "commit" if kind == "commit" else "work",
                    "key": KEYS[kind],
                    "params": value,
                    "inputs": [{"stage": name, "key": KEYS[name]} for name in inputs.get(kind, [])],
                }
                for kind, value in params.items()
            ],
            "store": {
                **{name: str(self.root / name) for name in ("job", "inbox", "stock", "cache")},
                "scratch": str(self.root / "tmp"),
            },
            "limits": self.run_limits,
            **({"operatorUrl": self.operator_url} if self.operator_url else {}),
            **more,
        }

    def fetching(self, attempt: int = 1, allow: Sequence[str] = ("127.0.0.0/8",)) -> dict[str, Any]:
        """The task document of the fetch of a source that is a URL."""
        whole = self.document(attempt, group="fetch", fetch={"allowNetworks": list(allow)})
        params = {"source": self.source, "limits": self.limits}
        task = {"kind": "fetch", "container": "fetch", "key": KEYS["fetch"], "params": params, "inputs": []}
        return whole | {"stages": [task]}

    def command(self, container: str, document: dict[str, Any], name: str = "task") -> list[str]:
        """The worker's command line for one container."""
        path = self.root / f"{name}.json"
        path.write_text(json.dumps(document))
        token = self.root / "token"
        token.write_text("a-token\n")
        return [
            sys.executable, "-m", "videojob_worker", "run", "--task", str(path), "--container", container,
            "--termination", str(self.root / "message"), "--token", str(token),
        ]  # fmt: skip

    def run(
        self, container: str = "work", document: dict[str, Any] | None = None, prefix: Sequence[str] = (), **env: str
    ) -> RunResult:
        """Run one container to its end; its termination message. The exit code must be the one it tells."""
        (self.root / "message").unlink(missing_ok=True)
        done = subprocess.run(
            [*prefix, *self.command(container, document or self.document())],
            capture_output=True, text=True, check=False, env={**os.environ, **env},
        )  # fmt: skip
        assert (self.root / "message").exists(), done.stdout + done.stderr
        result = RunResult.model_validate_json((self.root / "message").read_bytes())
        assert result.exit_code == done.returncode, done.stdout + done.stderr
        self.logs = [json.loads(line) for line in done.stdout.splitlines()]
        return result

    def here(self, document: dict[str, Any], container: str = "work") -> int:
        """Run one container in this very process, where a test sees what it does; its exit code."""
        _, _, _, *arguments = self.command(container, document)
        given = dict(zip(arguments[1::2], arguments[2::2], strict=True))
        settings = Settings(Path(given["--task"]), container, Path(given["--termination"]), Path(given["--token"]))
        return run(settings, Stop())

    def both(self, attempt: int = 1) -> RunResult:
        """Run both containers of an attempt; commit's result."""
        document = self.document(attempt)
        work = self.run("work", document)
        assert work.exit_code == 0, work
        return self.run("commit", document)

    def start(
        self, container: str = "work", document: dict[str, Any] | None = None, **env: str
    ) -> subprocess.Popen[str]:
        """Start a container without waiting for its end; its log is on `stdout`."""
        return subprocess.Popen(
            self.command(container, document or self.document()),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **env},
        )

    def manifest(self) -> Manifest:
        """What was published."""
        return Manifest.model_validate_json((self.job / "manifest.json").read_bytes())

    def recorded(self, kind: str) -> StageResult:
        """A finished stage's own record."""
        path = self.job / "processed" / kind / KEYS[kind] / "stage.json"
        return StageResult.model_validate_json(path.read_bytes())

    def entries(self) -> set[str]:
        """What lies in the job's folder."""
        return {path.name for path in self.job.iterdir()}

    def staged(self) -> list[str]:
        """Staging folders that are left."""
        return [path.name for path in (self.job / "processed").glob("*/.*")]

    def remove(self) -> None:
        """Free the disk."""
        shutil.rmtree(self.root, ignore_errors=True)


def wait_for(stream: Any, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read a container's log up to the first record that is wanted. Raises AssertionError if it ends before."""
    seen = []
    for line in stream:
        record: dict[str, Any] = json.loads(line)
        if wanted(record):
            return record
        seen.append(line)
    raise AssertionError("".join(seen))
