"""External predictions are read with suspicion, and written so that equal values compare."""

import pickle
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchbox.errors import ResultError
from benchbox.runs import prediction_files
from benchbox.types import Predictions, Truth

IDS = np.array(["a/1", "a/2", "b/1"])
VALUES = np.arange(12, dtype=np.float64).reshape(3, 2, 2)


@pytest.fixture
def truth() -> Truth:
    return Truth(
        ids=IDS, values=np.zeros((3, 2, 2)), groups={"all": np.ones(3, bool)}, clusters=IDS
    )


def npz(folder: Path, **columns: np.ndarray) -> Path:
    np.savez(folder / "p.npz", **({"ids": IDS, "values": VALUES} | columns))
    return folder / "p.npz"


def text(folder: Path, *lines: str) -> Path:
    (folder / "p.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "p.csv"


def test_rows_are_put_into_the_order_of_the_truth(tmp_path, truth):
    order = [2, 0, 1]
    found = prediction_files.read_predictions(
        npz(tmp_path, ids=IDS[order], values=VALUES[order].astype(np.float32)), truth
    )
    assert found.ids.tolist() == IDS.tolist()
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.values.dtype == np.float64
    assert not found.failed.any()


def test_a_blank_in_an_official_name_may_be_left_out(tmp_path):
    """The one iBUG name with a blank, `image_092 _01`: most published files spell it without."""
    ids = np.array(["ibug/image_092 _01", "ibug/image_1"])
    truth = Truth(ids=ids, values=np.zeros((2, 2, 2)), groups={}, clusters=ids)
    file = npz(tmp_path, ids=np.array(["ibug/image_1", "ibug/image_092_01"]), values=VALUES[:2])
    found = prediction_files.read_predictions(file, truth)
    np.testing.assert_array_equal(found.values, VALUES[[1, 0]])
    assert found.ids.tolist() == ids.tolist()


def test_an_all_nan_row_and_a_flagged_row_have_failed(tmp_path, truth):
    values = VALUES.copy()
    values[1] = np.nan
    values[2, 0, 0] = np.inf  # flagged, so what it holds does not count
    found = prediction_files.read_predictions(
        npz(tmp_path, values=values, failed=np.array([0, 0, 1])), truth
    )
    assert found.failed.tolist() == [False, True, True]
    assert np.isnan(found.values[1:]).all()


def test_csv_is_read_as_points_and_as_plain_columns(tmp_path, truth):
    file = text(tmp_path, "id,x0,y0,x1,y1", "a/2,4,5,6,7", "a/1,0,1,2,3", "b/1,,,,")
    found = prediction_files.read_predictions(file, truth)
    np.testing.assert_array_equal(found.values[:2], VALUES[:2])
    assert found.failed.tolist() == [False, False, True]
    gaze = Truth(ids=IDS, values=np.zeros((3, 2)), groups={}, clusters=IDS)
    flat = prediction_files.read_predictions(
        text(tmp_path, "id,x,y", "a/1,0.5,1", "a/2,2,3", "b/1,4,5"), gaze
    )
    np.testing.assert_array_equal(flat.values, [[0.5, 1], [2, 3], [4, 5]])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"ids": np.array(["a/1", "a/2", "a/2"])},
            r"1 row \(a/2\) is there more than once: keep one row per id",
        ),
        (
            {"ids": np.array(["a/1", "a/2", "c/9"])},
            r"1 row \(c/9\) is unknown to tiny: tiny has ids like a/1",
        ),
        ({"ids": IDS[:2], "values": VALUES[:2]}, r"1 row \(b/1\) is missing of the 3 of tiny"),
        ({"values": VALUES[:2]}, r"values have the shape \(2, 2, 2\), tiny wants \(3, 2, 2\)"),
        (
            {"values": VALUES.reshape(3, 4)},
            r"values have the shape \(3, 4\), tiny wants \(3, 2, 2\)",
        ),
        ({"values": np.where(VALUES == 5, np.nan, VALUES)}, r"1 row \(a/2\) is partly NaN"),
        ({"values": np.where(VALUES == 5, np.inf, VALUES)}, r"1 row \(a/2\) is infinite"),
        ({"values": VALUES.astype(complex)}, r"values must be real numbers, not complex128"),
        ({"values": VALUES.astype(str)}, r"values must be real numbers, not <U"),
        ({"ids": np.arange(3)}, r"ids must be a row of texts"),
        ({"failed": np.array([True])}, r"failed must hold 3 bools"),
        ({"failed": np.array([0, 1, 2])}, r"failed must hold 3 bools"),
        ({"ids": IDS.astype(object)}, r"array 'ids': holds pickled objects, which are refused"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(tmp_path, truth, columns, message):
    with pytest.raises(ResultError, match=r"p\.npz: .*" + message):
        prediction_files.read_predictions(npz(tmp_path, **columns), truth, protocol="tiny")


def test_a_failed_row_may_be_partly_nan_but_an_answered_one_may_not(tmp_path, truth):
    values = VALUES.copy()
    values[0, 0, 0] = np.nan
    assert prediction_files.read_predictions(
        npz(tmp_path, values=values, failed=IDS == "a/1"), truth
    ).failed.tolist() == [
        True,
        False,
        False,
    ]
    with pytest.raises(ResultError, match="partly NaN"):
        prediction_files.read_predictions(npz(tmp_path, values=values, failed=IDS == "a/2"), truth)


def test_many_ids_are_counted_and_a_few_named():
    ids = [f"x/{number}" for number in range(9)]
    truth = Truth(ids=np.array(ids), values=np.zeros((9, 1, 2)), groups={}, clusters=np.array(ids))
    with pytest.raises(
        ResultError, match=r"f: 9 rows \(y/0, y/1, y/2, …\) are unknown to P: try --protocol q$"
    ):
        prediction_files.match_to_truth(
            [f"y/{number}" for number in range(9)],
            np.zeros((9, 1, 2)),
            None,
            truth,
            where="f",
            protocol="P",
            suggest=lambda given: "try --protocol q" if "y/0" in given else "",
        )


def test_no_pickle_is_ever_opened(tmp_path, truth):
    """The trap: an object array, or a pickle renamed to .npz, runs code when it is loaded."""
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return (Path.touch, (ran,))

    (tmp_path / "p.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ResultError, match=r"is no whole \.npz file"):
        prediction_files.read_predictions(tmp_path / "p.npz", truth)
    with pytest.raises(ResultError, match="holds pickled objects"):
        prediction_files.read_predictions(
            npz(tmp_path, values=np.array([Trap()] * 3, dtype=object)), truth
        )
    assert not ran.exists()


def test_a_header_that_promises_more_than_the_file_holds_allocates_nothing(tmp_path, truth):
    file = npz(tmp_path)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, "
    header += b"'shape': (99999999999, 2, 2), }"
    members["values.npy"] = header.ljust(127) + b"\n" + b"0" * 64
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ResultError, match="array 'values': is shorter than its header says"):
        prediction_files.read_predictions(file, truth)


def test_damaged_and_foreign_files_are_named(tmp_path, truth):
    file = npz(tmp_path)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ResultError, match=r"p\.npz: is no whole \.npz file"):
        prediction_files.read_predictions(file, truth)
    with pytest.raises(ResultError, match="no such predictions file"):
        prediction_files.read_predictions(tmp_path / "absent.npz", truth)
    with pytest.raises(ResultError, match=r"an \.npz, a \.csv or \(COFW-68\) a \.txt file"):
        prediction_files.read_predictions(tmp_path / "p.pkl", truth)
    np.savez(tmp_path / "q.npz", ids=IDS)
    with pytest.raises(ResultError, match="has no array 'values'"):
        prediction_files.read_predictions(tmp_path / "q.npz", truth)
    with zipfile.ZipFile(tmp_path / "r.npz", "w") as archive:
        archive.writestr("ids.npy", "words")
        archive.writestr("values.npy", "words")
    with pytest.raises(ResultError, match=r"array 'ids': is no \.npy array"):
        prediction_files.read_predictions(tmp_path / "r.npz", truth)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["name,x0,y0", "a/1,1,2"], r"p\.csv line 1: the header must be id,x0,y0"),
        (["id,x0,y0,x2,y2", "a/1,1,2,3,4"], r"line 1: the header must be"),
        (["id,x0,y0,x1", "a/1,1,2,3"], r"line 1: the header must be"),
        (["id,yaw,pitch", "a/1,1,2"], r"line 1: the header must be .*id,pitch,yaw"),
        (
            ["id,pitch,yaw", "a/1,0.1,0.2", "a/2,0,0", "b/1,0,0"],
            r"have the shape \(3, 3\), .* wants \(3, 2, 2\)",
        ),
        (["id,x0,y0,x1,y1", "a/1,1,2,3"], r"p\.csv line 2: 4 cells, the header names 5"),
        (
            ["id,x0,y0,x1,y1", "a/1,1,2,3,4", "a/2,1,2,3,four"],
            r"p\.csv line 3: column y1: 'four' is no",
        ),
        (["id,x0,y0", 'a/1,"1'], r"not a CSV file"),
        (["", ""], r"line 1: the header must be"),
    ],
)
def test_a_wrong_csv_is_named_by_line(tmp_path, truth, lines, message):
    with pytest.raises(ResultError, match=message):
        prediction_files.read_predictions(text(tmp_path, *lines), truth)


