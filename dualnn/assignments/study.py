"""An assignment from its data to its result: search, choose, train again, test once."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dualnn import losses, names, optimizers, schedules
from dualnn.assignments.architecture import Architecture
from dualnn.assignments.data import Folder, load
from dualnn.assignments.partitions import partitions
from dualnn.assignments.plan import PLANS, Plan, reduced
from dualnn.assignments.probabilities import interval, softmax
from dualnn.callbacks import Callback, EarlyStopping, History
from dualnn.datasets import Dataset
from dualnn.models import Model
from dualnn.place import Place

Array: TypeAlias = npt.NDArray[Any]
Progress: TypeAlias = Callable[[str, int, int], None]
"""Takes what is being done, how many epochs are done, and how many there are at most."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A network of the search, and how it did on the examples that it was not trained on."""

    architecture: Architecture
    weights: int
    """The number of its weights."""
    histories: tuple[History, ...]
    """What `fit` returned for each fold, up to the epoch after which it was stopped."""
    held_out: tuple[int, ...]
    """The number of examples that validated each fold."""
    seconds: float

    @property
    def best_epochs(self) -> list[int]:
        """The epoch of each fold whose validation loss was the lowest, counted from 1."""
        losses_of = (np.asarray(history.history["val_loss"]) for history in self.histories)
        return [int(np.argmin(np.where(np.isnan(values), np.inf, values))) + 1 for values in losses_of]

    @property
    def accuracy(self) -> float:
        """The share of the validation examples that are classified correctly in the best epochs."""
        return self._mean("val_accuracy")

    @property
    def loss(self) -> float:
        """The mean cross-entropy of the validation examples in the best epochs."""
        return self._mean("val_loss")

    @property
    def uncertainty(self) -> float:
        """The standard error of the accuracy, that of a share of so many examples."""
        return float(np.sqrt(self.accuracy * (1 - self.accuracy) / sum(self.held_out)))

    @property
    def epochs(self) -> int:
        """How long to train without validation: the median of the best epochs."""
        return round(float(np.median(self.best_epochs)))

    @property
    def typical(self) -> History:
        """The history of the fold whose best epoch is nearest to the median."""
        distances = [abs(epoch - self.epochs) for epoch in self.best_epochs]
        return self.histories[int(np.argmin(distances))]

    def _mean(self, metric: str) -> float:
        values = [
            history.history[metric][epoch - 1]
            for history, epoch in zip(self.histories, self.best_epochs, strict=True)
        ]
        return float(np.average(values, weights=self.held_out))


