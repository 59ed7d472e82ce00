"""Neural primitives: activations, one-hot vectors, convolution and pooling (channels last)."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F  # noqa: N812 (the name it has everywhere)

from dualnn.names import unknown
from dualnn_torch.data_types import LIMITED, NARROW, floating_dtype
from dualnn_torch.differentiable import is_constant
from dualnn_torch.linear_algebra_functions import matmul
from dualnn_torch.sums import MANY_ROWS, exceeds, is_long


def avg_pool2d(x, /, *, pool_size, strides, padding):
    """Return the mean of each window of (n, h, w, c); padded pixels are not counted.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> x = nn.reshape(nn.arange(4.0), (1, 2, 2, 1))
    >>> nn.to_numpy(nn.avg_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid")).tolist()
    [[[[1.5]]]]
    """
    if x.dtype in NARROW and (strides[0] < pool_size[0] or strides[1] < pool_size[1]):
        # what windows share, the gradient adds up in 16 bits
        wide = avg_pool2d(x.float(), pool_size=pool_size, strides=strides, padding=padding)
        return wide.to(x.dtype)
    if min(pool_size) > 1 and is_long(math.prod(pool_size)):
        (rows, columns), (down, along) = pool_size, strides
        wide = x.float() if x.dtype in NARROW else x
        # each of the first means is of as many pixels in one row of windows
        means = avg_pool2d(wide, pool_size=(rows, 1), strides=(down, 1), padding=padding)
        means = avg_pool2d(means, pool_size=(1, columns), strides=(1, along), padding=padding)
        return means.to(x.dtype)
    image = _channels_second(x)
    before, after = _padding(image, pool_size, strides, (1, 1), padding)
    if before == after:
        pooled = F.avg_pool2d(image, pool_size, strides, before, count_include_pad=False)
        return _channels_last(pooled)
    ones = torch.ones_like(image[:1, :1])
    total, count = (
        F.avg_pool2d(_pad(values, before, after, 0.0), pool_size, strides, divisor_override=1)
        for values in (image, ones)
    )
    return _channels_last(total / count)


def conv2d(x, kernel, /, *, strides, padding, dilation, groups, bias=None):
    """Return the 2-D cross-correlation of (n, h, w, c) with a kernel (kh, kw, c // groups, filters).

    A ``bias`` (filters,) is added in the same call, which saves a pass over the images.
    ``padding`` is ``"valid"`` or ``"same"``; the latter pads with zeros so that the output has
    ``ceil(size / stride)`` rows and columns, the odd pixel at the bottom and right.

    Raises:
        ValueError: another padding, another number of channels than ``groups`` times the kernel's, or a bias
            of another shape.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> x, kernel = nn.ones((1, 5, 5, 2)), nn.ones((3, 3, 2, 4))
    >>> y = nn.conv2d(x, kernel, strides=(2, 2), padding="same", dilation=(1, 1), groups=1)
    >>> nn.shape(y), float(y[0, 1, 1, 0])
    ((1, 3, 3, 4), 18.0)
    """
    if x.shape[-1] != groups * kernel.shape[2]:
        raise ValueError(
            f"expected {groups * kernel.shape[2]} channels, {groups} group(s) of the kernel's "
            f"{kernel.shape[2]}, got an image of {x.shape[-1]}"
        )
    if bias is not None and tuple(bias.shape) != tuple(kernel.shape[3:]):
        raise ValueError(f"expected a bias of shape {tuple(kernel.shape[3:])}, got {tuple(bias.shape)}")
    image = _channels_second(x)
    weight = kernel.permute(3, 2, 0, 1).contiguous(memory_format=_order_of_kernel(x, kernel))
    before, after = _padding(image, weight.shape[2:], strides, dilation, padding)
    if before != after:
        image, before = _pad(image, before, after, 0.0), 0
    if bias is not None and bias.requires_grad and exceeds(math.prod(x.shape[:3]), MANY_ROWS):
        # the kernel's gradient of the bias adds up one pixel after the other
        images = F.conv2d(image, weight, None, strides, before, dilation, groups)
        return _channels_last(images) + bias
    return _channels_last(F.conv2d(image, weight, bias, strides, before, dilation, groups))


def elu(x, /, alpha=1.0):
    """Return ``x`` where positive, else ``alpha * (exp(x) - 1)``.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.elu(nn.asarray([-100.0, 2.0]))).tolist()
    [-1.0, 2.0]
    """
    return F.elu(x, alpha)


def erf(x, /):
    """Return the error function.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.erf(nn.asarray(0.0)))
    0.0
    """
    return torch.erf(x)


def gelu(x, /, approximate=False):
    """Return ``x * Phi(x)`` with the normal distribution function, or its tanh approximation.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.gelu(nn.asarray([0.0, 100.0]))).tolist()
    [0.0, 100.0]
    """
    if not approximate:
        return F.gelu(x)
    if x.dtype == torch.float16:
        return F.gelu(x, approximate="tanh")
    # far out, where it is x to the last digit, the cube in torch's gradient may be infinite, and that NaN
    return torch.where(x > _FAR, x, F.gelu(torch.clamp(x, -_FAR, _FAR), approximate="tanh"))


def leaky_relu(x, /, negative_slope=0.2):
    """Return ``x`` where positive, else ``negative_slope * x``.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.leaky_relu(nn.asarray([-8.0, 2.0]), 0.25)).tolist()
    [-2.0, 2.0]
    """
    return F.leaky_relu(x, negative_slope)


def linear(x, kernel, bias=None, /):
    """Return ``x @ kernel + bias`` for (..., features), (features, units) and (units,), or without a bias.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> y = nn.linear(nn.ones((1, 3)), nn.ones((3, 2)), nn.asarray([0.0, 1.0]))
    >>> nn.to_numpy(y).tolist()
    [[3.0, 4.0]]
    """
    if x.ndim >= 2 and bias is not None and x.dtype is kernel.dtype is bias.dtype not in LIMITED:
        # one operation to call and to record, and no pass of its own for the bias
        if x.ndim == 2:
            return torch.addmm(bias, x, kernel)
        return torch.addmm(bias, x.flatten(0, -2), kernel).view(*x.shape[:-1], kernel.shape[1])
    y = matmul(x, kernel)
    return y if bias is None else y + bias


def log_softmax(x, /, axis=-1):
    """Return the logarithm of `softmax`, without loss of precision.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.log_softmax(nn.asarray([0.0, -1000.0]))).tolist()
    [0.0, -1000.0]
    """
    return F.log_softmax(x, axis)


def logsumexp(x, /, *, axis=None, keepdims=False):
    """Return ``log(sum(exp(x)))`` over some or all axes, without overflow.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.logsumexp(nn.asarray([1000.0, 0.0])))
    1000.0
    """
    return torch.logsumexp(x, tuple(range(x.ndim)) if axis is None else axis, keepdims)


def max_pool2d(x, /, *, pool_size, strides, padding):
    """Return the largest value of each window of (n, h, w, c); padded pixels never win.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> x = nn.reshape(nn.arange(4.0), (1, 2, 2, 1))
    >>> nn.to_numpy(nn.max_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid")).tolist()
    [[[[3.0]]]]
    """
    image = _channels_second(x)
    before, after = _padding(image, pool_size, strides, (1, 1), padding)
    small = not any(after) and max(pool_size) <= 2 <= min(x.shape[1:3])
    if small and is_constant(x) and x.numel() >= _MANY:  # in this order: an export is for any size
        # torch's kernel also notes where each value was found, for a gradient that nobody takes here
        return _largest(_largest(x, 1, pool_size[0], strides[0]), 2, pool_size[1], strides[1])
    if before != after:
        image, before = _pad(image, before, after, -torch.inf), 0
    return _channels_last(F.max_pool2d(image, pool_size, strides, before))


def one_hot(indices, /, num_classes, *, dtype=None):
    """Return integers of shape (...) as unit vectors of shape (..., num_classes).

    The dtype is the default floating-point one unless named. An index that is out of range
    (such as -1) gives zeros only.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.one_hot(nn.asarray([1, 0]), 2)).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    classes = torch.arange(num_classes, device=indices.device)
    return (indices.unsqueeze(-1) == classes).to(floating_dtype(dtype))


