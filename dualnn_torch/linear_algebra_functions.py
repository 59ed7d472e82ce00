"""The linear algebra functions of the array API standard's main namespace."""

from __future__ import annotations

import array_api_compat.torch as xp

matmul = xp.matmul
matrix_transpose = xp.matrix_transpose
tensordot = xp.tensordot
vecdot = xp.vecdot
