"""Neural primitives: activations, one-hot vectors, convolution and pooling (channels last)."""

from __future__ import annotations

import functools
import math

import tensorflow as tf

from dualnn.names import unknown
from dualnn_tf.data_types import floating_dtype
from dualnn_tf.linear_algebra_functions import matmul
from dualnn_tf.sums import is_long, traced_for_xla

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def avg_pool2d(x, /, *, pool_size, strides, padding):
    """Return the mean of each window of (n, h, w, c); padded pixels are not counted.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> x = nn.reshape(nn.arange(4.0), (1, 2, 2, 1))
    >>> nn.to_numpy(nn.avg_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid")).tolist()
    [[[[1.5]]]]
    """
    padding = _native_padding(padding)
    if x.dtype.size == 2:  # TensorFlow adds up a window, and in the gradient what windows share, in 16 bits
        wide = avg_pool2d(
            tf.cast(x, tf.float32), pool_size=pool_size, strides=strides, padding=padding.lower()
        )
        return tf.cast(wide, x.dtype)
    if min(pool_size) == 1 or not is_long(math.prod(pool_size)):
        return tf.nn.avg_pool2d(x, pool_size, strides, padding)
    (rows, columns), (down, along) = pool_size, strides
    means = tf.nn.avg_pool2d(x, (rows, 1), (down, 1), padding)  # each of as many pixels in one row of windows
    return tf.nn.avg_pool2d(means, (1, columns), (1, along), padding)


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
    if x.shape[-1] != groups * kernel.shape[2]:  # TensorFlow would silently take another number of groups
        raise ValueError(
            f"expected {groups * kernel.shape[2]} channels, {groups} group(s) of the kernel's "
            f"{kernel.shape[2]}, got an image of {x.shape[-1]}"
        )
    if bias is not None and tuple(bias.shape) != tuple(kernel.shape[3:]):
        raise ValueError(f"expected a bias of shape {tuple(kernel.shape[3:])}, got {tuple(bias.shape)}")
    if x.shape[0] == 0:  # TensorFlow's kernel gives images of another size
        one = tf.pad(x, [(0, 1), (0, 0), (0, 0), (0, 0)])
        settings = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        return conv2d(one, kernel, bias=bias, **settings)[:0]
    padding = _native_padding(padding)
    if (groups == 1 and max(dilation) == 1) or _has_all_gradients(x.dtype):
        y = _convolved(x, kernel, strides, padding, dilation)
    else:
        kernel = _spread(kernel, dilation)
        parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        y = tf.concat([_convolved(image, part, strides, padding, (1, 1)) for image, part in parts], -1)
    return y if bias is None else tf.nn.bias_add(y, bias)


def elu(x, /, alpha=1.0):
    """Return ``x`` where positive, else ``alpha * (exp(x) - 1)``.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.elu(nn.asarray([-100.0, 2.0]))).tolist()
    [-1.0, 2.0]
    """
    # Not tf.nn.elu, whose exp(x) - 1 loses the digits of small x.
    negative = tf.math.expm1(tf.minimum(x, 0))
    return tf.add(tf.nn.relu(x), negative if alpha == 1 else tf.multiply(negative, alpha))


def erf(x, /):
    """Return the error function.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.erf(nn.asarray(0.0)))
    0.0
    """
    return _erf_of_float64(x) if x.dtype == tf.float64 else tf.math.erf(x)


def gelu(x, /, approximate=False):
    """Return ``x * Phi(x)`` with the normal distribution function, or its tanh approximation.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.gelu(nn.asarray([0.0, 100.0]))).tolist()
    [0.0, 100.0]
    """
    # Not tf.nn.gelu, whose constants are of float32 in float64 as well.
    if approximate:
        # far out, where tanh is 1 to the last digit, the cube may be infinite and its gradient NaN
        near = tf.clip_by_value(x, -16.0, 16.0)
        return 0.5 * x * (1 + tf.tanh(math.sqrt(2 / math.pi) * (near + 0.044715 * near**3)))
    return 0.5 * x * tf.math.erfc(-math.sqrt(0.5) * x)


def leaky_relu(x, /, negative_slope=0.2):
    """Return ``x`` where positive, else ``negative_slope * x``.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.leaky_relu(nn.asarray([-8.0, 2.0]), 0.25)).tolist()
    [-2.0, 2.0]
    """
    if x.dtype == tf.float64:  # the kernel's slope is a float32
        return tf.where(x > 0, x, negative_slope * x)
    return tf.nn.leaky_relu(x, negative_slope)


def linear(x, kernel, bias=None, /):
    """Return ``x @ kernel + bias`` for (..., features), (features, units) and (units,), or without a bias.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> y = nn.linear(nn.ones((1, 3)), nn.ones((3, 2)), nn.asarray([0.0, 1.0]))
    >>> nn.to_numpy(y).tolist()
    [[3.0, 4.0]]
    """
    y = matmul(x, kernel)
    if bias is None:
        return y
    fused = x.shape.rank != 1 and y.dtype.is_floating and y.dtype == bias.dtype and y.shape[-1:] == bias.shape
    return tf.nn.bias_add(y, bias) if fused else y + bias


def log_softmax(x, /, axis=-1):
    """Return the logarithm of `softmax`, without loss of precision.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.log_softmax(nn.asarray([0.0, -1000.0]))).tolist()
    [0.0, -1000.0]
    """
    return tf.nn.log_softmax(x, axis)


def logsumexp(x, /, *, axis=None, keepdims=False):
    """Return ``log(sum(exp(x)))`` over some or all axes, without overflow.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.logsumexp(nn.asarray([1000.0, 0.0])))
    1000.0
    """
    if x.dtype.size == 2:
        return tf.cast(logsumexp(tf.cast(x, tf.float32), axis=axis, keepdims=keepdims), x.dtype)
    return tf.reduce_logsumexp(x, axis, keepdims)


