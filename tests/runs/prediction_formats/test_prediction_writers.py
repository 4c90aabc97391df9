"""Predictions of other programs, made up here: one trap each, with the right values."""

import json

import numpy as np
import pytest

from benchbox.authoring.new_protocol import Wishes, new_protocol
from benchbox.datasets import shape_fit
from benchbox.errors import ResultError
from benchbox.layouts import MAPS, convert_points
from benchbox.runs.prediction_formats import prediction_writers
from benchbox.runs.prediction_formats.found_face import NO_HINTS, FoundFace, Hints
from benchbox.runs.score_file import score_predictions_file
from benchbox.types import Index, Truth

COUNT = 68


def face(left=40.0, top=30.0, size=80.0):
    from benchbox.report.charts.point_ellipses import mean_faces

    drawn = mean_faces()["ibug68"]
    return (drawn - drawn.min(axis=0)) / 1.6 * size + [left, top]


TRUTH = {"a": ("a.jpg", face()), "b_1": ("b.jpg", face(10)), "b_2": ("b.jpg", face(150))}


@pytest.fixture
def tmp_path(tmp_path):
    """Lie deep: `new protocol` looks for pictures two folders up, where other tests have theirs."""
    deep = tmp_path / "one" / "two"
    deep.mkdir(parents=True)
    return deep


@pytest.fixture
def card(tmp_path, monkeypatch):
    monkeypatch.delenv("BENCHBOX_DATA", raising=False)
    header = ",".join(f"x{k},y{k}" for k in range(COUNT))
    rows = [f"id,image,{header}"]
    for name, (image, points) in TRUTH.items():
        rows.append(f"{name},{image},{','.join(str(value) for value in points.ravel())}")
    (tmp_path / "truth.csv").write_text("\n".join(rows))
    wishes = Wishes(source=tmp_path / "truth.csv", origin=0.0)
    return new_protocol("own", wishes, tmp_path / "cards")


def score(card, file, said=None, results=None, **hints):
    said = [] if said is None else said
    hinted = Hints(**hints) if hints else NO_HINTS
    return score_predictions_file(
        file, str(card.card), "x", card.root, results, said.append, hints=hinted
    ).scores


def value(scores):
    return scores.groups["all"]["nme_inter_ocular"].value


def write_pts(folder, shift=0.0, names=TRUTH):
    folder.mkdir()
    for name in names:
        lines = "\n".join(f"{x + shift:.9f} {y + shift:.9f}" for x, y in TRUTH[name][1])
        (folder / f"{name}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    return folder


def coco_results(*entries):
    rows = []
    for image, points, confidence in entries:
        triples = np.column_stack([points, np.full(len(points), 0.5)])
        rows.append({"image_id": image, "keypoints": triples.ravel().tolist(), "score": confidence})
    return rows


def write_coco(folder, *entries):
    images = {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]}
    (folder / "images.json").write_text(json.dumps(images))
    (folder / "results.json").write_text(json.dumps(coco_results(*entries)))
    return folder / "results.json", folder / "images.json"


def test_pts_count_from_one_unless_a_person_says_otherwise(card, tmp_path):
    """Trap: half of the scripts write numbers from 0 into the same format."""
    assert value(score(card, write_pts(tmp_path / "one", 1.0))) == pytest.approx(0, abs=1e-6)
    zero = write_pts(tmp_path / "zero")
    assert value(score(card, zero)) > 1
    assert value(score(card, zero, origin=0.0)) == pytest.approx(0, abs=1e-6)


def test_a_missing_file_counts_as_failed_only_if_a_person_says_so(card, tmp_path):
    folder = write_pts(tmp_path / "one", 1.0, names=["a", "b_2"])
    with pytest.raises(ResultError, match=r"b_1.* missing.*--missing failed"):
        score(card, folder)
    assert score(card, folder, missing_failed=True).failed == 1


def test_detections_answer_the_face_that_they_overlap(card, tmp_path):
    """Trap: by order b_1 and b_2 change places; by score the false detection wins."""
    false = face(300, 300)
    file, names = write_coco(
        tmp_path,
        (1, false, 0.99),
        (1, TRUTH["a"][1], 0.3),
        (2, TRUTH["b_2"][1], 0.9),
        (2, TRUTH["b_1"][1], 0.8),
    )
    said = []
    scores = score(card, file, said, names=names)
    assert (value(scores), scores.failed) == (pytest.approx(0, abs=1e-6), 0)
    assert any("1 detections answer no annotated face" in line for line in said)


def test_a_picture_without_a_detection_is_a_failed_face(card, tmp_path):
    file, names = write_coco(tmp_path, (2, TRUTH["b_2"][1], 0.9), (1, TRUTH["a"][1], 0.9))
    said = []
    assert score(card, file, said, names=names).failed == 1
    assert any("b_1" in line for line in said)


