"""Every bound holds: what lies beyond it is refused before it is made, in one line."""

import importlib.util
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchbox.datasets.formats import delimited, images
from benchbox.errors import DataError
from benchbox.file_readers import (
    bounds,
    csv_files,
    hdf5_files,
    json_files,
    matlab_files,
    numpy_files,
    parquet_files,
    regular_files,
    toml_files,
    weight_files,
    xml_files,
)

DOCS = Path(__file__).parents[2] / "docs" / "bounds.md"
HERE = Path(__file__).parent
_place = importlib.util.spec_from_file_location("bombs", HERE / "bombs.py")
bombs = importlib.util.module_from_spec(_place)
_place.loader.exec_module(bombs)


def test_the_docs_show_the_bounds_as_they_are():
    text = DOCS.read_text()
    table = bounds.bounds_as_markdown()
    start = text.index("| file | what | bound |")
    end = text.index("\n\n", start) + 1
    if os.environ.get("BENCHBOX_GOLD") == "update":
        DOCS.write_text(text[:start] + table + text[end:])
    assert text[start:end] == table


# --- files ----------------------------------------------------------------------------------------


def test_what_is_no_regular_file_is_refused_and_waits_for_nobody(tmp_path):
    """Opening a FIFO waits until somebody writes, and /dev/zero never ends."""
    os.mkfifo(tmp_path / "pipe.json")
    said = []

    def read() -> None:
        for path in (tmp_path / "pipe.json", Path("/dev/zero"), tmp_path):
            with pytest.raises(DataError) as fault:
                regular_files.read_bytes(path, 1 << 30)
            said.append(str(fault.value))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    assert [line.partition("(")[2].partition(")")[0] for line in said] == [
        "Is a FIFO",
        "Is a device",
        "Is a directory",
    ]


@pytest.mark.parametrize(
    "read",
    [
        lambda path: json_files.read_json(path, largest=9),
        lambda path: toml_files.read_toml(path, largest=9),
        lambda path: xml_files.parse_xml(path, largest=9),
        lambda path: numpy_files.read_npy(path, largest=9),
        lambda path: numpy_files.read_npz(path, largest=9),
        lambda path: matlab_files.read_v5(path, None, 9),
        lambda path: regular_files.read_text(path, 9),
    ],
)
def test_a_file_beyond_its_bytes_is_refused_by_its_size(tmp_path, read):
    (tmp_path / "a").write_bytes(b"0123456789")
    with pytest.raises(DataError, match="10 bytes, more than 9 bytes"):
        read(tmp_path / "a")


def test_weights_and_tables_are_refused_by_their_size(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"0123456789")
    monkeypatch.setattr(bounds, "LARGEST_WEIGHTS", 9)
    monkeypatch.setattr(bounds, "LARGEST_PARQUET", 9)
    for read in (weight_files.check_safetensors, parquet_files.read_parquet):
        with pytest.raises(DataError, match="10 bytes, more than 9 bytes"):
            read(tmp_path / "a")


# --- JSON, TOML, XML ------------------------------------------------------------------------------


def nested(depth: int) -> str:
    return '{"[": "}", "a": ' + "[" * (depth - 1) + "1" + "]" * (depth - 1) + "}"


def test_json_may_be_64_deep_and_not_65():
    """Brackets within texts do not count."""
    assert json_files.parse_json(nested(64), "a")["["] == "}"
    with pytest.raises(DataError, match="more than 64 deep"):
        json_files.parse_json(nested(65), "a")


def test_what_json_makes_is_counted_before_it_is_made(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_CONTAINERS", 3)
    monkeypatch.setattr(bounds, "MOST_JSON_VALUES", 5)
    assert json_files.parse_json('[[], {}, "a,b,[c", "\\",\\"", ""]', "a")[2] == "a,b,[c"
    with pytest.raises(DataError, match="more than 3 lists"):
        json_files.parse_json("[[], {}, []]", "a")
    with pytest.raises(DataError, match="more than 5 values"):
        json_files.parse_json("[1, 2, 3, 4, 5, 6, 7]", "a")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("[9223372036854775808]", "19 digits, beyond 64 bits"),
        ("[" + "9" * 5000 + "]", "5000 digits"),
        ("[1e999]", "beyond the range"),
        ("[-Infinity]", "-Infinity is no JSON number"),
        ('["\\ud800"]', "half of a character"),
        ('{"\\udfff": 1}', "half of a character"),
    ],
)
def test_numbers_and_texts_that_are_none_are_no_json(words, said):
    with pytest.raises(DataError, match=said):
        json_files.parse_json(words, "a.json")


