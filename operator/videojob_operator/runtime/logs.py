"""Logs as one JSON object a line (X-017)."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

QUIET = ("aiohttp.access", "kopf.objects", "asyncio")
"""Loggers that repeat what ours say."""


def json_formatter() -> logging.Formatter:
    """Fields: time (RFC 3339), level, logger, message, and whatever a record carries in `extra`."""
    return JsonFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
        exc_info_as_array=True,
    )


def setup(level: str, stream: TextIO | None = None) -> None:
    """Send every log record to `stream` (stderr by default) as JSON.

    Raises:
        ValueError: the level is unknown; the message lists the known ones.
    """
    names = logging.getLevelNamesMapping()
    if level.upper() not in names:
        raise ValueError(f"log level {level!r} is unknown: use one of DEBUG, INFO, WARNING, ERROR")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(json_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(names[level.upper()])
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, names[level.upper()]))
