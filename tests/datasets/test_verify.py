"""The doctor: look-alikes across splits under another crop and grading, boxes in a wrong order.

The fingerprint does not depend on the order of rows.
"""

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchbox import cli, datasets
from benchbox.datasets import split, verify
from benchbox.datasets.shape_fit import mean_face
from benchbox.errors import DataError
from benchbox.protocols import protocol_card
from benchbox.types import Finding

K = 68
CARD = """\
name = "mine"
title = "My faces"
dataset = "files"
layout = "ibug68"
source = {images = "mine", parts = {train = "mine/train.csv", test = "mine/test.csv"}}
train = {parts = ["train"], expected = 5}
test = {overall = "all", expected = 3, groups = {all = ["test"]}}
box = {source = "bbox", choices = ["bbox", "ground_truth"]}
score = {normalisers = ["inter_ocular"]}
"""


def face(seed):
    """A smooth random picture of 240 x 240 and a face's 68 points in its middle."""
    rng = np.random.default_rng(seed)
    grey = cv2.resize(
        rng.uniform(0, 255, (9, 9)).astype(np.float32), (240, 240), interpolation=cv2.INTER_CUBIC
    )
    middle = mean_face("ibug68")[:, :2]
    middle = 120 + 0.7 * (middle - (middle.min(axis=0) + middle.max(axis=0)) / 2)
    return np.clip(grey, 0, 255), middle + rng.normal(0, 1.5, (K, 2))


