"""Parquet of strangers: rows, columns and what they unpack to are believed before they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchbox.errors import BenchboxError, DataError

from . import bounds
from .regular_files import check_file, library_faults

_ROWS_AT_ONCE = 65_536


def read_parquet(path: Path, fault: type[BenchboxError] = DataError) -> Any:
    """Read a table as `pyarrow.Table`.

    Raises `fault` when pyarrow is not installed, or the file is damaged or beyond the bounds.
    """
    size = check_file(path, bounds.LARGEST_PARQUET, fault)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise fault(
            f"{path.name}: Parquet is read by pyarrow, which is not here: pip install pyarrow"
        ) from error
    allowed = bounds.unpacked_bound(size)
    with library_faults(path, "whole Parquet file", fault), parquet.ParquetFile(path) as file:
        rows, columns = file.metadata.num_rows, file.metadata.num_columns
        if columns > bounds.MOST_COLUMNS or rows * columns > bounds.MOST_CELLS:
            raise ValueError(f"{rows} rows of {columns} columns, beyond {bounds.MOST_CELLS}")
        # repeated values unpack from nothing: count what comes, not what the file says
        batches, unpacked = [], 0
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            unpacked += batch.nbytes
            if unpacked > allowed:
                raise ValueError(f"{size} bytes unpack to more than {allowed}")
            batches.append(batch)
        return pyarrow.Table.from_batches(batches, file.schema_arrow)


def holds_numbers(table: Any, name: str) -> bool:
    """Tell whether a column holds numbers, or nothing in any row."""
    import pyarrow

    kind = table.schema.field(name).type
    is_number = pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind)
    return bool(is_number or pyarrow.types.is_null(kind))


def read_numbers(table: Any, name: str, path: Path, fault: type[BenchboxError] = DataError) -> Any:
    """Return a column as float64 (N,), NaN where it is empty; raises `fault`."""
    import pyarrow

    column = table.column(name)
    if not holds_numbers(table, name):
        raise fault(f"{path.name}: the column {name[:40]!r} is {column.type}, not numbers")
    return column.cast(pyarrow.float64(), safe=False).to_numpy()


def read_texts(
    table: Any, name: str, path: Path, fault: type[BenchboxError] = DataError
) -> list[str]:
    """Return a column of texts or whole numbers (N) as texts; raises `fault`."""
    import pyarrow

    column = table.column(name)
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    is_text = pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)
    if column.null_count or not (is_text or pyarrow.types.is_integer(kind)):
        raise fault(f"{path.name}: the column {name[:40]!r} is {kind}, not a text in each row")
    return [str(cell) for cell in column.to_pylist()]
