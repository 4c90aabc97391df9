"""A protocol in words: what its card fixes, for somebody who meets it for the first time."""

from __future__ import annotations

from benchbox.layouts import LAYOUTS
from benchbox.types import Protocol

from . import options

_MEANING = {
    "inter_ocular": "the distance between the outer corners of the eyes",
    "inter_pupil": "the distance between the centres of the eyes (means of their points)",
    "face_size": "the square root of the face box's area",
    "diagonal": "the diagonal of the tight box around the points",
    "height": "the height of the tight box around the points",
    "detector": "boxes of the dataset's own face detector, as a running system would have",
    "rect": "the dataset's own face rectangle; AFLW computed it from the true points, WFLW's is like a detector's",
    "bbox": "the boxes of the card's own files",
    "mtcnn": "boxes of MTCNN from a file of yours, boxes/mtcnn.csv",
    "retinaface": "boxes of RetinaFace from a file of yours, boxes/retinaface.csv",
    "ground_truth": "tight boxes around the true points: easier than life, since they give the face's extent away",
}


_METRIC_MEANING = {
    "error_cm": "distance on the screen's plane, mean over frames",
    "error_cm_dot": "the same after averaging the answers of all frames of one dot",
    "error_cm_person": "mean over people of each one's mean distance",
    "msd_cm": "spread of the answers while a person looks at one point: root mean square distance from their mean",
    "error_deg": "angle between the directions, mean over frames",
    "error_deg_person": "mean over people of each one's mean angle",
    "jitter_px": "how much the error trembles from frame to frame of a video, in pixels",
    "bias_px": "the constant part of the error in a video, in pixels",
}


def describe_protocol(protocol: Protocol) -> str:
    """Explain a protocol to a newcomer, in lines of plain text."""
    p = protocol
    lines = [
        f"{p.name}: {p.title}",
        f"  card        version {p.version}, {p.card}",
        *_training_lines(p),
        *_label_lines(p),
        f"  test on     {describe_size(p, p.test_expected, p.test_clusters)}, ranked by the group {p.overall!r}",
        *(f"    {group:<14}{', '.join(parts)}" for group, parts in p.groups.items()),
        f"  box given   {p.box}: {_MEANING.get(p.box, 'as the dataset has it')}; x {p.box_expansion:g}",
        *([f"    beside it {', '.join(p.extra_boxes)}"] if p.extra_boxes else []),
        *_perturbations(p),
        *options.describe_options(p),
        *_scoring_lines(p),
        "  failed      an item without an answer counts as infinitely wrong in FR, AUC and curves and is"
        " left out of the mean, beside which it is counted",
        f"  interval    {p.interval:.0%}, {p.resamples} resamples of whole {p.cluster}s",
    ]
    if p.twin:
        lines.append(
            f"  no data?    --protocol {p.twin} has the same shape and renders its own faces"
        )
    return "\n".join([*lines, *(f"  note        {note}" for note in p.notes)])


def describe_size(protocol: Protocol, items: int, clusters: int) -> str:
    """Say how large a complete set is: in items or, where nobody published those, in clusters."""
    return f"{items} items" if items else f"all items of {clusters} {protocol.cluster}s"


def _perturbations(p: Protocol) -> list[str]:
    """Say what the chosen options do to boxes, pictures and labels."""
    keys = [key for key in ("scale", "translation", "rotation", "noise") if getattr(p, key)]
    return [
        f"    {key:<10}{options.format_value(getattr(p, key))}: {options.OPTIONS[key].meaning}"
        for key in keys
    ]


def _training_lines(p: Protocol) -> list[str]:
    if not p.train_parts:
        return ["  train on    nothing: for published weights and predictions from elsewhere"]
    complete = describe_size(p, p.train_expected, p.train_clusters)
    lines = [
        f"  train on    {p.train_dataset or p.dataset}: {', '.join(p.train_parts)}; {complete} when complete"
    ]
    if p.folds:
        many = (
            f"one per {p.cluster}" if p.folds == "cluster" else f"{p.folds}, by whole {p.cluster}s"
        )
        lines.append(
            f"    folds     {many}: each is tested by a model that was trained on all the others"
        )
    return lines


def _label_lines(p: Protocol) -> list[str]:
    lines = []
    if p.labelled < 1:
        lines.append(
            f"    labelled  {p.labelled:.0%} of them; the others come without labels (draw {p.draw})"
        )
    if p.extra:
        extra = p.extras[p.extra]
        parts = ", ".join(extra.parts)
        lines.append(
            f"    and       {extra.expected} pictures of {extra.dataset} ({parts}; {extra.box} boxes), no labels"
        )
    if p.validation:
        lines.append(
            f"    held out  {p.validation:.0%} of the labelled ones for validation, by whole {p.cluster}s"
        )
    if p.validation_parts:
        lines.append(
            f"    beside    {', '.join(p.validation_parts)} for validation, as the dataset has it"
        )
    return lines


def _scoring_lines(p: Protocol) -> list[str]:
    if p.task != "landmarks":
        first, *others = [f"{name}: {_METRIC_MEANING[name]}" for name in p.metrics]
        return [f"  error       {first}", *(f"    and       {other}" for other in others)]
    points = "".join(f", again on {count}" for count in p.points)
    lines = [
        f"  error       mean distance over the {LAYOUTS[p.layout].count} points{points}, divided by"
    ]
    lines += [f"    {normaliser:<14}{_MEANING[normaliser]}" for normaliser in p.normalisers]
    if p.masked:
        lines.append("    and again over the visible points only")
    lines += [f"  and         {name}: {_METRIC_MEANING[name]}" for name in p.metrics]
    if p.auc:
        ends = " and ".join(f"{end:g}" for end in p.auc)
        lines.append(
            f"  AUC up to   {ends}: area under the curve of faces with a smaller error, 1 is perfect"
        )
    if p.fr:
        lines.append(
            f"  FR above    {' and '.join(f'{end:g}' for end in p.fr)}: share of faces that fail"
        )
    return lines
