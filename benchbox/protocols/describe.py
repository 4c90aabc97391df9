"""A protocol in words: what its card fixes, for somebody who meets it for the first time."""

from __future__ import annotations

from benchbox.layouts import require_layout
from benchbox.metrics.metric_names import parse_metric, short_convention
from benchbox.types import Protocol

from . import options

_MEANING = {
    "inter_ocular": "the distance between the outer corners of the eyes",
    "inter_pupil": "the distance between the centres of the eyes (means of their points)",
    "face_size": "the square root of the face box's area",
    "diagonal": "the diagonal of the tight box around the points",
    "height": "the height of the tight box around the points",
    "mean_side": "the mean of width and height of the tight box around the points",
    "detector": "boxes of the dataset's own face detector, as a running system would have",
    "rect": "the dataset's own face rectangle; AFLW computed it from the true points, WFLW's is"
    " like a detector's",
    "bbox": "the boxes of the card's own files",
    "mtcnn": "boxes of MTCNN from a file of yours, boxes/mtcnn.csv",
    "retinaface": "boxes of RetinaFace from a file of yours, boxes/retinaface.csv",
    "ground_truth": "tight boxes around the true points: easier than life, since they give the"
    " face's extent away",
}


_METRIC_MEANING = {
    "error_cm": "distance on the screen's plane, mean over frames",
    "error_cm_dot": "the same after averaging the answers of all frames of one dot",
    "error_cm_person": "mean over people of each one's mean distance",
    "msd_cm": "spread of the answers while a person looks at one point: root mean square"
    " distance from their mean",
    "error_deg": "angle between the directions, mean over frames",
    "error_deg_person": "mean over people of each one's mean angle",
    "jitter_px": "how much the error trembles from frame to frame of a video, in pixels",
    "bias_px": "the constant part of the error in a video, in pixels",
}
_BOXES = {
    "detector": "detector boxes",
    "ground_truth": "ground-truth boxes",
    "mtcnn": "MTCNN boxes",
    "retinaface": "RetinaFace boxes",
    "rect": "the data set's rectangles",
    "own": "boxes of its own detector",
}
_PERTURBATION_KEYS = ("scale", "translation", "rotation", "noise")


def describe_box(box: str) -> str:
    """Name a source of boxes in few words.

    >>> describe_box("ground_truth"), describe_box("annotated square")
    ('ground-truth boxes', 'annotated square boxes')
    """
    return _BOXES.get(box, f"{box.replace('_', ' ')} boxes")


def _metric_meaning(name: str) -> str:
    """Say what a metric of a card measures, with the frames and draws of a calibration."""
    metric = parse_metric(name)
    if metric.normaliser:
        words = {
            "rmse": "root mean square over the points",
            "median": "the median face's error",
            "nme": "mean distance",
        }
        measure = words.get(metric.measure, metric.title)
        if metric.averaged_by:
            measure = "mean of the groups' mean distances"
        return f"{measure}, by {short_convention(metric.convention)}"
    shots = metric.shots
    if not shots:
        return _METRIC_MEANING[name]
    if metric.plain:
        return f"the same frames and draws as error_{metric.unit}_calibrated_{shots}, no offset"
    return (
        f"mean over people after an offset from {shots} frames of each, of as many dots, which are"
        " left out of the score; over all subsets up to 5,000, else over 100 draws; people with"
        f" fewer than {2 * shots} dots are left out"
    )


def describe_protocol(protocol: Protocol) -> str:
    """Explain a protocol to a newcomer, in lines of plain text."""
    lines = [
        f"{protocol.name}: {protocol.title}",
        f"  card        version {protocol.version}, {protocol.card}",
        *_training_lines(protocol),
        *_label_lines(protocol),
        *_test_lines(protocol),
        *_box_lines(protocol),
        *_perturbation_lines(protocol),
        *options.describe_options(protocol),
        *_scoring_lines(protocol),
        "  failed      an item without an answer counts as infinitely wrong in FR, AUC and curves"
        " and is left out of the mean, beside which it is counted",
        f"  interval    {protocol.interval:.0%}, {protocol.resamples} resamples of whole"
        f" {protocol.cluster}s",
    ]
    if protocol.twin:
        lines.append(
            f"  no data?    --protocol {protocol.twin} has the same shape and renders its own faces"
        )
    lines += [f"  note        {note}" for note in protocol.notes]
    return "\n".join(lines)


