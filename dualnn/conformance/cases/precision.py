"""Matrix products and convolutions keep all bits of float32, also where hardware has a faster format.

1 + 2**-12 is a number of float32; TF32, with its 10 bits, makes 1 of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dualnn.conformance.case import Case, ExactCase
from dualnn.protocol import Backend

NUMBER = 1 + 2**-12
REASON = "products with 1 and sums with 0 are exact in IEEE 754's arithmetic of the dtype"


def _matmul(nn: Backend, dtype: str) -> dict[str, Any]:
    x = nn.asarray(NUMBER * np.ones((32, 1)), dtype=dtype)
    return {"product": nn.matmul(x, nn.asarray(np.ones((1, 32)), dtype=dtype))}


def _conv2d(nn: Backend, dtype: str) -> dict[str, Any]:
    x = nn.asarray(NUMBER * np.ones((1, 8, 8, 1)), dtype=dtype)
    kernel = nn.asarray(np.ones((1, 1, 1, 16)), dtype=dtype)
    return {"convolution": nn.conv2d(x, kernel, strides=(1, 1), padding="valid", dilation=(1, 1), groups=1)}


CASES: list[Case] = [
    ExactCase(
        name="matmul",
        variant="no TF32",
        run=_matmul,
        expected={"product": np.full((32, 32), NUMBER)},
        reason=REASON,
    ),
    ExactCase(
        name="conv2d",
        variant="no TF32",
        run=_conv2d,
        expected={"convolution": np.full((1, 8, 8, 16), NUMBER)},
        reason=REASON,
    ),
]