def test_an_id_of_a_picture_that_nobody_knows_is_refused(card, tmp_path):
    file, names = write_coco(tmp_path, (3, TRUTH["a"][1], 0.9))
    with pytest.raises(ResultError, match="image_id 3 is none of the annotations'"):
        score(card, file, names=names)


def test_rows_of_openface_with_success_0_have_no_answer(card, tmp_path):
    """Trap: they hold numbers all the same; and upper case X_ are millimetres."""
    across = ", ".join(f"x_{k}" for k in range(COUNT))
    down = ", ".join(f"y_{k}" for k in range(COUNT))
    space = ", ".join(f"X_{k}" for k in range(COUNT))
    lines = [f"frame, face_id, timestamp, confidence, success, {across}, {down}, {space}"]
    for frame, (name, success) in enumerate((("a", 1), ("b_1", 1), ("b_2", 0)), start=1):
        points = TRUTH[name][1]
        cells = [*points[:, 0], *points[:, 1], *points[:, 0] * 9]
        lines.append(f"{frame}, 0, 0.0, 0.9, {success}, {', '.join(map(str, cells))}")
    (tmp_path / "track.csv").write_text("\n".join(lines))
    (tmp_path / "frames.csv").write_text("frame,image\n1,a.jpg\n2,b.jpg\n3,b.jpg\n")
    with pytest.raises(ResultError, match="--frames FILE"):
        score(card, tmp_path / "track.csv")
    scores = score(card, tmp_path / "track.csv", frames=tmp_path / "frames.csv")
    assert (value(scores), scores.failed) == (pytest.approx(0, abs=1e-6), 1)


def test_shares_of_mediapipe_need_the_size_of_each_picture_and_half_a_pixel(card, tmp_path):
    sizes = {"a.jpg": (200, 150), "b.jpg": (320, 180)}
    layout_map = MAPS["478to68-peizhiyan"]
    content = {}
    for image, points in TRUTH.values():
        mesh = np.full((478, 2), 1.0)
        for target in range(COUNT):
            for point, _ in layout_map.x[target]:
                mesh[point] = points[target]
        shares = (mesh + 0.5) / np.array(sizes[image])
        landmarks = [{"x": x, "y": y, "z": 0.0} for x, y in shares.tolist()]
        content.setdefault(image, []).append({"landmark": landmarks})
    (tmp_path / "mesh.json").write_text(json.dumps(content))
    rows = "\n".join(f"{image},{width},{height}" for image, (width, height) in sizes.items())
    (tmp_path / "sizes.csv").write_text(f"image,width,height\n{rows}\n")
    with pytest.raises(ResultError, match="--sizes FILE"):
        score(card, tmp_path / "mesh.json", layout="478to68-peizhiyan")
    hints = {"layout": "478to68-peizhiyan", "sizes": tmp_path / "sizes.csv"}
    # points that share a vertex with another one are off, half a pixel of all would be more
    assert value(score(card, tmp_path / "mesh.json", **hints)) < 1.5
    with pytest.raises(ResultError, match="points are mediapipe478"):
        score(card, tmp_path / "mesh.json", sizes=tmp_path / "sizes.csv")


def test_98_points_become_68_by_the_map_that_is_named_and_the_record_keeps_it(card, tmp_path):
    from benchbox.runs import run_folders

    rng = np.random.default_rng(0)
    layout_map = MAPS["98to68-dlib68"]
    values = rng.uniform(0, 200, (3, 98, 2))
    for row, (_, points) in enumerate(TRUTH.values()):
        for target in range(COUNT):
            values[row, layout_map.x[target][0][0]] = points[target]
    np.testing.assert_allclose(convert_points(values[0], layout_map), TRUTH["a"][1])
    np.savez(tmp_path / "p.npz", ids=np.array(list(TRUTH)), values=values)
    with pytest.raises(ResultError, match=r"98to68-pipnet \| 98to68-pfld68 \| 98to68-dlib68"):
        score(card, tmp_path / "p.npz", origin=0.0)
    results = tmp_path / "results"
    scores = score(card, tmp_path / "p.npz", results=results, layout="98-to-68-dlib68")
    assert value(scores) == pytest.approx(0, abs=1e-4)  # kept as float32
    run = run_folders.read_run(results / "own" / "x" / "submitted" / "0")
    assert "mapped by 98to68-dlib68" in " ".join(run.record.data.notes)
    assert "--layout 98-to-68-dlib68" in run.record.command


