"""The onnx adapter: each key of a card moves the prediction as it says, each fault is named.

Networks are made here: one finds the bright dot of a picture, one answers what it was built with.
"""

import subprocess
import sys

import numpy as np
import pytest

from benchbox import layouts
from benchbox.authoring import conformance
from benchbox.errors import DataError, PluginError, ResultError
from benchbox.plugins import method_call, method_card
from benchbox.types import Sample

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from onnx import TensorProto

from .onnx_networks import save_dot_finder, save_fixed_outputs

DOT = (53.0, 37.0)  # centre of the dot in the picture
BOX = np.array([20.0, 10.0, 84.0, 74.0])  # 64 px wide: scale 1/2 to an input of 32

CARD = """
file = "network.onnx"
task = "landmarks"
[input]
size = 32
layout = "NCHW"
channels = "RGB"
divide = 255
[crop]
kind = "stretch"
map = "affine"
[output]
kind = "coordinates"
order = "xy"
frame = "pixels"
ends = "index"
[points]
layout = "ibug68"
"""
GAZE = """
file = "network.onnx"
task = "gaze3d"
[input]
size = 32
layout = "NCHW"
channels = "RGB"
[crop]
kind = "whole"
map = "resize"
[output]
"""


def dot_picture(channel: int = 0) -> np.ndarray:
    """Draw a smooth dot, symmetric about DOT, so that its centre of mass survives any warp."""
    rows, columns = np.mgrid[:96, :112]
    distance2 = (columns - DOT[0]) ** 2 + (rows - DOT[1]) ** 2
    picture = np.zeros((96, 112, 3), np.uint8)
    picture[:, :, channel] = np.round(255 * np.exp(-distance2 / (2 * 6.0**2)))
    return picture


def dot_sample(name: str = "a", box: np.ndarray = BOX, channel: int = 0) -> Sample:
    picture = dot_picture(channel)
    return Sample(name, box, lambda: picture)


@pytest.fixture
def open_card(tmp_path):
    """Write a card beside its network and return the predictor."""

    def make(text: str, params=None):
        task = "landmarks" if 'task = "landmarks"' in text else "gaze3d"
        if 'task = "gaze2d"' in text:
            task = "gaze2d"
        (tmp_path / "network.toml").write_text(text)
        layout = layouts.LAYOUTS["ibug68"] if task == "landmarks" else None
        setting = method_call.MethodSetting(params or {}, task, layout, tmp_path, tmp_path / "data")
        module = method_card.import_method(method_card.find_card("onnx"))
        return method_call.make_predictor(module, tmp_path, "cpu", setting, "onnx")

    return make


def answer(predict, sample: Sample | None = None) -> np.ndarray:
    """Return the one place that all 68 points share."""
    points = predict([sample or dot_sample()])
    assert points.shape == (1, 68, 2)
    assert np.ptp(points, axis=1).max() < 1e-3
    return points[0, 0]


# --- input and crop -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["affine", "resize", "corner"])
def test_each_half_pixel_map_is_undone_as_it_was_made(name, open_card, tmp_path):
    save_dot_finder(tmp_path / "network.onnx")
    found = answer(open_card(CARD.replace('map = "affine"', f'map = "{name}"')))
    np.testing.assert_allclose(found, DOT, atol=0.05)


def test_the_three_maps_place_the_picture_where_their_definitions_say(open_card, tmp_path):
    """A point that the network states in input px is read back by each map's own formula."""
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.full((1, 136), 10.0)})
    places = {}
    for name in ("resize", "affine", "corner"):
        places[name] = answer(open_card(CARD.replace('map = "affine"', f'map = "{name}"')))
    # scale 1/2, corner at (20, 10): x = (u + 0.5) 2 - 0.5 + 20 | 2 u + 20 | (u + 0.5) 2 + 20
    np.testing.assert_allclose(places["resize"], [40.5, 30.5])
    np.testing.assert_allclose(places["affine"], [40.0, 30.0])
    np.testing.assert_allclose(places["corner"], [41.0, 31.0])


def test_channels_are_fed_in_the_order_of_the_card(open_card, tmp_path):
    """A red dot is channel 0 of RGB and channel 2 of BGR; the other channel is dark."""
    save_dot_finder(tmp_path / "network.onnx", channel=2)
    bgr = open_card(CARD.replace('"RGB"', '"BGR"'))
    np.testing.assert_allclose(answer(bgr), DOT, atol=0.05)
    np.testing.assert_allclose(answer(open_card(CARD)), BOX[:2], atol=1e-6)


@pytest.mark.parametrize("layout", ["NHWC", "NCWH", "NWHC"])
def test_memory_is_laid_out_as_the_network_wants_it(layout, open_card, tmp_path):
    """With columns before rows a square picture is silently transposed: x and y would change."""
    save_dot_finder(tmp_path / "network.onnx", layout=layout)
    found = answer(open_card(CARD.replace('"NCHW"', f'"{layout}"')))
    np.testing.assert_allclose(found, DOT, atol=0.05)