def test_whole_numbers_and_characters_at_the_edge_are_json():
    words = '[9223372036854775807, -9223372036854775807, "\\ud83d\\ude00", 1e308]'
    found = json_files.parse_json(words, "a")
    assert found == [2**63 - 1, -(2**63 - 1), "😀", 1e308]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 17 + "]" * 17, "more than 16 deep"),
        (".".join("a" * 20) + " = 1", "more than 16 deep"),
        ("a = " + "[" * 20_000, "without end"),
        ("a = 9223372036854775808", "beyond 64 bits"),
        ("a = " + "9" * 5000, "is no TOML"),
    ],
)
def test_toml_is_bounded_in_depth_and_digits(tmp_path, text, said):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(DataError, match=said):
        toml_files.read_toml(tmp_path / "a.toml", largest=1 << 20)


def test_xml_is_bounded_in_depth_and_nodes(tmp_path, monkeypatch):
    file = tmp_path / "a.xml"
    file.write_text("<a>" * 64 + "</a>" * 64)
    assert xml_files.parse_xml(file).tag == "a"
    file.write_text("<a>" * 65 + "</a>" * 65)
    with pytest.raises(DataError, match="more than 64 deep"):
        xml_files.parse_xml(file)
    monkeypatch.setattr(bounds, "MOST_XML_NODES", 4)
    file.write_text("<a><b c='1' d='2'/><e/></a>")
    with pytest.raises(DataError, match="more than 4 elements"):
        xml_files.parse_xml(file)


# --- CSV ------------------------------------------------------------------------------------------


def read_rows(path: Path, **limits: int) -> list[list[str]]:
    with csv_files.open_csv(path, **limits) as rows:
        return list(rows)


def test_rows_cells_and_lines_of_csv_are_bounded(tmp_path, monkeypatch):
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n3,4\n")
    assert read_rows(file, most_cells=6)[2] == ["3", "4"]
    with pytest.raises(DataError, match=r"a\.csv:3: more than 5 cells"):
        read_rows(file, most_cells=5)
    monkeypatch.setattr(bounds, "MOST_COLUMNS", 1)
    with pytest.raises(DataError, match=r"a\.csv:1: 2 cells in a row, more than 1"):
        read_rows(file)
    monkeypatch.setattr(bounds, "LONGEST_LINE", 3)
    file.write_text("a\n\nbcde\n")
    with pytest.raises(DataError, match=r"a\.csv:3: .*more than 3 characters in a line"):
        read_rows(file)
    file.write_bytes(b"a\0\n")
    with pytest.raises(DataError, match="a NUL in a line"):
        read_rows(file)


def test_tables_without_commas_are_bounded_too(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("1 2\n3 4\n")
    monkeypatch.setattr(delimited, "MOST_TEXT_CELLS", 3)
    with pytest.raises(DataError, match=r"a\.txt:2: more than .* 3 cells"):
        delimited.read_table(tmp_path / "a.txt")


# --- arrays ---------------------------------------------------------------------------------------


def test_a_bomb_of_zeros_is_refused_by_its_list_of_arrays(tmp_path):
    file = tmp_path / "a.npz"
    np.savez_compressed(file, values=np.zeros((3_000_000, 2)))
    assert file.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"unpack to 48000\d\d\d, more than \d+ bytes"):
        numpy_files.read_npz(file)


def test_more_arrays_than_a_zip_can_count_are_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.npy", b"")
    monkeypatch.setattr(bounds, "LARGEST_DIRECTORY", 100)
    with pytest.raises(DataError, match="names beyond 100 bytes"):
        numpy_files.read_npz(tmp_path / "a.npz")


