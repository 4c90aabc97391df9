"""A person's own phone pictures: read upright or as stored, whichever their points were marked on.

The trap of each case: nothing crashes, and every point lies inside the picture either way.
"""

import json
import struct
import zlib

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli.main_group import main
from benchbox.datasets import open_protocol_dataset, picture_turns, shape_fit
from benchbox.datasets.formats import exif, images
from benchbox.layouts import IBUG68, find_map, flip_table
from benchbox.protocols import protocol_card
from benchbox.types import Layout

SEEN = (200, 160)  # width and height as the person saw the pictures
FACE = shape_fit.mean_face("ibug68")[:, :2]
POINTS = 0.5 * FACE - (0.5 * FACE).mean(axis=0) + [97.0, 84.0]


OTHERS = POINTS + np.array([3.0, 2.0])


def orientation_block(orientation):
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry


def write_phone_picture(path, orientation, size=SEEN):
    """Write a picture that was seen at some size, stored as a phone does; return what was seen."""
    seen = np.zeros((size[1], size[0], 3), np.uint8)
    seen[..., 0] = np.linspace(0, 255, size[0])[None, :]
    seen[..., 1] = np.linspace(0, 255, size[1])[:, None]
    back = {6: 8, 8: 6}.get(orientation, orientation)
    stored = np.ascontiguousarray(exif.turn_pixels(seen, back))
    raw = cv2.imencode(".png", stored[..., ::-1])[1].tobytes()
    chunk = b"eXIf" + orientation_block(orientation)
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw[:33] + chunk + raw[33:])
    return seen


def stored_points(orientation, size=SEEN, points=POINTS):
    stored = exif.turn_size(size, orientation)
    return exif.unturn_points(points, orientation, stored)


def choose(tmp_path, orientation, points, layout=IBUG68, size=SEEN, **facts):
    path = tmp_path / "a.png"
    write_phone_picture(path, orientation, size)
    return picture_turns.choose_turns([path], points[None], layout, **facts)


# --- turning --------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turn_is_that_of_opencv_and_points_go_with_the_pixels(tmp_path, orientation):
    seen = write_phone_picture(tmp_path / "a.png", orientation)
    stored = images.decode_picture(tmp_path / "a.png")
    assert np.array_equal(exif.turn_pixels(stored, orientation), seen)
    size = (stored.shape[1], stored.shape[0])
    assert exif.turn_size(size, orientation) == SEEN
    x, y = exif.turn_points(np.array([3.0, 5.0]), orientation, size).astype(int)
    assert np.array_equal(seen[y, x], stored[5, 3])
    jpeg = cv2.imencode(".jpg", stored)[1].tobytes()
    segment = b"Exif\0\0" + orientation_block(orientation) + b"\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]
    theirs = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    plain = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(exif.turn_pixels(plain, orientation), theirs)


# --- what tells -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [SEEN, (200, 200)])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_the_pose_of_the_points_tells_how_a_picture_was_seen(tmp_path, orientation, size):
    upright = choose(tmp_path, orientation, POINTS, size=size)
    assert upright.applied == (orientation,)
    assert "read upright" in upright.notes[0]
    stored = choose(tmp_path, orientation, stored_points(orientation, size), size=size)
    assert stored.applied == (1,)
    assert "read as stored, as their points were marked" in stored.notes[0]


def test_names_tell_where_no_mean_face_is_known(tmp_path):
    names = ("left_eye", "right_eye", "chin", "ear")
    four = np.array([[80.0, 60], [110, 60], [95, 110], [60, 80]])
    own = Layout("mine-own", 4, flip_table(4, [(0, 1)]), None, None, ((), ()), {}, {}, names)
    assert choose(tmp_path, 6, four, own).applied == (6,)
    assert choose(tmp_path, 6, stored_points(6, points=four), own).applied == (1,)


