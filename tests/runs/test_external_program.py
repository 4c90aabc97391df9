"""A method that is another program: manifest in, predictions out, within its limits."""

import csv
import json
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.errors import PluginError, ResultError
from benchbox.plugins import code_digest, method_card
from benchbox.runs import execute, external_program, run_folders, run_plan

SCRIPT = """
import csv, json, sys
manifest, predictions, params = sys.argv[1:4]
step = json.load(open(params))["step"]
items = list(csv.DictReader(open(manifest)))
assert not [name for name in items[0] if name.startswith("label")]
assert {item["origin"] for item in items} == {"0.0"}
with open(predictions, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["id"] + [f"{axis}{point}" for point in range(68) for axis in "xy"])
    for item in items:
        assert open(item["path"], "rb").read(8) == b"\\x89PNG\\r\\n\\x1a\\n"
        x, y = float(item["box_x0"]), float(item["box_y0"])
        row = [item["id"]]
        for point in range(68):
            row += [x + point * step, y]
        writer.writerow(row)
"""
COMMAND = f"{sys.executable} program.py {{manifest}} {{predictions}} {{params}}"


def program(world, script=SCRIPT, run="", command=COMMAND):
    card = f"""
[params]
step = 1.0
[run]
command = '{command}'
{run}
[variants.w]
title = "W"
params = {{step = 2.0}}
"""
    folder = world.method("outside", "", card)
    (folder / "__init__.py").unlink()
    (folder / "program.py").write_text(script)
    return folder


def request(world, **more):
    return run_plan.RunRequest(
        "outside", "tiny", data=world.data, results=world.results, methods=(world.methods,), **more
    )


def test_a_program_is_run_scored_and_recorded_like_any_method(world):
    """Once for all test items, its parameters in a file, its pictures gone when it is done."""
    program(world, SCRIPT + "print('said')\nopen('calls.txt', 'a').write('x')\n")
    outcome = execute.run_method(request(world))
    assert outcome.run.record.kind == "weights"
    assert outcome.run.record.params == {"step": 1.0}
    stored = np.load(run_folders.predictions_file(outcome.run.folder))
    points = stored["values"]
    np.testing.assert_allclose(np.diff(points[:, :, 0], axis=1), 1.0)
    assert (world.methods / "outside" / "calls.txt").read_text() == "x"
    assert not list(outcome.run.folder.rglob("*.png"))
    wider = execute.run_method(request(world, variant="w", fresh=True))
    points = np.load(run_folders.predictions_file(wider.run.folder))["values"]
    np.testing.assert_allclose(np.diff(points[:, :, 0], axis=1), 2.0)


def test_an_edited_program_is_another_method(world):
    folder = program(world)
    before = code_digest.hash_method_code(method_card.find_card("outside", (world.methods,)))
    (folder / "program.py").write_text(SCRIPT + "# changed\n")
    after = code_digest.hash_method_code(method_card.find_card("outside", (world.methods,)))
    assert before != after


@pytest.mark.parametrize(
    ("script", "run", "command", "said"),
    [
        ("import sys; sys.exit(3)", "", COMMAND, "ended with code 3"),
        ("pass", "", COMMAND, "left no predictions.csv"),
        ("import time; time.sleep(60)", "seconds = 0.5", COMMAND, "longer than run.seconds = 0.5"),
        (
            "x = bytearray(400_000_000); import time; time.sleep(60)",
            "memory_gb = 0.2",
            COMMAND,
            "more than run.memory_gb = 0.2",
        ),
        ("", "", "/no/such {manifest} {predictions}", "/no/such cannot be run"),
    ],
)
def test_a_program_that_fails_ends_in_one_line_and_leaves_no_run(world, script, run, command, said):
    program(world, script, run, command)
    start = time.monotonic()
    with pytest.raises(PluginError, match=said):
        execute.run_method(request(world))
    assert time.monotonic() - start < 30
    assert not list(world.results.rglob("run.json"))


