"""What the room of pictures costs a stage that looks at none."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_room_loads_no_library_of_models() -> None:
    """Imports are the cost of a stage that needs no model."""
    code = (
        "import sys; from videojob_worker.vision import detectors, people, pose, ssd, models;"
        "heavy = {'ai_edge_litert', 'torch', 'onnxruntime', 'ultralytics'} & set(sys.modules); print(*heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