def test_stated_sizes_and_borders_tell_where_points_have_no_pose(tmp_path):
    nose = np.array([[97.0, 84.0]])
    upright = choose(tmp_path, 6, nose, None, stated=[SEEN])
    assert upright.applied == (6,)
    assert choose(tmp_path, 6, nose, None, stated=[SEEN[::-1]]).applied == (1,)
    right = np.array([[190.0, 84.0], [195.0, 90.0]])  # beyond the 160 px of the stored picture
    assert choose(tmp_path, 6, right, None).applied == (6,)
    below = np.array([[97.0, 190.0], [99.0, 195.0]])
    assert choose(tmp_path, 6, below, None).applied == (1,)


def test_what_nothing_tells_is_read_as_stored_and_asked_for(tmp_path):
    turns = choose(tmp_path, 6, np.array([[97.0, 84.0]]), None, size=(200, 200))
    assert turns.applied == (1,)
    assert "settles it" in turns.notes[0]
    (finding,) = picture_turns.ask_for_turns(turns.undecided)
    assert finding.level == "wrong"
    assert "source.orientation" in finding.what
    said = choose(tmp_path, 6, np.array([[97.0, 84.0]]), None, size=(200, 200), wish="upright")
    assert (said.applied, said.undecided) == ((6,), ())


def test_a_picture_that_tells_nothing_goes_with_the_others(tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]
    for file in files:
        write_phone_picture(file, 6, (200, 200))
    blank = np.full_like(POINTS, np.nan)
    blank[30] = 97.0, 84.0
    turned = picture_turns.choose_turns(files, np.stack([POINTS, POINTS, blank]), IBUG68)
    assert turned.applied == (6, 6, 6)
    lying = stored_points(6, (200, 200))
    divided = picture_turns.choose_turns(files, np.stack([POINTS, lying, blank]), IBUG68)
    assert divided.applied == (6, 1, 1)
    assert divided.undecided == (files[2],)


def test_shares_of_the_upright_picture_beside_the_stored_size_are_exchanged(tmp_path):
    """As Label Studio exports a phone's picture: percent of what was seen, width and height not."""
    wrong = (POINTS + 0.5) / np.array(SEEN) * np.array(SEEN[::-1]) - 0.5
    turns = choose(tmp_path, 6, wrong, stated=[SEEN[::-1]], shares=True)
    assert turns.applied == (6,)
    assert np.abs(turns.values[0] - POINTS).max() < 1e-9
    kept = choose(tmp_path, 6, POINTS, stated=[SEEN], shares=True)
    assert np.array_equal(kept.values[0], POINTS)


# --- cards, pictures, predictions -----------------------------------------------------------------

CARD = """
name = "phone"
title = "Phone pictures"
dataset = "files"
layout = "ibug68"
source = {images = "p", parts = {test = "labels.FORM"}, origin = 0EXTRA}
train = {parts = [], expected = 0}
test = {overall = "all", expected = 2, groups = {all = ["test"]}}
box = {source = "ground_truth"}
score = {normalisers = ["inter_ocular"]}
"""


@pytest.fixture
def phone(tmp_path):
    """Write two phone pictures, one upright and one turned, and what labels them; the card."""

    def make(points, form="csv", stated=SEEN, extra=""):
        write_phone_picture(tmp_path / "p" / "a.png", 6)
        write_phone_picture(tmp_path / "p" / "b.png", 1)
        rows = {"a.png": points, "b.png": OTHERS}
        if form == "csv":
            header = ["image", *(f"{axis}{k}" for k in range(68) for axis in "xy")]
            lines = [",".join(header)]
            for name, face in rows.items():
                lines.append(",".join([name, *map(repr, face.ravel().tolist())]))
            (tmp_path / "labels.csv").write_text("\n".join(lines))
        else:
            pictures, annotations = [], []
            for number, (name, face) in enumerate(rows.items(), start=1):
                size = stated if name == "a.png" else SEEN
                pictures.append(
                    {"id": number, "file_name": name, "width": size[0], "height": size[1]}
                )
                flags = np.full((68, 1), 2.0)
                keypoints = np.concatenate([face, flags], axis=1).ravel().tolist()
                annotations.append({"id": number, "image_id": number, "keypoints": keypoints})
            content = {"images": pictures, "annotations": annotations, "categories": []}
            (tmp_path / "labels.json").write_text(json.dumps(content))
        card = tmp_path / "phone.toml"
        card.write_text(CARD.replace("FORM", form).replace("EXTRA", extra))
        return card

    return make


