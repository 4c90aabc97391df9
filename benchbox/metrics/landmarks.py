"""Landmark errors: pixels per point, normalised mean error (NME) per face.

Definition
----------
For face i with true points g, predicted points p and K points scored::

    e_i = mean_j ‖p_ij − g_ij‖ / d_i          NME of a set = mean_i e_i

Normalisers d_i (`NORMALISERS`), always from the true points of the *full* layout, also when a
subset is scored:

* `inter_ocular`: distance of the outer eye corners (68 points: 36 and 45; "ION", "corners").
* `inter_pupil`: distance of the eye centres, each the plain mean of the eye's points (68: 36-41,
  42-47; "IPN").
* `face_size`: √(w·h) of the face box that the dataset fixes, of the tight box of the points where
  it fixes none.
* `diagonal`: √(w² + h²) of the tight box of the points (Menpo).
* `height`: h of the tight box of the points.
* `mean_side`: (w + h)/2 of the tight box of the points (menpobench).

Only points that are there count: the tight box is that of the points that are marked and, where a
card tells visible points from hidden ones (`masked`), visible. A hidden point may stand anywhere: a
converter that writes (0, 0) for it made a face several times as large and an NME of 5.84 % 2.68.
Eye corners and eye centres need their points marked, hidden or not (COFW's hidden ones are where
annotators believed them); a face without its normaliser is named and refused, not guessed.

Conventions
-----------
Truth (N, K, 2) and predictions (N, K, 2) in the same frame, pixels; errors are fractions (0.034 is
3.4 %). Boxes are corners, width x1 - x0 without "+ 1". Points first, then faces ("macro"): every
face counts the same. float32 or float64 goes in, arithmetic and results are float64. A row of NaN
(no answer) gives NaN; what a failed face counts as is decided by the scorer, not here.

Known differences of other code, with sign and size
---------------------------------------------------
Measured over the 689 test faces of 300-W; predictions are six published sets (CFSS, TCDCN, CFAN,
CLM, CLNF, CE-CLM).

1. *Normaliser mix-up.* inter-pupil NME is larger than inter-ocular NME: d differs per face by a
   factor of 1.28 to 1.61, mean 1.397, so no constant converts one into the other. Some tables mix
   the two; "pupil" in 3FabRec is the mean of the inner-corner and the outer-corner distance
   (4.233 % where the eye centres give 4.203 %).
2. *Ratio of sums* (Σ pixel errors / Σ d) weighs faces by their size and comes out lower where small
   faces are hard: CFSS 4.04 % instead of 4.70 %, CFAN 2.65 % instead of 4.96 %.
3. *Pooling points* (one mean over all valid face-point pairs, MMPose's `keypoint_nme`): equal to
   ours when every point counts; with visibility masks, faces with few visible points lose weight.
   MMPose also drops a face whose normaliser is not positive; here that is an error, because it
   means that the annotation is broken.
4. *Origin.* iBUG files are 1-based. Predictions in a 0-based frame compared with raw files are off
   by (1, 1) px: an error of 1.14 points of inter-ocular NME for a perfect method; for real ones
   between 0.1 and 0.5 points up or down (six sets, shifted by +1 and by -1), because it may cancel
   another offset.
5. *Dividing by all points* when some are masked (SPIGA on MERL-RAV divides by 68): lower, by the
   share of masked points.
6. *Box with "+ 1"* (w = x1 - x0 + 1): d larger by about 1 px, so NME lower by about 1/d of its
   value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.geometry import tight_box

from .metric_names import PARTS

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Layout, Strings

# faces per chunk: the working arrays stay in the cache and memory does not grow with the set
CHUNK_FACES = 1024


def point_errors(truth: Floats, predictions: Floats) -> Floats:
    """Return the distance of every point, (N, K) px float64, of (N, K, 2) truth and predictions.

    Raises ValueError when the shapes differ or are not (N, K, 2). The result holds N·K numbers;
    `mean_errors` and `nme` never hold more than a chunk of it.

    >>> truth = np.zeros((1, 2, 2))
    >>> point_errors(truth, truth + [[3.0, 4.0], [0.0, 1.0]])
    array([[5., 1.]])
    """
    _require_points(truth, predictions)
    return _distances(truth, predictions, np.empty(truth.shape), np.empty(truth.shape[:2]))


def _distances(truth: Floats, predictions: Floats, squares: Floats, distance: Floats) -> Floats:
    """Return the distances of points (N, K) in memory that is at hand: (N, K, 2) and (N, K)."""
    np.subtract(truth, predictions, out=squares, dtype=np.float64)
    np.multiply(squares, squares, out=squares)
    np.add(squares[..., 0], squares[..., 1], out=distance)
    return np.sqrt(distance, out=distance)


def mean_errors(
    truth: Floats,
    predictions: Floats,
    points: Sequence[int] | None = None,
    visible: Bools | None = None,
) -> Floats:
    """Return each face's mean distance (N,) px over the visible ones of some points.

    `points` are indices (default all), `visible` is (N, K).

    A face without a visible point among `points` gives NaN. Coordinates of points that are not
    visible are never used, so they may be NaN. Raises ValueError for shapes that do not fit. Memory
    is bounded: chunks of `ROWS` faces.

    >>> truth = np.zeros((1, 2, 2))
    >>> predictions = np.array([[[3.0, 4.0], [0.0, 1.0]]])
    >>> mean_errors(truth, predictions)
    array([3.])
    >>> mean_errors(truth, predictions, points=[0])
    array([5.])
    >>> mean_errors(truth, predictions, visible=np.array([[False, True]]))
    array([1.])
    """
    return mean_errors_by_subset(truth, predictions, [points], visible)[0]


def mean_errors_by_subset(
    truth: Floats,
    predictions: Floats,
    subsets: Sequence[Sequence[int] | None],
    visible: Bools | None = None,
) -> list[Floats]:
    """Return `mean_errors` for each of some sets of points (None: all).

    Every distance is computed once.

    >>> truth = np.zeros((1, 2, 2))
    >>> mean_errors_by_subset(truth, truth + [[3.0, 4.0], [0.0, 1.0]], [None, [1]])
    [array([3.]), array([1.])]
    """
    _require_points(truth, predictions)
    if visible is not None and visible.shape != truth.shape[:2]:
        raise ValueError(
            f"visible is {visible.shape}, truth has {truth.shape[:2]} faces and points"
        )
    chosen = [_point_selection(points, truth.shape[1]) for points in subsets]
    results = [np.empty(len(truth)) for _ in subsets]
    chunk = (min(CHUNK_FACES, len(truth)), truth.shape[1])
    squares, distances = np.empty((*chunk, 2)), np.empty(chunk)
    for start in range(0, len(truth), CHUNK_FACES):
        rows = slice(start, start + CHUNK_FACES)
        count = len(truth[rows])
        distance = _distances(truth[rows], predictions[rows], squares[:count], distances[:count])
        for points, result in zip(chosen, results, strict=True):
            if visible is None:
                result[rows] = distance[:, points].mean(axis=-1)
            else:
                result[rows] = _masked_mean(distance[:, points], visible[rows, points])
    return results


def sum_squares(
    truth: Floats,
    predictions: Floats,
    spans: Sequence[tuple[int, int]] = (),
) -> tuple[Floats, Floats]:
    """Return each face's sum of squared distances (N,) px² of points (N, K, 2), the cheapest error.

    Divided by K it is the square of `rms_errors`. NaN where a coordinate is. And how far, at most,
    the true points of some pairs `spans` are apart along x or y, (N,) px; 0 without pairs.

    >>> sum_squares(np.zeros((1, 2, 2)), np.array([[[3.0, 4.0], [0.0, 1.0]]]))[0]
    array([26.])
    """
    _require_points(truth, predictions)
    width = truth.shape[1] * 2
    result, apart_px = np.empty(len(truth)), np.zeros(len(truth))
    memory = np.empty((min(CHUNK_FACES, len(truth)), width))
    first = [2 * one + axis for one, _ in spans for axis in (0, 1)]
    second = [2 * other + axis for _, other in spans for axis in (0, 1)]
    for start in range(0, len(truth), CHUNK_FACES):
        rows = slice(start, start + CHUNK_FACES)
        flat, given = truth[rows].reshape(-1, width), predictions[rows].reshape(-1, width)
        apart = np.subtract(flat, given, out=memory[: len(flat)], dtype=np.float64)
        np.einsum("nk,nk->n", apart, apart, out=result[rows])
        if spans:  # while the chunk is in the cache
            np.abs(flat[:, first] - flat[:, second]).max(axis=1, out=apart_px[rows])
    return result, apart_px


def rms_errors(
    truth: Floats,
    predictions: Floats,
    points: Sequence[int] | None = None,
    visible: Bools | None = None,
) -> Floats:
    """Return each face's root mean square distance (N,) px over the visible ones of some points.

    √(mean_j ‖p_ij - g_ij‖²): one point far off weighs more than in the mean distance, which is
    never larger. Arguments and NaN as in `mean_errors`.

    >>> truth = np.zeros((1, 2, 2))
    >>> rms_errors(truth, np.array([[[3.0, 4.0], [0.0, 1.0]]])).round(4)  # √((25 + 1)/2)
    array([3.6056])
    """
    _require_points(truth, predictions)
    chosen, result = _point_selection(points, truth.shape[1]), np.empty(len(truth))
    for start in range(0, len(truth), CHUNK_FACES):
        rows = slice(start, start + CHUNK_FACES)
        squares = point_errors(truth[rows], predictions[rows])[:, chosen] ** 2
        if visible is None:
            result[rows] = np.sqrt(squares.mean(axis=-1))
        else:
            result[rows] = np.sqrt(_masked_mean(squares, visible[rows, chosen]))
    return result


def nme(
    truth: Floats,
    predictions: Floats,
    scale: Floats,
    points: Sequence[int] | None = None,
    visible: Bools | None = None,
) -> Floats:
    """Return each face's normalised mean error (N,), a fraction: `mean_errors` over `scale` (N,).

    For `scale` see `normaliser_lengths`.

    Raises ValueError for shapes that do not fit.

    A face whose normaliser is 100 px, with points that are 5 px and 1 px off:

    >>> truth = np.zeros((1, 2, 2))
    >>> nme(truth, truth + [[3.0, 4.0], [0.0, 1.0]], scale=np.array([100.0]))
    array([0.03])
    """
    return mean_errors(truth, predictions, points, visible) / scale


def nme_by_part(
    truth: Floats, predictions: Floats, scale: Floats, layout: Layout, visible: Bools | None = None
) -> dict[str, Floats]:
    """Return each face's error (N,), a fraction, for each part of the layout (contour, nose …).

    Each part is divided by the same normaliser of the whole face, as papers do. A face without a
    visible point of a part is NaN there. The mean over points weighted by the parts' sizes is the
    NME of the whole.

    >>> from benchbox.layouts import COFW29
    >>> truth = np.zeros((1, 29, 2))
    >>> predictions = truth.copy()
    >>> predictions[0, 28] = [6.0, 8.0]  # the chin, COFW's only contour point
    >>> errors = nme_by_part(truth, predictions, np.array([100.0]), COFW29)
    >>> errors["contour"], errors["nose"]
    (array([0.1]), array([0.]))
    """
    return {
        name: nme(truth, predictions, scale, points, visible)
        for name, points in layout.parts.items()
    }


def part_points(layout: Layout, part: str) -> list[int]:
    """Return the points of a part of the face (a key of `metric_names.PARTS`), [] without any.

    >>> from benchbox.layouts import IBUG68
    >>> part_points(IBUG68, "eyes")
    [36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47]
    """
    points: list[int] = []
    for name in PARTS[part]:
        points += layout.parts.get(name, ())
    return sorted(points)


def nme_by_point(
    truth: Floats, predictions: Floats, scale: Floats, visible: Bools | None = None
) -> Floats:
    """Return each point's error (K,), the mean over the faces that have an answer and show it.

    NaN where none does.

    >>> truth = np.zeros((2, 2, 2))
    >>> predictions = np.array([[[3.0, 4.0], [0.0, 1.0]], [[np.nan, np.nan], [0.0, 3.0]]])
    >>> nme_by_point(truth, predictions, scale=np.array([100.0, 100.0]))
    array([0.05, 0.02])
    """
    _require_points(truth, predictions)
    sums, sizes = np.zeros(truth.shape[1]), np.zeros(truth.shape[1])
    for start in range(0, len(truth), CHUNK_FACES):
        rows = slice(start, start + CHUNK_FACES)
        errors = point_errors(truth[rows], predictions[rows]) / scale[rows, None]
        counts = np.isfinite(errors) if visible is None else np.isfinite(errors) & visible[rows]
        sums += np.where(counts, errors, 0.0).sum(axis=0)
        sizes += counts.sum(axis=0)
    found: Floats = np.divide(sums, sizes, out=np.full(len(sums), np.nan), where=sizes > 0)
    return found


def normaliser_lengths(
    name: str,
    truth: Floats,
    layout: Layout,
    boxes: Floats | None = None,
    ids: Strings | None = None,
    there: Bools | None = None,
) -> Floats:
    """Return each face's normaliser (N,) px from true points (N, K, 2) of the full layout.

    `boxes` (N, 4) are the dataset's own face boxes and matter to `face_size` only; `ids` (N,) serve
    the message. `there` (N, K) marks the points whose tight box counts (None: all); an absent point
    is NaN. Raises DataError naming the first face whose normaliser is zero, negative or NaN
    (coinciding eye corners, a box turned inside out, a missing point), KeyError for an unknown
    name, ValueError for points that do not fit the layout.

    >>> from benchbox.layouts import IBUG68
    >>> truth = np.zeros((1, 68, 2))
    >>> truth[0, 36], truth[0, 45] = [100.0, 100.0], [160.0, 180.0]  # outer eye corners
    >>> normaliser_lengths("inter_ocular", truth, IBUG68)
    array([100.])

    A hidden point that stands at (0, 0) does not make the face higher:

    >>> truth = np.full((1, 68, 2), 50.0)
    >>> truth[0, 8], truth[0, 0] = [60.0, 90.0], [0.0, 0.0]
    >>> visible = np.arange(68)[None] != 0
    >>> normaliser_lengths("height", truth, IBUG68, there=visible)
    array([40.])
    """
    if truth.ndim != 3 or truth.shape[1:] != (layout.count, 2):
        raise ValueError(
            f"truth is {truth.shape}, layout {layout.name} needs (N, {layout.count}, 2)"
        )
    measure, scale = NORMALISER_FUNCTIONS[name], np.empty(len(truth))
    for start in range(
        0, len(truth), CHUNK_FACES
    ):  # a million float32 faces are never copied at once
        rows = slice(start, start + CHUNK_FACES)
        points = np.asarray(truth[rows], np.float64)
        if there is not None and name in _BOX_NORMALISERS:
            points = np.where(there[rows, :, None], points, np.nan)
        scale[rows] = measure(points, layout, None if boxes is None else boxes[rows])
    bad = np.flatnonzero(~(scale > 0) | np.isinf(scale))
    if len(bad):
        where = f"row {bad[0]}" if ids is None else str(ids[bad[0]])
        advice = "check the annotation of this face"
        hidden = there is not None and not there[bad[0]].all()
        if hidden or np.isnan(truth[bad[0]]).any():
            advice = (
                "a point that it needs is absent: name another normaliser in the card, "
                "or leave this face out of its files"
            )
        raise DataError(
            f"{where}: normaliser {name} is {scale[bad[0]]:g} px, must be positive ({len(bad)} of "
            f"{len(scale)} faces); "
            f"{advice}"
        )
    return scale


def _inter_ocular(truth: Floats, layout: Layout, boxes: Floats | None) -> Floats:  # noqa: ARG001
    if layout.eye_corners is None:
        raise ValueError(f"layout {layout.name} marks no eye corners: use another normaliser")
    left, right = layout.eye_corners
    return _distance(truth[:, left] - truth[:, right])


def _inter_pupil(truth: Floats, layout: Layout, boxes: Floats | None) -> Floats:  # noqa: ARG001
    left, right = (truth[:, list(eye)].mean(axis=1) for eye in layout.eyes)
    return _distance(left - right)


def _face_size(truth: Floats, layout: Layout, boxes: Floats | None) -> Floats:  # noqa: ARG001
    width, height = _box_sides(tight_box(truth) if boxes is None else np.asarray(boxes, np.float64))
    # The product of two negative sides is positive: a box turned inside out must not pass.
    return np.where(
        (width > 0) & (height > 0), np.sqrt(np.abs(width * height)), np.minimum(width, height)
    )


def _diagonal(truth: Floats, layout: Layout, boxes: Floats | None) -> Floats:  # noqa: ARG001
    return np.hypot(*_box_sides(tight_box(truth)))


def _height(truth: Floats, layout: Layout, boxes: Floats | None) -> Floats:  # noqa: ARG001
    return _box_sides(tight_box(truth))[1]


def _mean_side(truth: Floats, layout: Layout, boxes: Floats | None) -> Floats:  # noqa: ARG001
    width, height = _box_sides(tight_box(truth))
    return (width + height) / 2


NORMALISER_FUNCTIONS: Mapping[str, Callable[[Floats, Layout, Floats | None], Floats]] = {
    "inter_ocular": _inter_ocular,
    "inter_pupil": _inter_pupil,
    "face_size": _face_size,
    "diagonal": _diagonal,
    "height": _height,
    "mean_side": _mean_side,
}


_BOX_NORMALISERS = ("face_size", "diagonal", "height", "mean_side")  # from the tight box of points


def _distance(vectors: Floats) -> Floats:
    return np.hypot(vectors[..., 0], vectors[..., 1])


def _box_sides(boxes: Floats) -> tuple[Floats, Floats]:
    return boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]


def _masked_mean(distance: Floats, visible: Bools) -> Floats:
    count = visible.sum(axis=-1)
    total = np.where(visible, distance, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _point_selection(points: Sequence[int] | None, count: int) -> slice | list[int]:
    """Turn point indices into the cheapest index: a run of points needs no copy."""
    if points is None:
        return slice(None)
    chosen = [int(k) for k in points]
    if not chosen or min(chosen) < 0 or max(chosen) >= count:
        raise ValueError(f"points must be one or more indices of 0 … {count - 1}, got {chosen[:5]}")
    if chosen == list(range(chosen[0], chosen[0] + len(chosen))):
        return slice(chosen[0], chosen[0] + len(chosen))
    return chosen


def _require_points(truth: Floats, predictions: Floats) -> None:
    if truth.ndim != 3 or truth.shape[-1] != 2 or truth.shape != predictions.shape:
        raise ValueError(
            f"truth {truth.shape} and predictions {predictions.shape} must both be (N, K, 2)"
        )
