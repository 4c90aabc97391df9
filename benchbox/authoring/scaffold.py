"""The method folder that `benchbox new method NAME` writes: short, working, made to be replaced line by line."""

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

_CODE = '''"""{title}: the mean shape for now; train any way you like and leave your weights under `job.out`."""


def train(job):
    import numpy as np

    from benchbox import geometry

    to_unit = geometry.box_to_unit(np.stack([sample.box for sample in job.labelled.samples]))
    shape = geometry.transform(to_unit, job.labelled.values).mean(axis=0)
    np.save(job.out / "shape.npy", shape * job.params["scale"])


def predictor(weights, device):
    import numpy as np

    from benchbox import geometry

    shape = np.load(weights / "shape.npy")

    def predict(samples):  # sample.pixels() decodes the RGB picture when you need it
        to_unit = geometry.box_to_unit(np.stack([sample.box for sample in samples]))
        return geometry.transform(geometry.invert(to_unit), shape)

    return predict
'''

_README = """# {title}

What it does, whose idea it is, what it was trained on.
"""


def new_method(name: str, methods: Path) -> Path:
    """Write a working method folder below `methods`.

    Raises PluginError when the name is no name or is taken.
    """
    method_card.check_method_name(name)
    taken = next((card.source for card in method_card.read_cards() if card.name == name), "")
    if taken:
        raise PluginError(f"a method {name!r} is there already, in {taken}; choose another name")
    folder = methods / name.replace("-", "_").replace(".", "_")
    files = {"method.toml": _CARD, "__init__.py": _CODE, "README.md": _README}
    title = name.replace("-", " ").replace("_", " ").capitalize()
    try:
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text.format(name=name, title=title), encoding="utf-8")
    except FileExistsError as fault:
        raise PluginError(f"{folder} exists; choose another name or delete it") from fault
    except OSError as fault:
        raise PluginError(
            f"{folder}: cannot be written: {fault.strerror or fault}; choose --methods DIR"
        ) from fault
    return folder
