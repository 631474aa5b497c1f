"""Strangers' pictures, read safely and brought to the frame's shape.

Only what a header announces within bounds is decoded, by a short list of decoders. What cameras and printers do to a picture
(turned, CMYK, 16 bits, transparent, other colour spaces) is undone here, so that everything after sees plain RGB.
"""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from ..base.errors import Permanent
from .motion import Window
from .planes import Planes, from_rgb

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Decoders that are asked; a name's ending is not."""
MAX_PIXELS = 89_000_000
"""Largest picture that is decoded."""
GROUND = "#1A1A2E"
"""Behind what is transparent."""


def read(path: Path, *, ground: str | None = GROUND, least: tuple[int, int] | None = None) -> Image.Image:
    """A picture as people see it, in RGB; what is transparent shows the ground. Without a ground it stays transparent (RGBA).

    `least` is the smallest size that is of use: a JPEG may be decoded no larger than needed. Raises Permanent: InvalidImageType,
    ImageTooLarge, CorruptImage.
    """
    hint = "give a JPEG, PNG or WebP that a browser shows"
    try:
        with Image.open(path, formats=FORMATS) as opened:
            _judge(opened.width, opened.height)
            if least is not None and opened.format in {"JPEG", "MPO"}:
                side = max(least)  # it may lie on its side
                opened.draft(None, (side, side))
            return _plain(opened, ground)
    except UnidentifiedImageError:
        raise Permanent("InvalidImageType", "the file is no image of a known kind", hint=hint) from None
    except Permanent:
        raise
    except Image.DecompressionBombError:
        raise _too_large("far more") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise Permanent("CorruptImage", f"the image cannot be decoded: {error}", hint=hint) from None


def _judge(across: int, up: int) -> None:
    if across * up > MAX_PIXELS:
        raise _too_large(f"{across}x{up}")


def _too_large(size: str) -> Permanent:
    text = f"the image has {size} pixels, the limit is {MAX_PIXELS // 10**6} million"
    return Permanent("ImageTooLarge", text, hint="scale it down; no video needs more")


def _plain(opened: ImageFile, ground: str | None) -> Image.Image:
    profile = opened.info.get("icc_profile")
    opened.load()
    picture: Image.Image = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits a channel, one channel
        values = np.asarray(picture, dtype=np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        picture = Image.fromarray(np.clip(values * 255 / top, 0, 255).astype(np.uint8))
    has_alpha = picture.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in picture.info
    alpha = picture.convert("RGBA").getchannel("A") if has_alpha else None
    if isinstance(profile, bytes) and picture.mode in {"RGB", "CMYK", "L"}:
        picture = _to_srgb(picture, profile)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    if alpha is not None and ground is None:
        picture.putalpha(alpha)
    elif alpha is not None:
        below = Image.new("RGB", picture.size, ground)
        below.paste(picture, mask=alpha)
        picture = below
    picture.info = {}  # the profile that it has now names the moment it was made: the same pixels would be other bytes
    return picture


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """From the picture's own colours to those of screens; a profile that cannot be used is as none."""
    with suppress(ImageCms.PyCMSError, OSError, ValueError):
        made = ImageCms.profileToProfile(
            picture, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        if made is not None:
            return made
    return picture


def canvas(picture: Image.Image, window: Window) -> Planes:
    """The part of a picture that a window shows: it fills the window, its middle in the window's middle, the rest cut off.

    Resampled once, with Lanczos, at an exact position.
    """
    across, up = window.right - window.left, window.bottom - window.top
    scale = min(picture.width / across, picture.height / up)
    left = (picture.width - across * scale) / 2
    top = (picture.height - up * scale) / 2
    box = (
        max(0.0, left),
        max(0.0, top),
        min(picture.width, left + across * scale),
        min(picture.height, top + up * scale),
    )
    made = picture.resize((window.width, window.height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    return from_rgb(np.asarray(made))


def whole(picture: Image.Image, width: int, height: int) -> Planes:
    """A picture that fills a frame without moving."""
    return canvas(picture, Window(0, 0, width, height, width, height))


def gradient(width: int, height: int, top: str, bottom: str) -> Image.Image:
    """Two colours, one above, flowing into each other."""
    ends = [np.array([int(text[at : at + 2], 16) for at in (1, 3, 5)], np.float64) for text in (top, bottom)]
    share = np.linspace(0, 1, height)[:, None]
    column = np.rint(ends[0] * (1 - share) + ends[1] * share).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(column[:, None, :], (height, width, 3))))
