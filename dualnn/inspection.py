"""What an adapter says of itself, by the inspection functions of the array API standard."""

from __future__ import annotations

from typing import Any, ClassVar

from dualnn import backends
from dualnn.defaults import defaults
from dualnn.protocol import Backend, Device, DType

_STANDARD = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "complex64", "complex128",
)  # fmt: skip


class NamespaceInfo:
    """What an array namespace offers; an adapter's class names the backend and what is its own.

    >>> import dualnn as dn
    >>> dn.backend().__array_namespace_info__().capabilities()["boolean indexing"]
    True
    """

    backend: ClassVar[str]
    """The backend's name."""
    max_dimensions: ClassVar[int]
    """The most dimensions that a tensor may have."""

    @property
    def _nn(self) -> Backend:
        return backends.backend(self.backend)

    def capabilities(self) -> dict[str, Any]:
        """Return which of the standard's optional behaviours there are."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": self.max_dimensions,
        }

    def default_device(self) -> Device:
        """Return the native device, as a tensor names its own, that tensors are made on."""
        return self._nn.zeros(()).device

    def default_dtypes(self, *, device: Device = None) -> dict[str, DType]:
        """Return the data types of tensors made of Python numbers, by kind."""
        return {
            "real floating": self._nn.dtype(defaults.dtype),
            "complex floating": self._nn.dtype("complex128" if defaults.dtype == "float64" else "complex64"),
            "integral": self._nn.int64,
            "indexing": self._nn.int64,
        }

    def dtypes(self, *, device: Device = None, kind: Any = None) -> dict[str, DType]:
        """Return the standard's data types of a kind by name; for None all of them."""
        natives = {name: self._nn.dtype(name) for name in _STANDARD}
        if kind is None:
            return natives
        return {name: native for name, native in natives.items() if self._nn.isdtype(native, kind)}

    def devices(self) -> tuple[Device, ...]:
        """Return the native devices, as tensors name their own, that there are."""
        return tuple(self._nn.zeros((), device=name).device for name in self._nn.devices())
