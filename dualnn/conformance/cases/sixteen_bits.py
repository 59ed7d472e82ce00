"""Long sums in 16 bits, and their gradients: they are added up in 32 bits at least, and rounded once.

A sum that is kept in bfloat16 stops growing at 256 times what is added, in float16 at 2,048 times. So a
bound of n roundings in 16 bits would be none: each operation here is allowed its last rounding, to the 16
bits that it is kept in, and `LENGTH` roundings of float32, which are less than half of one more.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dualnn import layers, losses
from dualnn.conformance import references
from dualnn.conformance.case import HALVES, Array, Case, FunctionCase
from dualnn.conformance.cases.layers import called
from dualnn.conformance.references import WIDE
from dualnn.protocol import Tensor

LENGTH = 5_000
ONCE = 2  # the last rounding, and as much for those in float32
REASON = "each operation rounds to 16 bits once; what it adds up it adds up in 32 bits"


def _positive(*shape: int, low: float = 0.5, high: float = 1.5) -> Array:
    return np.random.default_rng(shape).uniform(low, high, shape)


def _both_signs(*shape: int) -> Array:
    return np.random.default_rng(shape).normal(0.5, 1, shape)


def _case(
    name: str,
    variant: str,
    run: Callable[..., Any],
    reference: Callable[..., Any],
    *inputs: Any,
    operations: int = 1,
    scale: Any = "stable",
) -> Case:
    return FunctionCase(
        name=name,
        variant=variant,
        run=run,
        reference=reference,
        inputs=tuple(np.asarray(x) for x in inputs),
        roundings=ONCE * operations,
        scale=scale,
        derivatives=0,
        dtypes=HALVES,
        machine_code=True,
        reason=REASON,
    )


# ------------------------------------------------------------------ what adds up

_SHAPES = {
    "all": ((LENGTH,), None),
    "rows": ((3, LENGTH), 1),
    "leading axis": ((LENGTH, 3), 0),
    "leading axes": ((100, LENGTH // 100, 3), (0, 1)),
    "middle axis": ((2, LENGTH, 2), 1),
}
_REDUCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "sum": (np.sum, 1),
    "mean": (np.mean, 1),
    "var": (np.var, 1),
    "std": (np.std, 2),
    "logsumexp": (lambda x, axis: references.logsumexp(x, axis), 3),
}


def _reduction(name: str, where: str) -> Case:
    (shape, axis), (reference, operations) = _SHAPES[where], _REDUCTIONS[name]
    return _case(
        name,
        f"16 bits, {where}",
        lambda nn, x: getattr(nn, name)(x, axis=axis),
        lambda x: reference(x, axis=axis),
        _positive(*shape),
        operations=operations,
    )


CASES: list[Case] = [_reduction(name, where) for name in _REDUCTIONS for where in _SHAPES]
CASES += [
    _case(
        "sum",
        "16 bits, both signs",
        lambda nn, x: nn.sum(x),
        lambda x: np.sum(x),
        _both_signs(LENGTH),
    ),
    *(
        _case(
            "cumulative_sum",
            f"16 bits, axis {axis} of {len(shape)}",
            lambda nn, x, axis=axis: nn.cumulative_sum(x, axis=axis),
            lambda x, axis=axis: np.cumsum(x, axis),
            _positive(*shape),
        )
        for axis, shape in ((0, (LENGTH,)), (0, (LENGTH, 2)), (1, (2, LENGTH)))
    ),
    *(
        _case(
            name,
            "16 bits, a long row",
            lambda nn, x, name=name: getattr(nn, name)(x, axis=-1),
            reference,
            _positive(2, LENGTH),
            operations=3,
        )
        for name, reference in (("softmax", references.softmax), ("log_softmax", references.log_softmax))
    ),
    _case(
        "matmul",
        "16 bits, a long inner axis",
        lambda nn, x, y: nn.matmul(x, y),
        lambda x, y: x @ y,
        _positive(2, LENGTH),
        _positive(LENGTH, 3),
    ),
    _case(
        "linear",
        "16 bits, a long inner axis",
        lambda nn, x, kernel, bias: nn.linear(x, kernel, bias),
        lambda x, kernel, bias: x @ kernel + bias,
        _positive(2, LENGTH),
        _positive(LENGTH, 3),
        _positive(3),
        operations=2,
    ),
    _case(
        "vecdot",
        "16 bits",
        lambda nn, x, y: nn.vecdot(x, y),
        lambda x, y: np.sum(x * y, -1),
        _positive(2, LENGTH),
        _positive(2, LENGTH) / 2,
    ),
    _case(
        "tensordot",
        "16 bits",
        lambda nn, x, y: nn.tensordot(x, y, axes=2),
        lambda x, y: np.tensordot(x, y, 2),
        _positive(2, 50, LENGTH // 50),
        _positive(50, LENGTH // 50, 2),
    ),
    _case(
        "linalg.vector_norm",
        "16 bits",
        lambda nn, x: nn.linalg.vector_norm(x),
        lambda x: np.sqrt(np.sum(x**2)),
        _positive(LENGTH),
        operations=2,
    ),
    _case(
        "conv2d",
        "16 bits, large windows",
        lambda nn, x, kernel: nn.conv2d(
            x, kernel, strides=(1, 1), padding="valid", dilation=(1, 1), groups=1
        ),
        lambda x, kernel: references.conv2d(
            x, kernel, strides=(1, 1), padding="valid", dilation=(1, 1), groups=1
        ),
        _positive(1, 20, 20, 13),
        _positive(20, 20, 13, 2) / 8,
    ),
    *(
        _case(
            "avg_pool2d",
            f"16 bits, windows of {size} by {size}",
            lambda nn, x, size=size: nn.avg_pool2d(
                x, pool_size=(size, size), strides=(size, size), padding="valid"
            ),
            lambda x, size=size: x.reshape(1, 70 // size, size, 70 // size, size, 2).mean((2, 4)),
            _positive(1, 70, 70, 2),
        )
        for size in (70, 35)
    ),
]

# ------------------------------------------------------------------ gradients that add up

_C = _positive(LENGTH, 3)  # the gradient that comes from above


def _slope(run: Callable[..., Tensor]) -> Callable[..., Any]:
    """Return the gradient of the sum of ``run(nn, p, *others)`` by `p`."""

    def gradient(nn: Any, p: Tensor, *others: Tensor) -> Any:
        return nn.grad(lambda p: nn.sum(run(nn, p, *others)))(p)

    return gradient


_IDS = np.random.default_rng(0).integers(0, 3, LENGTH)
_BY_ID = np.eye(3)[_IDS].astype(WIDE)
_ONCE = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}
CASES += [
    _case(
        "add",
        "16 bits, gradient by a bias",
        _slope(lambda nn, b, x, c: (x + b) * c),
        lambda b, x, c: np.sum(c, 0),
        _positive(3),
        _C,
        _C,
    ),
    _case(
        "multiply",
        "16 bits, gradient by a scale",
        _slope(lambda nn, a, x: x * a),
        lambda a, x: np.sum(x, 0),
        _positive(3),
        _C,
    ),
    _case(
        "subtract",
        "16 bits, gradient by a number",
        _slope(lambda nn, a, x: (x - a) * x),
        lambda a, x: -np.sum(x),
        np.asarray(0.5),
        _positive(LENGTH),
    ),
    _case(
        "divide",
        "16 bits, gradient by a scale",
        _slope(lambda nn, a, x: x / a),
        lambda a, x: -np.sum(x, 0) / a**2,
        _positive(3),
        _C,
        operations=3,
    ),
    _case(
        "where",
        "16 bits, gradient by a number",
        _slope(lambda nn, a, x: nn.where(x > 1, a, x) * x),
        lambda a, x: np.sum(np.where(x > 1, x, 0)),
        np.asarray(0.5),
        _positive(LENGTH),
    ),
    _case(
        "broadcast_to",
        "16 bits, gradient",
        _slope(lambda nn, a, c: nn.broadcast_to(a, (LENGTH, 3)) * c),
        lambda a, c: np.sum(c, 0),
        _positive(3),
        _C,
    ),
    _case(
        "expand_dims",
        "16 bits, gradient by a row of many steps",
        _slope(lambda nn, a, c: (nn.expand_dims(a, axis=0) + nn.reshape(c, (50, LENGTH // 50, 3))) * 2.0),
        lambda a, c: np.full(3, WIDE(2 * LENGTH)),
        _positive(3),
        _C,
    ),
    _case(
        "linear",
        "16 bits, gradient by the bias",
        _slope(lambda nn, b, x, kernel, c: nn.linear(x, kernel, b) * c),
        lambda b, x, kernel, c: np.sum(c, 0),
        _positive(3),
        _positive(LENGTH, 2),
        _positive(2, 3),
        _C,
    ),
    _case(
        "linear",
        "16 bits, gradient by the bias, sequences",
        _slope(lambda nn, b, x, kernel, c: nn.linear(x, kernel, b) * c),
        lambda b, x, kernel, c: np.sum(c, (0, 1)),
        _positive(3),
        _positive(50, LENGTH // 50, 2),
        _positive(2, 3),
        _C.reshape(50, -1, 3),
    ),
    _case(
        "linear",
        "16 bits, gradient by the kernel",
        _slope(lambda nn, kernel, x, b, c: nn.linear(x, kernel, b) * c),
        lambda kernel, x, b, c: x.T @ c,
        _positive(2, 3),
        _positive(LENGTH, 2),
        _positive(3),
        _C,
    ),
    _case(
        "matmul",
        "16 bits, gradient",
        _slope(lambda nn, kernel, x, c: nn.matmul(x, kernel) * c),
        lambda kernel, x, c: x.T @ c,
        _positive(2, 3),
        _positive(LENGTH, 2),
        _C,
    ),
    _case(
        "conv2d",
        "16 bits, gradient by the kernel",
        _slope(lambda nn, kernel, x: nn.conv2d(x, kernel, **_ONCE)),
        lambda kernel, x: np.sum(x, (0, 1, 2)).reshape(1, 1, 2, 1),
        _positive(1, 1, 2, 1),
        _positive(2, 50, LENGTH // 100, 2),
    ),
    _case(
        "conv2d",
        "16 bits, gradient by the bias",
        _slope(lambda nn, b, x, kernel: nn.conv2d(x, kernel, bias=b, **_ONCE)),
        lambda b, x, kernel: np.full(2, WIDE(LENGTH)),
        _positive(2),
        _positive(2, 50, LENGTH // 100, 1),
        _positive(1, 1, 1, 2),
    ),
    _case(
        "take",
        "16 bits, gradient of repeated rows",
        _slope(lambda nn, table, ids, c: nn.take(table, ids, axis=0) * c),
        lambda table, ids, c: _BY_ID.T @ c,
        _positive(3, 3),
        _IDS,
        _C,
    ),
]


def _layer(
    name: str,
    variant: str,
    make: Callable[[], Any],
    reference: Callable[..., Any],
    *inputs: Any,
    by: int | None = None,
    training: bool = False,
    operations: int = 4,
    scale: Any = "stable",
) -> Case:
    """Return the case of a layer's output, or of the gradient of its sum by the weight of a number."""

    def output(nn: Any, x: Tensor, *weights: Tensor) -> Tensor:
        return called(make, nn, [x], list(weights), training)[0]

    def gradient(nn: Any, *given: Tensor) -> Any:
        assert by is not None
        at = by + 1

        def loss(p: Tensor) -> Tensor:
            return nn.sum(output(nn, *given[:at], p, *given[at + 1 :]))

        return nn.grad(loss)(given[at])

    return _case(
        f"layers.{name}",
        f"16 bits, {variant}",
        output if by is None else gradient,
        reference,
        *inputs,
        operations=operations,
        scale=scale,
    )


