"""`.pts` files: the dialects that occur are read, everything else is refused with file and line."""

import numpy as np
import pytest

from benchbox.datasets.formats import pts
from benchbox.errors import DataError

POINTS = np.arange(136, dtype=float).reshape(68, 2) + 0.25


def text(points=POINTS, head="version: 1\nn_points: 68\n{\n", tail="}\n"):
    return head + "".join(f"{x:.6f} {y:.6f}\n" for x, y in points) + tail


@pytest.mark.parametrize(
    "content",
    [
        text(),
        text(head="version: 1.0\nn_points:  68\n{\n"),
        text(tail="}"),
        text(tail="}\n\n"),
        text().replace("\n", "\r\n"),
        text().replace("\n", " \n"),
        text().replace(" ", "\t"),
        text(head="\nversion: 1\n\nn_points: 68\n{\n\n"),
        "\ufeff" + text(),
    ],
    ids=[
        "plain",
        "1.0 and blanks",
        "no last newline",
        "empty end",
        "crlf",
        "trailing",
        "tabs",
        "empty lines",
        "bom",
    ],
)
def test_every_dialect_that_occurs_gives_the_same_points(tmp_path, content):
    path = tmp_path / "a.pts"
    path.write_bytes(content.encode())
    read = pts.read_pts(path)
    assert read.dtype == np.float64
    # The file's own numbers: nobody subtracts the 1 of MATLAB here (trap: origins removed twice).
    np.testing.assert_array_equal(read, POINTS)


def test_exponents_and_signs_are_numbers(tmp_path):
    path = tmp_path / "a.pts"
    path.write_text("version: 1\nn_points: 2\n{\n-3.5 +1e2\n.5 7.\n}\n")
    np.testing.assert_array_equal(pts.read_pts(path, count=2), [[-3.5, 100], [0.5, 7]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text(POINTS[:67]), r"a\.pts: the header says n_points: 68, but 67 points follow"),
        (text(POINTS[:67]).replace("68", "67", 1), r"a\.pts: has 67 points, 68 are needed"),
        (text(tail=""), r"a\.pts:71: the file ends without a closing brace; it is truncated"),
        (text()[:400], r"a\.pts:\d+: "),
        ("", r"a\.pts:0: the file ends before the opening brace"),
        ("version: 1\nn_points: 68\n", r"a\.pts:2: the file ends before the opening brace"),
        ("version: 1\n{\n}\n", r"a\.pts:2: the points begin before a line 'n_points: N'"),
        ("version: 2\nn_points: 68\n{\n}\n", r"a\.pts:1: 'version: 2' in place of"),
        (
            text().replace("2.250000 3.250000", "2.250000 left"),
            r"a\.pts:5: '2\.250000 left' is not two numbers",
        ),
        (
            text().replace("2.250000 3.250000", "2.250000 nan"),
            r"a\.pts:5: '2\.250000 nan' is not two numbers",
        ),
        (text().replace("2.250000 3.250000", "2.250000 inf"), r"a\.pts:5: .* is not two numbers"),
        (text().replace("2.250000 3.250000", "2.250000 1_0"), r"a\.pts:5: .* is not two numbers"),
        (
            text().replace("2.250000 3.250000", "2.250000 1e999"),
            r"a\.pts:5: .* is beyond all pictures",
        ),
        (
            text().replace("2.250000 3.250000", "2,250000 3,250000"),
            r"a\.pts:5: .* is not two numbers",
        ),
        (
            text().replace("2.250000 3.250000", "2.250000"),
            r"a\.pts:5: '2\.250000' is not two numbers",
        ),
        (text().replace("2.250000 3.250000", "1 2 3"), r"a\.pts:5: '1 2 3' is not two numbers"),
        (text() + text(), r"a\.pts:73: 'version: 1' after the closing brace"),
        ("\x00" * 70_000, r"a\.pts: 70000 bytes, more than 65536 bytes"),
    ],
)
def test_a_malformed_file_is_refused_by_file_and_line(tmp_path, content, message):
    path = tmp_path / "a.pts"
    path.write_bytes(content.encode())
    with pytest.raises(DataError, match=message):
        pts.read_pts(path)


def test_what_is_no_text_or_not_there_is_refused(tmp_path):
    path = tmp_path / "a.pts"
    path.write_bytes(b"version: 1\n\xff\xd8")
    with pytest.raises(DataError, match=r"a\.pts: is not a text file in UTF-8 \(byte 11\)"):
        pts.read_pts(path)
    with pytest.raises(DataError, match=r"b\.pts: cannot be read"):
        pts.read_pts(tmp_path / "b.pts")
    with pytest.raises(DataError, match=r"cannot be read"):
        pts.read_pts(tmp_path)
