"""The loops of training, evaluation and prediction, written once for all backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dualnn import random
from dualnn.callbacks import Callback, History
from dualnn.layers import tree
from dualnn.layers.layer import without_batch
from dualnn.optimizers import Optimizer
from dualnn.protocol import Tensor
from dualnn.seeds import Seed
from dualnn.training import step as steps
from dualnn.training.callback_list import CallbackList
from dualnn.training.compiled import CompiledSteps
from dualnn.training.data import (
    ArrayData,
    Batch,
    Data,
    check_class_weight,
    check_finite,
    data_from,
    native_tree,
    split,
    yields_batches,
)
from dualnn.training.objective import Goals, MetricState, Objective
from dualnn.training.progress import EpochLines, ProgressBar, verbosity

if TYPE_CHECKING:
    from dualnn.models.model import Model


class Trainer:
    """What `Model.compile` makes: a model with its objective and optimizer, and its compiled steps.

    Args:
        model: the model.
        goals: the losses and metrics, for any outputs.
        optimizer: the optimizer.
        run_eagerly: whether steps run as they are, for debugging.
    """

    def __init__(self, model: Model, goals: Goals, optimizer: Optimizer, run_eagerly: bool) -> None:
        self.model, self.goals, self.optimizer, self.run_eagerly = model, goals, optimizer, run_eagerly
        self._objective: Objective | None = None
        self._steps = CompiledSteps()

    # ------------------------------------------------------------------ fit

    def fit(
        self,
        data: Data,
        *,
        validation: Callable[[], Data] | None,
        validation_freq: int,
        epochs: int,
        initial_epoch: int,
        verbose: Any,
        callbacks: Sequence[Callback],
        shuffle: bool,
        seed: int | None,
        finite: bool,
    ) -> History:
        """Train; see `Model.fit`."""
        model = self.model
        verbose = verbosity(verbose)
        self._seed(seed)
        self._prepare(data, finite)
        validation_data = None if validation is None else validation()
        if validation_data is not None:
            self._prepare(validation_data, finite)
        history = History()
        lines = [EpochLines()] if verbose == 2 else []
        params = {"epochs": epochs, "steps": data.steps, "verbose": verbose}
        callback = CallbackList([history, *lines, *callbacks], model, params)
        model.stop_training = False
        model.history = history
        callback("on_train_begin")
        logs: dict[str, float] = {}
        with ProgressBar(verbose == 1, epochs, model.name) as bar:
            for epoch in range(initial_epoch, epochs):
                callback("on_epoch_begin", epoch)
                bar.begin(data.steps, epoch)
                logs = self._train_epoch(data, shuffle, callback, bar)
                if validation_data is not None and (epoch + 1) % validation_freq == 0:
                    results = self.evaluate(validation_data, callback)
                    logs |= {f"val_{name}": value for name, value in results.items()}
                bar.end(epoch, logs)
                callback("on_epoch_end", epoch, logs)
                if model.stop_training:
                    break
        callback("on_train_end", logs)
        return history

    def _train_epoch(
        self, data: Data, shuffle: bool, callback: CallbackList, bar: ProgressBar
    ) -> dict[str, float]:
        model, nn, objective = self.model, self.model.nn, self.objective
        order = None
        if shuffle and isinstance(data, ArrayData):
            key = random.key(model.seed, "shuffle", model.epochs_trained)
            order = random.Generator(key).permutation(data.size)
        step = self._train_step()
        watched = callback.overrides("on_train_batch_begin") or callback.overrides("on_train_batch_end")
        state = self._read_state()
        done = 0
        try:
            for number, batch in enumerate(data.batches(model.place, order)):
                if watched:
                    callback("on_train_batch_begin", number)
                    state = {**self._read_state(), "metrics": state["metrics"]}
                state = step(state, batch, self._scalars())
                done += 1
                self.optimizer.iterations += 1
                if watched:
                    self._write_state(state)
                    callback("on_train_batch_end", number, objective.results(nn, state["metrics"]))
                bar.step()
        finally:  # also after an error or Ctrl-C, the model has the state of its last whole step
            if done and not watched:
                self._write_state(state)
        model.epochs_trained += 1
        return objective.results(nn, state["metrics"])

    def train_on_batch(self, batch: Batch) -> dict[str, float]:
        """Do one step of training and return its numbers."""
        self._prepare(ArrayData(batch, 1), finite=False)
        native = Batch(*(native_tree(part, self.model.place) for part in batch))
        state = self._train_step()(self._read_state(), native, self._scalars())
        self.optimizer.iterations += 1
        self._write_state(state)
        return self.objective.results(self.model.nn, state["metrics"])

    # ------------------------------------------------------------------ evaluate and predict

    def evaluate(self, data: Data, callback: CallbackList, shown: bool = False) -> dict[str, float]:
        """Return the losses and metrics on data that has been prepared."""
        model, nn = self.model, self.model.nn
        callback("on_test_begin")
        step = self._test_step()
        variables = [nn.stop_gradient(variable) for variable in model.variables]
        metrics = self._initial_metrics()
        with ProgressBar(shown, None, model.name) as bar:
            bar.begin(data.steps)
            for batch in data.batches(model.place, None):
                metrics = step(variables, metrics, batch)
                bar.step()
        logs = self.objective.results(nn, metrics)
        callback("on_test_end", logs)
        return logs

    def test(self, data: Data, verbose: Any, callbacks: Sequence[Callback]) -> dict[str, float]:
        """Evaluate; see `Model.evaluate`."""
        self._prepare(data, finite=False)
        shown = verbosity(verbose)
        params = {"epochs": 1, "steps": data.steps, "verbose": shown}
        return self.evaluate(data, CallbackList(callbacks, self.model, params), shown == 1)

    # ------------------------------------------------------------------ the model's state

    @property
    def objective(self) -> Objective:
        """The objective, made for the outputs of the built model and the first data."""
        assert self._objective is not None, "the objective is made when data has been prepared"
        return self._objective

    def _seed(self, seed: int | None) -> None:
        if seed is not None and (not self.model.built or self.model.seed != seed):
            self.model.__dict__["_seed"] = Seed(seed)

    def _prepare(self, data: Data, finite: bool) -> None:
        """Build the model on the data's first sample, and check the data against its outputs."""
        first = data.first()
        self.model.build_on(first.x)
        outputs, targets = self.model.output_shape, without_batch(first.y)
        if self._objective is None or self._objective.outputs != outputs:
            self._objective = Objective(self.goals, outputs, targets, self.model.output_names)
            self._steps = CompiledSteps()
        objective = self._objective

        def check(batch: Batch) -> None:
            if finite:
                check_finite(batch)
            objective.check(batch)

        data.check(check)

    def _scalars(self) -> Tensor:
        # computed on the host in float64, so that every backend is given the same numbers
        numbers = self.optimizer.scalars(self.optimizer.iterations)
        values = np.asarray([numbers[name] for name in sorted(numbers)], dtype=np.float64)
        return self.model.nn.asarray(values, dtype=self.model.dtype, device=self.model.device)

    def _read_state(self) -> steps.State:
        model, nn = self.model, self.model.nn
        slots = tree.slots(model)
        return steps.State(
            trainable=[nn.stop_gradient(slot.variable) for slot in slots if slot.trainable],
            other=[nn.stop_gradient(slot.variable) for slot in slots if not slot.trainable],
            optimizer=self._optimizer_slots([slot for slot in slots if slot.trainable]),
            metrics=self._initial_metrics(),
        )

    def _optimizer_slots(self, trainable: list[tree.Slot]) -> list[dict[str, Tensor]]:
        # When layers were frozen, freed or changed since the last step, each variable keeps its own slots.
        optimizer, nn = self.optimizer, self.model.nn
        paths = [slot.path for slot in trainable]
        if optimizer.slots is None:
            optimizer.slots = optimizer.init(nn, [slot.variable for slot in trainable])
        elif optimizer.slot_paths is not None:
            known = optimizer.parked | dict(zip(optimizer.slot_paths, optimizer.slots, strict=True))
            optimizer.parked = {path: slots for path, slots in known.items() if path not in paths}
            optimizer.slots = [
                known[slot.path]
                if slot.path in known and _fit(known[slot.path], slot)
                else optimizer.init(nn, [slot.variable])[0]
                for slot in trainable
            ]
        optimizer.slot_paths = paths
        return optimizer.slots

    def _write_state(self, state: steps.State) -> None:
        nn = self.model.nn
        slots = tree.slots(self.model)
        trainable = [slot.variable for slot in slots if slot.trainable]
        other = [slot.variable for slot in slots if not slot.trainable]
        if (len(trainable), len(other)) != (len(state["trainable"]), len(state["other"])):
            raise RuntimeError(
                "a layer was called for the first time inside a training step, so its weights came too late; "
                "call the model once before, on data that reaches the layer: model(x)"
            )
        for variable, value in zip(trainable, state["trainable"], strict=True):
            nn.assign(variable, value)
        for variable, value in zip(other, state["other"], strict=True):
            nn.assign(variable, value)
        self.optimizer.slots = state["optimizer"]

    def _initial_metrics(self) -> list[MetricState]:
        model = self.model
        return [
            {name: model.nn.asarray(value, device=model.device) for name, value in part.items()}
            for part in self.objective.initial_state()
        ]

    def _train_step(self) -> steps.TrainStep:
        def make() -> steps.TrainStep:
            return steps.train_step(self.model, self.objective, self.optimizer)

        return self._steps.get("train", self.model, make, self.run_eagerly)

    def _test_step(self) -> steps.TestStep:
        def make() -> steps.TestStep:
            return steps.test_step(self.model, self.objective)

        return self._steps.get("test", self.model, make, self.run_eagerly)