GOOD_ROWS = ("a/1,0,1,2,3", "a/2,4,5,6,7", "b/1,8,9,10,11")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id;x0;y0;x1;y1\na/1;0;1;2;3\na/2;4;5;6;7\nb/1;8;9;10;11\n", ""),
        ("id\tx0\ty0\tx1\ty1\na/1\t0\t1\t2\t3\na/2\t4\t5\t6\t7\nb/1\t8\t9\t10\t11", ""),
        ("\ufeff" + "\r\n".join(["id,x0,y0,x1,y1", *GOOD_ROWS, "", " ", ",,,,", ""]), ""),
        ("id,x0,y0,x1,y1\n" + ",\n".join(GOOD_ROWS) + ",,\n", ""),
        (
            "id,x0,y0,x1,y1,confidence\n" + ",0.9\n".join(GOOD_ROWS) + ",\n",
            "note: p.csv: columns that are not read: 'confidence'",
        ),
        (
            ",id,score,x0,y0,v0,x1,y1\n0,a/1,9,0,1,1,2,3\n1,a/2,9,4,5,1,6,7\n2,b/1,9,8,9,1,10,11\n",
            "note: p.csv: columns that are not read: '', 'score', 'v0'",
        ),
    ],
    ids=["semicolons", "tabs", "mark and blank lines", "commas at the end", "extra", "pandas"],
)
def test_a_csv_as_peoples_tools_write_it_is_read(tmp_path, truth, content, said):
    (tmp_path / "p.csv").write_bytes(content.encode())
    notes: list[str] = []
    found = prediction_files.read_predictions(tmp_path / "p.csv", truth, say=notes.append)
    np.testing.assert_array_equal(found.values, VALUES)
    assert notes == [said] * bool(said)