def test_a_network_of_bytes_gets_bytes(open_card, tmp_path):
    save_dot_finder(tmp_path / "network.onnx", dtype=TensorProto.UINT8, threshold=100.0)
    text = CARD.replace("divide = 255", 'dtype = "uint8"')
    np.testing.assert_allclose(answer(open_card(text)), DOT, atol=0.1)


def test_half_floats_are_fed_as_such(open_card, tmp_path):
    save_dot_finder(tmp_path / "network.onnx", dtype=TensorProto.FLOAT16)
    np.testing.assert_allclose(answer(open_card(CARD)), DOT, atol=0.05)


def test_a_grey_network_has_one_channel(open_card, tmp_path):
    """Grey is 0.299 of red: the dot's peak is 0.299 of one, and above 0.2 near the dot alone."""
    save_dot_finder(tmp_path / "network.onnx", channels=1, threshold=0.2)
    text = CARD.replace('"RGB"', '"grey"')
    np.testing.assert_allclose(answer(open_card(text)), DOT, atol=0.1)
    with pytest.raises(PluginError, match=r"input\.mean: grey has one channel; give one number"):
        open_card(text.replace("divide = 255", "mean = [1, 2, 3]"))


def test_values_are_divided_then_lessened_then_divided_per_channel(open_card, tmp_path):
    """Only (v / 255 - 0.2) / 0.25 lies above 2, and only about the dot."""
    save_dot_finder(tmp_path / "network.onnx", threshold=2.0)
    scaled = "divide = 255\nmean = [0.2, 9.0, 9.0]\nstd = [0.25, 1.0, 1.0]"
    np.testing.assert_allclose(
        answer(open_card(CARD.replace("divide = 255", scaled))), DOT, atol=0.2
    )
    turned = scaled.replace("[0.2, 9.0, 9.0]", "[9.0, 9.0, 0.2]")
    np.testing.assert_allclose(
        answer(open_card(CARD.replace("divide = 255", turned))), BOX[:2], atol=1e-6
    )


@pytest.mark.parametrize(
    ("crop", "area"),
    [
        # X0, Y0, W, H of the box 20 10 84 106: 64 wide, 96 high, centre (52, 58)
        ('kind = "square"\nfactor = 1.25', (-8, -2, 120, 120)),
        ('kind = "square"\nfactor = 1.5\nside = "shorter"\ndown = 0.25', (4, 26, 96, 96)),
        ('kind = "mean-side"\nfactor = 1.5\ndown = 0.1', (-8, 6, 120, 120)),
        ('kind = "centre-scale"\nfactor = 1.0', (4, 10, 96, 96)),
        ('kind = "centre-scale"\nfactor = 1.0\naspect = "input"', (4, 10, 96, 96)),
        ('kind = "grow"\ngrow = [0.25, -0.25, 0.5, 0.125]', (4, 34, 112, 84)),
        ('kind = "fan"\nreference = 160\nup = 0.125', (-48, -54, 200, 200)),
        ('kind = "stretch"', (20, 10, 64, 96)),
        ('kind = "stretch"\nfactor = 0.5', (36, 34, 32, 48)),
        ('kind = "grow"\ngrow = [1, 1, 1, 1]\nclip = true', (0, 0, 112, 96)),
        ('kind = "square"\nfactor = 1.01\nwhole_pixels = "outwards"', (3, 9, 98, 98)),
        ('kind = "whole"', (0, 0, 112, 96)),
    ],
)
def test_each_crop_rule_shows_its_part_of_the_picture(crop, area, open_card, tmp_path):
    """A network that answers the input's corner and its middle names the crop."""
    points = np.tile([[0.0, 0.0]], (68, 1))
    points[1] = 1.0
    save_fixed_outputs(tmp_path / "network.onnx", {"output": points.reshape(1, 136)})
    text = CARD.replace('kind = "stretch"', crop).replace('"pixels"', '"0..1"')
    box = np.array([20.0, 10.0, 84.0, 106.0])
    found = open_card(text)([dot_sample(box=box)])[0]
    np.testing.assert_allclose(found[0], area[:2], atol=1e-9)
    np.testing.assert_allclose(found[1] - found[0], area[2:], atol=1e-9)


def test_a_face_without_a_box_is_no_answer_and_stops_no_other(open_card, tmp_path):
    save_dot_finder(tmp_path / "network.onnx")
    samples = [dot_sample("none", np.full(4, np.nan)), dot_sample("flat", BOX[[0, 1, 0, 3]])]
    found = open_card(CARD)([*samples, dot_sample("there")])
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2, 0], DOT, atol=0.05)