@pytest.mark.parametrize("form", ["csv", "json", "coco"])
def test_every_reader_of_own_landmarks_reads_the_pixels_under_the_points(tmp_path, phone, form):
    extra = ', format = "coco"' if form == "coco" else ""
    suffix = "csv" if form == "csv" else "json"
    seen = write_phone_picture(tmp_path / "p" / "a.png", 6)
    protocol = protocol_card.read_card(phone(POINTS, suffix, extra=extra))
    index = open_protocol_dataset(protocol).index(tmp_path)
    assert np.array_equal(index.read(0), seen)
    assert any("1 pictures with an EXIF turn are read upright" in note for note in index.notes)
    assert index.cache_key(0).endswith(":turned 6")
    found = {f.level for f in open_protocol_dataset(protocol).verify(tmp_path)}
    assert "wrong" not in found
    protocol = protocol_card.read_card(phone(stored_points(6), suffix, SEEN[::-1], extra))
    index = open_protocol_dataset(protocol).index(tmp_path)
    assert np.array_equal(index.read(0), images.decode_picture(tmp_path / "p" / "a.png"))
    found = {f.level for f in open_protocol_dataset(protocol).verify(tmp_path)}
    assert "wrong" not in found


def test_the_card_may_say_it_and_the_hash_knows(phone):
    plain = protocol_card.read_card(phone(POINTS))
    said = protocol_card.read_card(phone(POINTS, extra=', orientation = "stored"'))
    assert plain.card != said.card


def write_predictions(tmp_path, points):
    header = ["id", *(f"{axis}{k}" for k in range(68) for axis in "xy")]
    lines = [",".join(header)]
    for name, face in (("test/00001", points), ("test/00002", OTHERS)):
        lines.append(",".join([name, *map(repr, (face + 0.5).ravel().tolist())]))
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    return tmp_path / "mine.csv"


@pytest.mark.parametrize("marked", ["upright", "stored"])
@pytest.mark.parametrize("predicted", ["upright", "stored"])
def test_predictions_of_either_frame_give_the_same_error(tmp_path, phone, marked, predicted):
    frames = {"upright": POINTS, "stored": stored_points(6)}
    card = phone(frames[marked])
    file = write_predictions(tmp_path, frames[predicted])
    command = ["score", str(file), "--protocol", str(card), "--method", "m", "--json"]
    result = CliRunner().invoke(main, [*command, "--data", str(tmp_path)])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    ocular = np.linalg.norm(POINTS[36] - POINTS[45])
    expected = 100 * np.hypot(0.5, 0.5) / ocular
    error = document["scores"]["all"]["nme_inter_ocular"]["value"]
    assert error == pytest.approx(expected, rel=1e-6)
    turned = [note for note in document.get("read_as", []) if "turned like the labels" in note]
    assert bool(turned) == (marked != predicted)


@pytest.mark.parametrize("program_saw", ["upright", "stored"])
def test_shares_of_either_picture_are_read(tmp_path, phone, program_saw):
    """MediaPipe's shares belong to the picture that the program was given."""
    card = phone(POINTS)
    size, face = {"upright": (SEEN, POINTS), "stored": (SEEN[::-1], stored_points(6))}[program_saw]
    shares = np.full((478, 2), 0.5)
    layout_map = find_map("478to68-peizhiyan")
    for row, terms in enumerate(layout_map.x):
        for point, _ in terms:
            shares[point] = (face[row] + 0.5) / np.array(size)
    faces = [{"x": x, "y": y, "z": 0.0} for x, y in shares.tolist()]
    (tmp_path / "mesh.json").write_text(json.dumps({"a.png": [faces], "b.png": []}))
    command = ["score", str(tmp_path / "mesh.json"), "--protocol", str(card), "--method", "m"]
    command += ["--layout", "478-to-68-peizhiyan", "--json", "--data", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["failed"] == 1  # the second picture has no face
    assert document["scores"]["all"]["nme_inter_ocular"]["value"] == pytest.approx(0, abs=1.0)
