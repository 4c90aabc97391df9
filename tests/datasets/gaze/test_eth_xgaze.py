"""ETH-XGaze.

Labels of the training people alone, whole people held out, the official order of a submission.
"""

import json

import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets.gaze import eth_xgaze
from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors

from .gaze_folders import xgaze, xgaze_person


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


def test_training_people_become_columns(tmp_path):
    labels = xgaze(tmp_path)
    index = datasets.open_dataset("eth-xgaze").index(tmp_path)
    assert index.ids[[0, 5]].tolist() == ["subject0000/000000", "subject0003/000001"]
    assert index.clusters.tolist() == ["subject0000"] * 4 + ["subject0003"] * 4
    # (pitch, yaw) in the files as here
    both = np.concatenate([labels["subject0000"], labels["subject0003"]])
    np.testing.assert_allclose(index.values, angles_to_vectors(both), atol=1e-6)
    np.testing.assert_allclose(index.meta["head_pose"][0], [0.5, -0.25])
    assert index.meta["camera"].tolist() == [0, 1, 2, 3] * 2
    pixels = index.read(6)  # blue, green, red in the files
    assert (pixels.shape, pixels[0, 0].tolist()) == ((8, 8, 3), [5, 2, 1])
    assert index.boxes["patch"][0].tolist() == [-0.5, -0.5, 7.5, 7.5]


def test_the_ten_people_that_the_field_holds_out_are_a_part_of_their_own(tmp_path):
    xgaze(tmp_path)
    index = eth_xgaze.index(tmp_path)
    assert index.parts.tolist() == ["train"] * 4 + ["validation"] * 4
    assert len(set(eth_xgaze.VALIDATION_PEOPLE)) == 10


def test_withheld_people_are_no_data_and_a_submission_keeps_the_order_of_the_list(tmp_path):
    """The trap: the official list is not sorted, and a file of answers has no ids."""
    xgaze(tmp_path)
    assert not [
        name for name in eth_xgaze.index(tmp_path).ids if "test" in name or "0001" in name[:11]
    ]
    samples = eth_xgaze.list_test_samples(tmp_path)
    assert [sample.id for sample in samples][::4] == [
        "test/subject0020/000000",
        "test/subject0001/000000",
    ]
    assert samples[6].pixels()[0, 0].tolist() == [5, 2, 1]
    assert samples[0].box.tolist() == [-0.5, -0.5, 7.5, 7.5]
    (tmp_path / "eth-xgaze/xgaze_224/test/subject0001.h5").unlink()
    with pytest.raises(
        DataError, match=r"subject0001\.h5: is not there, and a test set has all of its 2 people"
    ):
        eth_xgaze.list_test_samples(tmp_path)


def test_official_labels_come_from_the_texts_beside_the_authors_code(tmp_path):
    """The trap.

    Rows count over the files in the order of the list, 0020 before 0001, and some pictures have
    none.
    """
    xgaze(tmp_path)
    beside = tmp_path / "eth-xgaze/reference_within"
    beside.mkdir()
    (beside / "index.txt").write_text("1\n3\n4\n")
    (beside / "within_test_labels.txt").write_text("1e-1,2.0e-1\n-0.3,0.4\n0.5,-0.6\n")
    index = eth_xgaze.index(tmp_path)
    test = index.parts == "test"
    assert index.ids[test].tolist() == [
        f"test/subject{name}" for name in ("0020/000001", "0020/000003", "0001/000000")
    ]
    expected = angles_to_vectors(np.array([[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]]))
    np.testing.assert_allclose(index.values[test], expected)
    assert index.read(int(np.flatnonzero(test)[1]))[0, 0].tolist() == [6, 2, 1]
    assert not set(index.clusters[test].tolist()) & set(index.clusters[~test].tolist())
    assert set(index.ids[test].tolist()) <= {
        sample.id for sample in eth_xgaze.list_test_samples(tmp_path)
    }
    assert "3 labels of test people, from reference_within" in levels(
        eth_xgaze.verify(tmp_path), "ok"
    )


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        ("1\n3\n", "0,0\n", r"index\.txt: 2 rows for 1 labels"),
        (
            "1\n8\n",
            "0,0\n0,0\n",
            r"index\.txt: rows must be whole, each once and below the 8 test pictures",
        ),
        ("1\n1\n", "0,0\n0,0\n", r"each once"),
        ("1\n", "9,0\n", r"within_test_labels\.txt: row 0: pitch 9, yaw 0 are no radians"),
        ("1\n", "0,0,0\n", r"within_test_labels\.txt: 3 numbers a line, must be 2"),
        ("a\n", "0,0\n", r"index\.txt: .* must be 1 numbers a line"),
    ],
)
def test_official_labels_that_do_not_fit_are_refused(tmp_path, rows, labels, message):
    xgaze(tmp_path)
    beside = tmp_path / "eth-xgaze/reference_within"
    beside.mkdir()
    (beside / "index.txt").write_text(rows)
    (beside / "within_test_labels.txt").write_text(labels)
    with pytest.raises(DataError, match=message):
        eth_xgaze.index(tmp_path)


