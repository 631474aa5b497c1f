"""Programs of torch.export from strangers: what is no such archive is refused in words."""

from __future__ import annotations

import io
import zipfile

import pytest

from videojob_worker.vision.archive import harmless

FLAGS, METHOD = (6, 8), (8, 10)
"""Where a ZIP's local and central headers have an entry's flags and its compression (APPNOTE 4.3.7, 4.3.12)."""


def an_archive(place: tuple[int, int] = FLAGS, value: int = 0) -> bytes:
    """An archive of one entry, of which a field of both headers has that value."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr("net/models/model.json", "{}")
    content = bytearray(made.getvalue())
    for signature, offset in ((b"PK\x03\x04", place[0]), (b"PK\x01\x02", place[1])):
        at = content.index(signature) + offset
        content[at : at + 2] = value.to_bytes(2, "little")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"not a ZIP", "not a zip file", id="something else"),
        pytest.param(an_archive(FLAGS, 1), "encrypted", id="an entry is encrypted"),
        pytest.param(an_archive(METHOD, 99), "compression", id="an entry is compressed in an unknown way"),
    ],
)
def test_what_cannot_be_read_is_refused_and_breaks_nothing(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=f"it is no archive of torch.export: .*{why}"):
        harmless(content)
