"""The neural primitives: activations, one-hot vectors, convolution and pooling.

Roundings are counted: 1 for an operation of arithmetic and for a constant, n for a sum of n, and 4 for an
elementary function, the accuracy that the frameworks' vector libraries state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dualnn.conformance.case import Case, ExactCase, FunctionCase
from dualnn.conformance.references import WIDE as WIDE  # other subjects take it, and those below, from here
from dualnn.conformance.references import (
    avg_pool2d,
    conv2d,
    elu,
    gelu,
    gelu_by_tanh,
    leaky_relu,
    logsumexp,
    max_pool2d,
    selu,
    sigmoid,
    softmax,
)
from dualnn.conformance.references import log_softmax as log_softmax
from dualnn.conformance.references import numbers as numbers
from dualnn.conformance.references import softplus as softplus
from dualnn.protocol import Backend, Tensor

COUNTED = "counted: 1 for an operation of arithmetic, n for a sum of n, 4 for an elementary function"
LIMITS = "the limits of the formula, in floating point"
SIZES = (10, 100, 1_000, 10_000)


def level(n: int) -> Any:
    """Return the level on which a reduction of n numbers is measured."""
    return "quick" if n <= 1_000 else "full"


# ------------------------------------------------------------------ activations


# name, variant: (further arguments, reference, roundings, scale, derivatives)
ACTIVATIONS: dict[tuple[str, str], tuple[dict[str, Any], Callable[..., Any], float, Any, Any]] = {
    ("relu", ""): ({}, lambda x: np.maximum(x, 0), 0, "ulp", 1),
    ("leaky_relu", ""): ({}, leaky_relu, 2, "ulp", 1),
    ("leaky_relu", "slope 0.01"): (
        {"negative_slope": 0.01},
        lambda x: leaky_relu(x, WIDE(1) / 100),
        2,
        "ulp",
        1,
    ),
    ("elu", ""): ({}, elu, 4, "ulp", 2),
    ("elu", "alpha 0.3"): ({"alpha": 0.3}, lambda x: elu(x, 3 / WIDE(10)), 4 + 2, "ulp", 2),
    ("selu", ""): ({}, selu, 4 + 4, "ulp", 2),
    ("silu", ""): ({}, lambda x: x * sigmoid(x), 4 + 3, "ulp", 2),
    ("sigmoid", ""): ({}, sigmoid, 4 + 2, "ulp", 2),
    ("softplus", ""): ({}, softplus, 4 + 4, "ulp", 2),
    ("softmax", "last axis"): ({}, softmax, 4 + 3 + 2, "stable", 2),
    ("softmax", "first axis"): ({"axis": 0}, lambda x: softmax(x, 0), 4 + 2 + 2, "stable", 2),
    ("log_softmax", "last axis"): ({}, log_softmax, 4 + 4 + 3 + 2, "stable", 2),
    ("log_softmax", "first axis"): ({"axis": 0}, lambda x: log_softmax(x, 0), 4 + 4 + 2 + 2, "stable", 2),
    # 1 + erf is rounded at the size of 1: an error relative to x, not to the result.
    ("gelu", ""): ({}, gelu, 4 + 5, "norm", 2),
    ("gelu", "by tanh"): ({"approximate": True}, gelu_by_tanh, 4 + 9, "norm", 2),
}


def activation_case(name: str, variant: str, prefix: str, call: Callable[..., Any]) -> FunctionCase:
    """Return the case of an activation function called ``call(nn, x, **arguments)``."""
    arguments, reference, roundings, scale, derivatives = ACTIVATIONS[name, variant]
    return FunctionCase(
        name=prefix + name,
        variant=variant,
        run=lambda nn, x: call(nn, x, **arguments),
        reference=reference,
        inputs=(numbers(2, 3) if "axis" in variant else numbers(10),),
        roundings=roundings,
        scale=scale,
        derivatives=derivatives,
        reason=COUNTED,
    )


def _of_backend(name: str) -> Callable[..., Any]:
    return lambda nn, x, **arguments: getattr(nn, name)(x, **arguments)


_ACTIVATIONS: list[Case] = [
    activation_case(name, variant, "", _of_backend(name)) for name, variant in ACTIVATIONS
]
_ACTIVATIONS += [
    FunctionCase(
        name="gelu",
        variant="left tail",
        run=lambda nn, x: nn.gelu(x),
        reference=gelu,
        inputs=(np.array([-3.1, -3.7, -4.3, -4.9]),),
        roundings=4 + 5,
        derivatives=0,
        reason=f"{COUNTED}; by erfc, which does not cancel",
    ),
    *(
        FunctionCase(
            name="logsumexp",
            variant=variant,
            run=lambda nn, x, axis=axis, keepdims=keepdims: nn.logsumexp(x, axis=axis, keepdims=keepdims),
            reference=lambda x, axis=axis, keepdims=keepdims: logsumexp(x, axis, keepdims),
            inputs=(numbers(2, 3),),
            roundings=4 + 4 + 6 + 2,
            reason=COUNTED,
        )
        for variant, axis, keepdims in (
            ("all", None, False),
            ("rows", 1, False),
            ("columns, axis kept", 0, True),
        )
    ),
    *(
        FunctionCase(
            name=name,
            variant=f"n = {n}",
            run=lambda nn, x, name=name: getattr(nn, name)(x, axis=-1),
            reference=reference,
            inputs=(numbers(n),),
            roundings=4 + 4 + n + 2,
            derivatives=0,
            size=n,
            level=level(n),
            reason=COUNTED,
        )
        for n in SIZES
        for name, reference in (("logsumexp", logsumexp), ("softmax", softmax))
    ),
]


def edges(
    name: str, variant: str, call: Callable[..., Any], points: Any, values: Any, slopes: Any, reason: str
) -> ExactCase:
    """Return the case of a function's values at points, and of its gradient there unless that is None."""

    def run(nn: Backend, dtype: str) -> dict[str, Tensor]:
        x = nn.asarray(points, dtype=dtype)
        answers = {"values": call(nn, x)}
        if slopes is not None:
            answers["gradient"] = nn.grad(lambda x: nn.sum(call(nn, x)))(x)
        return answers

    expected = {"values": values} if slopes is None else {"values": values, "gradient": slopes}
    return ExactCase(name=name, variant=variant, run=run, expected=expected, reason=reason)


