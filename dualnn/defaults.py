"""What `dualnn.use` has set: the default backend, devices and floating-point dtype.

The adapters read the device and the dtype from here when a caller names none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FLOATING = ("float32", "float64", "float16", "bfloat16")


@dataclass
class Defaults:
    """The process-wide defaults; change them with `dualnn.use`."""

    backend: str | None = None
    """A backend's name, or None: the variable ``DUALNN_BACKEND``, else the first one installed."""
    devices: dict[str, str] = field(default_factory=dict)
    """The default device of each backend that one was set for."""
    dtype: str = "float32"
    """The dtype of weights, and of tensors made of Python floats."""


defaults = Defaults()
