"""Files that are the worst of their kind: small on disk, large in memory; and what reads them.

`python bombs.py NAME FILE` reads one in a process of its own and prints how it ended, its most
memory in MB and the seconds.
"""

import io
import resource
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

MIB = 1 << 20


class Bomb(NamedTuple):
    make: Callable[[Path], None]
    read: Callable[[Path], object]
    ends: str  # "read" | "refused"
    most_mb: int  # of memory, twice what was measured or 400


def zeros_npz(path: Path, megabytes: int) -> None:
    rows = megabytes * MIB // (136 * 8)
    header = io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": (rows, 68, 2)}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        ids = io.BytesIO()
        np.lib.format.write_array(ids, np.array(["a"]))
        archive.writestr("ids.npy", ids.getvalue())
        with archive.open("values.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for start in range(0, rows * 136 * 8, MIB):
                member.write(bytes(min(MIB, rows * 136 * 8 - start)))


def noise_npz(path: Path) -> None:
    np.savez(path, values=np.random.default_rng(0).random((300_000, 68, 2)))


def zeros_mat(path: Path, megabytes: int) -> None:
    rows = megabytes * MIB // 8
    flags = struct.pack("<IIII", 6, 8, 6, 0)
    shape = struct.pack("<IIii", 5, 8, rows, 1)
    name = struct.pack("<II4s4x", 1, 4, b"data")
    head = flags + shape + name + struct.pack("<II", 9, rows * 8)
    squeeze = zlib.compressobj(9)
    parts = [squeeze.compress(struct.pack("<II", 14, len(head) + rows * 8) + head)]
    parts += [squeeze.compress(bytes(MIB)) for _ in range(megabytes)]
    parts.append(squeeze.flush())
    packed = b"".join(parts)
    start = b"MATLAB 5.0".ljust(124) + b"\0\1IM" + struct.pack("<II", 15, len(packed))
    path.write_bytes(start + packed)


def cells_mat(path: Path) -> None:
    """A cell of a billion entries, of which none is there."""
    flags = struct.pack("<IIII", 6, 8, 1, 0)
    shape = struct.pack("<IIii", 5, 8, 1_000_000_000, 1)
    body = flags + shape + struct.pack("<II4s4x", 1, 4, b"data")
    head = b"MATLAB 5.0".ljust(124) + b"\0\1IM"
    path.write_bytes(head + struct.pack("<II", 14, len(body)) + body)


def hollow_hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("phis", (1_000_000_000, 3), "f8", chunks=(1000, 3))


def long_csv(path: Path, rows: int, columns: int) -> None:
    names = ",".join(f"{'xy'[k % 2]}{k // 2}" for k in range(columns - 1))
    line = "a," + ",".join("1" * (columns - 1)) + "\n"
    path.write_text(f"id,{names}\n" + line * rows)


def json_of(path: Path, item: bytes, count: int) -> None:
    path.write_bytes(b"[" + item * (count - 1) + item.rstrip(b",") + b"]")


def one_value_parquet(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    column = pyarrow.array(np.zeros(20_000_000))
    parquet.write_table(pyarrow.table({"id": column, "x0": column}), path)


def read_npz(path: Path) -> object:
    from benchbox.runs.array_files import hash_content

    return hash_content(path)


def read_mat(path: Path) -> object:
    from benchbox.file_readers.matlab_files import read_v5

    return read_v5(path, None)


def read_hdf5(path: Path) -> object:
    from benchbox.file_readers.matlab_files import open_v73, read_matrix

    with open_v73(path) as file:
        return read_matrix(file, path, "phis")


def read_points(path: Path) -> object:
    from benchbox.runs.prediction_files import read_rows

    return read_rows(path)


def read_texts(path: Path) -> object:
    from benchbox.datasets.formats.delimited import read_table

    return read_table(path)


def read_json(path: Path) -> object:
    from benchbox.file_readers import json_files

    return json_files.read_json(path)


def read_xml(path: Path) -> object:
    from benchbox.file_readers.xml_files import parse_xml

    return parse_xml(path)


def read_parquet(path: Path) -> object:
    from benchbox.file_readers import parquet_files

    return parquet_files.read_parquet(path)


BOMBS = {
    "zeros.npz": Bomb(lambda path: zeros_npz(path, 2000), read_npz, "refused", 400),
    "noise.npz": Bomb(noise_npz, read_npz, "read", 2000),
    "zeros.mat": Bomb(lambda path: zeros_mat(path, 2047), read_mat, "refused", 400),
    "cells.mat": Bomb(cells_mat, read_mat, "refused", 400),
    "hollow.mat": Bomb(hollow_hdf5, read_hdf5, "refused", 400),
    "points.csv": Bomb(lambda path: long_csv(path, 400_000, 137), read_points, "read", 1000),
    "texts.csv": Bomb(lambda path: long_csv(path, 1_400_000, 9), read_texts, "refused", 1000),
    "wide.csv": Bomb(lambda path: long_csv(path, 1, 8_200), read_texts, "refused", 400),
    "tables.json": Bomb(lambda p: json_of(p, b'{"a":0},', 3_999_999), read_json, "read", 1800),
    "floats.json": Bomb(lambda p: json_of(p, b"1.5,", 15_999_999), read_json, "read", 1600),
    "more.json": Bomb(lambda p: json_of(p, b"[],", 4_000_001), read_json, "refused", 400),
    "deep.json": Bomb(lambda p: p.write_bytes(b"[" * 50_000_000), read_json, "refused", 600),
    "nodes.xml": Bomb(
        lambda p: p.write_bytes(b"<a>" + b'<b c=""/>' * 3_999_990 + b"</a>"), read_xml, "read", 2800
    ),
    "zeros.parquet": Bomb(one_value_parquet, read_parquet, "refused", 600),
}


def most_memory_mb() -> int:
    """The most that this process has taken; `ru_maxrss` begins with what the parent had."""
    with Path("/proc/self/status").open() as stream:
        for line in stream:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(name: str, path: Path) -> None:
    from benchbox.errors import BenchboxError

    started, ended = time.monotonic(), "read"
    try:
        BOMBS[name].read(path)
    except BenchboxError:
        ended = "refused"
    print(ended, most_memory_mb(), f"{time.monotonic() - started:.1f}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
