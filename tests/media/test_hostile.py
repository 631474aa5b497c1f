"""Bad input: refused early, with class, code, message, hint and exit code; nothing but debug/ is left (case 63 to 67)."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clips import Clips
from videojob_api.contract import RunResult
from videojob_api.exits import ExitCode
from workbench import Workbench

Make = Callable[[Workbench, Clips], object]


@dataclass(frozen=True)
class Case:
    """How the source is spoiled, and what is said about it."""

    name: str
    make: Make
    code: str
    message: str
    limits: dict[str, Any] = field(default_factory=dict)


def refused(bench: Workbench, result: RunResult, code: str, message: str) -> None:
    """The failure is Permanent and complete, and the job's folder holds only debug/."""
    assert result.failure is not None, result
    assert (result.exit_code, result.failure.failure_class) == (ExitCode.PERMANENT, "Permanent")
    assert result.failure.code == code, result.failure
    assert message in result.failure.message
    assert result.failure.hint
    assert bench.entries() == {"debug"}
    assert (bench.job / "debug/main-a1/work.result.json").exists()


def half(bench: Workbench, clips: Clips) -> None:
    data = clips("small").read_bytes()
    bench.put_bytes(data[: len(data) // 2])


def cut_behind_the_index(bench: Workbench, clips: Clips, folder: Path) -> None:
    path = folder / "front.mp4"
    argv = ["ffmpeg", "-v", "error", "-i", str(clips("small")), "-c", "copy", "-movflags", "+faststart", str(path)]
    subprocess.run(argv, check=True)
    bench.put_bytes(path.read_bytes()[:-20_000])


def shorter_than_it_says(bench: Workbench, clips: Clips) -> None:
    """A Matroska file of unknown length whose second half is gone: only decoding shows it."""
    data = bytearray(clips("half-gone").read_bytes())
    at = data.index(b"\x18S\x80g") + 4
    data[at : at + 8] = b"\x01\xff\xff\xff\xff\xff\xff\xff"
    bench.put_bytes(bytes(data[: len(data) // 2]))


def forged_duration(bench: Workbench, clips: Clips) -> None:
    """Ten hours by its header, one second in truth."""
    data = bytearray(clips("small").read_bytes())
    for atom, at in ((b"mvhd", 20), (b"mdhd", 20)):
        start = -1
        while (start := data.find(atom, start + 1)) >= 0:
            scale = struct.unpack(">I", data[start + at - 4 : start + at])[0]
            data[start + at : start + at + 4] = struct.pack(">I", 36_000 * scale)
    bench.put_bytes(bytes(data))


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"

CASES = (
    Case("zero bytes (63)", lambda b, _: b.put_bytes(b""), "EmptyFile", "0 bytes"),
    Case("half an upload (63)", half, "CorruptMedia", "truncated"),
    Case("a text named mp4 (63)", lambda b, _: b.put_bytes(b"hello\n" * 99), "InvalidFileType", "mp4, mov, avi, mkv, webm"),
    Case("HTML named mp4 (63)", lambda b, _: b.put_bytes(b"<html></html>"), "InvalidFileType", "HTML"),
    Case("a zip archive (63)", lambda b, _: b.put_bytes(b"PK\x03\x04" + b"\0" * 99), "InvalidFileType", "zip"),
    Case("a program (63)", lambda b, _: b.put(Path("/bin/sh"), "clip.mp4"), "InvalidFileType", "ELF"),
    Case("a playlist named mp4 (64)", lambda b, _: b.put_bytes(PLAYLIST), "InvalidFileType", "Invalid file type"),
    Case("ffconcat (64)", lambda b, _: b.put_bytes(b"ffconcat version 1.0\nfile x\n"), "InvalidFileType", "ffconcat"),
    Case("a DASH manifest (64)", lambda b, _: b.put_bytes(b"<MPD></MPD>"), "InvalidFileType", "DASH"),
    Case("a session description (64)", lambda b, _: b.put_bytes(b"v=0\nm=video 1 RTP/AVP 96\n"), "InvalidFileType", "sdp"),
    Case(
        "a playlist behind a video's first bytes (64)",
        lambda b, _: b.put_bytes(b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov" + PLAYLIST),
        "CorruptMedia", "truncated",
    ),
    Case("sound alone (67)", lambda b, c: b.put(c("audio-only")), "InvalidFileType", "no video stream"),
    Case("above the size limit", lambda b, c: b.put(c("small")), "FileTooLarge", "File too large", {"maxInputSize": "1Ki"}),
    Case("a type that is not allowed", lambda b, c: b.put(c("small")), "InvalidFileType", "mp4", {"allowedTypes": ["mkv"]}),
    Case("above the duration limit", lambda b, c: b.put(c("camera")), "DurationTooLong", "1 s", {"maxDurationSeconds": 1}),
    Case("ten hours in some kilobytes (66)", forged_duration, "DurationTooLong", "36000 s"),
    Case("a picture of 45 million pixels (66)", lambda b, c: b.put(c("huge")), "UnsafeInput", "9000x5000"),
    Case("shorter than it says (63)", shorter_than_it_says, "CorruptMedia", "announces"),
    Case("no such upload", lambda b, c: b.put(c("small")).upload.unlink(), "SourceNotFound", "does not exist"),
    Case("other bytes than promised", lambda b, c: b.put(c("small")).upload.write_bytes(c("tiny").read_bytes()),
         "CorruptMedia", "do not match"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_refused_for_good(case: Case, bench: Workbench, clips: Clips) -> None:
    """T-014, T-021."""
    bench.limits = case.limits
    case.make(bench, clips)
    refused(bench, bench.run(), case.code, case.message)


def test_a_file_cut_behind_its_index(bench: Workbench, clips: Clips, tmp_path: Path) -> None:
    """Case 63: it probes well; its own boxes tell."""
    cut_behind_the_index(bench, clips, tmp_path)
    refused(bench, bench.run(), "CorruptMedia", "truncated")


def link(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def folder_instead(path: Path, _: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path, _: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("a symbolic link", link, "symbolic link"),
        ("a hard link", lambda path, other: (path.unlink(), path.hardlink_to(other)), "hard link"),
        ("a folder", folder_instead, "not a regular file"),
        ("a pipe", pipe, "not a regular file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_regular_files_are_read(
    name: str, spoil: Callable[[Path, Path], object], message: str, bench: Workbench, clips: Clips, tmp_path: Path
) -> None:
    """Case 65: a link into another tenant's folder, or a thing that never ends, is not followed."""
    other = tmp_path / "private.mp4"
    other.write_bytes(clips("small").read_bytes())
    bench.put(clips("small"))
    spoil(bench.upload, other)
    refused(bench, bench.run(), "UnsafeInput", message)


def test_a_linked_folder_in_the_stock_is_not_followed(bench: Workbench, clips: Clips, tmp_path: Path) -> None:
    """Case 65."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private/clip.mp4").write_bytes(clips("small").read_bytes())
    (bench.root / "stock/intro").symlink_to(tmp_path / "private")
    bench.source = {"uri": "store://stock/intro/clip.mp4"}
    refused(bench, bench.run(), "UnsafeInput", "symbolic link")


@pytest.mark.parametrize(
    "uri", ["store://stock/../inbox/x", "file:///etc/passwd", "http://10.0.0.1/x.mp4", "store://jobs/x/y"]
)
def test_a_source_outside_the_store_is_not_even_looked_at(uri: str, bench: Workbench) -> None:
    """Case 59 and 65: the API refuses it, and should a document name it all the same, the worker does before it opens it."""
    bench.source = {"uri": uri}
    result = bench.run()
    assert result.failure is not None
    assert (result.exit_code, result.failure.code) == (ExitCode.PERMANENT, "UnsafeInput")
    assert "passwd" not in result.failure.message


@pytest.mark.parametrize("name", ["-i", "; rm -rf $HOME", "$(reboot).mp4", "concat:a|b", "a\u202eb.mp4"])
def test_names_are_only_names(name: str, bench: Workbench, clips: Clips) -> None:
    """Case 59: a file name never reaches a command line."""
    result = bench.put(clips("small"), name).run()
    assert result.exit_code == 0, result
    assert result.stages[0].input is not None
    assert result.stages[0].input.filename == name
    for path in (bench.job / "debug/main-a1").glob("*.commands.txt"):
        assert name not in path.read_text().replace("-i file:", "")


def test_an_output_s_place_that_leads_elsewhere_is_not_written_through(
    bench: Workbench, clips: Clips, tmp_path: Path
) -> None:
    """Case 65: videos/ was made a link into a foreign folder."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    document = bench.put(clips("small")).document()
    assert bench.run("work", document).exit_code == 0
    (bench.job / "videos").symlink_to(foreign)
    result = bench.run("commit", document)
    assert result.failure is not None
    assert result.failure.code == "UnsafeInput"
    assert not list(foreign.iterdir())


def test_many_streams_are_refused(bench: Workbench, clips: Clips, tmp_path: Path) -> None:
    """Case 66."""
    path = tmp_path / "many.mkv"
    maps = [word for _ in range(70) for word in ("-map", "0:a")]
    argv = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(clips("camera")),
        "-map",
        "0:v",
        *maps,
        "-c",
        "copy",
        "-t",
        "0.2",
        str(path),
    ]
    subprocess.run(argv, check=True)
    result = bench.put(path).run()
    assert result.failure is not None
    assert (result.failure.code, result.exit_code) == ("UnsafeInput", 65)
    assert bench.entries() == {"debug"}
