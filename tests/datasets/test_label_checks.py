"""Labels and boxes of something else are named, and good ones raise no alarm."""

import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets import label_checks, shape_fit, verify
from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors, tight_box
from benchbox.layouts import LAYOUTS
from benchbox.protocols import protocol_card
from benchbox.types import Index

CARD = """
name = "mine"
title = "My faces"
dataset = "files"
layout = "ibug68"
source = {images = "mine", parts = {train = "mine/train.csv", test = "mine/test.csv"}}
train = {parts = ["train"], expected = 5}
test = {overall = "all", expected = 3, groups = {all = ["test"]}}
box = {source = "bbox", choices = ["bbox", "ground_truth"]}
score = {normalisers = ["inter_ocular"]}
"""


def faces(count=8, layout="ibug68", seed=0):
    """Noisy upright faces (N, K, 2) of about 100 px, at different places."""
    rng = np.random.default_rng(seed)
    middle = shape_fit.mean_face(layout)[:, :2]
    size = rng.uniform(0.6, 1.0, (count, 1, 1))
    place = rng.uniform(150, 250, (count, 1, 2))
    return middle * size + place + rng.normal(0, 1.5, (count, *middle.shape))


def index_of(values, **columns):
    count = len(values)
    ids = np.array([f"test/{row:05d}" for row in range(1, count + 1)])
    return Index(
        **{
            "dataset": "files",
            "ids": ids,
            "parts": np.array(["test"] * count),
            "values": np.asarray(values, float),
            "boxes": {},
            "clusters": ids,
            "read": str,
            "label_place": lambda row: f"test.csv:{row + 2}",
            **columns,
        }
    )


def said(values, layout="ibug68", **columns):
    """What is found, by check."""
    found = label_checks.find_faults(index_of(values, **columns), layout)
    return {fault.check: fault for fault in found}


@pytest.mark.parametrize("layout", ["ibug68", "wflw98", "cofw29", "aflw19"])
def test_good_faces_are_left_in_peace(layout):
    assert said(faces(layout=layout), layout) == {}


@pytest.mark.parametrize("layout", ["ibug68", "wflw98", "cofw29", "aflw19"])
@pytest.mark.parametrize(
    ("place", "words"), [((0, 0), r"\(0, 0\)"), ((-1, -1), r"\(-1, -1\)"), ((77, 77), "77")]
)
def test_a_face_of_placeholders_is_refused_with_id_and_file(layout, place, words):
    values = faces(layout=layout)
    values[3] = place
    fault = said(values, layout)["placeholder"]
    assert fault.refused
    assert fault.what.startswith("1 of 8 items have placeholders where points belong")
    assert "test/00004 (test.csv:5)" in fault.what


def test_single_placeholders_are_found_among_good_points():
    values = faces()
    values[2, 5] = (0, 0)
    values[6, [8, 30, 60]] = (-1, -1)
    fault = said(values)["placeholder"]
    assert "2 of 8 items" in fault.what
    assert "test/00003 (test.csv:4), test/00007 (test.csv:8)" in fault.what
    marks = label_checks.placeholder_points(values, "ibug68")
    assert np.argwhere(marks).tolist() == [[2, 5], [6, 8], [6, 30], [6, 60]]


def test_a_placeholder_written_before_one_was_added_is_known():
    values = faces()
    values[1, 7] = (1.0, 1.0)  # 0 in the file's pixels, moved into a frame that counts from 1
    assert label_checks.placeholder_points(values, "ibug68", origin=1.0).sum() == 1


def test_a_real_point_at_the_pictures_corner_is_no_placeholder():
    values = faces(1)
    values[0] -= values[0, 0]  # its first point lies exactly at (0, 0)
    assert said(values) == {}


def test_a_few_equal_points_are_rounding_and_many_are_not():
    values = faces().round()
    values[0, 60:64] = values[0, 60]
    assert "placeholder" not in said(values)
    values[0, 40:60] = (3, 200)
    assert "placeholder" in said(values)


def test_without_a_mean_face_placeholders_are_told_by_their_distance():
    """Trap: a layout that a card brings has no mean face, and was not looked at."""
    values = faces()[:, :12]
    values[1, 3] = (0, 0)
    assert said(values, "")["placeholder"].refused
    assert said(faces()[:, :12], "") == {}


def test_points_in_0_to_1_are_no_pixels():
    values = faces() / 400
    fault = said(values)["shares of the picture"]
    assert fault.refused
    assert "8 of 8 items have points between 0 and 1" in fault.what


