"""The process of an engine: `python3 host.py host_flite.py REQUEST.json` speaks every line of a request.

A request is `{atOnce, lines: [{text, out}], ...}`, the rest is the engine's own. One JSON line on standard output for each line
of the request. Standard library only: the process is started by path, without the project on its path.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any, Protocol


class Engine(Protocol):
    """What a module beside this one gives with `engine(request)`."""

    def speak(self, text: str, out: Path) -> dict[str, Any]:
        """Write a text's sound to a WAV file; returns what there is to tell of it."""
        ...


def main(engine: Engine, request: dict[str, Any]) -> None:
    """Speak the lines, `atOnce` of them side by side, and tell of them in their order."""
    lines = request["lines"]
    waiting: list[tuple[int, dict[str, Any]]] = []
    for place in range(len(lines) + request["atOnce"]):
        if place >= request["atOnce"] and waiting:
            _collect(*waiting.pop(0))
        if place < len(lines):
            waiting.append((_begin(engine, lines[place]), lines[place]))


def _begin(engine: Engine, line: dict[str, Any]) -> int:
    """Every line in a fork: each from the same state, since speech is kept by its content, and several at a time."""
    child = os.fork()
    if child == 0:
        told = engine.speak(line["text"], Path(line["out"]))
        Path(line["out"] + ".json").write_text(json.dumps(told), encoding="utf-8")
        os._exit(0)
    return child


def _collect(child: int, line: dict[str, Any]) -> None:
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"the engine failed with status {status} at {line['text'][:60]!r}")
    told = Path(line["out"] + ".json")
    sys.stdout.write(told.read_text(encoding="utf-8") + "\n")
    sys.stdout.flush()
    told.unlink()


def _engine(file: str, request: dict[str, Any]) -> Engine:
    spec = importlib.util.spec_from_file_location("engine", Path(__file__).with_name(file))
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is no Python file beside {__file__}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Engine = module.engine(request)
    return made


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    main(_engine(sys.argv[1], asked), asked)
