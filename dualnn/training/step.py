"""One step of training, of evaluation and of prediction, as pure functions of trees of tensors.

A model is an ordinary object whose leaves are native variables. To train it, its state is read into a
tree of tensors, a pure function maps it to the next state, and in the end the state is written back.
Inside the function the model's variables are replaced by the step's own tensors, so that layers may
set their attributes as they like. One function serves eager and compiled execution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

from dualnn.layers import tree
from dualnn.optimizers import Optimizer
from dualnn.protocol import Tensor
from dualnn.training.data import Batch
from dualnn.training.objective import MetricState, Objective

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


Scalars = Tensor
"""The optimizer's numbers for this step, one vector in the order of its names."""

TrainStep = Callable[[State, Batch, Scalars], State]
TestStep = Callable[[list[Tensor], list[MetricState], Batch], list[MetricState]]
PredictStep = Callable[[list[Tensor], Any], Any]


def train_step(model: Model, objective: Objective, optimizer: Optimizer) -> TrainStep:
    """Return the function that does one step: forward, backward, update."""
    nn = model.nn
    slots = tree.slots(model)
    trainable = [slot for slot in slots if slot.trainable]
    other = [slot for slot in slots if not slot.trainable]
    names = sorted(optimizer.scalars(0))
    penalties = model.penalties()

    def step(state: State, batch: Batch, scalars: Scalars) -> State:
        batch = Batch(*batch)

        def forward(weights: list[Tensor]) -> tuple[Tensor, Any]:
            with tree.bound(trainable, weights), tree.bound(other, state["other"]) as new:
                y_pred = model(batch.x, training=True)
                loss, values = objective.loss(batch.y, y_pred, batch.weight)
                loss = _with_penalties(model, penalties, loss)
                return loss, (y_pred, values, new())

        (loss, (y_pred, values, others)), gradients = nn.value_and_grad(forward, has_aux=True)(
            state["trainable"]
        )
        now = {name: scalars[i] for i, name in enumerate(names)}
        weights, optimizer_state = optimizer.update(
            nn, state["trainable"], gradients, state["optimizer"], now
        )
        return State(
            trainable=weights,
            other=others,
            optimizer=optimizer_state,
            metrics=objective.update(nn, state["metrics"], batch, y_pred, loss, values),
        )

    return step


def test_step(model: Model, objective: Objective) -> TestStep:
    """Return the function that measures one batch."""
    nn = model.nn
    slots = tree.slots(model)
    penalties = model.penalties()

    def step(variables: list[Tensor], state: list[MetricState], batch: Batch) -> list[MetricState]:
        batch = Batch(*batch)
        with tree.bound(slots, variables):
            y_pred = model(batch.x, training=False)
            loss, values = objective.loss(batch.y, y_pred, batch.weight)
            loss = _with_penalties(model, penalties, loss)
        return objective.update(nn, state, batch, y_pred, loss, values)

    return step


def predict_step(model: Model) -> PredictStep:
    """Return the function that computes the outputs for one batch of inputs."""
    slots = tree.slots(model)

    def step(variables: list[Tensor], x: Any) -> Any:
        with tree.bound(slots, variables):
            return model(x, training=False)

    return step


def _with_penalties(model: Model, penalties: list[Callable[[], Tensor]], loss: Tensor) -> Tensor:
    for penalty in penalties:
        loss = loss + penalty()
    for added in model.added_losses:
        loss = loss + added
    return loss
