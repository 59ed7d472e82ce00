"""Formulas in NumPy, what the frameworks are measured against, and the numbers that they are tried on.

Each is written for `numpy.longdouble`, which has 64 bits of precision where the C compiler has such a type.
Primitives, activations, layers and random models are measured against the same ones.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dualnn.conformance.case import Array

WIDE = np.longdouble
PI = WIDE("3.14159265358979323846264338327950288")
_KERAS_SLOPE = WIDE(2) / 10


def numbers(*shape: int, low: float = -3.0, high: float = 3.0, seed: int = 0) -> Array:
    """Return fixed numbers, no two the same, none within 0.1 of 0 or, less than 40 numbers, of another."""
    size = int(np.prod(shape))
    generator = np.random.default_rng(size if seed == 0 else (size, seed))
    points = low + (high - low) * (np.arange(size) + generator.uniform(0.4, 0.6, size)) / max(size, 1)
    points = np.where(np.abs(points) < 0.1, points + 0.2, points)
    return generator.permutation(points).reshape(shape)


# ------------------------------------------------------------------ activations


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``."""
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x: Array) -> Array:
    """The line through (-3, 0) and (3, 1), cut off there."""
    return np.clip(x + 3, 0, 6) / 6


def elu(x: Array, alpha: Any = 1) -> Array:
    """Clevert et al., 2016."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    """Klambauer et al., 2017, with the constants of its appendix."""
    return WIDE("1.0507009873554804934193349852946") * elu(x, WIDE("1.6732632423543772848170429916717"))


def leaky_relu(x: Array, negative_slope: Any = _KERAS_SLOPE) -> Array:
    """``x`` where positive, else a part of it."""
    return np.where(x > 0, x, negative_slope * x)


def erf(x: Array) -> Array:
    """The error function: Abramowitz and Stegun, 7.1.6, a series whose terms are of one sign."""
    near = np.clip(np.asarray(x, WIDE), -7, 7)  # beyond, it is 1 to more than 64 bits
    square = near * near
    odd = 2 * np.arange(1, 40 + int(4 * np.max(square, initial=0))) + 1
    terms = np.cumprod(2 * square / odd.reshape(-1, *[1] * near.ndim), axis=0)
    series = 2 / np.sqrt(PI) * np.exp(-square) * near * (1 + terms.sum(0))
    return np.where(np.abs(near) < 7, series, np.sign(near))


def normal_distribution(x: Array) -> Array:
    """Phi: by the error function, and where that cancels by the continued fraction 26.2.14 of the same."""
    middle = (1 + erf(x / np.sqrt(WIDE(2)))) / 2
    is_tail = x <= -2.5
    if not np.any(is_tail):
        return middle
    tail = np.where(is_tail, -x, WIDE(3))
    fraction = tail
    for n in range(150, 0, -1):
        fraction = tail + n / fraction
    return np.where(is_tail, np.exp(-(tail**2) / 2) / (np.sqrt(2 * PI) * fraction), middle)


def gelu(x: Array) -> Array:
    """``x * Phi(x)`` (Hendrycks and Gimpel, 2016)."""
    return x * normal_distribution(x)


def gelu_by_tanh(x: Array) -> Array:
    """The same paper's approximation."""
    root = np.sqrt(2 / PI)
    return x / 2 * (1 + np.tanh(root * (x + WIDE("0.044715") * x**3)))


def softplus(x: Array) -> Array:
    """``log(1 + exp(x))``."""
    return np.logaddexp(x, 0)


def mish(x: Array) -> Array:
    """Misra, 2020."""
    return x * np.tanh(softplus(x))


def softsign(x: Array) -> Array:
    """``x / (1 + abs(x))``."""
    return x / (1 + np.abs(x))


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

    With the padding ``"same"`` there are ``ceil(size / stride)`` of them along an axis, and the odd pixel of
    padding is at the end, as `dualnn.protocol.Backend.conv2d` says.
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
    return np.nanmax(windows(x, pool_size, fill=np.nan, **arguments), axis=(3, 4))


def avg_pool2d(x: Array, pool_size: Any, **arguments: Any) -> Array:
    """Return the mean of the pixels that a window has."""
    return np.nanmean(windows(x, pool_size, fill=np.nan, **arguments), axis=(3, 4))