INF, NAN = np.inf, np.nan
AT_0 = "its docstring: the branch of positive x excludes 0"
# name, variant, arguments: points, values, gradient, reason
EDGES: list[tuple[str, str, dict[str, Any], Any, Any, Any, str]] = [
    ("relu", "at 0", {}, [0.0], [0.0], [0.0], "its docstring"),
    ("relu", "special values", {}, [INF, -INF, NAN], [INF, 0.0, NAN], None, LIMITS),
    ("leaky_relu", "at 0", {"negative_slope": 0.25}, [0.0], [0.0], [0.25], AT_0),
    ("leaky_relu", "special values", {}, [INF, -INF, NAN], [INF, -INF, NAN], None, LIMITS),
    ("elu", "at 0", {"alpha": 0.5}, [0.0], [0.0], [0.5], AT_0),
    ("elu", "special values", {}, [INF, -INF, NAN], [INF, -1.0, NAN], None, LIMITS),
    ("elu", "far out", {}, [1e4, -1e4], [1e4, -1.0], [1.0, 0.0], LIMITS),
    ("selu", "special values", {}, [INF, NAN], [INF, NAN], None, LIMITS),
    ("silu", "far out", {}, [1e4, 0.0], [1e4, 0.0], [1.0, 0.5], LIMITS),
    ("silu", "special values", {}, [INF, NAN], [INF, NAN], None, LIMITS),
    ("gelu", "far out", {}, [1e4, -1e4, 0.0], [1e4, -0.0, 0.0], [1.0, 0.0, 0.5], LIMITS),
    ("gelu", "by tanh, far out", {"approximate": True}, [1e4, -1e4], [1e4, -0.0], [1.0, 0.0], LIMITS),
    ("gelu", "special values", {}, [INF, NAN], [INF, NAN], None, LIMITS),
    ("sigmoid", "far out", {}, [1e4, 0.0], [1.0, 0.5], [0.0, 0.25], LIMITS),
    ("sigmoid", "special values", {}, [INF, -INF, NAN], [1.0, 0.0, NAN], None, LIMITS),
    ("softplus", "far out", {}, [1e4, -1e4], [1e4, 0.0], [1.0, 0.0], LIMITS),
    ("softplus", "special values", {}, [INF, -INF, NAN], [INF, 0.0, NAN], None, LIMITS),
    ("softmax", "equal large numbers", {}, [1e30] * 4, [0.25] * 4, [0.0] * 4, LIMITS),
    ("softmax", "of minus infinity", {}, [-INF, 2.0, 2.0], [0.0, 0.5, 0.5], None, LIMITS),
    ("softmax", "of nothing but minus infinity", {}, [-INF, -INF], [NAN, NAN], None, "0 / 0, which is NaN"),
    ("softmax", "of NaN", {}, [NAN, 1.0], [NAN, NAN], None, LIMITS),
    ("softmax", "of no rows", {}, np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)), "nothing of nothing"),
    ("log_softmax", "far apart", {}, [0.0, -1e4], [0.0, -1e4], None, LIMITS),
    ("log_softmax", "of minus infinity", {}, [-INF, 2.0], [-INF, 0.0], None, LIMITS),
    (
        "log_softmax",
        "of no rows",
        {},
        np.zeros((0, 3)),
        np.zeros((0, 3)),
        np.zeros((0, 3)),
        "nothing of nothing",
    ),
    ("logsumexp", "far apart", {}, [1e4, -1e4], 1e4, [1.0, 0.0], LIMITS),
    ("logsumexp", "of minus infinity", {}, [-INF, 2.0], 2.0, [0.0, 1.0], LIMITS),
    ("logsumexp", "of nothing but minus infinity", {}, [-INF, -INF], -INF, None, LIMITS),
    ("logsumexp", "of infinity", {}, [INF, 2.0], INF, None, LIMITS),
    (
        "logsumexp",
        "of no rows",
        {"axis": 1},
        np.zeros((0, 3)),
        np.zeros(0),
        np.zeros((0, 3)),
        "nothing of nothing",
    ),
]
_EDGES: list[Case] = [
    edges(
        name,
        variant,
        lambda nn, x, name=name, arguments=arguments: getattr(nn, name)(x, **arguments),
        points,
        values,
        slopes,
        reason,
    )
    for name, variant, arguments, points, values, slopes, reason in EDGES
]


