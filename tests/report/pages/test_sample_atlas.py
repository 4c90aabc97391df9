"""The atlas: the right faces, the right points, and no pixel of anybody else's data set."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import benchbox.report
from benchbox import datasets
from benchbox.errors import DataError
from benchbox.metrics import metric_names
from benchbox.papers.reference_rows import References
from benchbox.report.charts import face_drawings, face_outlines
from benchbox.report.inputs import results as stored
from benchbox.report.inputs import synthetic_items
from benchbox.report.pages import sample_atlas
from benchbox.report.pages.shared_data import Sources
from benchbox.report.site_build import output, site
from benchbox.report.tables import leaderboard, per_item
from tests.report.conftest import renew_digest

ROOM = Path(benchbox.report.__file__).parent


@pytest.fixture
def laid(demo, make, tmp_path):
    """Three runs whose points lie apart on face 7 and whose errors are largest on face 39."""
    x, y = np.meshgrid(np.linspace(60, 180, 17), np.linspace(70, 190, 4))
    shape = np.stack([x.ravel(), y.ravel()], axis=1)

    def lay(protocol=demo, names=None):
        for number in range(3):
            run = make(f"demo-{number}", 0.04 + 0.002 * number)
            with np.load(run.folder / "predictions.npz") as kept:
                ids, failed = kept["ids"], kept["failed"]
            values = np.repeat(shape[None], len(ids), axis=0) + number
            values[7] += 20.0 * number
            np.savez(
                run.folder / "predictions.npz",
                ids=ids if names is None else names,
                values=values,
                failed=failed,
            )
            renew_digest(run.folder)
        found, _ = stored.read_results(tmp_path / "results")
        board = leaderboard.build_leaderboard(protocol, found, References({}, ()), {})
        held, problems = per_item.gather_item_errors(
            protocol, board.tables[0], {r.page + ".html": r for r in found}
        )
        return sample_atlas.build_atlas_page(protocol, held, {}, problems)

    return lay


def test_sections_hold_the_faces_that_they_name(laid):
    page = laid()
    hardest, disputed, easiest = page.sections
    assert hardest.faces[0].id == "demo/face_39"
    assert disputed.faces[0].id == "demo/face_07"
    assert [answer.label for answer in hardest.faces[0].predictions] == [
        "demo-0 base",
        "demo-1 base",
        "demo-2 base",
    ]
    assert hardest.faces[0].groups == ("challenging",)
    shown = [face.id for section in page.sections for face in section.faces]
    assert len(shown) == len(set(shown)) == 24
    assert float(easiest.faces[0].predictions[0].error) < float(
        hardest.faces[0].predictions[0].error
    )


def test_points_lie_where_the_run_put_them():
    """A square of 100 px with its margin fills the drawing.

    The first pixel's centre is the origin.
    """
    corners = np.array([[10.0, 20.0], [110.0, 120.0]])
    where = face_drawings.square_around(corners)
    assert where == pytest.approx((-6.0, 4.0, 132.0))
    assert face_drawings.shape_path(corners, where, "five") == "M24 24h0M176 176h0"
    assert face_drawings.picture_box(where) == pytest.approx(
        ((-0.5 + 6) * 200 / 132, (-0.5 - 4) * 200 / 132, 387.88, 387.88), abs=0.01
    )


def test_a_face_is_drawn_as_lines_along_its_parts():
    """The trap: a line from the chin to a brow, or one through a point that lies far outside."""
    points = np.stack([np.arange(68.0), np.zeros(68)], axis=1)
    path = face_drawings.shape_path(points, (0.0, 0.0, 200.0), "ibug68")
    starts = [int(piece.split()[0]) for piece in path.split("M")[1:]]
    assert starts == [0, 17, 22, 27, 31, 36, 42, 48, 60]
    assert path.count("z") == 4, "eyes and lips are closed"
    steps = "".join(piece.partition("l")[2] for piece in path.split("M"))
    assert steps.count("1 0") == 68 - 9, "every other point is a step away from the one before"
    points[0] = (1e5, 0)
    assert face_drawings.shape_path(points, (0.0, 0.0, 200.0), "ibug68").startswith("M1 0l1 0")
    points[17:22] = 1e5
    assert "M17" not in face_drawings.shape_path(points, (0.0, 0.0, 200.0), "ibug68")


def test_a_face_is_drawn_alone_as_beside_others():
    """The trap: one point far outside its square changes the lines of the faces beside it."""
    draws = np.random.default_rng(4)
    faces = draws.normal(0, 30, (4, 68, 2))
    faces[2, 10], faces[2, 37] = 1e5, -1e5
    squares = [(-90.0 + k, -80.0, 170.0 + k) for k in range(4)]
    together = face_drawings.shape_paths(faces, squares, "ibug68")
    alone = [
        face_drawings.shape_path(face, square, "ibug68")
        for face, square in zip(faces, squares, strict=True)
    ]
    assert together == alone
    assert len({path.count(" ") + path.count("-") for path in together}) > 1
    (square,) = face_drawings.squares_around(faces[:1])
    assert square == face_drawings.square_around(faces[0])


def test_numbers_stay_apart_where_a_line_begins_left_of_its_square():
    """The trap: the blank of a start goes where that of a step may go."""
    points = np.array([[-10.0, -20.0], [-14.0, -18.0]])
    path = face_drawings.shape_path(points, (0.0, 0.0, 200.0), "five")
    assert path == "M-10 -20h0M-14 -18h0"


@pytest.mark.parametrize(("layout", "count", "alone"), [("ibug66", 66, 0), ("ibug51", 51, 0)])
def test_parts_of_the_68_points_have_their_lines(layout, count, alone):
    on_lines = [point for line in face_outlines.outline_of(layout) for point in line.points]
    assert sorted(on_lines) == list(range(count - alone))


def test_pupils_stay_dots():
    points = np.stack([np.arange(98.0), np.zeros(98)], axis=1)
    assert face_drawings.shape_path(points, (0.0, 0.0, 200.0), "wflw98").endswith("M96 0h0M97 0h0")


def test_a_turned_face_is_told_from_its_nose():
    points = np.zeros((68, 2))
    points[36], points[45] = (40, 50), (100, 50)
    points[27:36] = (70, 70)
    assert face_drawings.face_pose(points, "ibug68") == "frontal"
    points[27:36] = (50, 70)
    assert face_drawings.face_pose(points, "ibug68") == "turned left"
    assert face_drawings.face_pose(points, "no-such") == ""


def test_disagreement_is_measured_over_the_size_of_the_face():
    shape = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]])
    values = np.stack([np.stack([s, 2 * s]) for s in (shape, shape + np.array([3, 4]))])
    assert face_drawings.run_disagreement(values) == pytest.approx([0.025, 0.025])
    values[1, 0] = np.nan
    assert np.isnan(face_drawings.run_disagreement(values)[0])


# --- whose pictures may be seen -------------------------------------------------------------------


def test_a_licensed_set_is_points_on_grey_even_when_its_ids_look_like_ours(demo, laid):
    names = np.array([f"common/{k:05d}" for k in range(40)])
    page = laid(replace(demo, dataset="300w"), names)
    assert list(page.pictures) == []
    assert not page.has_pictures
    assert [
        face_drawings.picture_file(name, "common/00001") for name in ("300w", "wflw", "cofw")
    ] == [""] * 3


OURS = np.array([f"common/{k:05d}" for k in range(40)])


def test_our_own_faces_are_shown(demo, laid, monkeypatch):
    monkeypatch.setattr(sample_atlas, "_errors_match", lambda *_: True)
    page = laid(demo, OURS)
    assert len(list(page.pictures)) == 24
    assert all(re.fullmatch(r"face/300w-v\d+-common-\d{5}\.jpg", name) for name in page.pictures)
    assert page.has_truth


def test_no_face_is_shown_whose_scores_are_of_another_rendering(demo, laid):
    assert not laid(demo, OURS).has_pictures, "invented errors are none of these faces"


def test_a_turned_picture_is_another_one(demo, laid, monkeypatch):
    monkeypatch.setattr(sample_atlas, "_errors_match", lambda *_: True)
    assert not laid(replace(demo, rotation=15.0), OURS).has_pictures


def test_what_fits_gives_the_error_that_was_scored(demo):
    truth = np.array(
        synthetic_items.item_facts(synthetic_items.find_item("synth-300w", "common/00003"))[
            "values"
        ]
    )
    points = np.stack([truth + np.array([3.0, 4.0]), np.full_like(truth, np.nan)])
    width = float(np.hypot(*(truth[45] - truth[36])))
    metric = metric_names.parse_metric("nme_inter_ocular")
    assert sample_atlas._errors_match(demo, metric, truth, points, [500 / width, float("inf")])
    assert not sample_atlas._errors_match(demo, metric, truth, points, [510 / width, float("inf")])


@pytest.mark.parametrize(
    ("dataset", "name", "shape"),
    [
        ("synth-300w", "challenging/00134", (256, 256, 3)),
        ("synth-wflw", "test/wflw-00007", (256, 256, 3)),
        ("synth-cofw68", "test/cofw-00007", (256, 256, 3)),
        ("synth-gazecn", "test-003/00074", (288, 216, 3)),
        ("synth-mpiigaze", "eyes-002/00405", (36, 60, 3)),
    ],
)
def test_every_rendered_set_knows_its_items_and_nobody_elses(dataset, name, shape):
    found = synthetic_items.find_item(dataset, name)
    assert synthetic_items.draw_item(found).shape == shape
    assert synthetic_items.item_of_file(found.file) == found
    assert synthetic_items.find_item(dataset.removeprefix("synth-"), name) is None
    part = name.split("/")[0]
    assert synthetic_items.find_item(dataset, f"{part}/99999") is None, "there is no such item"
    assert synthetic_items.item_of_file(found.file.replace("-v", "-v9")) is None, (
        "another version of the generator"
    )


@pytest.mark.parametrize(
    "dataset", ["synth-300w", "synth-300w-private", "synth-300vw", "synth-aflw", "synth-gazestare"]
)
def test_names_are_those_that_the_readers_give(dataset):
    """Some items in memory: the truth of an item by its name is what the reader says."""
    index = datasets.open_dataset(dataset).tiny()
    rows = [row for row, name in enumerate(index.ids) if "gazecn" not in str(name)]
    for row in (rows[0], rows[-1]):
        found = synthetic_items.find_item(dataset, str(index.ids[row]))
        facts = synthetic_items.item_facts(found)
        true = facts["values"] if "values" in facts else facts["values68"]
        np.testing.assert_array_equal(true, index.values[row])
        np.testing.assert_array_equal(synthetic_items.draw_item(found), index.read(row))


@pytest.mark.parametrize(
    "name", ["helen/testset/1_1", "../common/00001", "common/1", "ibug/image_003_1"]
)
def test_nothing_but_the_face_world_is_drawn(name):
    assert face_drawings.picture_file("synth-300w", name) == ""
    for path in (name, f"face/{name}.jpg", f"face/300w-v1-{name.replace('/', '-')}.jpg"):
        with pytest.raises(DataError, match="no picture of our own making"):
            face_drawings.draw_picture(path)


# what the guides print of the readers: tables of words, no reader is called
TABLES_OF_DATASETS = {
    "benchbox.datasets.check_table",
    "benchbox.datasets.formats.annotation_writers.WRITERS",
}


def test_no_licensed_pixel_can_reach_the_site():
    """The proof by construction: one function makes pictures, from the face world.

    Nothing here can open an image.
    """
    makers = set()
    for path in sorted(ROOM.rglob("*.py")):
        tree = ast.parse(path.read_text())
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not names & {"imread", "imreadmulti", "VideoCapture", "Image"}, path
        modules = {
            f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not any(
            "datasets" in module or module.startswith(("PIL", "imageio", "skimage"))
            for module in modules - TABLES_OF_DATASETS
        ), path
        if "imencode" in names:
            makers.add(path.name)
    assert makers == {"face_drawings.py"}
    assert output.PICTURE == ".jpg"


def test_a_picture_put_into_the_site_by_hand_is_found(demo, laid, tmp_path, monkeypatch):
    monkeypatch.setattr(sample_atlas, "_errors_match", lambda *_: True)
    laid(demo, np.array([f"common/{k:05d}" for k in range(40)]))
    found, problems = stored.read_results(tmp_path / "results")
    sources = Sources((demo,), (), References({}, ()), tuple(found), tuple(problems))
    monkeypatch.setattr(site, "gather_sources", lambda folder, _=(): sources)
    drawn = tuple(
        face_drawings.draw_picture(synthetic_items.find_item("synth-300w", f"common/0000{k}").file)
        for k in (0, 1)
    )
    monkeypatch.setattr(face_drawings, "draw_picture", lambda name: drawn[0])
    site.render_site(tmp_path / "results", tmp_path / "site")
    assert site.find_stale_files(tmp_path / "results", tmp_path / "site") == []
    picture = min((tmp_path / "site" / "face").iterdir())
    picture.write_bytes(drawn[1])
    assert site.find_stale_files(tmp_path / "results", tmp_path / "site") == [
        f"face/{picture.name}: differs"
    ]
    picture.write_bytes(b"no picture")
    assert site.find_stale_files(tmp_path / "results", tmp_path / "site") == [
        f"face/{picture.name}: differs"
    ]


def test_another_jpeg_of_the_same_picture_is_the_same():
    import cv2

    item = synthetic_items.find_item("synth-300w", "challenging/00003")
    pixels = synthetic_items.draw_item(item)
    _, other = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert other.tobytes() != face_drawings.draw_picture(item.file)
    assert face_drawings.same_picture(other.tobytes(), face_drawings.draw_picture(item.file))
