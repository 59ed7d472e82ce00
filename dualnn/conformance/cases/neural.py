"""The neural primitives: activations, one-hot vectors, convolution and pooling.

Roundings are counted: 1 for an operation of arithmetic and for a constant, n for a sum of n, and 4 for an
elementary function, the accuracy that the frameworks' vector libraries state. References: the formulas
of the papers named in `dualnn.activations`, and of `dualnn.protocol`.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.protocol import Backend, Tensor

WIDE = np.longdouble
PI = WIDE("3.14159265358979323846264338327950288")
COUNTED = "counted: 1 for an operation of arithmetic, n for a sum of n, 4 for an elementary function"
LIMITS = "the limits of the formula, in floating point"
SIZES = (10, 100, 1_000, 10_000)


def numbers(*shape: int, low: float = -3.0, high: float = 3.0) -> Array:
    """Return fixed numbers, no two the same, none within 0.1 of 0 or, less than 40 numbers, of another."""
    size = int(np.prod(shape))
    generator = np.random.default_rng(size)
    points = low + (high - low) * (np.arange(size) + generator.uniform(0.4, 0.6, size)) / max(size, 1)
    points = np.where(np.abs(points) < 0.1, points + 0.2, points)
    return generator.permutation(points).reshape(shape)


def level(n: int) -> Any:
    """Return the level on which a reduction of n numbers is measured."""
    return "quick" if n <= 1_000 else "full"


# ------------------------------------------------------------------ activations


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``."""
    return 1 / (1 + np.exp(-x))


def elu(x: Array, alpha: Any = 1) -> Array:
    """Clevert et al., 2016."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    """Klambauer et al., 2017, with the constants of its appendix."""
    return WIDE("1.0507009873554804934193349852946") * elu(x, WIDE("1.6732632423543772848170429916717"))


def erf(x: Array) -> Array:
    """Abramowitz and Stegun, 7.1.6: a series of positive terms; 60 of them suffice for abs(x) < 3."""
    k = 2 * np.arange(1, 61).reshape(-1, *[1] * np.ndim(x)) + 1
    terms = np.cumprod(2 * x**2 / k, axis=0)
    return 2 / np.sqrt(PI) * np.exp(-(x**2)) * x * (1 + terms.sum(0))


def gelu(x: Array) -> Array:
    """``x * Phi(x)`` (Hendrycks and Gimpel, 2016)."""
    return x / 2 * (1 + erf(x / np.sqrt(WIDE(2))))


def gelu_by_tanh(x: Array) -> Array:
    """The same paper's approximation."""
    root = np.sqrt(2 / PI)
    return x / 2 * (1 + np.tanh(root * (x + WIDE("0.044715") * x**3)))


def _gelu_of_tail(x: Array) -> Array:
    # Phi(x) = erfc(t) / 2 by the continued fraction 7.1.14 of Abramowitz and Stegun, for x well below 0.
    t = -x / np.sqrt(WIDE(2))
    fraction = t
    for k in range(200, 0, -1):
        fraction = t + WIDE(k) / 2 / fraction
    return x / 2 * np.exp(-(t**2)) / (np.sqrt(PI) * fraction)


def softplus(x: Array) -> Array:
    """``log(1 + exp(x))``."""
    return np.logaddexp(x, 0)


def logsumexp(x: Array, axis: Any = -1, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))``, the largest number taken out."""
    top = np.max(x, axis, keepdims=True)
    y: Array = np.log(np.sum(np.exp(x - top), axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis)


def softmax(x: Array, axis: int = -1) -> Array:
    """``exp(x) / sum(exp(x))``."""
    return np.exp(log_softmax(x, axis))


def log_softmax(x: Array, axis: int = -1) -> Array:
    """``x - logsumexp(x)``."""
    return x - logsumexp(x, axis, keepdims=True)


# name, variant: (further arguments, reference, roundings, scale, derivatives)
ACTIVATIONS: dict[tuple[str, str], tuple[dict[str, Any], Callable[..., Any], float, Any, Any]] = {
    ("relu", ""): ({}, lambda x: np.maximum(x, 0), 0, "ulp", 1),
    ("leaky_relu", ""): ({}, lambda x: np.where(x > 0, x, x / 5), 2, "ulp", 1),
    ("leaky_relu", "slope 0.01"): (
        {"negative_slope": 0.01},
        lambda x: np.where(x > 0, x, x / 100),
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
        reference=_gelu_of_tail,
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
_EDGES += [
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


@functools.cache
def _pixels(
    image: tuple[int, int],
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    dilation: tuple[int, int],
) -> Array:
    # The number of each pixel of each window, (rows, columns, *size); the first beyond the image is padding.
    axes, inside = [], []
    for n, k, step, apart in zip(image, size, strides, dilation, strict=True):
        extent = (k - 1) * apart + 1
        count = -(-n // step) if padding == "same" else (n - extent) // step + 1
        missing = max((count - 1) * step + extent - n, 0) if padding == "same" else 0
        at = np.arange(count)[:, None] * step + np.arange(k) * apart - missing // 2
        axes.append(at)
        inside.append((at >= 0) & (at < n))
    number = axes[0][:, None, :, None] * image[1] + axes[1][None, :, None, :]
    return np.where(inside[0][:, None, :, None] & inside[1][None, :, None, :], number, image[0] * image[1])


def windows(
    x: Array, size: Any, strides: Any, padding: str, dilation: Any = (1, 1), fill: float = 0.0
) -> Array:
    """Return the windows of images (n, h, w, c) as an array (n, rows, columns, *size, c).

    The padding ``"same"`` as TensorFlow describes it:
    https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    """
    n, h, w, c = x.shape
    pixels = np.concatenate([x.reshape(n, h * w, c), np.full((n, 1, c), fill, x.dtype)], axis=1)
    return pixels[:, _pixels((h, w), tuple(size), strides, padding, dilation)]


def conv2d(x: Array, kernel: Array, groups: int = 1, **arguments: Any) -> Array:
    """Return the sum over a window's pixels and a group's channels of pixel times weight."""
    taken = windows(x, kernel.shape[:2], **arguments)
    parts = zip(np.split(taken, groups, -1), np.split(kernel, groups, -1), strict=True)
    flat = [
        part.reshape(*part.shape[:3], -1) @ weights.reshape(-1, weights.shape[-1]) for part, weights in parts
    ]
    return np.concatenate(flat, -1)


def max_pool2d(x: Array, pool_size: Any, **arguments: Any) -> Array:
    """Return the largest number of each window."""
    return np.nanmax(windows(x, pool_size, fill=NAN, **arguments), axis=(3, 4))


def avg_pool2d(x: Array, pool_size: Any, **arguments: Any) -> Array:
    """Return the mean of the pixels that a window has."""
    return np.nanmean(windows(x, pool_size, fill=NAN, **arguments), axis=(3, 4))


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


_IMAGES: list[Case] = [_convolution(variant) for variant in CONVOLUTIONS]
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

CASES: list[Case] = [*_ACTIVATIONS, *_EDGES, _ONE_HOT, *_IMAGES]
