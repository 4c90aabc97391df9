"""A network file, run by ONNX Runtime: what the card says of it is held against the file itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError, PluginError
from benchbox.file_readers import weight_files

from . import picture_maps
from .network_card import NetworkCard

if TYPE_CHECKING:
    from benchbox.types import Floats

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
}


def find_network(card: NetworkCard, data: Path) -> Path:
    """Return the network's file: beside the card, else under the data root.

    Raises DataError that says where it was looked for and, if the card knows, where it is had.
    """
    name = Path(card.file).expanduser()
    places = [name]
    if not name.is_absolute():
        places = [card.folder / name, data / name]
        if ".." in name.parts:
            raise card.place.refusal("file", card.file, "a path without '..', or a whole one")
    for place in places:
        if place.is_file():
            return place
    looked = " nor ".join(str(place) for place in places)
    message = f"{card.place.file}: file: no network at {looked}; put it there"
    if card.source:
        message += f" (it is had from {card.source})"
    raise DataError(message)


class NetworkSession:
    """An open network; runs batches of prepared inputs."""

    def __init__(self, card: NetworkCard, file: Path, device: str) -> None:
        self.card = card
        self._session = _open_session(file, device)
        self._input = self._find_input()
        self.batch = self._find_batch()
        self._dtype = self._find_dtype()
        self._check_sides()
        self._wanted = self._find_outputs()

    def run(self, crops: Floats) -> dict[str, Floats]:
        """Run crops (n, channels, height, width); return output → numbers (n, …) in float64.

        Where the file fixes the batch, the last one is filled up with its last crop.
        """
        size = self.batch or len(crops)
        parts: dict[str, list[Floats]] = {name: [] for name in self._wanted}
        for start in range(0, len(crops), size):
            chunk = crops[start : start + size]
            missing = 0
            if self.batch:
                missing = self.batch - len(chunk)
            filled = np.concatenate([chunk, np.repeat(chunk[-1:], missing, axis=0)])
            for name, numbers in self._run_chunk(filled).items():
                if len(numbers) != len(filled):
                    raise self.card.place.inside("input").fault(
                        "batch",
                        f"output {name!r} has {numbers.shape} for {len(filled)} pictures; if the"
                        " file is made for a fixed number, say it: batch = 1",
                    )
                parts[name].append(numbers[: len(chunk)].astype(np.float64))
        return {name: np.concatenate(some) for name, some in parts.items()}

    def _run_chunk(self, crops: Floats) -> Mapping[str, np.ndarray]:
        values = picture_maps.place_axes(crops, self.card.input.layout)
        if self._dtype in ("uint8", "int8"):
            limits = np.iinfo(self._dtype)
            values = np.clip(np.round(values), limits.min, limits.max)
        feed = {self._input.name: values.astype(self._dtype)}
        try:
            numbers = self._session.run(list(self._wanted), feed)
        except Exception as fault:  # the run time's errors have no class in common
            raise PluginError(
                f"{self.card.place.file}: input: the network does not run on"
                f" {values.shape} {self._dtype}: {_first_line(fault)}"
            ) from fault
        return dict(zip(self._wanted, numbers, strict=True))

    # --- what the file declares ---

    def _find_input(self) -> Any:
        inputs = {one.name: one for one in self._session.get_inputs()}
        place = self.card.place.inside("input")
        name = self.card.input.name
        if name and name not in inputs:
            raise place.refusal("name", name, " | ".join(inputs))
        if len(inputs) > 1:
            raise place.fault(
                "name",
                f"the network has {len(inputs)} inputs ({', '.join(inputs)}); a card feeds one"
                " picture: write a method in Python for it (`benchbox new method NAME`)",
            )
        return inputs[name or next(iter(inputs))]

    def _find_batch(self) -> int:
        declared = self._input.shape[0] if self._input.shape else 0
        fixed = 0
        if isinstance(declared, int):
            fixed = declared
        given = self.card.input.batch
        if given and fixed and given != fixed:
            raise self.card.place.inside("input").refusal(
                "batch", given, f"{fixed}, as the file declares it"
            )
        return given or fixed

    def _find_dtype(self) -> str:
        declared = _DTYPES.get(self._input.type, "")
        place = self.card.place.inside("input")
        if not declared:
            raise place.fault("dtype", f"the file wants {self._input.type}; {', '.join(_DTYPES)}")
        given = self.card.input.dtype
        if given and given != declared:
            raise place.refusal("dtype", given, f"{declared}, as the file declares it")
        return declared

    def _check_sides(self) -> None:
        """Hold sides and channels of the card against those that the file declares."""
        shape, given = self._input.shape, self.card.input
        place = self.card.place.inside("input")
        if len(shape) != 4:
            raise place.fault(
                "layout", f"the file's input is {shape}, which is no batch of pictures"
            )
        channels = 3
        if given.channels == "grey":
            channels = 1
        expected = {"W": given.size[0], "H": given.size[1], "C": channels}
        for letter, declared in zip(given.layout, shape, strict=True):
            if letter == "N" or not isinstance(declared, int) or declared == expected[letter]:
                continue
            key = {"W": "size", "H": "size", "C": "layout"}[letter]
            raise place.fault(
                key,
                f"the file's input is {shape}; layout = {given.layout}, size = {list(given.size)}"
                f" and channels = {given.channels} would have {letter} = {expected[letter]}",
            )

    def _find_outputs(self) -> tuple[str, ...]:
        """Return the outputs that the card reads."""
        there = [one.name for one in self._session.get_outputs()]
        place = self.card.place.inside("output")
        values = self.card.output.values
        wanted = {"name": values["name"], "offsets": values.get("offsets", ())}
        if not values["name"]:
            if len(there) != 1:
                raise place.fault("name", f"is missing; allowed: {' | '.join(there)}")
            wanted["name"] = (there[0],)
        for key, names in wanted.items():
            for name in names:
                if name not in there:
                    raise place.refusal(key, name, " | ".join(there))
        names = (*wanted["name"], *wanted["offsets"])
        if self.card.presence is not None:
            name = self.card.presence.name
            if name not in there:
                raise self.card.place.inside("presence").refusal("name", name, " | ".join(there))
            names += (name,)
        return tuple(dict.fromkeys(names))


def _open_session(file: Path, device: str) -> Any:
    try:
        import onnxruntime
    except ImportError as fault:
        raise PluginError("the onnx adapter needs ONNX Runtime: pip install onnxruntime") from fault
    from benchbox.training import process_setup

    weight_files.check_weights(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = process_setup.count_threads()
    options.log_severity_level = 3  # errors alone
    providers = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise PluginError(
                "this ONNX Runtime has no CUDA: pip install onnxruntime-gpu, or --device cpu"
            )
        providers = ["CUDAExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=providers)
    except Exception as fault:  # the run time's errors have no class in common
        raise DataError(f"{file}: no network that can be run: {_first_line(fault)}") from fault


def _first_line(fault: Exception) -> str:
    return str(fault).strip().partition("\n")[0][:300]
