"""HDF5 files are data and name no other place to read; what does not fit is one clear line."""

import h5py
import numpy as np
import pytest

from benchbox.datasets.formats import hdf5
from benchbox.errors import DataError, ResultError
from benchbox.file_readers import hdf5_files, matlab_files
from benchbox.layouts import LAYOUTS
from benchbox.runs.prediction_formats import arrays
from benchbox.runs.prediction_formats.found_face import NO_HINTS


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["labels"] = np.arange(6.0).reshape(3, 2)
        file["words"] = np.array([b"a", b"b"])
        file["inner/pictures"] = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    return tmp_path / "a.h5"


def test_columns_and_rows_are_read_after_their_shape_was_believed(path):
    np.testing.assert_array_equal(
        hdf5.read_column(path, "labels", (None, 2)), [[0, 1], [2, 3], [4, 5]]
    )
    assert hdf5.count_rows(path, "inner/pictures", (None, 3, None)) == 2
    np.testing.assert_array_equal(
        hdf5.read_row(path, "inner/pictures", 1), np.arange(12, 24).reshape(3, 4)
    )
    assert hdf5.has_dataset(path, "labels")
    assert not hdf5.has_dataset(path, "gaze")


@pytest.mark.parametrize(
    ("name", "axes", "message"),
    [
        ("labels", (None, 3), r"a\.h5: labels: has the shape \(3, 2\), must be \(N, 3\)"),
        ("labels", (None,), r"labels: has the shape \(3, 2\), must be \(N\)"),
        ("words", (None,), r"words: holds .*, not numbers"),
        ("gaze", (None, 2), r"has no dataset 'gaze', only inner, labels, words"),
        ("labels/x", (None, 2), r"has no dataset 'labels/x'"),
        ("inner", (None, 2), r"'inner' is a group and no dataset"),
    ],
)
def test_what_does_not_fit_is_named(path, name, axes, message):
    with pytest.raises(DataError, match=message):
        hdf5.read_column(path, name, axes)


def test_a_file_that_is_no_hdf5_or_not_there_is_named(tmp_path):
    (tmp_path / "b.h5").write_bytes(b"words")
    with pytest.raises(DataError, match=r"b\.h5: is no whole HDF5 file"):
        hdf5.read_column(tmp_path / "b.h5", "labels", (None,))
    with pytest.raises(DataError, match=r"c\.h5: cannot be read: there is no such file"):
        hdf5.count_rows(tmp_path / "c.h5", "labels", (None,))


def test_values_kept_in_other_files_are_refused(tmp_path):
    """The trap: such a file reads any file of this machine.

    By an external link, external storage or a virtual dataset.
    """
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["labels"] = np.zeros((2, 2))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("secret.h5", "labels")
        file["soft"] = h5py.SoftLink("/linked")
        file.create_dataset("stored", (2, 2), "f8", external=[(str(secret), 0, 32)])
        layout = h5py.VirtualLayout((2, 2), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "labels", (2, 2))
        file.create_virtual_dataset("virtual", layout)
    for name in ("linked", "soft"):
        with pytest.raises(
            DataError, match=rf"'{name}' is a link to another place, which is refused"
        ):
            hdf5.read_column(tmp_path / "a.h5", name, (2, 2))
    for name in ("stored", "virtual"):
        with pytest.raises(
            DataError, match=rf"'{name}': keeps its values in another file, which is refused"
        ):
            hdf5.read_column(tmp_path / "a.h5", name, (2, 2))


def test_a_header_that_promises_too_much_allocates_nothing(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("labels", (1 << 40, 2), "f8", chunks=(16, 2))
        file.create_dataset("pictures", (2, 1 << 20, 1 << 20, 3), "u1", chunks=(1, 16, 16, 3))
    with pytest.raises(DataError, match=r"labels: 17592186044416 bytes, of which 0 are stored"):
        hdf5.read_column(tmp_path / "a.h5", "labels", (None, 2))
    with pytest.raises(DataError, match=r"pictures: pictures of .* are more than \d+ values"):
        hdf5.count_rows(tmp_path / "a.h5", "pictures", (None, None, None, 3))


def test_a_file_written_anew_is_read_anew(path):
    hdf5.read_column(path, "labels", (None, 2))
    path.unlink()
    with h5py.File(path, "w") as file:
        file["labels"] = np.ones((1, 2))
    assert hdf5.read_column(path, "labels", (None, 2)).tolist() == [[1, 1]]


def test_pictures_are_bytes_or_whole_numbers():
    assert hdf5.convert_to_uint8(np.array([0.0, 255.0]), "here").tolist() == [0, 255]
    for wrong in ([0.5], [-1.0], [256.0], [np.nan]):
        with pytest.raises(DataError, match="here: pixels are not whole numbers from 0 to 255"):
            hdf5.convert_to_uint8(np.array(wrong), "here")


def test_no_reader_of_matlab_files_follows_a_path_that_a_file_names(tmp_path):
    """The trap: only one of three ways to read HDF5 looked for external storage and links."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4.0).tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["phis"] = np.zeros((2, 2))
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("stored", (2, 2), "f8", external=[(str(secret), 0, 32)])
        file["linked"] = h5py.ExternalLink("other.h5", "phis")
    with matlab_files.open_v73(path) as file:
        with pytest.raises(DataError, match="stored: keeps its values in another file"):
            matlab_files.read_matrix(file, path, "stored")
        with pytest.raises(DataError, match="'linked' is a link to another place"):
            matlab_files.read_matrix(file, path, "linked")
        assert hdf5_files.find_member(file, "absent", "a") is None
    with pytest.raises(ResultError, match=r"linked' is a link|stored: keeps its values"):
        arrays.read_mat(path, NO_HINTS, LAYOUTS["ibug68"])
