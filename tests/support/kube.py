"""kubectl and the CLI for the end-to-end tests, as a person would call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def call(argv: list[str], *, env: dict[str, str] | None = None, stdin: str | None = None, timeout: float = 300) -> Done:
    """Run a command to its end and keep what it said."""
    done = subprocess.run(
        argv,
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=ROOT,
    )
    return Done(done.returncode, done.stdout, done.stderr)


FACTS = ("name", "mediaType", "width", "height", "aspectRatio", "durationMs", "frameRate", "videoCodec", "audioCodec")


def facts(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What must be the same wherever a manifest runs; encoders with more than one thread do not promise more."""
    return [{key: output.get(key) for key in FACTS} for output in outputs]


class Kube:
    """One cluster through its kubeconfig."""

    def __init__(self, kubeconfig: Path, kubectl: str) -> None:
        self.kubeconfig = kubeconfig
        self.kubectl = kubectl
        self.env = {"KUBECONFIG": str(kubeconfig)}

    def run(self, *args: str, stdin: str | None = None, check: bool = True, timeout: float = 300) -> Done:
        """Kubectl with these arguments; unless told otherwise, an error fails the test with kubectl's words."""
        done = call([self.kubectl, *args], env=self.env, stdin=stdin, timeout=timeout)
        if check and done.code != 0:
            raise AssertionError(f"kubectl {' '.join(args)}: exit {done.code}\n{done.out}{done.err}")
        return done

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object."""
        where = ["-n", namespace] if namespace else []
        result: dict[str, Any] = json.loads(self.run("get", kind, name, *where, "-o", "json").out)
        return result

    def list(self, kind: str, namespace: str | None = None, selector: str | None = None) -> list[dict[str, Any]]:
        """All objects of a kind."""
        where = ["-n", namespace] if namespace else ["-A"]
        pick = ["-l", selector] if selector else []
        items: list[dict[str, Any]] = json.loads(self.run("get", kind, *where, *pick, "-o", "json").out)["items"]
        return items

    def apply(self, *objects: dict[str, Any]) -> None:
        """Create or update."""
        for each in objects:
            self.run("apply", "-f", "-", stdin=json.dumps(each))

    def wait(self, condition: str, kind: str, name: str, namespace: str, seconds: int) -> None:
        """`kubectl wait`, whose error carries the object's status."""
        argv = ("wait", f"--for={condition}", f"{kind}/{name}", "-n", namespace, f"--timeout={seconds}s")
        done = self.run(*argv, check=False, timeout=seconds + 30)
        if done.code != 0:
            status = json.dumps(self.get(kind, name, namespace).get("status", {}), indent=1)
            raise AssertionError(f"{kind}/{name}: no {condition} within {seconds} s: {done.err}\n{status}")

    def watch(
        self, kind: str, name: str, namespace: str, until: Callable[[dict[str, Any]], bool], seconds: float
    ) -> dict[str, Any]:
        """Follow one object by a watch until it is as wanted; returns it."""
        argv = [self.kubectl, "get", kind, name, "-n", namespace, "-o", "json", "--watch"]
        deadline = time.monotonic() + seconds
        last: dict[str, Any] = {}
        with _stream(argv, {**os.environ, **self.env}, seconds) as documents:
            for last in documents:
                if until(last):
                    return last
                if time.monotonic() > deadline:
                    break
        raise AssertionError(
            f"{kind}/{name} did not come to the wanted state within {seconds} s; last seen:\n"
            + json.dumps(last, indent=1)[:6000]
        )

    def cli(self, *args: str, timeout: float = 600) -> Done:
        """The `videojob` command against this cluster."""
        return call([sys.executable, "-m", "videojob_cli", *args], env=self.env, timeout=timeout)

    @contextmanager
    def recorded(self, kind: str, selector: str, path: Path) -> Iterator[Callable[[], tuple[dict[str, Any], ...]]]:
        """Record every state of the objects of a kind in all namespaces, in the API server's order.

        Yields what returns the states seen so far.
        """
        argv = [self.kubectl, "get", kind, "-A", "-l", selector, "-o", "json", "--watch"]
        with path.open("wb") as out:
            process = subprocess.Popen(argv, env={**os.environ, **self.env}, stdout=out)

        def seen() -> tuple[dict[str, Any], ...]:
            assert process.poll() is None, "the watch has ended"
            found = []
            text = path.read_text()
            text = text[: text.rfind("\n}\n") + 2]  # the last one may not be whole yet
            while text.strip():
                document, end = json.JSONDecoder().raw_decode(text)
                found.append(document)
                text = text[end:].lstrip()
            return tuple(found)

        try:
            yield seen
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _stream(argv: list[str], env: dict[str, str], seconds: float) -> Iterator[Iterator[dict[str, Any]]]:
    """The JSON documents that a command prints one after another; it ends with the block or after the time."""
    process = subprocess.Popen(
        ["timeout", str(seconds), *argv], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )

    def documents() -> Iterator[dict[str, Any]]:
        decoder, text = json.JSONDecoder(), ""
        assert process.stdout is not None
        for line in process.stdout:
            text += line
            if line.rstrip() == "}":
                document, end = decoder.raw_decode(text.lstrip())
                text = text.lstrip()[end:]
                yield document

    try:
        yield documents()
    finally:
        process.terminate()
        process.wait()