def world(root, turn=lambda box: box):
    """Five faces to train and three to test.

    The third tested one is the first trained one, cropped and darkened.
    """
    rows = {"train": [], "test": []}
    for part, seeds in (("train", range(5)), ("test", (10, 11, 0))):
        for number, seed in enumerate(seeds):
            grey, points = face(seed)
            if part == "test" and seed == 0:
                grey, points = 255 * (grey[40:220, 50:230] / 255) ** 1.6, points - [50, 40]
                grey, points = cv2.resize(grey, None, fx=0.8, fy=0.8), (points + 0.5) * 0.8 - 0.5
            path = root / "mine" / f"{part}{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), grey.astype(np.uint8))
            box = turn([*points.min(axis=0), *points.max(axis=0)])
            rows[part].append([path.name, *points.ravel(), *box])
    header = [
        "image",
        *(f"{a}{k}" for k in range(K) for a in "xy"),
        "box_x0",
        "box_y0",
        "box_x1",
        "box_y1",
    ]
    for part, lines in rows.items():
        with (root / "mine" / f"{part}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *lines])
    (root / "mine.toml").write_text(CARD)
    return protocol_card.load_protocol(str(root / "mine.toml"))


def found(root, card):
    return list(
        verify.examine_dataset(card.dataset, datasets.open_protocol_dataset(card), root, [card])
    )


def said(findings, level):
    return [finding.what for finding in findings if finding.level == level]


def test_a_trained_face_is_known_again_in_the_test_under_another_crop_and_grading(tmp_path):
    """Trap: digests of files and hashes of whole pictures.

    They take a cropped copy for another photograph.
    """
    notes = said(found(tmp_path, world(tmp_path)), "note")
    (alike,) = [note for note in notes if "look alike" in note]
    assert alike.startswith("1 faces look alike in train and in test (perceptual hash)")
    assert alike.endswith(
        ": train/00001 = test/00003; look at them, and take those of one photograph out of the "
        "training set"
    )


def test_faces_of_different_people_do_not_look_alike(tmp_path):
    card = world(tmp_path)
    (tmp_path / "mine/test2.png").write_bytes((tmp_path / "mine/test1.png").read_bytes())
    findings = found(tmp_path, card)
    assert any(
        text.startswith("no face looks like one of the other set: 5 faces")
        for text in said(findings, "ok")
    )


def test_boxes_that_do_not_lie_about_their_points_are_wrong(tmp_path):
    findings = found(tmp_path, world(tmp_path, lambda box: [v + 400 for v in box]))
    assert any(
        text.startswith("bbox: 8 of 8 boxes lie beside their face (they share 0.00")
        for text in said(findings, "wrong")
    )


def test_the_fingerprint_knows_values_and_not_the_order_of_rows(tmp_path):
    index = datasets.open_protocol_dataset(world(tmp_path)).index(tmp_path)
    rows = np.random.default_rng(0).permutation(len(index.ids))
    shuffled = replace(
        index, ids=index.ids[rows], parts=index.parts[rows], values=index.values[rows]
    )
    assert verify.fingerprint_index(shuffled) == verify.fingerprint_index(index)
    moved = index.values.copy()
    moved[0, 0, 0] += 1e-6
    assert verify.fingerprint_index(replace(index, values=moved)) != verify.fingerprint_index(index)


def test_the_range_of_points_and_coinciding_eyes_are_said(tmp_path):
    card = world(tmp_path)
    lines = (tmp_path / "mine/test.csv").read_text().splitlines()
    cells = lines[1].split(",")
    # the outer corners of both eyes
    cells[1 + 2 * 45 : 3 + 2 * 45] = cells[1 + 2 * 36 : 3 + 2 * 36]
    (tmp_path / "mine/test.csv").write_text(
        "\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n"
    )
    findings = found(tmp_path, card)
    assert any(
        "1 faces have both eye corners in one place; first test/00001" in t
        for t in said(findings, "wrong")
    )
    assert any(text.startswith("points span x ") for text in said(findings, "note"))


def test_each_card_says_whether_it_runs_and_as_what(tmp_path):
    card = world(tmp_path)
    notes = said(found(tmp_path, card), "note")
    assert any(
        note.startswith("mine runs here, as 'complete', fingerprint sha256:") for note in notes
    )
    (tmp_path / "mine/test0.png").unlink()
    wrong = said(found(tmp_path, card), "wrong")
    assert "mine does not run here: mine needs 3 test items, this copy has 2 (test 2)" in wrong


def test_pictures_that_no_annotation_names_are_counted(tmp_path):
    card = world(tmp_path)
    (tmp_path / "mine/unlisted.png").write_bytes((tmp_path / "mine/test1.png").read_bytes())
    (tmp_path / "mine/._test1.png").write_bytes(b"")
    note = f"1 pictures are named by no annotation and passed over; first {tmp_path}/mine/unlisted"
    assert any(text.startswith(note) for text in said(found(tmp_path, card), "note"))


def test_label_files_and_folders_that_nobody_reads_are_counted(tmp_path):
    """Trap: a second export, or a folder of faces, lies beside and is passed over in silence."""
    card = world(tmp_path)
    (tmp_path / "mine/test_more.csv").write_bytes((tmp_path / "mine/test.csv").read_bytes())
    (tmp_path / "mine/._test.csv").write_bytes(b"")
    (tmp_path / "mine/later/deep").mkdir(parents=True)
    (tmp_path / "mine/later/deep/a.png").write_bytes(b"")
    (tmp_path / "mine/notes").mkdir()
    (tmp_path / "mine/notes/read.me").write_bytes(b"")
    notes = said(found(tmp_path, card), "note")
    (files,) = [note for note in notes if "lie beside those that labels are read from" in note]
    assert files.startswith("1 files")
    assert files.endswith("mine/test_more.csv")
    (folders,) = [note for note in notes if "folders hold pictures" in note]
    assert folders.startswith("1 folders")
    assert folders.endswith("mine/later")


def test_the_command_examines_files_of_a_tool_below_a_relative_root(tmp_path, monkeypatch):
    """Trap: labels below the root as given and pictures by their whole paths have no common one."""
    world(tmp_path)
    points = mean_face("ibug68")[:, :2] * 0.5 + 80
    for part in ("train", "test"):
        (tmp_path / f"mine/{part}").mkdir()
    lines = "".join(f"{x:.2f} {y:.2f}\n" for x, y in points)
    for row in range(5):
        pts = f"version: 1\nn_points: 68\n{{\n{lines}}}\n"
        (tmp_path / f"mine/train/train{row}.pts").write_text(pts)
        if row < 3:
            (tmp_path / f"mine/test/test{row}.pts").write_text(pts)
    text = (tmp_path / "mine.toml").read_text().replace(".csv", "")
    text = text.replace("source = {", 'source = {format = "pts", origin = 0, ')
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.main, ["data", "verify", "mine.toml", "--data", "."])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    assert "items have the labels of another one, number for number" in done.output


