"""Devices that are not there, and a process made ready."""

import sys

import pytest
import torch

from benchbox.errors import BenchboxError
from benchbox.kit import runtime


def test_auto_takes_what_is_there():
    assert runtime.choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert runtime.choose_device("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_an_absent_gpu_is_one_line():
    with pytest.raises(BenchboxError, match="sees no CUDA device here; use --device cpu"):
        runtime.choose_device("cuda")


def test_a_seed_decides_torchs_numbers():
    runtime.seed_everything(7)
    first = torch.rand(3)
    runtime.seed_everything(7)
    assert torch.equal(first, torch.rand(3))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_glibc_takes_the_settings():
    """The settings are most of the speed on a CPU; a glibc that refuses them should be noticed."""
    assert runtime.keep_memory()
