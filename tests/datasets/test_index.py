"""Rows of an index taken and indexes joined: no column may be forgotten."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest

from benchbox.datasets.index import join_indexes, take_rows
from benchbox.errors import DataError
from benchbox.types import Index


def picture(row):
    return np.full((2, 2, 3), row, np.uint8)


def make(size=4, origin=1.0, **changes):
    rows = np.arange(size)
    columns = {
        "dataset": "demo",
        "ids": np.array([f"face/{row}" for row in rows]),
        "parts": np.array(["train"] * size, np.str_),
        "values": np.tile(rows[:, None, None], (1, 5, 2)).astype(float),
        "boxes": {"detector": np.tile(rows[:, None], (1, 4)).astype(float)},
        "clusters": np.array([f"photo/{row}" for row in rows]),
        "read": picture,
        "origin": origin,
        "visible": np.tile(rows[:, None] % 2 == 0, (1, 5)),
        "absent": np.tile(rows[:, None] % 3 == 0, (1, 5)),
        "images": np.array([f"{row}.jpg" for row in rows]),
        "attributes": {"frontal": rows % 2 == 0},
        "sequences": np.array([f"video/{row}" for row in rows]),
        "meta": {"orientation": rows},
        "scale_boxes": np.tile(rows[:, None], (1, 4)).astype(float),
        "notes": ("a note",),
        "faults": ("a fault",),
        "variant": "partial",
        "cache_key": str,
        "label_place": str,
    }
    return Index(**{**columns, **changes})


def test_every_column_of_the_taken_rows_is_of_these_rows():
    """Trap: a column that is added to `Index` and forgotten here keeps all of its rows."""
    taken = take_rows(make(), [2, 0])
    per_row = {"ids", "parts", "values", "clusters", "visible", "absent", "images"}
    per_row |= {"sequences", "scale_boxes"}
    for name in per_row:
        np.testing.assert_array_equal(getattr(taken, name), getattr(make(), name)[[2, 0]])
    for name in ("boxes", "attributes", "meta"):
        for key, column in getattr(taken, name).items():
            np.testing.assert_array_equal(column, getattr(make(), name)[key][[2, 0]])
    assert (taken.read(0)[0, 0, 0], taken.read(1)[0, 0, 0]) == (2, 0)
    assert (taken.cache_key(0), taken.cache_key(1)) == ("2", "0")
    assert (taken.label_place(0), taken.label_place(1)) == ("2", "0")
    assert (taken.origin, taken.notes, taken.variant) == (1.0, ("a note",), "partial")
    assert taken.faults == ("a fault",)
    known = per_row | {"boxes", "attributes", "meta", "read", "cache_key", "label_place"}
    whole = {"dataset", "origin", "notes", "faults", "variant"}
    whole |= {"gaze"}  # by id, of the whole set
    assert {field.name for field in fields(Index)} == known | whole


def test_taken_rows_travel_to_another_process():
    taken = pickle.loads(pickle.dumps(take_rows(make(), [3])))
    assert taken.read(0)[0, 0, 0] == 3


def test_no_row_is_an_index_too():
    assert len(take_rows(make(), []).ids) == 0


def test_joined_rows_come_into_the_first_ones_frame():
    joined = join_indexes(make(2), make(3, origin=0.0))
    np.testing.assert_array_equal(joined.values[:, 0, 0], [0, 1, 1, 2, 3])
    np.testing.assert_array_equal(joined.boxes["detector"][:, 0], [0, 1, 1, 2, 3])
    np.testing.assert_array_equal(joined.scale_boxes[:, 0], [0, 1, 1, 2, 3])
    assert [joined.read(row)[0, 0, 0] for row in range(5)] == [0, 1, 0, 1, 2]
    assert [joined.cache_key(row) for row in range(5)] == ["0", "1", "0", "1", "2"]
    assert joined.faults == ("a fault", "a fault")


def test_columns_that_one_of_them_lacks_are_filled():
    bare = make(
        2,
        visible=None,
        attributes={},
        sequences=None,
        meta={},
        scale_boxes=None,
        boxes={},
        cache_key=None,
    )
    joined = join_indexes(make(1), bare)
    assert joined.visible[1:].all()
    assert joined.attributes["frontal"].tolist() == [True, False, False]
    assert joined.sequences.tolist() == ["video/0", "", ""]
    assert np.isnan(joined.boxes["detector"][1:]).all()
    assert np.isnan(joined.scale_boxes[1:]).all()
    assert dict(joined.meta) == {}
    assert joined.cache_key is None


def test_other_points_are_joined_only_without_labels():
    other = make(2, values=np.zeros((2, 19, 2)))
    with pytest.raises(DataError, match="demo has other points than demo"):
        join_indexes(make(), other)
    joined = join_indexes(make(2), replace(other, values=np.full((2, 19, 2), np.nan)))
    assert joined.values.shape == (4, 5, 2)
    assert np.isnan(joined.values[2:]).all()


def test_gaze_has_no_frame_to_be_moved_to():
    first, second = make(2, values=np.ones((2, 3))), make(1, origin=0.0, values=np.ones((1, 3)))
    np.testing.assert_array_equal(join_indexes(first, second).values, np.ones((3, 3)))