def relu(x, /):
    """Return ``max(x, 0)``; the gradient at 0 is 0.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.relu(nn.asarray([-1.0, 2.0]))).tolist()
    [0.0, 2.0]
    """
    return F.relu(x)


def selu(x, /):
    """Return the scaled exponential linear unit (Klambauer et al., 2017).

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> round(float(nn.selu(nn.asarray(1.0))), 4)
    1.0507
    """
    return F.selu(x)


def sigmoid(x, /):
    """Return ``1 / (1 + exp(-x))``.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.sigmoid(nn.asarray(0.0)))
    0.5
    """
    return torch.sigmoid(x)


def silu(x, /):
    """Return ``x * sigmoid(x)``, also called swish.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.silu(nn.asarray([0.0, 100.0]))).tolist()
    [0.0, 100.0]
    """
    return F.silu(x)


def softmax(x, /, axis=-1):
    """Return ``exp(x) / sum(exp(x))`` along an axis, without overflow.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.softmax(nn.asarray([1000.0, 1000.0]))).tolist()
    [0.5, 0.5]
    """
    return torch.softmax(x, axis)


def softplus(x, /):
    """Return ``log(1 + exp(x))``, without overflow.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.softplus(nn.asarray(1000.0)))
    1000.0
    """
    # Beyond the threshold torch returns x. Its default, 20, is too near for float64, where
    # softplus(20) and 20 differ by half a million units in the last place.
    return F.softplus(x, threshold=40)


def _channels_second(x):
    # A view with torch's order of axes. Of a contiguous x its strides are torch's channels_last
    # memory format, which the kernels take, and give back, without a copy.
    return x.permute(0, 3, 1, 2)


def _channels_last(x):
    return x.permute(0, 2, 3, 1)


def _order_of_kernel(x, kernel):
    if kernel.shape[2] == 1:  # both orders are the same, and torch would take it for the other one
        return torch.contiguous_format
    # Where oneDNN does not compute, of one small image and of other dtypes, gradients have one order only.
    if torch.is_grad_enabled() and (x.dtype != torch.float32 or x.shape[0] == 1):
        return torch.contiguous_format
    return torch.channels_last


_FAR = 1e6
_MANY = 40_000  # elements, of which one kernel takes longer than a few that are simpler


def _largest(x, axis, window, stride):
    # the largest of each `window` neighbours along an axis
    last = x.shape[axis] - window
    slices = (x.narrow(axis, i, last + 1) for i in range(window))
    before = (slice(None),) * axis
    return functools.reduce(torch.maximum, (one[(*before, slice(None, None, stride))] for one in slices))


def _padding(image, window, strides, dilation, padding):
    # The pixels before and after (height, width) that the output size of `padding` needs.
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        raise ValueError(unknown("padding", padding, ("valid", "same")))
    totals = [
        max((-(-size // stride) - 1) * stride + (width - 1) * step + 1 - size, 0)
        for size, width, stride, step in zip(image.shape[2:], window, strides, dilation, strict=True)
    ]
    return tuple(total // 2 for total in totals), tuple(total - total // 2 for total in totals)


def _pad(image, before, after, value):
    return F.pad(image, (before[1], after[1], before[0], after[0]), value=value)
