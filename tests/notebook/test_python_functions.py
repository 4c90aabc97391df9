"""`import benchbox` from a notebook: what is scored, run and compared is what the commands give."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import benchbox
from benchbox.cli import main
from benchbox.errors import ProtocolError, ResultError
from benchbox.types import Predictions


@pytest.fixture
def shifted(world):
    """Predictions that are the truth moved by 2 px to the right: NME = 2 / inter-ocular."""
    return dict(zip(world.tested, world.truth + np.array([2.0, 0.0]), strict=True))


def nme_of(world) -> float:
    eyes = world.truth[:, 36] - world.truth[:, 45]
    return float(np.mean(100 * 2 / np.hypot(*eyes.T)))


def as_forms(shifted, tmp_path):
    ids, values = list(shifted), np.stack(list(shifted.values()))
    columns = [f"{axis}{point}" for point in range(68) for axis in "xy"]
    table = pd.DataFrame(values.reshape(len(ids), -1), columns=columns)
    file = tmp_path / "given.npz"
    np.savez(file, ids=ids, values=values)
    return {
        "mapping": shifted,
        "arrays": {"ids": ids, "values": values},
        "value": Predictions(np.array(ids), values, np.zeros(len(ids), bool)),
        "file": file,
        "frame": table.assign(id=ids),
        "indexed frame": table.set_axis(pd.Index(ids, name="id")),
    }


@pytest.mark.parametrize("form", ["mapping", "arrays", "value", "file", "frame", "indexed frame"])
def test_predictions_of_any_form_get_the_number_of_the_command(world, shifted, tmp_path, form):
    given = as_forms(shifted, tmp_path)[form]
    scored = benchbox.score("tiny", given, data=world.data, say=lambda _: None)
    assert scored.value("nme_inter_ocular").value == pytest.approx(nme_of(world), rel=1e-9)
    assert scored.headline.startswith(f"{nme_of(world):.2f} [")
    assert scored.headline.endswith("% NME inter-ocular on unseen")


def test_frames_are_tidy_and_agree_with_the_json(world, shifted):
    scored = benchbox.score("tiny", shifted, data=world.data, say=lambda _: None)
    frame = scored.frame()
    assert list(frame.columns[:8]) == [
        "protocol", "method", "variant", "seed", "kind", "budget", "group", "metric",
    ]  # fmt: skip
    for row in frame.itertuples():
        entry = scored.document["scores"][row.group][row.metric]
        assert (row.value, row.unit) == (pytest.approx(entry["value"]), entry["unit"])
    assert len(frame) == sum(len(m) for m in scored.document["scores"].values())
    errors = scored.errors()
    assert errors["id"].tolist() == world.tested
    assert errors["nme_inter_ocular"].mean() * 100 == pytest.approx(nme_of(world), rel=1e-6)
    assert "<script" not in scored._repr_html_()
    assert "NME inter-ocular" in scored._repr_html_()


def test_faults_are_told_as_on_the_command_line(world, shifted):
    """Trap: a missing face or a mapping of another shape becomes a number or a traceback."""
    with pytest.raises(ResultError, match="Ahmad_Masood_02"):
        benchbox.score("tiny", {k: v for k, v in shifted.items() if k != world.tested[-1]},
                       data=world.data)  # fmt: skip
    with pytest.raises(ResultError, match="several shapes"):
        benchbox.score("tiny", {**shifted, world.tested[0]: np.zeros((5, 2))}, data=world.data)
    with pytest.raises(ResultError, match="are a list; give a file"):
        benchbox.score("tiny", [1, 2], data=world.data)
    with pytest.raises(ResultError, match="empty"):
        benchbox.score("tiny", {}, data=world.data)
    with pytest.raises(ResultError, match="no array of numbers"):
        benchbox.score("tiny", {"ids": world.tested, "values": [["a"]] * 6}, data=world.data)
    with pytest.raises(ResultError, match="origin '2'"):
        benchbox.score("tiny", shifted, data=world.data, origin=2)
    with pytest.raises(ResultError, match="no metric 'nme'; there are nme_inter_ocular"):
        benchbox.score("tiny", shifted, data=world.data, say=lambda _: None).value("nme")


def test_messages_about_values_of_python_name_no_file(world, shifted, tmp_path):
    """Trap: "predictions.npz: values have the shape …", a file that the person never wrote."""

    def told(given):
        with pytest.raises(ResultError) as fault:
            benchbox.score("tiny", given, data=world.data, say=lambda _: None)
        return str(fault.value)

    count = len(world.tested)
    narrow = {name: values[:5] for name, values in shifted.items()}
    assert told(narrow) == (
        f"predictions: values have the shape ({count}, 5, 2), tiny wants ({count}, 68, 2)"
    )
    frame = as_forms(shifted, tmp_path)["frame"]
    bare = frame.assign(id=[re.sub("_0([0-9])$", r"_\1", name) for name in frame["id"]])
    message = told(bare)
    assert message.startswith("predictions: ")
    assert message.endswith('which differs in leading zeros: read the table with dtype={"id": str}')
    file = tmp_path / "mine.csv"
    bare.to_csv(file, index=False)
    assert told(file).startswith("mine.csv: ")
    assert told(file).endswith("which differs in leading zeros")
    said = []
    odd = {name: values[:, ::-1] for name, values in shifted.items()}
    benchbox.score("tiny", odd, data=world.data, say=said.append)
    assert any(line.startswith("warning: predictions: ") for line in said), said
    assert not [line for line in said if "predictions.npz" in line or "benchbox explain" in line]


def test_a_run_its_errors_and_a_comparison(world, shifted):
    """`run` leaves what `load_results` reads; `compare` takes both by value or by name."""
    folder = world.results
    quiet = {"data": world.data, "say": lambda _: None}
    run = benchbox.run("mean-shape", "tiny", results=folder, **quiet)
    benchbox.score("tiny", shifted, method="shifted", results=folder, **quiet)
    stored = benchbox.load_results(folder)
    assert stored.names == ("tiny/mean-shape/mean-shape/0", "tiny/shifted/submitted/0")
    frame = stored.frame()
    best = frame[(frame.metric == "nme_inter_ocular") & (frame.method == "shifted")]
    assert best.value.item() == pytest.approx(nme_of(world), rel=1e-6)
    assert best.seed.isna().all()
    pd.testing.assert_frame_equal(stored.errors(stored.names[0]), run.errors())
    pd.testing.assert_frame_equal(stored.errors(run), stored.errors(run.folder))
    with pytest.raises(ResultError, match="write as tiny/mean-shape"):
        stored.errors("tiny/mean-shape")
    compared = benchbox.compare(run, "tiny/shifted/submitted", results=folder)
    row = compared.frame().iloc[0]
    assert row.difference == pytest.approx(row.other - row.baseline)
    assert row.verdict in ("better", "cannot tell")  # two people are few
    assert "shifted/submitted" in compared._repr_html_()
    assert "shifted/submitted" in str(compared)
    assert "tiny" in stored._repr_html_()
    assert "mean-shape/mean-shape on tiny" in run._repr_html_()


def test_parameters_are_given_as_python_values(world):
    world.method("set-me", "import numpy as np\ndef predictor(weights, device, params):\n"
                 "    def predict(samples):\n        boxes = np.stack([s.box for s in samples])\n"
                 "        x = boxes[:, None, :2] + np.arange(68)[:, None] * params['step']\n"
                 "        return x\n    return predict\n",
                 'params = {step = 1.0, on = true, sizes = [1, 2]}\n')  # fmt: skip
    run = benchbox.run(
        world.methods / "set_me", "tiny", data=world.data, results=world.results,
        overrides={"step": 0.5, "on": False, "sizes": [3, 4]}, say=lambda _: None,
    )  # fmt: skip
    assert run.run.record.params == {"step": 0.5, "on": False, "sizes": [3, 4]}


def test_a_protocol_is_given_by_name_by_value_or_by_card(world, tmp_path):
    card = benchbox.load_protocol("tiny")
    assert "noise with points" in card._repr_html_().lower()
    from dataclasses import replace

    with pytest.raises(ProtocolError, match="give its card's path"):
        benchbox.run("mean-shape", replace(card, card="sha256:0"), data=world.data)


def test_references_are_a_frame():
    frame = benchbox.references()
    cell = frame[(frame.paper == "glsr") & frame.own & (frame.metric == "nme_inter_ocular")]
    assert len(cell) > 5
    assert cell.value.between(1, 20).all()
    assert {"source", "venue", "table", "printed", "unit", "trained_on_more"} <= set(frame)


def test_the_manifest_lists_what_a_method_sees_and_no_label(world):
    frame = benchbox.manifest("tiny", data=world.data)
    assert frame["id"].tolist() == world.tested
    assert not [column for column in frame if column.startswith("label")]
    assert all(pd.io.common.file_exists(path) for path in frame.path)
    trained = benchbox.manifest("tiny", "labelled", data=world.data, labels=True)
    assert len(trained) == 12
    assert {"label_x0", "label_y67"} <= set(trained)
    assert not set(trained.id) & set(frame.id)


def test_import_loads_nothing_heavy():
    code = (
        "import sys, benchbox, json\n"
        "assert {'score', 'compare'} <= set(dir(benchbox))\n"
        "early = [m for m in ('numpy', 'pandas', 'torch', 'click') if m in sys.modules]\n"
        "benchbox.load_protocol('synth-300w-full')\n"
        "print(json.dumps([early, 'pandas' in sys.modules, 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], False, False]


def test_the_command_and_the_function_print_one_manifest(world):
    done = CliRunner().invoke(
        main, ["data", "manifest", "--protocol", "tiny", "--data", str(world.data)]
    )
    assert done.exit_code == 0, done.output
    frame = benchbox.manifest("tiny", data=world.data)
    lines = done.stdout.splitlines()
    assert lines[0].split(",") == list(frame.columns)
    assert len(lines) == 7
