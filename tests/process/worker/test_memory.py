"""What a worker holds of memory."""

from __future__ import annotations

import subprocess
import sys

HELD = """
import re
from pathlib import Path
from videojob_worker.base.memory import give_back

def held():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

del bytearray(31 << 20)[:]  # glibc keeps large buffers from now on
before = held()
pictures = [bytearray(4 << 20) for _ in range(12)]
del pictures
kept = held() - before
give_back()
print(kept, held() - before)
"""


def test_what_was_freed_is_given_back() -> None:
    """S-060: glibc keeps pictures that are gone; before frames are drawn the machine gets them back."""
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    kept, left = map(int, done.stdout.split())
    assert kept > 30, "else there was nothing to give back"
    assert left < 8