def test_more_rows_than_asked_for_are_refused_unread(tmp_path):
    np.savez(tmp_path / "a.npz", values=np.zeros(4))
    assert len(numpy_files.read_npz(tmp_path / "a.npz", most_rows=4)["values"]) == 4
    with pytest.raises(DataError, match="4 rows, there must be 3 or fewer"):
        numpy_files.read_npz(tmp_path / "a.npz", most_rows=3)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (10,)}", "shorter than its header"),
        (b"{'descr': '<U0', 'fortran_order': False, 'shape': (99999,)}", "shorter than its header"),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "pickled objects"),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (", "is no .npy array"),
        (b"[" * 9_000, "is no .npy array"),
    ],
)
def test_a_header_that_lies_or_is_none_makes_nothing(tmp_path, header, said):
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    (tmp_path / "a.npy").write_bytes(start + header + bytes(16))
    for read in (numpy_files.read_npy, numpy_files.map_npy):
        with pytest.raises(DataError, match=said):
            read(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["cells.mat", "hollow.mat"])
def test_what_is_claimed_and_not_there_is_not_made(tmp_path, name):
    bomb = bombs.BOMBS[name]
    bomb.make(tmp_path / name)
    with pytest.raises(DataError, match=r"1000000000 cells in 0 bytes|of which 0 are stored"):
        bomb.read(tmp_path / name)


def test_cells_within_cells_and_their_count_are_bounded(tmp_path, monkeypatch):
    from scipy.io import savemat

    cell = np.array([1.0])
    for _ in range(20):
        outer = np.empty(1, object)
        outer[0] = cell
        cell = outer
    savemat(tmp_path / "deep.mat", {"cell": cell})
    with pytest.raises(DataError, match="more than 16 deep"):
        matlab_files.read_v5(tmp_path / "deep.mat", ["cell"])
    savemat(tmp_path / "many.mat", {"cell": np.array(list("abcdefgh"), object)})
    monkeypatch.setattr(bounds, "MOST_MATLAB_ELEMENTS", 8)
    assert len(matlab_files.read_v5(tmp_path / "many.mat", ["cell"])) == 1


def test_a_packed_matrix_of_zeros_is_refused_by_its_size(tmp_path):
    bombs.zeros_mat(tmp_path / "a.mat", 40)
    assert (tmp_path / "a.mat").stat().st_size < 50_000
    with pytest.raises(DataError, match="a variable unpacks to more than"):
        matlab_files.read_v5(tmp_path / "a.mat", ["data"])


def test_a_dataset_is_read_within_what_is_stored_of_it(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("all", data=np.zeros((1000, 1000)), compression="gzip", chunks=True)
        file.create_dataset("none", (3000, 1000), "f8", chunks=(10, 10))
    with hdf5_files.open_hdf5(tmp_path / "a.h5") as file:
        assert hdf5_files.read_dataset(file["all"], "all").shape == (1000, 1000)
        with pytest.raises(DataError, match="24000000 bytes, of which 0 are stored"):
            hdf5_files.read_dataset(file["none"], "none")


def test_weights_that_were_packed_are_none_of_torch(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data/0", bytes(1 << 20))
    with pytest.raises(DataError, match=r"unpack to 1048576; torch\.save packs nothing"):
        weight_files.check_torch_archive(tmp_path / "a.pth")


# --- pictures and numbers -------------------------------------------------------------------------


def test_an_enormous_picture_is_refused_by_its_header(tmp_path):
    import struct

    head = b"\x89PNG\r\n\x1a\n" + struct.pack(
        ">I4sIIBBBBB", 13, b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0
    )
    (tmp_path / "a.png").write_bytes(head + b"\0\0\0\0IEND")
    with pytest.raises(DataError, match="60000 x 60000 pixels are more than 64000000"):
        images.decode_picture(tmp_path / "a.png")


# --- what it takes --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", bombs.BOMBS)
def test_memory_stays_within_what_the_docs_say(tmp_path, name):
    """Each in a process of its own: the most that it takes is part of docs/bounds.md."""
    bomb = bombs.BOMBS[name]
    bomb.make(tmp_path / name)
    done = subprocess.run(
        [sys.executable, str(HERE / "bombs.py"), name, str(tmp_path / name)],
        capture_output=True,
        text=True,
        timeout=500,
        check=True,
    )
    ended, megabytes, seconds = done.stdout.split()
    size = (tmp_path / name).stat().st_size / 1e6
    print(f"| `{name}` | {size:.1f} MB | {ended} | {megabytes} | {seconds} |")
    assert ended == bomb.ends
    assert int(megabytes) <= bomb.most_mb
