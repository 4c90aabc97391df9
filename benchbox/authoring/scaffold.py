"""The method folder that `benchbox new method NAME` writes: short, working, made to be replaced.

The template `python` is code of one's own, `torch` a small network with its training, `onnx` the
card of a network, which needs no code, `external` another program in any language.
"""

from __future__ import annotations

import shutil
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

_TORCH_CARD = """name = "{name}"
title = "{title}"
task = ["landmarks"]
summary = "One sentence about the idea."
default = "{name}"

[params]
steps = 2000
batch = 64
size = 64          # of a crop, pixels
expansion = 1.2    # side of the crop over that of the box
learning_rate = 1e-3
save_every = 100   # steps between two checkpoints

[budgets.smoke]
steps = 20
save_every = 5

[budgets.paper]
steps = 20000

[variants.{name}]
title = "As written"
"""

_TORCH_CODE = '''"""{title}: a small network that regresses points from a crop of the box.

Everything here may be replaced; `benchbox.training` has crops, augmentation, sampler, logs,
checkpoints and more. Import what is heavy inside the functions, as here.
"""


def train(job):
    """Train on crops; leave `net.safetensors` under `job.out`.

    A killed training goes on from its last checkpoint.
    """
    import torch

    from benchbox import geometry
    from benchbox.training import checkpoint, crops, sampler, train_log

    from .network import make_network

    weights = job.out / "net.safetensors"
    if weights.exists():  # trained before; what came after was interrupted
        return
    params = job.params
    samples = job.labelled.samples
    cut = crops.cut_crops(samples, params["size"], params["expansion"])
    # points in the crop, -1 to 1 from edge to edge: what the network learns
    in_crop = geometry.transform_points(cut.maps, job.labelled.values)
    targets = torch.from_numpy(2 * (in_crop + 0.5) / params["size"] - 1).float().to(job.device)
    net = make_network(job.layout.count).to(job.device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=params["learning_rate"])
    steps, batch = params["steps"], params["batch"]
    state = checkpoint.Checkpoint(job.out / "net.checkpoint", net=net, optimizer=optimizer)
    done = state.load()  # 0 where there is none
    with train_log.TrainLog(job.out, "train", steps, batch, len(samples), done) as log:
        for step in range(done, steps):
            rows = sampler.epoch_rows([job.seed], len(samples), step * batch, batch)
            pictures = crops.to_input(cut.take(rows), job.device)
            loss = (net(pictures) - targets[rows]).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            log.step(step + 1, loss.detach())
            if (step + 1) % params["save_every"] == 0:
                state.save(step + 1)
    facts = {{"points": str(job.layout.count)}}
    checkpoint.save_weights(weights, {{"net": net}}, facts)
    state.remove()


def predictor(weights, device, params, layout):
    """Return samples → (n, K, 2) px; a row of NaN is no prediction."""
    import numpy as np
    import torch

    from benchbox import geometry
    from benchbox.training import checkpoint, crops

    from .network import make_network

    tensors = checkpoint.load_weights(weights / "net.safetensors")
    net = make_network(layout.count)
    net.load_state_dict({{key.removeprefix("net."): value for key, value in tensors.items()}})
    net.to(device).eval()

    def predict(samples):
        cut = crops.cut_crops(samples, params["size"], params["expansion"])
        with torch.no_grad():
            points = net(crops.to_input(cut.images, device)).cpu().numpy().astype(np.float64)
        in_crop = (points + 1) / 2 * params["size"] - 0.5
        return geometry.transform_points(geometry.invert_maps(cut.maps), in_crop)

    return predict


def networks(params, layout):
    """List what a prediction runs, with an input of batch 1: `benchbox profile` counts it."""
    import torch

    from .network import make_network

    crop = torch.zeros(1, 3, params["size"], params["size"])
    return {{"network": (make_network(layout.count).eval(), (crop,))}}
'''

