"""One step of training and of evaluation, as pure functions of trees of tensors.

A model is an ordinary object whose leaves are native variables. To train it, its state is read into a
tree of tensors, a pure function maps it to the next state, and in the end the state is written back.
Inside the function the model's variables are replaced by the step's own tensors, so that layers may
set their attributes as they like. One function serves eager and compiled execution.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, cast

import optree

from dualnn.layers import context, tree
from dualnn.optimizers import Optimizer
from dualnn.protocol import Backend, Tensor
from dualnn.training import guard as guards
from dualnn.training import ids
from dualnn.training.batch import Batch
from dualnn.training.data import take_rows
from dualnn.training.objective import MetricState, Objective
from dualnn.training.precision import LossScale, Precision, next_loss_scale, unscaled

if TYPE_CHECKING:
    from dualnn.models.model import Model


class State(TypedDict):
    """Everything that a step of training changes."""

    trainable: list[Tensor]
    """The variables that are changed by gradient."""
    other: list[Tensor]
    """Moving statistics, counters of random numbers."""
    optimizer: list[dict[str, Tensor]]
    """The optimizer's slots, per trainable variable."""
    metrics: list[MetricState]
    """The sums behind the losses and metrics of this epoch."""
    loss_scale: LossScale
    """In float16, what the loss is multiplied by; else empty."""
    guard: guards.Guard
    """Which steps were not finite; empty if nobody looks."""


Scalars = Tensor
"""The optimizer's numbers for this step, one vector in the order of its names."""

TrainStep = Callable[[State, Batch, Scalars], State]
TestStep = Callable[[list[Tensor], list[MetricState], Batch], list[MetricState]]


def train_step(
    model: Model,
    objective: Objective,
    optimizer: Optimizer,
    precision: Precision,
    on_nonfinite: str = "ignore",
) -> TrainStep:
    """Return the function that does one step: forward, backward, update.

    The state that it is given belongs to it, and may be changed in place.
    """
    nn = model.nn
    slots = tree.slots(model)
    trainable = [slot for slot in slots if slot.trainable]
    other = [slot for slot in slots if not slot.trainable]
    names = sorted(optimizer.scalars_of(0))
    penalties = model.penalties()
    lookups = ids.layers_of(model)

    def step(state: State, batch: Batch, scalars: Scalars) -> State:
        batch = Batch(*batch)

        def forward(weights: list[Tensor]) -> tuple[Tensor, Any]:
            notes: ids.Notes = []
            with precision.bound(trainable, weights), precision.bound(other, state["other"]) as new:
                with context.noting(notes), context.guarded() as shown:
                    y_pred = precision.output(nn, model(batch.x, training=True), model.dtype)
                others = new()
            wrong = ids.after(nn, lookups, notes, guard["ids"]) if lookups else None
            seen = guards.are_numbers(nn, shown) if shown and on_nonfinite != "ignore" else None
            loss, values = objective.loss(batch.y, y_pred, batch.weight)
            with tree.bound(trainable, weights), tree.bound(other, state["other"]):
                penalty = _penalty(model, penalties, loss.dtype)
            loss = loss if penalty is None else loss + penalty
            scaled = loss * nn.astype(scale["scale"], loss.dtype) if scale else loss
            return scaled, (loss, penalty, y_pred, values, others, wrong, seen)

        scale, guard = state["loss_scale"], state["guard"]
        (_, aux), gradients = nn.value_and_grad(forward, has_aux=True)(state["trainable"])
        loss, penalty, y_pred, values, others, wrong, seen = aux
        now = {name: scalars[i] for i, name in enumerate(names)}
        metrics = objective.update(nn, state["metrics"], batch, y_pred, values, penalty)
        counts = None  # whether the step does
        if on_nonfinite != "ignore":
            # in float16 a gradient may overflow: that is what the scale is for
            is_finite = guards.is_finite(nn, loss) if scale else guards.is_finite(nn, loss, gradients)
            if seen is not None:
                is_finite = nn.logical_and(is_finite, seen)
            counts, guard = guards.after(nn, on_nonfinite, guard, is_finite)
        if wrong is not None:
            fits = ids.have_rows(nn, wrong)
            guard = {**guard, "ids": wrong, "fitting": guard["fitting"] + nn.astype(fits, nn.int64)}
            counts = fits if counts is None else nn.logical_and(counts, fits)
        if counts is not None:
            metrics = _where(nn, counts, metrics, state["metrics"])
        if scale:
            gradients = unscaled(nn, gradients, scale)
            finite = guards.is_finite(nn, gradients)
            scale = next_loss_scale(nn, scale, finite)
            if wrong is not None:
                scale = _where(nn, fits, scale, state["loss_scale"])
            counts = finite if counts is None else nn.logical_and(counts, finite)
        if counts is not None:
            others = _where(nn, counts, others, state["other"])
        weights, slots = optimizer.update(
            nn, state["trainable"], gradients, state["optimizer"], now, in_place=True, counts=counts
        )
        return State(
            trainable=weights,
            other=others,
            optimizer=slots,
            metrics=metrics,
            loss_scale=scale,
            guard=guard,
        )

    return step


