"""The loops of training, evaluation and prediction, written once for all backends."""

from __future__ import annotations

import functools
import itertools
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from dualnn import random
from dualnn.callbacks import Callback, History
from dualnn.fast_paths import fast_path
from dualnn.layers import tree
from dualnn.layers.layer import without_batch
from dualnn.optimizers import Optimizer
from dualnn.place import Place
from dualnn.protocol import Engine, Tensor
from dualnn.seeds import Seed
from dualnn.training import guard, identity, ids
from dualnn.training import step as steps
from dualnn.training.ahead import Ahead
from dualnn.training.batch import Batch
from dualnn.training.bystanders import may_change_data
from dualnn.training.callback_list import TEST_BATCH, TRAIN_BATCH, CallbackList
from dualnn.training.checkpoints import Checkpoints
from dualnn.training.compiled import CompiledSteps, Trace
from dualnn.training.data import (
    ArrayData,
    Data,
    Indexed,
    IterableData,
    Rows,
    SampleData,
    check_finite,
    data_from,
    native_tree,
    split,
    take_rows,
)
from dualnn.training.engines import Wish, chosen, work_of
from dualnn.training.interrupts import Interrupt, held_back
from dualnn.training.objective import Goals, MetricState, Objective
from dualnn.training.precision import Precision, initial_loss_scale
from dualnn.training.progress import EpochLines, ProgressBar, verbosity
from dualnn.training.scalars import StepScalars
from dualnn.training.snapshot import Position, put_back, taken
from dualnn.training.sources import is_of_samples, yields_batches
from dualnn.training.validation import named, validation_epochs
from dualnn.training.weights import check_class_weight
from dualnn.warning import warn

if TYPE_CHECKING:
    from dualnn.models.model import Model


class _Number(NamedTuple):
    """Which epoch of a model's life it is; what the order of its samples follows from."""

    seed: int
    epochs_trained: int
    first_epoch: int
    """The number of the first epoch of the call of `fit` that it belongs to."""
    iterations: int
    """The optimizer's steps before it."""


class _Outset(NamedTuple):
    """What an epoch begins with, whatever has become of the model."""

    rows: Rows | None
    """The numbers of the samples in each batch; see `Indexed.rows`."""
    native_rows: list[tuple[int, Tensor]]
    """For a loop, the same as tensors, and how many batches."""
    metrics: list[MetricState]


