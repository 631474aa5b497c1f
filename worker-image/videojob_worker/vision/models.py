"""Files of models: those that come with the worker's image, and weights that an administrator mounts.

A file is read once, checked against its SHA-256, and handed on as bytes where a library takes bytes: what was checked is what
runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from ..base.errors import BadConfig

ENVIRONMENT = "VIDEOJOB_MODELS"
"""Names a folder that is looked at before all others."""
CONFIDENCE = "YOLO_CONFIDENCE_THRESHOLD"
IMAGE = Path("/opt/videojob/models")
"""Where the worker's image has them."""
MAX_BYTES = 4 << 30
"""Largest weights that are read."""


def precision(environ: Mapping[str, str] = os.environ) -> str | None:
    """What a GPU computes with where nobody says, by the worker class's environment (A-022)."""
    return "fp16" if environ.get("BIREFNET_USE_FP16", "").lower() == "true" else None


def tensorrt(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether graphs are compiled for the card where that can be: unless the worker class's environment says no (A-022)."""
    return environ.get("BIREFNET_USE_TENSORRT", "").lower() != "false"


def confidence(environ: Mapping[str, str] = os.environ) -> float | None:
    """How sure a detector has to be where the spec does not say, by the worker class's environment (A-022).

    Raises BadConfig: what stands there is no share.
    """
    text = environ.get(CONFIDENCE, "").strip()
    try:
        found = float(text) if text else None
    except ValueError:
        found = -1.0
    if found is not None and not 0 <= found <= 1:
        raise BadConfig(
            "BadDocument", f"{CONFIDENCE} is {text[:40]!r}, and has to be a number from 0 to 1",
            hint="correct env of the worker class, or set avatar.detection.confidencePercent",
        )  # fmt: skip
    return found


def folders(environ: Mapping[str, str] = os.environ, prefix: str = sys.prefix) -> tuple[Path, ...]:
    """Where the models of packages may lie: as the environment says, beside this Python, in the image."""
    named = environ.get(ENVIRONMENT)
    return (*((Path(named),) if named else ()), Path(prefix) / "share" / "videojob" / "models", IMAGE)


@cache
def digests() -> Mapping[str, str]:
    """SHA-256 of every file that packages bring, by its name."""
    table = json.loads(files(__package__).joinpath("models.json").read_text(encoding="utf-8"))
    return {row["name"]: row["sha256"] for wheel in table["wheels"] for row in wheel["files"]}


def bundled(name: str, where: tuple[Path, ...] | None = None) -> bytes:
    """A model that a package carries, such as `face_landmark`.

    Raises BadConfig: ModelMissing, ModelChanged.
    """
    file = f"{name}.tflite"
    wanted = digests()[file]
    for folder in where if where is not None else folders():
        if (folder / file).is_file():
            return _checked(folder / file, wanted, hint="build the worker's image anew, or run `make venv`")
    raise BadConfig(
        "ModelMissing",
        f"the model {file} was not found",
        hint=f"use the project's worker image, run `make venv` in a checkout, or name its folder in {ENVIRONMENT}",
    )


def mounted(path: Path, sha256: str) -> bytes:
    """Weights of a volume (A-020). Raises BadConfig: ModelMissing, ModelChanged, ModelTooLarge."""
    if not path.is_file():
        raise BadConfig(
            "ModelMissing", f"there are no weights at {path.name}", hint="put the file into the volume of models"
        )
    if path.stat().st_size > MAX_BYTES:
        raise BadConfig(
            "ModelTooLarge",
            f"{path.name} has more than {MAX_BYTES >> 30} GiB",
            hint="use weights of a smaller model",
        )
    return _checked(path, sha256.lower(), hint="name the digest of the file you trust, or put that file back")


def _checked(path: Path, wanted: str, *, hint: str) -> bytes:
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise BadConfig(
            "ModelChanged",
            f"checksum mismatch: {path.name} has sha256 {found[:16]}..., wanted is {wanted[:16]}...",
            hint=hint,
        )
    return data