def test_step(model: Model, objective: Objective, precision: Precision) -> TestStep:
    """Return the function that measures one batch.

    Of a model that looks up ids the last part of its state is ``{"ids": ...}``, see `dualnn.training.ids`.
    """
    nn = model.nn
    slots = tree.slots(model)
    penalties = model.penalties()
    lookups = ids.layers_of(model)

    def step(variables: list[Tensor], state: list[MetricState], batch: Batch) -> list[MetricState]:
        batch = Batch(*batch)
        notes: ids.Notes = []
        with precision.bound(slots, variables), context.noting(notes):
            y_pred = precision.output(nn, model(batch.x, training=False), model.dtype)
        with tree.bound(slots, variables):
            loss, values = objective.loss(batch.y, y_pred, batch.weight)
            penalty = _penalty(model, penalties, loss.dtype)
        if not lookups:
            return objective.update(nn, state, batch, y_pred, values, penalty)
        *state, before = state
        wrong = ids.after(nn, lookups, notes, before["ids"])
        return [*objective.update(nn, state, batch, y_pred, values, penalty), {"ids": wrong}]

    return step


def train_rows(nn: Backend, step: TrainStep) -> Callable[[State, Batch, tuple[Tensor, Scalars]], State]:
    """Return a step of training as the body of a loop: on some rows of all samples."""

    def body(state: State, samples: Batch, x: tuple[Tensor, Scalars]) -> State:
        rows, scalars = x
        return step(state, take_rows(nn, Batch(*samples), rows), scalars)

    return body


def in_python(nn: Backend, body: Callable[..., State]) -> Callable[..., State]:
    """Return the loop of a body of `train_rows` that runs as plain Python, as `Backend.compile_loop` does."""

    def loop(state: State, samples: Batch, xs: tuple[Tensor, Scalars]) -> State:
        state = cast(
            State, optree.tree_map(lambda x: nn.value(x) if nn.is_variable(x) else x, cast(Any, state))
        )
        rows, scalars = xs
        for i in range(nn.shape(rows)[0]):
            state = body(state, samples, (rows[i], scalars[i]))
        return state

    return loop


def test_rows(
    nn: Backend, step: TestStep
) -> Callable[[list[MetricState], tuple[list[Tensor], Batch], Tensor], list[MetricState]]:
    """Return a step of evaluation as the body of a loop: on some rows of all samples."""

    def body(state: list[MetricState], given: tuple[list[Tensor], Batch], rows: Tensor) -> list[MetricState]:
        variables, samples = given
        return step(variables, state, take_rows(nn, Batch(*samples), rows))

    return body


def _where(nn: Backend, condition: Tensor, new: Any, old: Any) -> Any:
    return optree.tree_map(lambda after, before: nn.where(condition, after, before), new, old)


def _penalty(model: Model, penalties: list[Callable[[], Tensor]], dtype: Any) -> Tensor | None:
    """Return what regularizers and layers add to the loss; None for nothing."""
    terms = [*(penalty() for penalty in penalties), *model.added_losses]
    return functools.reduce(operator.add, (model.nn.astype(term, dtype) for term in terms)) if terms else None