_TORCH_NETWORK = '''"""The network."""

from torch import nn


def make_network(points):
    """Return a network: (n, 3, size, size) → (n, points, 2) in -1 … 1."""
    layers = []
    channels = 3
    for width in (16, 32, 64, 128):
        layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    head = [nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * channels, 2 * points)]
    return nn.Sequential(*layers, *head, nn.Unflatten(1, (points, 2)))
'''

_PROGRAM_CARD = """name = "{name}"
title = "{title}"
task = ["{task}"]
summary = "One sentence: what the program is and what it was trained on."
default = "{name}"

[run]                        # another program: manifest in, predictions out
command = "python3 predict.py {{manifest}} {{predictions}}"
seconds = 3600               # for all test items
# memory_gb = 8              # what it and its children may hold at a time
# files = ["net.bin"]        # what it reads: hashed into the record
manifest = "json"            # or csv
predictions = "csv"          # or npz

[variants.{name}]
title = "As its authors give it"
"""

_PROGRAM_CODE = '''"""Read a manifest, write predictions: any language will do.

The manifest lists the test items: id, path of a PNG, box [x0, y0, x1, y1], further boxes, meta.
Points are pixels; the middle of the first one is (0, 0). A row whose cells are empty is no answer.
"""

import csv
import json
import sys

HEADS = {{"gaze3d": ["x", "y", "z"], "gaze2d": ["x", "y"]}}


def predict(item, manifest):
    """Answer for one item: here something that depends on its box alone."""
    x0, y0, x1, y1 = item["box"] or [0, 0, 1, 1]
    if manifest["task"] == "gaze3d":  # a unit vector from the eyes, z away from the camera
        across = (x0 + x1) % 7 / 100
        return [across, 0.0, -((1 - across**2) ** 0.5)]
    if manifest["task"] == "gaze2d":  # cm on the screen's plane, from the camera
        return [(x0 + x1) % 7, -((y0 + y1) % 7) - 1]
    numbers = []
    for point in range(manifest["points"]):
        numbers += [x0 + (x1 - x0) * (point % 10) / 10, y0 + (y1 - y0) * (point // 10) / 10]
    return numbers


def main(manifest_file, predictions_file):
    with open(manifest_file, encoding="utf-8") as file:
        manifest = json.load(file)
    head = HEADS.get(manifest["task"])
    if head is None:
        head = [f"{{axis}}{{point}}" for point in range(manifest["points"]) for axis in "xy"]
    with open(predictions_file, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *head])
        for item in manifest["items"]:
            writer.writerow([item["id"], *predict(item, manifest)])


if __name__ == "__main__":
    main(*sys.argv[1:])
'''

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
    if template in ("python", "torch") and task != "landmarks":
        raise PluginError(f"--task {task}: the template {template} is for landmarks; edit its card")
    if template == "python":
        return _FILES
    if template == "torch":
        return {
            "method.toml": _TORCH_CARD,
            "__init__.py": _TORCH_CODE,
            "network.py": _TORCH_NETWORK,
            "README.md": _README,
        }
    if template == "external":
        return {
            "method.toml": _PROGRAM_CARD,
            "predict.py": _PROGRAM_CODE,
            "README.md": _NETWORK_README,
        }
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
    except FileExistsError as fault:
        raise PluginError(f"{folder} exists; choose another name or delete it") from fault
    except OSError as fault:
        raise _cannot_write(folder, fault) from fault
    try:
        for file, text in files.items():
            filled = text.format(name=name, title=title, task=task)
            (folder / file).write_text(filled, encoding="utf-8")
    except OSError as fault:
        shutil.rmtree(folder, ignore_errors=True)
        raise _cannot_write(folder, fault) from fault
    return folder


def _cannot_write(folder: Path, fault: OSError) -> PluginError:
    return PluginError(
        f"{folder}: cannot be written: {fault.strerror or fault}; choose --methods DIR"
    )
