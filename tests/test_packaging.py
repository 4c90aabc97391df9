"""A wheel built from the tree, installed in a new environment and run from another folder, has
everything.

The trap: plugins and cards live beside the package, so a packaging slip is invisible in a checkout.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of a new environment that holds the wheel.

    Dependencies are borrowed from this one.
    """
    place = tmp_path_factory.mktemp("wheel")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, TOP],
        capture_output=True, text=True, check=False, env=env,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = place.glob("*.whl")
    venv.create(place / "env", with_pip=False)
    interpreter = place / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", interpreter, "install", "-q", "--no-deps", wheel],
        check=True, capture_output=True, env=env,
    )  # fmt: skip
    packages = subprocess.run(
        [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    # A .pth line adds this environment's packages behind the wheel's, without running its own .pth
    # files.
    (Path(packages) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


def benchbox(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-I", "-m", "benchbox", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_wheel_lists_every_shipped_method_and_protocol(python, tmp_path):
    methods = json.loads(benchbox(python, tmp_path, "list", "methods", "--json").stdout)
    assert {m["name"].replace("-", "_") for m in methods} == {
        p.parent.name for p in TOP.glob("methods/*/method.toml")
    }
    protocols = json.loads(benchbox(python, tmp_path, "list", "protocols", "--json").stdout)
    assert {p["name"] for p in protocols} == {p.stem for p in TOP.glob("protocols/*.toml")}


def test_the_wheel_is_what_runs(python, tmp_path):
    where = subprocess.run(
        [python, "-I", "-c", "import benchbox; print(benchbox.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert str(TOP) not in where


def test_the_wheel_runs_the_main_job_and_its_pages(python, tmp_path):
    """At smoke budget: install, run, report, from a folder that has nothing."""
    ran = benchbox(
        python,
        tmp_path,
        "run",
        "--method",
        "glsr",
        "--protocol",
        "synth-300w-full",
        "--budget",
        "smoke",
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "nme_inter_ocular" in ran.stdout or "inter_ocular" in ran.stdout
    reported = benchbox(python, tmp_path, "report")
    assert reported.returncode == 0, reported.stderr[-2000:]
    assert (tmp_path / "site" / "index.html").is_file()
