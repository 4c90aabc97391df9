"""Own gaze files from card to score, on made-up data: what cannot be read off numbers is asked for.

Each test names its trap; the same kinds on samples that others made: `test_gaze_shapes`.
"""

import csv
import json
import re
from pathlib import Path

import cv2
import h5py
import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from benchbox.datasets import open_protocol_dataset, split, verify
from benchbox.datasets.gaze import notation
from benchbox.datasets.gaze.conventions import GazeRows
from benchbox.errors import BenchboxError, ProtocolError, ResultError
from benchbox.geometry import angles_to_vectors, vectors_to_angles
from benchbox.protocols import protocol_card
from benchbox.runs import execute, gaze_predictions, run_data, run_folders, run_plan, score_file
from benchbox.runs.gaze_predictions import GazeReading
from benchbox.types import Truth

ANGLES = 'columns = ["yaw", "pitch"], positive = ["right", "up"], unit = "deg"'
SCREEN = "width_mm = 300.0, height_mm = 200.0, camera_x_mm = 150.0, camera_above_mm = 10.0"
POINTS = (
    'columns = ["x", "y"], positive = ["right", "down"], unit = "px", origin = "screen", '
    f"screen = {{{SCREEN}, width_px = 1500, height_px = 800}}"
)
TOP = Path(__file__).parents[2]
ROWS = 24
HALF = ROWS // 2


class World:
    """A folder with a card, its tables and small pictures."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "faces").mkdir()
        picture = cv2.imencode(".png", np.full((30, 40, 3), 90, np.uint8))[1].tobytes()
        self.names = [f"f{row:02d}.png" for row in range(ROWS)]
        for name in self.names:
            (folder / "faces" / name).write_bytes(picture)
        random = np.random.default_rng(3)
        # pitch, yaw in degrees: below the camera, yaw wider
        self.angles = random.normal([-12, 2], [6, 15], (ROWS, 2)).round(4)
        self.points_px = random.uniform([0, 0], [1500, 800], (ROWS, 2)).round(2)

    def card(self, gaze, task="gaze3d", metrics=("error_deg",), **changes):
        text = f"""
