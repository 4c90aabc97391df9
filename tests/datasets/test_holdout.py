"""The hold-out: a recipe is chosen without a look at the test set.

Traps: a person or photo on both sides, a test item among them, other faces held out where the data
are only scored, weights that saw the hold-out tested on it.
"""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.datasets import holdout, split
from benchbox.errors import DataError
from benchbox.protocols import protocol_card
from benchbox.runs import execute, other_training, run_data, run_plan
from benchbox.runs.run_record import DataFacts
from tests.datasets.test_split import make

SEEN = """
import json
import numpy as np
from safetensors.numpy import save_file
def train(job):
    (job.out / "seen.json").write_text(json.dumps([str(s.id) for s in job.labelled.samples]))
    save_file({"mean": np.zeros(1)}, job.out / "w.safetensors")
def predictor(weights, device):
    return lambda samples: np.stack([s.box[:2] + np.zeros((68, 2)) for s in samples])
"""
CARD = replace(
    protocol_card.load_protocol("300w-full+holdout=0.15"),
    train_parts=("afw", "helen/trainset"),
    train_expected=40,
)


def held_out_ids(card, index):
    return sorted(str(sample.id) for sample in split.split_index(card, index).test)


def test_whole_photos_are_held_out_and_the_test_set_takes_no_part():
    index = holdout.hold_out(CARD, make())
    got = split.split_index(CARD, index)
    tested = {sample.id for sample in got.test}
    trained = {sample.id for sample in got.labelled.samples}
    official = {str(name) for name in index.ids if not name.startswith("afw")}
    assert (len(tested), len(trained)) == (6, 34)  # 15 % of 40 faces, in pairs
    assert not tested & trained
    assert not (tested | trained) & official
    pairs = {int(str(name).split("/")[1]) // 2 for name in tested}
    others = {int(str(name).split("/")[1]) // 2 for name in trained}
    assert not pairs & others
    assert got.truth.groups["holdout"].all()
    assert (got.data.train, got.data.test, got.data.variant) == (34, 6, "complete")
    note = "tested on 6 of 40 training items, not on the test set"
    assert note in got.data.notes


def test_a_smaller_hold_out_lies_within_a_larger_one():
    shares = {}
    for share in (0.1, 0.15, 0.2):
        card = replace(CARD, holdout=share)
        shares[share] = set(held_out_ids(card, holdout.hold_out(card, make())))
    assert [len(names) for names in shares.values()] == [4, 6, 8]
    assert shares[0.1] < shares[0.15] < shares[0.2]


def test_protocols_with_one_training_set_hold_out_the_same_faces():
    common = protocol_card.load_protocol("300w-common+holdout=0.15")
    common = replace(common, train_parts=CARD.train_parts, train_expected=40)
    index = holdout.hold_out(common, make())
    assert held_out_ids(common, index) == held_out_ids(CARD, holdout.hold_out(CARD, make()))


def test_the_rest_is_divided_without_the_hold_out():
    """Labelled share and validation come of what is trained on."""
    card = replace(CARD, labelled=0.5, validation=0.2)
    got = split.split_index(card, holdout.hold_out(card, make()))
    parts = [got.labelled.samples, got.validation.samples, got.unlabelled, got.test]
    names = [{str(sample.id) for sample in samples} for samples in parts]
    assert [len(part) for part in names] == [14, 2, 18, 6]
    assert len(set.union(*names)) == 40


def test_one_photo_alone_is_not_divided():
    with pytest.raises(DataError, match=r"needs two photos or more to train on, this copy has 1"):
        holdout.hold_out(CARD, make(train=2, clusters=np.array(["one"] * 7)))


def test_a_part_of_that_name_is_refused():
    """The trap: own cards call their test set `holdout`, which would be tested on beside ours."""
    parts = np.array(["afw"] * 40 + ["holdout"] * 5)
    with pytest.raises(DataError, match=r"a part of 300w is called 'holdout' itself; rename it"):
        holdout.hold_out(CARD, make(parts=parts))


def test_faces_with_absent_points_are_tested_on_and_count_for_no_completeness():
    """The trap: they train nothing, so a whole set with some held out looked like another one."""
    everyone = held_out_ids(CARD, holdout.hold_out(CARD, make()))
    bare = make()
    absent = np.zeros((len(bare.ids), 68), bool)
    absent[np.isin(bare.ids, everyone[:2])] = True
    card = replace(CARD, train_expected=38)
    got = split.split_index(card, holdout.hold_out(card, make(absent=absent)))
    assert sorted(str(sample.id) for sample in got.test) == everyone
    assert got.data.variant == "complete"


def test_cards_that_train_elsewhere_or_by_folds_offer_none():
    assert protocol_card.load_protocol("300w-full").options["holdout"] == (
        "0",
        "0.1",
        "0.15",
        "0.2",
    )
    for name in ("cofw68", "mpiigaze-small", "glsr-release", "300w-private"):
        assert "holdout" not in protocol_card.load_protocol(name).options


def test_offering_it_moves_no_hash_and_choosing_it_does():
    full = protocol_card.load_protocol("300w-full")
    assert protocol_card._card_hash(replace(full, options={})) == full.card
    chosen = protocol_card.load_protocol("300w-full+holdout=0.15")
    assert chosen.name == "300w-full+holdout=0.15"
    assert (chosen.overall, dict(chosen.groups)) == ("holdout", {"holdout": ("holdout",)})
    assert chosen.card != full.card


# --- runs -----------------------------------------------------------------------------------------


@pytest.fixture
def request_for(world):
    world.method("seen", SEEN)

    def make_request(protocol: str, **changes: object) -> run_plan.RunRequest:
        request = run_plan.RunRequest(
            method="seen",
            protocol=protocol,
            budget="smoke",
            device="cpu",
            data=world.data,
            results=world.results,
            methods=(world.methods,),
        )
        return replace(request, **changes)  # type: ignore[arg-type]

    return make_request


def test_a_run_trains_on_one_person_and_is_tested_on_the_other(world, request_for):
    outcome = execute.run_method(request_for("tiny+holdout=0.1"))
    folder = outcome.run.folder
    assert folder.relative_to(world.results).parts[0] == "tiny+holdout=0.1"
    trained = json.loads((folder / "work" / "seen.json").read_text())
    with np.load(folder / "predictions.npz") as file:
        tested = file["ids"].tolist()
    assert (len(trained), len(tested)) == (6, 6)  # whole people: half, where a tenth was asked for
    assert {name.split("_")[0] for name in trained} | {name.split("_")[0] for name in tested} == {
        "Anna",
        "Berta",
    }
    assert not set(tested) & set(world.tested)
    # scored again from its predictions alone, without training data: the same faces, one number
    card = protocol_card.load_protocol("tiny+holdout=0.1")
    again = run_data.open_index(card, world.data, pixels=False)
    assert split.ground_truth(card, again).ids.tolist() == tested


def test_weights_that_saw_the_hold_out_are_not_tested_on_it(request_for):
    whole = execute.run_method(request_for("tiny")).run
    with pytest.raises(DataError, match=r"was trained on 6 of the 6 test items of tiny\+holdout"):
        execute.run_method(request_for("tiny+holdout=0.1", weights_of=whole.folder))


def test_what_was_chosen_on_the_hold_out_is_tested_once_and_called_another_training(request_for):
    chosen = execute.run_method(request_for("tiny+holdout=0.1")).run
    tested = execute.run_method(request_for("tiny", weights_of=chosen.folder)).run
    assert tested.record.trained_by.differs == "set"


def test_what_is_unusual_in_training_and_test_data_is_said_once():
    """The trap: "train 2012 of 3148, moved annotations, moved annotations"."""
    index = make(variant="moved annotations")
    card = replace(protocol_card.load_protocol("300w-full"), groups={"full": ("ibug",)})
    card = replace(card, test_expected=2)
    trained = DataFacts("300w", "train 2012 of 3148, moved annotations", "sha256:0", (), 2012, 689)
    joined = other_training.join_data(SimpleNamespace(data=trained), card, index)
    assert joined.variant == "train 2012 of 3148, moved annotations"


def test_pages_say_that_it_is_no_test(world, request_for):
    run = execute.run_method(request_for("tiny+holdout=0.1")).run
    words = ["report", "--results", str(world.results), "--out", str(world.data.parent / "site")]
    made = CliRunner().invoke(main, words, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    site = world.data.parent / "site"
    pages = [path.read_text() for path in site.rglob("*.html") if "holdout" in path.name]
    assert any("10% of the training faces, left out of it; no test set" in page for page in pages)
    assert any("Noise with points: hold-out of the training set" in page for page in pages)
    assert any("Looks at the hold-out" in path.read_text() for path in site.rglob("*.html"))
    assert run.record.data.test == 6