def describe_size(protocol: Protocol, items: int, clusters: int) -> str:
    """Say how large a complete set is: in items or, where nobody published those, in clusters."""
    if items:
        return f"{items} items"
    return f"all items of {clusters} {protocol.cluster}s"


def _training_lines(protocol: Protocol) -> list[str]:
    if not protocol.train_parts:
        return ["  train on    nothing: for published weights and predictions from elsewhere"]
    complete = describe_size(protocol, protocol.train_expected, protocol.train_clusters)
    dataset = protocol.train_dataset or protocol.dataset
    parts = ", ".join(protocol.train_parts)
    lines = [f"  train on    {dataset}: {parts}; {complete} when complete"]
    if protocol.folds:
        count = f"{protocol.folds}, by whole {protocol.cluster}s"
        if protocol.folds == "cluster":
            count = f"one per {protocol.cluster}"
        lines.append(
            f"    folds     {count}: each is tested by a model that was trained on all the others"
        )
    return lines


def _label_lines(protocol: Protocol) -> list[str]:
    """Say which of the training items have labels, and which are held out for validation."""
    lines = []
    if protocol.labelled < 1:
        lines.append(
            f"    labelled  {protocol.labelled:.0%} of them; the others come without labels"
            f" (draw {protocol.draw})"
        )
    if protocol.extra:
        extra = protocol.extras[protocol.extra]
        lines.append(
            f"    and       {extra.expected} pictures of {extra.dataset}"
            f" ({', '.join(extra.parts)}; {extra.box} boxes), no labels"
        )
    if protocol.validation:
        lines.append(
            f"    held out  {protocol.validation:.0%} of the labelled ones for validation,"
            f" by whole {protocol.cluster}s"
        )
    if protocol.validation_parts:
        lines.append(
            f"    beside    {', '.join(protocol.validation_parts)} for validation,"
            " as the dataset has it"
        )
    return lines


def _test_lines(protocol: Protocol) -> list[str]:
    if protocol.holdout:
        return [
            f"  test on     {protocol.holdout:.0%} of the training items, left out of it by whole"
            f" {protocol.cluster}s; not on the test set"
        ]
    size = describe_size(protocol, protocol.test_expected, protocol.test_clusters)
    lines = [f"  test on     {size}, ranked by the group {protocol.overall!r}"]
    for group, parts in protocol.groups.items():
        lines.append(f"    {group:<14}{'' if len(group) < 14 else ' '}{', '.join(parts)}")
    return lines


def _box_lines(protocol: Protocol) -> list[str]:
    meaning = _MEANING.get(protocol.box, "as the dataset has it")
    lines = [f"  box given   {protocol.box}: {meaning}; x {protocol.box_expansion:g}"]
    if protocol.extra_boxes:
        lines.append(f"    beside it {', '.join(protocol.extra_boxes)}")
    return lines


def _perturbation_lines(protocol: Protocol) -> list[str]:
    """Say what the chosen options do to boxes, pictures and labels."""
    lines = []
    for key in _PERTURBATION_KEYS:
        strength = getattr(protocol, key)
        if strength:
            text = options.format_value(strength)
            lines.append(f"    {key:<10}{text}: {options.OPTIONS[key].meaning}")
    return lines


def _scoring_lines(protocol: Protocol) -> list[str]:
    if protocol.task != "landmarks":
        return _gaze_scoring_lines(protocol)
    again = "".join(f", again on {count}" for count in protocol.points)
    count = require_layout(protocol).count
    lines = [f"  error       mean distance over the {count} points{again}, divided by"]
    for normaliser in protocol.normalisers:
        lines.append(f"    {normaliser:<14}{_MEANING[normaliser]}")
    if protocol.masked:
        lines.append("    and again over the visible points only")
    for name in protocol.metrics:
        lines.append(f"  and         {name}: {_metric_meaning(name)}")
    if protocol.auc:
        limits = " and ".join(f"{limit:g}" for limit in protocol.auc)
        lines.append(
            f"  AUC up to   {limits}: area under the curve of faces with a smaller error,"
            " 1 is perfect"
        )
    if protocol.fr:
        limits = " and ".join(f"{limit:g}" for limit in protocol.fr)
        lines.append(f"  FR above    {limits}: share of faces that fail")
    return lines


def _gaze_scoring_lines(protocol: Protocol) -> list[str]:
    lines = []
    label = "  error       "
    for name in protocol.metrics:
        lines.append(f"{label}{name}: {_metric_meaning(name)}")
        label = "    and       "
    return lines
