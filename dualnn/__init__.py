"""dualnn: write a neural network once, and run it on either framework to the same numbers.

    import dualnn as dn

    nn = dn.backend()                   # low level: tensors, variables, a gradient tape
    model = dn.Sequential([...])        # high level: layers, compile, fit
    twin = model.on(other_backend)      # the same weights on the other framework

Importing dualnn imports no framework; a backend is imported when it is first used.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from dualnn import (
    activations,
    backends,
    callbacks,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    random,
    regularizers,
    saving,
)
from dualnn.backends import BackendNotAvailableError, available, backend, namespace, use
from dualnn.callbacks import History
from dualnn.clashes import prevent
from dualnn.compare import compare
from dualnn.layers import Input, Layer
from dualnn.models import Model, Sequential
from dualnn.random import seed
from dualnn.saving.model_file import load_model
from dualnn.training.checkpoints import Checkpoints
from dualnn.training.guard import NonFiniteError

if TYPE_CHECKING:
    from dualnn import datasets, diagnostics, plots
    from dualnn import sklearn as sklearn  # not in __all__: a star must not hide scikit-learn itself

prevent()  # before any framework is imported, by dualnn or by the user

__version__ = "0.1.0"

__all__ = [
    "BackendNotAvailableError",
    "Checkpoints",
    "History",
    "Input",
    "Layer",
    "Model",
    "NonFiniteError",
    "Sequential",
    "activations",
    "available",
    "backend",
    "backends",
    "callbacks",
    "compare",
    "datasets",
    "diagnostics",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "namespace",
    "optimizers",
    "plots",
    "random",
    "regularizers",
    "saving",
    "seed",
    "use",
]


def __getattr__(name: str) -> ModuleType:
    # What downloads, judges and draws is imported when it is first asked for, with all that it imports.
    if name in ("datasets", "diagnostics", "plots", "sklearn"):
        return importlib.import_module(f"dualnn.{name}")
    raise AttributeError(f"module 'dualnn' has no attribute {name!r}")
