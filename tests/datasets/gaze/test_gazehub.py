"""GazeHub's label files, made up small: order, frames, heads turned round, other preparations."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli.main_group import main
from benchbox.datasets.gaze import gazehub
from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors, vectors_to_angles
from benchbox.metrics import gaze
from benchbox.protocols import protocol_card
from benchbox.report.inputs import results as stored
from benchbox.report.tables import rows
from benchbox.runs import gaze_constants

HEADER = {
    "mpiifacegaze-gazehub": "Face Left Right Origin WhichEye 3DGaze 3DHead 2DGaze 2DHead Rmat Smat "
    "GazeOrigin",
    "eyediap": "Face Left Right metapath 3DGaze 3DHead 2DGaze 2DHead Rvec Svec GazeOrigin",
    "gaze360-gazehub": "Face Left Right Origin 3DGaze 2DGaze",
}
SETS = {one.name: one for one in (gazehub.MPIIFACEGAZE, gazehub.EYEDIAP, gazehub.GAZE360)}
COUNT = 8


def random_house(seed, pitch_mean=0.0):
    random = np.random.default_rng(seed)
    pitch = random.normal(pitch_mean, 0.1, COUNT)
    return angles_to_vectors(np.stack([pitch, random.normal(0, 0.2, COUNT)], axis=1))


def text(numbers):
    return ",".join(map(repr, np.asarray(numbers, float).tolist()))


def field_of(one, name, house, head, row):
    """One field of a row, in the convention that the set writes it in."""
    pitch, yaw = vectors_to_angles(house[row : row + 1])[0]
    person = name.removesuffix(".label")
    turned = -head if one.head_turned else head
    head_pitch, head_yaw = vectors_to_angles(turned[row : row + 1])[0]
    origin = f"1_A_CS_S_{15 * row + 1}"
    if one.groups:
        origin = f"rec_02{row % 2}/head/000000/{row:06d}.jpg"
    return {
        "face": f"{person}/face/{row + 1}.jpg",
        "2dgaze": text([yaw, pitch]),
        "3dgaze": text(house[row] * np.array(one.vector_sides)),
        "2dhead": text([head_yaw, head_pitch]),
        "origin": origin,
        "metapath": origin,
    }


def write_set(root, one, house, head, header="", change=lambda line: line):
    """Write the label files of a set; every file holds the same rows."""
    names = (header or HEADER[one.name]).split()
    for file, _ in one.labels:
        lines = [" ".join(names)]
        for row in range(COUNT):
            fields = field_of(one, file, house, head, row)
            known = {"gaze2d": "2dgaze", "gaze3d": "3dgaze", "head2d": "2dhead"}
            cells = [fields.get(known.get(n.lower(), n.lower()), "0.0,0.0,0.0") for n in names]
            lines.append(change(" ".join(cells)))
        path = root / one.ACCESS.folder / "Label" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", SETS)
def test_labels_come_out_as_house_vectors(tmp_path, name):
    one, house = SETS[name], random_house(1)
    head = random_house(2)
    write_set(tmp_path, one, house, head)
    index = one.index(tmp_path, pixels=False)
    assert len(index.ids) == COUNT * len(one.labels)
    np.testing.assert_allclose(index.values[:COUNT], house, atol=1e-12)
    if not one.groups:
        np.testing.assert_allclose(
            angles_to_vectors(index.meta["head_pose"][:COUNT]), head, atol=1e-12
        )
        assert len(np.unique(index.clusters)) == len(one.labels)
    else:
        assert np.unique(index.clusters).tolist() == ["rec_020", "rec_021"]
        near = gaze.angular_error_deg(house, np.tile([0.0, 0.0, 1.0], (COUNT, 1))) <= 20
        assert index.attributes["front_20_camera"][:COUNT].tolist() == near.tolist()


@pytest.mark.parametrize("name", SETS)
def test_exchanged_or_turned_columns_are_refused(tmp_path, name):
    """Trap: yaw and pitch exchanged in the labels move a score by hundredths of a degree."""
    one, house = SETS[name], random_house(3)
    names = HEADER[name].lower().split()
    place = names.index("2dgaze")

    def exchange(line):
        fields = line.split()
        fields[place] = ",".join(reversed(fields[place].split(",")))
        return " ".join(fields)

    write_set(tmp_path, one, house, house, change=exchange)
    with pytest.raises(DataError, match=r"2DGaze and 3DGaze are .*exchanged or turned columns"):
        one.index(tmp_path, pixels=False)

    def in_degrees(line):
        fields = line.split()
        fields[place] = text(np.degrees([float(n) for n in fields[place].split(",")]))
        return " ".join(fields)

    write_set(tmp_path, one, house, house, change=in_degrees)
    with pytest.raises(DataError, match="radians"):
        one.index(tmp_path, pixels=False)


def test_a_copy_that_repeats_fields_under_other_names_is_read(tmp_path):
    house, head = random_house(4), random_house(5)
    header = "face gaze2d head2d origin gaze3d head3d"
    repeat = " p1/face/1.jpg p1/left/1.jpg 1_A_DS_S_1 0.1,0.2,0.3"
    write_set(tmp_path, gazehub.EYEDIAP, house, head, header, lambda line: line + repeat)
    index = gazehub.EYEDIAP.index(tmp_path, pixels=False)
    np.testing.assert_allclose(index.values[:COUNT], house, atol=1e-12)
    np.testing.assert_allclose(angles_to_vectors(index.meta["head_pose"][:COUNT]), head, atol=1e-12)


@pytest.mark.parametrize("session", ["1_B_DS_S", "1_A_FT_S", "day01/0003.jpg"])
def test_another_preparation_of_eyediap_is_refused(tmp_path, session):
    house = random_house(6)

    def change(line):
        return line.replace("1_A_CS_S", session, 1)

    write_set(tmp_path, gazehub.EYEDIAP, house, house, change=change)
    with pytest.raises(DataError, match=r"another preparation|is no session"):
        gazehub.EYEDIAP.index(tmp_path, pixels=False)


def test_pictures_of_another_size_are_another_preparation(tmp_path):
    house = random_house(7)
    write_set(tmp_path, gazehub.MPIIFACEGAZE, house, house)
    folder = tmp_path / "mpiifacegaze-gazehub" / "Image" / "p00" / "face"
    folder.mkdir(parents=True)
    for number, side in ((1, 224), (2, 448)):
        raw = cv2.imencode(".jpg", np.full((side, side, 3), 90, np.uint8))[1]
        (folder / f"{number}.jpg").write_bytes(raw.tobytes())
    index = gazehub.MPIIFACEGAZE.index(tmp_path)
    assert index.ids.tolist() == ["p00/face/1", "p00/face/2"]
    assert index.read(0).shape == (224, 224, 3)
    with pytest.raises(DataError, match="448 x 448 pixels large, GazeHub's faces are 224"):
        index.read(1)


def test_the_examination_counts_and_says_what_constants_leave(tmp_path):
    house = random_house(8, pitch_mean=0.22)
    write_set(tmp_path, gazehub.EYEDIAP, house, house)
    found = gazehub.EYEDIAP.verify(tmp_path)
    said = [finding.what for finding in found]
    assert f"faces: {14 * COUNT} of 16674 faces" in said
    assert any("people: 14 of 14" in line for line in said)
    assert any("without looking at eyes" in line for line in said)
    # gaze above the camera is no fault in EyeDiap
    assert not any("above the camera" in line for line in said)
    write_set(tmp_path, gazehub.MPIIFACEGAZE, house, house)
    said = [finding.what for finding in gazehub.MPIIFACEGAZE.verify(tmp_path)]
    assert any("gaze lies above the camera" in line for line in said)


# --- constants ------------------------------------------------------------------------------------


def test_the_mean_of_the_target_leaves_each_person_out():
    """The trap: a person's own labels in the mean, and a mean of angles near 180 degrees."""
    behind = angles_to_vectors(np.radians([[0.0, 179.0], [0.0, -179.0], [0.0, 170.0]]))
    people = np.array(["a", "b", "c"])
    others = np.degrees(vectors_to_angles(gaze_constants.mean_of_others(behind, people)))
    assert np.abs(others[2]).round(6).tolist() == [0.0, 180.0]
    assert others[0, 1] == pytest.approx(175.5)


