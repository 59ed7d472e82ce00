"""The layers' formulas once more, in NumPy on `numpy.longdouble`: what both backends are measured against.

A reference reads a layer's settings and weights and nothing else of it. It is written for clarity: sums over
windows are loops.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dualnn import layers, random
from dualnn.conformance.case import Array
from dualnn.layers import tree
from dualnn.layers.layer import Layer
from dualnn.layers.symbolic import SymbolicTensor

WIDE = np.longdouble

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


def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))``."""
    return np.asarray(1 / (1 + np.exp(-x)))


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))``, from the side on which nothing overflows."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def softmax(x: Array) -> Array:
    """Return ``exp(x) / sum(exp(x))``."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def log_softmax(x: Array) -> Array:
    """Return the logarithm of the softmax."""
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=-1, keepdims=True)))


def gelu(x: Array) -> Array:
    """Return ``x * Phi(x)``."""
    return np.asarray(x * _normal_distribution(x))


def elu(x: Array) -> Array:
    """Return ``x`` where positive, else ``exp(x) - 1``."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    """Return the scaled `elu`, with the numbers of Klambauer et al. (2017)."""
    scale, alpha = WIDE("1.0507009873554804934193349852946"), WIDE("1.6732632423543772848170429916717")
    return np.asarray(scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


def _hard_sigmoid(x: Array) -> Array:
    return np.asarray(np.clip(x + 3, 0, 6) / 6)


def _normal_distribution(x: Array) -> Array:
    # By the C library's complementary error function this would be double precision only. Series and
    # continued fraction of the wide precision: Abramowitz and Stegun, 26.2.11 and 26.2.14.
    return np.vectorize(_one_phi, otypes=[WIDE])(x) if x.size else x


def _one_phi(x: Any) -> Any:
    density = np.exp(-x * x / 2) / np.sqrt(2 * WIDE(np.pi) + WIDE(2.4492935982947064e-16))
    if abs(x) < 5:
        term = total = x
        for n in itertools.count(3, 2):
            term = term * x * x / n
            if abs(term) <= abs(total) * np.finfo(WIDE).eps / 4:
                break
            total += term
        if x > -2.5:
            return WIDE(0.5) + density * total
    # for negative numbers the series would cancel
    tail = abs(x)
    fraction = tail
    for n in range(150, 0, -1):
        fraction = tail + n / fraction
    return density / fraction if x < 0 else 1 - density / fraction


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "elu": elu,
    "exponential": lambda x: np.asarray(np.exp(x)),
    "gelu": gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: np.asarray(x * _hard_sigmoid(x)),
    "leaky_relu": lambda x: np.where(x > 0, x, WIDE(2) / 10 * x),
    "linear": lambda x: x,
    "log_softmax": log_softmax,
    "mish": lambda x: np.asarray(x * np.tanh(softplus(x))),
    "relu": lambda x: np.asarray(np.maximum(x, 0)),
    "relu6": lambda x: np.asarray(np.clip(x, 0, 6)),
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": lambda x: np.asarray(x * sigmoid(x)),
    "softmax": softmax,
    "softplus": softplus,
    "softsign": lambda x: np.asarray(x / (1 + np.abs(x))),
    "tanh": lambda x: np.asarray(np.tanh(x)),
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


def _windows(
    x: Array,
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    dilation: tuple[int, int],
    fill: Any,
) -> Iterator[tuple[int, int, Array]]:
    """Yield for every window its row and column, and its pixels (batch, rows, columns, channels)."""
    before, counts = [], []
    for length, window, stride, step in zip(x.shape[1:3], size, strides, dilation, strict=True):
        extent = (window - 1) * step + 1
        count = math.ceil(length / stride) if padding == "same" else (length - extent) // stride + 1
        before.append(max((count - 1) * stride + extent - length, 0) // 2 if padding == "same" else 0)
        counts.append(count)
    for row, column in np.ndindex(*counts):
        pixels = np.full((x.shape[0], *size, x.shape[3]), fill, x.dtype)
        for i, j in np.ndindex(*size):
            r = row * strides[0] - before[0] + i * dilation[0]
            c = column * strides[1] - before[1] + j * dilation[1]
            if 0 <= r < x.shape[1] and 0 <= c < x.shape[2]:
                pixels[:, i, j] = x[:, r, c]
        yield row, column, pixels


def _assembled(windows: Iterator[tuple[int, int, Array]], function: Callable[[Array], Array]) -> Array:
    found = {(row, column): function(pixels) for row, column, pixels in windows}
    rows, columns = (1 + max(at) for at in zip(*found, strict=True))
    return np.stack([np.stack([found[r, c] for c in range(columns)], axis=1) for r in range(rows)], axis=1)


def _conv2d(layer: Any, weights: dict[str, Array], x: Array, training: bool) -> Array:
    kernel, groups = weights["kernel"], layer.groups
    channels, filters = kernel.shape[2], kernel.shape[3] // groups

    def convolved(pixels: Array) -> Array:
        parts = [
            np.einsum(
                "nijc,ijcf->nf",
                pixels[..., g * channels : (g + 1) * channels],
                kernel[..., g * filters : (g + 1) * filters],
            )
            for g in range(groups)
        ]
        return np.concatenate(parts, axis=-1)

    windows = _windows(x, layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate, WIDE(0))
    return _activated(layer, _assembled(windows, convolved) + weights.get("bias", WIDE(0)))


def _pooling(reduce: Callable[..., Array]) -> Callable[..., Array]:
    def pooled(layer: Any, weights: dict[str, Array], x: Array, training: bool) -> Array:
        # pixels that are not there are NaN, which the reduction leaves out
        windows = _windows(x, layer.pool_size, layer.strides, layer.padding, (1, 1), WIDE(np.nan))
        return _assembled(windows, lambda pixels: np.asarray(reduce(pixels, axis=(1, 2))))

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
    layers.MaxPooling2D: _pooling(np.nanmax),
    layers.AveragePooling2D: _pooling(np.nanmean),
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
