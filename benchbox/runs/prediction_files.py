"""Predictions on disk: external npz, CSV and text formats, read with suspicion and written with reproducible bytes.

`.npz`: `ids` (N texts), `values` (N, K, 2) px | (N, 2) cm | (N, 3) unit vectors, optional `failed`
(N bools). `.csv`: a header, first column `id`, then `x0,y0,x1,y1,…`, `x,y` or `x,y,z`. Values are
in the dataset's own frame. `.txt`: the result format of the COFW-68 benchmark, four lines per face:
its number from 1 (`test/0001` and so on, in any order), all x, all y, all occlusion flags, which
are not scored. Directions may be given as angles in radians instead, (N, 2) pitch, yaw or the
columns `pitch,yaw`; they become the vectors (cos p sin y, sin p, cos p cos y). A row that is wholly
NaN (in CSV: empty) or flagged is a failed sample; a row that is partly NaN is an error.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import ResultError
from benchbox.geometry import angles_to_vectors
from benchbox.types import Predictions, Truth

if TYPE_CHECKING:
    from benchbox.types import Floats

Suggest = Callable[[frozenset[str]], str]  # the ids of a file that does not fit → advice, or ""

_MAX_BYTES = 1 << 30
_MAX_HEADER_BYTES = 10_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ANGLE_TOLERANCE_RAD = 1e-3
_ANGLE_COLUMNS = ["pitch", "yaw"]


def read_predictions(
    path: Path, truth: Truth, *, protocol: str = "the protocol", suggest: Suggest | None = None
) -> Predictions:
    """Read an `.npz`, `.csv` or `.txt` file and return its rows in the order of the truth.

    Raises ResultError for an unreadable file, a pickle, ids that are missing, doubled or unknown, a
    wrong shape, an infinite value and a row that is partly NaN.
    """
    readers = {".npz": _read_npz, ".csv": _read_csv, ".txt": _read_text}
    if path.suffix.lower() not in readers:
        raise ResultError(f"{path.name}: predictions are an .npz, a .csv or (COFW-68) a .txt file")
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ResultError(
                f"{path.name}: {size} bytes, more than the {_MAX_BYTES} that predictions may have"
            )
        ids, values, failed = readers[path.suffix.lower()](path)
        if path.suffix.lower() == ".csv" and (values.shape[1:], truth.values.shape[1:]) == (
            (2,),
            (3,),
        ):
            raise ResultError(
                f"{path.name}: x,y are no directions: {protocol} wants pitch,yaw in radians or x,y,z"
            )
    except FileNotFoundError as fault:
        raise ResultError(f"{path}: no such predictions file") from fault
    except OSError as fault:
        raise ResultError(f"{path}: cannot be read: {fault.strerror or fault}") from fault
    return match_to_truth(
        ids, values, failed, truth, where=path.name, protocol=protocol, suggest=suggest
    )


def match_to_truth(
    ids: list[str],
    values: Floats,
    failed: np.ndarray | None,
    truth: Truth,
    *,
    where: str,
    protocol: str = "the protocol",
    suggest: Suggest | None = None,
) -> Predictions:
    """Check rows (N ids, values as `Truth.values`, optional flags) against the truth.

    Return them in its order.

    Raises ResultError; `where` names the file in its message.
    """
    ids = _restore_blanks(ids, [str(key) for key in truth.ids])
    if truth.values.shape[1:] == (3,) and values.shape[1:] == (2,):
        values = _angles_to_vectors(values, ids, where)
    _check_ids(ids, [str(key) for key in truth.ids], where, protocol, suggest)
    _check_shape(values, truth.values, len(ids), where, protocol)
    row = {key: number for number, key in enumerate(ids)}
    order = np.array([row[str(key)] for key in truth.ids], dtype=np.intp)
    flags = np.zeros(len(ids), bool) if failed is None else _check_flags(failed, len(ids), where)
    values, flags = values[order].astype(np.float64), flags[order]
    flat = values.reshape(len(order), -1)
    empty = np.isnan(flat)
    partly = empty.any(axis=1) & ~empty.all(axis=1) & ~flags
    if partly.any():
        raise ResultError(
            f"{where}: {_name_ids(truth.ids[partly])} partly NaN: a sample without an answer is NaN throughout"
        )
    infinite = np.isinf(flat).any(axis=1) & ~flags
    if infinite.any():
        raise ResultError(
            f"{where}: {_name_ids(truth.ids[infinite])} infinite: write NaN throughout where there is no answer"
        )
    flags |= empty.all(axis=1)
    nowhere = (
        ~flags & ~values.any(axis=1) if values.shape[1:] == (3,) else np.zeros(len(order), bool)
    )
    if nowhere.any():
        raise ResultError(
            f"{where}: {_name_ids(truth.ids[nowhere])} a vector of length 0, which has no direction"
        )
    values[flags] = np.nan
    return Predictions(ids=truth.ids, values=values, failed=flags)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write an `.npz` atomically: equal predictions give equal bytes on every machine.

    Values are kept as float32.

    Raises ResultError when the folder cannot be written.
    """
    columns = {
        "ids": np.asarray(predictions.ids, dtype=np.str_),
        "values": np.asarray(predictions.values, dtype="<f4"),
        "failed": np.asarray(predictions.failed, dtype=np.bool_),
    }
    write_arrays(path, columns)


