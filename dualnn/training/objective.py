"""What a compiled model is trained for and measured by: losses and metrics over its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dualnn import backends, losses, metrics
from dualnn.layers import masks
from dualnn.losses import aligned_weight
from dualnn.protocol import Backend, Tensor
from dualnn.training.data import Batch

MetricState: TypeAlias = dict[str, Tensor]


class Values(NamedTuple):
    """What the losses of a batch hand on to the metrics.

    The masks are among it because a tensor has its mask by identity, and differentiation makes new tensors.
    """

    losses: list[Tensor]
    """The loss of each output that has one."""
    masks: list[Tensor | None]
    """The mask of each output."""


@dataclass
class Goals:
    """What `Model.compile` was given, before the model's outputs are known.

    Attributes:
        loss: a name, a loss or a function for each output, in the structure of the outputs.
        loss_weights: numbers in the same structure; 1 by default.
        metrics: for one output a list of names, metrics or functions; for several the same structure
            as the outputs, of such lists.
        weighted_metrics: likewise; these are given the sample weights.
    """

    loss: Any
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None

    def __post_init__(self) -> None:
        """Raise ValueError for a name that is not known."""
        self.check(str)

    def check(self, kind: type = object) -> None:
        """Raise an error for what is no loss or metric, of those that were given as objects of a kind."""
        for one in _leaves(self.loss, kind):
            losses.get(one)
        for one in _leaves((self.metrics, self.weighted_metrics), kind):
            if not isinstance(one, str) or one.lower() not in ("accuracy", "acc"):  # these need the outputs
                metrics.get(one)


class Objective:
    """The losses and metrics of a model's outputs, which may be one, a list or a dictionary.

    A step of a sequence that the output's mask leaves out counts in no loss and no metric, as if its sample
    weight were 0; the mean of a loss is that of the steps that count. (In Keras such a step still counts in
    metrics that are no plain means, such as ``Precision``.)

    Args:
        goals: what the model was compiled with.
        outputs: the shapes of the outputs, the batch's size being None.
        targets: the shapes of the targets, likewise.
        names: the names of several outputs in a list; None: ``output_0``, ``output_1``.
    """

    def __init__(self, goals: Goals, outputs: Any, targets: Any, names: list[str] | None = None) -> None:
        self.outputs = outputs
        self.names = names or [name for name, _ in output_items(outputs)]
        self.shapes = [shape for _, shape in output_items(outputs)]
        self.losses = [_loss(item) for item in self._per_output(goals.loss, "loss")]
        weights = self._per_output(goals.loss_weights, "loss_weights")
        self.weights = [1.0 if weight is None else float(weight) for weight in weights]
        shapes = self._targets(targets)
        self.metrics = [
            *self._metrics(goals.metrics, "metrics", shapes, weighted=False),
            *self._metrics(goals.weighted_metrics, "weighted_metrics", shapes, weighted=True),
        ]

    def check_backend(self, nn: Backend) -> None:
        """Raise TypeError if a loss or a metric is a framework's own, and the backend is another's."""
        for part in (*self.losses, *(metric for _, metric, _, _ in self.metrics)):
            check = getattr(part, "check_backend", None)
            if check is not None:
                check(nn)

    def check(self, batch: Batch) -> None:
        """Raise ValueError if the targets of a batch of NumPy arrays do not fit the outputs."""
        targets = self._targets(batch.y)
        for loss, target, shape in zip(self.losses, targets, self.shapes, strict=True):
            if loss is not None:
                loss.check(target, shape)

    def loss(self, y: Any, y_pred: Any, weight: Tensor | None) -> tuple[Tensor, Values]:
        """Return the weighted sum of the losses, and what `update` needs of them."""
        outputs = [output for _, output in output_items(y_pred)]
        found = [masks.mask_of(output) for output in outputs]
        values = [
            _masked_loss(loss, target, output, weight, mask)
            for loss, target, output, mask in zip(self.losses, self._targets(y), outputs, found, strict=True)
            if loss is not None
        ]
        weights = [w for w, loss in zip(self.weights, self.losses, strict=True) if loss is not None]
        total = values[0] * weights[0] if weights[0] != 1.0 else values[0]
        for value, w in zip(values[1:], weights[1:], strict=True):
            total = total + value * w
        return total, Values(values, found)

    def initial_state(self) -> list[dict[str, Any]]:
        """Return the state of the loss's means and of the metrics before the first batch."""
        means = 1 + (len(self._loss_names()) if len(self.names) > 1 else 0)
        return [
            *({"total": np.zeros(()), "count": np.zeros(())} for _ in range(means)),
            *(metric.initial_state() for _, metric, _, _ in self.metrics),
        ]

    def update(
        self,
        nn: Backend,
        state: list[MetricState],
        batch: Batch,
        y_pred: Any,
        total: Tensor,
        values: Values,
    ) -> list[MetricState]:
        """Return the state after one more batch; a pure function of native tensors."""
        outputs = [output for _, output in output_items(y_pred)]
        targets = self._targets(batch.y)
        size = nn.shape(outputs[0])[0]
        means = [total, *(values.losses if len(self.names) > 1 else [])]
        new = [_mean_update(nn, old, value, size) for old, value in zip(state, means, strict=False)]
        for old, (_, metric, index, weighted) in zip(state[len(means) :], self.metrics, strict=True):
            weight, mask = batch.weight if weighted else None, values.masks[index]
            if mask is not None:
                weight = _times(nn, weight, nn.astype(mask, nn.float64))
            new.append(metric.update(nn, old, targets[index], outputs[index], weight))
        return new

    def results(self, nn: Backend, state: list[MetricState]) -> dict[str, float]:
        """Return the means and metrics as numbers by their names, ``{"loss": ..., "accuracy": ...}``."""
        host = [{key: nn.to_numpy(value) for key, value in part.items()} for part in state]
        names = ["loss", *(self._loss_names() if len(self.names) > 1 else [])]
        logs = {name: _mean(part) for name, part in zip(names, host, strict=False)}
        for part, (name, metric, _, _) in zip(host[len(names) :], self.metrics, strict=True):
            logs[name] = metric.compute(part)
        return logs

    def _loss_names(self) -> list[str]:
        return [
            f"{name}_loss" for name, loss in zip(self.names, self.losses, strict=True) if loss is not None
        ]

    def _targets(self, y: Any) -> list[Any]:
        if y is None:
            raise ValueError("expected targets y for the loss, got None")
        targets = dict(output_items(y)) if isinstance(y, dict) else None
        found = [targets.get(name) for name in self.names] if targets else [v for _, v in output_items(y)]
        if len(found) != len(self.names) or any(target is None for target in found):
            got = sorted(y) if isinstance(y, dict) else f"{len(found)}"
            raise ValueError(f"expected targets for the outputs {self.names}, got {got}")
        return found

    def _per_output(self, spec: Any, what: str) -> list[Any]:
        if isinstance(spec, dict):
            wrong = set(spec) - set(self.names)
            if wrong:
                raise ValueError(f"{what}: no outputs {sorted(wrong)}; the outputs are {self.names}")
            return [spec.get(name) for name in self.names]
        if isinstance(spec, list | tuple):
            if len(spec) != len(self.names):
                raise ValueError(f"{what}: expected {len(self.names)} entries, got {len(spec)}")
            return list(spec)
        return [spec] * len(self.names)

    def _metrics(
        self, spec: Any, what: str, targets: list[Any], weighted: bool
    ) -> Iterator[tuple[str, metrics.Metric, int, bool]]:
        if not spec:
            return
        single = len(self.names) == 1 and not isinstance(spec, dict)
        per_output = [spec] if single else self._per_output(spec, what)
        for index, items in enumerate(per_output):
            prefix = "" if len(self.names) == 1 else f"{self.names[index]}_"
            for item in items if isinstance(items, list | tuple) else [items]:
                if item is not None:
                    metric = metrics.get(item, self.losses[index], targets[index], self.shapes[index])
                    yield f"{prefix}{metric.name}", metric, index, weighted