# --- batch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_one_face_and_many_are_answered_alike_whatever_batch_the_file_fixes(
    batch, open_card, tmp_path
):
    save_dot_finder(tmp_path / "network.onnx", batch=batch)
    boxes = [BOX + shift for shift in (0.0, 4.0, -4.0, 8.0, 2.0)]
    samples = [dot_sample(str(number), box) for number, box in enumerate(boxes)]
    predict = open_card(CARD)
    together = predict(samples)
    alone = np.concatenate([predict([sample]) for sample in samples])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(together[:, 0], np.tile(DOT, (5, 1)), atol=0.1)


# --- coordinates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "ends", "numbers", "place"),
    [
        # the input is 32 px, twice as many in the picture, its corner at (20, 10), map affine
        ("0..1", "edges", (0.5, 0.25), (51.0, 25.0)),
        ("0..1", "index", (0.5, 0.25), (52.0, 26.0)),
        ("0..1", "centres", (0.5, 0.25), (51.0, 25.5)),
        ("-1..1", "edges", (0.0, -0.5), (51.0, 25.0)),
        ("-1..1", "index", (0.0, -0.5), (52.0, 26.0)),
        ("-1..1", "centres", (0.0, -0.5), (51.0, 25.5)),
        ("pixels", "edges", (16.0, 8.0), (51.0, 25.0)),
        ("pixels", "index", (16.0, 8.0), (52.0, 26.0)),
    ],
)
def test_each_frame_of_coordinates(frame, ends, numbers, place, open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.tile(numbers, 68)[None]})
    text = CARD.replace('"pixels"', f'"{frame}"').replace('ends = "index"', f'ends = "{ends}"')
    np.testing.assert_allclose(answer(open_card(text)), place, atol=1e-5)


@pytest.mark.parametrize(
    ("keys", "one", "place"),
    [
        ('order = "yx"', (8.0, 16.0), (52.0, 26.0)),
        ('order = "yxc"', (8.0, 16.0, 0.9), (52.0, 26.0)),
        ('order = "xyz"', (16.0, 8.0, 3.0), (52.0, 26.0)),
        ('order = "xy"\ny = "up"', (16.0, 8.0), (52.0, 56.0)),
        ('order = "xy"\nsize = 64', (32.0, 16.0), (52.0, 26.0)),
        ('order = "xy"\nshift = [-1, -0.5]', (16.0, 8.0), (50.0, 25.0)),
        ('order = "xy"\nof = "picture"', (16.0, 8.0), (16.0, 8.0)),
    ],
)
def test_each_order_of_numbers(keys, one, place, open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.tile(one, 68)[None]})
    np.testing.assert_allclose(
        answer(open_card(CARD.replace('order = "xy"', keys))), place, atol=1e-5
    )


def test_a_block_of_x_then_a_block_of_y(open_card, tmp_path):
    numbers = np.concatenate([np.full(68, 16.0), np.full(68, 8.0)])[None]
    save_fixed_outputs(tmp_path / "network.onnx", {"output": numbers})
    text = CARD.replace('order = "xy"', 'order = "xy"\nblocks = true')
    np.testing.assert_allclose(answer(open_card(text)), (52.0, 26.0))


def test_shares_of_the_picture_go_by_its_width_and_height(open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.tile([0.5, 0.25], 68)[None]})
    text = CARD.replace('"pixels"', '"0..1"').replace(
        'ends = "index"', 'ends = "edges"\nof = "picture"'
    )
    np.testing.assert_allclose(answer(open_card(text)), (55.5, 23.5))


# --- maps -----------------------------------------------------------------------------------------

HEATMAPS = CARD.replace(
    'kind = "coordinates"\norder = "xy"\nframe = "pixels"\nends = "index"',
    'kind = "heatmaps"\naxes = "prc"\ndecode = "argmax"\nadd = 0\nends = "index"',
)


def peak_maps(row: int = 2, column: int = 5) -> np.ndarray:
    """Maps (1, 68, 8, 8) with a peak of 4, the right neighbour 2, the one below 1."""
    maps = np.zeros((1, 68, 8, 8))
    maps[:, :, row, column] = 4.0
    maps[:, :, row, column + 1] = 2.0
    maps[:, :, row + 1, column] = 1.0
    return maps