name = "mine"
title = "Mine"
task = "{task}"
dataset = "files"
layout = ""
source = {{images = "faces", parts = {{train = "train.csv", test = "test.csv"}}, gaze = {{{gaze}}}}}
train = {{parts = ["train"], expected = {HALF}}}
test = {{overall = "all", expected = {HALF}, groups = {{all = ["test"]}}}}
box = {{source = "picture"}}
score = {{normalisers = [], metrics = {list(metrics)}, cluster = "person", resamples = 100}}
"""
        for old, new in changes.items():
            text = text.replace(old, new)
        path = self.folder / "mine.toml"
        path.write_text(text)
        return str(path)

    def tables(self, header, cells):
        """Write train.csv and test.csv; `cells` gives those of a row beside picture and person."""
        for part, rows in (("train", range(HALF)), ("test", range(HALF, ROWS))):
            with (self.folder / f"{part}.csv").open("w", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(["image", "person", *header])
                for row in rows:
                    writer.writerow([self.names[row], row // 4, *cells(row)])

    def angle_tables(self):
        self.tables(["yaw", "pitch"], lambda row: [-self.angles[row, 1], self.angles[row, 0]])

    def write(self, name, lines):
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return path

    def score(self, file, card, **said):
        lines = []
        scored = score_file.score_predictions_file(
            file, card, "x", self.folder, say=lines.append, reading=GazeReading(**said)
        )
        (score,) = scored.scores.groups["all"].values()
        return score.value, lines

    def truth(self, card):
        protocol = protocol_card.load_protocol(card)
        return split.ground_truth(
            protocol, run_data.open_index(protocol, self.folder, pixels=False)
        )


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_yaw_to_the_right_in_degrees_is_read_as_the_card_says(world):
    """The house counts yaw to the left, in radians."""
    world.angle_tables()
    truth = world.truth(world.card(ANGLES))
    expected = angles_to_vectors(np.radians(world.angles[HALF:]))
    np.testing.assert_allclose(truth.values, expected, atol=1e-12)
    assert truth.ids.tolist() == world.names[HALF:]
    assert truth.clusters.tolist() == [str(row // 4) for row in range(HALF, ROWS)]


def write_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def write_v73(path, ids, values, called="ids"):
    """Write what MATLAB writes: arrays turned round, a cell of references to codes of letters."""
    with h5py.File(path, "w") as file:
        references = []
        for number, name in enumerate(ids):
            file[f"#refs#/{number}"] = np.array([[ord(letter)] for letter in name], np.uint16)
            references.append(file[f"#refs#/{number}"].ref)
        file[called] = np.array([references], h5py.ref_dtype)
        file["values"] = values.T


KINDS = ["csv", "tsv", "txt", "npz", "mat", "mat columns", "mat 7.3", "h5", "h5 columns", "parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_score(world, kind):
    """Every answer 3° of yaw off; rows in reverse order, yaw first."""
    world.angle_tables()
    card = world.card(ANGLES)
    rows = list(range(ROWS - 1, HALF - 1, -1))
    ids = [world.names[row] for row in rows]
    values = np.array([[-world.angles[row, 1] + 3, 0.0] for row in rows])
    values[:, 1] = [world.angles[row, 0] for row in rows]
    lines = [f"{name},{yaw},{pitch}" for name, (yaw, pitch) in zip(ids, values, strict=True)]
    path = world.folder / f"p.{kind.split()[0]}"
    said = {"columns": ("yaw", "pitch")}
    if kind == "csv":
        world.write("p.csv", ["image,yaw,pitch", *lines])
        said = {}
    elif kind == "tsv":
        world.write("p.tsv", [line.replace(",", "\t") for line in ["id,yaw,pitch", *lines]])
    elif kind == "txt":
        world.write("p.txt", [line.replace(",", " ") for line in lines])
    elif kind == "npz":
        np.savez(path, ids=np.array(ids), values=values)
    elif kind == "parquet":
        columns = {"id": ids, "yaw": values[:, 0], "pitch": values[:, 1]}
        parquet.write_table(pyarrow.table(columns), path)
        said = {}
    elif kind == "mat 7.3":
        write_v73(path, ids, values)
    elif kind == "h5":
        write_hdf5(path, ids=ids, values=values)
    elif kind == "h5 columns":
        write_hdf5(path, ids=np.array(ids, "S"), yaw=values[:, 0], pitch=values[:, 1])
        said = {}
    elif kind == "mat":
        savemat(path, {"ids": np.array(ids, object), "values": values})
    else:
        savemat(path, {"ids": np.array(ids, object), "yaw": values[:, 0], "pitch": values[:, 1]})
        said = {}
    value, lines = world.score(path, card, **said)
    expected = np.mean(3 * np.cos(np.radians(world.angles[HALF:, 0])))
    assert value == pytest.approx(expected, abs=2e-3)
    assert "note: predictions are read as yaw (positive: right), pitch (positive: up), deg" in lines


@pytest.mark.parametrize("called", ["ids", "id", "image"])
@pytest.mark.parametrize("kind", ["mat", "mat 7.3", "h5", "npz"])
def test_ids_of_arrays_are_called_as_those_of_tables(world, kind, called):
    """Trap: CSV and Parquet took `id` and `image`, HDF5, MATLAB and NumPy `ids` alone."""
    world.angle_tables()
    ids, values = world.names[HALF:], world.angles[HALF:]
    path = world.folder / f"p.{kind.split()[0]}"
    if kind == "mat 7.3":
        write_v73(path, ids, values, called)
    elif kind == "mat":
        savemat(path, {called: np.array(ids, object), "values": values})
    elif kind == "h5":
        write_hdf5(path, **{called: np.array(ids, "S"), "values": values})
    else:
        np.savez(path, **{called: np.array(ids), "values": values})
    said = {"columns": ("pitch", "yaw"), "positive": ("up", "left")}
    value, lines = world.score(path, world.card(ANGLES), **said)
    assert value == pytest.approx(0, abs=1e-4)
    assert not [line for line in lines if "not read" in line]


def test_numbers_called_id_or_image_are_no_ids(world):
    """A detector's number and the pixels of a crop are called so, too."""
    world.angle_tables()
    columns = {"pitch": world.angles[HALF:, 0], "yaw": -world.angles[HALF:, 1]}
    write_hdf5(world.folder / "p.h5", id=np.arange(HALF), image=np.zeros((HALF, 4)), **columns)
    value, _ = world.score(world.folder / "p.h5", world.card(ANGLES), in_order=True)
    assert value == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("p.csv", "a column called id or image"),
        ("p.parquet", "a column called id or image"),
        ("p.h5", "texts called ids, id or image"),
        ("p.mat", "a cell called ids, id or image"),
        ("p.npz", "an array of texts called ids, id or image"),
        ("p.txt", "the first of each row"),
    ],
)
def test_a_file_without_ids_is_told_what_they_are_called_in_it(world, name, called):
    """Trap: "has no ids", which are called otherwise in every kind of file."""
    world.angle_tables()
    path, values = world.folder / name, world.angles[HALF:]
    columns = {"pitch": values[:, 0], "yaw": values[:, 1]}
    if name == "p.csv":
        world.write(name, ["name,pitch,yaw", *(f"a,{pitch},{yaw}" for pitch, yaw in values)])
    elif name == "p.txt":
        world.write(name, [f"{pitch} {yaw}" for pitch, yaw in values])
    elif name == "p.parquet":
        parquet.write_table(pyarrow.table(columns), path)
    elif name == "p.h5":
        write_hdf5(path, **columns)
    elif name == "p.mat":
        savemat(path, columns)
    else:
        np.savez(path, values=values)
    with pytest.raises(ResultError) as fault:
        world.score(path, world.card(ANGLES), columns=("pitch", "yaw"))
    assert str(fault.value) == (
        f"{name}: has no ids ({called}); --in-order says that its rows follow "
        "`benchbox data ids --protocol mine --of test`"
    )