@dataclass
class _Run:
    """One call of `fit`: what stays the same, and how far it has come."""

    data: Data
    epochs: int
    engine: Engine
    callback: CallbackList
    on_nonfinite: str
    checkpoints: Checkpoints | None
    kept: list[Callback]
    """The callbacks whose state belongs to a checkpoint."""
    ahead: Ahead[_Number, _Outset]
    """What each epoch begins with."""
    scalars: StepScalars
    """What the optimizer needs to know of each step."""
    each_batch: bool
    """Whether a callback is called for each batch."""
    each_chunk: bool
    """Whether one is called whenever a call has done its steps."""
    sets_variables: bool
    """Whether the call sets the model's variables, so that what it returns must not be lost."""
    interrupt: Interrupt = field(default_factory=Interrupt)
    bar: ProgressBar = field(default_factory=lambda: ProgressBar(False))
    epoch: int = 0
    identity: identity.Identity = field(default_factory=dict)
    """What it is known by when it is resumed."""
    first_epoch: int = 0
    """How many epochs the model had been trained before this call of `fit`."""
    done: int = 0
    """How many steps of the epoch were done before, by the process that this one goes on for."""
    metrics: list[dict[str, Any]] | None = None
    """The sums behind the metrics of these steps."""
    function: Callable[..., Any] | None = None
    """What does a step, or many of them."""


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
        self._fitting: tuple[object, Any] = None, None  # the tree's version, and the slots that belong to it
        self._steps = CompiledSteps()

    # ------------------------------------------------------------------ fit

    def fit(
        self,
        data: Data,
        *,
        validation: Callable[[], Data] | None,
        validation_freq: Any,
        epochs: int,
        initial_epoch: int,
        class_weight: Mapping[Any, Any] | None,
        verbose: Any,
        callbacks: Sequence[Callback],
        shuffle: bool,
        seed: int | None,
        finite: bool,
        checkpoints: Checkpoints | None,
        resume: bool,
        on_nonfinite: str,
    ) -> History:
        """Train; see `Model.fit`."""
        model = self.model
        verbose = verbosity(verbose)
        validates = validation_epochs(validation_freq)
        validation_data = None if validation is None else validation()
        data.expect_passes(epochs - initial_epoch, "steps_per_epoch")
        if validation_data is not None:
            number = sum(map(validates, range(initial_epoch, epochs)))
            validation_data.expect_passes(number, "validation_steps")
        snapshot = None if checkpoints is None else checkpoints.open(resume)
        self._seed(seed)
        if class_weight:
            check_class_weight(class_weight)
        self._prepare(data, finite)
        if class_weight:
            data.weigh(functools.partial(self.objective.weighed, class_weight=dict(class_weight)))
        if validation_data is not None:
            with named("validation_data"):
                self._prepare(validation_data, finite)
        streams = [one for one in (data, validation_data) if isinstance(one, IterableData | SampleData)]
        if streams or self._may_change_data(callbacks):
            data.own(model.place)
            if validation_data is not None:
                validation_data.own(model.place)
        self._steps.begin()
        history = History()
        lines = [EpochLines()] if verbose == 2 else []
        params = {
            "epochs": epochs,
            "steps": data.steps,
            "verbose": verbose,
            "validation_freq": validation_freq,
            "validates": validation_data is not None,
        }
        kept = [history, *callbacks]
        callback = CallbackList([*callbacks, history, *lines], model, params)  # which may add to the logs
        model.stop_training = False
        model.history = history
        engine = self._announced(history, data, epochs - initial_epoch, callback)
        known = identity.Identity()
        if checkpoints is not None:
            known = identity.of_settings(self) | identity.of_data(
                data, shuffle, class_weight, validation_data, validation_freq
            )
        callback("on_train_begin")
        position = Position(initial_epoch)
        if snapshot is not None:
            position = put_back(self, kept, snapshot, known, seed)
            data.pass_over(position.epoch - initial_epoch, position.steps, snapshot.get("checksums", {}))
        logs: dict[str, float] = {}
        scalars = StepScalars(self.optimizer, model.place)
        alone = not callbacks and validation_data is None and checkpoints is None
        run = _Run(
            data,
            epochs,
            engine,
            callback,
            on_nonfinite,
            checkpoints,
            kept,
            Ahead(functools.partial(self._outset, data, engine, shuffle, scalars)),
            scalars,
            callback.overrides(*TRAIN_BATCH),
            callback.overrides("on_train_chunk_end"),
            _in_loop(data, engine) and fast_path(model.nn, "variable_in_loop") is not None,
            first_epoch=model.epochs_trained - (position.epoch - initial_epoch),
            identity=known,
        )
        with (
            self._state_written_back(),
            held_back() as run.interrupt,
            run.ahead,
            ProgressBar(verbose == 1, epochs, model.name) as run.bar,
        ):
            for epoch in range(position.epoch, epochs) if not position.ended else ():
                if data.ended():
                    _warn_of_end(epoch, epochs)
                    break
                run.epoch, run.done, run.metrics = epoch, 0, None
                if epoch == position.epoch and position.steps:  # it has begun before
                    run.done, run.metrics = position.steps, position.metrics
                else:
                    callback("on_epoch_begin", epoch)
                run.bar.begin(data.steps, epoch)
                run.bar.step(run.done)
                logs = self._train_epoch(run)
                if not alone:  # somebody may look at the model, or change it
                    self._write_back()
                if validation_data is not None and validates(epoch) and validation_data.ended():
                    warn("the validation data has ended; the next epochs go without")
                    validation_data = None
                if validation_data is not None and validates(epoch):
                    results = self.evaluate(validation_data, callback, engine=engine)
                    logs |= {f"val_{name}": value for name, value in results.items()}
                run.bar.end(epoch, logs)
                callback("on_epoch_end", epoch, logs)
                ended = model.stop_training
                if checkpoints is not None:
                    last = ended or run.interrupt.asked or epoch + 1 == epochs
                    if last or (epoch + 1) % checkpoints.every_epochs == 0:
                        self._checkpoint(run, Position(epoch + 1, ended=ended))
                run.interrupt.raise_if_asked()
                if ended:
                    break
        _correct(history, run, self._steps.hesitates)
        callback("on_train_end", logs)
        return history

    def _outset(
        self, data: Data, engine: Engine, shuffle: bool, scalars: StepScalars, number: _Number
    ) -> _Outset:
        rows, native = None, []
        if isinstance(data, Indexed):
            size = data.size

            def order(passed: int) -> npt.NDArray[np.int64] | None:
                key = random.key(number.seed, "shuffle", number.first_epoch + passed)
                return random.Generator(key).permutation(size) if shuffle else None

            rows = data.rows(order, (number.epochs_trained - number.first_epoch) * (data.steps or 0))
        if _in_loop(data, engine) and rows is not None:
            place = self.model.place
            native = [(len(part), place.nn.asarray(part, device=place.device)) for part in rows]
            scalars.make_ahead(number.iterations, native[0][0])
        return _Outset(rows, native, self._initial_metrics())

    def _train_epoch(self, run: _Run) -> dict[str, float]:
        model, nn, objective, callback = self.model, self.model.nn, self.objective, run.callback
        outset = run.ahead.get(
            _Number(model.seed, model.epochs_trained, run.first_epoch, self.optimizer.iterations)
        )
        every = None if run.checkpoints is None else run.checkpoints.every_steps
        metrics = (
            self._fitting_metrics(outset.metrics) if run.metrics is None else self._on_device(run.metrics)
        )
        state = self._state or self._read_state(metrics, run)
        guarding = self._on_device([guard.initial(run.on_nonfinite, ids.layers_of(model), run.done)])[0]
        state = {**state, "metrics": metrics, "guard": guarding}
        number = run.done
        for count, batch, call in self._calls(run, outset, every):
            if run.each_batch:
                callback("on_train_batch_begin", number)
                state = {**self._read_state(state["metrics"]), "guard": state["guard"]}
            elif run.each_chunk and not self.optimizer.fits(state["optimizer"]):
                self._write_back()  # a callback has set what makes other slots
                state = {**self._read_state(state["metrics"], run), "guard": state["guard"]}
            with run.interrupt.deferred(run.sets_variables):
                state = self._state = call(state)
                self.optimizer.iterations += count
            first, number = number, number + count
            self._check_ids(state, number, f"epoch {run.epoch + 1}, ")
            self._check_finite(state, run, batch, outset.rows, number)
            run.bar.step(count)
            if run.each_batch:
                self._write_back()
                callback("on_train_batch_end", number - 1, objective.results(nn, state["metrics"]))
            if run.each_chunk:
                callback("on_train_chunk_end", number - 1, objective.results(nn, state["metrics"]))
            due = every is not None and number // every > first // every
            if (due or run.interrupt.asked) and number != run.data.steps:
                state = self._saved_within(run, state, number)
            if model.stop_training:
                break
        model.epochs_trained += 1
        results = objective.results(nn, state["metrics"])
        if self._skipped(state, run) == number > 0:  # none is left to take the mean of
            return dict.fromkeys(results, math.nan)
        return results

    def _calls(
        self, run: _Run, outset: _Outset, every: int | None
    ) -> Iterator[tuple[int, Batch | None, Callable[[steps.State], steps.State]]]:
        """Yield, for the calls that an epoch is made of, the number of steps, their batch, and the call.

        The batch is None where the rows of all samples are gathered inside of the call.
        """
        data, engine, place, optimizer = run.data, run.engine, self.model.place, self.optimizer
        if not _in_loop(data, engine):
            step = run.function = self._train_step(engine, run.on_nonfinite)

            def one(state: steps.State, batch: Batch) -> steps.State:
                nonlocal step
                if run.each_batch or run.each_chunk:  # a callback may have set something
                    step = run.function = self._train_step(engine, run.on_nonfinite)
                return step(state, batch, run.scalars.of(optimizer.iterations, 1)[0])

            for batch in data.batches(place, outset.rows, run.done):
                yield 1, batch, functools.partial(one, batch=batch)
            return
        loop = run.function = self._train_loop(engine, run.on_nonfinite)

        def several(state: steps.State, rows: Tensor, count: int) -> steps.State:
            nonlocal loop
            if run.each_chunk:  # a callback may have set something
                loop = run.function = self._train_loop(engine, run.on_nonfinite)
            return loop(state, samples, (rows, run.scalars.of(optimizer.iterations, count)))

        samples = data.on_device(place)
        passed = run.done
        end = optimizer.iterations + sum(number for number, _ in outset.native_rows) - passed
        for number, rows in outset.native_rows:
            length = _length_of_calls(number, engine.unroll, run.bar.shown, every)
            for start in range(min(passed, number), number, length):
                count = min(length, number - start)
                part = rows if count == number else rows[start : start + count]
                self._expect_next(run, end)
                yield count, None, functools.partial(several, rows=part, count=count)
            passed = max(0, passed - number)

    def _expect_next(self, run: _Run, iterations: int) -> None:
        # not on a GPU: what is sent there would come between the operations that are recorded as a graph
        if run.epoch + 1 < run.epochs and self.model.device == "cpu":
            number = _Number(self.model.seed, self.model.epochs_trained + 1, run.first_epoch, iterations)
            run.ahead.expect(number)

    def _on_device(self, arrays: list[dict[str, Any]]) -> list[dict[str, Tensor]]:
        model = self.model
        return [
            {name: model.nn.asarray(value, device=model.device) for name, value in part.items()}
            for part in arrays
        ]

    # ------------------------------------------------------------------ checkpoints and bad steps

    def _checkpoint(self, run: _Run, position: Position) -> None:
        assert run.checkpoints is not None
        run.checkpoints.write(
            self.optimizer.iterations, taken(self, run.kept, position, run.identity, run.data.checksums())
        )

    def _saved_within(self, run: _Run, state: steps.State, number: int) -> steps.State:
        """Write a checkpoint in the middle of an epoch, and end there if Ctrl-C was pressed."""
        nn = self.model.nn
        self._write_back()
        if run.checkpoints is not None:
            metrics = [
                {name: nn.to_numpy(value) for name, value in part.items()} for part in state["metrics"]
            ]
            self._checkpoint(run, Position(run.epoch, number, metrics))
        run.interrupt.raise_if_asked()
        return {**self._read_state(state["metrics"], run), "guard": state["guard"]}

    def _check_ids(self, state: steps.State, number: int, where: str) -> None:
        """Raise an error if a layer has met an id without a row, with the state from before that step."""
        if "ids" in state["guard"]:
            fitting = int(self.model.nn.to_numpy(state["guard"]["fitting"]))
            if fitting < number:
                self.optimizer.iterations -= number - fitting
                lookups = ids.layers_of(self.model)
                ids.check(self.model.nn, lookups, state["guard"]["ids"], f"{where}step {fitting + 1}: ")

    def _check_finite(
        self, state: steps.State, run: _Run, batch: Batch | None, rows: Rows | None, number: int
    ) -> None:
        """Raise an error if a step has failed and none is to be left out."""
        if run.on_nonfinite != "raise":
            return
        failed = int(self.model.nn.to_numpy(state["guard"]["failed"]))
        if failed < 0:
            return
        self.optimizer.iterations -= number - failed
        self._write_back()
        indices = None
        if rows is not None:
            of_batch = next(itertools.islice((one for part in rows for one in part), failed, None))
            indices = of_batch.tolist()
            if batch is None and isinstance(run.data, ArrayData):
                native = self.model.nn.asarray(of_batch, device=self.model.device)
                batch = take_rows(self.model.nn, run.data.on_device(self.model.place), native)
        assert batch is not None
        raise guard.NonFiniteError(run.epoch, failed, indices, guard.origin(self, batch))

    def _skipped(self, state: steps.State, run: _Run) -> int:
        """Return how many steps of the epoch were left out, and warn of them."""
        if run.on_nonfinite == "ignore":
            return 0
        bad, first = (int(self.model.nn.to_numpy(state["guard"][name])) for name in ("bad", "failed"))
        if bad:
            logging.getLogger("dualnn").warning(
                "epoch %d: steps that were not finite and were left out: %d, the first of them step %d",
                run.epoch + 1,
                bad,
                first + 1,
            )
        return bad

    def train_on_batch(self, batch: Batch, class_weight: Mapping[Any, Any] | None = None) -> dict[str, float]:
        """Do one step of training and return its numbers."""
        self._prepare(ArrayData(batch, 1), finite=False)
        if class_weight:
            batch = self.objective.weighed(batch, class_weight)
        copy = True if self._may_change_data(()) else None
        native = Batch(*(native_tree(part, self.model.place, copy) for part in batch))
        engine, _ = self._engine(1, None, "")
        scalars = StepScalars(self.optimizer, self.model.place).of(self.optimizer.iterations, 1)[0]
        state = self._read_state(self._initial_metrics())
        state["guard"] = self._on_device([guard.initial("ignore", ids.layers_of(self.model))])[0]
        state = self._train_step(engine)(state, native, scalars)
        self.optimizer.iterations += 1
        self._write_state(state)
        self._check_ids(state, 1, "")
        return self.objective.results(self.model.nn, state["metrics"])

    # ------------------------------------------------------------------ evaluate and predict

    def evaluate(
        self, data: Data, callback: CallbackList, shown: bool = False, engine: Engine | None = None
    ) -> dict[str, float]:
        """Return the losses and metrics on data that has been prepared, by the engine of a fit around it."""
        model, nn = self.model, self.model.nn
        each = callback.overrides(*TEST_BATCH)
        model.stop_evaluating = False
        callback("on_test_begin")
        variables = [nn.value(variable) for variable in model.variables]
        lookups = ids.layers_of(model)
        metrics = self._initial_metrics()
        size = len(metrics)
        if lookups:
            metrics += self._on_device([{"ids": ids.initial(lookups)}])
        with ProgressBar(shown, None, model.name) as bar:
            bar.begin(data.steps)
            for number, (count, run) in enumerate(self._test_runs(data, variables, engine, each)):
                if each:
                    callback("on_test_batch_begin", number)
                metrics = run(metrics)
                bar.step(count)
                if each:
                    callback("on_test_batch_end", number, self.objective.results(nn, metrics[:size]))
                if model.stop_evaluating:
                    break
        if lookups:
            ids.check(nn, lookups, metrics[-1]["ids"])
        logs = self.objective.results(nn, metrics[:size])
        callback("on_test_end", logs)
        return logs

    def test(self, data: Data, verbose: Any, callbacks: Sequence[Callback]) -> dict[str, float]:
        """Evaluate; see `Model.evaluate`."""
        self._prepare(data, finite=False)
        if self._may_change_data(callbacks):
            data.own(self.model.place)
        shown = verbosity(verbose)
        params = {"epochs": 1, "steps": data.steps, "verbose": shown}
        return self.evaluate(data, CallbackList(callbacks, self.model, params), shown == 1)

    # ------------------------------------------------------------------ the model's state

    @property
    def objective(self) -> Objective:
        """The objective, made for the outputs of the built model and the first data."""
        assert self._objective is not None, "the objective is made when data has been prepared"
        return self._objective

    @property
    def directions(self) -> dict[str, str | None]:
        """Which way is better of each number of the objective; none before there has been data."""
        return {} if self._objective is None else self._objective.directions

    def _seed(self, seed: int | None) -> None:
        if seed is not None and (not self.model.built or self.model.seed != seed):
            self.model.__dict__["_seed"] = Seed(seed)

    def _prepare(self, data: Data, finite: bool) -> None:
        """Build the model on the data's first sample, and check the data against its outputs."""
        first = data.first()
        with data.explained():
            self.model.build_on(first.x)
        outputs, targets = self.model.output_shape, without_batch(first.y)
        if self._objective is None or self._objective.outputs != outputs:
            self._objective = Objective(self.goals, outputs, targets, self.model.output_names)
            self._steps = CompiledSteps()
        objective = self._objective
        objective.check_backend(self.model.nn)

        def check(batch: Batch, may_run: bool) -> bool:
            if finite:
                check_finite(batch)
            outputs = self.model.output_shape_on(batch.x, may_run)
            if outputs is not None:
                objective.check(batch, outputs)
            return outputs is not None

        with data.explained():
            data.check(check)
            if not isinstance(data, ArrayData):
                check(first, True)

    def _may_change_data(self, callbacks: Sequence[Callback]) -> bool:
        objective = self.objective
        metrics = [metric for _, metric, *_ in objective.metrics]
        return may_change_data(self.model, list(callbacks), objective.losses, metrics, self.optimizer)

    def _read_state(self, metrics: list[MetricState], run: _Run | None = None) -> steps.State:
        model, nn = self.model, self.model.nn
        slots = tree.slots(model)
        value, of_optimizer = nn.value, self._optimizer_slots([slot for slot in slots if slot.trainable])
        carried = None if run is None or not run.sets_variables else fast_path(nn, "variable_in_loop")
        if carried is not None:
            value = carried
            of_optimizer = [{name: carried(x) for name, x in state.items()} for state in of_optimizer]
        return steps.State(
            trainable=[value(slot.variable) for slot in slots if slot.trainable],
            other=[value(slot.variable) for slot in slots if not slot.trainable],
            optimizer=of_optimizer,
            metrics=metrics,
            loss_scale=self._on_device([self.loss_scale])[0],
            guard={},
        )

    def _optimizer_slots(self, trainable: list[tree.Slot]) -> list[dict[str, Tensor]]:
        # When layers were frozen, freed or changed since the last step, each variable keeps its own slots.
        optimizer, nn = self.optimizer, self.model.nn
        version, known_slots = self._fitting
        if (
            optimizer.slots is not None
            and optimizer.slots is known_slots
            and version is tree.version(self.model)
            and optimizer.fits(optimizer.slots)
        ):
            return optimizer.slots
        paths = [slot.path for slot in trainable]
        if optimizer.slots is None:
            optimizer.slots = optimizer.init(nn, [slot.variable for slot in trainable])
        elif optimizer.slot_paths is not None:
            known = optimizer.parked | dict(zip(optimizer.slot_paths, optimizer.slots, strict=True))
            optimizer.parked = {path: slots for path, slots in known.items() if path not in paths}
            found = [
                known[slot.path]
                if slot.path in known and _fit(known[slot.path], slot)
                else optimizer.init(nn, [slot.variable])[0]
                for slot in trainable
            ]
            variables = [slot.variable for slot in trainable]
            found = optimizer.fitted(nn, variables, found)
            optimizer.slots = optimizer.laid_out(nn, variables, found)
        optimizer.slot_paths = paths
        self._fitting = tree.version(self.model), optimizer.slots
        return optimizer.slots

    @contextmanager
    def _state_written_back(self) -> Iterator[None]:
        # also after an error or Ctrl-C, the model has the state of its last whole step
        self._state = None
        try:
            yield
        finally:
            self._write_back()
            self._take_out_of_variables()

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
        values = (*state["trainable"], *state["other"])
        for variable, value in zip((*trainable, *other), values, strict=True):
            if value is not variable:  # else the loop has set it
                nn.assign(variable, value)
        self._keep(state["optimizer"])
        self.loss_scale = {name: nn.to_numpy(value) for name, value in state["loss_scale"].items()}

    def _take_out_of_variables(self) -> None:
        """Make tensors of the optimizer's slots, which a loop may have carried as variables."""
        nn, optimizer = self.model.nn, self.optimizer

        def taken_out(slots: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: nn.value(x) if nn.is_variable(x) else x for name, x in slots.items()}

        optimizer.parked = {path: taken_out(slots) for path, slots in optimizer.parked.items()}
        if optimizer.slots is not None:
            self._keep([taken_out(slots) for slots in optimizer.slots])

    def _keep(self, slots: list[dict[str, Tensor]]) -> None:
        self.optimizer.slots = slots
        self._fitting = self._fitting[0], slots

    def _fitting_metrics(self, state: list[MetricState]) -> list[MetricState]:
        """Return a state of the metrics that was made ahead, or a new one if a metric was set since."""
        now = self.objective.initial_state()
        if all(
            before.keys() == new.keys() and all(tuple(before[k].shape) == new[k].shape for k in new)
            for before, new in zip(state, now, strict=True)
        ):
            return state
        return self._on_device(now)

    def _initial_metrics(self) -> list[MetricState]:
        return self._on_device(self.objective.initial_state())

    # ------------------------------------------------------------------ engines

    def _announced(self, history: History, data: Data, epochs: int, callback: CallbackList) -> Engine:
        """Choose the engine of a run, and say so in its history and to the logger ``"dualnn"``."""
        each = callback.names_of(*TRAIN_BATCH)
        reason = f"{' and '.join(each)} asked for each batch" if each else None
        if reason is None and not _is_resident(data, self.model.place):
            reason = "the data comes batch by batch"
        batch_size = data.batch_size if isinstance(data, Indexed) else 32
        total = None if data.steps is None else data.steps * epochs
        engine, why = self._engine(batch_size, total, reason)
        history.engine, history.jit, history.engine_reason = engine.name, engine.jit, why
        history.deterministic = self.model.nn.is_deterministic(self.model.device)
        logging.getLogger("dualnn").info(
            "%s runs by engine %r%s: %s", self.model.name, engine.name, ", jit" if engine.jit else "", why
        )
        return engine

    def _engine(self, batch_size: int, steps: int | None, each: str | None) -> tuple[Engine, str]:
        return chosen(self.model.nn, self.wish, work_of(self.model, batch_size), steps, each)

    def _train_step(self, engine: Engine, on_nonfinite: str = "ignore") -> steps.TrainStep:
        def make(engine: Engine, trace: Trace) -> Callable[..., Any]:
            step = steps.train_step(self.model, self.objective, self.optimizer, self.precision, on_nonfinite)
            return step if engine.name == "eager" else self.model.nn.compile(trace(step), jit=engine.jit)

        step: steps.TrainStep = self._made_for_training("step", engine, on_nonfinite, make)
        return step

    def _train_loop(self, engine: Engine, on_nonfinite: str) -> Callable[..., steps.State]:
        def make(engine: Engine, trace: Trace) -> Callable[..., Any]:
            nn = self.model.nn
            step = steps.train_step(self.model, self.objective, self.optimizer, self.precision, on_nonfinite)
            body = steps.train_rows(nn, step)
            if engine.name == "eager":
                return steps.in_python(nn, body)
            compiled: Callable[..., Any] = nn.compile_loop(trace(body), jit=engine.jit, unroll=engine.unroll)
            return compiled

        loop: Callable[..., steps.State] = self._made_for_training("loop", engine, on_nonfinite, make)
        return loop

    def _made_for_training(
        self,
        kind: str,
        engine: Engine,
        on_nonfinite: str,
        make: Callable[[Engine, Trace], Callable[..., Any]],
    ) -> Any:
        uses = self.objective.uses() | {"the optimizer": self.optimizer}
        name = "train", kind, on_nonfinite
        return self._steps.get(name, self.model, engine, make, uses, self.optimizer.iterations)

    def _test_runs(
        self, data: Data, variables: list[Tensor], engine: Engine | None, each: bool = False
    ) -> Iterator[tuple[int, Callable[[list[MetricState]], list[MetricState]]]]:
        """Yield, for the calls that an evaluation is made of, the number of steps and the call.

        With `each` there is a call for each batch.
        """
        place = self.model.place
        nn = place.nn
        if engine is None:
            engine, _ = self._engine(32, data.steps, None)
        if each or engine.name != "epoch" or not isinstance(data, ArrayData) or not data.is_resident(place):
            step = self._made_for_testing("step", engine, self._prepared_test_step)

            def one(metrics: list[MetricState], batch: Batch) -> Any:
                nonlocal step
                if each:  # a callback may have set something
                    step = self._made_for_testing("step", engine, self._prepared_test_step)
                return step(variables, metrics, batch)

            for batch in data.batches(place):
                yield 1, functools.partial(one, batch=batch)
            return
        loop = self._made_for_testing("loop", engine, self._prepared_test_loop)
        samples = data.on_device(place)
        for rows in data.rows():
            indices = nn.asarray(rows, device=place.device)
            yield len(rows), lambda metrics, rows=indices: loop(metrics, (variables, samples), rows)  # type: ignore[misc]

    def _made_for_testing(
        self, kind: str, engine: Engine, make: Callable[[Engine, Trace], Callable[..., Any]]
    ) -> Any:
        return self._steps.get(("test", kind), self.model, engine, make, self.objective.uses())

    def _prepared_test_step(self, engine: Engine, trace: Trace) -> Callable[..., Any]:
        step = steps.test_step(self.model, self.objective, self.precision)
        return step if engine.name == "eager" else self.model.nn.compile(trace(step), jit=engine.jit)

    def _prepared_test_loop(self, engine: Engine, trace: Trace) -> Callable[..., Any]:
        nn = self.model.nn
        body = steps.test_rows(nn, steps.test_step(self.model, self.objective, self.precision))
        compiled: Callable[..., Any] = nn.compile_loop(trace(body), jit=engine.jit)
        return compiled