@pytest.mark.parametrize(
    ("keys", "cell"),
    [
        ('"argmax"\nadd = 0', (5.0, 2.0)),
        ('"argmax"\nadd = 0.5', (5.5, 2.5)),
        ('"quarter"\nadd = 0', (5.25, 2.25)),
        ('"quarter"\nadd = 0.5', (5.75, 2.75)),
        ('"mean"\nadd = 0', (5 + 2 / 7, 2 + 1 / 7)),
        ('"window"\nwindow = 1\nadd = 0', (5 + 2 / 7, 2 + 1 / 7)),
    ],
)
def test_each_decode_rule_of_heat_maps(keys, cell, open_card, tmp_path):
    """Eight cells on 32 px, 2 px of the picture each: x = 20 + 8 t."""
    save_fixed_outputs(tmp_path / "network.onnx", {"output": peak_maps()})
    text = HEATMAPS.replace('"argmax"\nadd = 0', keys)
    place = (20 + 8 * cell[0], 10 + 8 * cell[1])
    np.testing.assert_allclose(answer(open_card(text)), place, atol=1e-5)


def test_the_window_leaves_out_what_the_mean_counts(open_card, tmp_path):
    maps = peak_maps()
    maps[:, :, 7, 0] = 3.0
    save_fixed_outputs(tmp_path / "network.onnx", {"output": maps})
    text = HEATMAPS.replace('"argmax"\nadd = 0', '"window"\nwindow = 1\nadd = 0')
    np.testing.assert_allclose(
        answer(open_card(text)), (20 + 8 * (5 + 2 / 7), 10 + 8 * (2 + 1 / 7)), atol=1e-5
    )


def test_soft_argmax_is_the_mean_under_a_softmax_of_the_whole_map(open_card, tmp_path):
    logits = np.full((1, 68, 8, 8), -50.0)
    logits[:, :, 2, 5] = np.log(3.0)
    logits[:, :, 4, 1] = 0.0
    save_fixed_outputs(tmp_path / "network.onnx", {"output": logits})
    text = HEATMAPS.replace('"argmax"', '"soft-argmax"')
    # three quarters at (5, 2), one at (1, 4)
    np.testing.assert_allclose(answer(open_card(text)), (20 + 8 * 4.0, 10 + 8 * 2.5), atol=1e-4)


