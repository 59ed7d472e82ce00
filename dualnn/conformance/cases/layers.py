"""Every layer, with gradients by its input and its weights.

A layer's weights are inputs of the case: they are put in the place of its variables, as a step of training
does. References: the formulas of the docstrings and of the papers that they name; of convolution and pooling
those of `references`. Roundings are counted as in `cases.neural`.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np

from dualnn import layers, random
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases.neural import COUNTED
from dualnn.conformance.references import WIDE, avg_pool2d, conv2d, max_pool2d, numbers
from dualnn.fast_paths import generic
from dualnn.layers import Layer, tree
from dualnn.protocol import Backend, Tensor

Maker = Callable[[], Layer]
LINEAR = "linear: one rounding for what is moved or added; gradients are added"


@functools.cache
def _built(make: Maker, backend: str, device: str, dtype: str, shapes: Any) -> Layer:
    layer: Layer = make().on(backend, device=device, dtype=dtype)
    zeros = [np.zeros(shape, np.float32 if dtype == "bfloat16" else dtype) for shape in shapes]
    # In a thread of its own, as this one may be in the middle of compiling, where no variable can be made.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(layer, zeros if len(zeros) > 1 else zeros[0]).result()
    return layer


def called(
    make: Maker, nn: Backend, x: list[Tensor], weights: list[Tensor], training: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Return the output of a layer with these weights, and what its weights are then."""
    like = x[0] if nn.isdtype(x[0].dtype, "real floating") else weights[0]
    shapes = tuple(tuple(int(n) for n in one.shape) for one in x)
    layer = _built(make, nn.name, nn.device(like), nn.dtype_name(like.dtype), shapes)
    with tree.bound(tree.weight_slots(layer), weights) as now:
        return layer(x if len(x) > 1 else x[0], training=training), now()


def _case(
    name: str,
    variant: str,
    make: Maker,
    reference: Callable[..., Any],
    inputs: Any,
    roundings: float,
    derivatives: Any = 2,
    *,
    given: int = 1,
    training: bool = False,
    by_formula: bool = False,
    reason: str = COUNTED,
) -> FunctionCase:
    """Return a case whose first inputs, as many as are given, are the layer's; the others are its weights."""

    def run(nn: Backend, *x: Tensor) -> Tensor:
        with generic() if by_formula else nullcontext():
            return called(make, nn, list(x[:given]), list(x[given:]), training)[0]

    return FunctionCase(
        name=f"layers.{name}",
        variant=", ".join(filter(None, (variant, "by the formula" if by_formula else ""))),
        run=run,
        reference=reference,
        inputs=tuple(inputs),
        roundings=roundings,
        derivatives=derivatives,
        reason=reason,
    )


# ------------------------------------------------------------------ dense and convolution

_X, _KERNEL, _BIAS = numbers(2, 3), numbers(3, 2) / 2, np.array([0.4, -0.7])
CASES: list[Case] = [
    _case("Dense", "", lambda: layers.Dense(2), lambda x, k, b: x @ k + b, (_X, _KERNEL, _BIAS), 3 + 1),
    _case("Dense", "no bias", lambda: layers.Dense(2, use_bias=False), lambda x, k: x @ k, (_X, _KERNEL), 3),
    _case(
        "Dense",
        "tanh",
        lambda: layers.Dense(2, activation="tanh"),
        lambda x, k, b: np.tanh(x @ k + b),
        (_X, _KERNEL, _BIAS),
        3 + 1 + 4,
    ),
    _case(
        "Dense",
        "sequences",
        lambda: layers.Dense(2),
        lambda x, k, b: x @ k + b,
        (numbers(2, 2, 2), numbers(2, 2), _BIAS),
        2 + 1,
    ),
    _case("Activation", "", lambda: layers.Activation("tanh"), np.tanh, (_X,), 4),
    _case(
        "Activation",
        "a function",
        lambda: layers.Activation(lambda x: x * x),
        lambda x: x * x,
        (_X,),
        1,
    ),
]