@pytest.mark.parametrize("header", ["image yaw pitch", "# id yaw pitch", "image, yaw, pitch"])
def test_a_text_whose_first_line_names_columns_is_read_by_them(world, header):
    """Trap: "strike the line out, or call the file .csv", which then had one column."""
    world.angle_tables()
    rows = range(HALF, ROWS)
    lines = [f"{world.names[n]} {-world.angles[n, 1]} {world.angles[n, 0]}" for n in rows]
    value, _ = world.score(world.write("p.txt", [header, *lines]), world.card(ANGLES))
    assert value == pytest.approx(0, abs=1e-4)
    other = world.write("p.txt", [header.replace("pitch", "tilt"), *lines])
    with pytest.raises(ResultError, match=r"p.txt: has the columns yaw, tilt, the labels are"):
        world.score(other, world.card(ANGLES))


def test_labels_in_a_text_may_name_their_columns(world):
    """The same file is labels to one and predictions to another."""
    world.angle_tables()
    for part in ("train", "test"):
        text = (world.folder / f"{part}.csv").read_text()
        (world.folder / f"{part}.txt").write_text(text.replace(",", " "))
    card = world.card(ANGLES, **{"train.csv": "train.txt", "test.csv": "test.txt"})
    expected = angles_to_vectors(np.radians(world.angles[HALF:]))
    np.testing.assert_allclose(world.truth(card).values, expected, atol=1e-12)


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_blanks_between_the_columns_of_a_csv_are_named(world, suffix):
    """Trap: "has the columns image yaw pitch" and no word that it is one column."""
    world.angle_tables()
    path = world.write(f"p{suffix}", ["image yaw pitch", "f12.png 1 2"])
    with pytest.raises(ResultError) as fault:
        world.score(path, world.card(ANGLES))
    assert str(fault.value) == (
        f"{path}:1: blanks separate nothing in a {suffix}: use commas, semicolons or tabs"
    )