@dataclass(frozen=True, eq=False)
class Final:
    """The best network of a kind, trained again on all training examples, and tested."""

    trial: Trial
    """How it did in the search."""
    model: Model
    history: History
    probabilities: Array
    """The predicted probabilities of the test examples' classes, float64 (examples, classes)."""
    right: int
    """How many of the test examples are classified correctly."""
    seconds: float

    @property
    def kind(self) -> str:
        """``"single-layer"``, ``"multi-layer"`` or ``"convolutional"``."""
        return self.trial.architecture.kind

    @property
    def predictions(self) -> Array:
        """The predicted classes of the test examples."""
        classes: Array = self.probabilities.argmax(axis=-1)
        return classes

    @property
    def accuracy(self) -> float:
        """The share of the test examples that are classified correctly."""
        return self.right / len(self.probabilities)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy on all examples there could be lies, with a confidence of 95 %."""
        return interval(self.right, len(self.probabilities))


@dataclass(frozen=True, eq=False)
class Study:
    """An assignment, done on one backend."""

    assignment: str
    plan: Plan
    data: Dataset
    seed: int
    backend: str
    version: str
    device: str
    machine: str
    trials: tuple[Trial, ...]
    """The networks of the search, the best first."""
    finals: tuple[Final, ...]
    """The best network of each kind, in the order of the plan."""
    seconds: float

    @property
    def best(self) -> Final:
        """The network that the search chose: of all that were tried, the best on validation."""
        return next(final for final in self.finals if final.trial is self.trials[0])


def study(
    name: str,
    backend: str | None = None,
    *,
    device: str | None = None,
    seed: int = 0,
    quick: bool = False,
    epochs: int | None = None,
    folder: Folder = None,
    progress: Progress | None = None,
) -> Study:
    """Do an assignment: search for the best network, train it again, and test it once.

    The networks of the plan are trained on a part of the training examples and validated on the rest, by
    cross-validation where there are few; a training ends when its validation loss has not been better for
    some epochs. The best network of each kind (by validation accuracy, equal ones by validation loss) is
    then trained on all training examples, for as many epochs as were best, and tested. The test examples
    are used for nothing else.

    Args:
        name: ``"iris"``, ``"digits"``, ``"mnist"`` or ``"fashion-mnist"``; without MNIST's files, and
            without a folder named for them, the digits of scikit-learn are taken for ``"mnist"``.
        backend: a backend's name, or None for the default one.
        device: ``"cpu"``, ``"cuda"``, or None for the backend's default.
        seed: fixes the networks of the search, the validation examples, the initial weights, the shuffles
            and the dropout masks: the search is the same on every backend. Which examples are for the test
            does not depend on it.
        quick: whether fewer networks are tried, for fewer epochs and in fewer folds.
        epochs: the length of a training that is not stopped early; None: the plan's own.
        folder: where the files of MNIST or Fashion-MNIST are; None: see `dualnn.datasets.mnist`.
        progress: called after every epoch.

    Raises:
        ValueError: an unknown name, or a value that makes no sense.
        BackendNotAvailableError: the backend's framework is not installed.
        FileNotFoundError: the data set cannot be found.

    >>> from dualnn import assignments
    >>> done = assignments.study("iris", quick=True, epochs=1)
    >>> [final.kind for final in done.finals], len(done.trials)
    (['single-layer', 'multi-layer'], 3)
    """
    names.lookup("assignment", name, PLANS)
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs: expected at least 1, got {epochs}")
    place = Place.of(backend, device)
    data = load(name, folder)
    plan = PLANS[data.name]
    plan = reduced(plan) if quick else plan
    plan = plan if epochs is None else replace(plan, epochs=epochs)
    start = time.perf_counter()
    lab = _Lab(data, plan, place, seed, progress)
    trials = sorted(lab.trials(), key=lambda trial: (-trial.accuracy, trial.loss, trial.weights))
    finals = lab.finals(trials)
    return Study(
        assignment=name,
        plan=plan,
        data=data,
        seed=seed,
        backend=place.backend,
        version=place.nn.__version__,
        device=place.device,
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        trials=tuple(trials),
        finals=tuple(finals),
        seconds=time.perf_counter() - start,
    )


class _Lab:
    """Trains the networks of a plan, and counts the epochs."""

    def __init__(self, data: Dataset, plan: Plan, place: Place, seed: int, progress: Progress | None) -> None:
        self.data, self.plan, self.place, self.seed = data, plan, place, seed
        self.networks = plan.networks(seed)
        self.parts = partitions(data.y_train, plan.folds, seed)
        kinds = len({network.kind for network in self.networks})
        self.total = plan.epochs * (len(self.networks) * len(self.parts) + kinds)
        self.done = 0
        self.progress = progress or (lambda what, done, total: None)

    def trials(self) -> Iterator[Trial]:
        """Train every network on every part, and validate it."""
        for network in self.networks:
            start, histories = time.perf_counter(), []
            for fold, (rows, held_out) in enumerate(self.parts):
                x, x_held_out = self._scaled(self.data.x_train[rows], self.data.x_train[held_out])
                model = self._compiled(network, len(rows))
                what = str(network) if len(self.parts) == 1 else f"{network}, fold {fold + 1}"
                histories.append(
                    self._fit(
                        model,
                        (x, self.data.y_train[rows]),
                        self.plan.epochs,
                        self.seed + fold,
                        what,
                        validation_data=(x_held_out, self.data.y_train[held_out]),
                        callbacks=[EarlyStopping(patience=self.plan.patience)],
                    )
                )
            yield Trial(
                architecture=network,
                weights=model.count_params(),
                histories=tuple(histories),
                held_out=tuple(len(held_out) for _, held_out in self.parts),
                seconds=time.perf_counter() - start,
            )

    def finals(self, trials: Sequence[Trial]) -> Iterator[Final]:
        """Train the best network of each kind on all training examples, and test it."""
        x, x_test = self._scaled(self.data.x_train, self.data.x_test)
        for kind in dict.fromkeys(network.kind for network in self.networks):
            start = time.perf_counter()
            trial = next(trial for trial in trials if trial.architecture.kind == kind)
            model = self._compiled(trial.architecture, len(x))
            history = self._fit(
                model, (x, self.data.y_train), trial.epochs, self.seed, f"the best {kind} network"
            )
            probabilities = softmax(model.predict(x_test, batch_size=256, verbose=0))
            yield Final(
                trial=trial,
                model=model,
                history=history,
                probabilities=probabilities,
                right=int(np.sum(probabilities.argmax(axis=-1) == self.data.y_test)),
                seconds=time.perf_counter() - start,
            )

    def _compiled(self, network: Architecture, examples: int) -> Model:
        steps = self.plan.epochs * -(-examples // self.plan.batch_size)
        model: Model = network.build(len(self.data.class_names)).on(
            self.place.backend, device=self.place.device
        )
        model.compile(
            optimizer=optimizers.Adam(schedules.CosineDecay(network.learning_rate, decay_steps=steps)),
            loss=losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    def _fit(
        self,
        model: Model,
        examples: tuple[Array, Array],
        epochs: int,
        seed: int,
        what: str,
        callbacks: Sequence[Callback] = (),
        **options: Any,
    ) -> History:
        counter = _Counter(lambda epoch: self.progress(what, self.done + epoch, self.total))
        history = model.fit(
            *examples,
            batch_size=self.plan.batch_size,
            epochs=epochs,
            seed=seed,
            callbacks=[counter, *callbacks],
            verbose=0,
            **options,
        )
        self.done += self.plan.epochs  # those that an early stop has saved count as done
        return history

    def _scaled(self, x: Array, other: Array) -> tuple[Array, Array]:
        """Return both, scaled by the mean and the deviation of the first alone."""
        if not self.plan.standardised:
            return x, other
        mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        scaled, other_scaled = (((one - mean) / deviation).astype(x.dtype) for one in (x, other))
        return scaled, other_scaled


class _Counter(Callback):
    """Tells how many epochs of a training are done."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._tell(0)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._tell(epoch + 1)
