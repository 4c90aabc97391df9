"""The words in which a card or an option says how a file writes gaze; nothing here needs NumPy.

`columns` are what the numbers are, each with the name of its column where that is another:
`["yaw", "pitch"]`, `["x=gaze_x", "y=gaze_y", "z=gaze_z"]`, `["x=x_mm", "y=y_mm"]`. Files without a
header count their columns from 0: `["x=1", "y=2", "z=3"]`.

`positive` says of each column where somebody looks whose number is above 0. Directions are seen in
the picture: `left`, `right`, `up`, `down`, and `away` from or `towards` the camera. Points on a
screen are seen by the person in front of it: `right` is the viewer's own right.

`unit`: `rad` or `deg` of angles; `cm`, `mm`, `m`, `px` or `share` (0 … 1 of the screen) of points;
none of vectors. `origin` of points: `camera`, or `screen`, the screen's upper left corner.

None of this can be read off numbers, so none of it has a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchbox.types import GazeConvention

KINDS = {
    frozenset(("pitch", "yaw")): "angles",
    frozenset("xyz"): "vectors",
    frozenset("xy"): "points",
}
UNITS = {
    "angles": ("rad", "deg"),
    "vectors": ("",),
    "points": ("cm", "mm", "m", "px", "share"),
}
ORIGINS = ("camera", "screen")
FRAMES = ("camera", "normalised")
# word → axis of the camera's frame (x right of the picture, y down, z away) and sign
AXES = {
    "right": (0, 1),
    "left": (0, -1),
    "down": (1, 1),
    "up": (1, -1),
    "away": (2, 1),
    "towards": (2, -1),
}
_AXIS_OF = {"pitch": 1, "yaw": 0}
HOUSE_ANGLES = GazeConvention(("pitch", "yaw"), ("up", "left"), "rad")
HOUSE_VECTORS = GazeConvention(("x", "y", "z"), ("left", "up", "towards"))
HOUSE_POINTS = GazeConvention(("x", "y"), ("right", "up"), "cm", "camera")
HOUSE = {"gaze2d": (HOUSE_POINTS,), "gaze3d": (HOUSE_ANGLES, HOUSE_VECTORS)}


def split_columns(columns: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the columns are and what they are called.

    >>> split_columns(["yaw", "pitch=vertical"])
    (('yaw', 'pitch'), ('yaw', 'vertical'))
    """
    quantities, names = [], []
    for column in columns:
        quantity, equals, name = column.partition("=")
        quantities.append(quantity.strip())
        names.append(name.strip() if equals else quantity.strip())
    return tuple(quantities), tuple(names)


def kind_of(columns: Sequence[str]) -> str:
    """Return "angles", "vectors" or "points", "" where the columns are none of these.

    >>> kind_of(["yaw", "pitch"]), kind_of(["x=gaze_x", "y=gaze_y"]), kind_of(["x", "yaw"])
    ('angles', 'points', '')
    """
    quantities, _ = split_columns(columns)
    if len(set(quantities)) < len(quantities):
        return ""
    return KINDS.get(frozenset(quantities), "")


def fault_of(convention: GazeConvention) -> tuple[str, str] | None:
    """Return the first key that is absent or does not fit, and what is allowed; None if all fit.

    >>> fault_of(GazeConvention(("yaw", "pitch"), ("right", "up"), "deg"))
    >>> fault_of(GazeConvention(("yaw", "pitch"), ("right", "up")))
    ('unit', 'rad | deg')
    """
    kind = kind_of(convention.columns)
    if not kind:
        return "columns", (
            'pitch and yaw, or x, y and z, or x and y, each once in their order: ["yaw", "pitch"], '
            '["x=gaze_x", "y=gaze_y", "z=gaze_z"]'
        )
    if convention.unit not in UNITS[kind]:
        return "unit", " | ".join(UNITS[kind]) or "none of vectors"
    if not _sides_fit(convention):
        return (
            "positive",
            f"where somebody looks whose number is above 0: {_sides_told(convention)}",
        )
    return _origin_fault(convention, kind)


def _sides_fit(convention: GazeConvention) -> bool:
    """Tell whether each column has one side, each of another axis."""
    if len(convention.positive) != len(convention.columns):
        return False
    axes = set()
    for word, allowed in zip(convention.positive, _allowed_words(convention), strict=True):
        if word not in allowed:
            return False
        axes.add(AXES[word][0])
    return len(axes) == len(convention.columns)


def _sides_told(convention: GazeConvention) -> str:
    quantities, names = split_columns(convention.columns)
    told = []
    for quantity, name, words in zip(quantities, names, _allowed_words(convention), strict=True):
        label = quantity
        if name != quantity:
            label += f" ({name})"
        told.append(f"{label} {'|'.join(words)}")
    return ", ".join(told)


def _origin_fault(convention: GazeConvention, kind: str) -> tuple[str, str] | None:
    if kind != "points":
        if convention.origin:
            return "origin", "none of directions"
        return None
    if convention.origin not in ORIGINS:
        return "origin", '"camera" | "screen" (its upper left corner)'
    if convention.unit in ("px", "share") and convention.origin != "screen":
        return "origin", '"screen", from whose corner px and shares are counted'
    return None


def _allowed_words(convention: GazeConvention) -> list[tuple[str, ...]]:
    """Return per column the words that `positive` may hold."""
    quantities, _ = split_columns(convention.columns)
    kind = kind_of(convention.columns)
    allowed = []
    for quantity in quantities:
        words = tuple(AXES)
        if kind == "angles":
            axis = _AXIS_OF[quantity]
            words = tuple(word for word in AXES if AXES[word][0] == axis)
        elif kind == "points":
            words = ("right", "left", "down", "up")
        allowed.append(words)
    return allowed


def with_columns(base: GazeConvention, columns: Sequence[str]) -> GazeConvention:
    """Return a convention with other columns.

    Columns of the same quantities keep unit, origin and, each its own, the positive side; columns
    of another kind keep nothing.

    >>> labels = GazeConvention(("yaw", "pitch"), ("right", "up"), "deg")
    >>> with_columns(labels, ("pitch=p", "yaw=y")).positive
    ('up', 'right')
    """
    if kind_of(columns) != kind_of(base.columns):
        return GazeConvention(tuple(columns), ())
    old, _ = split_columns(base.columns)
    side_of = dict(zip(old, base.positive, strict=True))
    new, _ = split_columns(columns)
    positive = tuple(side_of[quantity] for quantity in new)
    return replace(base, columns=tuple(columns), positive=positive)


def describe_convention(convention: GazeConvention) -> str:
    """Say in words how gaze is written.

    >>> describe_convention(HOUSE_ANGLES)
    'pitch (positive: up), yaw (positive: left), rad'
    >>> describe_convention(GazeConvention(("x", "y"), ("right", "down"), "px", "screen"))
    'x (positive: right), y (positive: down), px from the upper left corner of the screen'
    """
    quantities, names = split_columns(convention.columns)
    pieces = []
    for quantity, name, word in zip(quantities, names, convention.positive, strict=True):
        label = quantity if name == quantity else f"{quantity} = {name}"
        pieces.append(f"{label} (positive: {word})")
    text = ", ".join(pieces)
    if convention.unit:
        text += f", {convention.unit}"
    if convention.origin == "screen":
        text += " from the upper left corner of the screen"
    elif convention.origin:
        text += " from the camera"
    if convention.frame != "camera":
        text += f", {convention.frame} frame"
    return text