def test_a_folder_is_called_one_and_a_file_in_it_is_named(world):
    """Trap: "no such predictions file", though it is there."""
    world.angle_tables()
    folder = world.folder / "mine"
    folder.mkdir()
    words = (
        f"{folder}: is a folder; gaze is read from one file "
        "(.csv, .tsv, .txt, .npz, .mat, .h5, .hdf5, .parquet): "
    )
    for held, found in (
        ("notes.md", "none lies in it"),
        ("b.txt", "name one in it, such as b.txt"),
    ):
        (folder / held).touch()
        with pytest.raises(ResultError) as fault:
            world.score(folder, world.card(ANGLES))
        assert str(fault.value) == words + found


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1 2", "does not say what its 2 numbers are; say it in their order: --columns yaw,pitch, "
         "or as it is (pitch, yaw | x, y)"),
        ("1 2 3", "does not say what its 3 numbers are; say it in their order: --columns x,y,z, "
         "or as it is (x, y, z)"),
        ("1 2 3 4", "4 numbers a row; gaze has 2 (pitch, yaw | x, y), 3 (x, y, z)"),
    ],
)  # fmt: skip
def test_only_columns_that_fit_the_width_are_offered(world, row, said):
    """Trap: x, y, z were offered for two numbers."""
    world.angle_tables()
    path = world.write("p.txt", [f"{name} {row}" for name in world.names[HALF:]])
    with pytest.raises(ResultError) as fault:
        world.score(path, world.card(ANGLES))
    assert str(fault.value) == f"p.txt: {said}"


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_further_columns_are_named_and_flags_are_read(world, suffix):
    """The trap: `failed` and `confidence` were passed over, and lost frames were scored."""
    world.angle_tables()
    card = world.card(ANGLES)
    lines = ["id,confidence,yaw,pitch,failed"]
    for row in range(HALF, ROWS):
        lost = int(row == HALF)
        yaw, pitch = -world.angles[row, 1] + 40 * lost, world.angles[row, 0]
        lines.append(f"{world.names[row]},0.5,{yaw},{pitch},{lost}")
    file = world.write(f"p.{suffix}", [line.replace(",", "\t") for line in lines])
    if suffix == "csv":
        file = world.write("p.csv", lines)
    value, said = world.score(file, card)
    assert value == pytest.approx(0.0, abs=1e-3)
    assert f"note: p.{suffix}: columns that are not read: 'confidence'" in said
    world.write(file.name, [lines[0], lines[1][:-1] + "7", *lines[2:]])
    with pytest.raises(ResultError, match="failed must be 0 or 1"):
        world.score(file, card)


