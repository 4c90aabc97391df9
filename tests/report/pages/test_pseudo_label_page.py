"""Pages of pseudo-labels: what was accepted, how right it was, and our own faces alone shown."""

import numpy as np
import pytest

from benchbox.papers.reference_rows import References
from benchbox.report.inputs import results as stored
from benchbox.report.inputs import synthetic_items
from benchbox.report.pages import pseudo_label_page
from benchbox.report.pages.shared_data import Sources
from benchbox.report.site_build import site
from benchbox.runs import pseudo_labels, run_folders
from benchbox.runs.pseudo_labels import PseudoLabels

FACES, ROUNDS = 60, (1, 2, 2)


def invented(*, shown: bool = True) -> PseudoLabels:
    """Three choices of sixty rendered faces: scores know the error in round 1, not in round 2."""
    ids = np.array([f"train/{k:05d}" for k in range(FACES)])
    errors = np.stack([0.02 + 0.002 * np.arange(FACES)] * 3)
    errors[:, 5] = np.nan
    scores = np.stack(
        [
            -np.arange(FACES, dtype="f8"),
            np.cos(np.arange(FACES) * 2.5),
            np.arange(FACES, dtype="f8"),
        ]
    )
    accepted = np.stack([np.arange(FACES) < 20, scores[1] > 0.5, np.arange(FACES) >= 30])
    places = np.full((3, 24), -1)
    for step in range(3):
        order = np.argsort(-scores[step], kind="stable")
        yes, no = order[accepted[step][order]], order[~accepted[step][order]]
        places[step] = [*yes[:6], *yes[-6:], *no[:6], *no[-6:]]
    true = np.stack(
        [
            synthetic_items.item_facts(synthetic_items.find_item("synth-300w", str(name)))["values"]
            for name in ids[places.ravel()]
        ]
    )
    true = true.reshape(3, 24, 68, 2)
    return PseudoLabels(
        ids=ids,
        rounds=np.array(ROUNDS),
        students=np.array(["cpm", "cpm", "hg"]),
        scores=scores,
        accepted=accepted,
        errors=errors,
        metric="nme_inter_ocular",
        total=3000,
        shown=places,
        points=true + 2.0 if shown else None,
        truth=true if shown else None,
    )


@pytest.fixture
def laid(make, demo):
    def lay(found):
        run = make("demo-a", 0.04)
        pseudo_labels.write_pseudo_labels(run_folders.pseudo_labels_file(run.folder), found)
        run_folders.seal_again(run.folder)
        return pseudo_label_page.build_pseudo_label_page(stored.read_result(run), demo, {})

    return lay


def test_what_was_trusted_stands_in_numbers(laid):
    page = laid(invented())
    assert (page.total, page.kept, page.has_points) == (3000, FACES, True)
    first, second, third = page.choices
    errors = 100 * (0.02 + 0.002 * np.delete(np.arange(FACES), 5))
    assert first.title == "round 1, cpm"
    assert first.cells[0] == "20 of 60"
    assert float(first.cells[1]) == pytest.approx(errors[:19].mean(), abs=0.006)
    assert float(first.cells[2]) == pytest.approx(errors[19:].mean(), abs=0.006)
    assert float(first.cells[3]) == pytest.approx(errors.mean(), abs=0.006)
    assert (first.cells[4], third.cells[4]) == ("+1.00", "-1.00")
    assert abs(float(second.cells[4])) < 0.4


def test_curves_by_round_and_by_score(laid):
    rounds, scores = laid(invented()).charts
    names = [row[0] for row in rounds.numbers.rows]
    assert names == ["cpm accepted", "cpm rejected", "hg accepted", "hg rejected"]
    assert rounds.numbers.columns == ("", "1", "2")
    told = {row[0]: [float(value) for value in row[1:]] for row in scores.numbers.rows}
    assert told["round 1, cpm"] == sorted(told["round 1, cpm"]), (
        "the best scores have the smallest errors"
    )
    assert told["round 2, hg"] == sorted(told["round 2, hg"], reverse=True)
    assert len({values[-1] for values in told.values()}) == 1, "of all faces the mean is the same"


def test_examples_are_the_ends_of_both_parts(laid):
    choice = laid(invented()).choices[0]
    assert [face.id for face in choice.accepted] == [f"train/{k:05d}" for k in (0, 1, 18, 19)]
    assert [face.id for face in choice.rejected] == [f"train/{k:05d}" for k in (20, 21, 58, 59)]
    face = choice.accepted[0]
    assert face.picture == synthetic_items.find_item("synth-300w", "train/00000").file
    assert choice.accepted[1].predictions[0].error == "score -1, error 2.20"
    assert face.truth


def test_a_picture_of_another_rendering_is_not_shown(laid):
    found = invented()
    found.truth[:] += 5.0
    face = laid(found).choices[0].accepted[0]
    assert face.picture == ""
    assert face.predictions[0].path


def test_of_other_peoples_faces_there_are_ids_scores_and_errors(laid):
    page = laid(invented(shown=False))
    assert not page.has_points
    assert list(page.pictures) == []
    face = page.choices[0].accepted[0]
    assert (face.predictions[0].path, face.truth) == ("", "")
    assert face.predictions[0].error.endswith("error 2.00")


def test_a_damaged_file_is_told(laid, make, demo):
    run = make("demo-b", 0.04)
    run_folders.pseudo_labels_file(run.folder).write_bytes(b"no archive")
    page = pseudo_label_page.build_pseudo_label_page(stored.read_result(run), demo, {})
    assert page.choices == ()
    assert "pseudo_labels.npz" in page.problems[0]
    assert str(run.folder) not in page.problems[0]


def test_the_page_and_its_pictures_are_part_of_the_site(laid, tmp_path, demo):
    laid(invented())
    found, problems = stored.read_results(tmp_path / "results")
    made = site.plan_files(Sources((demo,), (), References({}, ()), tuple(found), tuple(problems)))
    name = pseudo_label_page.pseudo_label_path(found[0])
    html = made[name].content().decode()
    assert name == "labels/demo-full/demo-a/base/0.html"
    pictures = set(pseudo_label_page.build_pseudo_label_page(found[0], demo, {}).pictures)
    assert pictures <= made.keys()
    assert all(f"../../../../{picture}" in html for picture in pictures)
    assert f"../../../../{name}" in made["run/demo-full/demo-a/base/0.html"].content().decode()
