"""Schedules: hand values, and properties that hold at every step."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dualnn as dn
from dualnn.optimizers import schedules

STEPS = st.integers(0, 10_000)


def test_exponential_decay():
    schedule = schedules.ExponentialDecay(0.5, decay_steps=100, decay_rate=0.25)
    assert [schedule(step) for step in (0, 50, 100, 200)] == [0.5, 0.25, 0.125, 0.03125]
    staircase = schedules.ExponentialDecay(0.5, decay_steps=100, decay_rate=0.25, staircase=True)
    assert [staircase(step) for step in (0, 99, 100, 199, 200)] == [0.5, 0.5, 0.125, 0.125, 0.03125]


def test_inverse_time_decay():
    schedule = schedules.InverseTimeDecay(0.5, decay_steps=100, decay_rate=2.0)
    assert [schedule(step) for step in (0, 50, 150)] == [0.5, 0.25, 0.125]
    staircase = schedules.InverseTimeDecay(0.5, decay_steps=100, decay_rate=1.0, staircase=True)
    assert [staircase(step) for step in (0, 99, 100, 300)] == [0.5, 0.5, 0.25, 0.125]


def test_piecewise_constant_decay():
    schedule = schedules.PiecewiseConstantDecay([100, 200], [1.0, 0.5, 0.1])
    assert [schedule(step) for step in (0, 100, 101, 200, 201, 999)] == [1.0, 1.0, 0.5, 0.5, 0.1, 0.1]


def test_polynomial_decay():
    schedule = schedules.PolynomialDecay(1.0, decay_steps=100, end_learning_rate=0.5, power=2.0)
    assert [schedule(step) for step in (0, 50, 100, 500)] == [1.0, 0.625, 0.5, 0.5]
    cycle = schedules.PolynomialDecay(1.0, decay_steps=100, end_learning_rate=0.0, cycle=True)
    assert [cycle(step) for step in (0, 50, 100, 150, 200, 300)] == [1.0, 0.5, 0.0, 0.25, 0.0, 0.0]
    assert cycle(250) == pytest.approx(1 / 6, rel=1e-15)
    assert schedules.PolynomialDecay(1.0, decay_steps=100)(100) == 0.0001


def test_cosine_decay():
    schedule = schedules.CosineDecay(1.0, decay_steps=100, alpha=0.5)
    # cos(pi / 3) and cos(pi / 2) are off by a rounding of pi.
    expected = {0: 1.0, 50: 0.75, 100: 0.5, 500: 0.5}
    for step, rate in expected.items():
        assert schedule(step) == pytest.approx(rate, abs=1e-16)


def test_cosine_decay_after_a_warmup():
    schedule = schedules.CosineDecay(0.25, 100, alpha=0.5, warmup_target=1.0, warmup_steps=4)
    expected = {0: 0.25, 1: 0.4375, 3: 0.8125, 4: 1.0, 54: 0.75, 104: 0.5, 999: 0.5}
    for step, rate in expected.items():
        assert schedule(step) == pytest.approx(rate, abs=1e-16)


@pytest.mark.parametrize(
    ("t_mul", "starts"),
    [(1.0, [0, 10, 20, 30, 40]), (2.0, [0, 10, 30, 70, 150]), (3.0, [0, 10, 40, 130, 400])],
)
def test_cosine_decay_restarts(t_mul, starts):
    schedule = schedules.CosineDecayRestarts(1.0, 10, t_mul=t_mul, m_mul=0.5, alpha=0.25)
    for i, (start, end) in enumerate(itertools.pairwise(starts)):
        top = 0.75 * 0.5**i + 0.25
        assert schedule(start) == pytest.approx(top, rel=1e-15)
        assert schedule((start + end) // 2) == pytest.approx((top + 0.25) / 2, rel=1e-15)
        last = (end - start - 1) / (end - start)
        assert schedule(end - 1) == pytest.approx(
            0.75 * 0.5**i * (1 + math.cos(math.pi * last)) / 2 + 0.25, rel=1e-14
        )


@given(step=STEPS, length=st.integers(1, 500), alpha=st.floats(0, 1))
def test_decays_stay_between_their_ends_and_never_rise(step, length, alpha):
    decays = [
        schedules.ExponentialDecay(1.0, length, decay_rate=0.9),
        schedules.InverseTimeDecay(1.0, length, decay_rate=0.9),
        schedules.PolynomialDecay(1.0, length, end_learning_rate=alpha, power=1.5),
        schedules.CosineDecay(1.0, length, alpha=alpha),
    ]
    for decay in decays:
        now, then = decay(step), decay(step + 1)
        assert isinstance(now, float)
        assert 0 <= then <= now + 1e-15 <= 1 + 2e-15


def test_an_optimizer_follows_a_schedule():
    optimizer = dn.optimizers.SGD(schedules.PiecewiseConstantDecay([1], [0.5, 0.25]))
    assert [optimizer.scalars(step)["learning_rate"] for step in range(4)] == [0.5, 0.5, 0.25, 0.25]
    optimizer.iterations = 2
    assert optimizer.learning_rate == 0.25


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "positive decay_steps, got 0"),
        (lambda: schedules.InverseTimeDecay(0.1, -1, 0.5), "positive decay_steps, got -1"),
        (lambda: schedules.PolynomialDecay(0.1, 0), "positive decay_steps, got 0"),
        (lambda: schedules.CosineDecay(0.1, 0), "positive decay_steps, got 0"),
        (lambda: schedules.CosineDecay(0.1, 5, warmup_steps=-1), "warmup_steps from 0, got -1"),
        (lambda: schedules.CosineDecayRestarts(0.1, 0), "positive first_decay_steps, got 0"),
        (lambda: schedules.CosineDecayRestarts(0.1, 1, t_mul=0.5), "t_mul from 1, got 0.5"),
        (lambda: schedules.PiecewiseConstantDecay([1], [1.0]), "got 1 boundaries and 1 values"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [1.0, 2.0, 3.0]), "increase, got"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