def output_items(y: Any) -> list[tuple[str, Any]]:
    """Return outputs (or targets, or shapes) with their names."""
    if isinstance(y, dict):
        return list(y.items())
    if isinstance(y, list) or (isinstance(y, tuple) and y and hasattr(y[0], "shape")):
        return [(f"output_{i}", item) for i, item in enumerate(y)]
    return [("output", y)]


def _leaves(spec: Any, kind: type) -> Iterator[Any]:
    if isinstance(spec, dict | list | tuple):
        for item in spec.values() if isinstance(spec, dict) else spec:
            yield from _leaves(item, kind)
    elif spec is not None and isinstance(spec, kind):
        yield spec


def _loss(identifier: Any) -> losses.Loss | None:
    """Return a loss, or None for None."""
    return None if identifier is None else losses.get(identifier)


def _masked_loss(
    loss: losses.Loss, target: Any, output: Tensor, weight: Tensor | None, mask: Tensor | None
) -> Tensor:
    if mask is None:
        return loss(target, output, weight)
    nn = backends.namespace(output)
    counts = nn.astype(mask, output.dtype)
    if loss.reduction in ("sum_over_batch_size", "mean"):
        share = nn.mean(counts)  # the loss divides by the number of all steps
        counts = counts / nn.where(share == 0.0, 1.0, share)
    try:
        return loss(target, output, _times(nn, weight, counts))
    except ValueError as error:
        error.add_note(
            f"(the output of shape {tuple(output.shape)} has a mask of shape {tuple(mask.shape)}, which is a "
            f"weight for each step: the loss needs a value for each, so y an axis behind that of the steps)"
        )
        raise


def _times(nn: Backend, weight: Tensor | None, counts: Tensor) -> Tensor:
    if weight is None:
        return counts
    fewer, more = sorted((weight, counts), key=lambda x: len(x.shape))
    return more * aligned_weight(nn, fewer, more)


def _mean_update(nn: Backend, state: MetricState, value: Tensor, size: Any) -> MetricState:
    # in float64, so that the mean over an epoch has no rounding of its own to speak of
    count = nn.astype(nn.asarray(size), nn.float64)
    return {
        "total": state["total"] + nn.astype(value, nn.float64) * count,
        "count": state["count"] + count,
    }


def _mean(state: dict[str, Any]) -> float:
    return float(state["total"]) / float(state["count"]) if state["count"] else 0.0
