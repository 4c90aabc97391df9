"""`1_5` is a slip, not fifteen, and digits of another script are none, whoever reads the file."""

from pathlib import Path

import pytest

from benchbox.datasets.formats import box_csv, delimited, marked_face, pts
from benchbox.datasets.landmarks import glsr_release, wflw, ytf68
from benchbox.errors import DataError, ResultError
from benchbox.runs import prediction_files
from benchbox.runs.prediction_formats import trackers

SLIPS = ["1_5", "\u0663"]  # the second is an Arabic three, which float() takes


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize(
    "read",
    [
        lambda cell: delimited.parse_number(cell, "a.csv:2"),
        lambda cell: marked_face.number(cell, "a.json"),
        lambda cell: box_csv._parse_box(["a", "0", "0", cell, "90"], "a.csv:2"),
        lambda cell: wflw._parse_numbers([cell], "list.txt:1"),
        lambda cell: ytf68._parse_numbers([cell], "a.csv:2"),
        lambda cell: glsr_release._parse_numbers(cell, 1, "a.txt:1"),
        lambda cell: trackers._frame_image({15: "a.png", 3: "b.png"}, cell, Path("a.csv")),
    ],
)
def test_a_slip_is_no_number(read, slip):
    with pytest.raises((DataError, ResultError)):
        read(slip)


@pytest.mark.parametrize("slip", SLIPS)
def test_nor_in_a_pts_file_or_a_csv_of_predictions(tmp_path, slip):
    file = tmp_path / "a.pts"
    file.write_text(f"version: 1\nn_points: 1\n{{\n{slip} 2\n}}\n", encoding="utf-8")
    with pytest.raises(DataError, match="is not two numbers"):
        pts.read_pts(file, 1)
    table = tmp_path / "p.csv"
    table.write_text(f"id,x0,y0\na,{slip},2\n", encoding="utf-8")
    with pytest.raises(ResultError, match=r"column x0: .* is no number"):
        prediction_files.read_rows(table)
