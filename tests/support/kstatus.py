"""What kstatus (kubernetes-sigs/cli-utils), and with it Flux and `helm --wait`, reads out of an object; and Argo CD's script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lupa.lua54 as lua

HEALTH = Path("charts/videojob-operator/files/argocd/health.lua")


def kstatus(obj: dict[str, Any]) -> str:
    """The status of a custom resource by kstatus' rules for kinds that it does not know: generation, then the two
    abnormal-true conditions, then Ready; an object without conditions counts as Current.
    """
    meta, status = obj["metadata"], obj.get("status") or {}
    if meta.get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", meta["generation"]) != meta["generation"]:
        return "InProgress"
    holds = {entry["type"]: entry["status"] for entry in status.get("conditions", ())}
    if holds.get("Reconciling") == "True":
        return "InProgress"
    if holds.get("Stalled") == "True":
        return "Failed"
    if "Ready" in holds:
        return "Current" if holds["Ready"] == "True" else "InProgress"
    return "Current"


def argo_health(root: Path, obj: dict[str, Any]) -> tuple[str, str]:
    """Status and message that the chart's script gives an object, run as Argo CD runs it: with `obj` as the only input, and
    of Lua's libraries only the basic one and `table`.
    """
    runtime = lua.LuaRuntime(register_eval=False, register_builtins=False)
    for library in ("string", "math", "io", "os", "package", "debug", "coroutine", "utf8", "require"):
        runtime.globals()[library] = None
    runtime.globals()["obj"] = runtime.table_from(obj, recursive=True)
    found = runtime.execute((root / HEALTH).read_text(encoding="utf-8"))
    return str(found["status"]), str(found["message"])
