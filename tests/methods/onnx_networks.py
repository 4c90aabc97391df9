"""Tiny ONNX networks for tests: one finds the bright dot, one answers what it was built with."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save


def save_network(path: Path, nodes: list, given: tuple, outputs: dict, constants: dict) -> None:
    """Save a graph; `given` is (name, type, shape), outputs map a name to (type, shape)."""
    name, kind, shape = given
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info(out, *declared) for out, declared in outputs.items()],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    save(model, path)


def save_dot_finder(
    path: Path,
    *,
    channel: int = 0,
    threshold: float = 0.5,
    side: int = 32,
    batch="N",
    layout: str = "NCHW",
    channels: int = 3,
    dtype: int = TensorProto.FLOAT,
) -> None:
    """Save (batch, channels, side, side) in a layout → (batch, 136): a channel's centre of mass.

    Weights are what the channel has above the threshold; x y in index units, for all 68 points
    alike. Without anything bright both are 0.
    """
    grid = np.arange(side, dtype=np.float32)
    constants = {
        "channel": np.array([channel], np.int64),
        "threshold": np.array([threshold], np.float32),
        "columns": np.broadcast_to(grid, (1, 1, side, side)).copy(),
        "rows": np.broadcast_to(grid[:, None], (1, 1, side, side)).copy(),
        "axes": np.array([1, 2, 3], np.int64),
        "tiny": np.array([1e-9], np.float32),
        "times": np.array([1, 68, 1], np.int64),
        "flat": np.array([-1, 136], np.int64),
        "one": np.array([-1, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["input"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node(
            "Transpose", ["floats"], ["nchw"], perm=[layout.index(axis) for axis in "NCHW"]
        ),
        helper.make_node("Gather", ["nchw", "channel"], ["picked"], axis=1),
        helper.make_node("Sub", ["picked", "threshold"], ["above"]),
        helper.make_node("Relu", ["above"], ["weight"]),
        helper.make_node("ReduceSum", ["weight", "axes"], ["mass"], keepdims=0),
        helper.make_node("Add", ["mass", "tiny"], ["total"]),
    ]
    for axis in ("columns", "rows"):
        nodes += [
            helper.make_node("Mul", ["weight", axis], [f"{axis}_w"]),
            helper.make_node("ReduceSum", [f"{axis}_w", "axes"], [f"{axis}_s"], keepdims=0),
            helper.make_node("Div", [f"{axis}_s", "total"], [f"{axis}_m"]),
            helper.make_node("Reshape", [f"{axis}_m", "one"], [f"{axis}_1"]),
        ]
    nodes += [
        helper.make_node("Concat", ["columns_1", "rows_1"], ["xy"], axis=2),
        helper.make_node("Tile", ["xy", "times"], ["points"]),
        helper.make_node("Reshape", ["points", "flat"], ["output"]),
    ]
    sides = {"N": batch, "C": channels, "H": side, "W": side}
    given = ("input", dtype, [sides[axis] for axis in layout])
    save_network(path, nodes, given, {"output": (TensorProto.FLOAT, [batch, 136])}, constants)


def save_fixed_outputs(path: Path, outputs: dict[str, np.ndarray], side: int = 32) -> None:
    """Save NCHW (N, 3, side, side) → the given arrays (1, …), repeated for every picture."""
    axes = np.array([1, 2, 3], np.int64)
    constants = {"axes": axes, "nought": np.array([0], np.float32)}
    nodes = [
        helper.make_node("ReduceSum", ["input", "axes"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "nought"], ["zero"]),
    ]
    declared = {}
    for name, array in outputs.items():
        constants[f"{name}_fixed"] = array.astype(np.float32)
        constants[f"{name}_shape"] = np.array([-1] + [1] * (array.ndim - 1), np.int64)
        nodes += [
            helper.make_node("Reshape", ["zero", f"{name}_shape"], [f"{name}_zero"]),
            helper.make_node("Add", [f"{name}_fixed", f"{name}_zero"], [name]),
        ]
        declared[name] = (TensorProto.FLOAT, ["N", *array.shape[1:]])
    given = ("input", TensorProto.FLOAT, ["N", 3, side, side])
    save_network(path, nodes, given, declared, constants)
