"""Small ONNX graphs with the entrances and exits of the real ones: what they see are red figures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, CELL = 320, 32
CELLS = (SIDE // CELL) ** 2
ROWS = 300
"""Answers of a detector that counts no further."""
FIGURE = (64.0, 128.0)
"""Width and height of every box, in pixels of the square."""
Shape = Literal["yolo8", "end-to-end", "yolox", "detr"]


def saved(
    folder: Path, name: str, nodes: Sequence[Any], constants: dict[str, Any], side: int | None, exits: dict[str, Any]
) -> tuple[Path, str]:
    """Write a graph with the entrance `images`; answers its path and SHA-256."""
    across = side or "side"
    graph = helper.make_graph(
        list(nodes), name, [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, across, across])],
        [helper.make_tensor_value_info(exit_, TensorProto.FLOAT, shape) for exit_, shape in exits.items()],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    if name == "named":
        helper.set_model_props(model, {"names": "{0: 'bicycle', 1: 'person'}"})
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def _red(scale: float) -> tuple[list[Any], dict[str, Any]]:
    """Score of each cell: how much of a figure round its middle is red."""
    weights = np.array([1.0, -0.5, -0.5], np.float32).reshape(1, 3, 1, 1) * scale
    nodes = [
        helper.make_node("Conv", ["images", "weights", "bias"], ["redness"]),
        helper.make_node(
            "AveragePool",
            ["redness"],
            ["pooled"],
            kernel_shape=[128, 64],
            strides=[CELL, CELL],
            pads=[48, 16, 48, 16],
            count_include_pad=1,
        ),
        helper.make_node("Reshape", ["pooled", "flat"], ["logits0"]),
    ]
    return nodes, {"weights": weights, "bias": np.array([-0.6 * scale], np.float32), "flat": np.array([1, 1, CELLS])}


def detector(folder: Path, shape: Shape, *, named: bool = False) -> tuple[Path, str]:
    """A detector of red figures that answers in one of the shapes that are read."""
    nodes, constants = _red(30)
    up, across = np.mgrid[0:SIDE:CELL, 0:SIDE:CELL]
    middles = np.stack([across, up], axis=-1).reshape(-1, 2).astype(np.float32) + CELL / 2
    size = np.broadcast_to(np.array(FIGURE, np.float32), middles.shape)
    boxes = np.concatenate([middles, size], axis=1)
    if shape != "detr":
        nodes.append(helper.make_node("Sigmoid", ["logits0"], ["scores"]))
    if shape == "yolo8":
        constants["boxes"] = boxes.T[None]
        constants["other"] = np.full((1, 1, CELLS), 0.01, np.float32)
        order = ["boxes", "other", "scores"] if named else ["boxes", "scores", "other"]
        nodes.append(helper.make_node("Concat", order, ["output0"], axis=1))
        return saved(folder, "named" if named else shape, nodes, constants, SIDE, {"output0": [1, 6, CELLS]})
    nodes.append(
        helper.make_node("Transpose", ["logits0" if shape == "detr" else "scores"], ["column"], perm=[0, 2, 1])
    )
    if shape == "end-to-end":
        corners = np.concatenate([middles - size / 2, middles + size / 2], axis=1)
        constants |= {"boxes": corners[None], "class": np.zeros((1, CELLS, 1), np.float32)}
        nodes.append(helper.make_node("Concat", ["boxes", "column", "class"], ["output0"], axis=2))
        return saved(folder, shape, nodes, constants, SIDE, {"output0": [1, CELLS, 6]})
    if shape == "yolox":
        constants |= {"boxes": boxes[None], "sure": np.full((1, CELLS, 1), 0.95, np.float32)}
        constants["other"] = np.full((1, CELLS, 79), 0.01, np.float32)
        nodes.append(helper.make_node("Concat", ["boxes", "sure", "column", "other"], ["output0"], axis=2))
        return saved(folder, shape, nodes, constants, SIDE, {"output0": [1, CELLS, 85]})
    constants |= {"shares": (boxes / SIDE)[None], "other": np.full((1, CELLS, 79), -9, np.float32)}
    nodes.append(helper.make_node("Concat", ["column", "other"], ["logits"], axis=2))
    nodes.append(helper.make_node("Identity", ["shares"], ["pred_boxes"]))
    return saved(folder, shape, nodes, constants, SIDE, {"logits": [1, CELLS, 80], "pred_boxes": [1, CELLS, 4]})


def matter(folder: Path, *, hungry: bool = False, side: int | None = None, wide: int | None = None) -> tuple[Path, str]:
    """BiRefNet's entrance and exits: several masks as logits, the last one counts.

    A hungry one asks, for squares above 512, for more than there are addresses for: no machine has it, and none is harmed. A wide
    one really fills memory: so many planes of float32 as large as the square, twice.
    """
    red = np.array([1.0, -0.5, -0.5], np.float32).reshape(1, 3, 1, 1) * 6
    constants: dict[str, Any] = {"weights": red, "bias": np.array([-3.0], np.float32), "none": np.float32(0)}
    nodes = [
        helper.make_node("Conv", ["images", "weights", "bias"], ["mask"]),
        helper.make_node("Mul", ["mask", "none"], ["early"]),
    ]
    if wide is not None:
        constants |= {
            "spread": np.ones((wide, 1, 1, 1), np.float32),
            "gather": np.full((1, wide, 1, 1), 1 / wide, np.float32),
        }
        nodes = [
            helper.make_node("Conv", ["images", "weights", "bias"], ["plane"]),
            helper.make_node("Conv", ["plane", "spread"], ["planes"]),
            helper.make_node("Softsign", ["planes"], ["soft"]),
            helper.make_node("Conv", ["soft", "gather"], ["mask0"]),
            helper.make_node("Mul", ["mask0", "loud"], ["mask"]),
            nodes[1],
        ]
        constants["loud"] = np.float32(9)
    if hungry:
        constants |= {
            "two": np.array([2]), "limit": np.array([512]), "least": np.array([0]), "one": np.array([1]),
            "many": np.array([1 << 40]), "axes": np.array([0]),
        }  # fmt: skip
        nodes += [
            helper.make_node("Shape", ["images"], ["shape"]),
            helper.make_node("Gather", ["shape", "two"], ["side"], axis=0),
            helper.make_node("Sub", ["side", "limit"], ["above"]),
            helper.make_node("Max", ["above", "least"], ["excess"]),
            helper.make_node("Mul", ["excess", "many"], ["room"]),
            helper.make_node("Add", ["room", "one"], ["count"]),
            helper.make_node("Expand", ["none", "count"], ["vast"]),
            helper.make_node("ReduceSum", ["vast", "axes"], ["nothing"], keepdims=0),
            helper.make_node("Add", ["mask", "nothing"], ["last"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["mask"], ["last"]))
    across = side or "side"
    exits = {"early": [1, 1, across, across], "last": [1, 1, across, across]}
    return saved(folder, "hungry" if hungry else "matter", nodes, constants, side, exits)


def portrait(folder: Path) -> tuple[tuple[Path, str], tuple[Path, str]]:
    """A detector and a matter that know where people stand in portraits: in the middle, whatever the picture."""
    left, top, right, bottom = (round(SIDE * share) for share in (0.15, 0.05, 0.85, 1.0))
    rows = np.zeros((1, ROWS, 6), np.float32)
    rows[0, 0] = left, top, right, bottom, 0.9, 0
    whole = helper.make_node("ReduceMax", ["images"], ["white"], keepdims=0)
    nothing = helper.make_node("Mul", ["white", "none"], ["nothing"])
    found = saved(
        folder, "sitter", [whole, nothing, helper.make_node("Add", ["rows", "nothing"], ["output0"])],
        {"rows": rows, "none": np.float32(0)}, SIDE, {"output0": [1, ROWS, 6]},
    )  # fmt: skip
    up, across = (np.mgrid[0:SIDE, 0:SIDE] + 0.5) / SIDE * 2 - 1
    oval = (1 - (across / 0.7) ** 2 - ((up - 0.1) / 1.0) ** 2).astype(np.float32) * 20
    masks = [helper.make_node("Add", ["oval", "nothing"], [exit_]) for exit_ in ("early", "last")]
    shape = [1, 1, SIDE, SIDE]
    cut = saved(
        folder, "oval", [whole, nothing, *masks], {"oval": oval[None, None], "none": np.float32(0)}, SIDE,
        {"early": shape, "last": shape},
    )  # fmt: skip
    return found, cut
