"""How a row of a table of providers becomes the provider it names: imported on use, since some bring much along."""

from __future__ import annotations

import importlib
from typing import Any


def made(package: str, place: str) -> Any:
    """The provider at `module:Class` of a package; that it keeps to the table's interface is checked by a test over all rows."""
    module, _, kind = place.partition(":")
    return getattr(importlib.import_module(f"{package}.{module}"), kind)()