def test_rows_without_ids_are_asked_about(world):
    """`.txt` of two angles a row: nothing says whose they are."""
    world.angle_tables()
    card = world.card(ANGLES)
    path = world.write("p.txt", [f"{-yaw} {pitch}" for pitch, yaw in world.angles[HALF:]])
    with pytest.raises(ResultError, match=r"p.txt: does not say what its 2 numbers are.*--columns"):
        world.score(path, card)
    with pytest.raises(ResultError, match=r"p.txt: has no ids \(.*\); --in-order says"):
        world.score(path, card, columns=("yaw", "pitch"))
    value, _ = world.score(path, card, columns=("yaw", "pitch"), in_order=True)
    assert value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.mat", b"MATLAB 5.0 MAT-file" + bytes(range(200)), "is no MATLAB v5 file"),
        ("p.mat", b"", "is no MATLAB v5 file"),
        (
            "p.txt",
            b"pitch yaw\n0.1 0.2\n",
            r"p.txt:1: names columns, but none is called id or image",
        ),
        ("p.txt", b"", "p.txt: is empty"),
        ("p.tsv", b"image\tyaw\tpitch\nf12.png\tone\t2\n", "p.tsv:2: yaw: 'one' is not a number"),
        ("p.npz", b"PK", "is no whole .npz file"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(world, name, content, message):
    world.angle_tables()
    path = world.folder / name
    path.write_bytes(content)
    with pytest.raises(BenchboxError, match=message):
        world.score(path, world.card(ANGLES), columns=("yaw", "pitch"))


def test_exchanged_angles_are_refused_unless_stated(world):
    world.angle_tables()
    card = world.card(ANGLES)
    lines = ["image,a,b"]
    for row in range(HALF, ROWS):
        lines.append(f"{world.names[row]},{-world.angles[row, 1]},{world.angles[row, 0]}")
    path = world.write("p.csv", lines)
    with pytest.raises(ResultError, match=r"has the columns a, b, the labels are yaw,pitch"):
        world.score(path, card)
    with pytest.raises(ResultError, match=r"pitch and yaw exchanged.*say how the file is written"):
        world.score(path, card, columns=("pitch=a", "yaw=b"))
    value, _ = world.score(path, card, columns=("yaw=a", "pitch=b"))
    assert value == pytest.approx(0, abs=1e-6)
    stated, warned = world.score(path, card, columns=("pitch=a", "yaw=b"), positive=("up", "right"))
    assert stated > 10
    assert any("pitch and yaw exchanged" in line for line in warned)


@pytest.mark.parametrize(("pitch", "refused"), [("95", True), ("-90.01", False), ("90.5", True)])
def test_a_pitch_beyond_the_pole_is_refused_in_predictions(world, pitch, refused):
    world.angle_tables()
    card = world.card(ANGLES)
    lines = ["image,yaw,pitch", f"{world.names[HALF]},1,{pitch}"]
    for row in range(HALF + 1, ROWS):
        lines.append(f"{world.names[row]},{-world.angles[row, 1]},{world.angles[row, 0]}")
    path = world.write("p.csv", lines)
    if refused:
        with pytest.raises(ResultError, match=r"p.csv:2: pitch .*lies within ±90°"):
            world.score(path, card)
    else:
        assert world.score(path, card)[0] < 20


def test_pixels_that_are_not_square_and_a_corner_become_cm(world):
    """0.2 mm wide, 0.25 mm high; the upper left corner is 15 cm left of the camera, 1 cm below."""
    world.tables(["x", "y"], lambda row: world.points_px[row])
    card = world.card(POINTS, "gaze2d", ["error_cm"])
    truth = world.truth(card)
    x, y = world.points_px[HALF:].T
    np.testing.assert_allclose(truth.values[:, 0], x * 0.02 - 15, atol=1e-12)
    np.testing.assert_allclose(truth.values[:, 1], -(y * 0.025 + 1), atol=1e-12)
    shares = world.points_px / [1500, 800]
    lines = ["image,x,y"]
    for row in range(HALF, ROWS):
        lines.append(f"{world.names[row]},{shares[row, 0]},{shares[row, 1] + 0.1}")
    path = world.write("p.csv", lines)
    with pytest.raises(ResultError, match="shares of the screen"):
        world.score(path, card)
    value, _ = world.score(path, card, unit="share")
    assert value == pytest.approx(2.0, abs=1e-9)  # a tenth of 20 cm


def test_points_become_directions_where_the_eye_is_known(world):
    """The viewer faces the camera: a point on the viewer's right is on the picture's left."""
    gaze = (
        'columns = ["x", "y"], positive = ["right", "up"], unit = "cm", origin = "camera", '
        'eye = {columns = ["x=ex", "y=ey", "z=ez"], positive = ["right", "down", "away"], '
        'unit = "mm"}'
    )
    world.tables(["x", "y", "ex", "ey", "ez"], lambda row: [30 + row, 0, 0, 0, 300])
    truth = world.truth(world.card(gaze))
    # an eye 30 cm before the camera looks 42 cm to its right: the picture's left, house x above 0
    expected = np.array([420.0, 0.0, 300.0]) / np.hypot(420, 300)
    np.testing.assert_allclose(truth.values[0], expected, atol=1e-12)


def test_people_count_inside_a_recording_and_stay_texts(world):
    """Identity 0 of two recordings is two people; "01" is not 1."""
    world.tables(
        ["recording", "identity", "yaw", "pitch"],
        lambda row: [f"r{row % 2}", "01", *(-world.angles[row, ::-1] * [1, -1])],
    )
    card = world.card(f'{ANGLES}, person = ["recording", "identity"]')
    assert np.unique(world.truth(card).clusters).tolist() == ["r0/01", "r1/01"]


def test_parts_in_one_file_ask_for_a_column_or_a_list(world):
    world.tables(
        ["part", "yaw", "pitch"],
        lambda row: ["ab"[row >= HALF], -world.angles[row, 1], world.angles[row, 0]],
    )
    with (world.folder / "train.csv").open("a") as stream:
        stream.writelines((world.folder / "test.csv").read_text().splitlines(keepends=True)[1:])
    one_file = {"test.csv": "train.csv"}
    with pytest.raises(BenchboxError, match=r"train and test share the file train.csv.*split"):
        world.truth(world.card(ANGLES, **one_file))
    people = {"train": ["0", "1", "2"], "test": ["3", "4", "5"]}
    (world.folder / "people.json").write_text(json.dumps(people))
    truth = world.truth(world.card(f'{ANGLES}, people = "people.json"', **one_file))
    assert truth.ids.tolist() == world.names[HALF:]
    people["test"].append("0")
    (world.folder / "people.json").write_text(json.dumps(people))
    with pytest.raises(BenchboxError, match="'0' is in train and in test"):
        world.truth(world.card(f'{ANGLES}, people = "people.json"', **one_file))


@pytest.mark.parametrize(
    ("gaze", "task", "message"),
    [
        ('unit = "deg"', "gaze3d", r"source.gaze.columns: .*pitch and yaw, or x, y and z"),
        ('columns = ["yaw", "pitch"]', "gaze3d", r"source.gaze.unit: .*rad \| deg"),
        (
            'columns = ["yaw", "pitch"], unit = "deg"',
            "gaze3d",
            r"source.gaze.positive: .*yaw right\|left, pitch down\|up",
        ),
        (
            'columns = ["yaw", "pitch"], unit = "deg", positive = ["up", "right"]',
            "gaze3d",
            r"source.gaze.positive",
        ),
        (
            'columns = ["x", "y"], unit = "cm", positive = ["right", "up"]',
            "gaze2d",
            r'source.gaze.origin: .*"camera" \| "screen"',
        ),
        (
            'columns = ["x", "y"], unit = "mm", positive = ["right", "down"], origin = "screen"',
            "gaze2d",
            r"source.gaze.screen: is missing",
        ),
        (
            'columns = ["x", "y"], unit = "cm", positive = ["right", "up"], origin = "camera"',
            "gaze3d",
            r"source.gaze.eye: is missing",
        ),
        (ANGLES, "gaze2d", r"source.gaze.columns: directions are for task"),
        (f"{ANGLES}, colour = 1", "gaze3d", r"source: gaze: colour: no such key"),
    ],
)
def test_a_card_that_leaves_something_open_is_refused_in_one_line(world, gaze, task, message):
    unit = {"gaze2d": "error_cm", "gaze3d": "error_deg"}[task]
    with pytest.raises(ProtocolError, match=message) as refused:
        protocol_card.load_protocol(world.card(gaze, task, [unit]))
    assert "\n" not in str(refused.value)


def test_a_card_without_a_word_on_gaze_is_refused_and_names_the_task(world):
    """It passed `show protocol` and ended in KeyError: ''."""
    card = world.card(ANGLES)
    text = (world.folder / "mine.toml").read_text()
    (world.folder / "mine.toml").write_text(text.replace(f", gaze = {{{ANGLES}}}", ""))
    with pytest.raises(ProtocolError, match=r'source.gaze: is missing; task = "gaze3d"'):
        protocol_card.load_protocol(card)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("f12.png", "f13.png"), r"test.csv:3: 'f13.png' is there already in .*test.csv:2"),
        (("f12.png", "../f12.png"), r"test.csv:2: '../f12.png' is not the name of a file"),
        ((",3,", ",,"), r"test.csv:2: says no person"),
        (("person", "who"), r"test.csv:1: no column says who is seen"),
        (("pitch", "p"), r"test.csv:1: has no column 'pitch'"),
    ],
)
def test_a_bad_table_is_named_by_line(world, change, message):
    world.angle_tables()
    path = world.folder / "test.csv"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(BenchboxError, match=message):
        world.truth(world.card(ANGLES))


