"""Elementary functions of complex numbers against mpmath, in 60 digits.

The error is measured as a distance in the plane, over the size of the result: a part may have lost all
its digits beside a much larger one. C libraries state a few ULP for these; 16 eps are allowed here,
which still is lost when a formula cancels, overflows or leaves a branch out.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

BOUND = 16
FUNCTIONS = {
    "acos": mpmath.acos,
    "acosh": mpmath.acosh,
    "asin": mpmath.asin,
    "asinh": mpmath.asinh,
    "atan": mpmath.atan,
    "atanh": mpmath.atanh,
    "cos": mpmath.cos,
    "cosh": mpmath.cosh,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log10": mpmath.log10,
    "log1p": lambda z: mpmath.log(1 + z),
    "log2": lambda z: mpmath.log(z) / mpmath.log(2),
    "reciprocal": lambda z: 1 / z,
    "sign": mpmath.sign,
    "sin": mpmath.sin,
    "sinh": mpmath.sinh,
    "sqrt": mpmath.sqrt,
    "square": lambda z: z * z,
    "tan": mpmath.tan,
    "tanh": mpmath.tanh,
    "abs": abs,
}


def grid(dtype):
    """Numbers in all quadrants, near 0, 1 and i, and large ones."""
    parts = np.array([-20, -3, -1.5, -1, -0.75, -1e-3, -1e-6, 1e-6, 1e-3, 0.25, 1, 1.25, 2, 20])
    x, y = np.meshgrid(parts, parts)
    return (x + 1j * y).astype(dtype).ravel()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(nn, name, dtype):
    z = grid(dtype)
    actual = nn.to_numpy(getattr(nn, name)(nn.asarray(z)))
    eps = np.finfo(dtype).eps
    with mpmath.workdps(60):
        for argument, result in zip(z, actual, strict=True):
            exact = FUNCTIONS[name](mpmath.mpc(complex(argument)))
            error = abs(mpmath.mpc(complex(result)) - exact) / (abs(exact) or 1)
            assert error <= BOUND * eps, (argument, result, exact, float(error / eps))