@pytest.mark.parametrize(
    ("ends", "u"),
    [
        ("index", (20.0, 8.0)),
        ("edges", (19.5, 7.5)),
        ("centres", (5 * 31 / 7, 2 * 31 / 7)),
        ("nodes", (5 * 32 / 7 - 0.5, 2 * 32 / 7 - 0.5)),
    ],
)
def test_where_the_ends_of_a_map_lie(ends, u, open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": peak_maps()})
    text = HEATMAPS.replace('ends = "index"', f'ends = "{ends}"')
    np.testing.assert_allclose(answer(open_card(text)), (20 + 2 * u[0], 10 + 2 * u[1]), atol=1e-5)


def test_the_axes_of_maps_are_named_not_guessed(open_card, tmp_path):
    """Square maps read with rows for columns are silently transposed: the card says which."""
    maps = peak_maps().transpose(0, 2, 3, 1)
    save_fixed_outputs(tmp_path / "network.onnx", {"output": maps})
    np.testing.assert_allclose(answer(open_card(HEATMAPS.replace('"prc"', '"rcp"'))), (60.0, 26.0))
    np.testing.assert_allclose(answer(open_card(HEATMAPS.replace('"prc"', '"crp"'))), (36.0, 50.0))


OFFSETS = HEATMAPS.replace('kind = "heatmaps"', 'kind = "offsets"').replace(
    'decode = "argmax"\nadd = 0\n', ""
)


def test_offsets_are_read_at_the_highest_cell(open_card, tmp_path):
    across, down = np.zeros((1, 68, 8, 8)), np.zeros((1, 68, 8, 8))
    across[:, :, 2, 5], down[:, :, 2, 5] = 0.25, 0.75
    across[:, :, 5, 2], down[:, :, 5, 2] = 9.0, 9.0
    outputs = {"cls": peak_maps(), "x": across, "y": down}
    save_fixed_outputs(tmp_path / "network.onnx", outputs)
    text = OFFSETS.replace("[output]", '[output]\nname = "cls"\noffsets = ["x", "y"]')
    np.testing.assert_allclose(answer(open_card(text)), (20 + 8 * 5.25, 10 + 8 * 2.75), atol=1e-5)


def test_offsets_as_logits_in_blocks_of_one_output(open_card, tmp_path):
    """OpenSeeFace: scores, rows, columns; u = 31 (cell / 7 + logit / 16)."""
    across, down = np.full((1, 68, 8, 8), 0.5), np.full((1, 68, 8, 8), 0.5)
    across[:, :, 2, 5] = 1 / (1 + np.exp(-0.8))
    down[:, :, 2, 5] = 1 / (1 + np.exp(1.6))
    numbers = np.concatenate([peak_maps(), down, across], axis=1)
    save_fixed_outputs(tmp_path / "network.onnx", {"output": numbers})
    keys = f'blocks = ["score", "y", "x"]\noffset = "logit"\noffset_scale = {7 / 16}'
    text = OFFSETS.replace("[output]", f"[output]\n{keys}").replace('"index"', '"centres"')
    u, v = 31 * (5 / 7 + 0.8 / 16), 31 * (2 / 7 - 1.6 / 16)
    np.testing.assert_allclose(answer(open_card(text)), (20 + 2 * u, 10 + 2 * v), atol=1e-4)


def test_simcc_reads_a_vector_of_bins_for_each_axis(open_card, tmp_path):
    across, down = np.zeros((1, 68, 64)), np.zeros((1, 68, 64))
    across[:, :, 21], down[:, :, 9] = 1.0, 1.0
    save_fixed_outputs(tmp_path / "network.onnx", {"simcc_x": across, "simcc_y": down})
    text = HEATMAPS.replace(
        'kind = "heatmaps"\naxes = "prc"\ndecode = "argmax"\nadd = 0\n',
        'kind = "simcc"\nname = ["simcc_x", "simcc_y"]\n',
    )
    np.testing.assert_allclose(answer(open_card(text)), (20 + 21.0, 10 + 9.0))


# --- points ---------------------------------------------------------------------------------------


def test_points_in_an_order_of_their_own_are_mapped_and_mixed(open_card, tmp_path):
    rows = np.stack([np.arange(70.0) / 4, np.zeros(70)], axis=1)
    save_fixed_outputs(tmp_path / "network.onnx", {"output": rows.reshape(1, 140)})
    entries = [str(69 - point) for point in range(68)]
    entries[3] = "[[0, 0.5], [4, 0.5]]"
    found = open_card(f"{CARD}map = [{', '.join(entries)}]\n")([dot_sample()])[0]
    np.testing.assert_allclose(found[0], (20 + 2 * 69 / 4, 10))
    np.testing.assert_allclose(found[3], (20 + 2 * 2 / 4, 10))


@pytest.mark.parametrize(("take", "first"), [("first", 0.0), ("last", 2.0)])
def test_extra_points_are_dropped_at_the_end_that_the_card_says(take, first, open_card, tmp_path):
    rows = np.stack([np.arange(70.0) / 4, np.zeros(70)], axis=1)
    save_fixed_outputs(tmp_path / "network.onnx", {"output": rows.reshape(1, 140)})
    found = open_card(f'{CARD}take = "{take}"\n')([dot_sample()])[0]
    np.testing.assert_allclose(found[0], (20 + 2 * first / 4, 10))


def test_98_points_reach_68_by_a_documented_map(open_card, tmp_path):
    rows = np.stack([np.arange(98.0) / 4, np.zeros(98)], axis=1)
    save_fixed_outputs(tmp_path / "network.onnx", {"output": rows.reshape(1, 196)})
    text = CARD.replace('layout = "ibug68"', 'layout = "wflw98"\nmap = "98to68-dlib68"')
    found = open_card(text)([dot_sample()])[0]
    np.testing.assert_allclose(found[[0, 16, 36], 0], 20 + np.array([0, 32, 60]) / 2)


def test_another_layout_than_the_protocols_names_the_maps_that_lead_there(open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.zeros((1, 196))})
    predict = open_card(CARD.replace('layout = "ibug68"', 'layout = "wflw98"'))
    message = r"points\.layout: gives wflw98, .* asks for ibug68; allowed: map = 98to68-pipnet"
    with pytest.raises(PluginError, match=message):
        predict([dot_sample()])


def test_a_face_that_the_network_does_not_see_is_no_answer(open_card, tmp_path):
    outputs = {"points": np.full((1, 136), 10.0), "seen": np.array([[-1.0]])}
    save_fixed_outputs(tmp_path / "network.onnx", outputs)
    text = CARD.replace("[output]", '[output]\nname = "points"')
    presence = '[presence]\nname = "seen"\nleast = 0.25\nvalues = "logit"\n'
    np.testing.assert_allclose(answer(open_card(text + presence)), (40.0, 30.0))  # 0.269
    unseen = open_card(text + presence.replace("0.25", "0.5"))([dot_sample()])
    assert np.isnan(unseen).all()


# --- gaze -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "numbers", "direction"),
    [
        # who looks 30 degrees to the picture's right: x = sin 30, z = -cos 30
        ('order = "yaw pitch"\nyaw = "right"\nunit = "degrees"', (30, 0), (0.5, 0, -(0.75**0.5))),
        ('order = "yaw pitch"\nyaw = "left"\nunit = "degrees"', (30, 0), (-0.5, 0, -(0.75**0.5))),
        ('order = "pitch yaw"\nyaw = "left"\nunit = "degrees"', (30, 0), (0, -0.5, -(0.75**0.5))),
        (
            'order = "pitch yaw"\nyaw = "left"\nunit = "radians"',
            (np.pi / 6, 0),
            (0, -0.5, -(0.75**0.5)),
        ),
    ],
)
def test_angles_by_order_unit_and_side(keys, numbers, direction, open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.array([numbers], float)})
    text = f'{GAZE}kind = "angles"\npitch = "up"\nspace = "camera"\n{keys}\n'
    found = open_card(text)([dot_sample()])
    np.testing.assert_allclose(found[0], -np.array(direction), atol=1e-6)


