"""Ask a plugin's module for what it offers, giving each function what it names.

A predictor gets the weights and the device. One that asks for more says so by the names of its
further parameters, which are the fields of `MethodSetting`:

    def predictor(weights, device, params): ...
    def predictor(weights, device, *, params, layout): ...

The function that a predictor returns is asked for 32 samples at a time; one with an attribute
`batch_size` for so many, 0 for all at once.

`weights_files`, which a module may offer, names files that lie outside the run's own folder, so
that the record holds their hashes. `record_notes` may return what a record must say of the
predictions, a line each: a map between layouts.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from benchbox.errors import PluginError
from benchbox.types import Examples, Job, Layout, Predict, RunKind, Sample, Task

from . import guest_code

if TYPE_CHECKING:
    import numpy as np

_WITH_A_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class MethodSetting:
    """What a predictor may ask for, beside weights and device."""

    params: Mapping[str, Any] = field(default_factory=dict)  # of the run, overrides included
    task: Task = "landmarks"  # of the protocol
    layout: Layout | None = None  # of the protocol; None for gaze
    folder: Path = Path()  # of the method's card
    data: Path = Path("data")  # the data root


def train(module: ModuleType, job: Job, blame: str) -> RunKind:
    """Let a plugin train, if it does; return the kind of row that this makes.

    It gets a job of its own: what it does to parameters and labels stays with it. Raises
    PluginError, with `blame` at its head, for one that ends the program.
    """
    if not hasattr(module, "train"):
        return "weights"
    own = copy_job(job)
    with guest_code.run_as_guest(blame) as changes:
        kind: RunKind = "trained"
        if module.train(own) == "weights":
            kind = "weights"
    if dict(own.params) != dict(job.params):
        changes.changed.append("job.params")
    if own.labelled.values.tobytes() != job.labelled.values.tobytes():
        changes.changed.append("job.labelled.values")
    return kind


def copy_job(job: Job) -> Job:
    """Return a job whose parameters and labels are copies."""
    validation = None
    if job.validation is not None:
        validation = _copy_labels(job.validation)
    return replace(
        job,
        labelled=_copy_labels(job.labelled),
        validation=validation,
        params=copy.deepcopy(dict(job.params)),
    )


def _copy_labels(examples: Examples) -> Examples:
    return replace(
        examples,
        values=examples.values.copy(),
        clusters=examples.clusters.copy(),
        visible=copy.copy(examples.visible),
        detector_boxes=copy.copy(examples.detector_boxes),
    )


def make_predictor(
    module: ModuleType, weights: Path, device: str, setting: MethodSetting, blame: str
) -> Predict:
    """Return the module's predictor: samples → (n, K, 2) px | (n, 2) cm | (n, 3).

    Raises PluginError for a parameter that is not offered, and, with `blame` at its head, for code
    that ends the program.
    """
    further = _named_arguments(module.predictor, setting, known=2)
    with guest_code.run_as_guest(blame):
        predict: Predict = module.predictor(weights, device, **further)
    if not callable(predict):
        raise PluginError(
            f"{blame}: predictor(weights, device) must return a function of samples, not"
            f" {type(predict).__name__}"
        )

    def predict_as_guest(samples: Sequence[Sample]) -> np.ndarray:
        with guest_code.run_as_guest(blame, draws=True):
            return predict(samples)

    if hasattr(predict, "batch_size"):
        predict_as_guest.batch_size = predict.batch_size  # type: ignore[attr-defined]
    return predict_as_guest


def list_networks(
    module: ModuleType, params: Mapping[str, Any], layout: Layout | None, blame: str
) -> Any:
    """Return what the module's `networks` names, for parameters that stay as they are."""
    with guest_code.run_as_guest(blame):
        return module.networks(copy.deepcopy(dict(params)), layout)


def weights_files(module: ModuleType, setting: MethodSetting) -> dict[str, Path]:
    """Return name → file of what a method reads from outside its run's folder; {} for most."""
    function = getattr(module, "weights_files", None)
    if function is None:
        return {}
    arguments = _named_arguments(function, setting, known=0)
    with guest_code.run_as_guest(f"weights_files of {module.__name__}"):
        return dict(function(**arguments))


def record_notes(module: ModuleType, setting: MethodSetting) -> tuple[str, ...]:
    """Return what a method wants said of its predictions in the record; () for most."""
    function = getattr(module, "record_notes", None)
    if function is None:
        return ()
    return tuple(map(str, function(**_named_arguments(function, setting, known=0))))


def _named_arguments(
    function: Callable[..., Any], setting: MethodSetting, *, known: int
) -> dict[str, Any]:
    """Return the fields of a setting that a function names after its `known` first parameters."""
    parameters = list(inspect.signature(function).parameters.values())[known:]
    offered = [one.name for one in fields(setting)]
    arguments = {}
    for parameter in parameters:
        if parameter.name in offered:
            # a copy: parameters are the record's
            arguments[parameter.name] = copy.deepcopy(getattr(setting, parameter.name))
        elif parameter.default is parameter.empty and parameter.kind in _WITH_A_NAME:
            raise PluginError(
                f"{function.__module__}: {function.__name__} asks for {parameter.name!r};"
                f" it may ask for {', '.join(offered)}"
            )
    return arguments