def write_arrays(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write an `.npz` atomically, with bytes that depend on nothing but the arrays.

    Raises ResultError as `write`.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Stored, not deflated: compressed bytes differ between zlib builds. np.savez would stamp
        # nothing better.
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
            for name, column in columns.items():
                member = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
                member.create_system, member.external_attr = 3, 0o644 << 16
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, column, version=(1, 0), allow_pickle=False)
                archive.writestr(member, buffer.getvalue())
        beside.replace(path)
    except OSError as fault:
        raise ResultError(f"{path}: cannot be written: {fault.strerror or fault}") from fault
    finally:
        with suppress(OSError):
            beside.unlink()


# --- checks ---------------------------------------------------------------------------------------


def _name_ids(ids: Iterable[str]) -> str:
    """Name a few ids and how many there are: "3 rows (a, b, …) are"."""
    names = [str(key)[:80] for key in ids]
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(names)} row{'s' * (len(names) > 1)} ({shown}) {'are' if len(names) > 1 else 'is'}"


def _restore_blanks(ids: list[str], expected: list[str]) -> list[str]:
    """Spell ids as the truth does where only blanks differ: half the world writes `image_092 _01` without its blank."""
    known = set(expected)
    without = {key.replace(" ", ""): key for key in expected}
    return [key if key in known else without.get(key.replace(" ", ""), key) for key in ids]


def _check_ids(
    ids: list[str], expected: list[str], where: str, protocol: str, suggest: Suggest | None
) -> None:
    doubled = [key for key, count in Counter(ids).items() if count > 1]
    if doubled:
        raise ResultError(
            f"{where}: {_name_ids(doubled)} there more than once: keep one row per id"
        )
    given, wanted = frozenset(ids), frozenset(expected)
    unknown = [key for key in ids if key not in wanted]
    missing = [key for key in expected if key not in given]
    advice = suggest(given) if suggest and (unknown or missing) else ""
    if unknown:
        advice = advice or f"{protocol} has ids like {expected[0]}"
        raise ResultError(f"{where}: {_name_ids(unknown)} unknown to {protocol}: {advice}")
    if missing:
        advice = advice or "give each its row; NaN throughout where there is no answer"
        raise ResultError(
            f"{where}: {_name_ids(missing)} missing of the {len(expected)} of {protocol}: {advice}"
        )


def _check_shape(values: Floats, like: Floats, count: int, where: str, protocol: str) -> None:
    wanted = (count, *like.shape[1:])
    if values.shape != wanted:
        raise ResultError(
            f"{where}: values have the shape {values.shape}, {protocol} wants {wanted}"
        )


