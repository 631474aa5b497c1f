"""Writes everything that is generated from the contract; `--check` says what would change and exits 1."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

import chart
import reference
from text import MARK, dump_yaml
from videojob_api import schema
from videojob_api.v1alpha1 import KINDS
from videojob_operator.cluster import rbac

ROOT = Path(__file__).resolve().parent.parent


def crds() -> dict[str, str]:
    """One file for each kind, for `kubectl apply -f crds/`."""
    return {f"crds/{kind.plural}.yaml": f"# {MARK}\n{dump_yaml(schema.crd(kind))}" for kind in KINDS}


def files() -> dict[str, str]:
    """Every generated file, by its path below the project's root."""
    definitions = crds()
    rules = {scope: rbac.rules(scope) for scope in ("watched", "own", "cluster")}
    return {**definitions, "crds/REFERENCE.md": reference.reference(), **chart.files(definitions, rules)}


def main(argv: list[str] | None = None) -> int:
    """Write, or with `--check` only compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; print differences and exit 1 if any")
    check = parser.parse_args(argv).check
    drift = 0
    for name, text in files().items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        drift += 1
        if check:
            sys.stdout.writelines(
                difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, f"{name} (as generated)")
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if check and drift:
        print(f"{drift} generated file(s) differ: run `make generate` and commit the result", file=sys.stderr)
    return 1 if check and drift else 0


if __name__ == "__main__":
    sys.exit(main())
