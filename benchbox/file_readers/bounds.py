"""The bounds within which files of strangers are read, in one place; docs/bounds.md shows them.

Each is above what the largest dataset of the field needs, and what stays below it fits into the
memory of a small machine. A reader of one kind of file passes a lower one for its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

LARGEST_TEXT = 256 * MIB
LARGEST_JSON = 256 * MIB
LARGEST_CSV = 512 * MIB
LARGEST_XML = 256 * MIB
LARGEST_ARRAYS = GIB  # .npy, .npz
LARGEST_MATLAB = GIB
LARGEST_PARQUET = GIB
LARGEST_WEIGHTS = 2 * GIB  # .safetensors, files of torch.save, .onnx

DEEPEST_NESTING = 64  # lists within lists: JSON, XML
DEEPEST_TABLE = 16  # TOML, cells and structs of MATLAB
MOST_CONTAINERS = 4_000_000  # lists and tables of a JSON file
MOST_JSON_VALUES = 16_000_000
MOST_XML_NODES = 8_000_000  # elements and attributes
LARGEST_INTEGER = (1 << 63) - 1  # of either sign: JSON, TOML

MOST_COLUMNS = 8_192
LONGEST_LINE = 4 * MIB  # characters
MOST_CELLS = 64_000_000  # of a table that becomes arrays
MOST_TEXT_CELLS = 12_000_000  # of a table that is kept as texts

LARGEST_HEADER = 10_000  # bytes: what describes the array of an .npy
MOST_MEMBERS = 65_535  # arrays of an .npz
LARGEST_DIRECTORY = 16 * MIB  # of an .npz: the list of its arrays
LARGEST_UNPACKED = 320 * MIB  # arrays of an .npz together, variables of a .mat, a Parquet table
FREE_UNPACKED = 16 * MIB  # so much may unpack from anything
HIGHEST_RATIO = 200  # unpacked over packed, above that
MOST_MATLAB_ELEMENTS = 1_000_000  # cells and fields of a .mat
LARGEST_COLUMN = GIB  # a dataset of an HDF5 file that is read at once
LARGEST_ROW = 64_000_000  # values: one picture of an HDF5 file

LARGEST_PICTURE_FILE = 64 * MIB
LARGEST_PICTURE = 64_000_000  # pixels

LARGEST_PX = 1e6  # a coordinate, on either side of 0
LARGEST_CM = 1e4  # a place on or beside a screen
MOST_RESAMPLES = 100_000


@dataclass(frozen=True)
class Bound:
    """A line of the table of bounds."""

    files: str
    what: str
    value: str


def unpacked_bound(packed_bytes: int, largest: int = LARGEST_UNPACKED) -> int:
    """Return how many bytes may come out of so many packed ones, `largest` at most.

    >>> unpacked_bound(0) // MIB, unpacked_bound(MIB) // MIB, unpacked_bound(GIB) // MIB
    (16, 216, 320)
    """
    return min(largest, FREE_UNPACKED + HIGHEST_RATIO * packed_bytes)


BOUNDS = (
    Bound("every file", "is", "a regular file: no FIFO, device, socket, folder"),
    Bound("text", "size", f"{LARGEST_TEXT // MIB} MiB"),
    Bound("JSON", "size", f"{LARGEST_JSON // MIB} MiB; records of runs 64 MiB"),
    Bound("JSON", "lists and tables", f"{MOST_CONTAINERS:,}"),
    Bound("JSON", "values", f"{MOST_JSON_VALUES:,}"),
    Bound("JSON, XML", "nesting", f"{DEEPEST_NESTING} deep"),
    Bound("JSON, TOML, --set", "whole numbers", "64 bits, with a sign"),
    Bound("JSON", "numbers", "finite; NaN and Infinity are no JSON"),
    Bound("JSON", "texts", "whole characters: no lone surrogates"),
    Bound("TOML", "size", "64 KiB; claims 1 MiB"),
    Bound("TOML, .mat", "nesting", f"{DEEPEST_TABLE} deep"),
    Bound("XML", "size", f"{LARGEST_XML // MIB} MiB, without a document type or entities"),
    Bound("XML", "elements and attributes", f"{MOST_XML_NODES:,}"),
    Bound("CSV, TSV", "size", f"{LARGEST_CSV // MIB} MiB"),
    Bound("CSV, TSV", "cells of a row", f"{MOST_COLUMNS:,}"),
    Bound("CSV, TSV", "characters of a line", f"{LONGEST_LINE:,}"),
    Bound("CSV, TSV", "cells, read into arrays", f"{MOST_CELLS:,}"),
    Bound("CSV, TSV", "cells, kept as texts", f"{MOST_TEXT_CELLS:,}"),
    Bound(".npy, .npz", "size", f"{LARGEST_ARRAYS // MIB} MiB"),
    Bound(".npy, .npz", "header", f"{LARGEST_HEADER:,} bytes, version 1.0 or 2.0, no objects"),
    Bound(".npz", "arrays", f"{MOST_MEMBERS:,}, listed in {LARGEST_DIRECTORY // MIB} MiB"),
    Bound(".mat, .parquet", "size", f"{LARGEST_MATLAB // MIB} MiB"),
    Bound(
        ".npz, .mat (v5), .parquet",
        "unpacked",
        f"{LARGEST_UNPACKED // MIB} MiB, and no more than {FREE_UNPACKED // MIB} MiB + "
        f"{HIGHEST_RATIO} times the file",
    ),
    Bound(".mat (v5)", "cells and fields", f"{MOST_MATLAB_ELEMENTS:,}"),
    Bound(
        "HDF5, .mat (7.3)",
        "a dataset read at once",
        f"{LARGEST_COLUMN // MIB} MiB, and no more than {FREE_UNPACKED // MIB} MiB + "
        f"{HIGHEST_RATIO} times what is stored of it",
    ),
    Bound("HDF5", "values of one picture", f"{LARGEST_ROW:,}"),
    Bound(".parquet", "rows x columns", f"{MOST_CELLS:,}, of {MOST_COLUMNS:,} columns"),
    Bound(".safetensors, torch.save, .onnx", "size", f"{LARGEST_WEIGHTS // MIB} MiB"),
    Bound("torch.save", "unpacked", "as large as the file: it packs nothing"),
    Bound("PNG, JPEG", "size", f"{LARGEST_PICTURE_FILE // MIB} MiB"),
    Bound("PNG, JPEG", "pixels", f"{LARGEST_PICTURE:,}"),
    Bound(
        "points, boxes", "coordinates", f"{LARGEST_PX:,.0f} px to either side; boxes have an area"
    ),
    Bound("gaze", "places", f"{LARGEST_CM:,.0f} cm to either side; directions have length 1"),
    Bound("cards", "score.resamples", f"100 to {MOST_RESAMPLES:,}"),
)


def bounds_as_markdown() -> str:
    """Return the table of bounds as docs/bounds.md shows it."""
    lines = ["| file | what | bound |", "|---|---|---|"]
    lines += [f"| {bound.files} | {bound.what} | {bound.value} |" for bound in BOUNDS]
    return "\n".join(lines) + "\n"
