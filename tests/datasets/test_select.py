"""Rows by part and attribute, as cards name them."""

import numpy as np
import pytest

from benchbox.datasets import select
from benchbox.datasets.select import Selection
from benchbox.errors import DataError
from benchbox.types import Index

INDEX = Index(
    dataset="toy",
    ids=np.array(["a", "b", "c", "d"]),
    parts=np.array(["test", "test", "test", "train"]),
    values=np.zeros((4, 2)),
    boxes={},
    clusters=np.array(["A", "A", "B", "B"]),
    read=lambda row: np.zeros((1, 1, 3), np.uint8),
    attributes={
        "phone": np.array([True, True, False, True]),
        "dark": np.array([True, False, False, False]),
    },
)


@pytest.mark.parametrize(
    ("members", "rows"),
    [
        (["test"], [1, 1, 1, 0]),
        (["test & phone"], [1, 1, 0, 0]),
        (["test & phone & !dark"], [0, 1, 0, 0]),
        (["test&!phone", "train"], [0, 0, 1, 1]),
        (["nothing"], [0, 0, 0, 0]),
    ],
)
def test_members_choose_rows(members, rows):
    assert select.select_rows(INDEX, members).tolist() == [bool(row) for row in rows]


def test_an_attribute_that_the_dataset_lacks_is_no_empty_group():
    with pytest.raises(
        DataError, match="'test & tablet' asks for the attribute 'tablet', there are phone, dark"
    ):
        select.select_rows(INDEX, ["test & tablet"])


def test_a_member_is_parsed():
    assert select.parse_member("a/b & c & !d") == Selection("a/b", ("c",), ("d",))
    assert select.member_parts(["a & b", "a", "c & !d"]) == {"a", "c"}


@pytest.mark.parametrize("member", ["", " & a", "a & ", "!a", "a & b & b", "a & b & !b", "a & !"])
def test_a_broken_member_is_refused(member):
    with pytest.raises(ValueError):  # noqa: PT011 - the card's reader says which key it was
        select.parse_member(member)
