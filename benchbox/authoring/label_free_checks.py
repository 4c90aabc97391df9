"""What pictures alone say of a network that is read by somebody else's conventions.

A network answers for every input, and a wrong convention looks like a bad network. Without any
label it can be told that the points swap in a mirror, that they stay where the face is when the box
moves, that exchanged channels are no improvement, and that two faces have two answers. Each check
says what a failure means. A network that answers badly on these pictures may fail, too: look at it
on pictures of its own kind (`benchbox test method NAME --protocol P --data ROOT`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchbox import geometry
from benchbox.types import Layout, Sample

from .check_result import Check

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

Ask = Callable[[Sequence[Sample]], "Floats"]

BOX_MOVE = 0.03  # share of the box's sides
_LEAST_SPREAD = 1e-3  # of the box's side, or of a radian
_NEAR_FACE = 1.0  # box sides that a point may lie beyond the box
_MIRROR_PART = 0.06  # of the box's side, between a face and its mirrored twin
# a point stands out when it is so much farther from its twin than the median point is
_STANDS_OUT = 4.0
_REST_PX = 1.0  # less may be the network's own leaning
_FOLLOWS = 0.5  # share of a box's move that points may follow
_TURN_DEG = 10.0  # of a direction when the box moves by 3 %
_BETTER = 0.8  # exchanged channels may not lessen the disagreement to this share


def check_without_labels(
    ask: Ask, samples: Sequence[Sample], layout: Layout | None
) -> Iterator[Check]:
    """Try a predictor on pictures whose labels nobody looks at.

    `ask` returns (n, K, 2) px with a layout, else (n, 3) directions or (n, 2) cm.
    """
    samples = [_decode(sample) for sample in samples]
    values = ask(samples)
    seen = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if seen.sum() < 2:
        yield Check("equal answers", False, f"{seen.sum()} of {len(samples)} faces have an answer")
        return
    samples = [samples[row] for row in np.flatnonzero(seen)]
    values = values[seen]
    yield _check_equal_answers(values, samples, layout)
    has_boxes = all(np.isfinite(sample.box).all() for sample in samples)
    if layout is None and values.shape[1] != 3:
        return  # a place on a screen has no mirror: the camera does not move along
    if not has_boxes:
        return  # nothing to move or to mirror but the picture
    if layout is None:
        yield _check_mirrored_direction(ask, samples, values)
        yield _check_moved_direction(ask, samples, values)
    else:
        yield _check_near_face(values, samples)
        yield _check_mirrored_points(ask, samples, values, layout)
        yield _check_moved_points(ask, samples, values)
    yield _check_channels(ask, samples, values, layout)


# --- pictures and boxes, changed ------------------------------------------------------------------


def _decode(sample: Sample) -> Sample:
    return _with_picture(sample, sample.pixels())


def _with_picture(sample: Sample, picture: Bytes) -> Sample:
    return replace(sample, pixels=partial(_return, picture), cache_key=None)


def _return(picture: Bytes) -> Bytes:
    return picture


def mirror_sample(sample: Sample) -> Sample:
    """Mirror picture and box; pixel frame, so x becomes width - 1 - x."""
    picture = sample.pixels()
    right = picture.shape[1] - 1.0
    x0, y0, x1, y1 = sample.box
    mirrored = _with_picture(sample, np.ascontiguousarray(picture[:, ::-1]))
    return replace(mirrored, box=np.array([right - x1, y0, right - x0, y1]))


def mirror_points(points: Floats, samples: Sequence[Sample], layout: Layout) -> Floats:
    """Bring the points (n, K, 2) of mirrored pictures back to the pictures as they were."""
    widths = np.array([sample.pixels().shape[1] for sample in samples], float)
    back = points[:, list(layout.flip)].copy()
    back[..., 0] = widths[:, None] - 1 - back[..., 0]
    return back


def _move_box(sample: Sample, right: float, down: float) -> Sample:
    size = sample.box[2:] - sample.box[:2]
    shift = size * np.array([right, down])
    return replace(sample, box=sample.box + np.concatenate([shift, shift]))


def _exchange_channels(sample: Sample) -> Sample:
    return _with_picture(sample, np.ascontiguousarray(sample.pixels()[:, :, ::-1]))


def _box_sides(samples: Sequence[Sample]) -> Floats:
    """Return the longer side (n,) of each box."""
    return np.array([(sample.box[2:] - sample.box[:2]).max() for sample in samples])


# --- the checks -----------------------------------------------------------------------------------


def _check_equal_answers(values: Floats, samples: Sequence[Sample], layout: Layout | None) -> Check:
    """Compare the answers of different faces, points in the coordinates of their boxes."""
    compared = values
    if layout is not None:
        maps = geometry.box_to_unit(np.stack([sample.box for sample in samples]))
        compared = geometry.transform_points(maps, values)
    spread = float(np.ptp(compared, axis=0).max())
    if spread > _LEAST_SPREAD:
        return Check("equal answers", True, f"{len(values)} faces, {len(values)} answers")
    return Check(
        "equal answers",
        False,
        "every face gets the same answer: a wrong scaling (divide, mean, std) or decode rule",
    )


def _check_near_face(values: Floats, samples: Sequence[Sample]) -> Check:
    boxes = np.stack([sample.box for sample in samples])
    reach = geometry.expand_boxes(boxes, 1 + 2 * _NEAR_FACE)
    inside = (values >= reach[:, None, :2]) & (values <= reach[:, None, 2:])
    outside = 1 - inside.all(axis=2).mean()
    detail = f"{100 * outside:.1f} % of the points lie more than a box away from theirs"
    if outside <= 0.1:
        return Check("points by the face", True, detail)
    return Check(
        "points by the face",
        False,
        f"{detail}: a wrong frame, ends or order of numbers, or a wrong scaling",
    )


def _check_mirrored_points(
    ask: Ask, samples: Sequence[Sample], values: Floats, layout: Layout
) -> Check:
    """Hold a face against its mirrored twin: points swap by the layout's flip table."""
    mirrored = ask([mirror_sample(sample) for sample in samples])
    back = mirror_points(mirrored, samples, layout)
    unswapped = back[:, list(layout.flip)]
    sides = _box_sides(samples)
    apart = _mean_distance(values, back, sides)
    apart_unswapped = _mean_distance(values, unswapped, sides)
    rest_px = float(np.nanmean(values[..., 0] - back[..., 0])) / 2
    detail = f"{100 * apart:.1f} % of the box apart, a rest of {rest_px:+.2f} px in x"
    name = "mirrored picture and box"
    if apart_unswapped < apart and apart > 0.02:
        return Check(
            name,
            False,
            f"{detail}, and less without swapping ({100 * apart_unswapped:.1f} %): the points are"
            f" in another order than {layout.name}'s, or the map is wrong",
        )
    if _is_one_sided(values, back, sides, rest_px):
        return Check(
            name,
            False,
            f"{detail}, to one side on every face: a wrong half-pixel map, ends or add"
            " (or the network leans by itself)",
        )
    if not apart <= _MIRROR_PART:
        return Check(
            name, False, f"{detail}: a wrong order of points or numbers (x for y), crop or frame"
        )
    strays = _find_strays(values, back, sides)
    if strays:
        return Check(
            name,
            False,
            f"{detail}; points {', '.join(map(str, strays[:8]))} do not meet their twins as the"
            f" others do: their order is not {layout.name}'s, or the map is wrong there",
        )
    return Check(name, True, detail)