def test_a_number_that_is_none_is_refused():
    values = faces()
    values[4, 2, 0] = np.nan
    assert said(values)["not a number"].refused


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v: v[:, list(LAYOUTS["ibug68"].flip)], "left and right exchanged"),
        (lambda v: 400 - v[:, :, ::-1] * [1, -1] * [-1, 1], "no face of ibug68"),
        (lambda v: v[..., ::-1], "x and y exchanged"),
        (lambda v: v * [1, -1] + [0, 500], "y counted from below"),
        (lambda v: v[:, ::-1], "counted from the other end"),
        (lambda v: v[:, sorted(range(68), key=str)], "names sorted as text"),
    ],
)
def test_a_whole_set_in_another_reading_is_named_with_the_reading(spoil, words):
    fault = said(spoil(faces()))["no face of the layout"]
    assert not fault.refused
    assert "8 of 8 items are no face of ibug68" in fault.what
    assert words in fault.what


def test_one_face_in_random_order_is_named():
    values = faces()
    values[3] = values[3, np.random.default_rng(1).permutation(68)]
    fault = said(values)["no face of the layout"]
    assert "1 of 8 items" in fault.what
    assert fault.what.endswith("test/00004 (test.csv:5)")


def test_turned_labels_are_named_one_by_one_and_as_a_set():
    values = faces()
    values[5] = 400 - values[5]
    assert "test/00006" in said(values)["turned labels"].what
    sideways = faces()[..., ::-1] * [1, -1] + [0, 400]  # a quarter turn, no mirror
    assert "turned in their picture, by 90°" in said(sideways)["turned labels"].what


def test_points_of_an_eye_exchanged_in_every_face_are_a_disorder():
    """Trap: a single pair leaves the fit of every face good."""
    values = faces()
    values[:, [36, 39]] = values[:, [39, 36]]
    fault = said(values)["points in another order"]
    assert fault.what.startswith("points 36, 39 lie ")
    assert "no face of the layout" not in said(values)


def test_a_point_that_slipped_a_digit_is_named():
    values = faces()
    values[2, 30, 0] += 3 * shape_fit.fit_mean_face(values, "ibug68").size_px[2]
    assert "point 30, " in said(values)["a point far off"].what


def test_labels_of_another_item_are_named_and_frames_of_one_video_are_not():
    values = faces()
    values[6] = values[1]
    fault = said(values)["labels of another face"]
    assert "first test/00002 (test.csv:3), test/00007 (test.csv:8)" in fault.what
    assert said(values, clusters=np.array(["video"] * 8)) == {}


# --- boxes ----------------------------------------------------------------------------------------


def box_faults(boxes, values):
    found = label_checks.find_box_faults(index_of(values, boxes={"bbox": boxes}), ("bbox",))
    return {fault.check: fault.what for fault in found}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda b: np.c_[b[:, :2], b[:, :2] + b[:, 2:]], "corners x0 y0 x1 y1"),
        (lambda b: np.c_[b[:, :2], b[:, 2:] - b[:, :2]], "x y width height"),
        (lambda b: b + np.tile((b[:, 2:] - b[:, :2]) / 2, 2), "centres"),
        (lambda b: b[:, [1, 0, 3, 2]], "y before x"),
    ],
)
def test_boxes_in_another_convention_are_named_with_it(spoil, words):
    values = faces() * [1, 0.5]  # so that x and y cannot be taken for each other
    values[..., 1] -= 40
    found = box_faults(spoil(tight_box(values)), values)
    assert words in found["boxes read otherwise"]
    assert "test/00001 (test.csv:2)" in found["boxes read otherwise"]


def test_a_box_beside_its_face_is_named_and_a_loose_one_is_not():
    values = faces()
    boxes = tight_box(values)
    assert box_faults(boxes + np.array([-20, -30, 20, 10]), values) == {}
    boxes[4] += 300
    found = box_faults(boxes, values)
    assert found["boxes beside the face"].startswith("bbox: 1 of 8 boxes lie beside their face")
    assert "test/00005" in found["boxes beside the face"]


# --- gaze -----------------------------------------------------------------------------------------


def gaze(count=200, seed=0):
    """Pitch and yaw (N, 2) rad of gaze and head: both turn the same way."""
    rng = np.random.default_rng(seed)
    head = rng.normal(0, [0.15, 0.3], (count, 2))
    return head * 0.8 + rng.normal([-0.15, 0], 0.1, (count, 2)), head


