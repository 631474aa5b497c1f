"""BiRefNet's entrance and exits as a program that torch exported: the same code as for ONNX runs it (A-020, A-030, A-036)."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import limited
import tinynets
from videojob_worker.base.errors import BadConfig
from videojob_worker.vision.boxes import Picture
from videojob_worker.vision.matting import open_matter

pytestmark = pytest.mark.timeout(600)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def exported(path: Path, *, planes: int = 1, side: int | None = None) -> Path:
    """A program that tells red from grey, its early mask first, as `torch.export.save` writes it."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.red = torch.nn.Conv2d(3, 1, 1)
            self.spread = torch.nn.Conv2d(1, planes, 1, bias=False)
            self.gather = torch.nn.Conv2d(planes, 1, 1, bias=False)
            with torch.no_grad():
                self.red.weight.copy_(torch.tensor([1.0, -0.5, -0.5]).reshape(1, 3, 1, 1) * 6)
                self.red.bias.fill_(-3)
                self.spread.weight.fill_(1)
                self.gather.weight.fill_(9 / planes)

        def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
            mask = self.gather(torch.nn.functional.softsign(self.spread(self.red(images))))
            return [mask * 0, mask]

    any_side = torch.export.Dim("side", min=64, max=2048)
    free = {"images": {2: any_side, 3: any_side}} if side is None else None
    example = torch.zeros(1, 3, side or 256, side or 256)
    torch.export.save(torch.export.export(Net().eval(), (example,), dynamic_shapes=free), path)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("program") / "birefnet.pt2")


def drawn() -> Picture:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[80:336, 96:224] = (230, 30, 30)
    return picture


def test_torch_and_onnx_runtime_draw_the_same_mask(program: Path, tmp_path: Path) -> None:
    by_torch = open_matter("birefnet", program, digest(program))
    weights, sha256 = tinynets.matter(tmp_path, wide=1)
    by_onnx = open_matter("birefnet", weights, sha256)
    masks = [matter.matte(drawn(), None) for matter in (by_torch, by_onnx)]
    assert np.abs(masks[0] - masks[1]).max() < 0.01
    assert masks[0][200, 160] > 0.95
    assert (by_torch.degraded, by_torch.note) == (None, None)


def test_it_computes_where_its_tensors_lie(program: Path) -> None:
    """A-032: what is told is read from the weights, not from what was asked for."""
    import torch

    matter = open_matter("birefnet", program, digest(program), accelerator="Prefer", precision="fp16")
    card = torch.cuda.is_available()
    assert matter.accelerator == ("cuda" if card else "cpu")
    assert matter.note == (None if card else "birefnet.pt2 was computed in fp32: fp16 needs a GPU")
    assert matter.matte(drawn(), None)[200, 160] > 0.95
    if not card:
        with pytest.raises(BadConfig, match="no GPU answers"):
            open_matter("birefnet", program, digest(program), accelerator="Require")


def test_a_program_of_a_fixed_size_is_given_that_size(tmp_path: Path) -> None:
    path = exported(tmp_path / "fixed.pt2", side=96)
    assert open_matter("birefnet", path, digest(path)).matte(drawn(), None)[200, 160] > 0.9


def test_under_a_real_limit_torch_looks_at_512_too(tmp_path: Path) -> None:
    """A-030."""
    path = exported(tmp_path / "wide.pt2", planes=128)
    told = limited.cut_out("birefnet", path, digest(path), 700)
    assert told["degraded"] == "the mask was made at 512 instead of 1024 pixels, for want of memory"
    assert float(str(told["inside"])) > 0.95


def test_int8_is_refused_with_the_remedy(program: Path) -> None:
    with pytest.raises(BadConfig, match="not computed in int8") as caught:
        open_matter("birefnet", program, digest(program), precision="int8")
    assert "quantised to int8" in str(caught.value.hint)


def test_another_digest_is_refused(program: Path) -> None:
    with pytest.raises(BadConfig, match="checksum mismatch"):
        open_matter("birefnet", program, "0" * 64)


class Trap:
    """Writes a file when a pickle of it is opened without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


Change = Callable[[str, bytes, Path], bytes]


def samples(name: str, data: bytes, sprung: Path) -> bytes:
    return pickle.dumps(Trap(sprung)) if name.endswith("sample_inputs/model.pt") else data


def guard(name: str, data: bytes, sprung: Path) -> bytes:
    return _graph(name, data, lambda graph: graph.update(guards_code=[f"open({str(sprung)!r}, 'w')"]))


def call(name: str, data: bytes, sprung: Path) -> bytes:
    return _graph(
        name, data, lambda graph: graph["graph_module"]["graph"]["nodes"][0].update(target="torch.serialization.load")
    )


def size(name: str, data: bytes, sprung: Path) -> bytes:
    trap = f"__import__('builtins').open({str(sprung)!r}, 'w')".encode()
    return data.replace(b"Symbol('s", trap + b" or Symbol('s") if name.endswith("models/model.json") else data


def weight(name: str, data: bytes, sprung: Path) -> bytes:
    if name.endswith("model_weights_config.json"):
        return data.replace(b'"use_pickle": false', b'"use_pickle": true')
    return pickle.dumps(Trap(sprung)) if "/weights/weight_" in name else data


def _graph(name: str, data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    if not name.endswith("models/model.json"):
        return data
    graph = json.loads(data)
    change(graph)
    return json.dumps(graph).encode()


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        pytest.param(samples, None, id="a pickle for sample inputs is left out"),
        pytest.param(guard, None, id="a guard that Python would evaluate is left out"),
        pytest.param(call, "it calls torch.serialization.load", id="a call that is no arithmetic"),
        pytest.param(size, "a size that is no arithmetic", id="a size that would be evaluated"),
        pytest.param(weight, "holds a pickle", id="a weight as a pickle"),
    ],
)
def test_a_program_that_would_run_something_runs_nothing(
    change: Change, refused: str | None, program: Path, tmp_path: Path
) -> None:
    """Even with its right digest: a stranger's file that an administrator was talked into."""
    bad, sprung = tmp_path / "bad.pt2", tmp_path / "sprung"
    made = io.BytesIO()
    changed = False
    with zipfile.ZipFile(program) as source, zipfile.ZipFile(made, "w") as target:
        for item in source.infolist():
            data = source.read(item)
            new = change(item.filename, data, sprung)
            changed = changed or new != data
            target.writestr(item, new)
    assert changed, "the trap is in the file"
    bad.write_bytes(made.getvalue())
    if refused is None:
        assert open_matter("birefnet", bad, digest(bad)).matte(drawn(), None)[200, 160] > 0.95
    else:
        with pytest.raises(BadConfig, match=refused) as caught:
            open_matter("birefnet", bad, digest(bad))
        assert caught.value.code == "ModelUnsafe"
    assert not sprung.exists()
