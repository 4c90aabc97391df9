"""What the keys of a protocol card say about each other: one function a rule.

A rule returns what is allowed where the card breaks it, in words, and None where the card keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path

from benchbox.datasets import select
from benchbox.errors import ProtocolError
from benchbox.layouts import LAYOUTS, find_layout, normalisers_of
from benchbox.metrics.metric_names import TASK_METRICS, is_further_error, is_task_metric
from benchbox.types import Protocol

from . import gaze_card

# recording → its preparations, which show the same people
_SAME_PEOPLE = {
    "MPIIGaze": {"mpiigaze", "mpiigaze-small", "mpiifacegaze", "mpiifacegaze-gazehub"},
    "Gaze360": {"gaze360", "gaze360-gazehub"},
    "GazeCapture": {"gazecapture", "gazecapture-faze", "gazecapture-sted"},
    "AFLW": {"aflw", "aflw2000-3d", "aflw2000-3d-reannotated"},
    "300-W": {"300w", "300w-lp"},
}
Rule = Callable[[Protocol], str | None]


def check_consistency(protocol: Protocol, path: Path) -> None:
    """Raise ProtocolError for the first key that does not fit the rest of the card."""
    if protocol.name != path.stem:
        raise _misfit(path, "name", f"{path.stem}, as the file is called")
    for key, rule in _RULES.items():
        allowed = rule(protocol)
        if allowed is not None:
            raise _misfit(path, key, allowed)
    fault = gaze_card.find_fault(protocol)
    if fault:
        raise ProtocolError(f"{path}: {fault}")


def _misfit(path: Path, key: str, allowed: str) -> ProtocolError:
    return ProtocolError(f"{path}: {key}: does not fit the rest of the card; allowed: {allowed}")


def _tested_parts(protocol: Protocol) -> set[str]:
    return select.member_parts(chain.from_iterable(protocol.groups.values()))


# --- rules ----------------------------------------------------------------------------------------


def _layout_belongs_to_landmarks(protocol: Protocol) -> str | None:
    if (protocol.task == "landmarks") == bool(protocol.layout):
        return None
    return f'{" | ".join(LAYOUTS)} for landmarks, "" for gaze'


def _source_belongs_to_custom_dataset(protocol: Protocol) -> str | None:
    if (protocol.dataset == "files") == bool(protocol.source):
        return None
    return 'a table for the dataset "files", none for others'


def _training_dataset_is_another(protocol: Protocol) -> str | None:
    if not protocol.train_dataset:
        return None
    same = protocol.dataset == protocol.train_dataset
    if not same and protocol.dataset != "files" and not protocol.folds:
        return None
    return "a dataset other than the one that is tested on"


def _training_people_are_others(protocol: Protocol) -> str | None:
    """Two preparations of one recording show the same people: no test across datasets."""
    both = {protocol.dataset, protocol.train_dataset}
    for name, preparations in _SAME_PEOPLE.items():
        if len(both) == 2 and both <= preparations:
            return f"a dataset of other people; {' and '.join(sorted(both))} both show {name}'s"
    return None


def _overall_is_a_group(protocol: Protocol) -> str | None:
    if protocol.overall in protocol.groups:
        return None
    return " | ".join(protocol.groups)


def _overall_covers_all_groups(protocol: Protocol) -> str | None:
    overall_parts = select.member_parts(protocol.groups[protocol.overall])
    if overall_parts == _tested_parts(protocol):
        return None
    return f"groups whose parts are all in the overall group {protocol.overall!r}"


def _training_and_test_are_disjoint(protocol: Protocol) -> str | None:
    """With folds every item is trained on, in turn, so that both must name the same."""
    if protocol.folds:
        if protocol.train_parts == protocol.groups[protocol.overall]:
            return None
        return "with folds the members of the overall group"
    if protocol.train_dataset:
        return None
    if _tested_parts(protocol) & select.member_parts(protocol.train_parts):
        return "parts that are not tested on"
    return None


def _validation_parts_are_disjoint(protocol: Protocol) -> str | None:
    if not protocol.validation_parts:
        return None
    validated = select.member_parts(protocol.validation_parts)
    used = _tested_parts(protocol) | select.member_parts(protocol.train_parts)
    drawn = protocol.validation > 0 or protocol.folds
    if not drawn and not validated & used:
        return None
    return (
        "[] with a share held out or with folds, else parts that are neither trained nor tested on"
    )


def _training_size_is_given_once(protocol: Protocol) -> str | None:
    given = bool(protocol.train_expected) + bool(protocol.train_clusters)
    if given == bool(protocol.train_parts):
        return None
    return "either train.expected or train.clusters; 0 both without train.parts"


def _test_size_is_given_once(protocol: Protocol) -> str | None:
    if bool(protocol.test_expected) != bool(protocol.test_clusters):
        return None
    return "either test.expected or test.clusters"


def _box_is_among_choices(protocol: Protocol) -> str | None:
    if protocol.box in protocol.options["box"]:
        return None
    return f"a list with {protocol.box!r} in it"


def _points_are_subsets_of_layout(protocol: Protocol) -> str | None:
    subsets: tuple[int, ...] = ()
    layout = find_layout(protocol)
    if layout is not None:
        subsets = tuple(layout.subsets)
    if set(protocol.points) <= set(subsets):
        return None
    return ", ".join(map(str, subsets)) or "none for gaze"


def _metrics_fit_task(protocol: Protocol) -> str | None:
    """Landmarks are scored by normaliser, so only gaze must name a metric."""
    allowed = TASK_METRICS[protocol.task]
    enough = protocol.task == "landmarks" or len(protocol.metrics) > 0
    others = [name for name in protocol.metrics if not is_task_metric(name, protocol.task)]
    if enough and all(is_further_error(name, protocol) for name in others):
        return None
    words = " | ".join(allowed)
    if protocol.task == "landmarks":
        words += (
            " | nme, rmse or median of a part or a whole face under the card's own normalisers, "
            "nme_…_balanced of a card with two groups beside the overall one"
        )
    return words


def _masked_belongs_to_landmarks(protocol: Protocol) -> str | None:
    if protocol.masked and protocol.task != "landmarks":
        return "false for gaze"
    return None


def _normalisers_belong_to_landmarks(protocol: Protocol) -> str | None:
    layout = find_layout(protocol)
    if (layout is None) == bool(protocol.normalisers):
        return "one or more for landmarks, [] for gaze"
    if layout is None:
        return None
    allowed = normalisers_of(layout)
    if set(protocol.normalisers) <= set(allowed):
        return None
    return f"{' | '.join(allowed)}: what the points of {layout.name} give"


_RULES: Mapping[str, Rule] = {  # key that is blamed → rule, in the order of checking
    "layout": _layout_belongs_to_landmarks,
    "source": _source_belongs_to_custom_dataset,
    "train.dataset": lambda protocol: (
        _training_dataset_is_another(protocol) or _training_people_are_others(protocol)
    ),
    "test.overall": _overall_is_a_group,
    "test.groups": _overall_covers_all_groups,
    "train.parts": _training_and_test_are_disjoint,
    "train.validation_parts": _validation_parts_are_disjoint,
    "train.clusters": _training_size_is_given_once,
    "test.clusters": _test_size_is_given_once,
    "box.choices": _box_is_among_choices,
    "score.points": _points_are_subsets_of_layout,
    "score.metrics": _metrics_fit_task,
    "score.masked": _masked_belongs_to_landmarks,
    "score.normalisers": _normalisers_belong_to_landmarks,
}