def gaze_said(angles, head=None, change=lambda v: v):
    count = len(angles)
    meta = {} if head is None else {"head_pose": head}
    people = np.array([f"p{row % 5}" for row in range(count)])
    return said(change(angles_to_vectors(angles)), "", meta=meta, clusters=people)


def test_good_directions_are_left_in_peace():
    assert gaze_said(*gaze()) == {}


def test_directions_of_another_length_are_refused():
    fault = gaze_said(gaze()[0], change=lambda v: v * 2)["directions of gaze"]
    assert fault.refused
    assert "of length 2" in fault.what


def test_directions_away_from_the_camera_and_tiny_angles_are_named():
    away = gaze_said(gaze()[0], change=lambda v: -v)["directions of gaze"]
    assert "the sign of gaze looks turned" in away.what
    small = gaze_said(np.radians(gaze()[0]))["directions of gaze"]  # radians taken for degrees
    assert "radians that were taken for degrees" in small.what


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda a: a[:, ::-1], "look exchanged"),
        (lambda a: a * [1, -1], "the sign of one yaw"),
        (lambda a: a * [-1, 1], "the sign of one pitch"),
    ],
)
def test_gaze_against_the_heads_pose_is_named(spoil, words):
    angles, head = gaze()
    assert words in gaze_said(spoil(angles), head)["pitch and yaw"].what


@pytest.mark.parametrize(
    ("scale", "words", "refused"),
    [(50.0, "millimetres or pixels", True), (0.01, "metres, shares of the screen", False)],
)
def test_places_on_a_screen_in_another_unit_are_named(scale, words, refused):
    places = np.random.default_rng(0).uniform([-5, -12], [5, -1], (100, 2))
    assert said(places, "") == {}
    fault = said(places * scale, "")["places on a screen"]
    assert words in fault.what
    assert fault.refused is refused


# --- who asks -------------------------------------------------------------------------------------


def write_card(root):
    (root / "mine.toml").write_text(CARD)
    return protocol_card.load_protocol(str(root / "mine.toml"))


def test_a_run_refuses_placeholders_of_training_and_a_score_only_those_it_uses(tmp_path):
    """Trap: a training face must not keep anybody from scoring a file."""
    values = faces()
    values[0] = 0
    index = index_of(values, parts=np.array(["train"] * 5 + ["test"] * 3))
    card = write_card(tmp_path)
    with pytest.raises(DataError, match=r"mine: 1 of 8 items have placeholders.*test/00001"):
        label_checks.warn_of_faults(card, index)
    assert label_checks.warn_of_faults(card, index, training=False) == []


def test_a_run_warns_of_what_may_be_meant_and_of_its_boxes(tmp_path):
    values = faces()
    values[7] = values[7, ::-1]
    boxes = tight_box(values)
    boxes[6] -= 1000
    index = index_of(values, parts=np.array(["train"] * 5 + ["test"] * 3), boxes={"bbox": boxes})
    warnings = label_checks.warn_of_faults(write_card(tmp_path), index)
    assert len(warnings) == 2
    assert "test/00008 (test.csv:9)" in warnings[0]
    assert "test/00007 (test.csv:8)" in warnings[1]


def test_every_fault_is_a_row_of_the_table_of_checks():
    names = {check.name for check in label_checks.CHECKS}
    values = faces()
    values[0] = 0
    values[1] = values[1, ::-1]
    assert set(said(values)) <= names
    assert {"placeholder", "no face of the layout"} <= names


# --- no false alarm -------------------------------------------------------------------------------


def rendered_sets():
    """The twins; rendering takes a minute for all, so most are left to the slow tests."""
    for name in datasets.DATASETS:
        quick = name in ("synth-aflw", "synth-mpiigaze", "synth-wflw")
        if name.startswith("synth-"):
            yield pytest.param(name, marks=[] if quick else [pytest.mark.slow])


@pytest.mark.parametrize("name", list(rendered_sets()))
def test_no_synthetic_twin_raises_an_alarm(name):
    index = datasets.open_dataset(name).tiny()
    layout = verify._layout_of(index, [])
    assert label_checks.find_faults(index, layout) == []
    assert label_checks.find_box_faults(index, tuple(index.boxes)) == []


@pytest.mark.data
@pytest.mark.parametrize("name", ["300w", "ytf68", "gazecapture", "mpiigaze-small"])
def test_no_real_set_raises_an_alarm(data_root, name):
    index = datasets.open_dataset(name).index(data_root, pixels=False)
    layout = verify._layout_of(index, [])
    assert label_checks.find_faults(index, layout) == []
    assert label_checks.find_box_faults(index, tuple(index.boxes)) == []
