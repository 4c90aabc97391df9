"""The atlas: the right faces, the right points, and no pixel of anybody else's data set."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import benchbox.report
from benchbox.errors import DataError
from benchbox.references import References
from benchbox.report import atlas, faces, folder, samples, site, standings
from benchbox.report import results as stored
from benchbox.report.pages import Sources

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
            np.savez(run.folder / "predictions.npz", ids=ids if names is None else names, values=values, failed=failed)
        found, _ = stored.read(tmp_path / "results")
        board = standings.board(protocol, found, References({}, ()), {})
        held, problems = samples.gather(protocol, board.tables[0], {r.page + ".html": r for r in found})
        return atlas.page(protocol, held, {}, problems)

    return lay


def test_sections_hold_the_faces_that_they_name(laid):
    page = laid()
    hardest, disputed, easiest = page.sections
    assert hardest.faces[0].id == "demo/face_39"
    assert disputed.faces[0].id == "demo/face_07"
    assert [answer.label for answer in hardest.faces[0].answers] == ["demo-0 base", "demo-1 base", "demo-2 base"]
    assert hardest.faces[0].groups == ("challenging",)
    shown = [face.id for section in page.sections for face in section.faces]
    assert len(shown) == len(set(shown)) == 36
    assert float(easiest.faces[0].answers[0].error) < float(hardest.faces[0].answers[0].error)


def test_points_lie_where_the_run_put_them():
    """A square of 100 px with its margin fills the drawing; the first pixel's centre is the origin."""
    corners = np.array([[10.0, 20.0], [110.0, 120.0]])
    where = faces.frame(corners)
    assert where == pytest.approx((-6.0, 4.0, 132.0))
    assert faces.dots(corners, where) == "M24 24h0M176 176h0"
    assert faces.whole(where) == pytest.approx(
        ((-0.5 + 6) * 200 / 132, (-0.5 - 4) * 200 / 132, 387.88, 387.88), abs=0.01
    )


def test_a_turned_face_is_told_from_its_nose():
    points = np.zeros((68, 2))
    points[36], points[45] = (40, 50), (100, 50)
    points[27:36] = (70, 70)
    assert faces.pose(points, "ibug68") == "frontal"
    points[27:36] = (50, 70)
    assert faces.pose(points, "ibug68") == "turned left"
    assert faces.pose(points, "no-such") == ""


def test_disagreement_is_measured_over_the_size_of_the_face():
    shape = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]])
    values = np.stack([np.stack([s, 2 * s]) for s in (shape, shape + np.array([3, 4]))])
    assert faces.spread(values) == pytest.approx([0.025, 0.025])
    values[1, 0] = np.nan
    assert np.isnan(faces.spread(values)[0])


# --- whose pictures may be seen ----------------------------------------------------------------------------------


def test_a_licensed_set_is_points_on_grey_even_when_its_ids_look_like_ours(demo, laid):
    names = np.array([f"common/{k:05d}" for k in range(40)])
    page = laid(replace(demo, dataset="300w"), names)
    assert list(page.pictures) == []
    assert not page.shown
    assert [faces.picture_file(name, "common/00001") for name in ("300w", "wflw", "cofw")] == [""] * 3


def test_our_own_faces_are_shown(demo, laid):
    page = laid(demo, np.array([f"common/{k:05d}" for k in range(40)]))
    assert len(list(page.pictures)) == 36
    assert all(re.fullmatch(r"face/common-\d{5}\.jpg", name) for name in page.pictures)


@pytest.mark.parametrize("name", ["helen/testset/1_1", "../common/00001", "common/1", "ibug/image_003_1"])
def test_nothing_but_the_face_world_is_drawn(name):
    assert faces.picture_file("synth-300w", name) == ""
    with pytest.raises(DataError, match="no face of our own making"):
        faces.picture(name)


def test_no_licensed_pixel_can_reach_the_site():
    """The proof by construction: one function makes pictures, from the face world; nothing here can open an image."""
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
            "datasets" in module or module.startswith(("PIL", "imageio", "skimage")) for module in modules
        ), path
        if "imencode" in names:
            makers.add(path.name)
    assert makers == {"faces.py"}
    assert folder.PICTURE == ".jpg"


def test_a_picture_put_into_the_site_by_hand_is_found(demo, laid, tmp_path, monkeypatch):
    laid(demo, np.array([f"common/{k:05d}" for k in range(40)]))
    found, problems = stored.read(tmp_path / "results")
    sources = Sources((demo,), (), References({}, ()), tuple(found), tuple(problems))
    monkeypatch.setattr(site, "gather", lambda folder: sources)
    drawn = faces.picture("common/00000"), faces.picture("common/00001")
    monkeypatch.setattr(faces, "picture", lambda name: drawn[0])
    site.render(tmp_path / "results", tmp_path / "site")
    assert site.stale(tmp_path / "results", tmp_path / "site") == []
    picture = min((tmp_path / "site" / "face").iterdir())
    picture.write_bytes(drawn[1])
    assert site.stale(tmp_path / "results", tmp_path / "site") == [f"face/{picture.name}: differs"]
    picture.write_bytes(b"no picture")
    assert site.stale(tmp_path / "results", tmp_path / "site") == [f"face/{picture.name}: differs"]


def test_another_jpeg_of_the_same_picture_is_the_same():
    import cv2

    pixels = faces.pixels("challenging/00003")
    assert pixels.shape == (256, 256, 3)
    _, other = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert other.tobytes() != faces.picture("challenging/00003")
    assert faces.alike(other.tobytes(), faces.picture("challenging/00003"))
