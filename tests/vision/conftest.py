"""What all tests with real weights share: a tiny YOLO, trained once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import figures

EPOCHS, PICTURES = 30, 240


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as ultralytics writes them, after some two minutes of training on a CPU."""
    folder = tmp_path_factory.mktemp("yolo")
    os.environ |= {
        "YOLO_CONFIG_DIR": str(folder),
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "0",
        "ULTRALYTICS_SAFE_LOAD": "1",
    }
    from ultralytics import YOLO

    YOLO("yolo11n.yaml").train(
        data=str(figures.dataset(folder / "people", pictures=PICTURES, seed=1)), epochs=EPOCHS, imgsz=figures.SIDE, batch=12,
        workers=0, project=str(folder), name="run", device="cpu", optimizer="AdamW", lr0=0.003, warmup_epochs=1, mosaic=0.0,
        plots=False, verbose=False, seed=0, val=False,
    )  # fmt: skip
    return folder / "run" / "weights" / "last.pt"
