"""The inspection functions of the array API standard."""

from __future__ import annotations

from dualnn.defaults import defaults
from dualnn_tf import data_types
from dualnn_tf.data_type_functions import isdtype
from dualnn_tf.devices import devices

_STANDARD = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "complex64", "complex128",
)  # fmt: skip


class __array_namespace_info__:  # noqa: N801 (the name that the standard gives it)
    """What the array namespace offers."""

    def capabilities(self):
        """Return which of the standard's optional behaviours there are."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 8}

    def default_device(self):
        """Return the name of the device that tensors are made on; None if the framework chooses."""
        return defaults.devices.get("tensorflow")

    def default_dtypes(self, *, device=None):
        """Return the data types of tensors made of Python numbers, by kind."""
        return {
            "real floating": data_types.python_dtype(0.0),
            "complex floating": data_types.python_dtype(0j),
            "integral": data_types.int64,
            "indexing": data_types.int64,
        }

    def dtypes(self, *, device=None, kind=None):
        """Return the standard's data types of a kind by name; for None all of them."""
        natives = {name: data_types.dtype(name) for name in _STANDARD}
        if kind is None:
            return natives
        return {name: native for name, native in natives.items() if isdtype(native, kind)}

    def devices(self):
        """Return the names of the devices that there are."""
        return devices()
