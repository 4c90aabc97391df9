"""Runs on disk: names that cannot collide or escape, records written once, one process each."""

import errno
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchbox import file_lock
from benchbox.errors import ResultError
from benchbox.runs import array_files, run_folders
from benchbox.runs.run_record import parse_record
from benchbox.types import Run

ERRORS = np.array([(0.1, False)], dtype=[("nme_inter_ocular", "<f8"), ("failed", "?")])

SCORES = {"schema": 1, "card": "c", "n": 1, "failed": 0, "scores": {}}


def record(**changes: object) -> dict[str, object]:
    empty: dict[str, object] = {
        key: {} for key in ("data", "digests", "environment", "code", "seconds")
    }
    facts = {
        "protocol": "p",
        "method": "m",
        "kind": "trained",
        "variant": "v",
        "overrides": {},
        "params": {},
        "test_looks": 1,
    }
    return empty | facts | changes


def place(tmp_path: Path, variant: str = "v", seed: int = 0) -> Path:
    return run_folders.run_folder(tmp_path / "results", "p", "m", variant, seed)


def finished(tmp_path: Path, **where: object) -> Run:
    run = place(tmp_path, **where)  # type: ignore[arg-type]
    with run_folders.claim_folder(run):
        run_folders.begin_job(run, {"card": "c"})
        run_folders.add_test_look(run)
        run_folders.save_scores(run, SCORES, ERRORS)
        document = record() | {"seed": int(run.name)}
        return run_folders.finish_run(run, parse_record(document, "run.json"))


# --- names ----------------------------------------------------------------------------------------


def test_the_standard_run_has_a_plain_name_and_every_change_is_named_in_order():
    assert run_folders.variant_folder("glsr") == "glsr"
    changes = {"loss": "l1", "flip": False, "sides": [4, 8], "rate": 0.5}
    assert (
        run_folders.variant_folder("glsr", "smoke", changes)
        == "glsr+budget=smoke+flip=off+loss=l1+rate=0.5+sides=4,8"
    )


def test_no_value_leaves_the_folder_or_imitates_another_name():
    name = run_folders.variant_folder("v", "quick", {"net": "../../etc/passwd", "a": "x+loss=l1"})
    assert "/" not in name
    assert name.count("+") == 2
    long = [run_folders.variant_folder("v", "quick", {"net": "x" * 300 + end}) for end in "ab"]
    assert long[0] != long[1]
    assert all(len(name) <= 160 for name in long)


def test_runs_lie_where_the_design_says(tmp_path):
    run = finished(tmp_path)
    assert run.folder == tmp_path / "results" / "p" / "m" / "v" / "0"
    assert (run.folder / "run.json").is_file()
    assert (run.protocol, run.method, run.variant, run.seed) == ("p", "m", "v", "0")
    assert run_folders.variant_name(run.folder) == "v"


# --- making a run ---------------------------------------------------------------------------------


def test_a_record_is_written_once(tmp_path):
    run = finished(tmp_path)
    before = (run.folder / "run.json").read_bytes()
    with (
        run_folders.claim_folder(run.folder),
        pytest.raises(ResultError, match="a record is written once; --fresh"),
    ):
        run_folders.finish_run(run.folder, parse_record(record(seed=1), "run.json"))
    assert (run.folder / "run.json").read_bytes() == before


def test_an_interrupted_job_goes_on_only_as_the_same_job(tmp_path):
    run = place(tmp_path)
    with run_folders.claim_folder(run):
        assert run_folders.begin_job(run, {"card": "c", "params": {"a": 1}})["sessions"] == 1
        (run_folders.work_folder(run) / "half").write_text("weights")
    with run_folders.claim_folder(run):
        assert run_folders.begin_job(run, {"card": "c", "params": {"a": 1}})["sessions"] == 2
    with (
        pytest.raises(ResultError, match="interrupted job with other params; --fresh"),
        run_folders.claim_folder(run),
    ):
        run_folders.begin_job(run, {"card": "c", "params": {"a": 2}})
    assert (run_folders.work_folder(run) / "half").exists()
    with run_folders.claim_folder(run):
        assert (
            run_folders.begin_job(run, {"card": "c", "params": {"a": 2}}, fresh=True)["sessions"]
            == 1
        )
    assert not (run_folders.work_folder(run) / "half").exists()


