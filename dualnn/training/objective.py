"""What a compiled model is trained for and measured by: losses and metrics over its outputs."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dualnn import backends, losses, metrics
from dualnn.layers import masks
from dualnn.losses import aligned_weight
from dualnn.protocol import Backend, Tensor
from dualnn.training.batch import Batch
from dualnn.training.weights import check_sample_weight, weights_of

MetricState: TypeAlias = dict[str, Tensor]


class Values(NamedTuple):
    """What the losses of a batch hand on to the metrics.

    The masks are among it because a tensor has its mask by identity, and differentiation makes new tensors.
    """

    losses: list[Tensor]
    """The loss of each output that has one."""
    counts: list[Any]
    """What each of them was divided by; see `dualnn.losses.Loss.measure`."""
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
        """Raise ValueError for a name that is not known, TypeError for what is no loss or metric."""
        for one in _leaves(self.loss):
            losses.get(one)
        for one in _leaves((self.metrics, self.weighted_metrics)):
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
        if not any(self.losses):
            raise ValueError(f"loss: expected one for at least one of the outputs {self.names}, got none")
        self._goals = goals
        _ = self.weights  # so that an error comes now
        shapes = [()] * len(self.names) if targets == () else self._of_outputs(targets, "y")
        self.metrics = [
            *self._metrics(goals.metrics, "metrics", shapes, weighted=False),
            *self._metrics(goals.weighted_metrics, "weighted_metrics", shapes, weighted=True),
        ]
        names = _unique_names(self.metrics, {*_TAKEN, "loss", *self._loss_names()})
        self.metrics = [one._replace(name=name) for one, name in zip(self.metrics, names, strict=True)]
        measured = {one.output for one in self.metrics}
        self._measured = [
            name for i, name in enumerate(self.names) if i in measured or self.losses[i] is not None
        ]

    @property
    def weights(self) -> list[Any]:
        """The weights of the losses as they are set at the moment: numbers, or native scalars."""
        weights = self._per_output(self._goals.loss_weights, "loss_weights")
        return [
            weight if backends.owner(weight) is not None else 1.0 if weight is None else float(weight)
            for weight in weights
        ]

    def uses(self) -> dict[str, Any]:
        """Return all whose settings decide what `loss` and `update` compute, by what messages call it."""
        return {
            "the loss": self.losses,
            "loss_weights": self._goals.loss_weights,
            "the metrics": [one.metric for one in self.metrics],
        }

    def check_backend(self, nn: Backend) -> None:
        """Raise TypeError if a loss or a metric is a framework's own, and the backend is another's."""
        for part in (*self.losses, *(one.metric for one in self.metrics)):
            check = getattr(part, "check_backend", None)
            if check is not None:
                check(nn)

    def check(self, batch: Batch, outputs: Any) -> None:
        """Raise ValueError if a batch's targets or weights do not fit outputs of these shapes."""
        weights = self._sample_weights(batch.weight)
        shapes = [shape for _, shape in output_items(outputs)]
        for loss, target, weight, shape in zip(
            self.losses, self._targets(batch.y), weights, shapes, strict=True
        ):
            if loss is not None:
                loss.check(target, shape)
                if weight is not None:
                    check_sample_weight(weight, shape)

    def weighed(self, batch: Batch, class_weight: Mapping[Any, Any]) -> Batch:
        """Return a batch of NumPy arrays with every weight multiplied by that of its label's class.

        Raises:
            ValueError: the labels or the weights leave open what is meant; see `weights.weights_of`.
        """
        if len(self.names) > 1:
            raise ValueError(
                f"class_weight is for a model with one output, this one has {self.names}; give "
                f"sample_weight={{name: weights}} instead"
            )
        weights = weights_of(self._targets(batch.y)[0], class_weight, self.shapes[0])
        (given,) = self._sample_weights(batch.weight)
        if given is not None:
            # as long as these labels are: the model may have been built on sequences of another length
            check_sample_weight(given, (None, *weights.shape[1:], *self.shapes[0][weights.ndim :]))
            given = given.reshape(given.shape[: weights.ndim])
            fewer, more = sorted((weights, given), key=np.ndim)
            weights = more * fewer.reshape(*fewer.shape, *[1] * (more.ndim - fewer.ndim))
        return batch._replace(weight=weights)

    def loss(self, y: Any, y_pred: Any, weight: Tensor | None) -> tuple[Tensor, Values]:
        """Return the weighted sum of the losses, and what `update` needs of them."""
        outputs = [output for _, output in output_items(y_pred)]
        found = [masks.mask_of(output) for output in outputs]
        targets, outputs = _settled(self._targets(y), outputs, found)
        given = zip(self.losses, targets, outputs, self._sample_weights(weight), found, strict=True)
        measured = [_measured(loss, *one) for loss, *one in given if loss is not None]
        values, counts = [value for value, _ in measured], [count for _, count in measured]
        terms = [_weighted(v, w) for v, w in zip(values, self._weights_of_losses(), strict=True)]
        return functools.reduce(operator.add, terms), Values(values, counts, found)

    def initial_state(self) -> list[dict[str, Any]]:
        """Return the state of the loss's means and of the metrics before the first batch."""
        return [
            *({"total": np.zeros(()), "count": np.zeros(())} for _ in range(self._number_of_losses + 1)),
            *(one.metric.initial_state_for(self.shapes[one.output]) for one in self.metrics),
        ]

    def update(
        self,
        nn: Backend,
        state: list[MetricState],
        batch: Batch,
        y_pred: Any,
        values: Values,
        penalty: Tensor | None = None,
    ) -> list[MetricState]:
        """Return the state after one more batch; a pure function of native tensors.

        Args:
            nn: the backend.
            state: the state before.
            batch: inputs, targets and weights.
            y_pred: the outputs.
            values: what `loss` has returned.
            penalty: what was added to the loss, such as regularizers; None for nothing.
        """
        outputs = [output for _, output in output_items(y_pred)]
        targets, outputs = _settled(self._targets(batch.y), outputs, values.masks)
        weights = self._sample_weights(batch.weight)
        new = [_added(nn, *one) for one in zip(state, values.losses, values.counts, strict=False)]
        old = state[len(new)]
        new.append(old if penalty is None else _added(nn, old, penalty, nn.shape(outputs[0])[0]))
        for old, (_, metric, index, weighted, _) in zip(state[len(new) :], self.metrics, strict=True):
            weight, mask = weights[index] if weighted else None, values.masks[index]
            if mask is not None:
                weight = _times(nn, weight, nn.astype(mask, nn.float64))
            arguments = metric._aligned(nn, targets[index], outputs[index])
            new.append(metric.update(nn, old, *arguments, weight))
        return new

    def results(self, nn: Backend, state: list[MetricState]) -> dict[str, float]:
        """Return the means and metrics as numbers by their names, ``{"loss": ..., "accuracy": ...}``."""
        host = [{key: nn.to_numpy(value) for key, value in part.items()} for part in state]
        count = self._number_of_losses
        *values, penalty = map(_divided, host[: count + 1])
        weights = [w if isinstance(w, float) else float(nn.to_numpy(w)) for w in self._weights_of_losses()]
        terms = [value * w for value, w in zip(values, weights, strict=True)]
        logs = {"loss": sum(terms) + penalty}
        if len(self.names) > 1:
            logs |= zip(self._loss_names(), values, strict=True)
        for part, one in zip(host[count + 1 :], self.metrics, strict=True):
            logs[one.name] = one.metric.compute(part)
        return logs

    @property
    def directions(self) -> dict[str, str | None]:
        """Which way is better of each number in `results`: ``"up"``, ``"down"``, or None if nobody knows."""
        of_losses = dict.fromkeys(["loss", *self._loss_names()], "down")
        return {**of_losses, **{one.name: one.metric.direction for one in self.metrics}}

    @property
    def _number_of_losses(self) -> int:
        return sum(loss is not None for loss in self.losses)

    def _weights_of_losses(self) -> list[Any]:
        return [w for w, loss in zip(self.weights, self.losses, strict=True) if loss is not None]

    def _loss_names(self) -> list[str]:
        return [
            f"{name}_loss" for name, loss in zip(self.names, self.losses, strict=True) if loss is not None
        ]

    def _targets(self, y: Any) -> list[Any]:
        """Return the targets of the outputs, None for an output without a loss and a metric."""
        if y is None:
            raise ValueError("expected targets y for the loss, got None")
        found = self._of_outputs(y, "y")
        given = [name for name, target in zip(self.names, found, strict=True) if target is not None]
        missing = [name for name in self._measured if name not in given]
        if missing:
            raise ValueError(
                f"y: expected targets for the outputs {self._measured}, which have a loss or a metric, got "
                f"none for {missing}"
            )
        return found

    def _sample_weights(self, weight: Any) -> list[Any]:
        """Return the sample weights of the outputs; one array is for them all."""
        if weight is None or not isinstance(weight, dict | list | tuple):
            return [weight] * len(self.names)
        return self._of_outputs(weight, "sample_weight")

    def _of_outputs(self, given: Any, what: str) -> list[Any]:
        """Return what each output is given, by its name or its place; None where that is nothing."""
        if isinstance(given, dict):
            return self._by_name(dict(output_items(given)), what)
        found = [item for _, item in output_items(given)]
        if len(found) != len(self.names):
            raise ValueError(
                f"{what}: expected arrays for the {len(self.names)} outputs {self.names}, got {len(found)}"
            )
        return found

    def _by_name(self, given: dict[str, Any], what: str) -> list[Any]:
        if self.names == [_UNNAMED] and len(given) == 1:  # the only output has any name
            return list(given.values())
        wrong = [name for name in given if name not in self.names]
        if wrong:
            raise ValueError(f"{what}: no outputs {wrong}; the outputs are {self.names}")
        return [given.get(name) for name in self.names]

    def _per_output(self, spec: Any, what: str) -> list[Any]:
        if isinstance(spec, dict):
            return self._by_name(_flat(spec), what)
        if isinstance(spec, list | tuple):
            if len(spec) != len(self.names):
                raise ValueError(f"{what}: expected {len(self.names)} entries, got {len(spec)}")
            return list(spec)
        return [spec] * len(self.names)

    def _metrics(self, spec: Any, what: str, targets: list[Any], weighted: bool) -> Iterator[_Measure]:
        if not spec:
            return
        single = len(self.names) == 1 and not isinstance(spec, dict)
        per_output = [spec] if single else self._per_output(spec, what)
        for index, items in enumerate(per_output):
            prefix = "" if len(self.names) == 1 else f"{self.names[index]}_"
            for item in items if isinstance(items, list | tuple) else [items]:
                if item is not None:
                    metric = metrics.get(item, self.losses[index], targets[index], self.shapes[index])
                    yield _Measure(f"{prefix}{metric.name}", metric, index, weighted, prefix)


