"""Labels and boxes of something else are named, and good ones raise no alarm."""

import time
from dataclasses import replace

import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets import (
    box_checks,
    check_table,
    face_checks,
    label_checks,
    shape_fit,
    verify,
)
from benchbox.errors import CheckError, DataError
from benchbox.geometry import angles_to_vectors, tight_box
from benchbox.layouts import LAYOUTS, find_map
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
    assert fault.final
    assert fault.what.startswith("1 of 8 items have placeholders where points belong")
    assert "test/00004 (test.csv:5)" in fault.what


def test_single_placeholders_are_found_among_good_points():
    values = faces()
    values[2, 5] = (0, 0)
    values[6, [8, 30, 60]] = (-1, -1)
    fault = said(values)["placeholder"]
    assert "2 of 8 items" in fault.what
    assert "test/00003 (test.csv:4), test/00007 (test.csv:8)" in fault.what
    marks = face_checks.placeholder_points(values, "ibug68")
    assert np.argwhere(marks).tolist() == [[2, 5], [6, 8], [6, 30], [6, 60]]


def test_a_placeholder_written_before_one_was_added_is_known():
    values = faces()
    values[1, 7] = (1.0, 1.0)  # 0 in the file's pixels, moved into a frame that counts from 1
    assert face_checks.placeholder_points(values, "ibug68", origin=1.0).sum() == 1


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
    assert said(values, "")["placeholder"].final
    assert said(faces()[:, :12], "") == {}


def test_points_in_0_to_1_are_no_pixels():
    values = faces() / 400
    fault = said(values)["shares of the picture"]
    assert fault.final
    assert "8 of 8 items have points between 0 and 1" in fault.what


def test_a_number_that_is_none_is_refused():
    values = faces()
    values[4, 2, 0] = np.nan
    assert said(values)["not a number"].final


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
    assert not fault.final
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
    fault = said(values)["points in another order, over a set"]
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
    assert said(values, clusters=np.array(["video"] * 8), cache_key=str) == {}


@pytest.mark.parametrize("cache_key", [None, lambda row: "one picture"])
def test_a_face_that_stands_twice_in_a_list_is_named(cache_key):
    """Trap: one face weighs seven times in the mean of a shipped set, and only verify sees it."""
    values = faces()
    values[6] = values[1]
    columns = {"clusters": np.array(["photo"] * 8), "cache_key": cache_key}
    fault = said(values, **columns)["a face listed twice"]
    assert fault.what.startswith("1 of 8 items repeat another one of the same cluster")
    assert "test/00002 (test.csv:3), test/00007 (test.csv:8)" in fault.what
    assert not fault.final
    parts = np.array(["test"] * 6 + ["train"] * 2)
    assert said(values, parts=parts, **columns) == {}


# --- boxes ----------------------------------------------------------------------------------------


def box_faults(boxes, values):
    found = box_checks.find_box_faults(index_of(values, boxes={"bbox": boxes}), ("bbox",))
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
    assert fault.final
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
    assert fault.final is refused


def test_shares_of_a_screen_are_named_whatever_their_spread():
    """Trap: they spread over 0.3, as centimetres on a small screen hardly do."""
    shares = np.random.default_rng(0).uniform(0, 1, (100, 2))
    assert "shares of the screen" in said(shares, "")["places on a screen"].what
    assert said(shares * [8, -12], "") == {}


def test_a_label_of_gaze_that_is_one_exact_number_among_others_is_named():
    places = np.random.default_rng(0).uniform([-5, -12], [5, -1], (60, 2))
    places[[7, 9]] = 0
    fault = said(places, "")["placeholder of gaze"]
    assert "2 of 60 items look at exactly (0, 0)" in fault.what
    assert "test/00008" in fault.what
    angles, _ = gaze(40)
    angles[5] = 0
    assert "1 of 40 items look straight on" in gaze_said(angles)["placeholder of gaze"].what
    grid = np.radians(np.random.default_rng(1).integers(-2, 3, (80, 2)) * 5.0)
    assert "placeholder of gaze" not in gaze_said(grid)  # targets of a grid repeat


