"""The method folder that `benchbox new method NAME` writes: short, working, made to be replaced."""

from __future__ import annotations

from pathlib import Path

from benchbox.errors import PluginError
from benchbox.plugins import method_card

_CARD = """name = "{name}"
title = "{title}"
task = ["landmarks"]
summary = "One sentence about the idea."
default = "{name}"

[params]
scale = 1.0

[variants.{name}]
title = "As written"
"""

_CODE = '''"""{title}: the mean shape for now; train as you like, leave weights under `job.out`.

Tools for recipes in torch are in `benchbox.training`: crops, augment, sampler, prefetch, train_log,
checkpoint and others. Import what is heavy inside the functions, as here.
"""


def train(job):
    """Average the labelled shapes (N, K, 2) px after each box was mapped to [-1, 1]²."""
    import numpy as np

    from benchbox import geometry
    from benchbox.training import checkpoint

    def save_shape(path):
        with path.open("wb") as file:
            np.save(file, shape * job.params["scale"])

    boxes = np.stack([sample.box for sample in job.labelled.samples])
    to_unit = geometry.box_to_unit(boxes)
    shape = geometry.transform_points(to_unit, job.labelled.values).mean(axis=0)
    checkpoint.make_once(job.out / "shape.npy", save_shape)


def predictor(weights, device):
    """Return samples → (n, K, 2) px; a row of NaN is no prediction."""
    import numpy as np

    from benchbox import geometry

    shape = np.load(weights / "shape.npy")

    def predict(samples):  # sample.pixels() decodes the RGB picture when you need it
        boxes = np.stack([sample.box for sample in samples])
        from_unit = geometry.invert_maps(geometry.box_to_unit(boxes))
        return geometry.transform_points(from_unit, shape)

    return predict
'''

_README = """# {title}

What it does, whose idea it is, what it was trained on.
"""
_FILES = {"method.toml": _CARD, "__init__.py": _CODE, "README.md": _README}


def new_method(name: str, methods: Path) -> Path:
    """Write a working method folder below `methods`.

    Raises PluginError when the name is no name or is taken.
    """
    method_card.check_method_name(name)
    for card in method_card.read_cards():
        if card.name == name:
            raise PluginError(
                f"a method {name!r} is there already, in {card.source}; choose another name"
            )
    folder = methods / name.replace("-", "_").replace(".", "_")
    title = name.replace("-", " ").replace("_", " ").capitalize()
    try:
        folder.mkdir(parents=True)
        for file, text in _FILES.items():
            (folder / file).write_text(text.format(name=name, title=title), encoding="utf-8")
    except FileExistsError as fault:
        raise PluginError(f"{folder} exists; choose another name or delete it") from fault
    except OSError as fault:
        raise PluginError(
            f"{folder}: cannot be written: {fault.strerror or fault}; choose --methods DIR"
        ) from fault
    return folder
