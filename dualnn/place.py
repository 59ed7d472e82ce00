"""Where a layer lives: on which backend and device, with which floating-point dtype."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from dualnn import backends
from dualnn.defaults import FLOATING, defaults
from dualnn.foreign.recognition import KERAS, class_names
from dualnn.names import unknown
from dualnn.protocol import Backend, Tensor


@dataclass(frozen=True)
class Place:
    """A backend, a device and a floating-point dtype, by their names."""

    backend: str
    device: str
    dtype: str

    @classmethod
    def of(cls, backend: str | None = None, device: str | None = None, dtype: str | None = None) -> Place:
        """Return the place with these names; what is None comes from `dualnn.use`.

        Raises:
            ValueError: an unknown backend or dtype, or a device this machine does not have.
            BackendNotAvailableError: the backend's framework is not installed.
        """
        nn = backends.backend(backend)
        device = device or defaults.devices.get(nn.name) or nn.devices()[0]
        dtype = dtype or defaults.dtype
        if dtype not in FLOATING:
            raise ValueError(unknown("floating-point dtype", dtype, FLOATING))
        return cls(nn.name, nn.canonical_device(device), dtype)

    @functools.cached_property
    def nn(self) -> Backend:
        """The backend itself."""
        return backends.backend(self.backend)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy looks up its backend, a module, by itself."""
        return type(self), (self.backend, self.device, self.dtype)

    @functools.cached_property
    def native_dtype(self) -> Any:
        """The floating-point dtype itself, which is an object of the backend's framework."""
        return self.nn.dtype(self.dtype)

    def tensor(self, x: Any, owner: str, copy: bool | None = None) -> Tensor:
        """Return `x` as a tensor of this place; floating-point numbers take the place's dtype.

        Args:
            x: a native tensor, a NumPy array, a number, or a list of numbers.
            owner: what asks for it, for the error's text.
            copy: True if the tensor must not be over the memory of what is no tensor; None if it may be.

        Raises:
            TypeError: a tensor of another framework, or not numbers.
        """
        nn = self.nn
        if type(x) is np.ndarray:
            dtype = self.dtype if x.dtype.kind == "f" else None
            return nn.asarray(x, dtype=dtype, device=self.device, copy=copy)
        if not nn.is_tensor(x):
            other = backends.owner(x)
            if other is not None:
                raise TypeError(
                    f"{owner} lives on {self.backend}, got a tensor of {other.name}; convert it with "
                    f"dn.backend({self.backend!r}).asarray(x), or move the model: model.on({other.name!r})"
                )
            if "KerasTensor" in class_names(x, *KERAS):
                raise TypeError(
                    f"{owner}: expected a tensor, got a symbolic one of Keras: write dn.Input(shape)"
                )
            x = np.asarray(x)
            dtype = self.dtype if x.dtype.kind == "f" else None
            return nn.asarray(x, dtype=dtype, device=self.device, copy=copy)
        dtype = self.native_dtype
        if x.dtype != dtype and nn.isdtype(x.dtype, "real floating"):
            return nn.astype(x, dtype)
        return x