def test_a_pitch_that_counts_downwards(open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.array([[30.0, 0.0]])})
    text = (
        f'{GAZE}kind = "angles"\norder = "pitch yaw"\nunit = "degrees"\nyaw = "left"\n'
        'pitch = "down"\nspace = "camera"\n'
    )
    np.testing.assert_allclose(open_card(text)([dot_sample()])[0], (0, -0.5, 0.75**0.5), atol=1e-6)


def test_bins_are_averaged_under_their_softmax(open_card, tmp_path):
    yaw, pitch = np.full((1, 90), -60.0), np.full((1, 90), -60.0)
    yaw[0, [50, 55]], pitch[0, 45] = 0.0, 0.0  # (50 + 55) / 2 x 4 - 180 = 30, 45 x 4 - 180 = 0
    save_fixed_outputs(tmp_path / "network.onnx", {"yaw": yaw, "pitch": pitch})
    text = (
        f'{GAZE}kind = "bins"\nname = ["yaw", "pitch"]\norder = "yaw pitch"\nfirst = -180\n'
        'step = 4\nyaw = "right"\npitch = "up"\nspace = "camera"\n'
    )
    np.testing.assert_allclose(open_card(text)([dot_sample()])[0], (-0.5, 0, 0.75**0.5), atol=1e-6)


def test_a_vector_is_turned_to_the_cameras_axes_and_made_a_unit(open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.array([[0.6, 1.2, 1.2]])})
    text = f'{GAZE}kind = "vector"\nx = "right"\ny = "up"\nz = "camera"\nspace = "camera"\n'
    # the direction is (1, -2, -2) / 3; what is stored is its negative
    np.testing.assert_allclose(
        open_card(text)([dot_sample()])[0], np.array([-1, 2, 2]) / 3, atol=1e-6
    )


def virtual_sample() -> Sample:
    angle = np.radians(30)
    head = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    meta = {
        "camera_matrix": np.array([[100.0, 0, 50], [0, 100.0, 40], [0, 0, 1]]),
        "face_centre": np.array([0.0, 0.0, 500.0]),
        "head_rotation": head,
    }
    return Sample("v", np.full(4, np.nan), dot_picture, {}, meta)


VIRTUAL = GAZE.replace(
    'kind = "whole"\nmap = "resize"',
    'kind = "normalise"\nfocal = 200\ndistance = 250\nprincipal = [16, 16]',
)
ANGLES = 'kind = "angles"\norder = "pitch yaw"\nunit = "degrees"\nyaw = "left"\npitch = "up"\n'


def test_gaze_in_a_virtual_camera_is_turned_back_by_its_rotation(open_card, tmp_path):
    """The head rolls by 30 degrees: a gaze "up" in the patch is up along the rolled head."""
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.array([[30.0, 0.0]])})
    turned = open_card(f'{VIRTUAL}{ANGLES}space = "virtual"\n')([virtual_sample()])[0]
    np.testing.assert_allclose(turned, (-0.25, 0.5 * 0.75**0.5, 0.75**0.5), atol=1e-6)
    plain = open_card(f'{VIRTUAL}{ANGLES}space = "camera"\n')([virtual_sample()])[0]
    np.testing.assert_allclose(plain, (0, 0.5, 0.75**0.5), atol=1e-6)


def test_a_camera_written_as_text_in_a_table_is_the_same_camera(open_card, tmp_path):
    """A gaze table of one's own hands further columns on as texts."""
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.array([[30.0, 5.0]])})
    predict = open_card(f'{VIRTUAL}{ANGLES}space = "virtual"\n')
    sample = virtual_sample()
    texts = {}
    for name, numbers in sample.meta.items():
        texts[name] = " ".join(str(number) for number in numbers.ravel())
    written = Sample("w", sample.box, sample.pixels, {}, texts)
    np.testing.assert_allclose(predict([written]), predict([sample]), atol=1e-12)
    broken = Sample("x", sample.box, sample.pixels, {}, {**texts, "face_centre": "0 0 far"})
    with pytest.raises(DataError, match="x: face_centre is '0 0 far', expected numbers"):
        predict([broken])


def test_a_virtual_camera_needs_the_real_one(open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.array([[30.0, 0.0]])})
    predict = open_card(f'{VIRTUAL}{ANGLES}space = "virtual"\n')
    with pytest.raises(DataError, match=r"a: crop\.camera = 'camera_matrix' is not among"):
        predict([dot_sample()])


