"""The Fourier transform extension of the array API standard.

`n` and `s` say how many elements are transformed along an axis: more are cut off, missing ones are
zeros. `norm` says which direction is divided by their number: ``"forward"``, ``"backward"``, or
``"ortho"``, both by its square root.
"""

from __future__ import annotations

import tensorflow as _tf

from dualnn.names import unknown as _unknown
from dualnn_tf import data_types as _data_types
from dualnn_tf.conversion import shape as _shape
from dualnn_tf.devices import on_device as _on_device
from dualnn_tf.manipulation_functions import moveaxis as _moveaxis

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip

_POWERS = {"backward": 0.0, "ortho": -0.5, "forward": -1.0}
_OPPOSITES = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def fft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the discrete Fourier transform along an axis."""
    x = _resized(_last(_complex(x), axis), n)
    return _moveaxis(_scaled(_tf.signal.fft(x), _shape(x)[-1], _power(norm)), -1, axis)


def fftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """Return the frequencies of `fft`: 0, 1, ..., -2, -1 over ``n * d``."""
    with _on_device(device):
        return _over(_tf.concat([_tf.range((n + 1) // 2), _tf.range(-(n // 2), 0)], 0), n * d, dtype)


def fftn(x, /, *, s=None, axes=None, norm="backward"):
    """Return the discrete Fourier transform along several (by default all) axes."""
    for n, axis in zip(*_sizes_and_axes(x, s, axes), strict=True):
        x = fft(x, n=n, axis=axis, norm=norm)
    return x


def fftshift(x, /, *, axes=None):
    """Return a result of `fftn` with the frequency 0 in the middle of some (by default all) axes."""
    axes = _axes(x, axes)
    return _tf.roll(x, [_shape(x)[axis] // 2 for axis in axes], axes) if axes else _tf.identity(x)


def hfft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the Fourier transform, which is real, of a Hermitian signal, given by its first half."""
    return irfft(_tf.math.conj(x), n=n, axis=axis, norm=_opposite(norm))


def ifft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the inverse of `fft`."""
    x = _resized(_last(_complex(x), axis), n)
    return _moveaxis(_scaled(_tf.signal.ifft(x), _shape(x)[-1], -_power(norm)), -1, axis)


def ifftn(x, /, *, s=None, axes=None, norm="backward"):
    """Return the inverse of `fftn`."""
    for n, axis in zip(*_sizes_and_axes(x, s, axes), strict=True):
        x = ifft(x, n=n, axis=axis, norm=norm)
    return x


def ifftshift(x, /, *, axes=None):
    """Return the inverse of `fftshift`."""
    axes = _axes(x, axes)
    return _tf.roll(x, [-(_shape(x)[axis] // 2) for axis in axes], axes) if axes else _tf.identity(x)


def ihfft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the inverse of `hfft`: the first half of a Hermitian signal."""
    return _tf.math.conj(rfft(x, n=n, axis=axis, norm=_opposite(norm)))


def irfft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the inverse of `rfft`, of `n` (by default an even number of) elements along the axis."""
    x = _last(_complex(x), axis)
    n = _checked(2 * (_shape(x)[-1] - 1) if n is None else n)
    x = _tf.signal.irfft(_resized(x, n // 2 + 1), [n])
    return _moveaxis(_scaled(x, n, -_power(norm)), -1, axis)


def irfftn(x, /, *, s=None, axes=None, norm="backward"):
    """Return the inverse of `rfftn`, of ``s[i]`` elements along ``axes[i]``."""
    (*sizes, last_size), (*axes, last_axis) = _sizes_and_axes(x, s, axes)
    return irfft(ifftn(x, s=sizes, axes=axes, norm=norm), n=last_size, axis=last_axis, norm=norm)


def rfft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the first half of the Fourier transform of real numbers along an axis."""
    x = _resized(_last(_floating(x), axis), n)
    n = _shape(x)[-1]
    return _moveaxis(_scaled(_tf.signal.rfft(x), n, _power(norm)), -1, axis)


def rfftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """Return the frequencies of `rfft`: 0, 1, ... over ``n * d``."""
    with _on_device(device):
        return _over(_tf.range(n // 2 + 1), n * d, dtype)


def rfftn(x, /, *, s=None, axes=None, norm="backward"):
    """Return the Fourier transform of real numbers along several (by default all) axes, half of the last."""
    (*sizes, last_size), (*axes, last_axis) = _sizes_and_axes(x, s, axes)
    return fftn(rfft(x, n=last_size, axis=last_axis, norm=norm), s=sizes, axes=axes, norm=norm)


def _axes(x, axes):
    return list(range(x.shape.rank)) if axes is None else [axes] if isinstance(axes, int) else list(axes)


def _checked(n):
    # The number of elements to transform. Of none, some kernels of TensorFlow end the process.
    if isinstance(n, int) and n < 1:
        raise ValueError(f"expected at least one element to transform, got {n}")
    return n


def _complex(x):
    x = _floating(x)
    return x if x.dtype.is_complex else _tf.complex(x, _tf.zeros_like(x))


def _floating(x):
    return x if x.dtype.is_floating or x.dtype.is_complex else _tf.cast(x, _data_types.floating_dtype(None))


def _last(x, axis):
    return _moveaxis(x, axis, -1)


def _opposite(norm):
    _power(norm)  # refuses an unknown one
    return _OPPOSITES[norm]


def _over(numbers, divisor, dtype):
    return _tf.cast(_tf.cast(numbers, _tf.float64) / divisor, _data_types.floating_dtype(dtype))


def _power(norm):
    # The power of the number of elements that the result of a forward transform is multiplied by.
    if norm not in _POWERS:
        raise ValueError(_unknown("norm", norm, _POWERS))
    return _POWERS[norm]


def _resized(x, n):
    # x with n elements along the last axis.
    *_, length = _shape(x)
    if _checked(length if n is None else n) is length:
        return x
    x = x[..., :n]
    missing = [[0, 0]] * (x.shape.rank - 1) + [[0, _tf.maximum(n - length, 0)]]
    return _tf.pad(x, missing)


def _scaled(x, n, power):
    return x * _tf.cast(_tf.cast(n, _tf.float64) ** power, x.dtype) if power else x


def _sizes_and_axes(x, s, axes):
    # Axes to transform, and for each its number of elements or None for all.
    if axes is None and s is not None:
        axes = range(x.shape.rank - len(s), x.shape.rank)
    axes = _axes(x, axes)
    sizes = [None] * len(axes) if s is None else [None if n == -1 else n for n in s]
    if len(sizes) != len(axes):
        raise ValueError(f"expected a size for each of {len(axes)} axes, got {len(sizes)}")
    return sizes, axes
