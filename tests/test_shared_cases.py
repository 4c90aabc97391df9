"""The shared cases of inputs that people report: each has a check that says RIGHT or WRONG.

They are no part of the project and lie beside the checkout (`../shared/cases`); without them the
tests are skipped. `BENCHBOX_CASES` points elsewhere.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "cases"
CASES = Path(os.environ.get("BENCHBOX_CASES", BESIDE))
CHECKS = sorted(CASES.glob("*/*/check.sh"))
LONGEST_S = 120  # a case that hangs is as wrong as one that fails

if not CHECKS:
    CHECKS = [pytest.param(None, marks=pytest.mark.skip("no cases beside the checkout"))]


def case_name(check: Path | None) -> str:
    return "none" if check is None else f"{check.parents[1].name}/{check.parent.name}"


@pytest.mark.data
@pytest.mark.parametrize("check", CHECKS, ids=case_name)
def test_a_shared_case_is_right(check, tmp_path):
    """The check runs our own command, with an empty home and no data but its own."""
    command = Path(sys.executable).with_name("benchbox")
    if not command.is_file():
        pytest.skip("no benchbox command beside this Python")
    surroundings = {key: value for key, value in os.environ.items() if key != "BENCHBOX_DATA"}
    ended = subprocess.run(
        ["sh", str(check), str(command)],
        cwd=tmp_path,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-1000:]}{ended.stderr[-1000:]}"
