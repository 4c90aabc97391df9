"""Predictions of gaze as other programs write them, from CSV to HDF5, in any convention.

What the numbers are cannot be read off them. A file is read as the labels of the protocol are
written (an own card: as its `source.gaze` says; all others: pitch, yaw in radians, up and left
positive, or vectors towards the eye, or cm from the camera, y up), unless options say otherwise.
How it was read is said, and kept in the record of the run.

* `.csv`, `.tsv`: columns by their names, `id` or `image` among them, in any order;
* `.txt`: blanks or commas; columns by their names as in a CSV where the first line names them, else
  the id first, and `columns` says the order of the numbers;
* `.npz`: `ids` and `values` (N, D); `columns` says their order;
* `.mat` (5 or 7.3), `.h5`: `ids`, `id` or `image` (texts) and `values` (N x D), or a variable for
  each column;
* `.parquet`: columns by their names, as a CSV.

Files without ids are refused, unless `in_order` says that they follow `benchbox data ids --of
test`.
A wholly empty or NaN row is no answer. Where other signs or another order fit the labels far
better, a reading that nobody has stated is refused, and one that was stated is warned of.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets.formats import delimited
from benchbox.datasets.gaze import notation
from benchbox.datasets.gaze.conventions import GazeRows, read_numbers
from benchbox.errors import DataError, ResultError
from benchbox.file_readers import hdf5_files, matlab_files, parquet_files
from benchbox.metrics import gaze_convention_search
from benchbox.number_text import is_number, parse_number
from benchbox.types import GazeConvention, Predictions, Truth

from . import prediction_files

if TYPE_CHECKING:
    from benchbox.types import Floats

_ID_COLUMNS = delimited.ID_COLUMNS
_ID_ARRAYS = prediction_files.ID_ARRAYS  # of .npz, .mat and .h5; the first that is there
_SUFFIXES = (".csv", ".tsv", ".txt", ".npz", ".mat", ".h5", ".hdf5", ".parquet")
_HDF5 = (".h5", ".hdf5")
_VALUES = ("values", "predictions")
_KINDS_OF_WIDTH = {2: "pitch, yaw | x, y", 3: "x, y, z"}  # numbers a row → what they can be
_MENDED = 0.6  # share of the error that another reading may leave
_LARGEST_MAT = 256 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class GazeReading:
    """How a file is written, as options say it; "" and () for what they do not say."""

    columns: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    unit: str = ""
    origin: str = ""
    frame: str = ""
    in_order: bool = False

    @property
    def given(self) -> bool:
        """Tell whether anything is said."""
        return self != GazeReading()

    @property
    def words(self) -> list[str]:
        """Return the options as they are typed, word by word, for the record."""
        words = []
        for key in ("columns", "positive"):
            if getattr(self, key):
                words += [f"--{key}", ",".join(getattr(self, key))]
        for key in ("unit", "origin", "frame"):
            if getattr(self, key):
                words += [f"--{key}", str(getattr(self, key))]
        if self.in_order:
            words.append("--in-order")
        return words


AS_THE_LABELS = GazeReading()


_FLAGS = "failed"  # the column of rows without an answer


@dataclass(frozen=True, eq=False)
class GazeTable:
    """Predictions as they stand in a file."""

    ids: list[str] | None  # (N,)
    columns: tuple[str, ...] | None  # names of the columns; None: they have none
    width: int  # numbers a row
    numbers_of: Callable[[Sequence[int]], Floats]  # places of columns → (N, D); NaN: empty
    where: list[str]  # (N,) names of the rows in messages


def is_read_here(path: Path, known: GazeRows | None, reading: GazeReading) -> bool:
    """Tell whether a file of gaze is read by its convention, not as benchbox writes it itself.

    >>> is_read_here(Path("predictions.npz"), None, GazeReading())
    False
    >>> is_read_here(Path("angles.txt"), None, GazeReading())
    True
    """
    suffix = path.suffix.lower()
    if reading.given or suffix in (".txt", ".tsv", ".mat", ".parquet", *_HDF5):
        return True
    return known is not None and suffix == ".csv"


def read_gaze_predictions(
    path: Path,
    truth: Truth,
    task: str,
    known: GazeRows | None,
    reading: GazeReading,
    *,
    protocol: str,
    suggest: prediction_files.Suggest | None = None,
    say: Callable[[str], None] = prediction_files.say_nothing,
) -> tuple[Predictions, str]:
    """Read predictions of gaze in the order of the truth; return them and how they were read.

    `known` is what own gaze files say of their rows (`Index.gaze`), None for other datasets. `say`
    is told which columns are not read; one that is called `failed` is.

    Raises
    ------
    ResultError
        The file is malformed, does not say what is needed, or does not fit the truth.
    """
    own = known is not None
    if known is None:
        known = GazeRows(task, tuple(truth.ids.tolist()), notation.HOUSE[task])
    table = read_gaze_table(path)
    convention = _find_convention(table, known.conventions, reading, path.name)
    if known.rotations is not None and not reading.frame:
        _require_frame(convention, known.conventions, path.name)
    numbers = _pick_columns(table, convention, path.name)
    unread = _unread_columns(table, convention)
    if _FLAGS in unread:
        unread.remove(_FLAGS)
        numbers[_read_flags(table)] = np.nan
    prediction_files.name_unread(path, "columns", unread, say)
    ids = _ids_of(table, truth, known, reading, path.name, protocol)
    order = prediction_files.match_ids(
        ids, truth.ids.tolist(), path.name, protocol=protocol, suggest=suggest
    )
    numbers = numbers[order]
    failed = np.isnan(numbers).all(axis=1)
    partly = np.isnan(numbers).any(axis=1) & ~failed
    if partly.any():
        row = int(np.argmax(partly))
        raise ResultError(
            f"{table.where[order[row]]}: a number is missing; a row without an answer is empty "
            "throughout"
        )
    answered = np.flatnonzero(~failed)
    values = np.full(truth.values.shape, np.nan)
    try:
        values[answered] = read_numbers(
            numbers[answered],
            convention,
            known.take([str(name) for name in truth.ids[answered]]),
            [table.where[row] for row in order[answered]],
        )
    except DataError as error:
        raise ResultError(str(error)) from error
    predictions = prediction_files.match_to_truth(
        truth.ids.tolist(), values, failed, truth, where=path.name, protocol=protocol
    )
    described = notation.describe_convention(convention)
    if own or reading.given:
        return predictions, described
    return predictions, ""


def refuse_other_convention(
    truth: Truth, predictions: Predictions, reading: GazeReading, name: str
) -> None:
    """Refuse predictions that fit far better under another reading, unless theirs was stated.

    Raises
    ------
    ResultError
        They do, and no option has said in full how the file is written.
    """
    if predictions.failed.all() or (reading.columns and reading.positive):
        return
    search = gaze_convention_search.search_point_convention
    if truth.values.shape[1] == 3:
        search = gaze_convention_search.search_direction_convention
    found = search(truth.values, predictions.values, clusters=truth.clusters)
    if found.certain and found.best.error < _MENDED * found.identity.error:
        raise ResultError(
            f"{name}: {found.warning}; say how the file is written: --columns … --positive … (and "
            "--unit, --origin); stated in full it is read as stated"
        )


# --- convention -----------------------------------------------------------------------------------


def _find_convention(
    table: GazeTable, known: Sequence[GazeConvention], reading: GazeReading, where: str
) -> GazeConvention:
    """Return how the file is written: as options say, what they leave open as the labels are."""
    if reading.columns:
        base = known[0]
        for candidate in known:
            if notation.kind_of(candidate.columns) == notation.kind_of(reading.columns):
                base = candidate
                break
        convention = base
        if notation.kind_of(reading.columns):
            convention = notation.with_columns(base, reading.columns)
        else:
            convention = replace(base, columns=reading.columns)
    else:
        convention = _convention_of_header(table, known, where)
    for key in ("positive", "unit", "origin", "frame"):
        if getattr(reading, key):
            convention = replace(convention, **{key: getattr(reading, key)})
    fault = notation.fault_of(convention)
    if fault:
        raise ResultError(f"{where}: --{fault[0]}: is missing or does not fit; allowed: {fault[1]}")
    return convention


def _require_frame(convention: GazeConvention, known: Sequence[GazeConvention], where: str) -> None:
    """Ask for the frame of directions that are not written as those of a set with two frames."""
    kinds = {notation.kind_of(other.columns) for other in known}
    if notation.kind_of(convention.columns) not in kinds:
        raise ResultError(
            f"{where}: --frame: is missing; the set is used in two frames: camera | normalised"
        )


def _convention_of_header(
    table: GazeTable, known: Sequence[GazeConvention], where: str
) -> GazeConvention:
    """Return the first convention of the labels whose columns the file names."""
    usual = ",".join(known[0].columns)
    if table.columns is None:
        raise ResultError(f"{where}: {_ask_columns(table.width, known)}")
    for candidate in known:
        _, names = notation.split_columns(candidate.columns)
        if set(names) <= set(table.columns):
            return candidate
    raise ResultError(
        f"{where}: has the columns {', '.join(table.columns)[:120]}, the labels are {usual}; say "
        "which columns are gaze: --columns yaw,pitch or x=gaze_x,y=gaze_y,z=gaze_z"
    )


def _ask_columns(width: int, known: Sequence[GazeConvention]) -> str:
    """Ask what the numbers of a row are; only what has as many is offered."""
    kinds = _KINDS_OF_WIDTH.get(width)
    if kinds is None:
        every = ", ".join(f"{count} ({kind})" for count, kind in _KINDS_OF_WIDTH.items())
        return f"{width} numbers a row; gaze has {every}"
    for candidate in known:
        quantities, _ = notation.split_columns(candidate.columns)
        if len(quantities) == width:
            usual = ",".join(quantities)
            break
    else:
        usual = kinds.partition(" | ")[0].replace(" ", "")
    return (
        f"does not say what its {width} numbers are; say it in their order: --columns {usual}, or "
        f"as it is ({kinds})"
    )


def _pick_columns(table: GazeTable, convention: GazeConvention, where: str) -> Floats:
    """Return the numbers (N, D) of a convention's columns; raises ResultError."""
    _, names = notation.split_columns(convention.columns)
    places: Sequence[int] = range(len(names))
    if table.columns is None:
        if all(name.isdecimal() for name in names):
            places = [int(name) for name in names]
        if table.width != len(names) or max(places) >= table.width:
            raise ResultError(f"{where}: {table.width} numbers a row, --columns names {len(names)}")
    else:
        absent = [name for name in names if name not in table.columns]
        if absent:
            raise ResultError(
                f"{where}: has no column {absent[0]!r}, only {', '.join(table.columns)[:120]}; "
                "--columns names them, as in x=gaze_x"
            )
        places = [table.columns.index(name) for name in names]
    numbers = table.numbers_of(places)
    infinite = np.isinf(numbers).any(axis=1)
    if infinite.any():
        raise ResultError(f"{table.where[int(np.argmax(infinite))]}: a number is infinite")
    return numbers