def test_a_column_of_flags_is_read_as_flags(tmp_path, truth):
    """The trap: passed over, the coordinates of a lost face are scored."""
    lines = ("id,x0,y0,x1,y1,failed", "a/1,0,1,2,3,0", "a/2,4,5,6,7,True", "b/1,8,9,10,11,")
    found = prediction_files.read_predictions(text(tmp_path, *lines), truth)
    assert found.failed.tolist() == [False, True, False]
    with pytest.raises(ResultError, match="line 2: column failed: 'maybe' is neither 0 nor 1"):
        prediction_files.read_predictions(text(tmp_path, lines[0], "a/1,0,1,2,3,maybe"), truth)


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("id,x0,y0,x2,y2", "column 4 is 'x2' where 'x1' belongs"),
        ("id,conf,x0,y0,y1,x1", "column 5 is 'y1' where 'x1' belongs"),
        ("id,x0,y0,x1,confidence", "the last coordinate is 'x1', 'y1' is missing"),
        ("id,x_0,y_0", "no column is a coordinate, there are 'id,x_0,y_0'"),
        ("name,x0,y0", "0 columns are called id, there are 'name,x0,y0'"),
        ("id,id,x0,y0", "2 columns are called id"),
        ("id,x0,y0,failed,failed", "two columns are called failed"),
    ],
)
def test_a_header_at_fault_is_told_by_the_column(tmp_path, truth, header, fault):
    with pytest.raises(ResultError, match=r"p\.csv line 1: .*" + fault):
        prediction_files.read_predictions(text(tmp_path, header, "a/1,1,2,3,4"), truth)


def test_a_decimal_comma_is_told(tmp_path, truth):
    lines = ("id;x0;y0;x1;y1", "a/1;0;1,5;2;3")
    with pytest.raises(ResultError, match="line 2: column y0: '1,5' is no number; write a point"):
        prediction_files.read_predictions(text(tmp_path, *lines), truth)


def test_a_column_called_image_is_that_of_the_ids(tmp_path, truth):
    """Trap: "0 columns are called id", though gaze tables take `image`; `id` goes first."""
    rows = [f"{name},1,2,3,4" for name in truth.ids]
    file = text(tmp_path, "image,x0,y0,x1,y1", *rows)
    read = prediction_files.read_predictions(file, truth)
    assert read.values[0].tolist() == [[1, 2], [3, 4]]
    notes = []
    rows = [f"{name},{name},1,2,3,4" for name in truth.ids]
    file = text(tmp_path, "image,id,x0,y0,x1,y1", *rows)
    prediction_files.read_predictions(file, truth, say=notes.append)
    assert notes == ["note: p.csv: columns that are not read: 'image'"]


