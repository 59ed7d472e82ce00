"""Weights in safetensors files, which either backend reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from dualnn.bfloat16 import as_float32
from dualnn.layers import tree
from dualnn.names import unknown
from dualnn.saving.atomic import write_atomically
from dualnn.saving.endings import WEIGHTS, check_ending, explained

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer

FORMAT = {"format": "dualnn", "version": "1"}
_DTYPES = {
    "BOOL": "bool", "U8": "<u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "I8": "<i1", "I16": "<i2",
    "I32": "<i4", "I64": "<i8", "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
}  # fmt: skip
"""The dtypes of safetensors files as NumPy's; of bfloat16 the bits."""


def save_weights(layer: Layer, path: str | os.PathLike[str]) -> None:
    """Write the weights of a built layer or model; see `Layer.save_weights`."""
    check_ending(path, WEIGHTS)
    if not layer.built:
        raise ValueError(f"{layer.name!r} is not built yet, so it has no weights to save")
    nn = layer.nn
    arrays = {
        slot.path: np.ascontiguousarray(nn.to_numpy(slot.variable)) for slot in tree.weight_slots(layer)
    }
    write_atomically(Path(path), safetensors.numpy.save(arrays, metadata=FORMAT))


def load_weights(layer: Layer, path: str | os.PathLike[str]) -> None:
    """Read the weights into a built layer or model; see `Layer.load_weights`."""
    if not layer.built:
        raise ValueError(
            f"{layer.name!r} is not built yet: build(input_shape) first, so that its weights can be compared "
            f"with the file's"
        )
    arrays = read(Path(path))
    slots = {slot.path: slot for slot in tree.weight_slots(layer)}
    for name in slots:
        if name not in arrays:
            raise ValueError(f"{os.fspath(path)} has no weight {name!r}: it was saved from another model")
    for name, array in arrays.items():
        if name not in slots:
            raise ValueError(f"{os.fspath(path)}: {unknown('weight', name, slots)}")
        expected = tuple(slots[name].variable.shape)
        if array.shape != expected:
            raise ValueError(
                f"{os.fspath(path)}: weight {name!r}: expected shape {expected}, got {array.shape}"
            )
    for name, array in arrays.items():
        layer.nn.assign(slots[name].variable, array)


def read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a safetensors file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file, or of a dtype that NumPy has not; bfloat16 becomes float32.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        tensors = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"{path}: expected a safetensors file ({error}){explained(path)}") from error
    return {name: _array(path, name, tensor) for name, tensor in tensors}


def _array(path: Path, name: str, tensor: dict[str, Any]) -> npt.NDArray[Any]:
    dtype = tensor["dtype"]
    if dtype not in _DTYPES:
        raise ValueError(f"{path}: weight {name!r}: {unknown('dtype', dtype, _DTYPES)}; save it as float32")
    array = np.frombuffer(bytearray(tensor["data"]), _DTYPES[dtype]).reshape(tensor["shape"])
    return as_float32(array) if dtype == "BF16" else array