def _in_place(nn: Any, x: Tensor) -> Tensor:
    if nn.relu_in_place(nn.Variable(x) * 1) is not None:  # would spoil what the gradient needs
        raise AssertionError("expected None of a tensor that a gradient goes through")
    return nn.relu_in_place(nn.asarray(x, copy=True))


def _readable(nn: Any, x: Tensor) -> Tensor:
    variable = nn.Variable(x)
    with nn.GradientTape() as tape:
        y = nn.readable(variable * 2.0)
    return nn.readable(tape.gradient(y, variable) * variable)


_EDGES += [
    edges("readable", "", _readable, [2.0, -3.0, 0.0], [4.0, -6.0, 0.0], None, LIMITS),
    edges(
        "relu_in_place",
        "",
        _in_place,
        [2.0, -3.0, 0.0, INF, -INF, NAN],
        [2.0, 0.0, 0.0, INF, 0.0, NAN],
        None,
        LIMITS,
    ),
    FunctionCase(
        name="selu",
        variant="gradient at 0",
        run=lambda nn, x: nn.grad(lambda x: nn.sum(nn.selu(x)))(x),
        reference=lambda x: x + WIDE("1.7580993408473768599402175208123"),
        inputs=(np.zeros(1),),
        roundings=3,
        scale="ulp",
        derivatives=0,
        reason=f"{AT_0}: the product of its two constants, each rounded",
    ),
    edges(
        "stop_gradient",
        "",
        lambda nn, x: x * nn.stop_gradient(x),
        [2.0, -3.0],
        [4.0, 9.0],
        [2.0, -3.0],
        "a constant: its own slope is 0",
    ),
]


# ------------------------------------------------------------------ one-hot vectors


def _one_hot(nn: Backend, dtype: str) -> dict[str, Tensor]:
    return {
        "in range": nn.one_hot(nn.asarray([2, 0]), 3, dtype=dtype),
        "out of range": nn.one_hot(nn.asarray([-1, 3]), 3, dtype=dtype),
        "matrix": nn.one_hot(nn.asarray([[1], [0]]), 2, dtype=dtype),
        "integers": nn.one_hot(nn.asarray([1]), 2, dtype="int64"),
        "none": nn.one_hot(nn.zeros((0,), dtype="int64"), 2, dtype=dtype),
    }