def test_a_picture_that_is_trained_and_tested_on_is_named(tmp_path):
    card = world(tmp_path)
    (tmp_path / "mine/test1.png").write_bytes((tmp_path / "mine/train3.png").read_bytes())
    notes = said(found(tmp_path, card), "note")
    assert (
        "mine: 1 pictures are in train and in test, byte for byte; first train/00004 = test/00002"
        in notes
    )


def test_a_deep_examination_reads_the_picture_of_every_row(tmp_path):
    card = world(tmp_path)
    dataset = datasets.open_protocol_dataset(card)
    findings = list(verify.examine_dataset("files", dataset, tmp_path, [card], deep=True))
    assert "the pictures of all 8 items were read" in said(findings, "ok")


def test_boxes_of_a_cards_own_file_are_compared_too(tmp_path):
    """Trap: only the boxes that the reader knows were looked at."""
    card = world(tmp_path)
    index = datasets.open_protocol_dataset(card).index(tmp_path)
    rows = ["id,x0,y0,x1,y1"]
    for name, box in zip(index.ids, index.boxes["bbox"] + 300, strict=True):
        rows.append(",".join([str(name), *map(str, box)]))
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes/mine.csv").write_text("\n".join(rows) + "\n")
    findings = found(tmp_path, replace(card, box="mine"))
    assert any(
        text.startswith("mine: mine: 8 of 8 boxes lie beside their face")
        for text in said(findings, "wrong")
    )


