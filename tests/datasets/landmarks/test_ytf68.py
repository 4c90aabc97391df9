"""ytf68: one CSV, pictures beside it, people held out by a fixed list."""

import cv2
import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets.landmarks import ytf68
from benchbox.errors import DataError

HELD_OUT = sorted(ytf68.held_out_people())
NAMES = [
    f"{HELD_OUT[0]}_00.jpg",
    f"{HELD_OUT[0]}_12.jpg",
    "Somebody_Else_00.jpg",
    "A_de_la_X_34.jpg",
]


def points(row):
    return np.random.default_rng(row).integers(5, 40, (68, 2)).astype(float)


def write(root, names=NAMES, change=lambda lines: lines, pictures=True):
    folder = root / "ytf68"
    (folder / "training").mkdir(parents=True)
    lines = ["," + ",".join(map(str, range(136)))]
    for row, name in enumerate(names):
        lines.append(name + "," + ",".join(map(str, points(row).ravel())))
        if pictures:
            # the original files are PNGs named .jpg
            rgba = np.full((45, 50, 4), 10 + row, np.uint8)
            (folder / "training" / name).write_bytes(cv2.imencode(".png", rgba)[1].tobytes())
    (folder / "training_frames_keypoints.csv").write_text("\n".join(change(lines)) + "\n")
    return root


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


def test_the_csv_becomes_columns(tmp_path):
    index = datasets.open_dataset("ytf68").index(write(tmp_path))
    assert index.ids.tolist() == [name.removesuffix(".jpg") for name in NAMES]
    assert index.origin == 0.0  # trap: 300-W counts from 1, these files from 0
    np.testing.assert_array_equal(index.values, [points(row) for row in range(4)])
    assert index.clusters.tolist() == [HELD_OUT[0], HELD_OUT[0], "Somebody_Else", "A_de_la_X"]
    assert index.parts.tolist() == ["test", "test", "train", "train"]
    low, high = points(1).min(axis=0), points(1).max(axis=0)
    assert index.boxes["ground_truth"][1].tolist() == [*low, *high]
    assert set(index.boxes) == {"ground_truth"}  # no detector box exists, and none is made up
    pixels = index.read(3)
    assert (pixels.shape, pixels[0, 0].tolist()) == ((45, 50, 3), [13, 13, 13])


def test_a_person_is_never_trained_and_tested_on(tmp_path):
    index = ytf68.index(write(tmp_path))
    train, test = (set(index.clusters[index.parts == part].tolist()) for part in ("train", "test"))
    assert not train & test


def test_the_list_of_people_is_the_one_its_rule_draws():
    assert len(HELD_OUT) == 47
    # The rule: first 47 by SHA-256 of "ytf68:" + name. Those drawn stay drawn among themselves.
    assert ytf68.draw_people(HELD_OUT) == HELD_OUT
    assert ytf68.draw_people(["b", "a", "c"], 2) == ["a", "b"]


def test_scoring_needs_no_picture_and_a_run_leaves_such_frames_out(tmp_path):
    write(tmp_path, pictures=False)
    assert len(ytf68.index(tmp_path, pixels=False).ids) == 4
    index = ytf68.index(tmp_path)
    assert len(index.ids) == 0
    assert "4 of 4 frames have no picture and are left out" in index.notes


