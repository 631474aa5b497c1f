"""What a file of music is by its first bytes, so that its demuxer is pinned like that of every stranger's file (cases 63, 64)."""

from __future__ import annotations

from pathlib import Path

from ..base.errors import Permanent

HEAD_BYTES = 64
_FORMS = (
    (0, b"ID3", "mp3"), (0, b"OggS", "ogg"), (0, b"fLaC", "flac"), (8, b"WAVE", "wav"), (4, b"ftyp", "mov"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
)  # fmt: skip
"""Where which bytes stand, and FFmpeg's demuxer."""


def demuxer(path: Path, field: str = "story.music.uri") -> str:
    """FFmpeg's demuxer of a file of sound, which this field of the spec names. Raises Permanent (InvalidFileType)."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for at, mark, name in _FORMS:
        if head[at:].startswith(mark):
            return name
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # frames of layer 3 without a tag before them
        return "mp3"
    raise Permanent(
        "InvalidFileType", f"Invalid file type: {field} is none of mp3, m4a, ogg, flac, wav",
        hint=f"name another file in {field}",
    )  # fmt: skip
