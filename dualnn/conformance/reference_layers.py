"""The layers' formulas once more, in NumPy on `numpy.longdouble`: what both backends are measured against.

A reference reads a layer's settings and weights and nothing else of it. Formulas without a layer are those of
`references`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dualnn import layers, random
from dualnn.conformance import references
from dualnn.conformance.case import Array
from dualnn.conformance.references import WIDE
from dualnn.layers import tree
from dualnn.layers.layer import Layer
from dualnn.layers.symbolic import SymbolicTensor

Disturb = Callable[[Array], Array]


def evaluate(model: Layer, x: Any, training: bool = False, disturb: Disturb = lambda a: a) -> list[Array]:
    """Return the outputs of a built model, computed by the reference.

    Args:
        model: a layer, a `dualnn.Sequential` or a functional model, of layers that have a reference.
        x: the inputs, NumPy arrays, in the precision in which the model is given them.
        training: whether layers behave as in training; the model stays as it is.
        disturb: applied to the inputs, to each weight and to each layer's output.

    Raises:
        NotImplementedError: a layer without a reference.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(1, kernel_initializer="ones", activation="relu")])
    >>> y = model([[1.0, 2.0]])
    >>> [float(y[0, 0]) for y in evaluate(model, np.asarray([[1.0, 2.0]]))]
    [3.0]
    """
    inputs = [_wide(a, disturb) for a in (x if isinstance(x, list) else [x])]
    weights = {
        path: _wide(model.nn.to_numpy(variable), disturb) for path, variable in model.state_paths.items()
    }
    paths = {id(layer): path for path, layer in tree.walk(model)}

    def run(layer: Layer, x: Any) -> Array:
        prefix = paths[id(layer)]
        own = {
            path.removeprefix(f"{prefix}."): v for path, v in weights.items() if path.startswith(f"{prefix}.")
        }
        if type(layer) not in _FORMULAS:
            raise NotImplementedError(f"layer {layer.name!r}: no reference for {type(layer).__name__}")
        return disturb(_FORMULAS[type(layer)](layer, own, x, training))

    graph = getattr(model, "_graph", None)
    if graph is not None:
        declared = graph.inputs if isinstance(graph.inputs, list) else [graph.inputs]
        values = {id(node): value for node, value in zip(declared, inputs, strict=True)}
        outputs = graph.outputs if isinstance(graph.outputs, list) else [graph.outputs]
        return [_of_node(node, values, run) for node in outputs]
    value = inputs[0]
    for layer in getattr(model, "layers", [model]):
        value = run(layer, value)
    return [value]


def _wide(array: Any, disturb: Disturb) -> Array:
    array = np.asarray(array)
    return disturb(array.astype(WIDE)) if array.dtype.kind == "f" else array


def _of_node(node: SymbolicTensor, values: dict[int, Array], run: Callable[[Layer, Any], Array]) -> Array:
    if id(node) not in values:
        if not isinstance(node.function, Layer):
            raise NotImplementedError(f"no reference for the operator {node.function}")
        (arg,) = node.args
        several = isinstance(arg, list | tuple)
        given = [_of_node(one, values, run) for one in (arg if several else [arg])]
        values[id(node)] = run(node.function, given if several else given[0])
    return values[id(node)]


# ------------------------------------------------------------------ activations


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "elu": references.elu,
    "exponential": np.exp,
    "gelu": references.gelu,
    "hard_sigmoid": references.hard_sigmoid,
    "hard_silu": lambda x: np.asarray(x * references.hard_sigmoid(x)),
    "leaky_relu": references.leaky_relu,
    "linear": lambda x: x,
    "log_softmax": references.log_softmax,
    "mish": references.mish,
    "relu": lambda x: np.asarray(np.maximum(x, 0)),
    "relu6": lambda x: np.asarray(np.clip(x, 0, 6)),
    "selu": references.selu,
    "sigmoid": references.sigmoid,
    "silu": lambda x: np.asarray(x * references.sigmoid(x)),
    "softmax": references.softmax,
    "softplus": references.softplus,
    "softsign": references.softsign,
    "tanh": np.tanh,
}


def _activated(layer: Any, x: Array) -> Array:
    # of a function's name it is known what it should compute, of any other function not
    name = getattr(layer.activation, "__name__", "")
    if name not in ACTIVATIONS:
        raise NotImplementedError(f"layer {layer.name!r}: no reference for the activation {name!r}")
    return ACTIVATIONS[name](x)


# ------------------------------------------------------------------ layers


def _dense(layer: Any, weights: dict[str, Array], x: Array, training: bool) -> Array:
    return _activated(layer, x @ weights["kernel"] + weights.get("bias", WIDE(0)))


def _conv2d(layer: Any, weights: dict[str, Array], x: Array, training: bool) -> Array:
    y = references.conv2d(
        x,
        weights["kernel"],
        layer.groups,
        strides=layer.strides,
        padding=layer.padding,
        dilation=layer.dilation_rate,
    )
    return _activated(layer, y + weights.get("bias", WIDE(0)))


def _pooling(pool: Callable[..., Array]) -> Callable[..., Array]:
    def pooled(layer: Any, weights: dict[str, Array], x: Array, training: bool) -> Array:
        return pool(x, layer.pool_size, strides=layer.strides, padding=layer.padding)

    return pooled


def _normalized(layer: Any, weights: dict[str, Array], x: Array, mean: Any, variance: Any) -> Array:
    y = (x - mean) / np.sqrt(variance + WIDE(layer.epsilon))
    shape = [1] * x.ndim
    shape[layer.axis] = -1
    y = y * weights["gamma"].reshape(shape) if "gamma" in weights else y
    return np.asarray(y + weights["beta"].reshape(shape) if "beta" in weights else y)


def _batch_normalization(layer: Any, weights: dict[str, Array], x: Array, training: bool) -> Array:
    if training:
        axes = tuple(i for i in range(x.ndim) if i != layer.axis % x.ndim)
        mean = x.mean(axis=axes, keepdims=True)
        return _normalized(layer, weights, x, mean, ((x - mean) ** 2).mean(axis=axes, keepdims=True))
    shape = [1] * x.ndim
    shape[layer.axis] = -1
    mean, variance = weights["moving_mean"].reshape(shape), weights["moving_variance"].reshape(shape)
    return _normalized(layer, weights, x, mean, variance)


def _layer_normalization(layer: Any, weights: dict[str, Array], x: Array, training: bool) -> Array:
    mean = x.mean(axis=layer.axis, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=layer.axis, keepdims=True)
    return _normalized(layer, weights, x, mean, variance)


def _dropout(layer: Any, weights: dict[str, Array], x: Array, training: bool) -> Array:
    if not training or layer.rate == 0:
        return x
    xp: Any = np  # the masks are defined by the generator, which NumPy runs as the backends do
    key = random.fold(xp, weights["key"], weights["drawn"])
    return np.where(random.bernoulli_mask(xp, key, x.shape, 1 - layer.rate), x / (1 - WIDE(layer.rate)), 0)


_FORMULAS: dict[type, Callable[..., Array]] = {
    layers.Dense: _dense,
    layers.Conv2D: _conv2d,
    layers.MaxPooling2D: _pooling(references.max_pool2d),
    layers.AveragePooling2D: _pooling(references.avg_pool2d),
    layers.GlobalAveragePooling2D: lambda layer, w, x, t: x.mean(axis=(1, 2), keepdims=layer.keepdims),
    layers.BatchNormalization: _batch_normalization,
    layers.LayerNormalization: _layer_normalization,
    layers.Dropout: _dropout,
    layers.Activation: lambda layer, w, x, t: _activated(layer, x),
    layers.Embedding: lambda layer, w, x, t: w["embeddings"][x],
    layers.Flatten: lambda layer, w, x, t: x.reshape(len(x), math.prod(x.shape[1:])),
    layers.Reshape: lambda layer, w, x, t: x.reshape(len(x), *layer.target_shape),
    layers.Add: lambda layer, w, x, t: np.sum(np.stack(x), axis=0),
    layers.Concatenate: lambda layer, w, x, t: np.concatenate(x, axis=layer.axis),
}
