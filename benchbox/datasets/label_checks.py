"""What is looked at in labels and boxes before a number is made of them.

`data verify` runs these checks on a whole copy and calls what they find wrong. `run` and `score`
run them on the rows that they use and refuse them in the same words: a number that rests on such
labels would be wrong. Who knows better accepts a check by its name (`--accept "turned labels"`),
and the record says so; what is no label at all (a placeholder, a share of the picture in place of
pixels, a direction without length) nobody can accept.

A fault names items, the files that their labels stand in, and what was measured. The limits of the
fit to a mean face stand in `shape_fit`, the others in `face_checks`, `box_checks` and
`gaze_label_checks`; `CHECKS` says them in words, with what they rest on, and is what the
documentation shows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from benchbox.errors import CheckError
from benchbox.types import Index, Protocol

from . import (
    assemble,
    box_checks,
    face_checks,
    gaze_label_checks,
    select,
    shape_fit,
)
from .check_row import Check
from .gaze import direction_checks
from .index import take_rows
from .label_fault import LabelFault

OWN_CHECKS = "the dataset's own checks"

CHECKS = (
    Check(
        "not a number",
        "labels of every kind",
        "every number is finite",
        "formats of public sets hold no other",
        "verify: wrong; run, score, explain: refused",
    ),
    Check(
        "placeholder",
        "points at (0, 0), (-1, -1) or another x = y at or below 0, points in one place",
        f"such a point may be {face_checks.MOST_PLACEHOLDER_OFF} face sizes from where the fit of "
        f"the other points puts it; fewer than {face_checks.FEWEST_REPEATED} may share a place",
        "2,701 faces of 300-W: a point is at most 0.70 sizes off, at most 2 share a place; "
        "3,462 frames of YTF-68 in whole pixels: at most 5 share one",
        "verify: wrong; run, score, explain: refused",
    ),
    Check(
        "shares of the picture",
        "points all within 0 … 1, or -1 … 1",
        f"some coordinate is beyond {face_checks.LARGEST_SHARE}",
        "no face is so small in pixels",
        "verify: wrong; run, score, explain: refused",
    ),
    Check(
        "no face of the layout",
        "a fit of the layout's mean face, turned to 21 poses, by rotation, scale and shift",
        f"it leaves at most {shape_fit.MOST_RESIDUAL} of the face's size",
        "300-W at most 0.31, YTF-68 0.479; exchanged, mirrored or reversed points 0.69 to 0.98, "
        "every point one place on 0.49 to 0.60",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "a point far off",
        "each point's distance from where that fit puts it",
        f"at most {shape_fit.MOST_OFF} sizes of the face",
        "300-W at most 0.70; two frames of YTF-68 2.1 and 2.5, all others at most 0.96",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "points in another order",
        "faces that fit poorly: the same fit with known slips undone (points one or two places on, "
        "left and right or x and y exchanged, parts exchanged or reversed, names sorted as text, "
        "another layout's order)",
        f"above a residual of {shape_fit.DOUBTFUL_RESIDUAL} no slip undone leaves less than "
        f"{shape_fit.BETTER_READING} of it",
        "good faces leave 0.57 of what the best slip leaves, at most (YTF-68 0.76); slipped ones "
        "1.6 times as much or more",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "points in another order, over a set",
        f"the median of that distance, point by point, over {shape_fit.FEWEST_FACES} faces or "
        "more; and each part's median places against its points one place on or reversed",
        f"at most {shape_fit.MOST_MEDIAN_OFF} sizes of the face",
        "300-W and YTF-68, any four faces, at most 0.36; corners of an eye exchanged 0.44 to 0.60, "
        "nostrils 0.54 to 0.69, one eye for the other 0.96 to 1.18",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "turned labels",
        "the roll of that fit",
        f"at most {shape_fit.MOST_SINGLE_ROLL_DEG:.0f}° for a face, "
        f"{shape_fit.MOST_ROLL_DEG:.0f}° for the median of a set",
        "300-W at most 38°, YTF-68 at most 34°; turned by 180° at least 142°",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "a face listed twice",
        "items of one list, cluster and picture with the same points",
        "none",
        "none in 300-W and YTF-68",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "labels of another face",
        "two items of different photos or people with the same numbers throughout",
        "none",
        "none in 300-W; YTF-68 has three pairs of frames, each of one video",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "boxes read otherwise",
        "boxes as x y width height, as corners, about a centre, as left right top bottom, with x "
        "and y exchanged",
        f"none shares {box_checks.BETTER_IOU} more of its area with the points than the one read",
        "a box in the right convention shares 0.5 to 1 of its area with that of the points",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "boxes beside the face",
        "the area that a box shares with that of the points; the share of its side that they take",
        f"at least {box_checks.LEAST_BOX_IOU}, and {box_checks.LEAST_SIDE_SHARE} to "
        f"{box_checks.MOST_SIDE_SHARE} times the usual share, but for {box_checks.MOST_BESIDE:.0%} "
        f"of the items, which a note names; {box_checks.LEAST_MEDIAN_IOU} for the median of a set",
        "300-W's detector boxes share 0.26 or more, 0.52 to 1.28 times the usual share; WFLW's "
        "release has a few beside their face",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "directions of gaze",
        "3-D gaze: length 1, most of it towards the camera, "
        f"a spread of {gaze_label_checks.LEAST_GAZE_SPREAD_DEG}° or more over "
        f"{gaze_label_checks.MANY_ITEMS} items",
        f"length within {gaze_label_checks.UNIT_SLACK}; the mean's z is above 0",
        "degrees that were taken for radians are out of range, "
        "radians taken for degrees spread over a sixtieth of what they should",
        "verify: wrong; run, score: refused, unless accepted where the length is 1",
    ),
    Check(
        "pitch and yaw",
        "gaze and head pose, where a set has both: pitch with pitch and yaw with yaw",
        "they do not go together better crosswise or with a sign turned",
        "of MPIIGaze's fifteen people 13 turn eyes and head the same way",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "placeholder of gaze",
        "directions straight into the camera, places at (0, 0) or (-1, -1), to the last bit",
        "none, where most other labels differ from each other",
        "targets of a grid repeat, those of free gaze do not; GazeCapture and MPIIGaze have none",
        "verify: wrong; run, score: refused, unless accepted",
    ),
    Check(
        "places on a screen",
        "2-D gaze: cm from the camera",
        f"within {gaze_label_checks.LARGEST_GAZE_CM:.0f} cm; over {gaze_label_checks.MANY_ITEMS} "
        f"items a spread of {gaze_label_checks.LEAST_GAZE_SPREAD_CM} cm or more, and one beyond "
        f"{gaze_label_checks.LARGEST_SHARE} cm",
        "an iPad Pro is 26 cm long; metres would spread over less than 0.2, "
        "millimetres reach beyond 100",
        "verify: wrong; run, score: refused, within the range unless accepted",
    ),
    Check(
        OWN_CHECKS,
        "what a reader knows of its files: labels on the dots of a device's screen, gaze that goes "
        "with the head, spreads of pitch and yaw, whole pixels, square boxes, what a card expects "
        "of its gaze. A sign or an exchange that all labels share is not seen where there is "
        "neither head nor screen: `data verify` says so",
        "as the reader says",
        "in each reader",
        "verify: wrong; run, score: refused, unless accepted",
    ),
)


# --- who asks -------------------------------------------------------------------------------------


def find_faults(index: Index, layout: str) -> list[LabelFault]:
    """Look at all labels of an index; `layout` is "" for gaze, and for one that no table holds.

    Boxes are looked at by `box_checks`. Unlabelled extras, whose labels are NaN, are passed over.
    """
    labelled = index.parts != assemble.EXTRA
    if not labelled.all():
        index = take_rows(index, np.flatnonzero(labelled))
    if not len(index.ids):
        return []
    if index.values.ndim == 3:
        return list(face_checks.find_landmark_faults(index, layout))
    if index.values.ndim == 2 and index.values.shape[1] == 3:
        return list(gaze_label_checks.find_direction_faults(index))
    if index.values.ndim == 2:
        return list(gaze_label_checks.find_screen_faults(index))
    return []


def used_rows(protocol: Protocol, index: Index, *, training: bool = True) -> np.ndarray:
    """Return the labelled rows that a protocol uses: those it tests on, and trains on."""
    members = [*protocol.groups[protocol.overall]]
    if training:
        members += [*protocol.train_parts, *protocol.validation_parts]
    return np.flatnonzero(select.select_rows(index, members) & (index.parts != assemble.EXTRA))


def find_used_faults(
    protocol: Protocol, index: Index, *, training: bool = True
) -> list[LabelFault]:
    """Look at the labels that a protocol uses, and in training at its boxes."""
    rows = used_rows(protocol, index, training=training)
    used = index
    if len(rows) < len(index.ids):
        used = take_rows(index, rows)
    layout = protocol.layout
    if protocol.own_layout is not None:
        layout = ""  # of which no mean face is known
    faults = []
    for fault in find_faults(used, layout):
        if protocol.rotation and fault.check == "turned labels":
            continue  # as the card's option asks
        faults.append(fault)
    if training and not (protocol.scale or protocol.translation):
        faults += box_checks.find_box_faults(used, (protocol.box,))
    faults += [LabelFault(OWN_CHECKS, what) for what in index.faults]
    if protocol.dataset in direction_checks.EXPECTED_OF_SETS and not protocol.train_dataset:
        for finding in direction_checks.check_known_set(protocol.dataset, used):
            if finding.level == "wrong":
                faults.append(LabelFault(OWN_CHECKS, finding.what))
    return faults


def refuse_faults(
    protocol: Protocol, index: Index, accepted: Collection[str] = (), *, training: bool = True
) -> list[str]:
    """Refuse labels and boxes of which no number may be made; return what was accepted, in notes.

    Parameters
    ----------
    protocol
        Whose rows are looked at: those it tests on, in training those it trains on, too.
    index
        The data.
    accepted
        Names of checks whose faults somebody accepts.
    training
        Look at training rows and boxes, too.

    Raises
    ------
    CheckError
        A check failed that nobody accepted: names items and files, and what to do.
    """
    return refuse_unless_accepted(
        protocol.name, find_used_faults(protocol, index, training=training), accepted
    )


def refuse_unless_accepted(
    name: str, faults: Sequence[LabelFault], accepted: Collection[str]
) -> list[str]:
    """Raise CheckError for a fault that is final or not accepted; return notes of the others."""
    notes = []
    for fault in faults:
        if fault.final:
            raise CheckError(
                f"{name}: {fault.what}; mend the labels or leave these items out "
                "(`benchbox data verify` lists every fault)"
            )
        if fault.check not in accepted:
            raise CheckError(
                f"{name}: {fault.what}; mend it, or, where it is right, --accept "
                f'"{fault.check}" goes on and is recorded (`benchbox data verify` lists every '
                "fault)"
            )
        notes.append(f'accepted, "{fault.check}": {fault.what}')
    return notes
