"""Initializers: their distributions, and that a seed fixes them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dualnn as dn
from dualnn import initializers, random

SHAPE = (200, 300)


def generator():
    return random.Generator(random.key(0, "weights"))


@pytest.mark.parametrize(
    ("initializer", "value"),
    [
        (initializers.Zeros(), 0.0),
        (initializers.Ones(), 1.0),
        (initializers.Constant(-1.5), -1.5),
    ],
)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)])
def test_constants(initializer, value, shape):
    weights = initializer(shape, generator())
    assert weights.shape == shape
    assert weights.dtype == np.float64
    assert np.all(weights == value)


def limits(weights):
    return weights.min(), weights.max()


def assert_moments(weights, mean, std):
    # The standard error of the mean is std / sqrt(n); that of the standard deviation is at most
    # std * sqrt((kurtosis - 1) / 4n), at most std / sqrt(2n) for these distributions.
    n = weights.size
    assert abs(weights.mean() - mean) < 4 * std / math.sqrt(n)
    assert abs(weights.std() - std) < 4 * std / math.sqrt(2 * n)


def test_random_normal():
    assert_moments(initializers.RandomNormal()(SHAPE, generator()), 0.0, 0.05)
    weights = initializers.RandomNormal(mean=1.0, stddev=2.0)(SHAPE, generator())
    assert_moments(weights, 1.0, 2.0)
    assert np.abs(weights - 1).max() > 3.5 * 2


def test_random_uniform():
    weights = initializers.RandomUniform(minval=-1.0, maxval=3.0)(SHAPE, generator())
    assert_moments(weights, 1.0, 4 / math.sqrt(12))
    assert -1 <= weights.min() < -0.99
    assert 2.99 < weights.max() < 3
    assert limits(initializers.RandomUniform()((10_000,), generator())) == pytest.approx(
        (-0.05, 0.05), rel=1e-2
    )


def truncated_stddev():
    """The standard deviation of a standard normal number that is known to be within 2."""
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 4 * density / math.erf(math.sqrt(2)))


def test_truncated_normal():
    weights = initializers.TruncatedNormal(mean=1.0, stddev=2.0)(SHAPE, generator())
    assert_moments(weights, 1.0, 2 * truncated_stddev())
    assert -3 <= weights.min() < -2.9
    assert 4.9 < weights.max() <= 5


FANS = {(): (1, 1), (8,): (8, 8), (200, 300): (200, 300), (3, 5, 40, 60): (15 * 40, 15 * 60)}
N = {"fan_in": lambda i, o: i, "fan_out": lambda i, o: o, "fan_avg": lambda i, o: (i + o) / 2}


@pytest.mark.parametrize("shape", [(200, 300), (3, 5, 40, 60)])
@pytest.mark.parametrize("mode", N)
@pytest.mark.parametrize("distribution", ["truncated_normal", "untruncated_normal", "uniform"])
def test_variance_scaling(shape, mode, distribution):
    std = math.sqrt(2.5 / N[mode](*FANS[shape]))
    weights = initializers.VarianceScaling(2.5, mode, distribution)(shape, generator())
    assert_moments(weights, 0.0, std)
    bound = {"truncated_normal": 2 / truncated_stddev(), "untruncated_normal": 10, "uniform": math.sqrt(3)}
    assert np.abs(weights).max() <= bound[distribution] * std


@pytest.mark.parametrize(
    ("name", "scale", "mode", "limit"),
    [
        ("glorot_uniform", 1, "fan_avg", math.sqrt(3)),
        ("glorot_normal", 1, "fan_avg", 2 / truncated_stddev()),
        ("he_uniform", 2, "fan_in", math.sqrt(3)),
        ("he_normal", 2, "fan_in", 2 / truncated_stddev()),
        ("lecun_uniform", 1, "fan_in", math.sqrt(3)),
        ("lecun_normal", 1, "fan_in", 2 / truncated_stddev()),
    ],
)
def test_named_variance_scalings(name, scale, mode, limit):
    weights = initializers.get(name)(SHAPE, generator())
    std = math.sqrt(scale / N[mode](*SHAPE))
    assert_moments(weights, 0.0, std)
    # Among 60,000 numbers the largest is within a percent of the bound that tells the distribution.
    assert 0.99 * limit * std < np.abs(weights).max() <= limit * std


@pytest.mark.parametrize("shape", [(), (8,)])
def test_fans_of_short_shapes(shape):
    values = [initializers.VarianceScaling(3.0, "fan_in", "uniform", seed=s)(shape) for s in range(2000)]
    assert np.abs(values).max() == pytest.approx(math.sqrt(9 / FANS[shape][0]), rel=0.01)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (2, 3, 4), (2, 2, 9)])
def test_orthogonal(shape):
    weights = initializers.Orthogonal(gain=2.0)(shape, generator())
    assert weights.shape == shape
    matrix = weights.reshape(-1, shape[-1]) / 2
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)


def test_orthogonal_matrices_are_uniform():
    # Of a matrix drawn uniformly from the orthogonal group, each entry has mean 0 and variance 1 / n.
    corner = np.array([initializers.Orthogonal(seed=seed)((3, 3))[0, 0] for seed in range(2000)])
    assert_moments(corner, 0.0, 1 / math.sqrt(3))


@pytest.mark.parametrize("shape", [(3, 3), (2, 4)])
def test_identity(shape):
    np.testing.assert_array_equal(initializers.Identity(gain=3.0)(shape), 3 * np.eye(*shape))


RANDOM = ["random_normal", "random_uniform", "truncated_normal", "he_normal", "glorot_uniform", "orthogonal"]


@pytest.mark.parametrize("name", RANDOM)
def test_a_generator_fixes_the_weights_and_goes_on(name):
    initializer = initializers.get(name)
    one = generator()
    first, second = initializer((4, 5), one), initializer((4, 5), one)
    np.testing.assert_array_equal(first, initializer((4, 5), generator()))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_fixes_the_weights_whatever_the_generator(name):
    one = generator()
    initializer = type(initializers.get(name))(seed=7)
    first, second = initializer((4, 5), one), initializer((4, 5))
    np.testing.assert_array_equal(first, second)
    assert one.counter == 0
    assert not np.array_equal(first, type(initializer)(seed=8)((4, 5)))


def test_the_seed_of_the_process_fixes_what_no_generator_does():
    initializer = initializers.GlorotUniform()
    dn.seed(1)
    first, second = initializer((3, 4)), initializer((3, 4))
    dn.seed(1)
    np.testing.assert_array_equal(first, initializer((3, 4)))
    assert not np.array_equal(first, second)


def test_get():
    assert (
        initializers.get("glorot_uniform")
        == initializers.get("GlorotUniform")
        == initializers.GlorotUniform()
    )
    assert initializers.get(initializers.Ones) == initializers.Ones()
    mine = lambda shape, generator: np.full(shape, 2.0)  # noqa: E731
    assert initializers.get(mine) is mine
    with pytest.raises(ValueError, match="unknown initializer 'glorot'; did you mean 'glorot_normal'"):
        initializers.get("glorot")
    with pytest.raises(TypeError, match="got 3"):
        initializers.get(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0.0}, "positive scale, got 0.0"),
        ({"mode": "fan"}, "unknown mode 'fan'; did you mean 'fan_in'"),
        ({"distribution": "normal"}, "unknown distribution 'normal'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        initializers.VarianceScaling(**arguments)


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"two or more axes, got \(3,\)"):
        initializers.Orthogonal()((3,))
    with pytest.raises(ValueError, match=r"two axes, got \(1, 2, 3\)"):
        initializers.Identity()((1, 2, 3))