def _unread_columns(table: GazeTable, convention: GazeConvention) -> list[str]:
    """Return the names of columns that are neither ids nor gaze."""
    _, names = notation.split_columns(convention.columns)
    return [name for name in table.columns or () if name not in names]


def _read_flags(table: GazeTable) -> np.ndarray:
    """Return which rows (N,) a column says to have failed; an empty cell is none."""
    flags = table.numbers_of([(table.columns or ()).index(_FLAGS)])[:, 0]
    wrong = ~np.isin(flags, (0, 1)) & ~np.isnan(flags)
    if wrong.any():
        raise ResultError(f"{table.where[int(np.argmax(wrong))]}: failed must be 0 or 1")
    failed: np.ndarray = flags == 1
    return failed


def _call_ids(name: str, table: GazeTable) -> str:
    """Say where ids stand in this kind of file."""
    suffix = Path(name).suffix.lower()
    if suffix == ".npz":
        return f"an array of texts called {_or(_ID_ARRAYS)}"
    if suffix in (".mat", *_HDF5):
        return f"{'a cell' if suffix == '.mat' else 'texts'} called {_or(_ID_ARRAYS)}"
    if table.columns is None:
        return "the first of each row"
    return f"a column called {_or(_ID_COLUMNS)}"


def _or(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]])