def test_what_a_reader_finds_wrong_is_refused_by_name(tmp_path):
    index = index_of(
        faces(),
        parts=np.array(["train"] * 5 + ["test"] * 3),
        faults=("3 recordings have labels off their dots",),
    )
    card = write_card(tmp_path)
    with pytest.raises(CheckError, match=r"off their dots.*the dataset's own checks"):
        label_checks.refuse_faults(card, index)
    assert len(label_checks.refuse_faults(card, index, [label_checks.OWN_CHECKS])) == 1


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
    with pytest.raises(CheckError, match=r"mine: 1 of 8 items have placeholders.*test/00001"):
        label_checks.refuse_faults(card, index, {"placeholder"})
    assert label_checks.refuse_faults(card, index, training=False) == []


def test_a_run_refuses_what_verify_calls_wrong_unless_it_is_accepted_by_name(tmp_path):
    """Trap: a warning scrolls by, and the number is made all the same."""
    values = faces()
    values[7] = values[7, ::-1]
    boxes = tight_box(values)
    boxes[6] -= 1000
    index = index_of(values, parts=np.array(["train"] * 5 + ["test"] * 3), boxes={"bbox": boxes})
    card = write_card(tmp_path)
    accepted = ["no face of the layout"]
    with pytest.raises(CheckError, match=r'test/00008.*--accept "no face of the layout"'):
        label_checks.refuse_faults(card, index)
    with pytest.raises(CheckError, match=r"1 of 8 boxes lie beside.*test/00007"):
        label_checks.refuse_faults(card, index, accepted)
    notes = label_checks.refuse_faults(card, index, [*accepted, "boxes beside the face"])
    assert notes[0].startswith('accepted, "no face of the layout": 1 of 8 items are no face')
    assert len(notes) == 2
    with pytest.raises(DataError, match=r"no check is called 'turned'; there are .*turned labels"):
        check_table.require_known_checks(["turned"])


def test_boxes_that_a_card_moves_are_not_compared(tmp_path):
    values = faces()
    index = index_of(
        values,
        parts=np.array(["train"] * 5 + ["test"] * 3),
        boxes={"bbox": tight_box(values) + 1000},
    )
    card = replace(write_card(tmp_path), translation=0.5)
    assert label_checks.refuse_faults(card, index) == []


# --- order ----------------------------------------------------------------------------------------


SLIPS = {
    "every point 1 place on": lambda v: np.roll(v, 1, axis=1),
    "every point 1 place back": lambda v: np.roll(v, -1, axis=1),
    "every point 2 places on": lambda v: np.roll(v, 2, axis=1),
    "left and right exchanged": lambda v: v[:, list(LAYOUTS["ibug68"].flip)],
    "x and y exchanged": lambda v: v[..., ::-1],
    "all x before all y": lambda v: v.transpose(0, 2, 1).reshape(len(v), 68, 2),
}


@pytest.mark.parametrize("words", SLIPS)
def test_a_slipped_face_is_named_with_its_slip_whatever_its_residual(words):
    """Trap: one place on leaves as much as the worst good face of YTF-68 (0.48)."""
    values = faces(12)
    values[5:6] = SLIPS[words](values[5:6])
    found = said(values)
    assert len(found) == 1
    (fault,) = found.values()
    assert words in fault.what
    assert "test/00006 (test.csv:7)" in fault.what
    assert fault.check in ("points in another order", "no face of the layout")


def test_the_reading_that_fits_is_told_with_a_margin():
    """The second measure: what the slip undone leaves is far from what the face as it is leaves."""
    values = np.roll(faces(12), 1, axis=1)
    left = shape_fit.screen_shapes(values, "ibug68").residual
    undone = shape_fit.screen_shapes(np.roll(values, -1, axis=1), "ibug68").residual
    assert (undone / left).max() < shape_fit.BETTER_READING - 0.3
    turned = shape_fit.screen_shapes(np.roll(faces(12), 1, axis=1), "ibug68").residual
    good = shape_fit.screen_shapes(faces(12), "ibug68").residual
    assert (turned / good).min() > 1.5


