"""The outputs of a model for batches of inputs."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dualnn.layers import context, tree
from dualnn.names import is_own_module
from dualnn.protocol import Backend, Engine
from dualnn.training import ids
from dualnn.training.arrays import map_tree
from dualnn.training.compiled import CompiledSteps, Made, Trace
from dualnn.training.engines import Wish, chosen, work_of
from dualnn.training.precision import Precision

if TYPE_CHECKING:
    from dualnn.layers.embedding import Embedding
    from dualnn.layers.layer import Layer
    from dualnn.models.model import Model

Predict = Callable[[Any], Any]
"""Native inputs to native outputs, with the weights that the model has at the time."""


class Predictors:
    """The functions that predict for one model, of which one is chosen by how much there is to predict.

    A model that has predicted many batches of one size, a few at a time, is taken to go on: it is then run as
    in a run of that length. A copy of a model begins anew.
    """

    def __init__(self) -> None:
        self._steps = CompiledSteps()
        self._predicted: Counter[int] = Counter()
        self._usual: dict[int, tuple[object, int, Made]] = {}

    def get(
        self, model: Model, wish: Wish, precision: Precision, size: int, batches: int | None = 1
    ) -> Predict:
        """Return the function for so many batches more of so many samples; None for an unknown number."""
        predicted = self._predicted[size] = self._predicted[size] + (batches or 0)
        structure = tree.structure(model)
        seen, limit, usual = self._usual.get(size, _NONE_YET)
        if seen is structure and predicted < limit and batches is not None and usual.settings.hold():
            return usual.function  # type: ignore[no-any-return]
        work = work_of(model, size, trains=False)
        engine, _ = chosen(model.nn, wish, work, None if batches is None else predicted, "")
        in_parts = engine.samples is not None and samples_are_independent(model)
        made = self._steps.made(
            ("predict", in_parts),
            model,
            engine,
            lambda engine, trace: predictor(model, engine, in_parts, precision, trace),
        )
        if batches is not None:
            # the choice may depend on the number of batches, but not on each single one
            self._usual[size] = structure, max(predicted + 1, predicted * 5 // 4), made
        return made.function

    def __deepcopy__(self, memo: dict[int, Any]) -> Predictors:
        return Predictors()

    def __reduce__(self) -> tuple[type[Predictors], tuple[()]]:
        return Predictors, ()


_NONE_YET: Any = None, 0, None


def predictor(model: Model, engine: Engine, in_parts: bool, precision: Precision, trace: Trace) -> Predict:
    """Return the function that computes the outputs for one batch of inputs."""
    nn = model.nn

    def outputs(x: Any) -> Any:
        if precision.compute is None:
            return model(x, training=False)
        slots = tree.slots(model)
        with precision.bound(slots, [nn.value(slot.variable) for slot in slots]):
            return precision.output(nn, model(x, training=False), model.dtype)

    def eagerly(x: Any) -> Any:
        with nn.inference_mode():
            return computed(x)

    lookups = ids.layers_of(model)
    computed: Predict = _with_ids(nn, outputs, lookups) if lookups else outputs
    predict: Predict = eagerly if engine.name == "eager" else nn.compile(trace(computed), jit=engine.jit)
    if lookups:
        predict = _checked(nn, predict, lookups)
    return _in_parts(nn, predict, engine.samples) if in_parts and engine.samples else predict


def _with_ids(nn: Backend, outputs: Predict, lookups: list[Embedding]) -> Predict:
    def outputs_and_ids(x: Any) -> Any:
        notes: ids.Notes = []
        with context.noting(notes):
            y = outputs(x)
        return y, ids.after(nn, lookups, notes)

    return outputs_and_ids


def _checked(nn: Backend, predict: Predict, lookups: list[Embedding]) -> Predict:
    def checked(x: Any) -> Any:
        y, wrong = predict(x)
        ids.check(nn, lookups, wrong)
        return y

    return checked


def samples_are_independent(model: Model) -> bool:
    """Return whether the outputs of a sample depend on that sample alone, whatever else is in the batch.

    In inference that is so of all of dualnn's own layers. Of layers, functions and graphs that others have
    written it is not known.

    >>> import numpy as np
    >>> import dualnn as dn
    >>> from dualnn.training.prediction import samples_are_independent
    >>> samples_are_independent(dn.Sequential([dn.layers.Dense(3, activation="relu")]))
    True
    >>> samples_are_independent(dn.Sequential([dn.layers.Dense(3, activation=np.cumsum)]))
    False
    """
    return all(
        _is_ours(type(layer))
        and all(map(_is_ours, filter(callable, vars(layer).values())))
        and not _goes_over_samples(layer)
        for _, layer in tree.walk(model)
    ) and (model._graph is None or model._graph.has_layers_only)


def _goes_over_samples(layer: Layer) -> bool:
    # Concatenate has an axis, which may be the first one
    axis, shape = getattr(layer, "axis", None), layer._output_shape
    return isinstance(axis, int) and isinstance(shape, tuple) and axis % len(shape) == 0


def _is_ours(x: Any) -> bool:
    return is_own_module(getattr(x, "__module__", None))


def _in_parts(nn: Backend, predict: Predict, samples: int) -> Predict:
    # What a layer makes of a part is still in the processor's cache when the next one takes it.
    def in_parts(x: Any) -> Any:
        size = samples_in(nn, x)
        if size <= samples:
            return predict(x)
        parts = [
            predict(map_tree(operator.itemgetter(slice(start, start + samples)), x))
            for start in range(0, size, samples)
        ]
        return _joined(nn, parts)

    return in_parts


def samples_in(nn: Backend, x: Any) -> int:
    """Return the number of samples in a batch of native tensors."""
    while isinstance(x, dict | list | tuple):
        x = next(iter(x.values())) if isinstance(x, dict) else x[0]
    size: int = nn.shape(x)[0]
    return size


def _joined(nn: Backend, parts: list[Any]) -> Any:
    if isinstance(parts[0], dict):
        return {key: _joined(nn, [part[key] for part in parts]) for key in parts[0]}
    if isinstance(parts[0], list | tuple):
        return [_joined(nn, list(part)) for part in zip(*parts, strict=True)]
    return nn.concat(parts)
