"""Writes crds/REFERENCE.md: the contract as one page, read from the code that enforces it."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from enum import StrEnum
from types import ModuleType
from typing import Any

from text import MARK, table
from videojob_api import exits, names, schema, stages
from videojob_api.profiles import BUILTIN_PROFILES, DEFAULT_PROFILES, object_name
from videojob_api.v1alpha1 import KINDS, Kind, VideoProfileSpec

_BOUNDS = (
    ("minimum", "at least {}"), ("maximum", "at most {}"), ("multipleOf", "a multiple of {}"),
    ("minLength", "at least {} characters"), ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"), ("maxItems", "at most {} items"), ("maxProperties", "at most {} entries"),
    ("pattern", "matches `{}`"),
)  # fmt: skip

_HEAD = (
    f"API group `{names.GROUP}`, version `{names.VERSION}`; every kind is namespaced, and `kubectl get {names.CATEGORY}` "
    "lists them all. `kubectl explain videojob.spec --recursive` says the same on a terminal.\n\n"
)
_PROFILES = (
    "## Built-in profiles\n\nThe operator creates them in its namespace when they are absent. A name may be written "
    "with `_` for `-`. Marked ones are made when a transcode names no profiles.\n\n"
)


def sentences(module: ModuleType) -> dict[str, str]:
    """Each constant and enum member of a module with the docstring below it: `Phase.QUEUED` -> its sentence."""
    found: dict[str, str] = {}

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
            if isinstance(node, ast.ClassDef):
                found[node.name] = " ".join((ast.get_docstring(node) or "").split())
                collect(node.body, f"{node.name}.")
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name):
                    found[prefix + target.id] = _docstring(following)

    collect(ast.parse(inspect.getsource(module)).body, "")
    return found


def _docstring(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""


def _type(node: dict[str, Any]) -> str:
    """Type of a field in the words of `kubectl explain`."""
    if "enum" in node:
        return " ".join(f"`{value}`" for value in node["enum"])
    if node["type"] == "array":
        return f"list of {_type(node['items'])}"
    return str(node.get("format", node["type"])) if node["type"] == "string" else str(node["type"])


def _bounds(node: dict[str, Any]) -> str:
    """Limits of a value, and of a list's items, in words."""
    own = [text.format(node[key]) for key, text in _BOUNDS if key in node]
    items = _bounds(node["items"]) if node.get("type") == "array" and node["items"]["type"] != "object" else ""
    return "; ".join([*own, *([f"each: {items}"] if items else [])])