def max_pool2d(x, /, *, pool_size, strides, padding):
    """Return the largest value of each window of (n, h, w, c); padded pixels never win.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> x = nn.reshape(nn.arange(4.0), (1, 2, 2, 1))
    >>> nn.to_numpy(nn.max_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid")).tolist()
    [[[[3.0]]]]
    """
    return tf.nn.max_pool2d(x, pool_size, strides, _native_padding(padding))


def one_hot(indices, /, num_classes, *, dtype=None):
    """Return integers of shape (...) as unit vectors of shape (..., num_classes).

    The dtype is the default floating-point one unless named. An index that is out of range
    (such as -1) gives zeros only.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.one_hot(nn.asarray([1, 0]), 2)).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    dtype = floating_dtype(dtype)
    number = dtype.as_numpy_dtype  # TensorFlow's own 1 and 0 are no booleans
    return tf.one_hot(indices, num_classes, number(1), number(0), dtype=dtype)


def relu(x, /):
    """Return ``max(x, 0)``; the gradient at 0 is 0.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.relu(nn.asarray([-1.0, 2.0]))).tolist()
    [0.0, 2.0]
    """
    return tf.nn.relu(_unfused(x))


def selu(x, /):
    """Return the scaled exponential linear unit (Klambauer et al., 2017).

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> round(float(nn.selu(nn.asarray(1.0))), 4)
    1.0507
    """
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def sigmoid(x, /):
    """Return ``1 / (1 + exp(-x))``.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.sigmoid(nn.asarray(0.0)))
    0.5
    """
    return tf.sigmoid(_unfused(x) if x.dtype == tf.float16 else x)


def silu(x, /):
    """Return ``x * sigmoid(x)``, also called swish.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.silu(nn.asarray([0.0, 100.0]))).tolist()
    [0.0, 100.0]
    """
    return tf.nn.silu(x)


def softmax(x, /, axis=-1):
    """Return ``exp(x) / sum(exp(x))`` along an axis, without overflow.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.softmax(nn.asarray([1000.0, 1000.0]))).tolist()
    [0.5, 0.5]
    """
    y = tf.nn.softmax(x, axis)
    if x.dtype == tf.float64 or traced_for_xla():
        return y
    # Of a row with NaN oneDNN's kernel gives 0 for the other entries. The sum is NaN then, and else finite.
    total = tf.stop_gradient(tf.reduce_sum(y, axis, keepdims=True))
    return y + (total - total)


def softplus(x, /):
    """Return ``log(1 + exp(x))``, without overflow.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.softplus(nn.asarray(1000.0)))
    1000.0
    """
    return tf.math.softplus(x)


def _unfused(x):
    # TensorFlow's optimizer of graphs makes one kernel of a product, its bias and a ReLU, of a normalization
    # and a ReLU, and in float16 of a product and a sigmoid. These kernels turn NaN into numbers. An operation
    # in between that does nothing keeps them apart. The kernel of a product and its bias is right, and the
    # ReLU behind it works in its memory: a step of a convolutional network takes 4 % longer.
    return x if tf.executing_eagerly() else tf.ensure_shape(x, x.shape)


@tf.custom_gradient
def _erf_of_float64(x):
    # The kernel gives NaN for infinity; beyond 6 every digit is that of 1, but the gradient is not 0 yet.
    def gradient(upstream):
        return upstream * (2 / math.sqrt(math.pi)) * tf.exp(-x * x)

    return tf.math.erf(tf.clip_by_value(x, -6.0, 6.0)), gradient


@functools.cache
def _has_all_gradients(dtype):
    # On a CPU the gradients of grouped and of dilated convolutions exist in oneDNN only, which has
    # some dtypes on some processors. Trying is the one way to know.
    with tf.init_scope(), tf.device("cpu"):
        try:
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=[1, 3, 3, 2],
                filter=tf.zeros((2, 2, 1, 2), dtype),
                out_backprop=tf.zeros((1, 1, 1, 2), dtype),
                strides=[1, 1, 1, 1],
                padding="VALID",
                dilations=[1, 2, 2, 1],
            )
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True


def _convolved(x, kernel, strides, padding, dilation):
    if kernel.shape[2] > 1 or strides[0] > 1 or strides[1] == 1:
        return tf.nn.conv2d(x, kernel, strides, padding, dilations=dilation)
    # Of one channel, with strides along the rows only, oneDNN computes some narrow images wrong, in float32:
    # numbers from elsewhere in memory. With height and width exchanged it does not.
    turned = tf.nn.conv2d(
        _turned(x), tf.transpose(kernel, (1, 0, 2, 3)), strides[::-1], padding, dilations=dilation[::-1]
    )
    return _turned(turned)


def _turned(images):
    return tf.transpose(images, (0, 2, 1, 3))


def _spread(kernel, dilation):
    # The kernel with zeros between its rows and columns: an ordinary convolution then is a dilated one.
    height, width, *channels = kernel.shape
    rows, columns = dilation
    spread = tf.pad(
        kernel[:, None, :, None], [(0, 0), (0, rows - 1), (0, 0), (0, columns - 1), (0, 0), (0, 0)]
    )
    spread = tf.reshape(spread, (height * rows, width * columns, *channels))
    return spread[: height * rows - rows + 1, : width * columns - columns + 1]


def _native_padding(padding):
    if padding not in ("valid", "same"):
        raise ValueError(unknown("padding", padding, ("valid", "same")))
    return padding.upper()