CARD = """
name = "mine"
title = "Mine"
task = "gaze3d"
dataset = "files"
layout = ""
source.images = "p"
source.parts = {test = "labels.csv"}
source.gaze = {columns = ["pitch", "yaw"], positive = ["up", "left"], unit = "rad"}
train = {parts = [], expected = 0}
test = {overall = "all", expected = 8, groups = {all = ["test"]}}
box = {source = "picture"}
score = {normalisers = [], metrics = ["error_deg"], cluster = "person"}
"""


def test_constants_are_printed_and_the_one_that_knows_stands_apart(tmp_path):
    rows_of_file = ["image,person,pitch,yaw"]
    for row, (pitch, yaw) in enumerate(vectors_to_angles(random_house(9, 0.3)).tolist()):
        rows_of_file.append(f"{row}.jpg,{'ab'[row % 2]},{pitch!r},{yaw!r}")
    (tmp_path / "labels.csv").write_text("\n".join(rows_of_file))
    card = tmp_path / "mine.toml"
    card.write_text(CARD)
    command = ["data", "constants", str(card), "--data", str(tmp_path)]
    result = CliRunner().invoke(main, [*command, "--results", str(tmp_path / "results")])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if "note" not in line]
    assert [line.split("  ")[0] for line in lines[1:3]] == [
        gaze_constants.TARGET_WORDS,
        "straight into the camera",
    ]
    (found,), problems = stored.read_results(tmp_path / "results")
    assert not problems
    reason = rows.why_not_comparable(found, protocol_card.read_card(card))
    assert reason.startswith(f"knows the labels of the test set: {gaze_constants.TARGET_WORDS}")
    assert lines[1].split()[-1] == f"{found.scores['all']['error_deg'].value:.2f}"
