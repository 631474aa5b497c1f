"""What cameras, printers and strangers do to pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from stories import texture
from videojob_worker.base.errors import Permanent
from videojob_worker.compose import motion, picture


def halves(mode: str = "RGB") -> Image.Image:
    """Left red, right blue, twice as wide as high."""
    made = Image.new("RGB", (40, 20), "#FF0000")
    made.paste("#0000FF", (20, 0, 40, 20))
    return made.convert(mode)


@dataclass(frozen=True)
class Case:
    """One picture: how it is written, and the colours at its left and right."""

    name: str
    write: Callable[[Path], None]
    left: tuple[int, int, int]
    right: tuple[int, int, int]
    size: tuple[int, int] = (40, 20)


def _turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    halves().transpose(Image.Transpose.ROTATE_90).save(path, "JPEG", quality=95, exif=exif, subsampling=0)


def _deep(path: Path) -> None:
    Image.fromarray(np.full((20, 40), 51400, np.uint16)).save(path, "PNG")


def _seen_through(path: Path) -> None:
    made = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    made.paste((255, 0, 0, 255), (0, 0, 20, 20))
    made.save(path, "PNG")


def _profiled(path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    halves().save(path, "PNG", icc_profile=profile)


RED, BLUE = (255, 0, 0), (0, 0, 255)
CASES = [
    Case("plain", lambda path: halves().save(path, "PNG"), RED, BLUE),
    Case("turned by EXIF", _turned, RED, BLUE),
    Case("CMYK", lambda path: halves("CMYK").save(path, "JPEG", quality=100), RED, BLUE),
    Case("16 bits", _deep, (200, 200, 200), (200, 200, 200)),
    Case("transparent shows the ground", _seen_through, RED, (26, 26, 46)),
    Case("palette", lambda path: halves("P").save(path, "GIF"), RED, BLUE),
    Case("with a colour profile", _profiled, RED, BLUE),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_picture_becomes_plain_rgb(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path / "p")
    made = picture.read(tmp_path / "p")
    assert (made.mode, made.size) == ("RGB", case.size)
    for place, wanted in ((8, case.left), (32, case.right)):
        assert np.abs(np.subtract(made.getpixel((place, 10)), wanted)).max() <= 6  # type: ignore[arg-type]


def _bomb(path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def _half(path: Path) -> None:
    texture(200, 200).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (_bomb, "ImageTooLarge"),
        (_half, "CorruptImage"),
        (lambda path: path.write_text("<svg/>"), "InvalidImageType"),
        (lambda path: path.write_bytes(b""), "InvalidImageType"),
        (lambda path: Image.new("RGB", (9, 9)).save(path, "PPM"), "InvalidImageType"),
    ],
    ids=["a bomb", "cut off", "no picture", "empty", "a decoder that is not asked"],
)
def test_what_cannot_be_read_says_so(write: Callable[[Path], None], code: str, tmp_path: Path) -> None:
    write(tmp_path / "p")
    with pytest.raises(Permanent) as caught:
        picture.read(tmp_path / "p")
    assert caught.value.code == code
    assert caught.value.hint


def test_without_a_ground_what_is_transparent_stays_so(tmp_path: Path) -> None:
    """A portrait that is cut out already keeps its mask; other pictures are plain RGB."""
    _seen_through(tmp_path / "p")
    made = picture.read(tmp_path / "p", ground=None)
    assert made.mode == "RGBA"
    assert made.getpixel((32, 10))[3] == 0  # type: ignore[index]
    _turned(tmp_path / "q")
    assert picture.read(tmp_path / "q", ground=None).mode == "RGB"


def test_a_window_shows_the_middle_and_fills_itself() -> None:
    made = picture.canvas(halves(), motion.Window(0, 0, 20, 20, 20, 20))
    assert (made.width, made.height) == (20, 20)
    assert made.v[5, 1] > 200  # red, of which only the half next to the middle is left
    assert made.u[5, 8] > 200
    tall = picture.whole(halves(), 10, 40)
    assert (tall.width, tall.height) == (10, 40)


def test_a_gradient_runs_from_its_first_colour_to_its_last() -> None:
    made = picture.gradient(4, 9, "#000000", "#0000FF")
    assert [made.getpixel((0, y)) for y in (0, 4, 8)] == [(0, 0, 0), (0, 0, 128), (0, 0, 255)]


def test_what_is_read_is_pixels_alone(tmp_path: Path) -> None:
    """A profile says when it was made: written again, the same picture would be other bytes."""
    path = tmp_path / "profiled.png"
    _profiled(path)
    assert picture.read(path).info == {}
    assert picture.read(path, ground=None).info == {}
