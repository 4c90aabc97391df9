"""The twelve networks with known answers, from cards written from their about.json alone.

Each answers right only where every convention is read right: within 0.1 px or 0.01 degrees.
"""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchbox import layouts
from benchbox.plugins import method_call, method_card
from benchbox.types import Sample

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.data

NAMES = (
    "a01-unit",
    "a02-bgr-nhwc",
    "a03-minus-one",
    "a04-quarter",
    "a05-soft",
    "a06-offsets",
    "a07-blocks",
    "a08-half",
    "g09-bins",
    "g10-degrees",
    "g11-vector",
    "g12-normalised",
)
# what the words of each about.json mean as keys of a card
OUTPUT = {
    "a01-unit": 'kind = "coordinates"\norder = "xy"\nframe = "0..1"\nends = "edges"',
    "a02-bgr-nhwc": 'kind = "coordinates"\norder = "xy"\nframe = "pixels"\nends = "index"',
    "a03-minus-one": 'kind = "coordinates"\norder = "xy"\nframe = "-1..1"\nends = "edges"',
    "a04-quarter": 'kind = "heatmaps"\naxes = "prc"\ndecode = "quarter"\nadd = 0.5\nends = "index"',
    "a05-soft": 'kind = "heatmaps"\naxes = "prc"\ndecode = "soft-argmax"\nadd = 0\nends = "index"',
    "a06-offsets": 'kind = "offsets"\naxes = "prc"\noffsets = ["x", "y"]\nends = "edges"',
    "a07-blocks": (
        'kind = "coordinates"\norder = "xy"\nblocks = true\ny = "up"\nframe = "pixels"\n'
        'size = 256\nends = "edges"'
    ),
    "a08-half": 'kind = "coordinates"\norder = "xy"\nframe = "-1..1"\nends = "index"',
    "g09-bins": (
        'kind = "bins"\norder = "yaw pitch"\nfirst = -180\nstep = 4\nyaw = "left"\n'
        'pitch = "up"\nspace = "camera"'
    ),
    "g10-degrees": (
        'kind = "angles"\norder = "yaw pitch"\nunit = "degrees"\nyaw = "right"\npitch = "up"\n'
        'space = "camera"'
    ),
    "g11-vector": 'kind = "vector"\nx = "right"\ny = "up"\nz = "camera"\nspace = "camera"',
    "g12-normalised": (
        'kind = "angles"\norder = "pitch yaw"\nunit = "radians"\nyaw = "left"\npitch = "up"\n'
        'space = "virtual"'
    ),
}


@pytest.fixture(scope="module")
def networks(data_root: Path) -> Path:
    folder = data_root.resolve().parent / "formats" / "onnx"
    if not folder.is_dir():
        pytest.skip(f"no networks with known answers in {folder}")
    return folder


def write_card(folder: Path, out: Path) -> None:
    """Write network.toml from about.json; nothing else is looked at."""
    about = json.loads((folder / "about.json").read_text())
    given, crop = about["input"], dict(about["crop"])
    lines = [f'file = "{folder / about["model"]}"', f'task = "{about["task"]}"', "[input]"]
    lines.append(f"size = [{given['width']}, {given['height']}]")
    for key in ("layout", "channels", "dtype", "name"):
        lines.append(f'{key} = "{given[key]}"')
    lines.append(f"mean = {given['mean']}")
    lines.append(f"std = {given['std']}")
    lines.append(f"batch = {json.dumps(given['batch'])}")
    lines.append("[crop]")
    for key in ("kind", "factor", "down", "grow", "focal", "distance", "principal", "map"):
        if key in crop and crop[key] != "perspective":
            lines.append(f"{key} = {json.dumps(crop[key])}")
    lines += ["[output]", f"name = {json.dumps(about['output']['name'])}", OUTPUT[about["name"]]]
    if "points" in about:
        lines += ["[points]", f'layout = "{about["points"]["layout"]}"']
        if "map" in about["points"]:
            lines.append(f"map = {about['points']['map']}")
    out.mkdir()
    (out / "network.toml").write_text("\n".join(lines) + "\n")


def read_samples(folder: Path) -> list[Sample]:
    about = json.loads((folder / "about.json").read_text())
    picture = cv2.imread(str(folder / "picture.png"))[:, :, ::-1].copy()
    if "boxes" not in about:
        camera = np.array(about["camera"])
        samples = []
        for number, face in enumerate(about["faces"]):
            meta = {
                "camera_matrix": camera,
                "face_centre": np.array(face["centre"]),
                "head_rotation": np.array(face["head"]),
            }
            samples.append(Sample(str(number), np.full(4, np.nan), lambda: picture, {}, meta))
        return samples
    with (folder / "boxes.csv").open() as file:
        rows = list(csv.DictReader(file))
    samples = []
    for row in rows:
        box = np.array([float(row[key]) for key in ("x0", "y0", "x1", "y1")])
        samples.append(Sample(row["face"], box, lambda: picture))
    return samples


def read_right(folder: Path, faces: int) -> np.ndarray:
    with (folder / "right.csv").open() as file:
        rows = list(csv.DictReader(file))
    if "z" in rows[0]:
        return np.array([[float(row[axis]) for axis in "xyz"] for row in rows])
    points = np.array([[float(row["x"]), float(row["y"])] for row in rows])
    return points.reshape(faces, -1, 2)


@pytest.fixture
def open_network(networks: Path, tmp_path: Path):
    def make(name: str):
        write_card(networks / name, tmp_path / "card")
        task = json.loads((networks / name / "about.json").read_text())["task"]
        layout = layouts.LAYOUTS["ibug68"] if task == "landmarks" else None
        setting = method_call.MethodSetting({}, task, layout, tmp_path / "card", tmp_path)
        module = method_card.import_method(method_card.find_card("onnx"))
        return method_call.make_predictor(module, tmp_path, "cpu", setting, "onnx")

    return make


@pytest.mark.parametrize("name", NAMES)
def test_the_network_answers_right_alone_and_in_a_batch(name, networks, open_network):
    samples, predict = read_samples(networks / name), open_network(name)
    right = read_right(networks / name, len(samples))
    together = predict(samples)
    alone = np.concatenate([predict([sample]) for sample in samples])
    for values in (together, alone):
        if name.startswith("a"):
            assert np.abs(values - right).max() < 0.1
        else:
            cross = np.linalg.norm(np.cross(values, -right), axis=1)
            angles = np.degrees(np.arctan2(cross, (values * -right).sum(axis=1)))
            assert angles.max() < 0.01
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_map_of_the_picture_is_the_printed_one(name, networks, tmp_path):
    method_card.import_method(method_card.find_card("onnx"))
    from benchbox_methods.onnx import network_card, picture_maps

    write_card(networks / name, tmp_path / "card")
    card = network_card.read_network_card(tmp_path / "card" / "network.toml")
    about = json.loads((networks / name / "about.json").read_text())
    for sample, printed in zip(
        read_samples(networks / name), about["picture_to_input"], strict=True
    ):
        picture = sample.pixels()
        matrix = picture_maps.picture_to_input(
            card.crop, sample, (picture.shape[1], picture.shape[0]), card.input.size
        )
        rows = len(printed)
        np.testing.assert_allclose(matrix[:rows] / matrix[2, 2], printed, atol=1e-6)