def test_looks_at_the_test_split_are_counted_across_fresh_starts(tmp_path):
    run = finished(tmp_path).folder
    with run_folders.claim_folder(run):
        run_folders.begin_job(run, {"card": "d"}, fresh=True)
        assert not run_folders.is_finished(run)
        assert run_folders.add_test_look(run) == 2
        assert run_folders.add_test_look(run) == 3


def test_fresh_is_a_way_out_of_damaged_notes(tmp_path):
    run = finished(tmp_path).folder
    (run / "run.json").write_text("{")
    (run_folders.work_folder(run) / "job.json").write_text("[]")
    with run_folders.claim_folder(run):
        run_folders.begin_job(run, {"card": "c"}, fresh=True)
    assert not (run / "run.json").exists()


def test_a_fault_before_anything_was_made_leaves_no_folder(tmp_path):
    run = place(tmp_path)

    def work() -> None:
        with run_folders.claim_folder(run):
            run_folders.begin_job(run, {})
            raise RuntimeError("no picture")

    with pytest.raises(RuntimeError, match="no picture"):
        work()
    assert list(tmp_path.iterdir()) == []


def test_a_fault_after_a_checkpoint_keeps_it(tmp_path):
    run = place(tmp_path)

    def work() -> None:
        with run_folders.claim_folder(run):
            run_folders.begin_job(run, {})
            (run_folders.work_folder(run) / "step1.safetensors").write_bytes(b"w")
            raise RuntimeError("later")

    with pytest.raises(RuntimeError, match="later"):
        work()
    assert (run_folders.work_folder(run) / "step1.safetensors").exists()


def test_a_place_that_cannot_be_written_is_told_before_and_while_claiming(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ResultError, match="no folder that can be written to; choose --results DIR"):
        run_folders.check_writable(place(tmp_path))
    with (
        pytest.raises(ResultError, match="cannot be written"),
        run_folders.claim_folder(place(tmp_path)),
    ):
        pass
    run_folders.check_writable(tmp_path / "other" / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_two_processes_never_share_a_run_and_a_killed_one_frees_it(tmp_path):
    """The trap: a lock file that outlives its process would block the folder for ever."""
    run = place(tmp_path)
    code = "import sys, time, pathlib, benchbox.runs.run_folders as s\n"
    code += "with s.claim_folder(pathlib.Path(sys.argv[1])):\n"
    code += " print('held', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with (
            pytest.raises(ResultError, match=rf"process {child.pid} works here"),
            run_folders.claim_folder(run),
        ):
            pass
        child.kill()
    with run_folders.claim_folder(run):
        pass


def test_the_training_log_is_copied_beside_the_record(tmp_path):
    run = place(tmp_path)
    with run_folders.claim_folder(run):
        run_folders.begin_job(run, {})
        (run_folders.work_folder(run) / "log.csv").write_text(
            "stage,step,epoch,loss,samples_per_s,seconds\n"
        )
        found = run_folders.finish_run(run, parse_record(record(), "run.json"))
    assert run_folders.read_log(found).startswith("stage,step")
    assert run_folders.read_log(finished(tmp_path, seed=1)) == ""


def test_digests_name_the_weights_and_nothing_else(tmp_path):
    run = place(tmp_path)
    with run_folders.claim_folder(run):
        run_folders.begin_job(run, {})
        array_files.write_npz(run / "predictions.npz", {"ids": np.array(["a"])})
        (run_folders.work_folder(run) / "notes.npy").write_bytes(b"n")
        assert list(run_folders.hash_outputs(run).weights) == ["notes.npy"]
        (run_folders.work_folder(run) / "w.safetensors").write_bytes(b"")
        assert run_folders.hash_outputs(run).to_json() == {
            "predictions.npz": array_files.hash_content(run / "predictions.npz"),
            "weights": {"w.safetensors": f"sha256:{hashlib.sha256(b'').hexdigest()}"},
        }


