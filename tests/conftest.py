"""Fixtures shared by the whole suite."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The licensed sample data, or a skip that says how to get the tests to run."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("BENCHBOX_DATA", beside))
    if not root.is_dir():
        pytest.skip("licensed samples not here: point BENCHBOX_DATA at a data root")
    return root
