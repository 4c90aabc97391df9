"""Ways to run the networks of a method, for timing.

Each takes a batch of their examples and returns what runs them.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchbox.training import point_patches
from benchbox.training.crops import CropViews, cut_crops
from benchbox.types import Sample

from .op_count import Networks, evaluation_mode

_PICTURE_PX = 512  # the decoded picture that `eager_with_crop` cuts its faces from
_PATCHED_PX = 256  # side of the picture that patches are gathered from
_BOX = (128.0, 128.0, 384.0, 384.0)
_EXPANSION = 1.2

RunOnce = Callable[[], Any]


def eager_backend(networks: Networks, batch: int, device: str) -> RunOnce:
    """Run the networks on a batch of their examples as PyTorch does, channels last."""
    ready = [
        _place_on_device(module, example, batch, device) for module, example in networks.values()
    ]

    def run() -> None:
        with torch.inference_mode():
            for module, example in ready:
                module(*example)

    return run


def eager_with_crop_backend(networks: Networks, batch: int, device: str) -> RunOnce:
    """Cut what a network is shown from a decoded picture, then run the networks as `eager_backend`.

    A network that is shown patches (1, k, 3, side, side) has them gathered from the picture of the
    box, each time.
    """
    shown = [tensor.shape for _, example in networks.values() for tensor in example]
    sides, patched = ([shape for shape in shown if len(shape) == n] for n in (4, 5))
    if not sides and not patched:
        raise ValueError("none of its networks is shown a picture")
    picture = np.random.default_rng(0).integers(
        0, 256, (_PICTURE_PX, _PICTURE_PX, 3), dtype=np.uint8
    )
    samples = [Sample(str(row), np.array(_BOX), lambda: picture) for row in range(batch)]
    run, maps = (
        eager_backend(networks, batch, device),
        torch.eye(2, 3).expand(batch, 2, 3).to(device),
    )
    widest = max([shape[-1] for shape in sides] + [_PATCHED_PX] * bool(patched))
    centres = [(torch.rand(batch, shape[1], 2) * widest).to(device) for shape in patched]

    def whole() -> None:
        stored = cut_crops(samples, widest, _EXPANSION)
        look = CropViews(stored, device).sampler(np.arange(batch))
        for shape in sides:
            look(maps, shape[-1])
        pictures = (
            torch.from_numpy(stored.images).to(device).permute(0, 3, 1, 2).contiguous()
            if patched
            else None
        )
        for shape, places in zip(patched, centres, strict=True):
            assert pictures is not None
            point_patches.gather_patches(pictures, places, shape[-1])
        run()

    return whole


def compiled_backend(networks: Networks, batch: int, device: str) -> RunOnce:
    """Run the networks as `torch.compile` makes them, CUDA graphs included on a GPU.

    Raises what the compiler does.
    """
    mode = "reduce-overhead" if device == "cuda" else "default"
    made: dict[nn.Module, Any] = {
        module: torch.compile(module, mode=mode) for module, _ in networks.values()
    }
    ready = [
        (made[module], _place_on_device(module, example, batch, device)[1])
        for module, example in networks.values()
    ]

    def run() -> None:
        with torch.no_grad():
            for module, example in ready:
                module(*example)

    run()
    return run


def onnx_backend(networks: Networks, batch: int, device: str) -> RunOnce:
    """Run the networks in ONNX Runtime.

    Raises ImportError without it, and what the exporter raises.
    """
    import onnxruntime

    wanted = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        raise ImportError(f"this onnxruntime has no {wanted}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # idle threads would hold up the next network
    options.add_session_config_entry("session.force_spinning_stop", "1")
    ready = []
    for module, example in networks.values():
        inputs = tuple(tensor.repeat(batch, *[1] * (tensor.ndim - 1)) for tensor in example)
        names = [f"input{k}" for k in range(len(inputs))]
        with (
            evaluation_mode(module),
            tempfile.NamedTemporaryFile(suffix=".onnx") as file,
            warnings.catch_warnings(),
        ):
            # the exporter that needs onnx alone is called old; the new one needs more
            warnings.simplefilter("ignore")
            torch.onnx.export(module.cpu(), inputs, file.name, input_names=names, dynamo=False)
            session = onnxruntime.InferenceSession(file.name, options, providers=[wanted])
        ready.append(
            (session, {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)})
        )

    def run() -> None:
        for session, feed in ready:
            session.run(None, feed)

    return run


def _place_on_device(
    module: nn.Module, example: tuple[Tensor, ...], batch: int, device: str
) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Put a module and a batch of its example on a device, pictures channels last."""
    inputs = tuple(tensor.repeat(batch, *[1] * (tensor.ndim - 1)).to(device) for tensor in example)
    inputs = tuple(
        t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in inputs
    )
    placed: nn.Module = module.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return placed, inputs
