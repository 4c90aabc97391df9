"""Numbers that no label and no box can be are refused before they become a score."""

from dataclasses import replace

import numpy as np
import pytest

from benchbox.datasets import label_bounds
from benchbox.errors import DataError
from benchbox.types import Index

IDS = np.array(["a", "b"])


def index(values, boxes=None) -> Index:
    found = {} if boxes is None else {"face": np.asarray(boxes, float)}
    parts = np.array(["test", "test"])
    return Index("demo", IDS, parts, np.asarray(values, float), found, IDS, read=str)


POINTS = np.ones((2, 5, 2))
BOX = [[0.0, 0, 9, 9], [1.0, 1, 5, 5]]


def changed(array, place, value) -> np.ndarray:
    found = np.array(array, float)
    found[place] = value
    return found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (index(changed(POINTS, (1, 0, 0), 1e30)), "demo: b: a point beyond 1e"),
        (index(changed(POINTS, (1, 0, 0), np.inf)), "demo: b: a point beyond 1e"),
        (index(POINTS, changed(BOX, (1, 2), 1.0)), "demo: b: a face box that is none"),
        (index(POINTS, changed(BOX, (1, 2), np.nan)), "demo: b: a face box that is none"),
        (index(POINTS, changed(BOX, (1, 3), 1e9)), "demo: b: a face box that is none"),
        (index([[1.0, 2.0], [1e5, 0]]), "demo: b: a gaze beyond 10000 cm"),
        (index([[0.0, 0, 1], [0, 0, 1e200]]), "demo: b: a direction that is no vector"),
        (index([[0.0, 0, 1], [0, 0, 0]]), "demo: b: a direction that is no vector"),
    ],
)
def test_what_is_no_measure_of_anything_is_refused_by_its_item(wrong, said):
    with pytest.raises(DataError, match=said):
        label_bounds.check_numbers(wrong)


def test_absent_labels_and_boxes_are_none_of_it():
    absent = index(changed(POINTS, (1, 0), np.nan), changed(BOX, 1, np.nan))
    label_bounds.check_numbers(absent)
    label_bounds.check_numbers(replace(absent, scale_boxes=np.array(BOX)))
    label_bounds.check_numbers(index([[np.nan, np.nan], [1.0, -2.0]]))


def test_the_place_of_the_label_is_named():
    wrong = replace(index(changed(POINTS, 1, 2e6)), label_place=lambda row: f"own.csv:{row + 2}")
    with pytest.raises(DataError, match=r"own\.csv:3: b: a point beyond"):
        label_bounds.check_numbers(wrong)