def findings_of(world, card):
    protocol = protocol_card.load_protocol(card)
    dataset = open_protocol_dataset(protocol)
    found = list(verify.examine_dataset("files", dataset, world.folder, [protocol]))
    return [finding.what for finding in found if finding.level == "wrong"]


def test_verify_finds_order_and_sides_where_the_set_shows_them(world):
    """A mirror in labels and predictions alike moves no error."""
    world.tables(
        ["yaw", "pitch", "hy", "hp"],
        lambda row: [
            -world.angles[row, 1],
            world.angles[row, 0],
            -world.angles[row, 1] * 0.8,
            world.angles[row, 0] * 0.5,
        ],
    )
    head = 'head = {columns = ["yaw=hy", "pitch=hp"], positive = ["right", "up"], unit = "deg"}'
    expect = 'expect = ["below_camera", "follows_head"]'
    assert findings_of(world, world.card(f"{ANGLES}, {head}, {expect}")) == []
    exchanged = ANGLES.replace('"yaw", "pitch"', '"yaw=pitch", "pitch=yaw"')
    assert "order exchanged" in findings_of(world, world.card(exchanged))[0]
    tall = f'{exchanged}, expect = ["pitch_spreads_more"]'
    assert findings_of(world, world.card(tall)) == []
    down = ANGLES.replace('"up"', '"down"')
    assert findings_of(world, world.card(down)) == []  # in EyeDiap people look above the camera
    assert "gaze lies above the camera" in findings_of(world, world.card(f"{down}, {expect}"))[0]
    turned = f"{ANGLES.replace('right', 'left')}, {head}, {expect}"
    assert "does not follow the head" in findings_of(world, world.card(turned))[0]


