"""Unsigned integers of 16, 32 and 64 bits, of which the frameworks lack many kernels, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

UNSIGNED = ("uint16", "uint32", "uint64")
ONE_OPERAND = (
    "abs",
    "bitwise_invert",
    "negative",
    "sign",
    "square",
    "sum",
    "prod",
    "max",
    "min",
    "argmax",
    "argmin",
)
TWO_OPERANDS = (
    "add", "subtract", "multiply", "floor_divide", "remainder", "maximum", "minimum",
    "bitwise_and", "bitwise_or", "bitwise_xor", "equal", "not_equal",
    "less", "less_equal", "greater", "greater_equal",
)  # fmt: skip


def values(dtype):
    """Small and large numbers, among them those that have no signed integer of the same size."""
    highest = np.iinfo(dtype).max
    half = highest // 2
    numbers = [1, 2, 3, 7, half - 1, half, half + 1, half + 2, highest - 2, highest - 1, highest]
    return np.array(numbers, dtype=dtype)


@pytest.mark.parametrize("dtype", UNSIGNED)
@pytest.mark.parametrize("name", ONE_OPERAND)
def test_unsigned(nn, name, dtype):
    x = values(dtype)
    expected = getattr(np, name)(x)
    np.testing.assert_array_equal(nn.to_numpy(getattr(nn, name)(nn.asarray(x))), expected)


@pytest.mark.parametrize("dtype", UNSIGNED)
@pytest.mark.parametrize("name", TWO_OPERANDS)
def test_pairs_of_unsigned(nn, name, dtype):
    x1, x2 = values(dtype)[:, None], values(dtype)[None]
    actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x1), nn.asarray(x2)))
    np.testing.assert_array_equal(actual, getattr(np, name)(x1, x2), strict=True)


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "equal", "less", "maximum", "add"])
def test_unsigned_and_a_large_number(nn, name):
    x, number = values("uint64"), 2**63 + 12345
    actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x), number))
    np.testing.assert_array_equal(actual, getattr(np, name)(x, np.uint64(number)), strict=True)


@pytest.mark.parametrize("dtype", UNSIGNED)
@pytest.mark.parametrize("places", [0, 1, 5, 15])
def test_shifts_of_unsigned(nn, dtype, places):
    x, places = values(dtype), np.array(places, dtype=dtype)
    for name, reference in (("bitwise_left_shift", np.left_shift), ("bitwise_right_shift", np.right_shift)):
        actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x), nn.asarray(places)))
        np.testing.assert_array_equal(actual, reference(x, places), strict=True)


def test_exponents_and_shifts_that_int64_does_not_hold(nn):
    x = np.array([[0], [1], [2], [3], [2**63 + 1]], np.uint64)
    huge = np.array([2**63, 2**63 + 5, 2**64 - 1], np.uint64)
    for name, reference in (("pow", np.power), ("bitwise_right_shift", np.right_shift)):
        actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x), nn.asarray(huge)))
        np.testing.assert_array_equal(actual, reference(x, huge), strict=True)


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_order_of_unsigned(nn, dtype):
    x = np.random.default_rng(0).permutation(values(dtype))
    t = nn.asarray(x)
    np.testing.assert_array_equal(nn.to_numpy(nn.sort(t)), np.sort(x), strict=True)
    np.testing.assert_array_equal(nn.to_numpy(nn.sort(t, descending=True)), np.sort(x)[::-1], strict=True)
    np.testing.assert_array_equal(nn.to_numpy(nn.argsort(t)), np.argsort(x))
    np.testing.assert_array_equal(nn.to_numpy(nn.searchsorted(nn.sort(t), t)), np.searchsorted(np.sort(x), x))
    np.testing.assert_array_equal(nn.to_numpy(nn.unique_values(nn.concat([t, t]))), np.sort(x), strict=True)
    np.testing.assert_array_equal(nn.to_numpy(nn.clip(t, 3, int(x.max()) - 1)), np.clip(x, 3, x.max() - 1))
    np.testing.assert_array_equal(nn.to_numpy(nn.isin(t, t[:3])), np.isin(x, x[:3]))


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_moving_unsigned(nn, dtype):
    x = values(dtype)
    t, places = nn.asarray(x), np.array([-1, 0, 5])
    np.testing.assert_array_equal(nn.to_numpy(nn.take(t, nn.asarray(places))), x[places], strict=True)
    taken = nn.to_numpy(nn.take_along_axis(t, nn.asarray(places)))
    np.testing.assert_array_equal(taken, x[places], strict=True)
    np.testing.assert_array_equal(nn.to_numpy(nn.flip(t)), x[::-1], strict=True)
    np.testing.assert_array_equal(nn.to_numpy(nn.repeat(t, 2)), np.repeat(x, 2), strict=True)
    np.testing.assert_array_equal(nn.to_numpy(nn.diff(t)), np.diff(x), strict=True)
    np.testing.assert_array_equal(
        nn.to_numpy(nn.cumulative_sum(t)), np.cumsum(x.astype("uint64")), strict=True
    )
    np.testing.assert_array_equal(nn.to_numpy(nn.tril(nn.stack([t, t]))), np.tril([x, x]), strict=True)


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_products_of_unsigned(nn, dtype):
    x = values(dtype)
    t = nn.asarray(x)
    np.testing.assert_array_equal(
        nn.to_numpy(nn.linalg.outer(t, nn.flip(t))), np.outer(x, x[::-1]), strict=True
    )
    matrix = np.stack([x[:3], x[-3:]])
    crossed = nn.linalg.cross(nn.asarray(matrix), t[2:5])
    np.testing.assert_array_equal(nn.to_numpy(crossed), np.cross(matrix, x[2:5]), strict=True)
    np.testing.assert_array_equal(nn.to_numpy(nn.pow(t[:4], t[:4])), x[:4] ** x[:4], strict=True)
    np.testing.assert_array_equal(
        nn.to_numpy(nn.matmul(nn.stack([t, t]), t)), np.stack([x, x]) @ x, strict=True
    )


@pytest.mark.parametrize("other", ["uint8", "uint16", "uint32", "uint64", "int8"])
@pytest.mark.parametrize("dtype", UNSIGNED)
def test_joining_unsigned_of_several_sizes(nn, dtype, other):
    if (dtype, other) == ("uint64", "int8"):
        return  # the standard has no common integer
    x, y = values(dtype), np.array([0, 1, 100], dtype=other)
    promoted = np.result_type(x, y)
    joined = np.concatenate([x, y]).astype(promoted)
    t, u = nn.asarray(x), nn.asarray(y)
    np.testing.assert_array_equal(nn.to_numpy(nn.concat([t, u])), joined, strict=True)
    np.testing.assert_array_equal(nn.to_numpy(nn.stack([t[:3], u])), np.stack([x[:3], y]), strict=True)
    mask = np.array([True, False, True])
    chosen = nn.where(nn.asarray(mask), t[:3], u)
    np.testing.assert_array_equal(nn.to_numpy(chosen), np.where(mask, x[:3], y), strict=True)
    np.testing.assert_array_equal(
        nn.to_numpy(nn.repeat(t, nn.asarray(y[:1] + 2))), np.repeat(x, 2), strict=True
    )


def test_promotion_of_unsigned(nn):
    x1, x2 = nn.asarray([1, 2], dtype="uint16"), nn.asarray([-1, 2], dtype="int8")
    assert nn.to_numpy(nn.add(x1, x2)).tolist() == [0, 4]
    assert nn.add(x1, x2).dtype == nn.concat([x1, x2]).dtype == nn.int32
    with pytest.raises(TypeError, match="uint64 and int8"):
        nn.add(nn.asarray([1], dtype="uint64"), x2)


def test_lists_of_small_and_large_numbers(nn):
    numbers = [0, 1, 2**63, 2**64 - 1]  # of which NumPy makes floats
    assert nn.to_numpy(nn.asarray(numbers, dtype="uint64")).tolist() == numbers
