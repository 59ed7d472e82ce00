"""Devices: their names, the way from a name to a native device, and moving tensors."""

from __future__ import annotations

import torch

from dualnn.defaults import defaults
from dualnn.names import unknown

CPU = torch.device("cpu")


def devices():
    """Return the names of the devices of this machine that the framework can use.

    >>> import dualnn as dn
    >>> "cpu" in dn.backend().devices()
    True
    """
    count = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
    if count == 0:
        return ("cpu",)
    kind = torch.accelerator.current_accelerator().type
    return ("cpu", *(f"{kind}:{index}" for index in range(count)))


def device(x, /):
    """Return the name of the device that a tensor is on.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.device(nn.zeros(3, device="cpu"))
    'cpu'
    """
    return str(x.device)


def canonical_device(device, /):
    """Return the full name of a device, given by name or as a native device.

    ``"cuda"`` and its alias ``"gpu"`` are ``"cuda:0"``.

    Raises:
        ValueError: this machine has no such device; the message names those it has.

    >>> import dualnn as dn
    >>> dn.backend().canonical_device("cpu")
    'cpu'
    """
    kind, _, index = str(device).lower().partition(":")
    kind = {"gpu": "cuda"}.get(kind, kind)
    name = kind if kind == "cpu" else f"{kind}:{index or 0}"
    if name not in devices():
        raise ValueError(unknown("device", str(device), devices()))
    return name


def native_device(device, /):
    """Return the native device of that name; for None the default one, None if none is set."""
    if device is None:
        device = defaults.devices.get("torch")
    if device is None or isinstance(device, torch.device):
        return device
    if device == "cpu":  # which every machine has
        return CPU
    return torch.device(canonical_device(device))


def to_device(x, device, /):
    """Return the tensor on that device, itself if it is there already.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.device(nn.to_device(nn.zeros(3), "cpu"))
    'cpu'
    """
    return x.to(native_device(device))


def is_deterministic(device, /):
    """Return whether the same computation on that device gives the same bits each time.

    On the CPU it does; elsewhere some kernels add in an order that varies, unless PyTorch has been told to do
    without them by ``torch.use_deterministic_algorithms(True)``.

    >>> import dualnn as dn
    >>> dn.backend().is_deterministic("cpu")
    True
    """
    return canonical_device(device) == "cpu" or torch.are_deterministic_algorithms_enabled()