@pytest.mark.parametrize("order", ["K2N", "N2K", "pairs", "halves"])
def test_a_mat_is_read_in_any_order_and_asks_for_its_origin(card, tmp_path, order):
    from scipy.io import savemat

    stack = np.stack([points for _, points in TRUTH.values()]) + 1
    shaped = {
        "K2N": stack.transpose(1, 2, 0),
        "N2K": stack.transpose(0, 2, 1),
        "pairs": stack.reshape(3, -1),
        "halves": stack.transpose(0, 2, 1).reshape(3, -1),
    }[order]
    names = np.array(list(TRUTH), dtype=object)
    savemat(tmp_path / "p.mat", {"preds": shaped, "names": names})
    with pytest.raises(ResultError, match=r"--origin 0, --origin 0\.5 or --origin 1"):
        score(card, tmp_path / "p.mat")
    assert value(score(card, tmp_path / "p.mat", origin=1.0)) == pytest.approx(0, abs=1e-6)


def test_a_list_that_was_pickled_is_refused_with_the_way_out(card, tmp_path):
    faces = np.empty(2, object)
    faces[0] = np.zeros((68, 2))
    np.save(tmp_path / "p.npy", faces)
    with pytest.raises(ResultError, match="pickled objects, which are refused: save a plain array"):
        score(card, tmp_path / "p.npy")


def test_rows_of_a_stack_are_called_by_a_text_beside_it(card, tmp_path):
    stack = np.stack([TRUTH[name][1] for name in ("b_2", "a", "b_1")])
    np.save(tmp_path / "p.npy", stack)
    with pytest.raises(ResultError, match="--names FILE"):
        score(card, tmp_path / "p.npy")
    (tmp_path / "p.txt").write_text("b#2\na\nb#1\n")
    assert value(score(card, tmp_path / "p.npy")) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("called", ["id", "image"])
