"""What is particular to the PyTorch adapter's array functions: `torch.func.vmap`, and some corners."""

from __future__ import annotations

import pytest
import torch

import dualnn_torch as nn

MAPPED = {
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


@pytest.mark.parametrize("name", MAPPED)
def test_vmap(name):
    x = torch.tensor([[0.15, 0.55, 0.95], [0.25, 0.65, 0.85]])
    expected = torch.stack([MAPPED[name](one) for one in x])
    torch.testing.assert_close(torch.func.vmap(MAPPED[name])(x), expected)


def test_gradient_of_remainder_is_one_at_its_zeros():
    x = torch.tensor([0.0, 1.0, 2.0])
    assert torch.func.grad(lambda x: nn.sum(nn.remainder(x, 1.0)))(x).tolist() == [1.0, 1.0, 1.0]


def test_too_few_values_for_the_correction():
    assert nn.isnan(nn.std(nn.asarray([1.0, 2.0]), correction=2.5))
    assert nn.isnan(nn.var(nn.asarray([1.0]), axis=(), correction=1))[0]


def test_squeeze_names_the_axis():
    with pytest.raises(ValueError, match="got axis 1 of shape"):
        nn.squeeze(nn.zeros((1, 2)), axis=1)