class _Measure(NamedTuple):
    """A metric of an output."""

    name: str
    """Its name in the logs."""
    metric: metrics.Metric
    output: int
    """The output's number."""
    weighted: bool
    """Whether sample weights count."""
    prefix: str
    """What its name begins with, as that of several outputs."""


_TAKEN = ("epoch", "learning_rate")
"""What callbacks write beside the losses and metrics."""
_UNNAMED = "output"


def _unique_names(measures: list[_Measure], taken: set[str]) -> list[str]:
    """Return a name for each metric, as Keras does: a weighted one is marked, then names are numbered."""
    found: list[str] = []

    def is_free(name: str) -> bool:
        known = {*taken, *found}
        return known.isdisjoint((name, f"val_{name}", name.removeprefix("val_")))

    for one in measures:
        name = one.name
        if one.weighted and not is_free(name):
            name = f"{one.prefix}weighted_{one.metric.name}"
        numbered = (f"{name}_{number}" for number in itertools.count(1))
        found.append(name if is_free(name) else next(filter(is_free, numbered)))
    return found


def output_items(y: Any) -> list[tuple[str, Any]]:
    """Return outputs (or targets, weights or shapes) with their names; of nested ones all, ``a_b``.

    >>> output_items({"a": 1, "b": {"c": 2, "d": 3}})
    [('a', 1), ('b_c', 2), ('b_d', 3)]
    """
    if isinstance(y, dict):
        return _nested_items(y.items())
    if isinstance(y, list) or (isinstance(y, tuple) and y and _is_output(y[0])):
        return _nested_items((f"output_{i}", item) for i, item in enumerate(y))
    return [(_UNNAMED, y)]