def _correct(history: History, run: _Run, hesitates: bool) -> None:
    """Note in the history what ran if it was not what was chosen, and why."""
    asked = "jit" if run.engine.jit else "eager" if run.engine.name == "eager" else "graph"
    ran = getattr(run.function, "runs_as", "eager")
    if ran != asked:
        history.engine, history.jit = "eager" if ran == "eager" else run.engine.name, False
        history.engine_reason += (
            ", but settings were changed again and again"
            if hesitates
            else ", but it could not be compiled" + (" to machine code" if run.engine.jit else "")
        )


def _warn_of_end(epoch: int, epochs: int) -> None:
    warn(
        f"the data has ended, so training ends after epoch {epoch} of {epochs}; give data that can be read "
        f"anew, such as a function that returns a generator, or more batches"
    )


def _in_loop(data: Data, engine: Engine) -> TypeGuard[ArrayData]:
    return engine.name == "epoch" and isinstance(data, ArrayData)  # which is then resident, too


def _is_resident(data: Data, place: Place) -> bool:
    return isinstance(data, ArrayData) and data.is_resident(place)


def _length_of_calls(steps: int, unroll: int, shown: bool, every: int | None) -> int:
    """Return how many steps to do in one call: for checkpoints, and a bar that moves some twenty times.

    Where several steps are compiled as one, a call has whole groups of them, wherever it begins: so that the
    numbers do not depend on how an epoch is cut.
    """
    length = steps
    if shown:
        length = min(length, max(50, math.ceil(steps / 20)))
    if every is not None:
        length = min(length, every)
    return math.ceil(length / unroll) * unroll


