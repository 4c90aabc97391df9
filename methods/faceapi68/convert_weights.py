"""Turn the 68-point networks of the npm package @vladmandic/face-api (MIT) into ONNX files.

    npm pack @vladmandic/face-api
    tar xzf vladmandic-face-api-*.tgz package/model
    python -m benchbox_methods.faceapi68.convert_weights package/model ROOT/faceapi

Weights lie in a file of bytes: value = byte * scale + min, in the order of the manifest beside it.
Both networks are blocks of separable convolutions in which each layer sees the sum of those before
it, a mean over the picture, and one layer of 136 numbers. Needs the package `onnx`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.atomic_write import replace_when_done
from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json

MODELS = ("face_landmark_68_model", "face_landmark_68_tiny_model")


def main(arguments: Sequence[str]) -> None:
    """Convert both networks of a folder; prints the files."""
    if len(arguments) != 2:
        sys.exit("usage: convert_weights MODEL_FOLDER OUT_FOLDER")
    source, out = (Path(argument) for argument in arguments)
    out.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        content = build_network(read_arrays(source / name)).SerializeToString()
        with replace_when_done(out / f"{name}.onnx") as beside:
            beside.write_bytes(content)
        print(out / f"{name}.onnx")


def read_arrays(stem: Path) -> dict[str, np.ndarray]:
    """Read the named arrays of a manifest, bytes turned into numbers.

    Raises DataError where bytes and manifest do not agree.
    """
    manifest = read_json(stem.with_name(f"{stem.name}-weights_manifest.json"))
    arrays: dict[str, np.ndarray] = {}
    for group in manifest:
        raw = b"".join((stem.parent / name).read_bytes() for name in group["paths"])
        start = 0
        for entry in group["weights"]:
            coded = entry.get("quantization")
            kind = np.dtype(coded["dtype"] if coded else entry["dtype"])
            count = int(np.prod(entry["shape"]))
            if start + count * kind.itemsize > len(raw):
                raise DataError(f"{stem}: {len(raw)} bytes end inside {entry['name']}")
            numbers = np.frombuffer(raw, kind, count, start).astype(np.float32)
            start += count * kind.itemsize
            if coded:
                numbers = (numbers * coded["scale"] + coded["min"]).astype(np.float32)
            arrays[entry["name"]] = numbers.reshape(entry["shape"])
        if start != len(raw):
            raise DataError(f"{stem}: {len(raw)} bytes, the manifest accounts for {start}")
    return arrays


def build_network(arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the ONNX model: input (N, 3, 112, 112), normalised RGB; output (N, 136)."""
    from onnx import TensorProto, checker, helper

    graph = _Graph(arrays)
    place = "input"
    blocks = sorted({name.split("/")[0] for name in arrays if name.startswith("dense")})
    for block in blocks:
        place = graph.add_block(place, block)
    pooled = graph.add("Flatten", graph.add("GlobalAveragePool", place))
    weights = graph.constant(arrays["fc/weights"])
    product = graph.add("MatMul", pooled, weights)
    graph.add("Add", product, graph.constant(arrays["fc/bias"]), out="landmarks")
    shown = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 112, 112])
    found = helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["N", 136])
    made = helper.make_graph(graph.nodes, "face_landmark_68", [shown], [found], graph.constants)
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    checker.check_model(model)
    return model


class _Graph:
    """Nodes and constants of a network that is put together."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: np.ndarray) -> str:
        """Keep an array; returns its name."""
        from onnx import numpy_helper

        name = f"w{len(self.constants)}"
        kept = np.ascontiguousarray(array, np.float32)
        self.constants.append(numpy_helper.from_array(kept, name))
        return name

    def add(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        from onnx import helper

        out = out or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def add_block(self, place: str, block: str) -> str:
        """Add a block, whose first layer halves the picture; returns the name of its output."""
        layers = sorted({n.split("/")[1] for n in self._arrays if n.startswith(f"{block}/")})
        outputs = [self.add("Relu", self._convolve(place, f"{block}/{layers[0]}", 2))]
        for layer in layers[1:]:
            seen = outputs[0]
            if len(outputs) > 1:
                seen = self.add("Relu", self._sum(outputs))
            outputs.append(self._convolve(seen, f"{block}/{layer}", 1))
        return self.add("Relu", self._sum(outputs))

    def _sum(self, names: Sequence[str]) -> str:
        total = names[0]
        for name in names[1:]:
            total = self.add("Add", total, name)
        return total

    def _convolve(self, place: str, name: str, stride: int) -> str:
        """Add a plain or a separable convolution with its bias."""
        arrays = self._arrays
        bias = self.constant(arrays[f"{name}/bias"])
        same: dict[str, Any] = {"auto_pad": "SAME_UPPER", "strides": [stride] * 2}
        if f"{name}/filters" in arrays:
            filters = self.constant(arrays[f"{name}/filters"].transpose(3, 2, 0, 1))
            return self.add("Conv", place, filters, bias, **same)
        each = arrays[f"{name}/depthwise_filter"].transpose(2, 3, 0, 1)
        depthwise = self.add("Conv", place, self.constant(each), group=len(each), **same)
        mixed = self.constant(arrays[f"{name}/pointwise_filter"].transpose(3, 2, 0, 1))
        return self.add("Conv", depthwise, mixed, bias)


if __name__ == "__main__":
    main(sys.argv[1:])