def test_children_of_a_program_end_with_it(world, tmp_path):
    """Trap: a shell script is killed and the network that it started computes on."""
    beat = tmp_path / "beat"
    child = (
        f"import time\nwhile True:\n    open({str(beat)!r}, 'a').write('x')\n    time.sleep(0.05)"
    )
    script = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)\n"
    )
    program(world, script, "seconds = 2")
    with pytest.raises(PluginError, match="longer than"):
        execute.run_method(request(world))
    size = beat.stat().st_size
    assert size > 0
    time.sleep(0.3)
    assert beat.stat().st_size == size


def test_predictions_that_do_not_fit_are_refused(world):
    """Trap: rows of half the items would be taken for failures."""
    half = SCRIPT.replace("for item in items:", "for item in items[:3]:")
    program(world, half)
    with pytest.raises(ResultError, match="Ahmad_Masood_00"):
        execute.run_method(request(world))
    other = SCRIPT.replace("range(68)", "range(5)")
    program_file = world.methods / "outside" / "program.py"
    program_file.write_text(other)
    with pytest.raises(ResultError, match="5, 2"):
        execute.run_method(request(world, fresh=True))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("command = 'predict {manifest}'", "run.command"),
        ("command = 'predict {manifest} {predictions} {weights}'", "run.command"),
        ("command = ''", "run.command"),
        ("seconds = 5", "run.command: is missing"),
        ("command = 'p {manifest} {predictions}'\nseconds = 0", "a number above 0"),
        ("command = 'p {manifest} {predictions}'\nmanifest = 'xml'", "csv | json"),
        ("command = 'p {manifest} {predictions}'\ntime = 4", "run.time: no such key"),
    ],
)
def test_a_card_says_what_is_wrong_with_its_program(world, line, said):
    world.method("wrong", "", f"[run]\n{line}\n")
    with pytest.raises(PluginError, match=said):
        method_card.find_card("wrong", (world.methods,))


def test_files_outside_the_folder_are_hashed_into_the_record(world, tmp_path):
    (tmp_path / "net.bin").write_bytes(b"weights")
    program(world, run=f"files = ['{tmp_path / 'net.bin'}']")
    outcome = execute.run_method(request(world))
    hashed = run_folders.hash_file(tmp_path / "net.bin")
    assert outcome.run.record.digests.weights["net.bin"] == hashed
    (tmp_path / "net.bin").unlink()
    with pytest.raises(PluginError, match="no file"):
        external_program.weights_files(world.methods / "outside")


def test_the_manifest_as_json_says_what_to_predict(world):
    script = (
        "import json, sys\nm = json.load(open(sys.argv[1]))\n"
        "assert (m['task'], m['points'], m['schema'], m['origin']) == ('landmarks', 68, 1, 0.0)\n"
        "assert len(m['items']) == 6 and len(m['items'][0]['box']) == 4\n"
        "import numpy as np\n"
        "np.savez(sys.argv[2], ids=[i['id'] for i in m['items']],"
        " values=np.arange(6 * 136.0).reshape(6, 68, 2))\n"
    )
    program(world, script, "manifest = 'json'\npredictions = 'npz'")
    outcome = execute.run_method(request(world))
    assert outcome.scored.scores.failed == 0


def test_manifest_and_score_fit_each_other_at_the_command_line(world, tmp_path):
    """An outside program's answers in the manifest's frame: `score --origin 0`."""
    out = tmp_path / "items.json"
    words = ["data", "manifest", "--protocol", "tiny", "--data", str(world.data)]
    done = CliRunner().invoke(main, [*words, "--out", str(out)])
    assert done.exit_code == 0, done.output
    document = json.loads(out.read_text())
    assert [item["id"] for item in document["items"]] == world.tested
    with (tmp_path / "p.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id"] + [f"{axis}{point}" for point in range(68) for axis in "xy"])
        pixel = world.truth - document["origin"]
        for item, points in zip(document["items"], pixel, strict=True):
            writer.writerow([item["id"], *points.ravel()])
    words = ["score", str(tmp_path / "p.csv"), "--protocol", "tiny", "--method", "exact"]
    done = CliRunner().invoke(main, [*words, "--origin", "0", "--data", str(world.data), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["scores"]["unseen"]["nme_inter_ocular"]["value"] < 1e-6
    done = CliRunner().invoke(
        main,
        ["data", "manifest", "--protocol", "tiny", "--labels", "--data", str(world.data)],
    )
    assert done.exit_code == 2
    assert "labels of the test items are not given out" in done.output