@pytest.mark.parametrize(
    ("part", "order", "words"),
    [
        ("left_eye", lambda p: p[1:] + p[:1], "left eye are counted one place"),
        ("contour", lambda p: p[::-1], "contour"),
        ("mouth", lambda p: p[1:] + p[:1], "mouth are counted one place"),
        ("right_brow", lambda p: p[::-1], "right brow are counted from the other end"),
    ],
)
def test_a_part_in_another_order_in_every_face_is_named(part, order, words):
    points = list(LAYOUTS["ibug68"].parts[part])
    values = faces(6)
    values[:, points] = values[:, order(points)]
    text = " ".join(fault.what for fault in said(values).values())
    assert words in text or "are they in the layout's order" in text


def test_left_and_right_eyes_exchanged_in_one_face_are_named():
    values = faces(9)
    eyes = [*LAYOUTS["ibug68"].parts["left_eye"], *LAYOUTS["ibug68"].parts["right_eye"]]
    values[4, eyes] = values[4, [LAYOUTS["ibug68"].flip[point] for point in eyes]]
    (fault,) = said(values).values()
    assert "left and right eye exchanged" in fault.what
    assert "test/00005" in fault.what


def in_lapa106(values):
    """106 points whose 68 of the usual map are the faces', the others in the middle of them."""
    chosen = find_map("106to68-direct")
    points = np.repeat(values.mean(axis=1, keepdims=True), 106, axis=1)
    for point, terms in enumerate(chosen.x):
        points[:, terms[0][0]] = values[:, point]
    return points + np.random.default_rng(3).normal(0, 0.5, points.shape)


def test_a_layout_without_a_mean_face_is_compared_by_the_points_that_map_to_one():
    values = in_lapa106(faces(9))
    assert said(values, "lapa106") == {}
    values[2] = values[2, :, ::-1]
    fault = said(values, "lapa106")["no face of the layout"]
    assert "x and y exchanged" in fault.what
    assert "test/00003" in fault.what
    text = face_checks.describe_gaps("lapa106", 106)
    assert text.startswith("lapa106: 68 of 106 points are compared")


def test_shapes_of_an_own_layout_are_compared_with_each_other():
    shapes = faces(10)[:, ::3]
    assert said(shapes, "") == {}
    shapes[6] = shapes[6, ::-1]
    fault = said(shapes, "")["no face of the layout"]
    assert "1 of 10 items are not of the shape of the others" in fault.what
    assert "test/00007" in fault.what
    assert "no mean face" in face_checks.describe_gaps("", 23)


def test_a_hundred_thousand_faces_are_cleared_by_the_cheap_look():
    values = np.repeat(faces(1000), 10, axis=0)
    values += np.random.default_rng(5).normal(0, 0.01, (len(values), 1, 2))
    index = index_of(values)
    start = time.process_time()
    assert label_checks.find_faults(index, "ibug68") == []
    assert time.process_time() - start < 1.0  # 0.4 s per 10,000 faces before


def test_the_least_coordinate_of_many_shapes_at_once_hides_none_at_the_border():
    """The trap: a face at the border in the middle of others that are far from it."""
    values = np.concatenate([faces(200) + 500, faces(1), faces(199, seed=1) + 500])
    values[200, 5] = [0, 0]
    assert set(said(values)) == {"placeholder"}
    screen = shape_fit.screen_shapes(values, "ibug68")
    lowest = values.min(axis=(1, 2))
    assert screen.least[200] == 0
    near = lowest <= shape_fit.NEAR_BORDER
    np.testing.assert_array_equal(screen.least <= shape_fit.NEAR_BORDER, near)
    assert (screen.least <= lowest).all()
    values[70, 3, 0] = np.nan
    least = shape_fit.screen_shapes(values, "ibug68").least
    assert np.flatnonzero(np.isnan(least)).tolist() == [70]


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
    assert box_checks.find_box_faults(index, tuple(index.boxes)) == []


@pytest.mark.data
@pytest.mark.parametrize("name", ["300w", "ytf68", "gazecapture", "mpiigaze-small"])
def test_no_real_set_raises_an_alarm(data_root, name):
    index = datasets.open_dataset(name).index(data_root, pixels=False)
    layout = verify._layout_of(index, [])
    assert label_checks.find_faults(index, layout) == []
    assert box_checks.find_box_faults(index, tuple(index.boxes)) == []
