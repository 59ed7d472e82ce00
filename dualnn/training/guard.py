"""Steps whose numbers are not finite: noticed inside a step, kept from the model, traced to their origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import optree

from dualnn.fast_paths import fast_path
from dualnn.layers import context, tree
from dualnn.names import unknown
from dualnn.protocol import Backend, Tensor
from dualnn.training import ids
from dualnn.training.arrays import leaves
from dualnn.training.batch import Batch

if TYPE_CHECKING:
    from dualnn.layers.embedding import Embedding
    from dualnn.training.trainer import Trainer

Guard = dict[str, Tensor]
"""``step``: the number of the next step of the epoch; ``failed``: that of the first bad one, or -1; ``bad``:
how many were bad. ``ids``: see `dualnn.training.ids`; ``fitting``: the number of the first step with an id
that has no row, if there is one. Empty if nobody looks."""

CHOICES = ("ignore", "raise", "skip")


class NonFiniteError(ArithmeticError):
    """The loss or a gradient of a step is NaN or infinite; the model is as it was before that step.

    Attributes:
        epoch: the number of the epoch, from 0.
        step: the number of the step in it, from 0.
        indices: the numbers of the step's samples in the training data; None for data that came in batches.
        origin: where the first number was that is not finite.
    """

    def __init__(self, epoch: int, step: int, indices: list[int] | None, origin: str) -> None:
        self.epoch, self.step, self.indices, self.origin = epoch, step, indices, origin
        samples = "" if indices is None else f", samples {_shortened(indices)} of the data"
        super().__init__(
            f"epoch {epoch + 1}, step {step + 1}{samples}: the first number that is not finite is in "
            f"{origin}. The model is as it was before this step; on_nonfinite='skip' leaves such steps out"
        )


def check_choice(choice: str | None, has_checkpoint: bool) -> str:
    """Return what is to be done about steps that are not finite.

    Raises:
        ValueError: an unknown choice.
    """
    if choice is None:
        return "raise" if has_checkpoint else "ignore"
    if choice not in CHOICES:
        raise ValueError(unknown("on_nonfinite", choice, CHOICES))
    return choice


def initial(choice: str, lookups: list[Embedding], step: int = 0) -> dict[str, Any]:
    """Return the state of the guard at a step of an epoch, of a model with these layers that look up ids."""
    counts = {} if choice == "ignore" else {"step": step, "failed": -1, "bad": 0}
    if lookups:
        counts["fitting"] = step
    vectors = {"ids": ids.initial(lookups)} if lookups else {}
    return {name: np.asarray(value, np.int64) for name, value in counts.items()} | vectors


def is_finite(nn: Backend, *trees: Any) -> Tensor:
    """Return whether all numbers of some trees of tensors are finite, a boolean tensor of shape ()."""
    tensors: list[Tensor] = optree.tree_leaves(trees)  # type: ignore[arg-type]
    fused = fast_path(nn, "all_finite")
    if fused is not None:
        return fused(tensors)
    return nn.all(nn.stack([nn.all(nn.isfinite(tensor)) for tensor in tensors]))


def are_numbers(nn: Backend, tensors: list[Tensor]) -> Tensor:
    """Return whether nothing in some tensors is NaN; infinity may be meant, where a kernel leaves NaN out."""
    return nn.all(nn.stack([nn.all(nn.equal(tensor, tensor)) for tensor in tensors]))


def after(nn: Backend, choice: str, guard: Guard, finite: Tensor) -> tuple[Tensor, Guard]:
    """Return whether a step counts, and the state after it: where one has failed, no later one counts."""
    none_before = guard["failed"] < 0
    counts = nn.logical_and(finite, none_before) if choice == "raise" else finite
    is_first = nn.logical_and(nn.logical_not(finite), none_before)
    failed = nn.where(is_first, guard["step"], guard["failed"])
    bad = guard["bad"] + nn.astype(nn.logical_not(finite), guard["bad"].dtype)
    return counts, {**guard, "step": guard["step"] + 1, "failed": failed, "bad": bad}


def origin(trainer: Trainer, batch: Batch) -> str:
    """Say where the first number of a step is that is not finite: the step is done again and looked at.

    Args:
        trainer: the trainer, whose model has the state from before the step.
        batch: the step's batch, as native tensors.
    """
    model = trainer.model
    nn = model.nn
    for part, name in zip(batch, ("x", "y", "sample_weight"), strict=True):
        for leaf, array in leaves(part, name):
            rows = _bad_rows(nn.to_numpy(array))
            if rows:
                return f"the data, {leaf} at {_shortened(rows)} of the batch"
    slots = tree.slots(model)
    for slot in slots:
        if _bad_rows(np.atleast_1d(nn.to_numpy(slot.variable))):
            return f"the weight {slot.path}, before the step"
    return _in_forward(trainer, batch) or _in_backward(trainer, batch)


def _in_forward(trainer: Trainer, batch: Batch) -> str | None:
    model, objective, precision = trainer.model, trainer.objective, trainer.precision
    nn = model.nn
    paths = {id(layer): path for path, layer in tree.walk(model)}
    found: list[str] = []

    def look(layer: Any, output: Any) -> None:
        if not found and any(_bad_rows(nn.to_numpy(leaf)) for _, leaf in leaves(output)):
            found.append(f"the output of layer {layer.name!r} ({paths.get(id(layer)) or 'the model'})")

    slots = tree.slots(model)
    values = [nn.stop_gradient(slot.variable) for slot in slots]
    with context.observed(look), precision.bound(slots, values):
        y_pred = precision.output(nn, model(batch.x, training=True), model.dtype)
    if found:
        return found[0]
    loss, _ = objective.loss(batch.y, y_pred, batch.weight)
    return None if np.isfinite(nn.to_numpy(loss)) else "the loss, though the model's output is finite"


def _in_backward(trainer: Trainer, batch: Batch) -> str:
    model, objective, precision = trainer.model, trainer.objective, trainer.precision
    nn = model.nn
    slots = tree.slots(model)
    trainable = [slot for slot in slots if slot.trainable]
    other = [slot for slot in slots if not slot.trainable]

    def loss_of(weights: list[Tensor]) -> Tensor:
        rest = [nn.stop_gradient(slot.variable) for slot in other]
        with precision.bound(trainable, weights), precision.bound(other, rest):
            y_pred = precision.output(nn, model(batch.x, training=True), model.dtype)
        return objective.loss(batch.y, y_pred, batch.weight)[0]

    gradients = nn.grad(loss_of)([nn.stop_gradient(slot.variable) for slot in trainable])
    # the backward pass goes from the last layer to the first
    for slot, gradient in zip(reversed(trainable), reversed(gradients), strict=True):
        if _bad_rows(np.atleast_1d(nn.to_numpy(gradient))):
            return f"the gradient of {slot.path}, though the loss is finite"
    return "a regularizer or an added loss"


def _bad_rows(array: Any) -> list[int]:
    array = np.atleast_1d(np.asarray(array))
    if array.dtype.kind not in "fcV":
        return []
    array = array.astype(np.float64) if array.dtype.kind == "V" else array
    bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    return [int(i) for i in np.flatnonzero(bad)]


def _shortened(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown if len(numbers) <= 8 else f"{shown} and {len(numbers) - 8} more"
