"""Activation functions: the right formula under each name, and safe at the extremes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dualnn as dn
from dualnn import activations

X = np.concatenate([np.linspace(-20, 20, 401), [-6.5, -3.0, -1e-8, -0.0, 0.0, 1e-8, 3.0, 6.0, 6.5]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu6(x):
    return np.clip(x, 0, 6)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


erf = np.vectorize(math.erf)

FORMULAS = {
    "elu": lambda x: elu(x, 1.0),
    "exponential": np.exp,
    "gelu": lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))),
    "hard_sigmoid": lambda x: relu6(x + 3) / 6,
    "hard_silu": lambda x: x * relu6(x + 3) / 6,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "linear": lambda x: x,
    "mish": lambda x: x * np.tanh(softplus(x)),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": relu6,
    "selu": lambda x: 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717),
    "sigmoid": sigmoid,
    "silu": lambda x: x * sigmoid(x),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": np.tanh,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_formula(nn, name, dtype):
    x = X.astype(dtype)
    y = nn.to_numpy(activations.get(name)(nn.asarray(x)))
    assert y.dtype == dtype
    # Each is at most four rounded operations and an exp; where its terms cancel (gelu far below 0),
    # the error is relative to x.
    eps = np.finfo(dtype).eps
    expected = FORMULAS[name](x.astype(np.float64))
    np.testing.assert_array_less(
        np.abs(y - expected), 8 * eps * np.maximum(np.abs(expected), np.abs(x)) + 8 * eps
    )


def test_parameters(nn):
    x = nn.asarray(X)
    np.testing.assert_allclose(nn.to_numpy(activations.elu(x, 0.5)), elu(X, 0.5), rtol=1e-15, atol=1e-15)
    leaky = nn.to_numpy(activations.leaky_relu(x, 0.25))
    np.testing.assert_array_equal(leaky, np.where(X > 0, X, 0.25 * X))
    tanh = 0.5 * X * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3)))
    np.testing.assert_allclose(nn.to_numpy(activations.gelu(x, approximate=True)), tanh, atol=1e-14)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmaxes(nn, axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    p = np.exp(x) / np.exp(x).sum(axis, keepdims=True)
    np.testing.assert_allclose(nn.to_numpy(activations.softmax(nn.asarray(x), axis)), p, rtol=1e-14)
    log_p = nn.to_numpy(activations.log_softmax(nn.asarray(x), axis))
    np.testing.assert_allclose(log_p, np.log(p), rtol=1e-14)


def test_extremes_do_not_overflow(nn):
    x = nn.asarray([-1000.0, 1000.0])
    expected = {
        "elu": [-1, 1000],
        "hard_sigmoid": [0, 1],
        "log_softmax": [-2000, 0],
        "mish": [0, 1000],
        "sigmoid": [0, 1],
        "silu": [0, 1000],
        "softmax": [0, 1],
        "softplus": [0, 1000],
        "tanh": [-1, 1],
    }
    for name, values in expected.items():
        assert nn.to_numpy(activations.get(name)(x)).tolist() == values, name


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [
        ("relu", [-1.0, 0.0, 1.0], [0, 0, 1]),
        ("relu6", [-1.0, 0.0, 3.0, 6.0, 7.0], [0, 0, 1, 0, 0]),
        ("hard_sigmoid", [-4.0, -3.0, 0.0, 3.0, 4.0], [0, 0, 1 / 6, 0, 0]),
        ("softsign", [-1.0, 1.0], [0.25, 0.25]),
        ("softplus", [0.0], [0.5]),
        ("mish", [0.0], [0.6]),
    ],
)
def test_slopes_at_the_kinks(nn, name, x, slope):
    variable = nn.Variable(nn.asarray(x))
    with nn.GradientTape() as tape:
        y = nn.sum(activations.get(name)(variable))
    np.testing.assert_allclose(nn.to_numpy(tape.gradient(y, variable)), slope, rtol=1e-6)


def test_nan_stays_nan(nn):
    x = nn.asarray([math.nan])
    for name in FORMULAS:
        assert np.isnan(nn.to_numpy(activations.get(name)(x))).all(), name


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get(math.sin) is math.sin
    assert activations.get("swish") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    with pytest.raises(ValueError, match="unknown activation 'rleu'; did you mean 'relu'"):
        activations.get("rleu")
    with pytest.raises(TypeError, match="got 3"):
        activations.get(3)


def test_words_are_no_tensor():
    with pytest.raises(TypeError):
        dn.activations.relu(["a", "b"])