def _ids_of(
    table: GazeTable, truth: Truth, known: GazeRows, reading: GazeReading, where: str, protocol: str
) -> list[str]:
    expected = [str(name) for name in truth.ids]
    if table.ids is None:
        if not reading.in_order:
            raise ResultError(
                f"{where}: has no ids ({_call_ids(where, table)}); --in-order says that its rows "
                f"follow `benchbox data ids --protocol {protocol} --of test`"
            )
        if len(table.where) != len(expected):
            raise ResultError(
                f"{where}: {len(table.where)} rows without ids for {len(expected)} test items"
            )
        return expected
    if set(table.ids) & set(expected):
        return table.ids
    return [known.aliases.get(name, name) for name in table.ids]


# --- files ----------------------------------------------------------------------------------------


def read_gaze_table(path: Path) -> GazeTable:
    """Read ids and numbers of a file by its suffix; raises ResultError."""
    suffix = path.suffix.lower()
    require_file(path)
    try:
        if suffix in (".mat", *_HDF5):
            return _table_of_variables(*_read_variables(path), path)
        if suffix == ".parquet":
            return _read_parquet(path)
        if suffix == ".npz":
            return _read_npz(path)
        if suffix in (".csv", ".tsv", ".txt"):
            return _read_text_table(delimited.read_table(path))
    except DataError as error:
        raise ResultError(str(error)) from error
    raise ResultError(f"{path.name}: predictions are .csv, .tsv, .txt, .npz, .mat, .h5 or .parquet")


