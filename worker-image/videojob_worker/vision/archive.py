"""Programs that torch exported (`.pt2`), made safe to open: what torch would unpickle, evaluate or call by name is judged first.

An archive is a zip of a graph as JSON and of tensors as plain bytes. Three things in it could run code of whoever made it:
pickles (sample inputs, tensors of odd classes, objects), guards and sizes that Python evaluates, and names of functions. So
pickles are refused or left out, guards are left out, and names and sizes must be those of arithmetic.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

MAX_ENTRIES = 20_000
_PLAIN = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)|models/model\.json"
    r"|data/(weights/(weight_\d+|model_weights_config\.json)|constants/(tensor_\d+|model_constants_config\.json))"
    r"|data/sample_inputs/model\.pt|extra/.*|\.format_version|\.storage_alignment"
)
_SAMPLES = "data/sample_inputs/model.pt"
_CALLS = re.compile(
    r"torch\.ops\.(aten|prims|torchvision)\.[a-z]\w*(\.[A-Za-z]\w*)?|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
)
_BARRED = ("torch.ops.aten.from_file",)
"""Arithmetic by its name alone."""
_NUMBERS = re.compile(
    r"(_operator|math)\.(getitem|add|sub|mul|truediv|floordiv|mod|neg|pow|abs|eq|ne|lt|le|gt|ge|and_|or_|not_|ceil|floor|trunc)"
    r"|torch\.sym_(int|float|not|max|min|sum|sqrt|ite)"
)
_WORD = re.compile(r"'[^']*'|[A-Za-z_]\w*|\.\s*[A-Za-z_]")
_SIZES = frozenset(
    """
    Symbol Integer Float Rational Add Mul Pow Max Min Mod PythonMod FloorDiv CleanDiv CeilDiv FloorToInt
    CeilToInt TruncToInt RoundToInt TruncToFloat RoundDecimal IntTrueDiv FloatTrueDiv FloatPow PowByNatural
    ModularIndexing Where LShift RShift ToFloat Identity Eq Ne Equality Unequality StrictLessThan LessThan
    StrictGreaterThan GreaterThan And Or Not true false True False positive nonnegative integer real finite
    zero nonzero negative precision prec dps
    """.split()  # noqa: SIM905 - a column of sixty quoted words is no easier to read
)
"""Words of sizes; whatever else is a symbol stands in quotes."""


class Unsafe(ValueError):
    """The archive holds what could run code."""


def harmless(content: bytes) -> bytes:
    """The same program without samples, guards and notes. Raises Unsafe (what is in it), ValueError (no such archive)."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as given:
            return _copied(given)
    # RuntimeError: what zipfile raises for an entry that is encrypted, or compressed in a way that it cannot undo
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, RuntimeError) as error:
        raise ValueError(f"it is no archive of torch.export: {error}") from None


def _copied(given: zipfile.ZipFile) -> bytes:
    entries = given.infolist()
    root = entries[0].filename.partition("/")[0] if entries else ""
    if len(entries) > MAX_ENTRIES or f"{root}/models/model.json" not in {entry.filename for entry in entries}:
        raise ValueError("it is no archive of torch.export: models/model.json is missing")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as target:
        for entry in entries:
            name = entry.filename.removeprefix(f"{root}/")
            if _PLAIN.fullmatch(name) is None:
                raise Unsafe(f"it holds {name[:80]}, which is neither graph nor tensor")
            if name.startswith("extra/"):
                continue
            target.writestr(f"{root}/{name}", _entry(name, given, entry))
    return made.getvalue()


def _entry(name: str, given: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if name == _SAMPLES:
        return b""  # a pickle, and of no use here
    data = given.read(entry)
    if name.endswith("_config.json"):
        for row in json.loads(data)["config"].values():
            if row.get("use_pickle") is not False or "/" in row["path_name"]:
                raise Unsafe(f"it holds a pickle in {name}")
    if name == "models/model.json":
        return json.dumps(_judged(json.loads(data))).encode()
    return data


def _judged(program: dict[str, Any]) -> dict[str, Any]:
    program["guards_code"] = []  # torch would run it as Python
    for key, value in _named(program):
        known = _CALLS.fullmatch(value) or _NUMBERS.fullmatch(value)
        if key == "target" and (known is None or value.startswith(_BARRED)):
            raise Unsafe(f"it calls {value[:80]}")
        if key == "expr_str" and not all(word[0] == "'" or word in _SIZES for word in _words(value)):
            raise Unsafe(f"it has a size that is no arithmetic: {value[:80]}")
    return program


def _words(size: str) -> Iterator[str]:
    return (found.group() for found in _WORD.finditer(size))


def _named(part: Any) -> Iterator[tuple[str, str]]:
    """Names of calls and sizes, wherever they stand; what torch wrote about where they come from is taken out."""
    if isinstance(part, dict):
        if "target" in part and isinstance(part.get("metadata"), dict):
            part["metadata"] = {}
        for key, value in part.items():
            if key == "expr_str" or (key == "target" and "inputs" in part):
                if not isinstance(value, str):
                    raise Unsafe(f"{key} is no text")
                yield key, value
            else:
                yield from _named(value)
    elif isinstance(part, list):
        for each in part:
            yield from _named(each)
