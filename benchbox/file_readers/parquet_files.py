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
