"""What a file is by its first bytes and its outer structure, before any decoder sees it (T-021, cases 63 and 64).

A container's name for FFmpeg comes from here and is pinned on its command line, so that FFmpeg never guesses.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from videojob_api.v1alpha1.spec import ALLOWED_TYPES

from ..base.errors import Permanent

HEAD_BYTES = 4096
MAX_BOXES = 4096
"""Top-level boxes that are walked through at most."""

DEMUXERS = {"mp4": "mov", "mov": "mov", "avi": "avi", "mkv": "matroska", "webm": "matroska"}
"""FFmpeg's demuxer for each of our containers."""

_PICTURE_BRANDS = {b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"}
_BOXES = {
    b"ftyp",
    b"moov",
    b"mdat",
    b"free",
    b"skip",
    b"wide",
    b"pnot",
    b"moof",
    b"styp",
    b"sidx",
    b"uuid",
    b"meta",
    b"udta",
}

_PLAYLISTS = (
    (re.compile(rb"^\s*#EXTM3U"), "an HLS playlist (m3u8)"),
    (re.compile(rb"^\s*ffconcat"), "an ffconcat script"),
    (re.compile(rb"^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<MPD", re.DOTALL), "a DASH manifest (mpd)"),
    (re.compile(rb"^\s*(<\?xml[^>]*>\s*)?<smil", re.IGNORECASE), "a SMIL playlist"),
    (re.compile(rb"^v=0\r?\n"), "a session description (sdp)"),
    (re.compile(rb"^\[playlist\]", re.IGNORECASE), "a playlist (pls)"),
    (re.compile(rb"^\[InternetShortcut\]|^\[Reference\]", re.IGNORECASE), "a shortcut"),
)
"""Texts that send FFmpeg to other files or hosts."""
_OTHERS = (
    (b"PK\x03\x04", "a zip archive"), (b"\x7fELF", "a program (ELF)"), (b"MZ", "a program (Windows)"),
    (b"\x1f\x8b", "a gzip archive"), (b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"), (b"GIF8", "a GIF picture"),
    (b"ID3", "an MP3 file"), (b"OggS", "an Ogg file"), (b"fLaC", "a FLAC file"), (b"FLV", "a Flash video"),
    (b"0&\xb2u", "a Windows Media file"), (b"\x00\x00\x01\xba", "an MPEG program stream"),
    (b"\x00\x00\x01\xb3", "an MPEG video stream"), (b"#!", "a script"),
)  # fmt: skip


@dataclass(frozen=True)
class Sniffed:
    """A container we let in."""

    container: str
    """mp4, mov, avi, mkv or webm."""
    whole: bool = False
    """Whether it is surely all there: a Matroska file that ends where its Segment does."""

    @property
    def demuxer(self) -> str:
        """FFmpeg's demuxer, to be pinned."""
        return DEMUXERS[self.container]


def sniff(path: Path, allowed: tuple[str, ...] = ALLOWED_TYPES) -> Sniffed:
    """Judge a file by its content.

    Raises Permanent: EmptyFile, InvalidFileType (a playlist in a video's clothes, too), CorruptMedia (it ends before its
    own structure says it does).
    """
    size = path.stat().st_size
    if size == 0:
        raise Permanent(
            "EmptyFile", "the file is empty (0 bytes)", hint="upload it again: the first upload did not finish"
        )
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        container = require_video(head, allowed)
        announced = _announced_size(container, head, file, size)
    if announced is not None and announced > size:
        raise Permanent(
            "CorruptMedia",
            f"the file is truncated: it has {size} bytes, its own structure announces at least {announced}",
            hint="upload the whole file again",
        )
    return Sniffed(container, whole=DEMUXERS[container] == "matroska" and announced == size)


def require_video(head: bytes, allowed: tuple[str, ...] = ALLOWED_TYPES) -> str:
    """The container that a file's first bytes announce. Raises Permanent: InvalidFileType."""
    container, finding = _container(head)
    if container is None:
        raise _refusal(finding or "of no known form", allowed)
    if container not in allowed:
        raise _refusal(container, allowed)
    return container


def _refusal(finding: str, allowed: tuple[str, ...]) -> Permanent:
    return Permanent(
        "InvalidFileType",
        f"Invalid file type: this is {finding}; allowed: {', '.join(allowed)}",
        hint="judged by content, not by name: convert it to MP4 (H.264 and AAC) and submit again",
    )


def _container(head: bytes) -> tuple[str | None, str | None]:
    """Our container's name, or None and what the file seems to be."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _PICTURE_BRANDS:
            return None, "a HEIF or AVIF picture"
        return ("mov" if brand == b"qt  " else "mp4"), None
    if head[4:8] in _BOXES and struct.unpack(">I", head[:4])[0] >= 8:
        return "mov", None  # QuickTime before it had ftyp
    if head[:4] == b"RIFF":
        return ("avi", None) if head[8:12] == b"AVI " else (None, f"a RIFF file that is not AVI ({head[8:12]!r})")
    if head[:4] == b"\x1aE\xdf\xa3":
        doctype = re.search(rb"\x42\x82[\x81-\x88]([a-z]+)", head[:256])
        name = {b"webm": "webm", b"matroska": "mkv"}.get(doctype[1] if doctype else b"")
        return (name, None) if name else (None, "an EBML file that is neither Matroska nor WebM")
    text = head.removeprefix(b"\xef\xbb\xbf")
    for pattern, name in _PLAYLISTS:
        if pattern.search(text):
            return None, name
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return None, name
    if head[:1] == b"\x47" and head[188:189] in (b"\x47", b""):
        return None, "an MPEG transport stream"
    if re.match(rb"\s*<", text):
        return None, "an HTML or XML page"
    if not re.search(rb"[\x00-\x08\x0e-\x1f]", head):
        return None, "a text"
    return None, None


def _announced_size(container: str, head: bytes, file: BinaryIO, size: int) -> int | None:
    """Bytes the file must have by its own outer structure; None if it does not say."""
    if container in ("mp4", "mov"):
        return _boxes_end(file, size)
    if container == "avi":
        # An unfinished recording leaves 0 there; a large one goes on in further RIFF chunks.
        return 8 + int(struct.unpack("<I", head[4:8])[0])
    return _segment_end(head)


def _boxes_end(file: BinaryIO, size: int) -> int:
    """Walk the top-level boxes of an ISO file; a missing `moov` is a truncation, too."""
    offset, seen = 0, set()
    for _ in range(MAX_BOXES):
        file.seek(offset)
        header = file.read(16)
        if len(header) < 8:
            break
        length, kind = struct.unpack(">I4s", header[:8])
        seen.add(kind)
        if length == 0:  # to the end of the file
            offset = size
            break
        if length == 1:
            length = struct.unpack(">Q", header[8:16])[0] if len(header) == 16 else 0
        if length < 8:
            break  # not a box: trailing bytes are no reason to refuse
        offset += length
        if offset >= size:
            break
    if b"moov" not in seen and offset <= size:
        raise Permanent(
            "CorruptMedia",
            "the file has no index (moov): the recording or upload was cut off",
            hint="upload the whole file again; a recorder's own repair tool may rebuild the index",
        )
    return offset


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """An EBML number and the offset behind it; None for `unknown`."""
    if at >= len(data) or data[at] == 0:
        return None, len(data)
    length = 9 - data[at].bit_length()
    raw = data[at : at + length]
    value = int.from_bytes(raw, "big") & ((1 << (7 * length)) - 1)
    return (None if value == (1 << (7 * length)) - 1 else value), at + length


def _segment_end(head: bytes) -> int | None:
    """End of the Segment of a Matroska file, if it says so."""
    size, at = _vint(head, 4)
    if size is None or (at := at + size) + 4 > len(head) or head[at : at + 4] != b"\x18S\x80g":
        return None
    length, at = _vint(head, at + 4)
    return None if length is None else at + length