def test_blanks_between_columns_of_landmarks_are_named(tmp_path, truth):
    file = text(tmp_path, "image x0 y0 x1 y1", "a/1 1 2 3 4")
    with pytest.raises(ResultError) as fault:
        prediction_files.read_predictions(file, truth)
    words = "blanks separate nothing in a .csv: use commas, semicolons or tabs"
    assert str(fault.value).endswith(words)


def test_arrays_that_are_not_read_are_named(tmp_path, truth):
    notes: list[str] = []
    file = npz(tmp_path, confidence=np.ones(3))
    prediction_files.read_predictions(file, truth, say=notes.append)
    assert notes == ["note: p.npz: arrays that are not read: 'confidence'"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("test/00001.jpg", "test/00001 is there, which differs in the suffix"),
        (
            "Test/00001.JPG",
            "test/00001 is there, which differs in the suffix, upper and lower case",
        ),
        ("test\\00001", "test/00001 is there, which differs in slashes"),
        ("./test/1", "test/00001 is there, which differs in slashes, leading zeros"),
        ("00001.png", "test/00001 is there, which differs in the suffix, the folder"),
        ("test/Zoe", "the nearest to test/Zoe is test/zoé"),
        (
            "else",
            "P has ids like test/00001; `benchbox data ids --protocol P --of test` lists them$",
        ),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_an_id_that_is_nearly_right_is_told_with_the_right_one(tmp_path, given, said, suffix):
    ids = np.array(["test/00001", "test/zoé"])
    truth = Truth(ids, np.zeros((2, 2, 2)), {"all": np.ones(2, bool)}, ids)
    names = np.array([given, "test/zoé"])
    if suffix == ".csv":
        file = text(tmp_path, "id,x0,y0,x1,y1", *(f"{name},0,1,2,3" for name in names))
    else:
        file = npz(tmp_path, ids=names, values=VALUES[:2])
    with pytest.raises(ResultError, match=r"is unknown to P: .*" + said):
        prediction_files.read_predictions(file, truth, protocol="P")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_unicode_form_of_an_id_does_not_matter(tmp_path, form):
    """One file system in three writes é as two letters; both are the same text."""
    ids = np.array(["test/zoé", "test/anna"])
    truth = Truth(ids, np.zeros((2, 2, 2)), {"all": np.ones(2, bool)}, ids)
    names = np.array([unicodedata.normalize(form, key) for key in ids])
    found = prediction_files.read_predictions(
        npz(tmp_path, ids=names[::-1], values=VALUES[:2]), truth
    )
    assert found.ids.tolist() == ids.tolist()
    np.testing.assert_array_equal(found.values, VALUES[1::-1])


def test_equal_predictions_give_equal_bytes_and_read_back(tmp_path, truth):
    """The trap: np.savez puts times and library versions into the bytes."""
    values = VALUES + 0.1
    values[1] = np.nan
    made = Predictions(ids=IDS, values=values, failed=np.array([False, True, False]))
    prediction_files.write_predictions(tmp_path / "one.npz", made)
    prediction_files.write_predictions(
        tmp_path / "two.npz",
        Predictions(IDS.astype("<U40").astype("<U3"), values.copy(), made.failed),
    )
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = prediction_files.read_predictions(tmp_path / "one.npz", truth)
    np.testing.assert_allclose(found.values, values, rtol=1e-7)
    assert found.failed.tolist() == [False, True, False]
    with zipfile.ZipFile(tmp_path / "one.npz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    # nothing left beside
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "two.npz"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot be written"):
        prediction_files.write_predictions(
            tmp_path / "file" / "p.npz", Predictions(IDS, VALUES, np.zeros(3, bool))
        )


# --- the text format of the COFW-68 benchmark -----------------------------------------------------


def cofw_text(folder: Path, *lines: str) -> Path:
    (folder / "p.txt").write_text("\n".join(lines) + "\n")
    return folder / "p.txt"


@pytest.fixture
def cofw() -> Truth:
    ids = np.array(["test/0001", "test/0002"])
    return Truth(
        ids=ids, values=np.zeros((2, 3, 2)), groups={"all": np.ones(2, bool)}, clusters=ids
    )


def test_four_lines_per_face_in_any_order(tmp_path, cofw):
    file = cofw_text(
        tmp_path, "2 ", "1 2 3 ", "4 5 6 ", "0 1 0 ", "", "1", "7.5 8 9", "-1 0 1e1", "0 0 0"
    )
    found = prediction_files.read_predictions(file, cofw)
    assert found.values[1].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert found.values[0].tolist() == [[7.5, -1], [8, 0], [9, 10]]
    assert not found.failed.any()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("1", "1 2 3", "4 5 6"), r"p\.txt: 3 lines with text; .* four for each face"),
        (
            ("0", "1 2 3", "4 5 6", "0 0 0"),
            r"p\.txt line 1: '0' is not the number of a face, from 1",
        ),
        (("1", "1 2 3", "4 5", "0 0 0"), r"p\.txt lines 2, 3, 4: 3 x, 2 y and 3 flags"),
        (("1", "1 2 x", "4 5 6", "0 0 0"), r"p\.txt lines 2, 3: .*is no number"),
        (("1", "1 2 3", "4 5 6", "0 0 7"), r"p\.txt line 4: an occlusion flag is neither 0 nor 1"),
        (("1", "1 2 3", "4 5 6", "0 0 0", "2", "1", "1", "0"), r"faces have 1 and 3 points"),
        (("1", "1 2 3", "4 5 6", "0 0 0"), r"1 row \(test/0002\) is missing"),
        (("1", "1 2 3", "4 5 6", "0 0 0", "1", "1 2 3", "4 5 6", "0 0 0"), r"there more than once"),
    ],
)
def test_a_text_file_that_deviates_is_refused_by_line(tmp_path, cofw, lines, message):
    with pytest.raises(ResultError, match=message):
        prediction_files.read_predictions(cofw_text(tmp_path, *lines), cofw)