def test_rows_without_a_label_are_left_out_and_ids_keep_the_files_rows(tmp_path):
    xgaze(tmp_path)
    folder = tmp_path / "eth-xgaze/xgaze_224/train"
    xgaze_person(
        folder, "subject0000", labels=[[0.1, 0.1], [np.nan, np.nan], [0.2, 0.2], [0.3, 0.3]]
    )
    index = eth_xgaze.index(tmp_path)
    assert index.ids[:3].tolist() == [
        "subject0000/000000",
        "subject0000/000002",
        "subject0000/000003",
    ]
    assert index.read(1)[0, 0].tolist() == [5, 2, 1]
    assert "1 pictures have no label and are left out" in index.notes


def test_degrees_are_refused(tmp_path):
    xgaze(tmp_path)
    folder = tmp_path / "eth-xgaze/xgaze_224/train"
    xgaze_person(folder, "subject0000", labels=[[10, 20]] * 4)
    with pytest.raises(
        DataError, match=r"subject0000\.h5: face_gaze: row 0: pitch 10, yaw 20 are no radians"
    ):
        eth_xgaze.index(tmp_path)


def test_a_copy_is_counted_and_labelled_test_files_are_suspicious(tmp_path):
    xgaze(tmp_path)
    found = eth_xgaze.verify(tmp_path)
    partial = levels(found, "partial")
    assert "train_test_split.json: train: 2 of 80 people" in partial
    assert "test: 2 of 15 files" in partial
    assert "held out of train: 1 of 10 people" in partial
    assert "8 labels, pitch and yaw in radians" in levels(found, "ok")
    xgaze_person(tmp_path / "eth-xgaze/xgaze_224/test", "subject0001", labels=[[0, 0]] * 4)
    assert levels(eth_xgaze.verify(tmp_path), "wrong") == [
        "1 test files carry labels, which the release withholds"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("test"), r"train_test_split\.json: has no list 'test'"),
        (
            lambda s: s["train"].append("../x.h5"),
            r"train: '\.\./x\.h5' is no name like subject0000\.h5",
        ),
        (
            lambda s: s["test"].append("subject0000.h5"),
            r"a person is listed twice; train and test must be apart",
        ),
    ],
)
def test_a_malformed_split_is_refused(tmp_path, change, message):
    xgaze(tmp_path)
    path = tmp_path / "eth-xgaze/xgaze_224/train_test_split.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        eth_xgaze.index(tmp_path)


def test_an_absent_folder_is_empty(tmp_path):
    index = eth_xgaze.index(tmp_path)
    assert (index.values.shape, index.meta["camera"].shape) == ((0, 3), (0,))
    (finding,) = eth_xgaze.verify(tmp_path)
    assert finding.level == "missing"
    assert "train_test_split.json; get ETH-XGaze at" in finding.what