_ONE_HOT = ExactCase(
    name="one_hot",
    run=_one_hot,
    expected={
        "in range": [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
        "out of range": np.zeros((2, 3)),
        "matrix": [[[0.0, 1.0]], [[1.0, 0.0]]],
        "integers": [[0, 1]],
        "none": np.zeros((0, 2)),
    },
    reason="its docstring: an index that is out of range gives zeros",
)


# ------------------------------------------------------------------ convolution and pooling


# variant: (image, kernel, strides, padding, dilation, groups)
CONVOLUTIONS: dict[str, tuple[Any, Any, Any, str, Any, int]] = {
    "valid": ((1, 3, 3, 1), (2, 3, 1, 1), (1, 1), "valid", (1, 1), 1),
    "same": ((1, 3, 2, 1), (3, 2, 1, 1), (1, 1), "same", (1, 1), 1),
    "same, stride 2, even height": ((1, 4, 2, 1), (3, 1, 1, 1), (2, 2), "same", (1, 1), 1),
    "same, stride 2, odd sizes": ((1, 3, 3, 1), (3, 2, 1, 1), (2, 2), "same", (1, 1), 1),
    "same, stride longer than kernel": ((1, 5, 2, 1), (2, 1, 1, 1), (3, 2), "same", (1, 1), 1),
    "valid, stride 2": ((1, 4, 2, 1), (2, 2, 1, 1), (2, 1), "valid", (1, 1), 1),
    "channels": ((2, 2, 1, 2), (2, 1, 2, 2), (1, 1), "valid", (1, 1), 1),
    "dilation": ((1, 4, 2, 1), (2, 2, 1, 1), (1, 1), "valid", (2, 1), 1),
    "same, dilation": ((1, 2, 4, 1), (2, 2, 1, 1), (1, 1), "same", (2, 3), 1),
    "groups": ((1, 2, 2, 2), (2, 1, 1, 4), (1, 1), "valid", (1, 1), 2),
    "same, dilation, groups": ((1, 3, 2, 2), (2, 1, 1, 2), (1, 1), "same", (2, 1), 2),
    "same, kernel larger than image": ((1, 2, 1, 1), (4, 3, 1, 1), (1, 1), "same", (1, 1), 1),
    "1 x 1": ((1, 2, 2, 2), (1, 1, 2, 3), (1, 1), "valid", (1, 1), 1),
}


def _convolution(variant: str) -> FunctionCase:
    image, kernel, strides, padding, dilation, groups = CONVOLUTIONS[variant]
    arguments: dict[str, Any] = {
        "strides": strides,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }
    return FunctionCase(
        name="conv2d",
        variant=variant,
        run=lambda nn, x, kernel: nn.conv2d(x, kernel, **arguments),
        reference=lambda x, kernel: conv2d(x, kernel, **arguments),
        inputs=(numbers(*image), numbers(*kernel)),
        roundings=int(np.prod(kernel[:3])) + 1,
        reason=COUNTED,
    )


# variant: (image, size, strides, padding)
POOLS: dict[str, tuple[Any, Any, Any, str]] = {
    "valid": ((1, 4, 4, 1), (2, 2), (2, 2), "valid"),
    "valid, a rest": ((1, 3, 5, 1), (2, 2), (2, 2), "valid"),
    "overlapping": ((1, 3, 4, 1), (2, 3), (1, 1), "valid"),
    "same, odd sizes": ((1, 3, 5, 1), (2, 2), (2, 2), "same"),
    "same, stride 2, even width": ((1, 3, 4, 1), (3, 3), (2, 2), "same"),
    "same, overlapping, channels": ((1, 3, 2, 2), (3, 2), (1, 1), "same"),
    "same, larger than image": ((1, 2, 2, 1), (5, 4), (1, 1), "same"),
    "same, tall": ((1, 5, 4, 1), (3, 2), (2, 2), "same"),
    "same, wide": ((1, 4, 5, 2), (2, 3), (2, 1), "same"),
}


def _pool(name: str, variant: str) -> FunctionCase:
    image, size, strides, padding = POOLS[variant]
    arguments: dict[str, Any] = {"pool_size": size, "strides": strides, "padding": padding}
    reference = max_pool2d if name == "max_pool2d" else avg_pool2d
    return FunctionCase(
        name=name,
        variant=variant,
        run=lambda nn, x: getattr(nn, name)(x, **arguments),
        reference=lambda x: reference(x, **arguments),
        # All below 0, so that a zero from the padding would win.
        inputs=(numbers(*image, low=-4.0, high=-1.0),),
        roundings=1 if name == "max_pool2d" else int(np.prod(size)) + 1,
        derivatives=1,
        reason="it chooses; gradients of windows are added" if name == "max_pool2d" else COUNTED,
    )


def _window(name: str, **arguments: Any) -> Callable[..., Any]:
    arguments = {"pool_size": (2, 2), "strides": (2, 2), "padding": "valid", **arguments}
    return lambda nn, x: getattr(nn, name)(nn.reshape(x, (-1, 2, 2, 1)), **arguments)


def _same(nn: Backend, x: Tensor, kernel: Tensor) -> Tensor:
    return nn.conv2d(x, kernel, strides=(1, 1), padding="same", dilation=(1, 1), groups=1)


_LINEAR: list[Case] = [
    FunctionCase(
        name="linear",
        variant=variant,
        run=lambda nn, *operands: nn.linear(*operands),
        reference=lambda x, kernel, bias=0: x @ kernel + bias,
        inputs=inputs,
        roundings=3 + 1,
        reason=COUNTED,
    )
    for variant, inputs in {
        "": (numbers(2, 3), numbers(3, 2), numbers(2)),
        "no bias": (numbers(2, 3), numbers(3, 2)),
        "sequences": (numbers(2, 2, 3), numbers(3, 2), numbers(2)),
        "vector": (numbers(3), numbers(3, 2), numbers(2)),
    }.items()
]

_IMAGES: list[Case] = [_convolution(variant) for variant in CONVOLUTIONS]
_IMAGES += [
    FunctionCase(
        name="conv2d",
        variant=f"bias, {groups} group(s)",
        run=lambda nn, x, kernel, bias, groups=groups: nn.conv2d(
            x, kernel, strides=(1, 1), padding="same", dilation=(1, 1), groups=groups, bias=bias
        ),
        reference=lambda x, kernel, bias, groups=groups: (
            conv2d(x, kernel, groups, strides=(1, 1), padding="same", dilation=(1, 1)) + bias
        ),
        inputs=(numbers(1, 2, 3, 2), numbers(2, 2, 2 // groups, 2), numbers(2)),
        roundings=2 * 2 * 2 // groups + 2,
        reason=COUNTED,
    )
    for groups in (1, 2)
]
_IMAGES += [_pool(name, variant) for name in ("max_pool2d", "avg_pool2d") for variant in POOLS]
_IMAGES += [
    edges(
        "max_pool2d",
        "ties",
        _window("max_pool2d"),
        [1.0, 2.0, 2.0, 2.0],
        [[[[2.0]]]],
        [0.0, 1.0, 0.0, 0.0],
        "the first of the largest, in the order of memory, takes the gradient",
    ),
    edges(
        "max_pool2d",
        "infinities",
        _window("max_pool2d", pool_size=(3, 3), strides=(1, 1), padding="same"),
        [-INF, -INF, -INF, -INF],
        np.full((1, 2, 2, 1), -INF),
        None,
        "padded pixels never win",
    ),
    edges(
        "max_pool2d",
        "NaN",
        _window("max_pool2d"),
        [1.0, NAN, 2.0, 3.0],
        [[[[NAN]]]],
        None,
        "NaN is the largest",
    ),
    edges("avg_pool2d", "NaN", _window("avg_pool2d"), [1.0, NAN, 2.0, 3.0], [[[[NAN]]]], None, LIMITS),
    *(
        edges(
            name,
            "of no images",
            _window(name),
            np.zeros(0),
            np.zeros((0, 1, 1, 1)),
            np.zeros(0),
            "none of none",
        )
        for name in ("max_pool2d", "avg_pool2d")
    ),
    edges(
        "conv2d",
        "of no images",
        lambda nn, x: _same(nn, nn.reshape(x, (0, 3, 3, 1)), nn.ones((2, 2, 1, 2), dtype=x.dtype)),
        np.zeros(0),
        np.zeros((0, 3, 3, 2)),
        np.zeros(0),
        "none of none",
    ),
    edges(
        "conv2d",
        "of no images, by the kernel",
        lambda nn, x: nn.sum(_same(nn, nn.zeros((0, 3, 3, 1), dtype=x.dtype), nn.reshape(x, (2, 2, 1, 1)))),
        [1.0, 2.0, 3.0, 4.0],
        0.0,
        [0.0, 0.0, 0.0, 0.0],
        "a sum of nothing is 0",
    ),
]

CASES: list[Case] = [*_ACTIVATIONS, *_EDGES, _ONE_HOT, *_LINEAR, *_IMAGES]
