"""Devices that are not there, and a process made ready."""

import subprocess
import sys

import pytest
import torch

from benchbox.errors import BenchboxError
from benchbox.training import process_setup


def test_auto_takes_what_is_there():
    assert process_setup.choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert process_setup.choose_device("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_an_absent_gpu_is_one_line():
    with pytest.raises(BenchboxError, match="sees no CUDA device here; use --device cpu"):
        process_setup.choose_device("cuda")


def test_a_seed_decides_torchs_numbers():
    process_setup.seed_everything(7)
    first = torch.rand(3)
    process_setup.seed_everything(7)
    assert torch.equal(first, torch.rand(3))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_glibc_takes_the_settings():
    """The settings are most of the speed on a CPU; a glibc that refuses them should be noticed."""
    assert process_setup.keep_memory()


KEPT = """
import resource, numpy
from benchbox.training import process_setup
assert process_setup.keep_memory() and process_setup.keep_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    numpy.ones(100 * 2**20, numpy.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
heap = open("/proc/self/smaps").read().split("[heap]")[1:]
print(any(" hg" in part.split("VmFlags:")[1].split("\\n")[0] for part in heap))
print(process_setup._THP.is_file() and "[madvise]" in process_setup._THP.read_text())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_memory_is_asked_for_once():
    """The trap: 25,600 page faults for 100 MB that were there a moment ago.

    A step asks for gigabytes.
    """
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True)
    faults, marked, on_request = done.stdout.split()
    assert int(faults) < 100
    if process_setup._OVERCOMMIT.read_text().strip() != process_setup._STRICT:
        assert marked == on_request
