"""Which public names there are, so that one without a case is found."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from dualnn import (
    activations,
    backends,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    random,
    regularizers,
    schedules,
)
from dualnn.conformance.case import Case
from dualnn.protocol import Backend

MODULES: dict[str, ModuleType] = {
    "activations": activations,
    "initializers": initializers,
    "layers": layers,
    "losses": losses,
    "metrics": metrics,
    "optimizers": optimizers,
    "random": random,
    "regularizers": regularizers,
    "optimizers.schedules": schedules,
}

WITHOUT_NUMBERS = {
    "activations.get": "finds an activation by its name",
    "initializers.get": "finds an initializer by its name",
    "initializers.Initializer": "the base class",
    "layers.Input": "describes an input, computes nothing",
    "layers.Layer": "the base class",
    "losses.Loss": "the base class",
    "losses.LossFunctionWrapper": "makes a loss of a function; the losses are such",
    "losses.get": "finds a loss by its name",
    "metrics.MeanMetricWrapper": "makes a metric of a function; several metrics are such",
    "metrics.Metric": "the base class",
    "metrics.get": "finds a metric by its name",
    "optimizers.Optimizer": "the base class",
    "optimizers.get": "finds an optimizer by its name",
    "regularizers.get": "finds a regularizer by its name",
    "optimizers.schedules.LearningRateSchedule": "the base class",
    "dtype": "finds a data type by its name; the cases name data types by it",
    "dtype_name": "tells the name of a data type, which every measurement asks for",
    "random.process_state": "tells where the sequence of seeds stands, for checkpoints",
    "random.set_process_state": "sets it",
    "native_module": "shares variables with native code, tested with the models",
    "functional_call": "calls native code, tested with the layer that holds it",
    "layers.TorchModuleWrapper": "calls native code, whose numbers are its own",
}
"""Public names that compute nothing of their own, with the reason."""


def public(names_of_backends: Iterable[str]) -> list[str]:
    """Return all public names that compute: the backends' functions, and those of the core's modules."""
    found = {name for backend in names_of_backends for name in _of_backend(backends.backend(backend))}
    found |= {f"{prefix}.{name}" for prefix, module in MODULES.items() for name in _of_module(module)}
    return sorted(found - set(WITHOUT_NUMBERS))


def untested(cases: Iterable[Case], names_of_backends: Iterable[str]) -> list[str]:
    """Return the public names that no case is about."""
    tested = {case.name for case in cases}
    return [name for name in public(names_of_backends) if name not in tested]


def _of_backend(nn: Backend) -> Iterator[str]:
    dtype = type(nn.float32)
    for name, value in vars(nn).items():
        if callable(value) and not name.startswith("_") and not isinstance(value, dtype):
            yield name
    for extension in ("linalg", "fft"):
        if hasattr(nn, extension):
            yield from (f"{extension}.{name}" for name in getattr(nn, extension).__all__)


def _of_module(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if (
            not name.startswith("_")
            and (inspect.isclass(value) or inspect.isfunction(value))
            and _is_of(value, module)
        ):
            yield name


def _is_of(value: Any, module: ModuleType) -> bool:
    return str(value.__module__).startswith(module.__name__)