def _rows(node: dict[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    """One row for each field below a node, depth first."""
    required = node.get("required", ())
    for name, part in node.get("properties", {}).items():
        here = f"{path}.{name}"
        default = f"`{json.dumps(part['default'])}`" if "default" in part and part["type"] != "object" else ""
        need = "required" if name in required else default
        limits = _bounds(part)
        meaning = part.get("description", "") + (f" ({limits})" if limits else "")
        yield (f"`{here}`", _type(part), need, meaning)
        if part["type"] == "array":
            yield from _rows(part["items"], f"{here}[]")
        else:
            yield from _rows(part, here)


def _rules(node: dict[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    """One row for each CEL rule below a node."""
    for rule in node.get("x-kubernetes-validations", ()):
        yield (f"`{path}`", f"`{rule['rule']}`", rule["message"])
    for name, part in node.get("properties", {}).items():
        yield from _rules(part, f"{path}.{name}")
    if "items" in node:
        yield from _rules(node["items"], f"{path}[]")


def _kind(kind: Kind) -> str:
    body = schema.object_schema(kind)["properties"]
    parts = [f"## {kind.kind}\n\n`kubectl get {kind.plural}`, short `{kind.short}`. {kind.doc}\n\n"]
    for part in ("spec", "status"):
        if part not in body:
            continue
        parts.append(f"### {kind.kind}.{part}\n\n{body[part]['description']}\n\n")
        parts.append(table(("field", "type", "default", "meaning"), _rows(body[part], part)) + "\n")
    rules = list(_rules(body["spec"], "spec"))
    if rules:
        parts.append("Checked together:\n\n" + table(("at", "rule", "message"), rules) + "\n")
    columns = ((c.name, f"`{c.json_path}`", "`-o wide`" if c.priority else "always") for c in kind.columns)
    parts.append("Columns of `kubectl get`:\n\n" + table(("column", "from", "shown"), columns) + "\n")
    if kind.selectable:
        parts.append(f"Field selectors: {', '.join(f'`{path[1:]}`' for path in kind.selectable)}.\n\n")
    return "".join(parts)


def _profile(name: str, spec: VideoProfileSpec) -> tuple[str, ...]:
    output = spec.output_name or name
    default = "yes" if any(object_name(each) == name for each in DEFAULT_PROFILES) else ""
    if spec.thumbnail is not None:
        still = spec.thumbnail
        size, moment = f"{still.width}x{still.height}", f"from {still.at_percent} % of the duration"
        return (f"`{name}`", f"`{output}`", "JPEG", size, f"quality {still.quality}, {moment}", "", default)
    if spec.rendition is None:
        raise ValueError(f"the built-in profile {name} makes nothing")
    video, audio = spec.rendition.video, spec.rendition.audio
    sound = f"{audio.codec} {audio.bitrate}" if audio else ""
    made = f"{spec.rendition.container}, {video.codec}"
    return (f"`{name}`", f"`{output}`", made, f"{video.width}x{video.height}", video.bitrate, sound, default)


def _constants(prefix: str) -> Iterator[tuple[str, ...]]:
    for name, sentence in sentences(names).items():
        if name.startswith(prefix):
            yield (f"`{getattr(names, name)}`", sentence)


def _members(enum: type[StrEnum]) -> Iterator[tuple[str, ...]]:
    found = sentences(names)
    for member in enum:
        yield (f"`{member.value}`", found[f"{enum.__name__}.{member.name}"])


def _exit_codes() -> Iterator[tuple[str, ...]]:
    found = sentences(exits)
    for code in exits.ExitCode:
        treated = exits.EXIT_CLASSES.get(code)
        yield (f"`{code.value}`", code.name, treated.value if treated else "", found[f"ExitCode.{code.name}"])


def _stage_rows() -> Iterator[tuple[str, ...]]:
    for row in stages.KINDS.values():
        yield (
            f"`{row.kind}`", row.stage, row.trust, row.slot or "", f"{row.band[0]}-{row.band[1]} %",
            f"{row.stall_seconds} s", f"{row.cpu_millis}m", f"{row.memory_mib}-{row.memory_limit_mib} MiB",
            "yes" if row.long else "",
        )  # fmt: skip


def reference() -> str:
    """The whole page."""
    classes = sentences(exits)
    others = (
        (name, f"`{getattr(names, name)}`", sentence) for name, sentence in sentences(names).items() if _plain(name)
    )
    parts = [
        f"<!-- {MARK} -->\n# Reference\n\n",
        _HEAD,
        *(_kind(kind) for kind in KINDS),
        _PROFILES,
        table(
            ("VideoProfile", "output", "format", "size", "bit rate or quality", "sound", "by default"),
            (_profile(name, spec) for name, spec in BUILTIN_PROFILES.items()),
        ),
        "\n## Phases\n\n", table(("`status.phase`", "meaning"), _members(names.Phase)),
        "\n## Conditions\n\n", table(("type", "meaning"), _members(names.Condition)),
        "\n## Reasons\n\nOf conditions, events and `status.queue.reason`.\n\n",
        table(("reason", "meaning"), _members(names.Reason)),
        "\n## Labels\n\n", table(("label", "meaning"), _constants("LABEL_")),
        "\n## Annotations\n\n", table(("annotation", "meaning"), _constants("ANNOTATION_")),
        "\n## Other names\n\n", table(("name", "value", "meaning"), others),
        "\n## Stages\n\nThe rows of `videojob_api.stages.KINDS`.\n\n",
        table(("kind", "stage", "trust", "slot", "percent", "stalled after", "CPU", "memory", "long"), _stage_rows()),
        "\n## Failures\n\nA worker's exit code decides the class, the class decides the treatment.\n\n",
        table(("exit code", "name", "class", "meaning"), _exit_codes()),
        "\n",
        table(
            ("class", "treatment"),
            ((f"`{each.value}`", classes[f"FailureClass.{each.name}"]) for each in exits.FailureClass),
        ),
    ]  # fmt: skip
    return "".join(parts)


def _plain(name: str) -> bool:
    """Whether a constant of names.py stands in none of the other tables."""
    value = getattr(names, name, None)
    return isinstance(value, (str, int)) and not name.startswith(("LABEL_", "ANNOTATION_", "_"))
