"""Rows of an `Index` taken and indexes joined; the only module that goes through all its columns.

Readers are in `landmarks`, `gaze` and `synthetic`, what a protocol makes of their indexes is in
`assemble` and `split`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError
from benchbox.types import Index

from .formats import images
from .sample_checks import decode_fitting_picture

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats


# --- rows -----------------------------------------------------------------------------------------


def take_rows(index: Index, rows: Sequence[int] | np.ndarray) -> Index:
    """Keep some rows of an index, in the order that is asked for.

    Parameters
    ----------
    index
        Any index; its frame, notes and variant are kept as they are.
    rows
        (M,) row numbers, counted from 0. A row may be asked for more than once.

    Raises
    ------
    IndexError
        A number is no row of the index.

    Examples
    --------
    >>> index = Index(
    ...     dataset="demo",
    ...     ids=np.array(["a", "b", "c"]),
    ...     parts=np.array(["train", "test", "test"]),
    ...     values=np.zeros((3, 68, 2)),
    ...     boxes={},
    ...     clusters=np.array(["a", "b", "c"]),
    ...     read=lambda row: np.full((1, 1, 3), row, np.uint8),
    ... )
    >>> taken = take_rows(index, [2, 0])
    >>> taken.ids.tolist(), taken.parts.tolist()
    (['c', 'a'], ['test', 'train'])
    >>> taken.read(0)[0, 0].tolist()
    [2, 2, 2]
    """
    chosen = np.asarray(rows, np.intp)
    cache_key = None
    if index.cache_key is not None:
        cache_key = partial(_call_for_row, index.cache_key, chosen)
    label_place = None
    if index.label_place is not None:
        label_place = partial(_call_for_row, index.label_place, chosen)
    return replace(
        index,
        ids=index.ids[chosen],
        parts=index.parts[chosen],
        values=index.values[chosen],
        boxes=_take_each(index.boxes, chosen),
        clusters=index.clusters[chosen],
        read=partial(_call_for_row, index.read, chosen),
        visible=take_column(index.visible, chosen),
        absent=take_column(index.absent, chosen),
        images=take_column(index.images, chosen),
        attributes=_take_each(index.attributes, chosen),
        sequences=take_column(index.sequences, chosen),
        meta=_take_each(index.meta, chosen),
        scale_boxes=take_column(index.scale_boxes, chosen),
        cache_key=cache_key,
        label_place=label_place,
    )


def take_column(column: Any, rows: np.ndarray) -> Any:
    """Take rows (M,) of an optional column (N, …): None stays None.

    >>> take_column(np.array([True, False, False]), np.array([2, 0])).tolist()
    [False, True]
    >>> take_column(None, np.array([2, 0])) is None
    True
    """
    if column is None:
        return None
    return column[rows]


def _take_each(columns: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    return {name: column[rows] for name, column in columns.items()}


def _call_for_row(function: Callable[[int], Any], rows: np.ndarray, row: int) -> Any:
    return function(int(rows[row]))


# --- joining --------------------------------------------------------------------------------------


def join_indexes(first: Index, second: Index) -> Index:
    """Put the rows of a second index below those of the first.

    Name, frame and variant are the first one's; points and boxes of the second are moved into
    that frame. A column that only one of them has is filled for the other: boxes with NaN,
    visibility with True, attributes with False, sequences with "". Of `meta` the columns that both
    have remain.

    Raises
    ------
    DataError
        The second has labels of another shape than the first. Without labels (all NaN) it may.

    Examples
    --------
    >>> from_one = Index("from 1", np.array(["a"]), np.array(["test"]), np.full((1, 5, 2), 8.0),
    ...     {"detector": np.array([[1.0, 1, 9, 9]])}, np.array(["a"]), read=str, origin=1.0)
    >>> from_zero = Index("from 0", np.array(["b"]), np.array(["train"]), np.full((1, 5, 2), 8.0),
    ...     {}, np.array(["b"]), read=str, origin=0.0)
    >>> joined = join_indexes(from_one, from_zero)
    >>> joined.values[:, 0, 0].tolist(), joined.origin
    ([8.0, 9.0], 1.0)
    >>> joined.boxes["detector"].tolist()
    [[1.0, 1.0, 9.0, 9.0], [nan, nan, nan, nan]]
    """
    shift = first.origin - second.origin
    size = len(first.ids)
    cache_key = None
    if first.cache_key and second.cache_key:
        cache_key = partial(_call_for_either, first.cache_key, second.cache_key, size)
    places = (first.label_place or _unknown_place, second.label_place or _unknown_place)
    return replace(
        first,
        ids=np.concatenate([first.ids, second.ids]),
        parts=np.concatenate([first.parts, second.parts]),
        values=np.concatenate([first.values, _values_for(first, second, shift)]),
        boxes=_join_boxes(first, second, shift),
        clusters=np.concatenate([first.clusters, second.clusters]),
        read=partial(_call_for_either, first.read, second.read, size),
        visible=_join_marks(first, second, "visible", where_unsaid=True),
        absent=_join_marks(first, second, "absent", where_unsaid=False),
        images=_join_images(first, second),
        attributes=_join_attributes(first, second),
        sequences=_join_sequences(first, second),
        meta=_join_meta(first, second),
        scale_boxes=_join_scale_boxes(first, second, shift),
        cache_key=cache_key,
        label_place=partial(_call_for_either, *places, size),
        notes=(*first.notes, *second.notes),
        faults=(*first.faults, *second.faults),
    )


def _values_for(first: Index, second: Index, shift: float) -> Floats:
    """Return the second one's values in the first one's shape and frame."""
    shape = first.values.shape[1:]
    if second.values.shape[1:] != shape:
        if not np.isnan(second.values).all():
            raise DataError(
                f"{second.dataset} has other points than {first.dataset}: "
                "it cannot be trained on for it"
            )
        return np.full((len(second.ids), *shape), np.nan)
    if second.values.ndim == 3:  # gaze has no frame of a picture to be moved between
        return second.values + shift
    return second.values + 0.0


def _join_boxes(first: Index, second: Index, shift: float) -> dict[str, Floats]:
    joined = {}
    for source in {**first.boxes, **second.boxes}:
        upper = first.boxes.get(source, _no_boxes(first))
        lower = second.boxes.get(source, _no_boxes(second))
        joined[source] = np.concatenate([upper, lower + shift])
    return joined


def _no_boxes(index: Index) -> Floats:
    return np.full((len(index.ids), 4), np.nan)


def _join_scale_boxes(first: Index, second: Index, shift: float) -> Floats | None:
    upper, lower = first.scale_boxes, second.scale_boxes
    if upper is None and lower is None:
        return None
    if upper is None:
        upper = _no_boxes(first)
    if lower is None:
        lower = _no_boxes(second)
    return np.concatenate([upper, lower + shift])


def _join_marks(
    first: Index, second: Index, column: str, *, where_unsaid: bool
) -> np.ndarray | None:
    upper, lower = getattr(first, column), getattr(second, column)
    if upper is None and lower is None:
        return None
    points = first.values.shape[1]
    if upper is None:
        upper = np.full((len(first.ids), points), where_unsaid)
    if lower is None:
        lower = np.full((len(second.ids), points), where_unsaid)
    joined: np.ndarray = np.concatenate([upper, lower])
    return joined


def _join_images(first: Index, second: Index) -> np.ndarray | None:
    if first.images is None or second.images is None:
        return None
    joined: np.ndarray = np.concatenate([first.images, second.images])
    return joined


def _join_attributes(first: Index, second: Index) -> dict[str, np.ndarray]:
    joined = {}
    for name in {**first.attributes, **second.attributes}:
        upper = first.attributes.get(name, np.zeros(len(first.ids), bool))
        lower = second.attributes.get(name, np.zeros(len(second.ids), bool))
        joined[name] = np.concatenate([upper, lower])
    return joined


def _join_sequences(first: Index, second: Index) -> np.ndarray | None:
    upper, lower = first.sequences, second.sequences
    if upper is None and lower is None:
        return None
    if upper is None:
        upper = np.full(len(first.ids), "", np.str_)
    if lower is None:
        lower = np.full(len(second.ids), "", np.str_)
    return np.concatenate([upper, lower])


def _join_meta(first: Index, second: Index) -> dict[str, np.ndarray]:
    joined = {}
    for name, upper in first.meta.items():
        if name in second.meta:
            joined[name] = np.concatenate([upper, second.meta[name]])
    return joined


def _call_for_either(
    first: Callable[[int], Any], second: Callable[[int], Any], size: int, row: int
) -> Any:
    if row < size:
        return first(row)
    return second(row - size)


def _unknown_place(row: int) -> str:
    del row
    return ""


# --- what readers share ---------------------------------------------------------------------------


def name_place(places: Sequence[Path | str | tuple[Path, int | str]], row: int) -> str:
    """Name the place of a row's label: a file, or a file and the row or frame in it.

    Examples
    --------
    >>> name_place(["list.txt:17"], 0)
    'list.txt:17'
    >>> name_place([(Path("p00.h5"), 4)], 0)
    'p00.h5, 4'
    """
    place = places[row]
    if isinstance(place, tuple):
        return f"{place[0]}, {place[1]}"
    return str(place)


def note_left_out(kept: int, total: int, noun: str = "faces", part: str = "") -> list[str]:
    """Say how many rows have no picture, as a note of an index; no note where none is left out.

    Examples
    --------
    >>> note_left_out(8, 10)
    ['2 of 10 faces have no picture and are left out']
    >>> note_left_out(8, 10, "frames", part="train")
    ['train: 2 of 10 frames have no picture and are left out']
    >>> note_left_out(10, 10)
    []
    """
    if kept == total:
        return []
    note = f"{total - kept} of {total} {noun} have no picture and are left out"
    if part:
        note = f"{part}: {note}"
    return [note]


def read_picture(
    files: Sequence[Path], points: Floats, row: int, *, turns: Sequence[int] = ()
) -> Bytes:
    """Decode the picture of a row as RGB (H, W, 3) uint8.

    `files` holds one path per row, `points` (N, K, 2) px the points in the pixel frame, `turns` the
    EXIF orientations by which pictures are turned; (): none is.

    Raises
    ------
    DataError
        The picture is absent or broken, or most of its points lie outside it.
    """
    return decode_fitting_picture(files[row], points[row], turns[row] if turns else 1)


def picture_cache_key(files: Sequence[Path], row: int, *, turns: Sequence[int] = ()) -> str:
    """Name what changes when the picture of a row does; `files` holds one path per row.

    Raises DataError when the file is not there.
    """
    key = images.file_cache_key(files[row])
    if turns and turns[row] != 1:
        key += f":turned {turns[row]}"
    return key
