"""What the C library does with memory that was freed."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
KEPT_BYTES = 32 << 20
"""More than one picture of an encoder: what an ended one has freed, the next one takes, and no page is cleared anew for it."""


def give_back() -> None:
    """Give what was freed back to the machine, now and from now on, but for some frames' worth.

    glibc keeps ever more large buffers once it has seen some of them freed: of pictures that were decoded in earlier stages a
    pod would carry them while it encodes. Does nothing with another C library.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim"):
        libc.mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, 2 * KEPT_BYTES)
        libc.malloc_trim(0)