def _angles_to_vectors(angles_rad: Floats, ids: list[str], where: str) -> Floats:
    """Turn (pitch, yaw) (N, 2) into vectors (N, 3), NaN staying NaN.

    Raises ResultError for what is no radians.
    """
    wrong = (np.abs(angles_rad) > np.pi + _ANGLE_TOLERANCE_RAD).any(axis=1) & np.isfinite(
        angles_rad
    ).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ResultError(
            f"{where}: {_name_ids(np.array(ids)[wrong])} no (pitch, yaw) in radians: {angles_rad[row].tolist()}; degrees?"
        )
    vectors = angles_to_vectors(
        np.where(np.isfinite(angles_rad), angles_rad, 0.0).astype(np.float64)
    )
    # Gaps stay what they are for the checks to come: wholly NaN, partly NaN, infinite.
    vectors[np.isnan(angles_rad).any(axis=1), 0] = np.nan
    vectors[np.isnan(angles_rad).all(axis=1)] = np.nan
    vectors[np.isinf(angles_rad).any(axis=1)] = np.inf
    return vectors


def _check_flags(failed: np.ndarray, count: int, where: str) -> np.ndarray:
    if (
        failed.shape != (count,)
        or failed.dtype.kind not in "bui"
        or not np.isin(failed, (0, 1)).all()
    ):
        raise ResultError(f"{where}: failed must hold {count} bools, one per id")
    return failed.astype(bool)


# --- npz ------------------------------------------------------------------------------------------


def _read_npz(path: Path) -> tuple[list[str], Floats, np.ndarray | None]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            for needed in ("ids.npy", "values.npy"):
                if needed not in members:
                    raise ResultError(
                        f"{path.name}: has no array {needed[:-4]!r}: np.savez(file, ids=…, values=…)"
                    )
            ids, values = (
                _read_member(archive, members[f"{name}.npy"], path) for name in ("ids", "values")
            )
            failed = (
                _read_member(archive, members["failed.npy"], path)
                if "failed.npy" in members
                else None
            )
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
    ) as fault:  # no zip, odd packing, password
        raise ResultError(f"{path.name}: not a whole .npz file: {fault}") from fault
    if ids.ndim != 1 or ids.dtype.kind not in "US":
        raise ResultError(
            f"{path.name}: ids must be a row of texts, np.array(ids, dtype=str), not {ids.dtype}"
        )
    if values.dtype.kind not in "fiu":
        raise ResultError(f"{path.name}: values must be real numbers, not {values.dtype}")
    return [_decode_id(key, path) for key in ids.tolist()], values, failed


def _decode_id(key: str | bytes, path: Path) -> str:
    try:
        return key.decode() if isinstance(key, bytes) else key
    except UnicodeDecodeError as fault:
        raise ResultError(f"{path.name}: the id {key!r} is not UTF-8") from fault


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """Read one array of an npz after its header has been believed: no pickle, no size beyond the file's own."""
    where = f"{path.name}: array {member.filename.removesuffix('.npy')!r}"
    if member.file_size > _MAX_BYTES:
        raise ResultError(f"{where} unpacks to {member.file_size} bytes, more than {_MAX_BYTES}")
    with archive.open(member) as stream:
        shape, dtype = _read_header(stream, where)
    if dtype.hasobject:
        raise ResultError(
            f"{where} holds pickled objects, which are refused: save plain numbers and texts"
        )
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > member.file_size:
        raise ResultError(f"{where} is shorter than its header says: the file is damaged")
    with archive.open(member) as stream:
        try:
            array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
        except ValueError as fault:
            raise ResultError(f"{where} cannot be read: {fault}") from fault
    return array


def _read_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ResultError(f"{where} is in .npy version {version}: save it with np.savez")
        shape, _, dtype = readers[version](stream, max_header_size=_MAX_HEADER_BYTES)
    except ValueError as fault:
        raise ResultError(f"{where} is no .npy array: {fault}") from fault
    return shape, dtype