def test_without_the_extra_the_search_is_said_to_be_left_out(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagehash", None)
    notes = said(found(tmp_path, world(tmp_path)), "note")
    assert any("look-alikes were not searched" in note for note in notes)


def test_the_command_examines_a_cards_own_files_and_prints_json(tmp_path):
    world(tmp_path)
    arguments = ["data", "verify", str(tmp_path / "mine.toml"), "--data", str(tmp_path)]
    plain = CliRunner().invoke(cli.main, arguments)
    assert plain.exit_code == 0, plain.output
    assert "look alike in train and in test (perceptual hash)" in plain.output
    document = json.loads(CliRunner().invoke(cli.main, [*arguments, "--json"]).stdout)
    assert {entry["level"] for entry in document} == {"ok", "note"}


@pytest.mark.parametrize("command", ["verify", "where"])
def test_a_card_goes_by_its_name_as_for_other_commands(tmp_path, monkeypatch, command):
    """Trap: "no dataset is called 'mine'" and 40 names, though mine.toml lies here."""
    world(tmp_path)
    monkeypatch.chdir(tmp_path)
    by_name, by_path = (
        CliRunner().invoke(cli.main, ["data", command, name, "--data", str(tmp_path)])
        for name in ("mine", "mine.toml")
    )
    assert (by_name.exit_code, by_path.exit_code) == (0, 0), by_name.output
    assert by_name.stdout.replace("mine:", "mine.toml:") == by_path.stdout
    if command == "where":
        assert f"folder  {tmp_path}" in by_path.stdout
    # its name is what is asked for: its 3,837 faces would take two minutes to draw
    monkeypatch.setattr(verify, "examine_dataset", lambda *_, **__: iter(()))
    twin = CliRunner().invoke(cli.main, ["data", command, "synth-300w-full"])
    assert "no dataset is called" not in twin.stderr
    none = CliRunner().invoke(cli.main, ["data", command, "mein"])
    assert none.stderr.startswith("error: no dataset is called 'mein'")


def test_a_card_of_ones_own_runs_from_its_path(tmp_path):
    """Ten lines and a folder of pictures: everything from training to scores."""
    world(tmp_path)
    command = [
        sys.executable, "-m", "benchbox", "run",
        "--method", "mean-shape", "--protocol", str(tmp_path / "mine.toml"),
        "--data", str(tmp_path), "--results", str(tmp_path / "results"),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(next((tmp_path / "results/mine/mean-shape").rglob("run.json")).read_text())
    assert (record["protocol"], record["data"]["dataset"], record["data"]["train"]) == (
        "mine",
        "files",
        5,
    )
    listed = CliRunner().invoke(
        cli.main,
        [
            "data",
            "ids",
            "--protocol",
            str(tmp_path / "mine.toml"),
            "--of",
            "test",
            "--data",
            str(tmp_path),
        ],
    )
    assert listed.output.split() == ["test/00001", "test/00002", "test/00003"]


def test_a_card_without_training_faces_is_examined_all_the_same(tmp_path):
    """Trap: a copy that holds the test alone has nothing to compare with."""
    card = world(tmp_path)
    (tmp_path / "mine/train.csv").unlink()
    findings = found(tmp_path, card)
    assert not any("face" in text and "looks like" in text for text in said(findings, "ok"))
    assert any(
        text.startswith("mine does not run here: mine needs training faces")
        for text in said(findings, "wrong")
    )


@pytest.mark.data
@pytest.mark.parametrize("name", ["wflw", "300w", "cofw", "aflw"])
def test_published_json_samples_are_examined_through_a_card(data_root, tmp_path, name):
    if not (data_root / "coco-json-samples" / name).is_dir():
        pytest.skip("no coco-json-samples under the data root")
    layout = {"wflw": "wflw98", "300w": "ibug68", "cofw": "cofw29", "aflw": "aflw19"}[name]
    normaliser = "face_size" if name == "aflw" else "inter_ocular"
    text = CARD.replace("ibug68", layout).replace("inter_ocular", normaliser)
    text = text.replace('"mine/train.csv"', '"none.csv"').replace(
        '"mine/test.csv"', f'"coco-json-samples/{name}/test_{name}.json"'
    )
    text = text.replace('images = "mine"', f'images = "coco-json-samples/{name}"')
    (tmp_path / "mine.toml").write_text(text)
    findings = found(data_root, protocol_card.load_protocol(str(tmp_path / "mine.toml")))
    # the card asks for faces to train on, which the samples have not
    wrong = [text for text in said(findings, "wrong") if "does not run here" not in text]
    assert wrong == []
    assert f"{4 if name == 'wflw' else 2} pictures are whole and hold their points" in said(
        findings, "ok"
    )


@pytest.mark.data
def test_three_photographs_of_lfpw_are_in_both_official_splits(data_root):
    """Found by the doctor in the samples: same photographs under other numbers.

    They are cropped and graded differently.
    """
    module = datasets.open_dataset("300w")
    cards = [protocol_card.load_protocol("300w-common")]
    notes = said(list(verify.examine_dataset("300w", module, data_root, cards)), "note")
    (alike,) = [note for note in notes if "look alike" in note]
    for pair in (("0862", "0007"), ("0215", "0066"), ("0828", "0096")):
        assert f"lfpw/trainset/image_{pair[0]} = lfpw/testset/image_{pair[1]}" in alike
    assert alike.startswith("3 faces")


def test_a_set_with_losses_is_not_called_complete(tmp_path):
    """`data verify gazecapture` on one recording of 1,474 must be named partial.

    It once named all findings partial, and the variant complete.
    """
    card = world(tmp_path)
    whole = datasets.open_protocol_dataset(card)

    class Torn:
        ACCESS = whole.ACCESS
        index = staticmethod(whole.index)

        @staticmethod
        def verify(root):
            return [Finding("missing", "test: 3 of 500 faces")]

    for module, variant in ((whole, "complete"), (Torn, "partial")):
        notes = said(list(verify.examine_dataset(card.dataset, module, tmp_path, [])), "note")
        assert sum(note.endswith(f"variant: {variant}") for note in notes) == 1


def test_a_wrong_count_in_a_card_of_ones_own_says_what_to_correct(tmp_path):
    world(tmp_path)
    text = (tmp_path / "mine.toml").read_text()
    (tmp_path / "mine.toml").write_text(re.sub(r"(test = .*expected = )\d+", r"\g<1>500", text))
    card = protocol_card.load_protocol(str(tmp_path / "mine.toml"))
    with pytest.raises(
        DataError,
        match=r"needs 500 test items, this copy has \d+ .*; correct `expected` in the card",
    ):
        split.split_index(card, datasets.open_protocol_dataset(card).index(tmp_path))