def test_a_wide_parquet_calls_its_ids_as_a_csv_does(card, tmp_path, called):
    """Trap: `image` was taken in the Parquet of gaze and in CSV, not here."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows, nested = [], []
    for name, (_, points) in TRUTH.items():
        row = {called: name}
        for point, (x, y) in enumerate(points):
            row[f"x{point}"], row[f"y{point}"] = float(x), float(y)
        rows.append(row)
        nested.append({called: name, "landmarks": points.tolist()})
    for table in (rows, nested):
        parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "p.parquet")
        assert value(score(card, tmp_path / "p.parquet")) == pytest.approx(0, abs=1e-6)


def test_a_long_parquet_goes_by_point_and_not_by_row(card, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = []
    for image, points in TRUTH.values():
        for point, (x, y) in enumerate(points):
            rows.append({"image": image, "face": int(x > 150), "point": point, "x": x, "y": y})
            rows[-1]["face"] = int(points[0, 0] > 140)
    rng = np.random.default_rng(1)
    shuffled = [rows[k] for k in rng.permutation(len(rows))]
    parquet.write_table(pyarrow.Table.from_pylist(shuffled), tmp_path / "p.parquet")
    assert value(score(card, tmp_path / "p.parquet")) == pytest.approx(0, abs=1e-6)


FIVE_CARD = """
name = "mine"
title = "My faces"
dataset = "files"
layout = "ibug68"
source = {images = "p", parts = {test = "labels.csv"}}
train = {parts = [], expected = 0}
test = {overall = "all", expected = 1, groups = {all = ["test"]}}
box = {source = "ground_truth"}
score = {normalisers = ["inter_ocular"]}
"""


def test_five_points_are_divided_by_what_they_mark(tmp_path):
    """The trap: five points have no eye corners; the number under inter_ocular was a traceback."""
    points = 100 + 0.5 * shape_fit.mean_face("ibug68")[:, :2]
    header = ["image", *(f"{axis}{k}" for k in range(68) for axis in "xy")]
    cells = ["a.png", *map(repr, points.ravel().tolist())]
    (tmp_path / "labels.csv").write_text(",".join(header) + "\n" + ",".join(cells))
    (tmp_path / "mine.toml").write_text(FIVE_CARD)
    five = convert_points(points, MAPS["68to5"])
    np.savez(
        tmp_path / "five.npz",
        ids=np.array(["test/00001"]),
        values=five[None] + np.array([3.0, 4.0]),
    )
    said = []
    scored = score_predictions_file(
        tmp_path / "five.npz",
        str(tmp_path / "mine.toml"),
        "m",
        tmp_path,
        say=said.append,
        hints=Hints(layout="68to5"),
    )
    eyes = np.linalg.norm(five[0] - five[1])
    value = scored.scores.groups["all"]["nme_inter_pupil"].value
    assert value == pytest.approx(100 * 5 / eyes)
    assert any("does not mark what inter_ocular divides by" in line for line in said)


def test_detections_that_all_lie_elsewhere_are_no_number(card, tmp_path):
    """The trap: shares of the picture overlap no face, so that every face counted as failed."""
    shares = face() / 200
    results, names = write_coco(tmp_path, (1, shares, 0.9))
    with pytest.raises(ResultError, match=r"no detection lies where .* 1 of them between 0 and 1"):
        score(card, results, names=names)
    results, names = write_coco(tmp_path, (1, face() * 4, 0.9))
    with pytest.raises(ResultError, match="of another frame"):
        score(card, results, names=names)
    said: list[str] = []
    entries = (1, face() * 4, 0.9), (2, face(10), 0.9), (2, face(150), 0.9)
    results, names = write_coco(tmp_path, *entries)
    assert score(card, results, said, names=names).failed == 1
    assert any("1 pictures have one face and one detection, which lies" in line for line in said)


def test_a_file_named_by_its_picture_answers_the_only_face_there(card, tmp_path):
    """Ids that a reader makes up (`test/00001`) are no names of files."""
    text = (card.root / "truth.csv").read_text()
    (card.root / "truth.csv").write_text(text.replace("\na,", "\ntest/00001,"))
    folder = write_pts(tmp_path / "one", 1.0, names=["a"])
    scores = score(card, folder, missing_failed=True)
    assert (scores.failed, value(scores)) == (2, pytest.approx(0, abs=1e-6))


def move_pictures(card, folder):
    """Call the pictures of the card by a folder, and its items as well."""
    text = (card.root / "truth.csv").read_text()
    for name, image in (("a", "a.jpg"), ("b_1", "b.jpg"), ("b_2", "b.jpg")):
        text = text.replace(f"\n{name},{image}", f"\n{folder}/{name},{folder}/{image}")
    (card.root / "truth.csv").write_text(text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("00001", "test/00001"), ("root/test/00001", "test/00001"), ("train/00001", "train/00001")],
)
def test_ids_of_another_folder_are_other_items(given, expected):
    """The trap: with --origin `train/00001` was taken for `test/00001`, of another face."""
    ids = np.array(["test/00000", "test/00001"])
    truth = Truth(ids, np.zeros((2, COUNT, 2)), {"all": np.ones(2, bool)}, ids)
    index = Index("own", ids, np.full(2, "test"), truth.values, {}, ids, read=str)
    (found,) = prediction_writers._with_ids([FoundFace(face(), item=given)], truth, index)
    assert found.item == expected


def test_pictures_of_another_folder_are_other_pictures(card, tmp_path):
    move_pictures(card, "test")
    file, names = write_coco(tmp_path, (1, face(), 0.9))
    assert score(card, file, names=names).failed == 2  # a.jpg is the end of test/a.jpg
    names.write_text(names.read_text().replace('"a.jpg"', '"/elsewhere/test/a.jpg"'))
    assert score(card, file, names=names).failed == 2
    names.write_text(names.read_text().replace("/elsewhere/test/a.jpg", "train/a.jpg"))
    with pytest.raises(ResultError, match=r"'train/a.jpg', 'test/a' differs in the folder"):
        score(card, file, names=names)


def test_droppings_beside_openface_s_tables_are_passed_over(card, tmp_path):
    folder = tmp_path / "openface"
    folder.mkdir()
    header = ", ".join(["face", "confidence", *(f"{a}_{k}" for a in "xy" for k in range(COUNT))])
    for name, points in (("a", face()),):
        cells = ["0", "0.9", *map(str, points.T.ravel())]
        (folder / f"{name}.csv").write_text(f"{header}\n{', '.join(cells)}\n")
    (folder / "._a.csv").write_bytes(b"\0\5\x16\7")
    assert score(card, folder).failed == 2


def test_no_other_protocol_is_advised_for_ids_of_own_files(card, tmp_path):
    """The trap: `test/00002` looks like an id of AFLW's cards, and one row was missing."""
    values = np.stack([points for _, points in TRUTH.values()])[:2]
    np.savez(tmp_path / "p.npz", ids=np.array([*TRUTH][:2]), values=values)
    with pytest.raises(ResultError, match=r"b_2.* missing of the 3 of own: give each its row"):
        score(card, tmp_path / "p.npz")


def test_explain_reads_what_score_reads(card, tmp_path):
    """`score` sends people to `explain`, which must measure the same file as the same number."""
    from benchbox.analysis import explain

    zero = write_pts(tmp_path / "zero")
    file, names = write_coco(
        tmp_path,
        (1, TRUTH["a"][1] + 1, 0.9),
        (2, TRUTH["b_1"][1] + 1, 0.9),
        (2, TRUTH["b_2"][1] + 1, 0.9),
    )
    for path, hints in ((zero, Hints()), (file, Hints(names=names))):
        measured = explain.explain_predictions(path, str(card.card), card.root, hints=hints)
        expected = value(score(card, path, **vars(hints)))
        assert measured.measured.value == pytest.approx(expected)
        assert measured.measured.value > 1
        assert measured.offset is not None
        assert abs(measured.offset.dx) == pytest.approx(1, abs=1e-4)
