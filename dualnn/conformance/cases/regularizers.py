"""Every regularizer."""

from __future__ import annotations

import numpy as np

from dualnn import regularizers
from dualnn.conformance.case import Case, FunctionCase
from dualnn.conformance.cases.neural import COUNTED, WIDE, edges, numbers

_TENTH = WIDE(1) / 10
_FACTORS = {"L1": (_TENTH, 0 * _TENTH), "L2": (0 * _TENTH, _TENTH), "L1L2": (_TENTH, 3 * _TENTH)}
_MADE: dict[str, regularizers.Regularizer] = {
    "L1": regularizers.L1(0.1),
    "L2": regularizers.L2(0.1),
    "L1L2": regularizers.L1L2(l1=0.1, l2=0.3),
}

CASES: list[Case] = [
    FunctionCase(
        name=f"regularizers.{name}",
        run=lambda nn, w, name=name: _MADE[name](w),
        reference=lambda w, l1=l1, l2=l2: l1 * np.sum(np.abs(w)) + l2 * np.sum(w**2),
        inputs=(numbers(2, 4),),
        roundings=1 + 8 + 2 + 1,
        derivatives=1 if name == "L1" else 2,
        reason=COUNTED,
    )
    for name, (l1, l2) in _FACTORS.items()
]
CASES += [
    edges(
        "regularizers.L1",
        "at 0",
        lambda nn, w: regularizers.L1(0.5)(w),
        [0.0, 2.0],
        1.0,
        [0.0, 0.5],
        "the slope of abs at 0 is 0",
    ),
    *(
        edges(
            f"regularizers.{name}",
            "of no weights",
            lambda nn, w, name=name: _MADE[name](w),
            np.zeros(0),
            0.0,
            np.zeros(0),
            "a sum of nothing is 0",
        )
        for name in _MADE
    ),
]