def test_a_place_on_the_screen_in_cm(open_card, tmp_path):
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.array([[30.0, -20.0]])})
    text = GAZE.replace("gaze3d", "gaze2d")
    text += 'kind = "point"\norder = "yx"\nunit = "mm"\ny = "mirrored"\n'
    np.testing.assert_allclose(open_card(text)([dot_sample()])[0], (-2.0, -3.0))


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"RGB"', '"RBG"', r"input\.channels: 'RBG' is not allowed; allowed: RGB \| BGR \| grey"),
        ('map = "affine"\n', "", r"crop\.map: is missing; allowed: resize \| affine \| corner"),
        ('map = "affine"', 'map = "affine"\nfactr = 2', r"crop\.factr: no such key; did you mean"),
        ('kind = "stretch"', 'kind = "box"', r"crop\.kind: 'box' is not allowed; allowed: square"),
        ('ends = "index"\n', "", r"output\.ends: is missing; allowed: edges \| index \| centres"),
        ('order = "xy"', 'order = "xx"', r"output\.order: 'xx' is not allowed; .*x and y once"),
        ("size = 32", "size = 48", r"input\.size: the file's input is .* would have H = 48"),
        ('"NCHW"', '"NHWC"', r"input\.(layout|size): the file's input is"),
        ("divide = 255", "std = 0", r"input\.std: 0 is not allowed; .*none of them 0"),
        ("divide = 255", "batch = 0", r"input\.batch: 0 is not allowed"),
        ("divide = 255", 'dtype = "uint8"', r"input\.dtype: 'uint8' .*allowed: float32"),
        ("[output]", '[output]\nname = "heat"', r"output\.name: 'heat' .*allowed: output"),
        ('layout = "ibug68"', 'layout = "ibug67"', r"points\.layout: 'ibug67' is not allowed"),
        ('layout = "ibug68"', 'layout = "cofw29"', r"points\.layout: cofw29 has 29 points"),
        (
            'layout = "ibug68"',
            'layout = "ibug68"\nmap = [0]',
            r"points\.map: 1 entries; ibug68 has",
        ),
        ('file = "network.onnx"', 'file = "../n.onnx"', r"file: '\.\./n\.onnx' is not allowed"),
    ],
)
def test_a_fault_of_the_card_names_its_key_and_what_is_allowed(
    old, new, message, open_card, tmp_path
):
    save_dot_finder(tmp_path / "network.onnx")
    assert old in CARD
    with pytest.raises((PluginError, DataError), match=rf"network\.toml: {message}"):
        open_card(CARD.replace(old, new, 1))([dot_sample()])


def test_a_network_that_is_not_there_says_where_it_is_looked_for_and_had(open_card, tmp_path):
    text = f'where = "the npm package"\n{CARD}'
    with pytest.raises(DataError, match=r"no network at .*network\.onnx nor .*data.*npm package"):
        open_card(text)


def test_a_file_that_is_no_network_is_said_to_be_none(open_card, tmp_path):
    (tmp_path / "network.onnx").write_bytes(b"no protobuf at all")
    with pytest.raises(DataError, match=r"network\.onnx: no network that can be run"):
        open_card(CARD)


def test_a_network_may_lie_under_the_data_root(open_card, tmp_path):
    (tmp_path / "data" / "nets").mkdir(parents=True)
    save_dot_finder(tmp_path / "data" / "nets" / "dots.onnx")
    found = answer(open_card(CARD.replace("network.onnx", "nets/dots.onnx")))
    np.testing.assert_allclose(found, DOT, atol=0.05)


def test_a_batch_that_the_network_swallows_is_noticed(open_card, tmp_path):
    """Its batch is free in name, but its output is one row whatever comes in."""
    save_fixed_outputs(tmp_path / "network.onnx", {"output": np.zeros((2, 136))})
    with pytest.raises(PluginError, match=r"input\.batch: output 'output' has \(2, 136\) for 1"):
        open_card(CARD)([dot_sample()])


# --- as a method ----------------------------------------------------------------------------------


@pytest.fixture
def own_network(world):
    """A method folder without code, as a person has it."""
    folder = world.methods / "dots"
    folder.mkdir(parents=True)
    (folder / "method.toml").write_text(
        'name = "dots"\ntitle = "Dots"\ntask = ["landmarks"]\nsummary = "S"\nadapter = "onnx"\n'
        'default = "dots"\n[variants.dots]\ntitle = "Dots"\n'
    )
    (folder / "network.toml").write_text(CARD)
    save_dot_finder(folder / "network.onnx")
    return folder