def fit_data(
    x: Any,
    y: Any,
    sample_weight: Any,
    *,
    class_weight: dict[int, float] | None,
    batch_size: int | None,
    steps_per_epoch: int | None,
    validation_data: Any,
    validation_split: float,
    validation_batch_size: int | None,
    validation_steps: int | None,
) -> tuple[Data, Callable[[], Data] | None]:
    """Return training data, and what makes the validation data, from the arguments of `Model.fit`."""
    data = data_from(x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch)
    if class_weight is not None:
        check_class_weight(class_weight)
    size = validation_batch_size or batch_size
    if validation_data is not None:
        data.weigh_classes(class_weight)
        if yields_batches(validation_data):
            return data, lambda: data_from(validation_data, steps=validation_steps)
        if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
            raise ValueError("validation_data must be (x, y), (x, y, sample_weight), or yield batches")
        return data, lambda: data_from(*validation_data, batch_size=size, steps=validation_steps)
    if validation_split:
        if not isinstance(data, ArrayData):
            raise ValueError("validation_split needs arrays; give validation_data for data in batches")
        batch, held_out = split(data.batch, validation_split)
        train = ArrayData(batch, data.batch_size, steps_per_epoch)
        train.weigh_classes(class_weight)
        return train, lambda: ArrayData(held_out, size or 32, validation_steps)
    data.weigh_classes(class_weight)
    return data, None


def _fit(state: dict[str, Tensor], slot: tree.Slot) -> bool:
    shape = tuple(slot.variable.shape)
    return all(tuple(value.shape) == shape for value in state.values())
