"""What own gaze data show of how they are written, beside the checks of all labels.

`datasets.label_checks` finds what no set can have (turned vectors, another unit, gaze against the
head). Here is what depends on the set: a mirror in labels and predictions alike moves no error, so
scores cannot show it; these do:

* yaw spreads more than pitch (EyeDiap 10.2° against 4.7°, Gaze360 71° against 21°), unless a phone
  is held upright: the card says so then, `expect = ["pitch_spreads_more"]`;
* points lie on the screen that they were shown on;
* a head that is turned round lies more than 90° from the gaze;
* what constants leave: the mean direction, straight into the camera, the head's direction.

"Gaze lies below the camera" and "gaze follows the head" hold at a laptop, not in general (in
EyeDiap mean pitch is +12.8° and the correlation with the head 0.06): they are asked where the card
says so, `expect = ["below_camera", "follows_head"]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchbox.geometry import angles_to_vectors, vectors_to_angles
from benchbox.types import Finding, GazeScreen, Index

from .angles import measure_correlation

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Strings

_LEAST_ROWS = 12  # for a correlation
_MORE_SPREAD = 1.25
_MOST = 0.9
_LEAST_INSIDE = 0.5  # of points on their screen; of MPIIFaceGaze's p07 9 % lie off it
_BETTER_INSIDE = 0.15
_AS_WELL_INSIDE = 0.05  # by which a turned reading may lie worse on the screen, untold

# set of directions → what holds there: people before a notebook look below its camera;
# ETH-XGaze's cameras stand all around. That gaze follows the head is asked of none: over MPIIGaze
# pitch goes with the head's by -0.06, yaw by 0.17. Own tables and GazeHub's files are looked at
# where they are read.
EXPECTED_OF_SETS: dict[str, tuple[str, ...]] = {
    "eth-xgaze": (),
    "mpiifacegaze": ("below_camera",),
    "mpiigaze": ("below_camera",),
    "mpiigaze-small": ("below_camera",),
}


def check_known_set(name: str, index: Index) -> list[Finding]:
    """Say where gaze points in a public set of directions, and what constants leave of it."""
    return check_gaze(
        np.asarray(index.values, np.float64),
        index.clusters,
        index.meta.get("head_pose"),
        EXPECTED_OF_SETS[name],
        trained=np.asarray(index.parts == "train"),
    )


def check_gaze(
    values: Floats,
    people: Strings,
    head_rad: Floats | None,
    expect: Sequence[str],
    *,
    trained: Bools,
    screen: bool = False,
) -> list[Finding]:
    """Say where gaze points, and whether it can.

    Takes house gaze (N, 2) cm or (N, 3), the person of each row, the head's pitch and yaw (N, 2)
    where they are known, what the card expects, which rows (N,) the first part holds, and whether
    a screen is known, on which `check_screens` looks for places.
    """
    if values.shape[1] == 2:
        return _check_points(values, expect, screen=screen)
    findings = _check_spread(values, expect)
    if "below_camera" in expect:
        findings += _check_below(values)
    if head_rad is not None:
        findings += _check_head(values, head_rad, expect)
    elif "follows_head" in expect:
        findings.append(
            Finding(
                "wrong", "expect follows_head: the files have no head; source.gaze.head names it"
            )
        )
    else:
        findings.append(_name_unseen_signs(expect))
    findings += _baselines(values, people, head_rad, trained)
    count = len(np.unique(people))
    findings.append(Finding("note", f"{count} people, {len(values)} frames"))
    return findings


# --- directions -----------------------------------------------------------------------------------


def _check_spread(values: Floats, expect: Sequence[str]) -> list[Finding]:
    """Compare the spreads of pitch and yaw."""
    pitch_deg, yaw_deg = np.degrees(vectors_to_angles(values)).T
    spread = f"pitch {_range_text(pitch_deg)}, yaw {_range_text(yaw_deg)}"
    taller = len(values) >= _LEAST_ROWS and pitch_deg.std() > _MORE_SPREAD * yaw_deg.std()
    if not taller or "pitch_spreads_more" in expect:
        return [Finding("ok", spread)]
    return [
        Finding(
            "wrong",
            f"{spread}: pitch spreads more than yaw: is the order exchanged (source.gaze.columns)? "
            'Where it is so, as on a phone held upright, expect = ["pitch_spreads_more"] says so',
        )
    ]


def _name_unseen_signs(expect: Sequence[str]) -> Finding:
    """Say which slip of all labels alike nothing in a set without heads tells."""
    signs = "the sign of yaw" if "below_camera" in expect else "the signs of pitch and yaw"
    text = f"no head pose is there to compare with: {signs} shared by all labels cannot be seen"
    if "below_camera" not in expect:
        text += ' (expect = ["below_camera"] tells pitch, where it holds)'
    return Finding("note", text)


def _range_text(angles_deg: Floats) -> str:
    return (
        f"{angles_deg.mean():+.1f}° ± {angles_deg.std():.1f}° "
        f"({angles_deg.min():+.0f}° … {angles_deg.max():+.0f}°)"
    )


def _check_below(values: Floats) -> list[Finding]:
    mean_deg = float(np.degrees(vectors_to_angles(values)[:, 0]).mean())
    text = f"mean pitch {mean_deg:+.1f}°"
    if mean_deg < 0:
        return [Finding("ok", f"gaze lies below the camera, {text}")]
    return [
        Finding(
            "wrong",
            f"gaze lies above the camera, {text}: the sign of pitch is turned "
            "(source.gaze.positive)",
        )
    ]


def _check_head(values: Floats, head_rad: Floats, expect: Sequence[str]) -> list[Finding]:
    """Hold gaze against the head: a vector that is turned round, and what the card expects."""
    gaze_rad = vectors_to_angles(values)
    head = angles_to_vectors(head_rad)
    apart_deg = float(np.median(angles_between_deg(values, head)))
    if apart_deg > 90:
        return [
            Finding(
                "wrong",
                f"gaze and head are {apart_deg:.0f}° apart (median): one of the two vectors is "
                "turned round (source.gaze.head.positive, source.gaze.positive)",
            )
        ]
    if len(values) < _LEAST_ROWS:
        return []
    along = [measure_correlation(gaze_rad[:, axis], head_rad[:, axis]) for axis in (0, 1)]
    measured = f"correlation with the head: pitch {along[0]:+.2f}, yaw {along[1]:+.2f}"
    if "follows_head" not in expect:
        return [Finding("note", measured)]
    if min(along) <= 0:
        return [Finding("wrong", f"gaze does not follow the head as the card expects; {measured}")]
    return [Finding("ok", f"gaze follows the head; {measured}")]


def _baselines(
    values: Floats, people: Strings, head_rad: Floats | None, trained: Bools
) -> list[Finding]:
    """Say what constants leave: what a method must beat.

    The mean direction is that of the first part on the others; of the other people where there is
    one part.
    """
    tested = ~trained
    if tested.any() and trained.any():
        answers = np.broadcast_to(values[trained].mean(axis=0), values.shape)
        pieces = [f"the mean direction of the first part {_mean_error(values, answers, tested)}"]
    else:
        tested = np.ones(len(values), bool)
        answers = _means_of_others(values, people)
        pieces = [f"the mean direction of the other people {_mean_error(values, answers, tested)}"]
    camera = np.broadcast_to([0.0, 0.0, 1.0], values.shape)
    pieces.append(f"straight into the camera {_mean_error(values, camera, tested)}")
    if head_rad is not None:
        head = angles_to_vectors(head_rad)
        pieces.append(f"the head's direction {_mean_error(values, head, tested)}")
    return [Finding("note", f"without looking at eyes, mean over frames: {', '.join(pieces)}")]


def _means_of_others(values: Floats, people: Strings) -> Floats:
    """Return for each row (N, 3) the mean direction of everybody else; of all if nobody is."""
    answers = np.empty_like(values)
    for name in np.unique(people):
        own = people == name
        others = ~own if not own.all() else own
        answers[own] = values[others].mean(axis=0)
    return answers


def _mean_error(values: Floats, answers: Floats, rows: Bools) -> str:
    return f"{angles_between_deg(values, answers)[rows].mean():.2f}°"


def angles_between_deg(a: Floats, b: Floats) -> Floats:
    """Return the angles (N,) between vectors (N, 3)."""
    across = np.linalg.norm(np.cross(a, b), axis=1)
    return np.asarray(np.degrees(np.arctan2(across, (a * b).sum(axis=1))))


# --- points ---------------------------------------------------------------------------------------


def _check_points(values_cm: Floats, expect: Sequence[str], *, screen: bool) -> list[Finding]:
    """Say on which side of the camera points lie."""
    below = float((values_cm[:, 1] < 0).mean())
    low, high = values_cm.min(axis=0), values_cm.max(axis=0)
    text = (
        f"points span x {low[0]:+.1f} … {high[0]:+.1f}, y {low[1]:+.1f} … {high[1]:+.1f} cm from "
        f"the camera, {below:.0%} below it"
    )
    if "below_camera" in expect and values_cm[:, 1].mean() >= 0:
        return [Finding("wrong", f"{text}: y is turned (source.gaze.positive)")]
    unseen = []
    if not screen:
        what = "x and y exchanged, the sign of x"
        if "below_camera" not in expect:
            what += ", that of y"
        text_unseen = f"no screen is named: {what}, shared by all labels, cannot be seen"
        unseen = [Finding("note", f"{text_unseen} (source.gaze.screen says where they may lie)")]
    if below < 1 - _MOST:
        return [
            *unseen,
            Finding(
                "note",
                f"{text}: the camera stands below the screen, or y is turned "
                '(source.gaze.positive); expect = ["below_camera"] makes this a fault',
            ),
        ]
    return [Finding("ok", text), *unseen]


def check_screens(values_cm: Floats, screens: Sequence[GazeScreen]) -> list[Finding]:
    """Say how many points (N, 2) cm lie on their screens, and which turn would bring them there."""
    size = np.array([(screen.width_mm, screen.height_mm) for screen in screens]) / 10
    camera = np.array([(screen.camera_x_mm, screen.camera_above_mm) for screen in screens]) / 10
    down = np.array([1.0, -1.0])
    corner = (values_cm + camera) * down  # from the upper left corner, x right and y down
    # files count from the screen's corner or from the camera: a sign may be turned about either
    turns = {
        "x turned": (corner * [-1.0, 1.0], (values_cm * [-1.0, 1.0] + camera) * down),
        "y turned": (corner * down, (values_cm * down + camera) * down),
        "x and y exchanged": (corner[:, ::-1], (values_cm[:, ::-1] + camera) * down),
    }
    inside = _share_inside(corner, size)
    text = f"{inside:.0%} of the points lie on their screen"
    better = {
        name: max(_share_inside(points, size) for points in about) for name, about in turns.items()
    }
    best = max(better, key=lambda name: better[name])
    if better[best] > inside + _BETTER_INSIDE:
        return [Finding("wrong", f"{text}, {best} {better[best]:.0%} (source.gaze.positive)")]
    if inside < _LEAST_INSIDE:
        return [Finding("wrong", f"{text}: another unit or origin (source.gaze)?")]
    findings = [Finding("ok", text)]
    untold = [name for name, share in better.items() if share > inside - _AS_WELL_INSIDE]
    if untold:
        words = " or ".join(untold)
        findings.append(Finding("note", f"with {words} as many would: the screen does not tell"))
    return findings


def _share_inside(corner_cm: Floats, size_cm: Floats) -> float:
    """Return the share of points (N, 2) on screens of a size (N, 2), with half a cm to spare."""
    inside = (corner_cm >= -0.5) & (corner_cm <= size_cm + 0.5)
    return float(inside.all(axis=1).mean())
