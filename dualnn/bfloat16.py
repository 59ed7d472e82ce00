"""Arrays of bfloat16, which NumPy does not have: those of ml_dtypes, and those of files."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def is_bfloat16(array: npt.NDArray[Any]) -> bool:
    """Return whether an array is one of ml_dtypes' bfloat16, without importing ml_dtypes."""
    return array.dtype.kind not in "biufc" and array.dtype.name == "bfloat16"


def as_float32(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return bfloat16, or its bits as uint16, as float32, which holds the same numbers.

    >>> import numpy as np
    >>> from dualnn.bfloat16 import as_float32
    >>> as_float32(np.array([0x3FC0], np.uint16)).tolist()
    [1.5]
    """
    bits = np.zeros(array.shape, np.uint32)
    bits[...] = array.view(np.uint16)
    bits <<= 16  # a bfloat16 is the first half of a float32
    return bits.view(np.float32)
