"""Ask a plugin's module for what it offers, giving each function what it names.

A predictor gets the weights and the device. One that asks for more says so by the names of its
further parameters, which are the fields of `MethodSetting`:

    def predictor(weights, device, params): ...
    def predictor(weights, device, *, params, layout): ...

`weights_files`, which a module may offer, names files that lie outside the run's own folder, so
that the record holds their hashes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from benchbox.errors import PluginError
from benchbox.types import Layout, Predict, Task

_WITH_A_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class MethodSetting:
    """What a predictor may ask for, beside weights and device."""

    params: Mapping[str, Any] = field(default_factory=dict)  # of the run, overrides included
    task: Task = "landmarks"  # of the protocol
    layout: Layout | None = None  # of the protocol; None for gaze
    folder: Path = Path()  # of the method's card
    data: Path = Path("data")  # the data root


def make_predictor(
    module: ModuleType, weights: Path, device: str, setting: MethodSetting
) -> Predict:
    """Return the module's predictor: samples → (n, K, 2) px | (n, 2) cm | (n, 3).

    Raises PluginError for a parameter that is not offered.
    """
    further = _named_arguments(module.predictor, setting, known=2)
    predict: Predict = module.predictor(weights, device, **further)
    return predict


def weights_files(module: ModuleType, setting: MethodSetting) -> dict[str, Path]:
    """Return name → file of what a method reads from outside its run's folder; {} for most."""
    function = getattr(module, "weights_files", None)
    if function is None:
        return {}
    return dict(function(**_named_arguments(function, setting, known=0)))


def _named_arguments(
    function: Callable[..., Any], setting: MethodSetting, *, known: int
) -> dict[str, Any]:
    """Return the fields of a setting that a function names after its `known` first parameters."""
    parameters = list(inspect.signature(function).parameters.values())[known:]
    offered = [one.name for one in fields(setting)]
    arguments = {}
    for parameter in parameters:
        if parameter.name in offered:
            arguments[parameter.name] = getattr(setting, parameter.name)
        elif parameter.default is parameter.empty and parameter.kind in _WITH_A_NAME:
            raise PluginError(
                f"{function.__module__}: {function.__name__} asks for {parameter.name!r};"
                f" it may ask for {', '.join(offered)}"
            )
    return arguments
