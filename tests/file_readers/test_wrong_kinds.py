"""Values of another kind than a format has: each ends in a value or in one line.

Bits that are turned seldom make a list of a number; whoever writes a file by a script does.
"""

import copy
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.datasets.formats.cvat import read_cvat
from benchbox.datasets.formats.datumaro import read_datumaro
from benchbox.datasets.formats.via import read_via
from benchbox.errors import BenchboxError, DataError, ResultError
from benchbox.runs import gaze_predictions
from benchbox.runs.prediction_formats import prediction_writers
from benchbox.runs.prediction_formats.arrays import read_parquet
from benchbox.runs.prediction_formats.found_face import NO_HINTS, Hints

ODD = (None, True, -1, 1e30, "", "x", [], [[]], [1], {}, {"a": [1]}, [None], [{"a": 1}])
DATUMARO = {
    "categories": {
        "label": {"labels": [{"name": "face"}, {"name": "eye"}]},
        "points": {"items": [{"label_id": 0, "labels": ["a", "b"]}]},
    },
    "items": [
        {
            "id": "a",
            "image": {"path": "a.jpg", "size": [90, 80]},
            "annotations": [
                {"type": "bbox", "bbox": [1, 1, 9, 9], "group": 1},
                {
                    "type": "points",
                    "label_id": 0,
                    "points": [1, 2, 3, 4],
                    "visibility": [2, 1],
                    "group": 1,
                },
            ],
        },
        {
            "id": "b",
            "annotations": [
                {
                    "type": "skeleton",
                    "label_id": 0,
                    "elements": [{"label_id": 1, "points": [1, 2]}],
                }
            ],
        },
    ],
}
VIA = {
    "a.jpg1": {
        "filename": "a.jpg",
        "regions": [
            {
                "shape_attributes": {"name": "point", "cx": 1, "cy": 2},
                "region_attributes": {"part": "left_eye"},
            },
            {
                "shape_attributes": {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4},
                "region_attributes": {},
            },
        ],
    }
}
NAMES = {"images": [{"id": 1, "file_name": "a.jpg"}]}


def read_names(path: Path) -> object:
    return prediction_writers._image_ids(None, path.parent, Hints(names=path))


def ending(read, file: Path) -> str:
    try:
        read(file)
    except BenchboxError:
        return "refused"
    return "read"


def changes(document):
    """Yield copies of a document, each with one value of another kind, or without it."""
    for path in list(places(document)):
        for odd in (*ODD, ...):
            changed = copy.deepcopy(document)
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            if odd is ...:
                del inner[path[-1]]
            else:
                inner[path[-1]] = odd
            yield changed


def places(document, path=()):
    pairs = enumerate(document) if isinstance(document, list) else document.items()
    for key, value in pairs:
        yield (*path, key)
        if isinstance(value, list | dict):
            yield from places(value, (*path, key))


@pytest.mark.parametrize(
    ("document", "read"),
    [(DATUMARO, read_datumaro), (VIA, read_via), (NAMES, read_names)],
    ids=["datumaro", "via", "names"],
)
def test_a_value_of_another_kind_is_a_value_or_one_line(tmp_path, document, read):
    """Traps: `.get` of a list, a list as the key of a table, an `image` that is a number."""
    file = tmp_path / "a.json"
    ended = {"read": 0, "refused": 0}
    for changed in changes(document):
        file.write_text(json.dumps(changed))
        ended[ending(read, file)] += 1
    assert min(ended.values()) > 0, ended


def test_a_node_that_its_skeleton_does_not_name_is_refused(tmp_path):
    """Trap: it passed the reader and ended in a KeyError where the points are numbered."""
    label = "<label><name>face</name></label><label><name>a</name><parent>face</parent></label>"
    node = '<points label="b" outside="0" occluded="0" points="1,2"/>'
    file = tmp_path / "a.xml"
    file.write_text(
        f"<annotations><meta><task><labels>{label}</labels></task></meta>"
        f'<image id="0" name="a.jpg" width="9" height="9"><skeleton label="face">{node}</skeleton>'
        "</image></annotations>"
    )
    with pytest.raises(DataError, match=r"a\.xml.*the point 'b' is none of the 1"):
        read_cvat(file)


def columns_of_parquet(pyarrow):
    return {
        "texts": pyarrow.array(["x", "y"]),
        "lists": pyarrow.array([[1.0], None]),
        "tables": pyarrow.array([{"a": 1}] * 2),
        "bytes": pyarrow.array([b"\xff"] * 2),
        "times": pyarrow.array([0, 0], pyarrow.timestamp("s")),
        "decimals": pyarrow.array([10, 20], pyarrow.decimal128(38)),
        "empty": pyarrow.array([None, None]),
        "nan": pyarrow.array([float("nan"), float("inf")]),
        "large": pyarrow.array([2**63, 1], pyarrow.uint64()),
        "truths": pyarrow.array([True, False]),
    }


@pytest.mark.parametrize("changed", ["id", "x0", "y0", "image", "face", "point", "x", "y"])
def test_a_column_of_another_kind_is_refused(tmp_path, changed):
    """Traps: texts as numbers, NaN as a point's number, an empty id as 'None'."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    wide = {"id": ["a", "b"], "x0": [1.0, 2.0], "y0": [3.0, 4.0]}
    long = {"image": ["a", "b"], "face": [0, 0], "point": [0, 0], "x": [1.0, 2], "y": [3.0, 4]}
    whole = wide if changed in wide else long
    file = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table(whole), file)
    assert len(read_parquet(file, NO_HINTS).faces) == 2
    number = {"nan", "large", "empty"} if changed in ("x0", "y0", "x", "y") else set()
    for name, column in columns_of_parquet(pyarrow).items():
        is_text = name == "texts" and changed in ("id", "image", "face")
        is_whole = name == "large" and changed in ("id", "image", "face")
        parquet.write_table(pyarrow.table({**whole, changed: column}), file)
        if name in number or is_text or is_whole:
            read_parquet(file, NO_HINTS)
            continue
        with pytest.raises(ResultError, match=r"^a\.parquet: .*"):
            read_parquet(file, NO_HINTS)


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    column = pyarrow.array([1.0])
    names = ["id", "x0", "x0", "y0"]
    file = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table([pyarrow.array(["a"]), column, column, column], names), file)
    with pytest.raises(ResultError, match="'x0' is there twice"):
        read_parquet(file, NO_HINTS)
    with pytest.raises(ResultError, match="'x0' is there twice"):
        gaze_predictions.read_gaze_table(file)


def test_half_a_pair_of_columns_is_refused(tmp_path):
    """Trap: with one of x and y lacking, the last point was dropped without a word."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"id": ["a"], "x0": [1.0], "y0": [2.0], "x1": [3.0]}), file)
    with pytest.raises(ResultError, match="the column y1 lacks, of 2 points"):
        read_parquet(file, NO_HINTS)


def test_names_in_files_give_a_terminal_no_orders(world):
    """Trap: an id of a stranger's file cleared the screen, or turned the message round."""
    file = world.results.parent / "p.csv"
    rows = [f"\x1b[2J\u202e{name}," + ",".join(["1"] * 136) for name in world.tested]
    header = "id," + ",".join(f"x{k},y{k}" for k in range(68))
    file.write_text("\n".join([header, *rows]))
    words = ["score", str(file), "--protocol", "tiny", "--method", "m", "--data", str(world.data)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2, done.output
    assert r"\x1b[2J\u202e" in done.stderr
    assert not {"\x1b", "\u202e"} & set(done.output)
