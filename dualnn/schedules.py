"""Learning rates that change with the step, under Keras's names.

A schedule is a function of the number of steps done. It runs on the host in float64, so every backend
gets the same bits. Users reach it as ``dualnn.optimizers.schedules``.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from dualnn.saving.configs import Configured


class LearningRateSchedule(Configured):
    """The base class; an optimizer also takes any other function of the step.

    >>> import dualnn as dn
    >>> schedule = dn.optimizers.schedules.ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)
    >>> optimizer = dn.optimizers.SGD(schedule)
    >>> optimizer.learning_rate
    0.1
    """

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` steps."""
        raise NotImplementedError


@dataclass(frozen=True)
class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: the rate of step 0.
        decay_steps: after how many steps the rate has been multiplied by `decay_rate`.
        decay_rate: a positive number.
        staircase: round ``step / decay_steps`` down.

    Raises:
        ValueError: `decay_steps` is not positive.

    >>> import dualnn as dn
    >>> dn.optimizers.schedules.ExponentialDecay(0.5, decay_steps=10, decay_rate=0.25)(5)
    0.25
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        _require_positive("decay_steps", self.decay_steps)

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` steps."""
        periods = _periods(step, self.decay_steps, self.staircase)
        return self.initial_learning_rate * math.pow(self.decay_rate, periods)


@dataclass(frozen=True)
class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: the rate of step 0.
        decay_steps: the unit in which the steps are counted.
        decay_rate: a number from 0.
        staircase: round ``step / decay_steps`` down.

    Raises:
        ValueError: `decay_steps` is not positive.

    >>> import dualnn as dn
    >>> dn.optimizers.schedules.InverseTimeDecay(0.5, decay_steps=10, decay_rate=1.0)(10)
    0.25
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        _require_positive("decay_steps", self.decay_steps)

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` steps."""
        periods = _periods(step, self.decay_steps, self.staircase)
        return self.initial_learning_rate / (1 + self.decay_rate * periods)


@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and with step ``boundaries[0]``, then ``values[1]``, and so on.

    Args:
        boundaries: steps in increasing order.
        values: learning rates, one more than boundaries.

    Raises:
        ValueError: the lengths do not match, or the boundaries do not increase.

    >>> import dualnn as dn
    >>> schedule = dn.optimizers.schedules.PiecewiseConstantDecay([10, 20], [0.5, 0.25, 0.125])
    >>> schedule(10), schedule(11), schedule(21)
    (0.5, 0.25, 0.125)
    """

    boundaries: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"expected one value more than boundaries, got {len(self.boundaries)} boundaries "
                f"and {len(self.values)} values"
            )
        if any(a >= b for a, b in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ValueError(f"expected boundaries that increase, got {list(self.boundaries)}")

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` steps."""
        return self.values[bisect_left(self.boundaries, step)]


@dataclass(frozen=True)
class PolynomialDecay(LearningRateSchedule):
    """From one rate to another along ``(1 - step / decay_steps) ** power``, then constant.

    Args:
        initial_learning_rate: the rate of step 0.
        decay_steps: the step that reaches `end_learning_rate`.
        end_learning_rate: the last rate.
        power: 1 is a straight line.
        cycle: past the end, go on with the next multiple of `decay_steps` in its place.

    Raises:
        ValueError: `decay_steps` is not positive.

    >>> import dualnn as dn
    >>> dn.optimizers.schedules.PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.25)(5)
    0.375
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def __post_init__(self) -> None:
        _require_positive("decay_steps", self.decay_steps)

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` steps."""
        if self.cycle:
            fraction = step / (self.decay_steps * max(1, math.ceil(step / self.decay_steps)))
        else:
            fraction = min(step, self.decay_steps) / self.decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * math.pow(1 - fraction, self.power) + self.end_learning_rate


@dataclass(frozen=True)
class CosineDecay(LearningRateSchedule):
    """Half a cosine down to ``alpha`` times the start, after a linear warm-up if one is asked for.

    From Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017.

    Args:
        initial_learning_rate: the rate of step 0.
        decay_steps: the length of the decay, without the warm-up.
        alpha: the last rate as a fraction of the highest one.
        warmup_target: the rate that the warm-up ends with and the decay starts from. None: no warm-up.
        warmup_steps: the length of the warm-up.

    Raises:
        ValueError: `decay_steps` is not positive, or `warmup_steps` is negative.

    >>> import dualnn as dn
    >>> schedule = dn.optimizers.schedules.CosineDecay(0.0, decay_steps=10, warmup_target=0.5, warmup_steps=2)
    >>> [round(schedule(step), 4) for step in (0, 1, 2, 7, 12)]
    [0.0, 0.25, 0.5, 0.25, 0.0]
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    warmup_target: float | None = field(default=None, kw_only=True)
    warmup_steps: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        _require_positive("decay_steps", self.decay_steps)
        if self.warmup_steps < 0:
            raise ValueError(f"expected warmup_steps from 0, got {self.warmup_steps!r}")

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` steps."""
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return start + (self.warmup_target - start) * step / self.warmup_steps
            step, start = step - self.warmup_steps, self.warmup_target
        cosine = _half_cosine(min(step, self.decay_steps) / self.decay_steps)
        return start * ((1 - self.alpha) * cosine + self.alpha)


@dataclass(frozen=True)
class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decays one after the other, each longer and lower (Loshchilov and Hutter, 2017).

    Args:
        initial_learning_rate: the rate of step 0.
        first_decay_steps: the length of the first decay.
        t_mul: each decay is that many times longer than the one before.
        m_mul: each decay starts from that many times the rate that the one before started from.
        alpha: the lowest rate as a fraction of `initial_learning_rate`.

    Raises:
        ValueError: `first_decay_steps` is not positive, or `t_mul` is below 1.

    >>> import dualnn as dn
    >>> schedule = dn.optimizers.schedules.CosineDecayRestarts(0.5, first_decay_steps=10, m_mul=0.5)
    >>> [round(schedule(step), 4) for step in (0, 5, 10, 20)]
    [0.5, 0.25, 0.25, 0.125]
    """

    initial_learning_rate: float
    first_decay_steps: int
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0

    def __post_init__(self) -> None:
        _require_positive("first_decay_steps", self.first_decay_steps)
        if self.t_mul < 1:
            raise ValueError(f"expected t_mul from 1, got {self.t_mul!r}")

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` steps."""
        restarts, done, length = 0, float(step), float(self.first_decay_steps)
        if self.t_mul == 1:
            restarts, done = int(done // length), done % length
        while done >= length:
            restarts, done, length = restarts + 1, done - length, length * self.t_mul
        cosine = self.m_mul**restarts * _half_cosine(done / length)
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)


def _half_cosine(fraction: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * fraction))


def _periods(step: int, length: int, staircase: bool) -> float:
    return step // length if staircase else step / length


def _require_positive(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"expected a positive {name}, got {value!r}")