def test_verify_finds_points_off_their_screen(world):
    world.tables(["x", "y"], lambda row: world.points_px[row])
    assert findings_of(world, world.card(POINTS, "gaze2d", ["error_cm"])) == []
    up = POINTS.replace('"down"', '"up"')
    assert "y turned 100%" in findings_of(world, world.card(up, "gaze2d", ["error_cm"]))[0]


def test_a_run_and_a_submission_leave_a_record_of_how_gaze_was_read(world):
    world.angle_tables()
    card = world.card(ANGLES)
    lines = ["id,pitch,yaw"]
    for row in range(HALF, ROWS):
        pitch, yaw = np.radians(world.angles[row])
        lines.append(f"test/{row - HALF + 1:05d},{pitch},{yaw}")  # named as landmarks are
    path = world.write("p.csv", lines)
    results = world.folder / "results"
    said = GazeReading(columns=("pitch", "yaw"), positive=("up", "left"), unit="rad")
    scored = score_file.score_predictions_file(
        path, card, "other", world.folder, results, reading=said
    )
    assert scored.scores.groups["all"]["error_deg"].value == pytest.approx(0, abs=1e-4)
    (run,) = run_folders.list_runs(results)
    words = "pitch (positive: up), yaw (positive: left), rad"
    assert f"predictions are read as {words}" in run.record.data.notes
    assert run.record.command.endswith("--columns pitch,yaw --positive up,left --unit rad")
    request = run_plan.RunRequest(
        method="mean-gaze", protocol=card, data=world.folder, results=results
    )
    outcome = execute.run_method(request, lambda line: None)
    middle = angles_to_vectors(np.radians(world.angles[:HALF])).mean(axis=0)
    tested = angles_to_vectors(np.radians(world.angles[HALF:]))
    cosine = tested @ middle / np.linalg.norm(middle)
    value = outcome.scored.scores.groups["all"]["error_deg"].value
    assert value == pytest.approx(np.degrees(np.arccos(cosine)).mean(), abs=1e-3)


@pytest.mark.parametrize("document", ["README.md", "benchbox/report/site_text/gaze.md"])
def test_cards_of_the_documentation_are_valid(tmp_path, document):
    text = (TOP / document).read_text(encoding="utf-8")
    blocks = re.findall(r'```(?:toml)?\n(name = "mygaze".*?)```', text, re.DOTALL)
    assert len(blocks) == 1
    path = tmp_path / "mygaze.toml"
    path.write_text(blocks[0], encoding="utf-8")
    card = protocol_card.load_protocol(str(path))
    assert "error_deg_calibrated_3" in card.metrics