@pytest.fixture
def gaze() -> Truth:
    return Truth(
        ids=IDS,
        values=np.tile([0.0, 0.0, 1.0], (3, 1)),
        groups={"all": np.ones(3, bool)},
        clusters=IDS,
    )


def test_angles_become_vectors_one_axis_at_a_time(tmp_path, gaze):
    """The trap: swapped, both axes still look like angles.

    (cos p sin y, sin p, cos p cos y), pitch first.
    """
    expected = [[0, np.sin(0.3), np.cos(0.3)], [np.sin(0.3), 0, np.cos(0.3)], [np.nan] * 3]
    written = npz(tmp_path, values=np.array([[0.3, 0.0], [0.0, 0.3], [np.nan, np.nan]]))
    lines = ("id,pitch,yaw", "a/1,0.3,0", "a/2,0,0.3", "b/1,,")
    for file in (written, text(tmp_path, *lines)):
        found = prediction_files.read_predictions(file, gaze)
        np.testing.assert_allclose(found.values, expected)
        assert found.failed.tolist() == [False, False, True]
    vectors = prediction_files.read_predictions(
        text(tmp_path, "id,x,y,z", "a/1,0,0,2", "a/2,1,0,0", "b/1,,,"), gaze
    )
    np.testing.assert_array_equal(vectors.values[:2], [[0, 0, 2], [1, 0, 0]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [[0.3, 0.0], [17.0, -20.0], [0.0, 0.0]],
            r"1 row \(a/2\) is no \(pitch, yaw\) in radians: .*: degrees, or yaw, pitch\?",
        ),
        (  # 100° of pitch: refused in labels, it was taken in predictions
            [[0.3, 0.0], [1.75, 0.1], [0.0, 0.0]],
            r"1 row \(a/2\) is no \(pitch, yaw\) in radians: .*pitch lies within ±1.571",
        ),
        ([[0.3, 0.0], [np.nan, 0.1], [0.0, 0.0]], r"1 row \(a/2\) is partly NaN"),
        ([[0.3, 0.0], [0.1, np.nan], [0.0, 0.0]], r"1 row \(a/2\) is partly NaN"),
        ([[0.3, 0.0], [np.inf, 0.1], [0.0, 0.0]], r"1 row \(a/2\) is infinite"),
        (
            [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]],
            r"1 row \(a/2\) is a vector of length 0",
        ),
        ([[0.0], [0.0], [0.0]], r"have the shape \(3, 1\), tiny wants \(3, 3\)"),
    ],
)
def test_directions_that_are_none_are_named(tmp_path, gaze, values, message):
    with pytest.raises(ResultError, match=message):
        prediction_files.read_predictions(
            npz(tmp_path, values=np.array(values)), gaze, protocol="tiny"
        )


def test_points_on_a_screen_are_not_taken_for_angles(tmp_path, gaze):
    with pytest.raises(
        ResultError, match="x,y are no directions: tiny wants pitch,yaw in radians or x,y,z"
    ):
        prediction_files.read_predictions(
            text(tmp_path, "id,x,y", "a/1,0.3,0", "a/2,0,1", "b/1,0,0"), gaze, protocol="tiny"
        )
