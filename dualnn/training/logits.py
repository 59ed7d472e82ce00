"""A warning where a cross-entropy is told something else of the outputs than the last layer says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from dualnn import activations, losses
from dualnn.foreign.recognition import library
from dualnn.layers import Activation, Conv2D, Dense, Dropout, Flatten, Reshape, TimeDistributed
from dualnn.layers.layer import Layer
from dualnn.layers.symbolic import SymbolicTensor
from dualnn.warning import warn

if TYPE_CHECKING:
    from dualnn.models.model import Model

_PASSING = (Dropout, Flatten, Reshape)
"""Layers that leave the numbers as they are."""
_SQUASHED = {activations.softmax, activations.sigmoid, activations.hard_sigmoid}
_POSITIVE = {activations.softplus, activations.exponential}
_OF_ANY_SIGN = {
    *(activations.linear, activations.tanh, activations.softsign, activations.relu, activations.relu6),
    *(activations.leaky_relu, activations.elu, activations.selu, activations.silu, activations.gelu),
    *(activations.hard_silu, activations.mish, activations.log_softmax),
}


class _End(NamedTuple):
    """The last layer that changes an output's numbers, and its activation."""

    layer: Layer
    activation: Any


class _Expectation(NamedTuple):
    """What a loss takes its `y_pred` for."""

    activation: str
    """That of the last layer, unless the loss is from logits."""
    not_probabilities: set[Any]
    probabilities: set[Any]


_OF_CLASSES = _Expectation("softmax", _OF_ANY_SIGN, {activations.softmax})
_EXPECTED = {
    losses.categorical_crossentropy: _OF_CLASSES,
    losses.sparse_categorical_crossentropy: _OF_CLASSES,
    losses.kl_divergence: _OF_CLASSES,
    losses.binary_crossentropy: _Expectation("sigmoid", _OF_ANY_SIGN | _POSITIVE, _SQUASHED),
}


def warn_of_logits(model: Model, spec: Any) -> None:
    """Warn of a cross-entropy that takes logits for probabilities, or probabilities for logits.

    Nothing is said of a model whose last layer could do anything, such as one with a `call` of its own.

    Args:
        model: the model, built or not.
        spec: the loss, or the losses of its outputs, as `Model.compile` got them.
    """
    for identifier, end in _pairs(spec, _ends_of(model)):
        if not _is_known(identifier):
            continue
        given = losses.get(identifier)
        loss = given.twin()
        if not isinstance(loss, losses.LossFunctionWrapper) or loss.fn not in _EXPECTED:
            continue
        if type(loss).call is not losses.LossFunctionWrapper.call:
            continue
        fn = loss.fn
        from_logits = getattr(loss, "from_logits", loss.kwargs.get("from_logits", False))
        activation, logits, probabilities = _EXPECTED[fn]
        name = getattr(end.activation, "__name__", "")
        if not from_logits and end.activation in logits:
            advice = "the loss from_logits=True, or "
            if fn is losses.kl_divergence or library(identifier) == "torch":
                advice = ""
            warn(
                f"loss {given.name!r} expects probabilities, and the layer {end.layer.name!r}, whose output "
                f"it is given, has the activation {name!r}: give {advice}the layer activation={activation!r}"
            )
        elif from_logits and end.activation in probabilities:
            takes = "expects logits" if library(identifier) == "torch" else "has from_logits=True"
            warn(
                f"loss {given.name!r} {takes}, and the layer {end.layer.name!r}, whose output it "
                f"is given, has applied {name!r} already: leave one of the two out"
            )


def _is_known(identifier: Any) -> bool:
    """Whether it is a loss of dualnn or of a library; all else is looked at when there is data."""
    if library(identifier) is not None:
        return True
    if inspect.isclass(identifier):
        return issubclass(identifier, losses.Loss)
    return isinstance(identifier, str | losses.Loss) or identifier in losses.FUNCTIONS


def _pairs(spec: Any, ends: dict[str, _End | None]) -> Iterator[tuple[Any, _End]]:
    """Yield the losses of the outputs whose last activation is known."""
    if isinstance(spec, list | tuple):
        given = dict(zip(ends, spec, strict=False))
    elif isinstance(spec, dict):
        given = spec if len(ends) > 1 else dict(zip(ends, spec.values(), strict=False))
    else:
        given = dict.fromkeys(ends, spec)
    for name, end in ends.items():
        identifier = given.get(name)
        if end is not None and identifier is not None:
            yield identifier, end


def _ends_of(model: Model) -> dict[str, _End | None]:
    """Return the end of each output of a model by its name; nothing of a model with its own `call`."""
    graph = model._graph
    if graph is not None and type(model).call is _model_class().call:
        outputs = graph.outputs
        if isinstance(outputs, dict):
            return {name: _end_of_node(node) for name, node in outputs.items()}
        if isinstance(outputs, list | tuple):
            return dict(zip(graph.output_names() or (), map(_end_of_node, outputs), strict=True))
        return {"": _end_of_node(outputs)}
    return {"": _end(model)}


def _end(layer: Layer) -> _End | None:
    from dualnn.models.sequential import Sequential  # here, as models import this file

    if isinstance(layer, Sequential) and type(layer).call is Sequential.call:
        changing = [one for one in layer.layers if type(one) not in _PASSING]
        return _end(changing[-1]) if changing else None
    if isinstance(layer, _model_class()):
        ends = {} if layer._graph is None else _ends_of(layer)
        return next(iter(ends.values())) if len(ends) == 1 else None
    if type(layer) is TimeDistributed:
        return _end(layer.layer)
    return _End(layer, vars(layer)["activation"]) if type(layer) in (Activation, Conv2D, Dense) else None


def _end_of_node(node: Any) -> _End | None:
    while isinstance(node, SymbolicTensor) and type(node.function) in _PASSING:
        node = node.args[0]
    function = node.function if isinstance(node, SymbolicTensor) else None
    return _end(function) if isinstance(function, Layer) else None


def _model_class() -> type[Model]:
    from dualnn.models.model import Model  # here, as models import this file

    return Model