def test_points_outside_their_picture_are_noted_and_kept(tmp_path):
    def move(lines):
        cells = lines[3].split(",")
        cells[1], cells[4] = "-3", "60"  # left of the picture, and below it
        return [*lines[:3], ",".join(cells), *lines[4:]]

    write(tmp_path, change=move)
    index = ytf68.index(tmp_path)
    assert (index.values[2, 0, 0], index.values[2, 1, 1]) == (-3, 60)
    assert "1 points lie left of or above their picture and are kept" in index.notes
    assert "2 points lie outside their picture and are kept" in levels(ytf68.verify(tmp_path), "ok")
    assert index.read(2).shape == (45, 50, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda lines: [lines[0], lines[1][:300], *lines[2:]],
            r"csv:2: \d+ columns, 137 are needed",
        ),
        (lambda lines: [lines[0][:-4], *lines[1:]], r"csv:1: 136 columns, 137 are needed"),
        (lambda lines: [], r"csv:1: (0|1) columns, 137 are needed"),
        (
            lambda lines: [*lines[:2], lines[2] + "5x", *lines[3:]],
            r"csv:3: .*is no number; a coordinate is a num",
        ),
        (
            lambda lines: [*lines[:2], lines[2].rpartition(",")[0] + ",nan"],
            r"csv:3: 'nan' is no coordinate",
        ),
        (
            lambda lines: [*lines[:2], lines[2].rpartition(",")[0] + ",1e9"],
            r"csv:3: '1e9' is no coordinate",
        ),
        (
            lambda lines: [*lines[:2], lines[2].rpartition(",")[0] + ","],
            r"csv:3: .*is no number",
        ),
        (lambda lines: [*lines, lines[4]], r"csv: 'A_de_la_X_34\.jpg' is there twice"),
        (
            lambda lines: [lines[0], "../" + lines[1]],
            r"csv:2: '\.\./.* is not a name 'Person_VC\.jpg'",
        ),
        (lambda lines: [lines[0], "/etc/" + lines[1]], r"csv:2: '/etc/.* is not a name"),
        (
            lambda lines: [lines[0], lines[1].replace("_00.jpg", "_0.jpg")],
            r"csv:2: .* is not a name",
        ),
        (lambda lines: [*lines[:2], "\0"], r"csv(:3)?: "),
    ],
)
def test_a_malformed_table_is_refused_by_line(tmp_path, change, message):
    write(tmp_path, change=change)
    with pytest.raises(DataError, match=message):
        ytf68.index(tmp_path)
    assert len(levels(ytf68.verify(tmp_path), "wrong")) == 1


def test_an_absent_folder_is_empty_and_verify_says_where_to_get_it(tmp_path):
    index = ytf68.index(tmp_path)
    assert index.values.shape == (0, 68, 2)
    assert index.boxes["ground_truth"].shape == (0, 4)
    assert any("training_frames_keypoints.csv" in note for note in index.notes)
    (finding,) = ytf68.verify(tmp_path)
    assert finding.level == "missing"
    assert "github.com/udacity" in finding.what


def test_verify_counts_frames_and_people_and_finds_doubles(tmp_path):
    write(tmp_path)
    folder = tmp_path / "ytf68/training"
    (folder / NAMES[2]).write_bytes((folder / NAMES[0]).read_bytes())
    findings = ytf68.verify(tmp_path)
    partial = levels(findings, "partial")
    assert "training_frames_keypoints.csv: 4 of 3462 frames" in partial
    assert "people: 3 of 347 people" in partial
    assert "held-out people: 1 of 47 people" in partial
    doubled = "1 pictures are in train and in test, byte for byte; first "
    doubled += f"Somebody_Else_00 = {HELD_OUT[0]}_00"
    assert levels(findings, "wrong") == [doubled]


def test_fractions_of_pixels_are_not_the_original(tmp_path):
    write(tmp_path, change=lambda lines: [lines[0], lines[1].rpartition(",")[0] + ",7.5"])
    assert "1 frames have fractions of pixels" in levels(ytf68.verify(tmp_path), "wrong")[-1]
    assert len(ytf68.index(tmp_path, pixels=False).faults) == 1  # a run refuses them, too


@pytest.mark.data
def test_the_samples_are_whole(data_root):
    index = ytf68.index(data_root)
    people = sorted(set(index.clusters.tolist()))
    assert (len(index.ids), len(people)) == (3462, 347)
    assert ytf68.draw_people(people) == HELD_OUT
    assert [int((index.parts == part).sum()) for part in ("train", "test")] == [2991, 471]
    findings = ytf68.verify(data_root)
    assert {finding.level for finding in findings} == {"ok"}
    assert "20 points lie outside their picture and are kept" in levels(findings, "ok")
