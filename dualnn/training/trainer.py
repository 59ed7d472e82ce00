"""The loops of training, evaluation and prediction, written once for all backends."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from dualnn import random
from dualnn.callbacks import Callback, History
from dualnn.layers import tree
from dualnn.layers.layer import without_batch
from dualnn.optimizers import Optimizer
from dualnn.place import Place
from dualnn.protocol import Engine, Tensor
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
from dualnn.training.engines import Wish, chosen, work_of
from dualnn.training.objective import Goals, MetricState, Objective
from dualnn.training.precision import Precision, initial_loss_scale
from dualnn.training.progress import EpochLines, ProgressBar, verbosity

if TYPE_CHECKING:
    from dualnn.models.model import Model


class Trainer:
    """What `Model.compile` makes: a model with its objective and optimizer, and its compiled steps.

    Args:
        model: the model.
        goals: the losses and metrics, for any outputs.
        optimizer: the optimizer.
        wish: how its steps are to be run.
        precision: what its layers compute in.
    """

    def __init__(
        self, model: Model, goals: Goals, optimizer: Optimizer, wish: Wish, precision: Precision
    ) -> None:
        self.model, self.goals, self.optimizer = model, goals, optimizer
        self.wish, self.precision = wish, precision
        self.loss_scale = initial_loss_scale() if precision.scales_loss else {}
        self._objective: Objective | None = None
        self._state: steps.State | None = None  # of the training in progress, where nobody has looked at it
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
        engine = self._announced(history, data, epochs - initial_epoch, callback)
        callback("on_train_begin")
        logs: dict[str, float] = {}
        alone = not callbacks and validation_data is None
        with self._state_written_back(), ProgressBar(verbose == 1, epochs, model.name) as bar:
            for epoch in range(initial_epoch, epochs):
                callback("on_epoch_begin", epoch)
                bar.begin(data.steps, epoch)
                logs = self._train_epoch(data, shuffle, engine, callback, bar)
                if not alone:  # somebody may look at the model, or change it
                    self._write_back()
                if validation_data is not None and (epoch + 1) % validation_freq == 0:
                    results = self.evaluate(validation_data, callback, engine=engine)
                    logs |= {f"val_{name}": value for name, value in results.items()}
                bar.end(epoch, logs)
                callback("on_epoch_end", epoch, logs)
                if model.stop_training:
                    break
        callback("on_train_end", logs)
        return history

    def _train_epoch(
        self, data: Data, shuffle: bool, engine: Engine, callback: CallbackList, bar: ProgressBar
    ) -> dict[str, float]:
        model, nn, objective = self.model, self.model.nn, self.objective
        order = None
        if shuffle and isinstance(data, ArrayData):
            key = random.key(model.seed, "shuffle", model.epochs_trained)
            order = random.Generator(key).permutation(data.size)
        each = callback.overrides("on_train_batch_begin") or callback.overrides("on_train_batch_end")
        chunks = callback.overrides("on_train_chunk_end")
        state = self._state or self._read_state()
        state = {**state, "metrics": self._initial_metrics()}
        number = 0
        for count, run in self._runs(data, order, engine, bar.shown):
            if each:
                callback("on_train_batch_begin", number)
                state = {**self._read_state(), "metrics": state["metrics"]}
            state = self._state = run(state)
            number += count
            self.optimizer.iterations += count
            bar.step(count)
            if each:
                self._write_back()
                callback("on_train_batch_end", number - 1, objective.results(nn, state["metrics"]))
            if chunks:
                callback("on_train_chunk_end", number - 1, objective.results(nn, state["metrics"]))
            if model.stop_training:
                break
        model.epochs_trained += 1
        return objective.results(nn, state["metrics"])

    def _runs(
        self, data: Data, order: Any, engine: Engine, shown: bool
    ) -> Iterator[tuple[int, Callable[[steps.State], steps.State]]]:
        """Yield, for the calls that an epoch is made of, the number of steps and the call."""
        place = self.model.place
        nn = place.nn
        if engine.name != "epoch" or not isinstance(data, ArrayData):  # it is then resident, too
            step = self._train_step(engine)
            for batch in data.batches(place, order):
                yield 1, lambda state, batch=batch: step(state, batch, self._scalars(1)[0])  # type: ignore[misc]
            return
        loop, samples = self._train_loop(engine), data.on_device(place)
        for rows in data.rows(order):
            length = _chunk(len(rows), engine.unroll) if shown else len(rows)
            indices = nn.asarray(rows, device=place.device)
            for start in range(0, len(rows), length):
                count = min(length, len(rows) - start)
                part = indices if count == len(rows) else indices[start : start + count]
                xs = (part, self._scalars(count))
                yield count, lambda state, xs=xs: loop(state, samples, xs)  # type: ignore[misc]

    def train_on_batch(self, batch: Batch) -> dict[str, float]:
        """Do one step of training and return its numbers."""
        self._prepare(ArrayData(batch, 1), finite=False)
        native = Batch(*(native_tree(part, self.model.place) for part in batch))
        engine, _ = self._engine(1, None, "")
        state = self._train_step(engine)(self._read_state(), native, self._scalars(1)[0])
        self.optimizer.iterations += 1
        self._write_state(state)
        return self.objective.results(self.model.nn, state["metrics"])

    # ------------------------------------------------------------------ evaluate and predict

    def evaluate(
        self, data: Data, callback: CallbackList, shown: bool = False, engine: Engine | None = None
    ) -> dict[str, float]:
        """Return the losses and metrics on data that has been prepared, by the engine of a fit around it."""
        model, nn = self.model, self.model.nn
        callback("on_test_begin")
        variables = [nn.value(variable) for variable in model.variables]
        metrics = self._initial_metrics()
        with ProgressBar(shown, None, model.name) as bar:
            bar.begin(data.steps)
            for count, run in self._test_runs(data, variables, engine):
                metrics = run(metrics)
                bar.step(count)
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

    def _scalars(self, count: int) -> Tensor:
        # computed on the host in float64, so that every backend is given the same numbers
        first = self.optimizer.iterations
        names = sorted(self.optimizer.scalars_of(first))
        numbers = (self.optimizer.scalars_of(step) for step in range(first, first + count))
        values = np.asarray([[one[name] for name in names] for one in numbers], dtype=np.float64)
        return self.model.nn.asarray(values, dtype=self.model.dtype, device=self.model.device)

    def _read_state(self) -> steps.State:
        model, nn = self.model, self.model.nn
        slots = tree.slots(model)
        return steps.State(
            trainable=[nn.value(slot.variable) for slot in slots if slot.trainable],
            other=[nn.value(slot.variable) for slot in slots if not slot.trainable],
            optimizer=self._optimizer_slots([slot for slot in slots if slot.trainable]),
            metrics=self._initial_metrics(),
            loss_scale={
                name: nn.asarray(value, device=model.device) for name, value in self.loss_scale.items()
            },
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

    @contextmanager
    def _state_written_back(self) -> Iterator[None]:
        # also after an error or Ctrl-C, the model has the state of its last whole step
        self._state = None
        try:
            yield
        finally:
            self._write_back()

    def _write_back(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            self._write_state(state)

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
        self.loss_scale = {name: nn.to_numpy(value) for name, value in state["loss_scale"].items()}

    def _initial_metrics(self) -> list[MetricState]:
        model = self.model
        return [
            {name: model.nn.asarray(value, device=model.device) for name, value in part.items()}
            for part in self.objective.initial_state()
        ]

    # ------------------------------------------------------------------ engines

    def _announced(self, history: History, data: Data, epochs: int, callback: CallbackList) -> Engine:
        """Choose the engine of a run, and say so in its history and to the logger ``"dualnn"``."""
        each = callback.names_of("on_train_batch_begin", "on_train_batch_end")
        reason = f"{' and '.join(each)} asked for each batch" if each else None
        if reason is None and not _is_resident(data, self.model.place):
            reason = "the data comes batch by batch"
        batch_size = data.batch_size if isinstance(data, ArrayData) else 32
        total = None if data.steps is None else data.steps * epochs
        engine, why = self._engine(batch_size, total, reason)
        history.engine, history.jit, history.engine_reason = engine.name, engine.jit, why
        logging.getLogger("dualnn").info(
            "%s runs by engine %r%s: %s", self.model.name, engine.name, ", jit" if engine.jit else "", why
        )
        return engine

    def _engine(self, batch_size: int, steps: int | None, each: str | None) -> tuple[Engine, str]:
        return chosen(self.model.nn, self.wish, work_of(self.model, batch_size), steps, each)

    def _train_step(self, engine: Engine) -> steps.TrainStep:
        def make() -> Callable[..., Any]:
            step = steps.train_step(self.model, self.objective, self.optimizer, self.precision)
            return step if engine.name == "eager" else self.model.nn.compile(step, jit=engine.jit)

        step: steps.TrainStep = self._steps.get(("train", engine.name, engine.jit), self.model, make)
        return step

    def _train_loop(self, engine: Engine) -> Callable[..., steps.State]:
        def make() -> Callable[..., Any]:
            nn = self.model.nn
            body = steps.train_rows(
                nn, steps.train_step(self.model, self.objective, self.optimizer, self.precision)
            )
            compiled: Callable[..., Any] = nn.compile_loop(body, jit=engine.jit, unroll=engine.unroll)
            return compiled

        loop: Callable[..., steps.State] = self._steps.get(("train", engine), self.model, make)
        return loop

    def _test_runs(
        self, data: Data, variables: list[Tensor], engine: Engine | None
    ) -> Iterator[tuple[int, Callable[[list[MetricState]], list[MetricState]]]]:
        """Yield, for the calls that an evaluation is made of, the number of steps and the call."""
        place = self.model.place
        nn = place.nn
        if engine is None:
            engine, _ = self._engine(32, data.steps, None)
        name = ("test", engine.name, engine.jit)
        if engine.name != "epoch" or not isinstance(data, ArrayData) or not data.is_resident(place):
            step = self._steps.get((*name, "step"), self.model, lambda: self._prepared_test_step(engine))
            for batch in data.batches(place, None):
                yield 1, lambda metrics, batch=batch: step(variables, metrics, batch)  # type: ignore[misc]
            return
        loop = self._steps.get(name, self.model, lambda: self._prepared_test_loop(engine))
        samples = data.on_device(place)
        for rows in data.rows(None):
            indices = nn.asarray(rows, device=place.device)
            yield len(rows), lambda metrics, rows=indices: loop(metrics, (variables, samples), rows)  # type: ignore[misc]

    def _prepared_test_step(self, engine: Engine) -> Callable[..., Any]:
        step = steps.test_step(self.model, self.objective, self.precision)
        return step if engine.name == "eager" else self.model.nn.compile(step, jit=engine.jit)

    def _prepared_test_loop(self, engine: Engine) -> Callable[..., Any]:
        nn = self.model.nn
        body = steps.test_rows(nn, steps.test_step(self.model, self.objective, self.precision))
        compiled: Callable[..., Any] = nn.compile_loop(body, jit=engine.jit)
        return compiled


def _is_resident(data: Data, place: Place) -> bool:
    return isinstance(data, ArrayData) and data.is_resident(place)


def _chunk(steps: int, unroll: int) -> int:
    """Return how many steps to do in one call for a progress bar to move about twenty times."""
    length = max(50, math.ceil(steps / 20))
    return math.ceil(length / unroll) * unroll


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
