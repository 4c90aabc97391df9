"""What a card of own gaze files must say: `source.gaze`, key by key.

Each check returns what is wrong and what to do in one line, "" where the card is in order.
"""

from __future__ import annotations

from collections.abc import Callable

from benchbox.datasets.gaze import notation
from benchbox.types import GazeConvention, GazeFiles, Protocol

_EXAMPLES = {
    "gaze2d": 'columns = ["x", "y"], positive = ["right", "down"], unit = "px", origin = "screen"',
    "gaze3d": 'columns = ["pitch", "yaw"], positive = ["up", "left"], unit = "rad"',
}


def find_fault(protocol: Protocol) -> str:
    """Say which key of own gaze files is absent or does not fit, "" if all do."""
    if protocol.source is None:
        return ""
    files = protocol.source.gaze
    if protocol.task == "landmarks":
        return "" if files is None else "source.gaze: not for task landmarks; strike it out"
    if files is None:
        return (
            f'source.gaze: is missing; task = "{protocol.task}" with dataset "files" must say how '
            f"the files write gaze: {{{_EXAMPLES[protocol.task]}}}; positive: where somebody looks "
            "whose number is above 0"
        )
    checks: tuple[Callable[[str, GazeFiles], str], ...] = (
        _notation_fault,
        _task_fault,
        _screen_fault,
        _pixels_fault,
        _position_fault,
    )
    if files.files != "table":
        checks = (_tree_fault,)
    faults = [_box_fault(protocol)]
    faults += [check(protocol.task, files) for check in checks]
    return next(filter(None, faults), "")


def _notation_fault(task: str, files: GazeFiles) -> str:
    del task
    fault = notation.fault_of(files.convention)
    if fault:
        return f"source.gaze.{fault[0]}: does not fit or is missing; allowed: {fault[1]}"
    return ""


def _box_fault(protocol: Protocol) -> str:
    if protocol.box != "ground_truth":
        return ""
    return (
        "box.source: gaze has no points to draw a ground_truth box about; allowed: picture (all of "
        "it), bbox (columns box_x0, box_y0, box_x1, box_y1), face (face_x0, …)"
    )


def _tree_fault(task: str, files: GazeFiles) -> str:
    if task != "gaze3d":
        return f'source.gaze.files: "{files.files}" holds directions; task = "gaze3d"'
    if files.columns or files.positive or files.unit or files.origin:
        return (
            f'source.gaze.columns: files = "{files.files}" says how gaze is written; strike out '
            "columns, positive, unit and origin"
        )
    return ""


def _task_fault(task: str, files: GazeFiles) -> str:
    kind = notation.kind_of(files.columns)
    if task == "gaze2d" and kind != "points":
        return (
            'source.gaze.columns: directions are for task = "gaze3d"; task gaze2d wants points '
            "on the screen: x and y"
        )
    if task == "gaze3d" and kind == "points" and files.eye is None:
        return (
            'source.gaze.eye: is missing; task = "gaze3d" from points needs the position of the '
            'eye: {columns = ["x=eye_x", "y=eye_y", "z=eye_z"], positive = ["right", "down", '
            '"away"], unit = "mm"}; or task = "gaze2d"'
        )
    return ""


def _screen_fault(task: str, files: GazeFiles) -> str:
    del task
    given = [files.screen is not None, bool(files.screens), bool(files.screens_file)]
    if sum(given) > 1:
        return "source.gaze.screen: one of screen, screens and screens_file"
    if files.origin == "screen" and not any(given):
        return (
            "source.gaze.screen: is missing; points from a corner of the screen need {width_mm, "
            "height_mm, camera_x_mm, camera_above_mm} (width_px, height_px for pixels), or screens"
        )
    return ""


def _pixels_fault(task: str, files: GazeFiles) -> str:
    del task
    if files.unit != "px":
        return ""
    screens = {f"screens.{name}": screen for name, screen in files.screens.items()}
    if files.screen is not None:
        screens["screen"] = files.screen
    for key, screen in screens.items():
        if not (screen.width_px and screen.height_px):
            return f"source.gaze.{key}: width_px and height_px are missing; points are in pixels"
    return ""


def _position_fault(task: str, files: GazeFiles) -> str:
    """Say what is wrong with the columns of eye and head."""
    del task
    for key, position in (("eye", files.eye), ("head", files.head)):
        if position is None:
            continue
        kind, unit, wanted = "angles", position.unit, "pitch and yaw"
        if key == "eye":
            kind, unit, wanted = "vectors", "", "x, y and z"
        if notation.kind_of(position.columns) != kind:
            return f"source.gaze.{key}.columns: does not fit; allowed: {wanted}, each once"
        fault = notation.fault_of(GazeConvention(position.columns, position.positive, unit))
        if fault:
            return f"source.gaze.{key}.{fault[0]}: does not fit; allowed: {fault[1]}"
    return ""
