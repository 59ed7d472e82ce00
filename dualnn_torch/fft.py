"""The Fourier transforms of the array API standard's extension."""

from __future__ import annotations as _annotations

import array_api_compat.torch.fft as _native
import torch as _torch

from dualnn_torch.data_types import floating_dtype as _floating_dtype
from dualnn_torch.devices import native_device as _native_device

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]


def fft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the discrete Fourier transform along an axis."""
    return _transformed(_native.fft, x, n, axis, norm)


def ifft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the inverse of `fft`."""
    return _transformed(_native.ifft, x, n, axis, norm)


def fftn(x, /, *, s=None, axes=None, norm="backward"):
    """Return the discrete Fourier transform along some or all axes."""
    return x.clone() if axes == () else _transformed(_native.fftn, x, s=s, axes=axes, norm=norm)


def ifftn(x, /, *, s=None, axes=None, norm="backward"):
    """Return the inverse of `fftn`."""
    return x.clone() if axes == () else _transformed(_native.ifftn, x, s=s, axes=axes, norm=norm)


def rfft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the half of the Fourier transform of real numbers that determines the other half."""
    return _transformed(_native.rfft, x, n, axis, norm)


def irfft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the inverse of `rfft`; `n` is the size of the result."""
    return _transformed(_native.irfft, x, n, axis, norm)


def rfftn(x, /, *, s=None, axes=None, norm="backward"):
    """Return the half of the Fourier transform of real numbers along some or all axes."""
    return _transformed(_native.rfftn, x, s=s, axes=axes, norm=norm)


def irfftn(x, /, *, s=None, axes=None, norm="backward"):
    """Return the inverse of `rfftn`; `s` are sizes of the result."""
    return _transformed(_native.irfftn, x, s=s, axes=axes, norm=norm)


def hfft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the Fourier transform of numbers with Hermitian symmetry, given by one half, which is real."""
    return _transformed(_native.hfft, x, n, axis, norm)


def ihfft(x, /, *, n=None, axis=-1, norm="backward"):
    """Return the inverse of `hfft`."""
    return _transformed(_native.ihfft, x, n, axis, norm)


def fftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """Return the frequencies that belong to the values of `fft`."""
    return _native.fftfreq(n, d, dtype=_floating_dtype(dtype), device=_native_device(device))


def rfftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """Return the frequencies that belong to the values of `rfft`."""
    return _native.rfftfreq(n, d, dtype=_floating_dtype(dtype), device=_native_device(device))


def fftshift(x, /, *, axes=None):
    """Return a transform with the frequency zero moved to the centre."""
    return x.clone() if axes == () or x.ndim == 0 else _native.fftshift(x, axes=axes)


def ifftshift(x, /, *, axes=None):
    """Return the inverse of `fftshift`."""
    return x.clone() if axes == () or x.ndim == 0 else _native.ifftshift(x, axes=axes)


def _transformed(function, x, *options, **named_options):
    if x.numel():
        return function(x, *options, **named_options)
    # Kernels refuse to transform no signals at all, but the meta device knows what would come of it.
    nothing = function(x.to("meta"), *options, **named_options)
    return _torch.zeros_like(nothing, device=x.device)
