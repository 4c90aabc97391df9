"""Public weights from a local file.

Read with suspicion, taken over tensor by tensor, seen through our own pixels.

Nothing is downloaded: a person puts a file under the data root and names it by the parameter
`weights` of a method.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchbox.errors import DataError
from benchbox.file_readers import weight_files
from benchbox.file_readers.regular_files import library_faults

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels in 0 … 1


def read_pretrained(path: Path) -> dict[str, Tensor]:
    """Read a state dict (.safetensors, or a file of torch.save that holds tensors only).

    Raises DataError.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: no such weights file; `benchbox run … --set weights=FILE` names one under "
            "the data root"
        )
    if path.suffix == ".safetensors":
        weight_files.check_safetensors(path)
    else:
        weight_files.check_torch_archive(path)
    with library_faults(path, "file of weights", advice="a state dict is needed"):
        if path.suffix == ".safetensors":
            tensors: dict[str, Tensor] = load_file(path)
            return tensors
        found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, dict):
        found = found.get("state_dict", found)
    if not isinstance(found, dict) or not all(
        isinstance(value, Tensor) for value in found.values()
    ):
        raise DataError(f"{path}: holds no state dict (names → tensors)")
    return {str(key).removeprefix("module."): value for key, value in found.items()}


def imagenet_pixel_map() -> tuple[Tensor, Tensor]:
    """Return scale and offset (3,) from our pixels to ImageNet's.

    Ours are in [-1, 1], ImageNet's normalised by its channels' mean and deviation.
    """
    scale = torch.tensor([0.5 / d for d in _DEVIATION])
    return scale, torch.tensor([(0.5 - m) / d for m, d in zip(_MEAN, _DEVIATION, strict=True)])


@torch.no_grad()
def copy_pretrained(
    module: nn.Module, tensors: Mapping[str, Tensor], kept: str | tuple[str, ...], where: str
) -> None:
    """Copy every tensor whose name begins so.

    Raises DataError naming the first that is missing or does not fit.
    """
    own = module.state_dict()
    for key, mine in own.items():
        if not key.startswith(kept) or key.endswith("num_batches_tracked"):
            continue
        if key not in tensors or tensors[key].shape != mine.shape:
            given = "nothing"
            if key in tensors:
                given = str(tuple(tensors[key].shape))
            raise DataError(
                f"{where}: {key} must be {tuple(mine.shape)}, is {given}: "
                "weights of another network"
            )
        mine.copy_(tensors[key])