def test_a_folder_without_python_runs_and_its_network_is_hashed(world, own_network):
    import hashlib

    from benchbox.runs import execute, run_plan

    request = run_plan.RunRequest(
        "dots", "tiny", data=world.data, results=world.results, methods=(world.methods,)
    )
    record = execute.run_method(request).run.record
    digest = hashlib.sha256((own_network / "network.onnx").read_bytes()).hexdigest()
    assert record.kind == "weights"
    assert record.digests.weights["network.onnx"] == f"sha256:{digest}"
    assert set(record.digests.weights) == {"network.onnx", "network.toml"}
    assert record.environment.onnxruntime
    (own_network / "network.toml").write_text(CARD.replace('"affine"', '"corner"'))
    with pytest.raises(ResultError, match=r"made with .*another network\.toml; --fresh redoes it"):
        execute.run_method(request)


def test_the_adapter_without_a_card_says_how_one_is_made(world):
    from benchbox.runs import execute, run_plan

    request = run_plan.RunRequest("onnx", "tiny", data=world.data, results=world.results)
    with pytest.raises(PluginError, match="benchbox new method NAME --template onnx"):
        execute.run_method(request)


def test_the_card_may_be_given_for_one_run(world, own_network):
    from benchbox.runs import execute, run_plan

    request = run_plan.RunRequest(
        "onnx",
        "tiny",
        data=world.data,
        results=world.results,
        overrides={"card": str(own_network / "network.toml")},
    )
    assert execute.run_method(request).scored.scores.count == 6


def test_importing_the_adapter_loads_no_run_time():
    code = (
        "import sys; from benchbox.plugins import method_card as m;"
        "m.import_method(m.find_card('onnx'));"
        "sys.exit(str({'onnxruntime', 'cv2', 'torch'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_the_whole_card_of_the_guide_is_a_card(tmp_path):
    from pathlib import Path

    import benchbox

    text = (Path(benchbox.__file__).parent / "report" / "site_text" / "onnx.md").read_text()
    (card,) = [block for block in text.split("```") if "[input]" in block]
    predict_module = load_predict_module()
    (tmp_path / "network.toml").write_text(card)
    read = predict_module.load_card({}, tmp_path)
    assert (read.output.kind, read.output.values["decode"], read.crop.values["factor"]) == (
        "heatmaps",
        "quarter",
        1.25,
    )


def load_predict_module():
    import importlib

    name = method_card.find_card("onnx").module
    return importlib.import_module(f"{name}.predict")


@pytest.mark.parametrize("task", ["landmarks", "gaze3d", "gaze2d"])
def test_the_scaffold_writes_a_card_that_only_lacks_its_network(task, world):
    from click.testing import CliRunner

    from benchbox.cli import main

    arguments = ["new", "method", "my-net", "--methods", str(world.methods)]
    arguments += ["--template", "onnx", "--task", task]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    folder = world.methods / "my_net"
    assert f"put the network there as {folder / 'network.onnx'}" in done.output
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md",
        "method.toml",
        "network.toml",
    ]
    card = method_card.find_card("my-net", [world.methods])
    assert (card.task, card.adapter) == ((task,), "onnx")
    assert load_predict_module().load_card({}, folder).task == task
    tried = CliRunner().invoke(main, ["test", "method", "my-net", "--methods", str(world.methods)])
    assert tried.exit_code == 1
    assert "no network at" in tried.output


def test_the_command_tries_a_network_without_labels(world, own_network):
    """The dot finder is no face network: what matters is that each check is made."""
    checks = conformance.check_method(method_card.find_card("dots", [world.methods]))
    found = {check.name: check for check in checks}
    assert found["batch size"].ok
    assert found["box moved by 3 %"].ok or "crop" in found["box moved by 3 %"].detail
    assert "mirrored picture and box" in found
    assert "channels exchanged" in found


def test_a_record_names_the_map_of_a_card(tmp_path):
    """The trap: mapped points look like the network's own once they are stored."""
    module = method_card.import_method(method_card.find_card("onnx"))
    setting = method_call.MethodSetting({}, "landmarks", None, tmp_path, tmp_path)
    (tmp_path / "network.toml").write_text(CARD)
    assert method_call.record_notes(module, setting) == ()
    mapped = CARD.replace('layout = "ibug68"', 'layout = "wflw98"\nmap = "98-to-68-pipnet"')
    (tmp_path / "network.toml").write_text(mapped)
    (note,) = method_call.record_notes(module, setting)
    assert layouts.mapped_by([note]) == "98to68-pipnet"
    own = ", ".join(map(str, range(67)))
    listed = CARD.replace("[points]", f"[points]\nmap = [{own}, [[66, 0.5], [67, 0.5]]]")
    (tmp_path / "network.toml").write_text(listed)
    (note,) = method_call.record_notes(module, setting)
    assert note == "points mapped by the card's own map (67 of 68 are points as found)"
