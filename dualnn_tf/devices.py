"""Devices: their names, the way from a name to a native device, and moving tensors."""

from __future__ import annotations

import contextlib
import functools

import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from dualnn.defaults import defaults
from dualnn.names import unknown

_NATIVE = {"cpu": "CPU", "cuda": "GPU"}


def devices():
    """Return the names of the devices of this machine that the framework can use.

    >>> import dualnn as dn
    >>> "cpu" in dn.backend().devices()
    True
    """
    return ("cpu", *(f"cuda:{index}" for index in range(_gpu_count())))


def device(x, /):
    """Return the name of the device that a tensor is on.

    In a graph that is not placed yet, that is the device where TensorFlow puts a tensor by default.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.device(nn.zeros(3, device="cpu"))
    'cpu'
    """
    return _device_name(x)


def canonical_device(device, /):
    """Return the full name of a device, given by name or as a native device.

    ``"cuda"`` and its alias ``"gpu"`` are ``"cuda:0"``.

    Raises:
        ValueError: this machine has no such device; the message names those it has.

    >>> import dualnn as dn
    >>> dn.backend().canonical_device("cpu")
    'cpu'
    """
    native = str(device).rpartition("/device:")[2]
    kind, _, index = native.lower().partition(":")
    kind = {"gpu": "cuda"}.get(kind, kind)
    name = kind if kind == "cpu" else f"{kind}:{index or 0}"
    if name not in devices():
        raise ValueError(unknown("device", str(device), devices()))
    return name


def native_device(device, /):
    """Return the native device of that name; for None the default one, None if none is set."""
    if device is None:
        device = defaults.devices.get("tensorflow")
    if device is None:
        return None
    kind, _, index = canonical_device(device).partition(":")
    return f"{_NATIVE[kind]}:{index or 0}"


def on_device(device, /):
    """Return a context in which tensors are made on that device; for None on the default one."""
    native = native_device(device)
    return contextlib.nullcontext() if native is None else tf.device(native)


def to_device(x, device, /):
    """Return the tensor on that device, itself if it is there already.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.device(nn.to_device(nn.zeros(3), "cpu"))
    'cpu'
    """
    if _device_name(x) == canonical_device(device):
        return x
    with on_device(device):
        return tf.identity(x)


def is_deterministic(device, /):
    """Return whether the same computation on that device gives the same bits each time.

    On the CPU it does; elsewhere some kernels add in an order that varies, unless TensorFlow has been told to
    do without them by ``tf.config.experimental.enable_op_determinism()``.

    >>> import dualnn as dn
    >>> dn.backend().is_deterministic("cpu")
    True
    """
    return canonical_device(device) == "cpu" or is_op_determinism_enabled()


@functools.cache
def _gpu_count():
    # Physical ones: to list the logical ones would fix TensorFlow's memory settings for good.
    return len(tf.config.list_physical_devices("GPU"))


def _device_name(x):
    if x.device:
        return canonical_device(x.device)
    return defaults.devices.get("tensorflow") or (devices()[1:] or devices())[0]
