"""How a row of a table of providers becomes the provider it names: imported on use, since some bring much along."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from ..base.errors import Permanent


class Placed(Protocol):
    """What rows of all tables have."""

    @property
    def module(self) -> str:
        """Module and class of the provider."""


def chosen(package: str, table: Mapping[str, Placed], name: str, *, what: str, field: str, code: str) -> Any:
    """The provider that a table has under a name.

    Args:
        package: the table's, whose modules the rows name.
        table: rows by name.
        name: as the user wrote it.
        what: what it is, in words: `voice provider`.
        field: where the user wrote it.
        code: of the failure.

    Raises Permanent, listing the known ones, when it has none.
    """
    row = table.get(name)
    if row is None:
        raise Permanent(code, f"unknown {what} {name}; known: {', '.join(table)}", hint=f"name one of these in {field}")
    return made(package, row.module)


def made(package: str, place: str) -> Any:
    """The provider at `module:Class` of a package; that it keeps to the table's interface is checked by a test over all rows."""
    module, _, kind = place.partition(":")
    return getattr(importlib.import_module(f"{package}.{module}"), kind)()
