"""Learning rates that change with the step, at the boundaries, against their formulas.

The formulas are those of Keras's documentation (https://keras.io/api/optimizers/learning_rate_schedules/).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from dualnn import optimizers, schedules
from dualnn.conformance.case import Case, FunctionCase
from dualnn.conformance.measure import WIDE

STEPS = (
    0,
    1,
    *(boundary + near for boundary in (10, 20, 30, 70, 100, 150, 200, 1000) for near in (-1, 0, 1)),
)
REASON = """the share of the time is rounded once, the function of it (a power, a cosine of at most pi) 4
times, and what is made of that 3 times, in float64 and relative to the largest rate"""
PI = 4 * np.arctan(WIDE(1))


def _exponential(step: int, staircase: bool) -> Any:
    time = step // 100 if staircase else WIDE(step) / 100
    return WIDE(0.1) * WIDE(0.7) ** time


def _inverse(step: int, staircase: bool) -> Any:
    time = step // 100 if staircase else WIDE(step) / 100
    return WIDE(0.1) / (1 + WIDE(0.7) * time)


def _polynomial(step: int, power: float, cycle: bool) -> Any:
    length = 100 * max(1, math.ceil(step / 100)) if cycle else 100
    left = 1 - WIDE(min(step, length)) / length
    return (WIDE(0.1) - WIDE(0.01)) * left**power + WIDE(0.01)


def _wave(share: Any) -> Any:
    return (1 + np.cos(PI * share)) / 2


def _cosine(step: int, alpha: float) -> Any:
    return WIDE(0.1) * ((1 - WIDE(alpha)) * _wave(WIDE(min(step, 100)) / 100) + WIDE(alpha))


def _warm(step: int) -> Any:
    if step < 30:
        return WIDE(0.01) + (WIDE(0.2) - WIDE(0.01)) * step / 30
    return WIDE(0.2) * _wave(WIDE(min(step - 30, 70)) / 70)


def _restarts(step: int, longer: Fraction, lower: float, alpha: float) -> Any:
    begin, length, start = Fraction(0), Fraction(10), WIDE(1)
    while step >= begin + length:
        begin, length, start = begin + length, length * longer, start * WIDE(lower)
    share = (step - begin) / length
    wave = start * _wave(WIDE(share.numerator) / share.denominator)
    return WIDE(0.1) * ((1 - WIDE(alpha)) * wave + WIDE(alpha))


class _Own(schedules.LearningRateSchedule):
    def __call__(self, step: int) -> float:
        return 1 / (1 + step)


_PIECES = ([10, 20, 150], [0.1, 0.2, 0.3, 0.05])
_S = schedules
# (name, variant, schedule, the same by its formula)
_TABLE: list[tuple[str, str, Callable[[int], float], Callable[[int], Any]]] = [
    ("ExponentialDecay", "", _S.ExponentialDecay(0.1, 100, 0.7), lambda s: _exponential(s, False)),
    (
        "ExponentialDecay",
        "staircase",
        _S.ExponentialDecay(0.1, 100, 0.7, True),
        lambda s: _exponential(s, True),
    ),
    ("InverseTimeDecay", "", _S.InverseTimeDecay(0.1, 100, 0.7), lambda s: _inverse(s, False)),
    ("InverseTimeDecay", "staircase", _S.InverseTimeDecay(0.1, 100, 0.7, True), lambda s: _inverse(s, True)),
    ("PolynomialDecay", "", _S.PolynomialDecay(0.1, 100, 0.01), lambda s: _polynomial(s, 1.0, False)),
    (
        "PolynomialDecay",
        "power",
        _S.PolynomialDecay(0.1, 100, 0.01, 2.5),
        lambda s: _polynomial(s, 2.5, False),
    ),
    (
        "PolynomialDecay",
        "cycle",
        _S.PolynomialDecay(0.1, 100, 0.01, 2.0, cycle=True),
        lambda s: _polynomial(s, 2.0, True),
    ),
    ("CosineDecay", "", _S.CosineDecay(0.1, 100), lambda s: _cosine(s, 0.0)),
    ("CosineDecay", "alpha", _S.CosineDecay(0.1, 100, alpha=0.3), lambda s: _cosine(s, 0.3)),
    ("CosineDecay", "warm-up", _S.CosineDecay(0.01, 70, warmup_target=0.2, warmup_steps=30), _warm),
    ("CosineDecayRestarts", "", _S.CosineDecayRestarts(0.1, 10), lambda s: _restarts(s, Fraction(2), 1, 0)),
    (
        "CosineDecayRestarts",
        "longer by half, lower, alpha",
        _S.CosineDecayRestarts(0.1, 10, t_mul=1.5, m_mul=0.7, alpha=0.2),
        lambda s: _restarts(s, Fraction(3, 2), 0.7, 0.2),
    ),
    (
        "CosineDecayRestarts",
        "equally long",
        _S.CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.9),
        lambda s: _restarts(s, Fraction(1), 0.9, 0),
    ),
    (
        "PiecewiseConstantDecay",
        "",
        _S.PiecewiseConstantDecay(*_PIECES),
        lambda s: WIDE(_PIECES[1][sum(s > boundary for boundary in _PIECES[0])]),
    ),
    ("LearningRateSchedule", "one of a user's own", _Own(), lambda s: 1 / WIDE(1 + s)),
]


def _of_optimizer(schedule: Callable[[int], float], steps: Sequence[int]) -> list[float]:
    optimizer, rates = optimizers.SGD(schedule), []
    for optimizer.iterations in steps:
        rates.append(optimizer.learning_rate)
    return rates


def _case(name: str, variant: str, schedule: Callable[[int], float], formula: Callable[[int], Any]) -> Case:
    exact = name == "PiecewiseConstantDecay"
    return FunctionCase(
        name=f"optimizers.schedules.{name}",
        variant=variant,
        run=lambda nn: nn.asarray(np.asarray([[schedule(s) for s in STEPS], _of_optimizer(schedule, STEPS)])),
        reference=lambda: np.asarray([[formula(s) for s in STEPS]] * 2, WIDE),
        inputs=(),
        roundings=0 if exact else 8,
        scale="norm",
        derivatives=0,
        dtypes=("float64",),
        reason="one of the numbers given" if exact else REASON,
    )


CASES: list[Case] = [_case(*row) for row in _TABLE]