def _is_one_sided(values: Floats, back: Floats, sides: Floats, rest_px: float) -> bool:
    """Tell whether a rest of more than a pixel is most of what lies between the twins."""
    if abs(rest_px) <= _REST_PX:
        return False
    evened = values - np.array([2 * rest_px, 0.0])
    left = _mean_distance(evened, back, sides)
    return left <= _mean_distance(values, back, sides) * 0.75


def _find_strays(values: Floats, back: Floats, sides: Floats) -> list[int]:
    """Return the points that are far from their mirrored twins while most are near."""
    distances = np.linalg.norm(values - back, axis=2) / sides[:, None]
    by_point = np.nanmedian(distances, axis=0)
    usual = float(np.median(by_point))
    far = (by_point > _STANDS_OUT * usual) & (by_point > 0.02)
    return [int(point) for point in np.flatnonzero(far)]


def _mean_distance(one: Floats, other: Floats, sides: Floats) -> float:
    distances = np.linalg.norm(one - other, axis=2).mean(axis=1) / sides
    if not np.isfinite(distances).any():
        return float("inf")
    return float(np.nanmean(distances))


def _check_moved_points(ask: Ask, samples: Sequence[Sample], values: Floats) -> Check:
    """Move the box by 3 % in four directions: the face has not moved."""
    followed = []
    sizes = np.stack([sample.box[2:] - sample.box[:2] for sample in samples])
    for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        moved = ask([_move_box(s, right * BOX_MOVE, down * BOX_MOVE) for s in samples])
        direction = np.array([right, down], float)
        along = ((moved - values).mean(axis=1) * direction).sum(axis=1)
        followed.append(along / (BOX_MOVE * (sizes * np.abs(direction)).sum(axis=1)))
    share = float(np.nanmean(followed))
    detail = f"points follow {100 * share:.0f} % of a move by 3 %"
    if abs(share) <= _FOLLOWS:
        return Check("box moved by 3 %", True, detail)
    return Check(
        "box moved by 3 %",
        False,
        f"{detail}: they belong to the crop, not to the face: a wrong frame, crop or scaling",
    )


