"""Try the mutants of a session that are not skipped, each in a fork of one warm process.

python tests/mutation/run_sample.py SESSION.sqlite [SECONDS]

What `cosmic-ray exec` does, without loading PyTorch and SciPy anew for each mutant. SECONDS bound
the processor time of all; a run that was cut short goes on where it was.
"""

import importlib
import os
import resource
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import cosmic_ray.plugins
import pytest
from cosmic_ray.mutating import use_mutation
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

sys.path.insert(0, str(Path(__file__).parent))
from run_tests import files_that_test

WARM = ("numpy", "scipy.stats", "cv2", "torch", "click", "safetensors.torch")
MOST_SECONDS = 120  # of processor time for one mutant: an endless loop is killed


def test_mutant(item: WorkItem) -> tuple[int, str]:
    """Return pytest's exit code for one mutant, 9 for one that was stopped, and its diff."""
    mutation = item.mutations[0]
    operator = cosmic_ray.plugins.get_operator(mutation.operator_name)(**mutation.operator_args)
    files = tuple(files_that_test(mutation.module_path))
    require_passing(files)
    with use_mutation(mutation.module_path, operator, mutation.occurrence) as (before, after):
        child = os.fork()
        if child == 0:
            run_tests(files)
        _, status = os.waitpid(child, 0)
    line = [
        now for was, now in zip(before.split("\n"), after.split("\n"), strict=False) if was != now
    ]
    code = os.waitstatus_to_exitcode(status)
    return (code if code >= 0 else 9), f"{mutation.module_path}:{mutation.start_pos[0]}: {line[:1]}"


@cache
def require_passing(files: tuple[str, ...]) -> None:
    """Stop unless tests pass without a mutant: else each mutant would seem to be killed."""
    child = os.fork()
    if child == 0:
        run_tests(files)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"without any mutant fails: {' '.join(files)}")


def run_tests(files: Iterable[str]) -> None:
    """Run test files in a child that ends here."""
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    os._exit(pytest.main([*options, *files]))


def spent_seconds() -> float:
    """Return the processor time of this process and its children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main(session: str, most: float) -> None:
    """Try the mutants of a session."""
    for name in WARM:
        importlib.import_module(name)
    with use_db(session, WorkDB.Mode.open) as database:
        for item in list(database.pending_work_items):
            if spent_seconds() > most:
                break
            code, diff = test_mutant(item)
            outcome = TestOutcome.KILLED
            if code == 0:
                outcome = TestOutcome.SURVIVED
                print(diff, flush=True)
            result = WorkResult(
                output=str(code),
                test_outcome=outcome,
                diff=diff,
                worker_outcome=WorkerOutcome.NORMAL,
            )
            database.set_result(item.job_id, result)
        outcomes = [result.test_outcome for _, result in database.results]
    tried = [outcome for outcome in outcomes if outcome is not None]
    survived = tried.count(TestOutcome.SURVIVED)
    print(f"{len(tried)} tried, {survived} survived, {spent_seconds():.0f} s of processor time")


if __name__ == "__main__":
    main(sys.argv[1], float((sys.argv[2:] or ["inf"])[0]))