# --- csv ------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> tuple[list[str], Floats, None]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, strict=True)
            names = _value_columns([name.strip() for name in next(lines, [])], path)
            ids, rows = [], []
            for cells in lines:
                if cells:
                    ids.append(cells[0].strip())
                    rows.append(
                        _parse_cells(cells, len(names), f"{path.name} line {lines.line_num}")
                    )
    except (UnicodeDecodeError, csv.Error) as fault:
        raise ResultError(f"{path.name}: not a CSV file in UTF-8: {fault}") from fault
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    if names == _ANGLE_COLUMNS:
        return ids, _angles_to_vectors(values, ids, path.name), None
    return ids, values.reshape(len(rows), -1, 2) if names[0] == "x0" else values, None


def _value_columns(header: list[str], path: Path) -> list[str]:
    """Return the value columns of a header; landmarks are numbered: x0, y0, x1, y1 and so on."""
    names = header[1:]
    points = [f"{axis}{point}" for point in range(len(names) // 2) for axis in "xy"]
    if (
        header[:1] != ["id"]
        or not names
        or names not in (points, ["x", "y"], ["x", "y", "z"], _ANGLE_COLUMNS)
    ):
        shown = ",".join(header[:5])
        allowed = "id,x0,y0,x1,y1,… (or id,x,y or id,pitch,yaw or id,x,y,z)"
        raise ResultError(f"{path.name} line 1: the header must be {allowed}, not {shown[:80]!r}")
    return names


def _parse_cells(cells: list[str], count: int, where: str) -> list[float]:
    if len(cells) != count + 1:
        raise ResultError(f"{where}: {len(cells)} cells, the header names {count + 1}")
    try:
        return [float(cell) if cell.strip() else float("nan") for cell in cells[1:]]
    except ValueError as fault:
        raise ResultError(f"{where}: {fault}") from fault


# --- text of the COFW-68 benchmark ----------------------------------------------------------------


def _read_text(path: Path) -> tuple[list[str], Floats, None]:
    """Read four lines per face: number, x …, y …, occluded ….

    Blanks at the end of a line and empty lines are usual.
    """
    try:
        lines = [
            (number, line.split())
            for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), start=1)
        ]
    except UnicodeDecodeError as fault:
        raise ResultError(f"{path.name}: not a text file in UTF-8: {fault}") from fault
    lines = [(number, words) for number, words in lines if words]
    if not lines or len(lines) % 4:
        raise ResultError(
            f"{path.name}: {len(lines)} lines with text; the COFW-68 format has four for each face"
        )
    ids, rows = [], []
    for start in range(0, len(lines), 4):
        (place, head), *body = lines[start : start + 4]
        if len(head) != 1 or not head[0].isdecimal() or int(head[0]) < 1:
            raise ResultError(
                f"{path.name} line {place}: {' '.join(head)[:40]!r} is not the number of a face, from 1"
            )
        ids.append(f"test/{int(head[0]):04d}")
        rows.append(_parse_points(body, path))
    counts = {len(row) for row in rows}
    if len(counts) > 1:
        raise ResultError(
            f"{path.name}: faces have {min(counts)} and {max(counts)} points; all must have as many"
        )
    return ids, np.array(rows, np.float64), None


def _parse_points(body: list[tuple[int, list[str]]], path: Path) -> list[tuple[float, float]]:
    """Return the points of one face from its lines x, y and occluded."""
    (first, xs), (second, ys), (third, flags) = body
    if not len(xs) == len(ys) == len(flags):
        where = f"{path.name} lines {first}, {second}, {third}"
        raise ResultError(
            f"{where}: {len(xs)} x, {len(ys)} y and {len(flags)} flags; there must be as many of each"
        )
    if not set(flags) <= {"0", "1"}:
        raise ResultError(f"{path.name} line {third}: an occlusion flag is neither 0 nor 1")
    try:
        return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]
    except ValueError as fault:
        raise ResultError(f"{path.name} lines {first}, {second}: {fault}") from fault