# variant: (image, kernel, options of the layer, options of the reference)
_CONVOLUTIONS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "": ((1, 3, 3, 1), (2, 2, 1, 2), {}),
    "same, stride 2, even height": ((1, 4, 2, 1), (3, 1, 1, 1), {"strides": 2, "padding": "same"}),
    "same, stride 2, odd sizes": ((1, 3, 5, 1), (2, 3, 1, 1), {"strides": 2, "padding": "same"}),
    "dilation": ((1, 4, 3, 1), (2, 2, 1, 1), {"dilation_rate": (2, 1)}),
    "same, dilation, groups": (
        (1, 3, 2, 2),
        (2, 2, 1, 2),
        {"dilation_rate": 2, "groups": 2, "padding": "same"},
    ),
    "same, kernel larger than image": ((1, 2, 2, 1), (3, 5, 1, 1), {"padding": "same"}),
}


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _convolution(variant: str) -> FunctionCase:
    image, kernel, options = _CONVOLUTIONS[variant]
    arguments: dict[str, Any] = {
        "strides": _pair(options.get("strides", 1)),
        "padding": options.get("padding", "valid"),
        "dilation": _pair(options.get("dilation_rate", 1)),
        "groups": options.get("groups", 1),
    }
    return _case(
        "Conv2D",
        variant,
        lambda: layers.Conv2D(kernel[3], kernel[:2], **options),
        lambda x, kernel, bias: conv2d(x, kernel, **arguments) + bias,
        (numbers(*image), numbers(*kernel), _BIAS[: kernel[3]]),
        int(np.prod(kernel[:3])) + 1,
        1,
    )


CASES += [_convolution(variant) for variant in _CONVOLUTIONS]

# ------------------------------------------------------------------ pooling

# variant: (image, options, size, strides, padding)
_POOLS: dict[str, tuple[Any, dict[str, Any], Any, Any, str]] = {
    "": ((1, 4, 5, 1), {}, (2, 2), (2, 2), "valid"),
    "overlapping": ((1, 4, 3, 1), {"pool_size": (3, 2), "strides": 1}, (3, 2), (1, 1), "valid"),
    "same": ((1, 3, 5, 1), {"padding": "same"}, (2, 2), (2, 2), "same"),
    "same, stride 2 of 3": (
        (1, 4, 3, 1),
        {"pool_size": 3, "strides": 2, "padding": "same"},
        (3, 3),
        (2, 2),
        "same",
    ),
}


def _pool(name: str, variant: str) -> FunctionCase:
    image, options, size, strides, padding = _POOLS[variant]
    pool = max_pool2d if name == "MaxPooling2D" else avg_pool2d
    return _case(
        name,
        variant,
        lambda: getattr(layers, name)(**options),
        lambda x: pool(x, size, strides=strides, padding=padding),
        (numbers(*image, low=-4.0, high=-1.0),),
        int(np.prod(size)) + 1,
        1,
    )


CASES += [_pool(name, variant) for name in ("MaxPooling2D", "AveragePooling2D") for variant in _POOLS]
CASES += [
    _case(
        "GlobalAveragePooling2D",
        "axes kept" if keepdims else "",
        functools.partial(layers.GlobalAveragePooling2D, keepdims=keepdims),
        lambda x, keepdims=keepdims: np.sum(x, (1, 2), keepdims=keepdims) / 6,
        (numbers(2, 2, 3, 1),),
        6 + 1,
        1,
    )
    for keepdims in (False, True)
]

# ------------------------------------------------------------------ normalization

_EPSILON = WIDE("1e-3")
_GAMMA, _BETA = np.array([0.8, -1.3]), np.array([0.3, 0.6])
_MEAN, _VARIANCE = np.array([0.5, -1.2]), np.array([0.7, 2.4])
_ROWS = numbers(4, 2)


def _statistics(x: Array, axes: Any) -> tuple[Array, Array]:
    count = np.prod([x.shape[axis] for axis in np.atleast_1d(axes)])
    mean = np.sum(x, axes, keepdims=True) / count
    return mean, np.sum((x - mean) ** 2, axes, keepdims=True) / count


