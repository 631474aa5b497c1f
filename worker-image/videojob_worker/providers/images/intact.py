"""Whether a picture came whole: by its structure alone. Nothing is decoded here, see the room's docstring."""

from __future__ import annotations

from pathlib import Path

from ...base.errors import Permanent

_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82", b"GIF8": b"\x3b"}
"""First bytes, and what stands where the picture ends; some programs write more behind it."""
_LENGTHS = {b"RIFF": (4, 8), b"BM": (2, 0)}
"""First bytes, where the length of the rest stands, and what does not count in it."""


def check(path: Path) -> None:
    """Raise Permanent (CorruptImage) for a picture of which a part is missing."""
    data = path.read_bytes()
    for start, end in _ENDS.items():
        if data.startswith(start) and end not in data[len(start) :]:
            raise _cut()
    for start, (at, apart) in _LENGTHS.items():
        if data.startswith(start) and int.from_bytes(data[at : at + 4], "little") + apart > len(data):
            raise _cut()
    if not data.startswith((*_ENDS, *_LENGTHS, b"II", b"MM")):
        raise Permanent(
            "InvalidImageType",
            "the file is no image of a known kind",
            hint="give a JPEG, PNG or WebP that a browser shows",
        )


def _cut() -> Permanent:
    return Permanent("CorruptImage", "the image is cut off", hint="upload the whole file again")
