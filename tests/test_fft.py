"""The Fourier transform extension of the array namespaces, against NumPy's in float64.

A fast Fourier transform of n numbers has a relative error, in the 2-norm, of a small constant times
``log2(n) eps`` (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2, with
precomputed twiddle factors; the constant is below 8). Lengths with large prime factors are
transformed by three transforms of at most four times the length, which is three times as much.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL_AXES = ("fftn", "ifftn", "rfftn", "irfftn")
OF_REAL_NUMBERS = ("rfft", "ihfft", "rfftn")
TO_REAL_NUMBERS = ("irfft", "hfft", "irfftn")
NORMS = ("backward", "ortho", "forward")

some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def numbers(function, precision, *shape):
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape)
    if function in OF_REAL_NUMBERS:
        return x.astype(precision)
    return (x + 1j * generator.normal(size=shape)).astype(np.result_type(precision, np.complex64))


def assert_close(actual, expected, count, precision):
    assert actual.shape == expected.shape
    bound = 24 * (math.log2(4 * count) + 1) * np.finfo(precision).eps
    assert np.linalg.norm(actual - expected) <= bound * np.linalg.norm(expected)


def assert_dtype(actual, function, precision):
    is_real = function in TO_REAL_NUMBERS
    assert actual.dtype == (precision if is_real else np.result_type(precision, np.complex64))


def test_it_holds_the_standards_names_and_no_others(nn):
    names = [
        "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
        "irfftn", "rfft", "rfftfreq", "rfftn",
    ]  # fmt: skip
    assert sorted(nn.fft.__all__) == names
    assert sorted(name for name in dir(nn.fft) if name[0] != "_" and name != "annotations") == names


@some
@given(
    function=st.sampled_from(ONE_AXIS),
    precision=st.sampled_from(["float32", "float64"]),
    length=st.integers(2, 40),
    n=st.none() | st.integers(1, 60),
    axis=st.integers(-3, 2),
    norm=st.sampled_from(NORMS),
)
def test_one_axis(nn, function, precision, length, n, axis, norm):
    shape = [2, 3, 2]
    shape[axis] = length
    x = numbers(function, precision, *shape)
    actual = nn.to_numpy(getattr(nn.fft, function)(nn.asarray(x), n=n, axis=axis, norm=norm))
    assert_dtype(actual, function, precision)
    wide = x.astype(np.result_type(x, np.float64))
    assert_close(
        actual, getattr(np.fft, function)(wide, n=n, axis=axis, norm=norm), n or 2 * length, precision
    )


@some
@given(
    function=st.sampled_from(SEVERAL_AXES),
    precision=st.sampled_from(["float32", "float64"]),
    axes=st.none()
    | st.permutations(range(3)).flatmap(lambda axes: st.sampled_from([axes, axes[:2], axes[:1]])),
    sizes=st.none() | st.lists(st.integers(1, 8) | st.just(-1), min_size=3, max_size=3),
    norm=st.sampled_from(NORMS),
)
def test_several_axes(nn, function, precision, axes, sizes, norm):
    x = numbers(function, precision, 3, 4, 6)
    s = None if sizes is None or axes is None else sizes[: len(axes)]
    if s is not None and s[-1] == -1:
        s[-1] = 5  # NumPy's meaning of -1 for the last axis of irfftn differs from the standard's
    actual = nn.to_numpy(getattr(nn.fft, function)(nn.asarray(x), s=s, axes=axes, norm=norm))
    assert_dtype(actual, function, precision)
    wide = x.astype(np.result_type(x, np.float64))
    filled = s and [x.shape[axis] if size == -1 else size for size, axis in zip(s, axes, strict=True)]
    expected = getattr(np.fft, function)(wide, s=filled, axes=axes, norm=norm)
    assert_close(actual, expected, 8**3, precision)


@pytest.mark.parametrize("function", ["fft", "fftn", "hfft", "irfft", "irfftn"])
def test_real_numbers_are_taken_as_complex_ones(nn, function):
    x = np.arange(1.0, 7.0)
    actual = nn.to_numpy(getattr(nn.fft, function)(nn.asarray(x)))
    assert_close(actual, getattr(np.fft, function)(x), len(x), "float64")


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("function", ["fftfreq", "rfftfreq"])
def test_frequencies(nn, function, n):
    actual = nn.to_numpy(getattr(nn.fft, function)(n, d=0.3, dtype="float64"))
    np.testing.assert_array_max_ulp(actual, getattr(np.fft, function)(n, 0.3), 2)
    assert nn.dtype_name(getattr(nn.fft, function)(n).dtype) == "float32"
    assert nn.device(getattr(nn.fft, function)(n, device="cpu")) == "cpu"


@pytest.mark.parametrize("axes", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("function", ["fftshift", "ifftshift"])
def test_shifts(nn, function, axes):
    x = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    actual = nn.to_numpy(getattr(nn.fft, function)(nn.asarray(x), axes=axes))
    np.testing.assert_array_equal(actual, getattr(np.fft, function)(x, axes), strict=True)


def test_an_unknown_norm_and_no_elements_are_refused(nn):
    with pytest.raises((ValueError, RuntimeError), match="norm"):
        nn.fft.fft(nn.ones(3), norm="forwards")
    with pytest.raises((ValueError, RuntimeError), match="0"):
        nn.fft.fft(nn.ones(3), n=0)


@pytest.mark.parametrize("function", ["irfft", "hfft"])
def test_no_elements_of_half_a_spectrum_are_refused(nn, function):
    with pytest.raises((ValueError, RuntimeError), match="0"):
        getattr(nn.fft, function)(nn.ones(1))  # of 2 * (1 - 1) elements, of which a kernel ended the process


@pytest.mark.parametrize("function", ONE_AXIS + SEVERAL_AXES)
def test_no_signals(nn, function):
    options = {"axes": (0,)} if function in SEVERAL_AXES else {"axis": 0}
    x = numbers(function, "float32", 3, 0)
    actual = nn.to_numpy(getattr(nn.fft, function)(nn.asarray(x), **options))
    assert actual.shape == getattr(np.fft, function)(x, **options).shape
    assert_dtype(actual, function, "float32")


@pytest.mark.parametrize("function", ["fftshift", "ifftshift"])
def test_shift_of_no_axes(nn, function):
    x = nn.ones((2, 3))
    assert nn.to_numpy(getattr(nn.fft, function)(x, axes=())).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [3, 4, 7])
def test_gradient_is_the_adjoint_transform(nn, n, norm):
    # For y = F x, the gradient of sum(abs(y)**2) is 2 F^H y; with norm="ortho" F^H is the inverse.
    x = np.random.default_rng(0).normal(size=5)

    def energy(x):
        y = nn.fft.rfft(x, n=n, norm=norm)
        return nn.sum(nn.real(y) ** 2 + nn.imag(y) ** 2)

    matrix = np.fft.rfft(np.eye(5), n=n, norm=norm, axis=0)
    expected = 2 * np.real(np.conj(matrix).T @ (matrix @ x))
    assert_close(nn.to_numpy(nn.grad(energy)(nn.asarray(x))), expected, 5 * n, "float64")


@pytest.mark.parametrize("n", [5, 6])
def test_gradient_of_the_inverse(nn, n):
    x = np.random.default_rng(0).normal(size=4)

    def energy(x):
        return nn.sum(nn.fft.irfft(nn.astype(x, "complex128"), n=n) ** 2)

    matrix = np.fft.irfft(np.eye(4), n=n, axis=0)
    expected = 2 * matrix.T @ (matrix @ x)
    assert_close(nn.to_numpy(nn.grad(energy)(nn.asarray(x))), expected, 5 * n, "float64")