def fit_data(
    x: Any,
    y: Any,
    sample_weight: Any,
    *,
    batch_size: int | None,
    steps_per_epoch: int | None,
    validation_data: Any,
    validation_split: float,
    validation_batch_size: int | None,
    validation_steps: int | None,
) -> tuple[Data, Callable[[], Data] | None]:
    """Return training data, and what makes the validation data, from the arguments of `Model.fit`."""
    data = data_from(x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch, goes_on=True)
    size = validation_batch_size or batch_size
    if validation_data is not None:
        if yields_batches(validation_data):
            own = size if is_of_samples(validation_data) else validation_batch_size
            return data, lambda: data_from(validation_data, batch_size=own, steps=validation_steps)
        if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
            raise ValueError("validation_data must be (x, y), (x, y, sample_weight), or yield batches")
        return data, lambda: data_from(*validation_data, batch_size=size, steps=validation_steps)
    if validation_split:
        if not isinstance(data, ArrayData):
            raise ValueError("validation_split needs arrays; give validation_data for data in batches")
        batch, held_out = split(data.batch, validation_split)
        train = ArrayData(batch, data.batch_size, steps_per_epoch, goes_on=True)
        return train, lambda: ArrayData(held_out, size or 32, validation_steps)
    return data, None


def _fit(state: dict[str, Tensor], slot: tree.Slot) -> bool:
    shape = tuple(slot.variable.shape)
    return all(tuple(value.shape) == shape for value in state.values())
