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
MOST_JSON_VALUES = 32_000_000
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
