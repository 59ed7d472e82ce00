"""What is particular to the PyTorch adapter's array functions: types without kernels, compiling, vmap."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import dualnn_torch as nn

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
def test_unsigned(name, dtype):
    x = values(dtype)
    expected = getattr(np, name)(x)
    np.testing.assert_array_equal(nn.to_numpy(getattr(nn, name)(nn.asarray(x))), expected)


@pytest.mark.parametrize("dtype", UNSIGNED)
@pytest.mark.parametrize("name", TWO_OPERANDS)
def test_pairs_of_unsigned(name, dtype):
    x1, x2 = values(dtype)[:, None], values(dtype)[None]
    actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x1), nn.asarray(x2)))
    np.testing.assert_array_equal(actual, getattr(np, name)(x1, x2), strict=True)


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "equal", "less", "maximum", "add"])
def test_unsigned_and_a_large_number(name):
    x, number = values("uint64"), 2**63 + 12345
    actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x), number))
    np.testing.assert_array_equal(actual, getattr(np, name)(x, np.uint64(number)), strict=True)


@pytest.mark.parametrize("dtype", UNSIGNED)
@pytest.mark.parametrize("places", [0, 1, 5, 15])
def test_shifts_of_unsigned(dtype, places):
    x, places = values(dtype), np.array(places, dtype=dtype)
    for name, reference in (("bitwise_left_shift", np.left_shift), ("bitwise_right_shift", np.right_shift)):
        actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x), nn.asarray(places)))
        np.testing.assert_array_equal(actual, reference(x, places), strict=True)


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_order_of_unsigned(dtype):
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
def test_moving_unsigned(dtype):
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


def test_promotion_of_unsigned():
    x1, x2 = nn.asarray([1, 2], dtype="uint16"), nn.asarray([-1, 2], dtype="int8")
    assert nn.to_numpy(nn.add(x1, x2)).tolist() == [0, 4]
    assert nn.add(x1, x2).dtype == nn.concat([x1, x2]).dtype == nn.int32
    with pytest.raises(TypeError, match="uint64 and int8"):
        nn.add(nn.asarray([1], dtype="uint64"), x2)


COMPILED = {
    "add a number": lambda x: nn.add(x, 1),
    "add": lambda x: nn.add(x, nn.astype(x[0], "float64")),
    "maximum": lambda x: nn.maximum(x, 0.5),
    "where": lambda x: nn.where(nn.greater(x, 0.5), x, 0.0),
    "clip": lambda x: nn.clip(x, 0.2, nn.asarray(0.8)),
    "remainder": lambda x: nn.remainder(x, 0.3),
    "floor_divide": lambda x: nn.floor_divide(x, 0.3),
    "take": lambda x: nn.take(x, nn.asarray([0, -1]), axis=1),
    "take_along_axis": lambda x: nn.take_along_axis(x, nn.argsort(x), axis=-1),
    "sum": lambda x: nn.sum(nn.astype(nn.multiply(x, 10), "uint8")),
    "var": lambda x: nn.var(x, axis=0, correction=0.5),
    "cumulative_sum": lambda x: nn.cumulative_sum(x, axis=0, include_initial=True),
    "prod": lambda x: nn.prod(x, axis=(0, 1)),
    "concat": lambda x: nn.concat([x, nn.full((1, 3), 2.0), nn.reshape(nn.arange(3), (1, 3))]),
    "sign": lambda x: nn.sign(x),
    "uint64": lambda x: nn.maximum(nn.astype(x, "uint64"), 2**63),
    "svd": lambda x: nn.linalg.svdvals(x),
    "fft": lambda x: nn.abs(nn.fft.fft(nn.astype(x, "complex64"))),
    "result_type": lambda x: nn.zeros(2, dtype=nn.result_type(x, nn.float64)),
}


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_as_one_graph(name):
    torch.compiler.reset()
    x = torch.linspace(0.1, 0.9, 12).reshape(4, 3)
    compiled = torch.compile(COMPILED[name], fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), COMPILED[name](x), rtol=0, atol=0)


DIFFERENTIABLE = {
    "where": lambda x: nn.where(nn.greater(x, 0.5), x, 0.0),
    "maximum": lambda x: nn.maximum(x, 0.5),
    "clip": lambda x: nn.clip(x, 0.2, 0.8),
    "remainder": lambda x: nn.remainder(x, 0.3),
    "take": lambda x: nn.take(x, nn.asarray([0, -1, 0]), axis=0),
    "sign": lambda x: nn.sign(x) * x,
    "std": lambda x: nn.std(x),
    "prod": lambda x: nn.prod(x),
    "concat": lambda x: nn.concat([x, x * x]),
    "expm1": lambda x: nn.real(nn.expm1(nn.multiply(x, 1j))),
    "norm": lambda x: nn.linalg.vector_norm(x),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name):
    def total(x):
        return nn.sum(DIFFERENTIABLE[name](x))

    x = torch.tensor([0.15, 0.55, 0.95], dtype=torch.float64)
    gradient = torch.func.grad(total)(x)
    step = 1e-6 * torch.eye(3, dtype=torch.float64)
    numeric = torch.stack([(total(x + one) - total(x - one)) / 2e-6 for one in step])
    torch.testing.assert_close(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_vmap(name):
    x = torch.tensor([[0.15, 0.55, 0.95], [0.25, 0.65, 0.85]])
    expected = torch.stack([DIFFERENTIABLE[name](one) for one in x])
    torch.testing.assert_close(torch.func.vmap(DIFFERENTIABLE[name])(x), expected)


def test_gradient_of_remainder_is_one_at_its_zeros():
    x = torch.tensor([0.0, 1.0, 2.0])
    assert torch.func.grad(lambda x: nn.sum(nn.remainder(x, 1.0)))(x).tolist() == [1.0, 1.0, 1.0]


def test_too_few_values_for_the_correction():
    assert nn.isnan(nn.std(nn.asarray([1.0, 2.0]), correction=2.5))
    assert nn.isnan(nn.var(nn.asarray([1.0]), axis=(), correction=1))[0]


def test_squeeze_names_the_axis():
    with pytest.raises(ValueError, match="got axis 1 of shape"):
        nn.squeeze(nn.zeros((1, 2)), axis=1)


def test_extensions_hold_the_standards_names_only():
    for extension in (nn.linalg, nn.fft):
        assert [name for name in dir(extension) if name[0] != "_"] == sorted(extension.__all__)