def require_file(path: Path) -> None:
    """Raise ResultError for a folder, and where nothing is."""
    if path.is_dir():
        held = sorted(file.name for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        found = f"name one in it, such as {held[0]}" if held else "none lies in it"
        raise ResultError(
            f"{path}: is a folder; gaze is read from one file ({', '.join(_SUFFIXES)}): {found}"
        )
    if not path.is_file():
        raise ResultError(f"{path}: no such predictions file")


def _read_text_table(table: delimited.Table) -> GazeTable:
    """Take the ids out of a table; cells are read as numbers where a convention asks for them."""
    id_column = _id_column(table)
    columns = tuple(name for name in table.columns if name != id_column)
    ids = None
    if id_column:
        ids = [record[id_column] for record in table.rows]
    return GazeTable(
        ids,
        columns if table.has_header else None,
        len(columns),
        partial(_parse_columns, table, columns),
        [table.where(row) for row in range(len(table.rows))],
    )


def _parse_columns(table: delimited.Table, columns: Sequence[str], places: Sequence[int]) -> Floats:
    numbers = np.full((len(table.rows), len(places)), np.nan)
    for row, record in enumerate(table.rows):
        for column, place in enumerate(places):
            cell = record[columns[place]]
            if not cell:
                continue
            try:
                numbers[row, column] = parse_number(cell)
            except ValueError as error:
                raise ResultError(
                    f"{table.where(row)}: {columns[place]}: {cell[:40]!r} is not a number"
                ) from error
    return numbers


def _table_of_array(
    ids: list[str] | None, columns: tuple[str, ...] | None, numbers: Floats, path: Path
) -> GazeTable:
    def numbers_of(places: Sequence[int]) -> Floats:
        return np.asarray(numbers[:, list(places)])

    where = [f"{path.name}: row {row}" for row in range(len(numbers))]
    return GazeTable(ids, columns, numbers.shape[1], numbers_of, where)


def _id_column(table: delimited.Table) -> str:
    """Return the column of ids, "" where there is none."""
    if table.has_header:
        for name in _ID_COLUMNS:
            if name in table.columns:
                return name
        return ""
    first = table.columns[0]
    if table.rows and not any(map(is_number, table.rows[0].values())):
        raise ResultError(
            f"{table.where(0)}: names columns, but none is called {_or(_ID_COLUMNS)}: call the ids "
            "so, or strike the line out"
        )
    try:
        for record in table.rows:
            float(record[first])
    except ValueError:
        return first
    return ""


def _read_npz(path: Path) -> GazeTable:
    arrays = prediction_files.read_npz_arrays(path)
    numbers = np.array(arrays.values, np.float64)
    if numbers.ndim != 2 or (arrays.ids is not None and len(arrays.ids) != len(numbers)):
        raise ResultError(f"{path.name}: values {numbers.shape} must be (N, 2) or (N, 3), ids (N,)")
    if arrays.failed is not None:
        numbers[arrays.failed.astype(bool)] = np.nan
    return _table_of_array(arrays.ids, None, numbers, path)


def _read_variables(path: Path) -> tuple[list[str] | None, dict[str, np.ndarray]]:
    """Return the ids of a .mat or .h5 file, None without any, and its arrays by name."""
    if path.suffix.lower() == ".mat" and not matlab_files.is_v73(path, ResultError):
        content = dict(matlab_files.read_v5(path, None, _LARGEST_MAT, ResultError))
        ids = None
        name = _ids_called(content, lambda key: np.asarray(content[key]).dtype.kind in "OUS")
        if name:
            ids = matlab_files.read_texts(content.pop(name), f"{path.name}: {name}", ResultError)
        return ids, {name: np.asarray(array) for name, array in content.items()}
    # h5py shows MATLAB's column-major arrays transposed
    transposed = path.suffix.lower() == ".mat"
    ids, arrays = None, {}
    with hdf5_files.open_hdf5(path, fault=ResultError) as file:
        chosen = _ids_called(file, partial(_holds_texts, file, path))
        for name in file:
            where = f"{path.name}: {name[:60]}"
            dataset = hdf5_files.find_member(file, name, path.name, ResultError)
            if name == chosen:
                ids = hdf5_files.read_texts(file, dataset, where, ResultError)
            elif getattr(dataset, "ndim", 0) in (1, 2) and dataset.dtype.kind in "fiu":
                array = hdf5_files.read_dataset(dataset, where, ResultError)
                arrays[name] = array.T if transposed else array
    return ids, arrays


def _ids_called(names: Container[str], holds_texts: Callable[[str], bool]) -> str:
    """Return which variable holds ids, "" where none does.

    `ids` is always taken for them, so that what is none is refused; `id` may be a number.
    """
    for name in _ID_ARRAYS:
        if name in names and (name == _ID_ARRAYS[0] or holds_texts(name)):
            return name
    return ""


def _holds_texts(file: Any, path: Path, name: str) -> bool:
    dataset = hdf5_files.find_member(file, name, path.name, ResultError)
    return hasattr(dataset, "dtype") and dataset.dtype.kind in "OS"


def _table_of_variables(
    ids: list[str] | None, arrays: Mapping[str, np.ndarray], path: Path
) -> GazeTable:
    """Take a matrix called `values`, or the arrays that are columns of one length."""
    columns = []
    for name, array in arrays.items():
        if name in _VALUES and array.ndim == 2 and array.dtype.kind in "fiu":
            _check_count(ids, len(array), path)
            return _table_of_array(ids, None, array.astype(np.float64), path)
        if array.dtype.kind in "fiu" and (array.ndim == 1 or 1 in array.shape):
            columns.append(name)
    if not columns:
        raise ResultError(f"{path.name}: holds no matrix 'values' (N x 2 or N x 3) and no columns")
    vectors = {name: arrays[name].ravel() for name in columns}
    count = len(vectors[columns[0]])
    columns = [name for name in columns if len(vectors[name]) == count]
    _check_count(ids, count, path)
    numbers = np.stack([vectors[name].astype(np.float64) for name in columns], axis=1)
    return _table_of_array(ids, tuple(columns), numbers, path)


def _read_parquet(path: Path) -> GazeTable:
    table = parquet_files.read_parquet(path, ResultError)
    ids = None
    columns, numbers = [], []
    for name in table.column_names:
        if table.column_names.count(name) > 1:
            raise ResultError(f"{path.name}: the column {name[:40]!r} is there twice")
        if name in _ID_COLUMNS and ids is None:
            ids = parquet_files.read_texts(table, name, path, ResultError)
        elif parquet_files.holds_numbers(table, name):
            columns.append(name)
            numbers.append(parquet_files.read_numbers(table, name, path, ResultError))
    if not columns:
        raise ResultError(f"{path.name}: has no column of numbers")
    return _table_of_array(ids, tuple(columns), np.stack(numbers, axis=1), path)


def _check_count(ids: list[str] | None, count: int, path: Path) -> None:
    if ids is not None and len(ids) != count:
        raise ResultError(f"{path.name}: {len(ids)} ids for {count} rows")
