"""`report` on results of strangers: a bomb takes bounded memory, a FIFO waits for nobody."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main

METHOD = """
import numpy as np
def predictor(weights, device):
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 68, axis=1)
    return predict
"""
MEASURED = """
import json, resource, sys
from click.testing import CliRunner
from benchbox.cli import main
done = CliRunner().invoke(main, sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([done.exit_code, peak, done.output]))
"""


def put_bomb(file: Path) -> None:
    """2 GB of zeros in 2 MB."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in np.array(["values", "errors"]):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                head = {"descr": "<f8", "fortran_order": False, "shape": (986_000, 68, 2)}
                np.lib.format.write_array_header_1_0(stream, head)
                for _ in range(1023):
                    stream.write(bytes(1 << 20))


def put_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "put"),
    [("errors.npz", put_bomb), ("errors.npz", put_fifo), ("run.json", put_fifo)],
)
def test_report_is_bounded_whatever_lies_in_the_results(world, tmp_path, name, put):
    """The trap: 7.8 MB of a stranger took 4 GB and 216 s, and a FIFO hung the page builder."""
    world.method("mine", METHOD)
    folders = ["--data", world.data, "--results", world.results]
    words = ["run", "--method", "mine", "--protocol", "tiny", "--methods", world.methods, *folders]
    assert CliRunner().invoke(main, [*map(str, words)]).exit_code == 0
    (run,) = world.results.rglob("run.json")
    put(run.parent / name)
    words = ["report", "--results", world.results, "--out", tmp_path / "site"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,  # under load; it takes as long as without
        check=True,
    )
    code, peak_mb, said = json.loads(done.stdout.splitlines()[-1])
    assert code in (0, 2), said
    assert peak_mb < 400
    assert name in said or run.parent.name in said
