"""One small network for each data set, trained on either backend, and how far two backends agree.

Each is described once. Run on both from the same seed, nothing is copied from one to the other: what
`agreement` then measures is the difference between the frameworks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn import layers, losses, names, optimizers
from dualnn.assignments.data import LOADERS
from dualnn.assignments.probabilities import softmax
from dualnn.callbacks import Callback, History
from dualnn.models import Model, Sequential

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Assignment:
    """A network for a data set, and how the network is trained."""

    build: Callable[[], Model]
    """Returns the network, not compiled; it ends in one logit a class."""
    learning_rate: float
    """The learning rate of Adam."""
    epochs: int
    batch_size: int


def _iris() -> Model:
    return Sequential([layers.Dense(16, activation="relu"), layers.Dense(3)], name="iris")


def _digits() -> Model:
    # Smooth units, for the sake of agreement: of thousands of ReLUs, sooner or later one has an input
    # that rounds to below zero on one backend and above on the other, and the two part by more.
    return Sequential(
        [
            layers.Conv2D(16, 3, padding="same", activation="gelu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="gelu"),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(10),
        ],
        name="digits",
    )


def _images() -> Model:
    # ReLUs again: on a CPU an epoch takes half the time that it takes with smooth units
    return Sequential(
        [
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10),
        ],
        name="images",
    )


ASSIGNMENTS = {
    "iris": Assignment(_iris, 0.01, epochs=25, batch_size=16),
    "digits": Assignment(_digits, 0.003, epochs=15, batch_size=32),
    "mnist": Assignment(_images, 0.001, epochs=3, batch_size=64),
    "fashion-mnist": Assignment(_images, 0.001, epochs=5, batch_size=64),
}


@dataclass(frozen=True, eq=False)
class Result:
    """What came of one assignment on one backend."""

    assignment: str
    backend: str
    version: str
    device: str
    seed: int
    accuracy: float
    """The share of the test examples that are classified correctly."""
    seconds: float
    """The time that `fit` took, compiling and validation included."""
    history: History
    initial_weights: list[Array]
    weights: list[Array]
    probabilities: Array
    """The predicted probabilities of the test examples' classes."""


@dataclass(frozen=True)
class Agreement:
    """How far two results of one assignment agree."""

    same_initial_weights: bool
    """Whether the initial weights are the same, bit for bit."""
    weights: float
    """The largest difference of a trained weight, relative to the largest one in its array."""
    losses: float
    """The largest relative difference of the training loss of an epoch."""
    probabilities: float
    """The largest difference of a predicted probability."""
    same_predictions: float
    """The share of the test examples for which both predict the same class."""


def run(
    name: str,
    backend: str | None = None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    callbacks: Iterable[Callback] = (),
) -> Result:
    """Train and test the network of an assignment on a backend.

    Args:
        name: ``"iris"``, ``"digits"``, ``"mnist"`` or ``"fashion-mnist"``.
        backend: a backend's name, or None for the default one.
        device: ``"cpu"``, ``"cuda"``, or None for the backend's default.
        dtype: ``"float32"``, ``"float64"``, or None for the default.
        epochs: how many times the training data are gone through; None: the assignment's own number.
        batch_size: the number of examples in a step; None: the assignment's own.
        seed: fixes the initial weights, the shuffles and the dropout masks.
        folder: where the files of MNIST or Fashion-MNIST are; None: see `dualnn.datasets.mnist`.
        callbacks: passed on to `fit`.

    Raises:
        ValueError: an unknown name, or a value that makes no sense.
        BackendNotAvailableError: the backend's framework is not installed.
        FileNotFoundError: the data set cannot be found.

    >>> from dualnn import assignments
    >>> result = assignments.run("iris", seed=1)
    >>> result.accuracy > 0.9
    True
    """
    assignment = names.lookup("assignment", name, ASSIGNMENTS)
    model: Model = assignment.build().on(backend, device=device, dtype=dtype)
    model.compile(
        optimizer=optimizers.Adam(assignment.learning_rate),
        loss=losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    (x_train, y_train), (x_test, y_test) = LOADERS[name](folder)
    initial = _InitialWeights()
    start = time.perf_counter()
    history = model.fit(
        x_train,
        y_train,
        epochs=assignment.epochs if epochs is None else epochs,
        batch_size=assignment.batch_size if batch_size is None else batch_size,
        validation_data=(x_test, y_test),
        seed=seed,
        callbacks=[initial, *callbacks],
        verbose=0,
    )
    seconds = time.perf_counter() - start
    probabilities = softmax(model.predict(x_test, verbose=0))
    return Result(
        assignment=name,
        backend=model.backend,
        version=model.nn.__version__,
        device=model.device,
        seed=seed,
        accuracy=float(np.mean(probabilities.argmax(axis=-1) == y_test)),
        seconds=seconds,
        history=history,
        initial_weights=initial.weights,
        weights=model.get_weights(),
        probabilities=probabilities,
    )


def agreement(a: Result, b: Result) -> Agreement:
    """Measure how far two results of one assignment agree.

    >>> from dualnn import assignments
    >>> result = assignments.run("iris", epochs=1)
    >>> assignments.agreement(result, result)  # doctest: +NORMALIZE_WHITESPACE
    Agreement(same_initial_weights=True, weights=0.0, losses=0.0, probabilities=0.0,
              same_predictions=1.0)
    """
    loss_a, loss_b = (np.asarray(result.history.history["loss"]) for result in (a, b))
    same = a.probabilities.argmax(axis=-1) == b.probabilities.argmax(axis=-1)
    return Agreement(
        same_initial_weights=all(
            x.dtype == y.dtype and x.tobytes() == y.tobytes()
            for x, y in zip(a.initial_weights, b.initial_weights, strict=True)
        ),
        weights=max(_relative(x, y) for x, y in zip(a.weights, b.weights, strict=True)),
        losses=max(map(_relative, loss_a, loss_b)),
        probabilities=float(np.max(np.abs(a.probabilities - b.probabilities))),
        same_predictions=float(np.mean(same)),
    )


class _InitialWeights(Callback):
    """Keeps a copy of the weights that a training starts from."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.weights = self.model.get_weights()


def _relative(a: Array, b: Array) -> float:
    """Return the largest difference, relative to the largest magnitude in `a`."""
    difference, scale = float(np.max(np.abs(a - b))), float(np.max(np.abs(a)))
    if difference == 0:
        return 0.0
    return difference / scale if scale else float("inf")
