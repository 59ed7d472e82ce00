"""Faults planted in an adapter or in the core: the conformance suite must catch each, and name it."""

from __future__ import annotations

import pytest

import dualnn as dn
from dualnn.conformance import conform


def bad_names(backend, *select):
    report = conform([backend], select=select)
    assert report.results
    return {result.name for result in report.bad}


@pytest.fixture
def plant(nn, monkeypatch):
    """Put `make(the true function)` in the place of a function of the backend."""

    def plant(name, make):
        monkeypatch.setattr(nn, name, make(getattr(nn, name)))

    return plant


def test_without_a_fault_nothing_is_named(backend):
    assert bad_names(backend, "layers.BatchNormalization", "conv2d", "avg_pool2d", "optimizers.SGD") == set()


def test_a_wrong_epsilon(backend, monkeypatch):
    call = dn.layers.BatchNormalization.call

    def with_another(self, *arguments, **keywords):
        monkeypatch.setattr(self, "epsilon", 1.1 * self.epsilon)
        return call(self, *arguments, **keywords)

    monkeypatch.setattr(dn.layers.BatchNormalization, "call", with_another)
    assert bad_names(backend, "layers.BatchNormalization") == {"layers.BatchNormalization"}


def test_swapped_parts(nn, backend, plant):
    plant("concat", lambda concat: lambda arrays, **kw: concat(list(arrays)[::-1], **kw))
    assert {"concat", "layers.Concatenate"} <= bad_names(backend, "concat", "Concatenate")


def test_a_missing_division_by_n(nn, backend, plant):
    plant("mean", lambda mean: lambda x, **kw: nn.sum(x, **kw))
    found = bad_names(backend, "mean", "losses.MeanSquaredError", "layers.GlobalAveragePooling2D")
    assert {"mean", "losses.MeanSquaredError", "layers.GlobalAveragePooling2D"} <= found


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "avg_pool2d"])
def test_padding_that_is_off_by_one(nn, backend, plant, name):
    def make(function):
        def shifted(x, *arguments, padding, **keywords):
            if padding == "same":
                x = nn.roll(x, 1, axis=1)
            return function(x, *arguments, padding=padding, **keywords)

        return shifted

    plant(name, make)
    assert name in bad_names(backend, name)


def test_padded_pixels_that_are_counted(nn, backend, plant):
    def make(avg_pool2d):
        def counting(x, /, *, pool_size, strides, padding):
            ones = avg_pool2d(nn.ones_like(x), pool_size=pool_size, strides=strides, padding=padding)
            rows = nn.shape(x)[1]
            share = 1.0 if rows % strides[0] == 0 or padding == "valid" else 0.5
            return avg_pool2d(x, pool_size=pool_size, strides=strides, padding=padding) * ones * share

        return counting

    plant("avg_pool2d", make)
    assert "avg_pool2d" in bad_names(backend, "avg_pool2d")


def test_a_momentum_of_one_minus_m(backend, monkeypatch):
    def follow(self, moving, batch):
        batch = self.nn.stop_gradient(self.nn.reshape(batch, (-1,)))
        return moving * (1.0 - self.momentum) + batch * self.momentum

    monkeypatch.setattr(dn.layers.BatchNormalization, "_follow", follow)
    assert bad_names(backend, "layers.BatchNormalization") == {"layers.BatchNormalization"}


def test_a_momentum_of_one_minus_m_of_sgd(backend, monkeypatch):
    init = dn.optimizers.SGD.__init__

    def flipped(self, *arguments, **keywords):
        init(self, *arguments, **keywords)
        self.momentum = 1 - self.momentum

    monkeypatch.setattr(dn.optimizers.SGD, "__init__", flipped)
    assert bad_names(backend, "optimizers.SGD") == {"optimizers.SGD"}


def test_an_epsilon_of_adam(backend, monkeypatch):
    init = dn.optimizers.Adam.__init__

    def other(self, *arguments, **keywords):
        init(self, *arguments, **keywords)
        self.epsilon = self.epsilon / 10

    monkeypatch.setattr(dn.optimizers.Adam, "__init__", other)
    assert "optimizers.Adam" in bad_names(backend, "optimizers.Adam")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("gelu", lambda gelu: lambda x, approximate=False: gelu(x, approximate=True)),
        ("sigmoid", lambda sigmoid: lambda x: sigmoid(x * (1 + 3e-6))),
        ("softmax", lambda softmax: lambda x, axis=-1: softmax(x, axis=0)),
        ("logsumexp", lambda lse: lambda x, **kw: lse(x, **kw) + 1e-5),
        ("argmax", lambda argmax: lambda x, **kw: argmax(-x, **kw)),
        ("std", lambda std: lambda x, correction=0.0, **kw: std(x, correction=1.0, **kw)),
        ("floor_divide", lambda f: lambda x1, x2: f(x1, x2) + (x1 < 0)),
        ("cumulative_sum", lambda f: lambda x, **kw: f(x, **kw) - x),
        ("sort", lambda f: lambda x, descending=False, **kw: f(x, descending=not descending, **kw)),
        ("stop_gradient", lambda f: lambda x: x),
    ],
)
def test_a_function_that_is_another_one(backend, plant, name, make):
    plant(name, make)
    assert name in bad_names(backend, name)