def _check_mirrored_direction(ask: Ask, samples: Sequence[Sample], values: Floats) -> Check:
    """Hold a gaze against that of the mirrored picture: yaw changes its sign, pitch does not."""
    mirrored = ask([mirror_sample(sample) for sample in samples])
    pitch, yaw = np.degrees(geometry.vectors_to_angles(values)).T
    pitch_m, yaw_m = np.degrees(geometry.vectors_to_angles(mirrored)).T
    right = float(np.nanmean(np.hypot(yaw_m + yaw, pitch_m - pitch)))
    others = {
        "yaw stays: it is not the horizontal angle, or the wrong output": (
            np.hypot(yaw_m - yaw, pitch_m - pitch)
        ),
        "pitch changes its sign and yaw does not: their order is exchanged": (
            np.hypot(yaw_m - yaw, pitch_m + pitch)
        ),
    }
    name = "mirrored picture and box"
    detail = f"{right:.1f} degrees apart"
    for meaning, apart in others.items():
        if float(np.nanmean(apart)) < right / 2:
            return Check(name, False, f"{detail}; {meaning}")
    return Check(name, True, detail)


def _check_moved_direction(ask: Ask, samples: Sequence[Sample], values: Floats) -> Check:
    turns = []
    for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        moved = ask([_move_box(s, right * BOX_MOVE, down * BOX_MOVE) for s in samples])
        turns.append(_angles_deg(values, moved))
    turn = float(np.nanmean(turns))
    detail = f"directions turn by {turn:.1f} degrees for a move by 3 %"
    if turn <= _TURN_DEG:
        return Check("box moved by 3 %", True, detail)
    return Check("box moved by 3 %", False, f"{detail}: a wrong crop, scaling, unit or decode rule")


def _angles_deg(one: Floats, other: Floats) -> Floats:
    cross = np.linalg.norm(np.cross(one, other), axis=1)
    angles: Floats = np.degrees(np.arctan2(cross, (one * other).sum(axis=1)))
    return angles


def _check_channels(
    ask: Ask, samples: Sequence[Sample], values: Floats, layout: Layout | None
) -> Check:
    """Exchange red and blue: agreement of a face with its mirrored twin should get worse."""
    as_given = _mirror_disagreement(ask, samples, values, layout)
    exchanged = [_exchange_channels(sample) for sample in samples]
    turned = ask(exchanged)
    name = "channels exchanged"
    if np.array_equal(turned, values):
        return Check(name, True, "no difference: the network or the pictures are grey")
    after = _mirror_disagreement(ask, exchanged, turned, layout)
    detail = f"twins {after / max(as_given, 1e-12):.2f} times as far apart as with the card's order"
    if after >= _BETTER * as_given:
        return Check(name, True, detail)
    return Check(name, False, f"{detail}: the network does better so; try the other input.channels")


def _mirror_disagreement(
    ask: Ask, samples: Sequence[Sample], values: Floats, layout: Layout | None
) -> float:
    mirrored = ask([mirror_sample(sample) for sample in samples])
    if layout is not None:
        back = mirror_points(mirrored, samples, layout)
        return _mean_distance(values, back, _box_sides(samples))
    return float(np.nanmean(_angles_deg(values, mirrored * [-1.0, 1.0, 1.0])))