# --- reading runs ---------------------------------------------------------------------------------


def test_a_broken_record_does_not_end_the_listing(tmp_path):
    for seed in range(5):
        finished(tmp_path, seed=seed)
    runs = place(tmp_path).parent
    (runs / "1" / "run.json").write_text("{")
    (runs / "2" / "run.json").write_text(json.dumps({**record(), "schema": 99}))
    (runs / "3" / "run.json").write_text(json.dumps({**record(protocol="q"), "schema": 1}))
    (runs / "4" / "run.json").write_text(json.dumps({**record(digests=None), "schema": 1}))
    found = list(run_folders.list_runs(tmp_path / "results"))
    assert isinstance(found[0], Run)
    reasons = [item.reason for item in found[1:] if isinstance(item, run_folders.UnreadableRun)]
    assert [
        word in reason
        for word, reason in zip(
            ("cannot be read", "schema 99", "'q'", "'digests'"), reasons, strict=True
        )
    ]
    assert "schema 99, this benchbox reads 1" in reasons[1]
    assert "protocol = 'q' does not fit its folder" in reasons[2]


def test_errors_are_read_without_pickles_and_only_as_a_table(tmp_path):
    run = finished(tmp_path)
    np.testing.assert_array_equal(run_folders.read_errors(run), ERRORS)
    np.save(run.folder / "errors.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ResultError, match="holds pickled objects"):
        run_folders.read_errors(run)
    np.save(run.folder / "errors.npy", np.zeros(3))
    with pytest.raises(ResultError, match="not a table of per-face errors"):
        run_folders.read_errors(run)
    (run.folder / "errors.npy").unlink()
    for content in (b"no archive", (run.folder / "errors.npz").read_bytes()[:-40]):
        (run.folder / "errors.npz").write_bytes(content)
        with pytest.raises(ResultError, match=r"errors\.npz: is no whole \.npz file"):
            run_folders.read_errors(run)
    (run.folder / "errors.npz").unlink()
    with pytest.raises(ResultError, match="missing; the same `benchbox run` derives it again"):
        run_folders.read_errors(run)
    assert not run_folders.has_scores(run)


def test_a_table_in_the_older_form_is_read(tmp_path):
    run = finished(tmp_path)
    (run.folder / "errors.npz").unlink()
    np.save(run.folder / "errors.npy", ERRORS)
    assert run_folders.has_scores(run)
    np.testing.assert_array_equal(run_folders.read_errors(run), ERRORS)
    run_folders.save_scores(run.folder, SCORES, ERRORS)
    assert not (run.folder / "errors.npy").exists(), "scored again, it is in the new form"


def test_scores_of_another_schema_are_refused(tmp_path):
    run = finished(tmp_path)
    assert run_folders.read_scores(run).count == 1
    (run.folder / "scores.json").write_text('{"schema": 2}')
    with pytest.raises(ResultError, match=r"scores\.json: schema 2, this benchbox reads 1"):
        run_folders.read_scores(run)


def test_a_number_that_is_none_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        run_folders.write_json(tmp_path / "x.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSYS, "has no file locks"), (errno.EWOULDBLOCK, "works here")]
)
def test_a_disk_without_locks_is_not_taken_for_a_busy_run(tmp_path, monkeypatch, number, said):
    """Trap: "process ? works here; wait for it", for ever, on a cluster's disk without flock."""

    def refuse(*_):
        raise OSError(number, "Function not implemented")

    monkeypatch.setattr(file_lock.fcntl, "flock", refuse)
    with pytest.raises(ResultError, match=said), run_folders.claim_folder(place(tmp_path)):
        pass
