"""Arrays on disk: packed small, with a digest of what they hold and not of how they are packed."""

import zipfile

import numpy as np
import pytest

from benchbox.errors import ResultError
from benchbox.runs import array_files, run_folders

COLUMNS = {
    "ids": np.array(["a/1", "b/22"]),
    "values": np.array([[0.1, 0.2], [np.nan, np.nan]], "<f4"),
    "failed": np.array([False, True]),
}
# sha256 of the file that stored these arrays uncompressed, before anything was packed
DIGEST = "sha256:e8f8de2b1304bc6ae4d30916f4075e38f48d686218dce3d80337e7349de348d7"


@pytest.mark.parametrize("packing", ["small", "fast"])
def test_arrays_come_back_bit_equal_and_numpy_reads_them(tmp_path, packing):
    path = tmp_path / "a.npz"
    array_files.write_npz(path, COLUMNS, packing)
    with np.load(path) as archive:
        assert archive.files == list(COLUMNS)
        for name, column in COLUMNS.items():
            assert archive[name].dtype == column.dtype
            assert archive[name].tobytes() == column.tobytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("packing", ["small", "fast"])
def test_the_digest_is_that_of_the_uncompressed_form_that_records_name(tmp_path, packing):
    path = tmp_path / "a.npz"
    array_files.write_npz(path, COLUMNS, packing)
    assert array_files.hash_content(path) == DIGEST
    assert run_folders.hash_file(path) != DIGEST


def test_a_file_in_the_uncompressed_form_has_the_digest_of_its_bytes(tmp_path):
    path = tmp_path / "old.npz"
    with path.open("wb") as stream:
        array_files._write_archive(stream, COLUMNS, zipfile.ZIP_STORED)
    assert array_files.hash_content(path) == run_folders.hash_file(path) == DIGEST


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ResultError, match=r"nowhere/a\.npz: cannot be written"):
        array_files.write_npz(tmp_path / "nowhere" / "a.npz", COLUMNS)