def _nested_items(items: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    found = []
    for name, item in items:
        inner = output_items(item)
        if len(inner) == 1 and inner[0][0] == _UNNAMED and inner[0][1] is item:
            found.append((name, item))
        else:
            found += [(f"{name}_{key.removeprefix('output_')}", one) for key, one in inner]
    return found


def _is_output(x: Any) -> bool:
    return hasattr(x, "shape") or isinstance(x, dict | list | tuple)


def _flat(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a dictionary of dictionaries as one, with names as in `output_items`."""
    found: dict[str, Any] = {}
    for name, item in spec.items():
        inner = {f"{name}_{key}": one for key, one in _flat(item).items()} if isinstance(item, dict) else None
        found |= {name: item} if inner is None else inner
    return found


def _leaves(spec: Any) -> Iterator[Any]:
    if isinstance(spec, dict | list | tuple):
        for item in spec.values() if isinstance(spec, dict) else spec:
            yield from _leaves(item)
    elif spec is not None:
        yield spec


def _loss(identifier: Any) -> losses.Loss | None:
    """Return a loss, or None for None."""
    if identifier is None:
        return None
    loss = losses.get(identifier)
    if loss.reduction == "none":
        raise ValueError(
            f"loss {loss.name!r}: training follows one number, reduction='none' gives one a sample; use "
            f"'sum_over_batch_size' or 'sum'"
        )
    return loss


def _weighted(value: Tensor, weight: Any) -> Tensor:
    if isinstance(weight, float):
        return value if weight == 1.0 else value * weight
    nn = backends.namespace(value)
    return value * nn.astype(nn.value(weight) if nn.is_variable(weight) else weight, value.dtype)


def _measured(
    loss: losses.Loss, target: Any, output: Tensor, weight: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Any]:
    """Return a loss and what it was divided by."""
    if type(loss).__call__ is not losses.Loss.__call__:  # it sums up by itself
        nn = backends.namespace(output)
        weight = weight if mask is None else _times(nn, weight, nn.astype(mask, output.dtype))
        value = loss(target, output) if weight is None else loss(target, output, weight)
        return value, None if loss.reduction == "sum" else nn.shape(output)[0]
    try:
        return loss.measure(target, output, weight, mask)
    except ValueError as error:
        if mask is not None:
            error.add_note(
                f"(the output of shape {tuple(output.shape)} has a mask of shape {tuple(mask.shape)}, which "
                f"is a weight for each step: the loss needs a value for each, so y an axis behind that of "
                f"the steps)"
            )
        raise


def _settled(
    targets: list[Any], outputs: list[Tensor], found: list[Tensor | None]
) -> tuple[list[Any], list[Tensor]]:
    """Return targets and outputs with harmless numbers in the steps that the outputs' masks leave out.

    What stands there may be NaN, of which a loss and its gradient are NaN whatever its weight: 0 of it, too.
    """
    for i, (target, output, mask) in enumerate(zip(targets, outputs, found, strict=True)):
        if mask is not None and masks.fits(output, mask):
            nn = backends.namespace(output)
            # one half is a probability, and a row of them has a sum to divide by
            harmless = 0.5 if nn.isdtype(output.dtype, "real floating") else 0
            outputs = [*outputs[:i], masks.zeroed(nn, output, mask, harmless), *outputs[i + 1 :]]
            if nn.is_tensor(target) and masks.fits(target, mask):
                targets = [*targets[:i], masks.zeroed(nn, target, mask), *targets[i + 1 :]]
    return targets, outputs


def _times(nn: Backend, weight: Tensor | None, counts: Tensor) -> Tensor:
    if weight is None:
        return counts
    fewer, more = sorted((weight, counts), key=lambda x: len(x.shape))
    return more * aligned_weight(nn, fewer, more)


def _added(nn: Backend, state: MetricState, value: Tensor, count: Any) -> MetricState:
    # in float64, so that the mean over an epoch has no rounding of its own to speak of
    value = nn.astype(value, nn.float64)
    if count is None:  # a sum, which nothing divides
        return {"total": state["total"] + value, "count": state["count"]}
    if nn.is_tensor(count):
        count = nn.astype(count, nn.float64)
    return {"total": state["total"] + value * count, "count": state["count"] + count}


def _divided(state: dict[str, Any]) -> float:
    return float(state["total"]) / (float(state["count"]) or 1.0)
