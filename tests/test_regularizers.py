"""Regularizers: the penalties of a weight and their gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dualnn import regularizers

W = [[1.0, -2.0, 0.0], [0.5, -0.25, 4.0]]
SUM, SQUARES = 7.75, 21.3125  # of the absolute values; of the squares


@pytest.mark.parametrize(
    ("regularizer", "penalty"),
    [
        (regularizers.L1(0.5), 0.5 * SUM),
        (regularizers.L2(0.25), 0.25 * SQUARES),
        (regularizers.L1L2(l1=0.5, l2=0.25), 0.5 * SUM + 0.25 * SQUARES),
        (regularizers.L1L2(l1=0.5), 0.5 * SUM),
        (regularizers.L1L2(), 0.0),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_penalty(nn, regularizer, penalty, dtype):
    value = regularizer(nn.asarray(W, dtype=dtype))
    assert nn.dtype_name(value.dtype) == dtype
    assert tuple(value.shape) == ()
    assert float(value) == penalty  # all numbers are sums of few powers of two: exact


def test_gradient(nn):
    w = nn.Variable(nn.asarray(W))
    with nn.GradientTape() as tape:
        penalty = regularizers.L1L2(l1=0.5, l2=0.25)(w)
    expected = 0.5 * np.sign(W) + 0.5 * np.asarray(W)
    np.testing.assert_array_equal(nn.to_numpy(tape.gradient(penalty, w)), expected)


def test_get(nn):
    w = nn.asarray(W, dtype="float64")
    expected = {"l1": 0.01 * SUM, "l2": 0.01 * SQUARES, "l1_l2": 0.01 * (SUM + SQUARES)}
    for name, penalty in expected.items():
        # Three roundings, of products and a sum.
        assert float(regularizers.get(name)(w)) == pytest.approx(penalty, rel=4e-16)
    assert regularizers.get("L1L2") == regularizers.get("l1_l2")
    assert regularizers.get(None) is None
    assert regularizers.get(math.sin) is math.sin
    with pytest.raises(ValueError, match=r"unknown regularizer 'l3'\. Known: 'l1', 'l2', 'l1_l2'"):
        regularizers.get("l3")
    with pytest.raises(TypeError, match="got 3"):
        regularizers.get(3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-0.1, "expected a finite number from 0 for l[12], got -0.1"),
        (math.inf, "expected a finite number from 0 for l[12], got inf"),
        (math.nan, "L[12]+: l[12] must be a number, got nan"),
    ],
)
def test_wrong_factors(value, message):
    for regularizer in (regularizers.L1, regularizers.L2, regularizers.L1L2):
        with pytest.raises(ValueError, match=message):
            regularizer(value)
