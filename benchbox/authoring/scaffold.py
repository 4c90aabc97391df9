"""The method folder that `benchbox new method NAME` writes: short, working, made to be replaced.

The template `python` is code of one's own; `onnx` is the card of a network, which needs no code.
"""

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

_NETWORK_METHOD = """name = "{name}"
title = "{title}"
task = ["{task}"]
summary = "One sentence: whose network it is and what it was trained on."
default = "{name}"
adapter = "onnx"     # runs network.toml; no Python is needed

[variants.{name}]
title = "As its authors give it"
"""

_NETWORK_INPUT = """\
# What the network wants and gives. Every value below is an example: put in what its authors'
# code does, and delete what does not apply. All keys: the guide's "My detector from an ONNX file".
file = "network.onnx"        # beside this card, under the data root, or a whole path
task = "{task}"

[input]
size = [256, 256]            # width, height
layout = "NCHW"              # NCHW | NHWC | NCWH | NWHC
channels = "RGB"             # RGB | BGR | grey
divide = 255                 # value = (v / divide - mean) / std, v from 0 to 255
mean = [0.485, 0.456, 0.406] # one number, or three in the order of channels
std = [0.229, 0.224, 0.225]

"""

_NETWORK_LANDMARKS = """[crop]
kind = "square"              # square | mean-side | centre-scale | fan | grow | stretch | whole
factor = 1.25                # of the box's longer side
map = "affine"               # resize: u = (x - X0 + 0.5) s - 0.5 | affine: u = (x - X0) s
                             # | corner: u = (x - X0) s - 0.5

[output]
kind = "coordinates"         # coordinates | heatmaps | offsets | simcc
order = "xy"                 # xy | yx | xyz …; blocks = true: all x, then all y
frame = "0..1"               # 0..1 | -1..1 | pixels
ends = "edges"               # edges: u = t S - 0.5 | index: u = t S | centres: u = t (S - 1)

[points]
layout = "ibug68"            # or map = [an index of the network for each point]
"""

_NETWORK_DIRECTION = """[crop]
kind = "square"              # square | stretch | grow | whole | normalise (a virtual camera) …
factor = 1.25                # of the box's longer side
map = "resize"               # resize: u = (x - X0 + 0.5) s - 0.5 | affine: u = (x - X0) s
                             # | corner: u = (x - X0) s - 0.5

[output]
kind = "angles"              # angles | bins | vector
order = "pitch yaw"          # pitch yaw | yaw pitch
unit = "radians"             # radians | degrees
yaw = "left"                 # where a positive yaw looks in the picture: left | right
pitch = "up"                 # where a positive pitch looks: up | down
space = "camera"             # camera | virtual (undoes the rotation of crop.kind = "normalise")
"""

_NETWORK_PLACE = """[crop]
kind = "square"              # square | stretch | grow | whole …
factor = 1.25                # of the box's longer side
map = "resize"               # resize: u = (x - X0 + 0.5) s - 0.5 | affine: u = (x - X0) s
                             # | corner: u = (x - X0) s - 0.5

[output]
kind = "point"
order = "xy"                 # xy | yx
unit = "cm"                  # cm | mm | m
"""

_NETWORK_README = """# {title}

Whose network it is, where its file is had and under which licence, what it was trained on, and
whether that holds faces of the test sets.
"""
_NETWORK_OUTPUTS = {
    "landmarks": _NETWORK_LANDMARKS,
    "gaze3d": _NETWORK_DIRECTION,
    "gaze2d": _NETWORK_PLACE,
}


def _template_files(template: str, task: str) -> dict[str, str]:
    """Return name → text of the files of a template."""
    if template == "python":
        if task != "landmarks":
            raise PluginError(f"--task {task}: the template python is for landmarks; edit its card")
        return _FILES
    return {
        "method.toml": _NETWORK_METHOD,
        "network.toml": _NETWORK_INPUT + _NETWORK_OUTPUTS[task],
        "README.md": _NETWORK_README,
    }


def new_method(
    name: str, methods: Path, *, template: str = "python", task: str = "landmarks"
) -> Path:
    """Write a working method folder below `methods`.

    Raises PluginError when the name is no name or is taken.
    """
    method_card.check_method_name(name)
    files = _template_files(template, task)
    for card in method_card.read_cards():
        if card.name == name:
            raise PluginError(
                f"a method {name!r} is there already, in {card.source}; choose another name"
            )
    folder = methods / name.replace("-", "_").replace(".", "_")
    title = name.replace("-", " ").replace("_", " ").capitalize()
    try:
        folder.mkdir(parents=True)
        for file, text in files.items():
            filled = text.format(name=name, title=title, task=task)
            (folder / file).write_text(filled, encoding="utf-8")
    except FileExistsError as fault:
        raise PluginError(f"{folder} exists; choose another name or delete it") from fault
    except OSError as fault:
        raise PluginError(
            f"{folder}: cannot be written: {fault.strerror or fault}; choose --methods DIR"
        ) from fault
    return folder
