"""What is let in is judged by content (T-021, cases 63 and 64)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from videojob_worker.base.errors import Permanent
from videojob_worker.media.sniff import sniff


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


FTYP = box(b"ftyp", b"isom\0\0\2\0")
MOOV = box(b"moov", b"\0" * 8)
MATROSKA = b"\x1aE\xdf\xa3\x8b\x42\x82\x88matroska\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff"
WEBM = b"\x1aE\xdf\xa3\x87\x42\x82\x84webm\x18S\x80g"


@dataclass(frozen=True)
class Case:
    name: str
    given: bytes
    expect: str
    """The container, or the failure's code and a part of its message."""


CASES = (
    Case("mp4", FTYP + MOOV + box(b"mdat", b"x" * 9), "mp4"),
    Case("mp4 whose last box goes to the end", FTYP + MOOV + b"\0\0\0\0mdat" + b"x" * 30, "mp4"),
    Case("mp4 with a large box", FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 20) + b"abcd", "mp4"),
    Case("mp4 with bytes behind the last box", FTYP + MOOV + b"\0\0\0\3junk", "mp4"),
    Case("QuickTime", box(b"ftyp", b"qt  \0\0\0\0") + MOOV, "mov"),
    Case("old QuickTime without ftyp", box(b"wide") + MOOV, "mov"),
    Case("AVI", b"RIFF" + struct.pack("<I", 4) + b"AVI ", "avi"),
    Case("Matroska of unknown length", MATROSKA, "mkv"),
    Case("WebM", WEBM + b"\x84abcd", "webm"),
    Case("an empty file", b"", "EmptyFile: 0 bytes"),
    Case("a truncated mp4", FTYP + MOOV + struct.pack(">I4s", 4000, b"mdat") + b"x" * 99, "CorruptMedia: truncated"),
    Case("an mp4 without index", FTYP + box(b"mdat", b"x" * 50), "CorruptMedia: moov"),
    Case("a truncated AVI", b"RIFF" + struct.pack("<I", 4000) + b"AVI " + b"x" * 9, "CorruptMedia: truncated"),
    Case("a truncated WebM", WEBM + b"\x48\x00abcd", "CorruptMedia: truncated"),
    Case("a text", b"hello world\n" * 9, "InvalidFileType: a text; allowed: mp4, mov, avi, mkv, webm"),
    Case("HTML", b"<!DOCTYPE html><html>", "InvalidFileType: HTML"),
    Case("a zip archive", b"PK\x03\x04" + b"x" * 50, "InvalidFileType: zip"),
    Case("a program", b"\x7fELF\x02\x01\x01", "InvalidFileType: ELF"),
    Case("a PNG picture", b"\x89PNG\r\n\x1a\n", "InvalidFileType: PNG"),
    Case("an AVIF picture in ISO boxes", box(b"ftyp", b"avif\0\0\0\0"), "InvalidFileType: AVIF"),
    Case("a WAVE file", b"RIFF\x10\0\0\0WAVEfmt ", "InvalidFileType: not AVI"),
    Case("noise", bytes(range(128, 256)) + b"\0", "InvalidFileType: of no known form"),
    Case("an HLS playlist", b"#EXTM3U\n#EXT-X-VERSION:3\n", "InvalidFileType: HLS"),
    Case("an HLS playlist behind a byte order mark", b"\xef\xbb\xbf\n #EXTM3U\n", "InvalidFileType: HLS"),
    Case("an ffconcat script", b"ffconcat version 1.0\nfile secret.ts\n", "InvalidFileType: ffconcat"),
    Case("a DASH manifest", b'<?xml version="1.0"?>\n<MPD xmlns="x">', "InvalidFileType: DASH"),
    Case("a session description", b"v=0\no=- 0 0 IN IP4 10.0.0.1\n", "InvalidFileType: session"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_is_judged_by_its_content(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "claims-to-be.mp4"
    path.write_bytes(case.given)
    if ":" not in case.expect:
        assert sniff(path).container == case.expect
        return
    code, part = case.expect.split(": ", 1)
    with pytest.raises(Permanent) as raised:
        sniff(path)
    assert raised.value.code == code
    assert part in raised.value.message
    assert raised.value.hint


def test_a_type_the_job_does_not_allow_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(WEBM + b"\x84abcd")
    with pytest.raises(Permanent, match=r"^Invalid file type: this is webm; allowed: mp4, mov$"):
        sniff(path, ("mp4", "mov"))