_N = WIDE(LENGTH)
_KERNEL, _BIAS = _positive(2, 3), _positive(3)
CASES += [
    _layer(
        "Dense",
        "gradient by the bias",
        lambda: layers.Dense(3),
        lambda x, k, b: np.full(3, _N),
        _positive(LENGTH, 2),
        _KERNEL,
        _BIAS,
        by=1,
        operations=1,
    ),
    _layer(
        "Dense",
        "gradient by the bias, sequences",
        lambda: layers.Dense(3),
        lambda x, k, b: np.full(3, _N),
        _positive(25, LENGTH // 25, 2),
        _KERNEL,
        _BIAS,
        by=1,
        operations=1,
    ),
    _layer(
        "Conv2D",
        "gradient by the bias",
        lambda: layers.Conv2D(3, 1),
        lambda x, k, b: np.full(3, _N),
        _positive(2, 50, LENGTH // 100, 2),
        _positive(1, 1, 2, 3),
        _BIAS,
        by=1,
        operations=1,
    ),
    _layer(
        "Embedding",
        "gradient of repeated ids",
        lambda: layers.Embedding(3, 2),
        lambda ids, table: np.repeat(np.bincount(_IDS, minlength=3)[:, None], 2, 1).astype(WIDE),
        _IDS.reshape(25, -1),
        _positive(3, 2),
        by=0,
        operations=1,
    ),
    _layer(
        "GlobalAveragePooling2D",
        "70 by 70",
        layers.GlobalAveragePooling2D,
        lambda x: np.mean(x, (1, 2)),
        _positive(2, 70, 70, 2),
        operations=1,
    ),
    _layer(
        "GlobalAveragePooling1D",
        "long sequences",
        layers.GlobalAveragePooling1D,
        lambda x: np.mean(x, 1),
        _positive(2, LENGTH, 2),
        operations=1,
    ),
    _layer(
        "AveragePooling2D",
        "70 by 70",
        lambda: layers.AveragePooling2D(70),
        lambda x: np.mean(x, (1, 2), keepdims=True),
        _positive(2, 70, 70, 2),
        operations=1,
    ),
    _layer(
        "LayerNormalization",
        "many features",
        layers.LayerNormalization,
        lambda x, gamma, beta: (
            (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + WIDE("1e-3"))
        ),
        _both_signs(3, LENGTH),
        np.ones(LENGTH),
        np.zeros(LENGTH),
        operations=6,
        scale="norm",
    ),
    _layer(
        "LayerNormalization",
        "gradient by beta",
        layers.LayerNormalization,
        lambda x, gamma, beta: np.full(2, _N),
        _both_signs(LENGTH, 2),
        _positive(2),
        _positive(2),
        by=1,
        operations=1,
    ),
    _layer(
        "SimpleRNN",
        "gradient by the bias",
        lambda: layers.SimpleRNN(2, activation="linear"),
        lambda x, k, r, b: np.full(2, _N) + np.full(2, _N) @ r.T,
        _positive(LENGTH, 2, 1) / 4,
        _positive(1, 2) / 4,
        _positive(2, 2) / 4,
        _positive(2) / 4,
        by=2,
        operations=3,
    ),
]

# ------------------------------------------------------------------ losses of many outputs

_T, _Y = _positive(LENGTH), _positive(LENGTH, low=0.2, high=0.8)
CASES += [
    _case(
        f"losses.{name}",
        "16 bits, many rows",
        lambda nn, t, y, name=name: getattr(losses, name)()(t[:, None], y[:, None]),
        reference,
        t,
        _Y,
        operations=operations,
    )
    for name, reference, t, operations in (
        ("MeanSquaredError", lambda t, y: np.mean((t - y) ** 2), _T, 3),
        ("MeanAbsoluteError", lambda t, y: np.mean(np.abs(t - y)), _T, 2),
        (
            "BinaryCrossentropy",
            lambda t, y: -np.mean(t * np.log(y) + (1 - t) * np.log1p(-y)),
            (_T > 1).astype(float),
            6,
        ),
    )
]

# ------------------------------------------------------------------ masks, which are more than a large number

_SCORES = (_both_signs(2, 4, 3), _both_signs(2, 5, 3), _positive(2, 5, 2))
_MASK = np.array([[1, 1, 0, 1, 0]] * 4, bool)


def _attention(nn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    layer = layers.Attention(use_scale=False).on(nn.name, dtype=nn.dtype_name(q.dtype))
    mask = nn.asarray(np.stack([np.ones(5, bool), _MASK[0]]), device=nn.device(q))
    return layer([q, v, k], mask=[None, mask])


def _of_attention(q: Array, k: Array, v: Array) -> Array:
    mask = np.stack([np.ones(5, bool), _MASK[0]])[:, None]
    scores = np.where(mask, q @ np.swapaxes(k, 1, 2), -np.inf)
    return references.softmax(scores) @ v


CASES += [
    _case(
        "layers.Attention",
        f"16 bits, a mask, scores of up to {size:,}",
        _attention,
        _of_attention,
        size * _SCORES[0],
        _SCORES[1],
        _SCORES[2],
        operations=8,
    )
    for size in (1, 100)
]