def test_stares_boxes_and_devices_reach_the_method_and_the_score(world):
    """Dot 1 of two people is two dots; a box of -1 four times is none."""
    eye = [f"left_eye_{corner}" for corner in ("x0", "y0", "x1", "y1")]

    def cells(row):
        box = [1, 2, 11, 8]
        if row == HALF:
            box = [-1] * 4
        return [row % 4 // 2, "phone", row % 3 + 1, *box, *world.points_px[row]]

    world.tables(["dot", "device", "orientation", *eye, "x", "y"], cells)
    card = world.card(f'{POINTS}, sequence = "dot"', "gaze2d", ["msd_cm", "error_cm_dot"])
    protocol = protocol_card.load_protocol(card)
    index = run_data.open_index(protocol, world.folder)
    assert index.sequences[:4].tolist() == ["0/0", "0/0", "0/1", "0/1"]
    assert len(np.unique(index.sequences)) == 12
    assert index.meta["device"][0] == "phone"
    assert index.meta["orientation"][:3].tolist() == [1, 2, 3]
    assert np.isnan(index.boxes["left_eye"][HALF]).all()
    assert index.boxes["left_eye"][0].tolist() == [1, 2, 11, 8]
    assert index.boxes["picture"][0].tolist() == [-0.5, -0.5, 39.5, 29.5]
    # answers 1 cm left and right of each dot's middle
    lines = ["image,x,y"]
    for row in range(HALF, ROWS):
        pair = row - row % 2
        x, y = world.points_px[pair : pair + 2].mean(axis=0)
        lines.append(f"{world.names[row]},{x + 50 * (-1) ** row},{y}")
    scored = score_file.score_predictions_file(world.write("p.csv", lines), card, "x", world.folder)
    found = {name: score.value for name, score in scored.scores.groups["all"].items()}
    assert found == pytest.approx({"msd_cm": 1.0, "error_cm_dot": 0.0}, abs=1e-9)


def test_a_set_with_two_frames_asks_which_one_is_meant(world):
    """pitch, yaw of a normalised set read as the camera's: 6.15° for 4.11°, without a word."""
    vectors = angles_to_vectors(np.radians(world.angles[HALF:]))
    names = tuple(world.names[HALF:])
    turns = Rotation.from_rotvec(np.linspace([0, 0.1, 0], [0.2, 0, 0], HALF)).as_matrix()
    known = GazeRows("gaze3d", names, (notation.HOUSE_VECTORS,), rotations=turns)
    truth = Truth(np.array(names), vectors, {}, np.array(names))
    normalised = np.einsum("nij,nj->ni", turns, vectors)
    angles = vectors_to_angles(normalised)
    lines = ["image,pitch,yaw"]
    for name, (pitch, yaw) in zip(names, angles, strict=True):
        lines.append(f"{name},{pitch},{yaw}")
    path = world.write("p.csv", lines)
    said = {"columns": ("pitch", "yaw"), "positive": ("up", "left"), "unit": "rad"}

    def read(**more):
        reading = GazeReading(**said, **more)
        return gaze_predictions.read_gaze_predictions(
            path, truth, "gaze3d", known, reading, protocol="mine"
        )[0]

    with pytest.raises(ResultError, match=r"--frame: is missing; .*camera \| normalised"):
        read()
    np.testing.assert_allclose(read(frame="normalised").values, vectors, atol=1e-12)


def test_a_cell_that_refers_to_a_large_array_is_no_text(tmp_path):
    """The trap: a thousand entries of a few bytes that refer to one array of a gigabyte."""
    path = tmp_path / "p.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("#refs#/a", (1 << 20,), np.uint16, chunks=(1 << 20,), compression=1)
        file["ids"] = np.array([[file["#refs#/a"].ref] * 1000], h5py.ref_dtype)
        file["values"] = np.ones((2, 1000))
    with pytest.raises(ResultError, match=r"p.mat: ids: entry 1 is no text"):
        gaze_predictions.read_gaze_table(path)


def test_hdf5_without_numbers_and_links_are_refused(tmp_path):
    path = tmp_path / "p.h5"
    write_hdf5(path, ids=["a", "b"])
    with pytest.raises(ResultError, match=r"p.h5: holds no matrix 'values'"):
        gaze_predictions.read_gaze_table(path)
    with h5py.File(path, "a") as file:
        file["values"] = h5py.ExternalLink("other.h5", "values")
    with pytest.raises(ResultError, match="'values' is a link to another place"):
        gaze_predictions.read_gaze_table(path)