def _normalized(x: Array, axes: Any, gamma: Any = 1, beta: Any = 0) -> Array:
    mean, variance = _statistics(x, axes)
    return (x - mean) / np.sqrt(variance + _EPSILON) * gamma + beta


def _along_1(values: Array) -> Array:
    return values.reshape(-1, 1)


def _inferred(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
    return (x - mean) / np.sqrt(variance + _EPSILON) * gamma + beta


def _kernel(nn: Any, x: Tensor, gamma: Any, beta: Any, statistics: Any = None) -> Any:
    kernel = nn.batch_normalization
    if statistics is not None:
        statistics = tuple(nn.asarray(one, dtype=x.dtype, device=nn.device(x)) for one in statistics)
    results = kernel(x, gamma, beta, statistics, epsilon=1e-3)
    if results is None:
        raise NotImplementedError(f"{nn.name} leaves {nn.dtype_name(x.dtype)} of this shape to the formula")
    return results


def _normalizing(n: int) -> int:
    # mean n + 1, difference 1, square 1, mean n + 1, epsilon 1 + 1, root 1, quotient 1, scale 1, shift 1
    return 2 * n + 10


_Make = functools.partial
_STATE = (_GAMMA, _BETA, _MEAN, _VARIANCE)
CASES += [
    *(
        _case(
            "BatchNormalization",
            "training",
            layers.BatchNormalization,
            lambda x, gamma, beta, mean, variance: _normalized(x, 0, gamma, beta),
            (_ROWS, *_STATE),
            _normalizing(4),
            training=True,
            by_formula=by_formula,
        )
        for by_formula in (False, True)
    ),
    _case(
        "BatchNormalization",
        "training, images",
        layers.BatchNormalization,
        lambda x, gamma, beta, mean, variance: _normalized(x, (0, 1, 2), gamma, beta),
        (numbers(2, 1, 2, 2), *_STATE),
        _normalizing(4),
        1,
        training=True,
    ),
    _case(
        "BatchNormalization",
        "training, axis 1",
        _Make(layers.BatchNormalization, axis=1),
        lambda x, gamma, beta, mean, variance: _normalized(x, (0, 2), _along_1(gamma), _along_1(beta)),
        (numbers(2, 2, 2), *_STATE),
        _normalizing(4),
        1,
        training=True,
    ),
    _case(
        "BatchNormalization",
        "training, neither scale nor shift",
        _Make(layers.BatchNormalization, center=False, scale=False),
        lambda x, mean, variance: _normalized(x, 0),
        (_ROWS, _MEAN, _VARIANCE),
        _normalizing(4),
        training=True,
    ),
    *(
        _case(
            "BatchNormalization",
            "inference",
            layers.BatchNormalization,
            _inferred,
            (_ROWS, *_STATE),
            7,
            by_formula=by_formula,
        )
        for by_formula in (False, True)
    ),
    _case(
        "BatchNormalization",
        "inference, images",
        layers.BatchNormalization,
        _inferred,
        (numbers(2, 1, 2, 2), *_STATE),
        7,
    ),
    FunctionCase(
        name="batch_normalization",
        variant="of the batch",
        run=lambda nn, x, gamma, beta: _kernel(nn, x, gamma, beta)[0],
        reference=lambda x, gamma, beta: _normalized(x, (0, 1), gamma, beta),
        inputs=(numbers(2, 2, 2), _GAMMA, _BETA),
        roundings=_normalizing(4),
        derivatives=1,
        reason=COUNTED,
    ),
    FunctionCase(
        name="batch_normalization",
        variant="of the batch, its statistics",
        run=lambda nn, x: _kernel(nn, x, None, None)[1:],
        reference=lambda x: [statistic[0] for statistic in _statistics(x, 0)],
        inputs=(_ROWS,),
        roundings=_normalizing(4),
        derivatives=0,
        reason=COUNTED,
    ),
    FunctionCase(
        name="batch_normalization",
        variant="of given statistics",
        run=lambda nn, x, gamma, beta: _kernel(nn, x, gamma, beta, (_MEAN, _VARIANCE))[0],
        reference=lambda x, gamma, beta: _inferred(
            x, gamma, beta, _MEAN.astype(WIDE), _VARIANCE.astype(WIDE)
        ),
        inputs=(numbers(2, 1, 2, 2), _GAMMA, _BETA),
        roundings=7 + 2,  # the statistics are rounded, too
        derivatives=1,
        reason=COUNTED,
    ),
    _case(
        "BatchNormalization",
        "inference, axis 1",
        _Make(layers.BatchNormalization, axis=1),
        lambda x, *state: _inferred(x, *map(_along_1, state)),
        (numbers(2, 2, 2), *_STATE),
        7,
        1,
    ),
    _case(
        "BatchNormalization",
        "frozen, in training",
        lambda: _frozen(layers.BatchNormalization()),
        _inferred,
        (_ROWS, *_STATE),
        7,
        1,
        training=True,
    ),
    *(
        FunctionCase(
            name="layers.BatchNormalization",
            variant=variant,
            run=lambda nn, x, *state, make=make: called(make, nn, [x], list(state), training=True)[1][2:],
            reference=lambda x, gamma, beta, *moving, keep=keep: [
                old * keep + new[0] * (1 - keep) for old, new in zip(moving, _statistics(x, 0), strict=True)
            ],
            inputs=(x, *_STATE),
            roundings=_normalizing(len(x)) + 4,
            derivatives=0,
            reason=f"{COUNTED}; momentum * moving + (1 - momentum) * batch, with the biased variance",
        )
        for variant, make, keep, x in (
            ("moving statistics", _Make(layers.BatchNormalization), WIDE("0.99"), _ROWS),
            (
                "moving statistics, momentum 0.7",
                _Make(layers.BatchNormalization, momentum=0.7),
                WIDE("0.7"),
                _ROWS,
            ),
            ("moving statistics, one sample", _Make(layers.BatchNormalization), WIDE("0.99"), _ROWS[:1]),
        )
    ),
    *(
        _case(
            "LayerNormalization",
            "",
            layers.LayerNormalization,
            lambda x, gamma, beta: _normalized(x, 1, gamma, beta),
            (numbers(3, 3)[:2], np.array([0.8, -1.3, 1.1]), np.array([0.3, 0.6, -0.4])),
            _normalizing(3),
            by_formula=by_formula,
        )
        for by_formula in (False, True)
    ),
    FunctionCase(
        name="layer_normalization",
        run=lambda nn, x, gamma, beta: nn.layer_normalization(x, gamma, beta, epsilon=1e-3),
        reference=lambda x, gamma, beta: _normalized(x, 1, gamma, beta),
        inputs=(numbers(3, 3)[:2], np.array([0.8, -1.3, 1.1]), np.array([0.3, 0.6, -0.4])),
        roundings=_normalizing(3),
        reason=COUNTED,
    ),
    _case(
        "LayerNormalization",
        "axis 1",
        _Make(layers.LayerNormalization, axis=1),
        lambda x, gamma, beta: _normalized(x, 1, _along_1(gamma), _along_1(beta)),
        (numbers(1, 3, 2), np.array([0.8, -1.3, 1.1]), np.array([0.3, 0.6, -0.4])),
        _normalizing(3),
        1,
    ),
    _case(
        "LayerNormalization",
        "neither scale nor shift",
        _Make(layers.LayerNormalization, center=False, scale=False),
        lambda x: _normalized(x, 1),
        (numbers(2, 4),),
        _normalizing(4),
    ),
]


def _frozen(layer: Layer) -> Layer:
    layer.trainable = False
    return layer


def _one_sample(nn: Backend, dtype: str) -> dict[str, Tensor]:
    weights = [nn.asarray(w, dtype=dtype) for w in ([1.5, -2.0], [0.25, 4.0], [0.0, 0.0], [1.0, 1.0])]
    x = nn.asarray([[3.0, -5.0]], dtype=dtype)

    def output(x: Tensor) -> Tensor:
        return called(layers.BatchNormalization, nn, [x], weights, training=True)[0]

    return {"output": output(x), "gradient": nn.grad(lambda x: nn.sum(output(x) * x) - nn.sum(x))(x)}


_halving = functools.partial(layers.BatchNormalization, momentum=0.5)


def _moving(nn: Backend, dtype: str) -> dict[str, Tensor]:
    layer = _halving().on(nn.name, dtype=dtype)
    x = nn.asarray([[0.0], [2.0]], dtype=dtype)
    layer(x)
    inferred = nn.asarray(layer.moving_mean, copy=True)
    layer(x, training=True)
    weights = [nn.asarray(w, dtype=dtype) for w in ([1.0], [0.0], [0.0], [1.0])]

    def moving(x: Tensor) -> Tensor:
        return sum(nn.sum(w) for w in called(_halving, nn, [x], weights, training=True)[1])

    return {
        "moving mean after inference": inferred,
        "moving mean": layer.moving_mean,
        "moving variance": layer.moving_variance,
        "gradient of both": nn.grad(moving)(x),
    }


CASES += [
    ExactCase(
        name="layers.BatchNormalization",
        variant="one sample",
        run=_one_sample,
        expected={"output": [[0.25, 4.0]], "gradient": [[0.25 - 1, 4.0 - 1]]},
        reason="x is its own mean: the output is beta, whatever x",
    ),
    ExactCase(
        name="layers.BatchNormalization",
        variant="moving statistics of the layer itself",
        run=_moving,
        expected={
            "moving mean after inference": [0.0],
            "moving mean": [0.5],
            "moving variance": [1.0],
            "gradient of both": [[0.0], [0.0]],
        },
        reason="momentum 0.5, the mean 1 and the variance 1; no gradient passes through them",
    ),
]

# ------------------------------------------------------------------ dropout


def _mask(drawn: int, shape: tuple[int, ...], rate: float) -> Array:
    key = random.key(7, "mask", drawn)
    mask: Array = random.bernoulli_mask(np, key, shape, 1.0 - rate)  # type: ignore[arg-type]
    return mask


def _dropout(rate: float) -> ExactCase:
    x = 2.0 ** np.arange(12).reshape(3, 4)

    def run(nn: Backend, dtype: str) -> dict[str, Tensor]:
        layer = layers.Dropout(rate, seed=7).on(nn.name, dtype=dtype)
        tensor = nn.asarray(x, dtype=dtype)
        inferred = layer(tensor)
        first, second = layer(tensor, training=True), layer(tensor, training=True)
        third = nn.grad(lambda x: nn.sum(layer(x, training=True)))(tensor)
        return {
            "inference": inferred,
            "first": first,
            "second": second,
            "gradient": third,
            "drawn": layer.drawn,
        }

    def expected(dtype: str) -> dict[str, Any]:
        scale = np.asarray(1.0 / (1.0 - rate)).astype(dtype)
        first, second, third = (np.where(_mask(drawn, x.shape, rate), scale, 0) for drawn in range(3))
        return {"inference": x, "first": first * x, "second": second * x, "gradient": third, "drawn": 3}

    return ExactCase(
        name="layers.Dropout",
        variant=f"rate {rate}",
        run=run,
        expected=expected,
        reason="the masks of dualnn.random on NumPy, by their number; powers of 2 are scaled exactly",
    )


CASES += [_dropout(rate) for rate in (0.25, 0.5)]
CASES.append(
    ExactCase(
        name="layers.Dropout",
        variant="rate 0",
        run=lambda nn, dtype: {
            "output": layers.Dropout(0.0).on(nn.name, dtype=dtype)(
                nn.asarray([1.5], dtype=dtype), training=True
            )
        },
        expected={"output": [1.5]},
        reason="nothing is dropped",
    )
)

# ------------------------------------------------------------------ embedding, merging, reshaping

_INDICES = np.array([[2, 0], [2, 1]])
_A, _B, _C = numbers(2, 2), numbers(2, 3), numbers(2, 2) / 3
CASES += [
    _case(
        "Embedding",
        "",
        _Make(layers.Embedding, 4, 3),
        lambda i, table: table[i],
        (_INDICES, numbers(4, 3)),
        1,
        1,
        reason=LINEAR,
    ),
    _case("Add", "", layers.Add, lambda a, b, c: a + b + c, (_A, _C, _A / 7), 2, 1, given=3, reason=LINEAR),
    *(
        _case(
            "Concatenate",
            variant,
            make,
            lambda *x, axis=axis: np.concatenate(x, axis),
            inputs,
            1,
            1,
            given=len(inputs),
            reason=LINEAR,
        )
        for variant, make, axis, inputs in (
            ("", layers.Concatenate, -1, (_A, _B)),
            (
                "axis 1 of three",
                _Make(layers.Concatenate, axis=1),
                1,
                (numbers(2, 1, 2), numbers(2, 2, 2), numbers(2, 1, 2)),
            ),
        )
    ),
    _case(
        "Flatten", "", layers.Flatten, lambda x: x.reshape(2, -1), (numbers(2, 2, 3),), 1, 1, reason=LINEAR
    ),
    _case(
        "Flatten", "vectors", layers.Flatten, lambda x: x.reshape(3, 1), (numbers(3),), 1, 1, reason=LINEAR
    ),
    _case(
        "Reshape",
        "",
        _Make(layers.Reshape, (3, -1)),
        lambda x: x.reshape(2, 3, 2),
        (numbers(2, 6),),
        1,
        1,
        reason=LINEAR,
    ),
]


# ------------------------------------------------------------------ checkpoints


def _checkpointed(nn: Backend, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    def block(tree: dict[str, Tensor], bias: Tensor) -> dict[str, Tensor]:
        return {"y": nn.tanh(nn.matmul(tree["x"], tree["kernel"]) + bias)}

    return nn.checkpoint(block)({"x": x, "kernel": kernel}, bias)["y"]


CASES += [
    FunctionCase(
        name="checkpoint",
        run=_checkpointed,
        reference=lambda x, kernel, bias: np.tanh(x @ kernel + bias),
        inputs=(_X, _KERNEL, _BIAS),
        roundings=3 + 1 + 4,
        derivatives=1,  # of the second there is an exact case: not every compiler can do it
        reason=COUNTED,
    ),
    *(
        _case(
            "Checkpoint",
            "training" if training else "",
            lambda: layers.Checkpoint(layers.Dense(2, activation="tanh")),
            lambda x, kernel, bias: np.tanh(x @ kernel + bias),
            (_X, _KERNEL, _BIAS),
            3 + 1 + 4,
            1,
            training=training,
        )
        for training in (False, True)
    ),
]

# ------------------------------------------------------------------ empty batches

# name: (layer, shape of a sample, shape of its output)
_EMPTY: dict[str, tuple[Maker, tuple[int, ...], tuple[int, ...]]] = {
    "Dense": (_Make(layers.Dense, 2), (3,), (2,)),
    "LayerNormalization": (layers.LayerNormalization, (3,), (3,)),
    "BatchNormalization": (layers.BatchNormalization, (3,), (3,)),
    "Dropout": (_Make(layers.Dropout, 0.5), (3,), (3,)),
    "Flatten": (layers.Flatten, (2, 3), (6,)),
    "Reshape": (_Make(layers.Reshape, (3, 2)), (6,), (3, 2)),
    "Embedding": (_Make(layers.Embedding, 4, 3), (2,), (2, 3)),
    "GlobalAveragePooling2D": (layers.GlobalAveragePooling2D, (2, 2, 3), (3,)),
    "MaxPooling2D": (layers.MaxPooling2D, (4, 4, 1), (2, 2, 1)),
    "AveragePooling2D": (layers.AveragePooling2D, (4, 4, 1), (2, 2, 1)),
}


def _empty(name: str) -> ExactCase:
    make, sample, output = _EMPTY[name]

    def run(nn: Backend, dtype: str) -> dict[str, Tensor]:
        layer = make().on(nn.name, dtype=dtype)
        layer(np.ones((1, *sample)))
        return {"output": layer(nn.zeros((0, *sample), dtype=dtype))}

    return ExactCase(
        name=f"layers.{name}",
        variant="of no samples",
        run=run,
        expected={"output": np.zeros((0, *output))},
        reason="nothing of nothing",
    )


CASES += [_empty(name) for name in _EMPTY]
