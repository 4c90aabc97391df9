"""Weights without torch: equal bytes for equal arrays, damage refused, older files read."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchbox.errors import ResultError
from benchbox.training.array_weights import load_arrays, save_arrays

ARRAYS = {"means": np.arange(6.0).reshape(3, 2), "overall": np.ones(2)}
FACTS = {"by": '["device"]', "groups": '["a", "b"]', "unit": "cm"}


def test_arrays_and_facts_come_back_and_equal_ones_are_equal_bytes(tmp_path):
    """Trap: with an entry per fact the header's order was one of chance."""
    files = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for number, file in enumerate(files):
        facts = dict(sorted(FACTS.items(), reverse=number % 2 == 1))
        save_arrays(file, ARRAYS, facts)
    assert len({file.read_bytes() for file in files}) == 1
    arrays, facts = load_arrays(files[0])
    assert facts == FACTS
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_one_flipped_bit_is_refused(tmp_path):
    file = tmp_path / "w.safetensors"
    save_arrays(file, ARRAYS)
    whole = file.read_bytes()
    for place in range(len(whole) - 8 * 8, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        file.write_bytes(flipped)
        with pytest.raises(ResultError, match=r"w\.safetensors: damaged weights"):
            load_arrays(file)


def test_files_of_earlier_versions_are_read(tmp_path):
    save_file(ARRAYS, tmp_path / "old.safetensors", metadata=FACTS)
    arrays, facts = load_arrays(tmp_path / "old.safetensors")
    assert facts == FACTS
    assert arrays["means"].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_an_array_in_fortrans_order_comes_back_as_it_was(tmp_path):
    """Trap: safetensors writes memory as it lies, so rows came back as columns."""
    solved = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    save_arrays(tmp_path / "w.safetensors", {"matrix": solved, "part": solved[:, 1]})
    arrays, _ = load_arrays(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(arrays["matrix"], solved)
    np.testing.assert_array_equal(arrays["part"], solved[:, 1])
