"""explain end to end: bare numbers, the six published files, reference rows, and the command."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.analysis import explain
from benchbox.analysis.explain import (
    convention_grid,
    explain_number,
    nearest_rows,
    pixel_offset,
    text_and_json,
)
from benchbox.cli import main
from benchbox.errors import ResultError
from benchbox.layouts import IBUG68
from benchbox.metrics import landmarks
from benchbox.papers.reference_rows import Paper, ReferenceRow, References
from benchbox.protocols import protocol_card as protocols
from benchbox.scoring import score
from benchbox.types import Score


def means(claimed, measured):
    return [guess.means for guess in explain.guess_factors(explain.Claim.read(claimed), measured)]


@pytest.mark.parametrize(
    ("claimed", "measured", "said"),
    [
        ("3.49", 0.0349, "per cent"),
        ("0.0349", 3.49, "per cent"),
        ("4.01", 0.07, "degrees"),
        ("18.6", 1.86, "millimetres"),
        ("5.00", 3.58, "eye centres"),
        ("3.49", 3.4871, "equal within the printed digits"),
    ],
)
def test_bare_numbers_and_the_factor_between_them(claimed, measured, said):
    assert said in means(claimed, measured)[0]


def test_an_unknown_factor_is_no_explanation():
    assert means("3.49", 1.05) == []
    assert means("0", 1.0) == []


# --- reference rows -------------------------------------------------------------------------------


def row(group, printed, method="CFSS", metric="nme_inter_pupil", table="Table 8", apart=""):
    words = {
        "cites": "",
        "setting": "",
        "dataset": "300-W",
        "subset": group,
        "measure": "NME",
        "threshold": "",
    }
    return ReferenceRow(
        paper="p", line=2, table=table, method=method, normaliser="",
        printed=printed, value=float(printed), unit="%",
        own=False, protocols=("300w-full",),
        group=group, metric=metric, apart=apart, note="", **words,
    )  # fmt: skip


PAPERS = {"p": Paper("p", "P", "T", "A", "V", 2020, "")}
OURS = {
    "full": {"nme_inter_pupil": Score(6.0, "%", 5.5, 6.5)},
    "common": {"nme_inter_pupil": Score(5.0, "%", 4.8, 5.2)},
}


def looked_up(rows, name="cfss_v2", variants=None):
    return nearest_rows.find_neighbours(
        References(PAPERS, tuple(rows)), protocols.load_protocol("300w-full"), OURS, name, variants
    )


def test_namesakes_come_first_and_quotations_once():
    rows = [
        *(row("full", "6.05", "LBF"), row("full", "5.76"), row("common", "4.73")),
        *(
            row("full", "5.76", table="Table 9"),
            row("full", "9.0", "ESR"),
            row("full", "7.0", "SDM", apart="boxes"),
        ),
    ]
    found = looked_up(rows)
    assert [(n.method, n.table, n.namesake) for n in found] == [
        ("CFSS", "Table 8", True),
        ("LBF", "Table 8", False),
    ], "ESR is 33 % away: not near, and not the nearest either"
    assert [(c.group, c.gap) for c in found[0].cells] == [
        ("full", pytest.approx(0.24)),
        ("common", pytest.approx(0.27)),
    ]


def test_only_what_is_near_is_called_near():
    """The trap: three rows are always nearest; 5.72 was called near to 7.03."""
    near, far = (
        looked_up([row("full", "6.05", "LBF")])[0],
        looked_up([row("full", "7.1", "LBF")])[0],
    )
    assert (near.near, far.near) == (True, False)
    assert far.distance == pytest.approx(1.1 / 7.1)
    assert "LBF in P, Table 8 is near;" in text_and_json._neighbour_lines(near)[0]
    assert "is the nearest that is printed, 15 % away;" in text_and_json._neighbour_lines(far)[0]
    named = looked_up([row("full", "7.1")])[0]
    assert "bears the same name, 15 % away;" in text_and_json._neighbour_lines(named)[0]


def test_the_interval_says_whether_other_faces_could_make_the_gap():
    inside, outside = (
        looked_up([row("full", "6.3", "LBF")])[0],
        looked_up([row("full", "7.1", "LBF")])[0],
    )
    assert "other test faces alone could make this gap" in inside.why[0]
    assert "outside our interval on full" in outside.why[0]


def test_one_convention_must_fit_all_groups_at_once():
    """Trap: with hundreds of combinations one of them lands on any single number."""
    pupil = convention_grid.Choice("normaliser", "inter_pupil", "")
    other = convention_grid.Choice("points", "mouth", "")
    best = convention_grid.Choice("offset", "best", "")
    table = {
        "full": [
            convention_grid.Variant((pupil,), 5.763),
            convention_grid.Variant((other,), 5.76),
            convention_grid.Variant((best,), 5.9),
        ],
        "common": [
            convention_grid.Variant((pupil,), 4.731),
            convention_grid.Variant((other,), 2.2),
            convention_grid.Variant((best,), 4.9),
        ],
    }
    rows = [row("full", "5.76"), row("common", "4.73")]
    why = looked_up(rows, variants=lambda metric, group: table[group])[0].why
    assert "with the best constant offset on full / common: 5.90 / 4.90 against 5.76 / 4.73" in why
    assert (
        why[-1] == "measured with normaliser inter_pupil it is equal on full / common: 5.76 / 4.73"
    )
    table["common"][0] = convention_grid.Variant((pupil,), 4.8)
    why = looked_up(rows, variants=lambda metric, group: table[group])[0].why
    assert (
        "no convention makes it equal on full / common at once; nearest is normaliser inter_pupil"
        in why[-2]
    )
    alone = looked_up(rows[:1], variants=lambda metric, group: table[group])[0].why
    assert not [sentence for sentence in alone if "it is equal" in sentence]


def test_the_nearest_convention_has_the_smallest_miss_in_proportion():
    """Trap: 8.02 is twice 4.01, and as far from it as anything may be."""
    pupil = convention_grid.Choice("normaliser", "inter_pupil", "")
    other = convention_grid.Choice("points", "mouth", "")
    table = {
        "full": [convention_grid.Variant((other,), 8.02), convention_grid.Variant((pupil,), 4.5)],
        "common": [convention_grid.Variant((other,), 3.1), convention_grid.Variant((pupil,), 3.3)],
    }
    rows = [row("full", "4.01"), row("common", "3.00")]
    why = looked_up(rows, variants=lambda metric, group: table[group])[0].why
    assert "nearest is normaliser inter_pupil: 4.50 / 3.30" in why[-2]


@pytest.mark.parametrize("name", ["inter_ocular", "inter_pupil"])
def test_the_best_offset_is_that_under_the_normaliser_of_the_metric(case, name):
    """Trap: fitted under the card's first normaliser, it is not the best one under another.

    Faces whose outer corners lie far apart count little by their corners, and more by their pupils;
    they are those that were moved most.
    """
    values = case.truth.values.copy()
    wide = np.arange(len(values)) % 2 == 0
    values[wide, 36, 0] -= 100
    values[wide, 45, 0] += 100
    truth = dataclasses.replace(case.truth, values=values)
    moved = case.noisy() - case.truth.values + values
    moved[wide] += [4.0, 0.0]
    answers = case.answer(moved)
    scores = score.score_predictions(case.protocol, truth, answers).groups
    metric = f"nme_{name}"
    explanation = explain_number._explain_landmarks(
        explain_number._Case(
            case.protocol, case.index, truth, answers, scores, metric, "full", None, "mine", ()
        ),
        slipped=False,
    )
    offset = explanation.offset
    assert offset.before == pytest.approx(scores["full"][metric].value, rel=1e-9)
    (best,) = [one for one in explanation.nearest if one.name == nearest_rows.BEST_OFFSET]
    assert best.value == pytest.approx(offset.after, rel=1e-9)
    own = landmarks.normaliser_lengths(name, values, IBUG68, truth.boxes, truth.ids, None)
    for step in ((0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)):
        shift = np.add((offset.dx, offset.dy), step)
        assert pixel_offset.nme_percent(values, moved + shift, own) > offset.after


# --- the published predictions for 300-W ----------------------------------------------------------


@pytest.fixture(scope="module")
def published(data_root):
    root = data_root / "300w-published"
    if not root.is_dir():
        pytest.skip("the published predictions for 300-W are not here")
    return root


# Best shift in px by inter-ocular NME, NME in % before and after, the slip that is named.
FOUND = {
    "CE-CLM_general": ((1.02, 0.68), 4.51, 4.33, 1.0),
    "CFAN": ((0.09, 0.29), 4.96, 4.95, None),
    "CFSS": ((0.54, 0.32), 4.70, 4.65, 0.5),
    "CLM": ((0.95, 0.71), 7.08, 6.96, 1.0),
    "CLNF_general": ((0.88, 0.64), 5.43, 5.31, 1.0),
    "TCDCN": ((0.15, 0.27), 5.19, 5.18, None),
}


@pytest.mark.data
@pytest.mark.parametrize("method", FOUND)
def test_each_published_file_has_its_constant_offset(published, method):
    shift, before, after, named = FOUND[method]
    found = explain.explain_predictions(
        published / "predictions" / f"{method}.npz", "300w-full", published / "annotations"
    )
    assert (found.offset.dx, found.offset.dy) == (
        pytest.approx(shift[0], abs=0.02),
        pytest.approx(shift[1], abs=0.02),
    )
    assert found.offset.before == pytest.approx(before, abs=0.006)
    assert found.offset.after == pytest.approx(after, abs=0.006)
    assert found.offset.named == named
    assert found.neighbours
    assert all(neighbour.why for neighbour in found.neighbours)


@pytest.mark.data
def test_cfss_is_not_its_paper_and_the_reason_is_said(published):
    """The paper prints 4.73 / 9.98 / 5.76 by pupils.

    No convention makes the published re-run equal to that.
    """
    found = explain.explain_predictions(
        published / "predictions/CFSS.npz",
        "300w-full",
        published / "annotations",
        "5.76",
        "nme_inter_pupil",
    )
    assert found.measured.value == pytest.approx(6.6095, abs=1e-4)
    first = found.neighbours[0]
    assert (first.method, first.namesake) == ("CFSS", True)
    assert any("no convention makes it equal on" in sentence for sentence in first.why)
    assert found.tried > 400
    assert 0 < found.by_chance < 2


@pytest.mark.data
def test_a_claim_by_pupils_is_found_out(published):
    """Trap: the number of another normaliser, claimed for this one."""
    found = explain.explain_predictions(
        published / "predictions/CFSS.npz", "300w-full", published / "annotations", "6.61"
    )
    assert found.landing[0].name == "normaliser inter_pupil"
    text = explain.format_explanation(found)
    assert "divided by the distance of the eye centres" in text
    json.dumps(explain.explanation_to_json(found), allow_nan=False)


# --- the command ----------------------------------------------------------------------------------


def call(*words):
    return CliRunner().invoke(main, ["explain", *map(str, words)])


def test_the_command_on_bare_numbers():
    shown = call("--claimed", "3.49", "--measured", "0.0349")
    assert shown.exit_code == 0
    assert "fraction and the other in per cent" in shown.stdout
    assert (
        json.loads(call("--claimed", "3.49", "--measured", "0.0349", "--json").stdout)[0]["exact"]
        is True
    )


def test_wrong_use_exits_with_two():
    assert call().exit_code == 2
    assert call("file.npz").exit_code == 2
    fault = call("missing.npz", "--protocol", "synth-300w-full")
    assert (fault.exit_code, fault.stdout) == (2, "")
    assert "no such predictions file" in fault.stderr


def test_the_command_on_a_file(world, tmp_path):
    """The tiny world's predictions are the truth moved by one pixel: the slip is named, without any
    claim.
    """
    from benchbox import datasets
    from benchbox.datasets import split

    tiny = protocols.load_protocol("tiny")
    truth = split.ground_truth(tiny, datasets.open_dataset("ytf68").index(world.data, pixels=False))
    file = tmp_path / "mine.npz"
    np.savez(file, ids=truth.ids, values=truth.values - 1)
    shown = call(file, "--protocol", "tiny", "--data", world.data)
    assert shown.exit_code == 0, shown.output
    assert "adding (+1.00, +1.00) px" in shown.stdout
    assert "predictions count pixels from 0" in shown.stdout
    assert "worst points: " in shown.stdout
    claimed = call(file, "--protocol", "tiny", "--data", world.data, "--claimed", "0.000", "--json")
    document = json.loads(claimed.stdout)
    assert [change["name"] for change in document["landing"][0]["changes"]] == ["+1px"]
    assert len(document["points"]) == 68
    assert min(document["points"]) > 0
    with pytest.raises(ResultError, match="tiny has no metric 'nme'"):
        explain.explain_predictions(file, "tiny", world.data, metric="nme")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda points: points / 96, "between 0 and 1"),
        (lambda points: points[:, ::-1], "points are in another order"),
        (lambda points: np.roll(points, 1, axis=0), "the rows are in another order"),
        (lambda points: np.random.default_rng(1).uniform(0, 99, points.shape), "no turn, scale"),
        (lambda points: points * 0.4, "multiplied by 2.5"),
    ],
)
def test_no_best_offset_where_what_remains_is_no_face(world, tmp_path, spoil, said):
    """The trap: predictions in 0 … 1 were "lowered to 53.5 % by a constant shift"."""
    file = tmp_path / "mine.npz"
    np.savez(file, ids=np.array(world.tested), values=spoil(world.truth))
    shown = call(file, "--protocol", "tiny", "--data", world.data, "--claimed", "3.0")
    assert shown.exit_code == 0, shown.output
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("warning: ")]
    assert said in line
    assert "constant pixel offset" not in shown.stdout
    assert "offset best" not in shown.stdout


def test_a_bias_that_a_method_may_have_is_told_and_not_warned_of(world, tmp_path):
    """The trap: a warning on the strength of a shift that was fitted."""
    file = tmp_path / "mine.npz"
    np.savez(file, ids=np.array(world.tested), values=world.truth + np.array([2.0, -1.5]))
    shown = call(file, "--protocol", "tiny", "--data", world.data)
    assert "adding (-2.00, +1.50) px" in shown.stdout
    assert "warning" not in shown.stdout
