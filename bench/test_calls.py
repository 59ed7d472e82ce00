"""What a function of a namespace costs over the framework's own call, eagerly, on a small tensor.

pytest bench/test_calls.py --benchmark-group-by=param:backend,param:call --benchmark-columns=min,median

The ratio stands in parentheses, in one run and one group. What is small here is (32, 10) float32: the
output of a classifier, where the price of a call is all there is. Compiled, both are the same operation.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

import dualnn as dn

SHAPE = (32, 10)


def calls(nn, own):
    """Return, by name, pairs of functions of no arguments: the namespace's and the framework's own."""
    generator = np.random.default_rng(0)
    x, y = (nn.asarray(generator.uniform(0.1, 1, SHAPE).astype("float32")) for _ in range(2))
    w = nn.asarray(generator.normal(size=(10, 10)).astype("float32"))
    mask, i = x > 0.5, nn.asarray(generator.integers(0, 10, 32))
    j, k = nn.asarray(generator.integers(0, 10, (32, 1))), nn.asarray([1, 3, 5])
    pairs = {}
    for name in ("add", "subtract", "multiply", "divide", "pow", "maximum", "minimum"):
        ours, native = getattr(nn, name), own[name]
        pairs[name] = (lambda ours=ours: ours(x, y)), (lambda native=native: native(x, y))
        pairs[f"{name} a number"] = (lambda ours=ours: ours(x, 0.5)), own[f"{name} a number"](x)
    for name in ("equal", "greater", "less"):
        ours, native = getattr(nn, name), own[name]
        pairs[name] = (lambda ours=ours: ours(x, y)), (lambda native=native: native(x, y))
    for name in (
        "abs", "exp", "log", "log1p", "sqrt", "square", "tanh", "negative", "sign", "isfinite",
        "sum", "mean", "max", "argmax", "relu", "sigmoid", "softmax", "log_softmax", "zeros_like",
        "ones_like",
    ):  # fmt: skip
        ours, native = getattr(nn, name), own[name]
        pairs[name] = (lambda ours=ours: ours(x)), (lambda native=native: native(x))
    ours = {
        "sum over an axis": lambda: nn.sum(x, axis=-1),
        "mean over an axis": lambda: nn.mean(x, axis=0, keepdims=True),
        "argmax over an axis": lambda: nn.argmax(x, axis=-1),
        "logical_and": lambda: nn.logical_and(mask, mask),
        "logical_not": lambda: nn.logical_not(mask),
        "where": lambda: nn.where(mask, x, y),
        "clip": lambda: nn.clip(x, 0.2, 0.8),
        "matmul": lambda: nn.matmul(x, w),
        "matrix_transpose": lambda: nn.matrix_transpose(x),
        "reshape": lambda: nn.reshape(x, (10, 32)),
        "permute_dims": lambda: nn.permute_dims(x, (1, 0)),
        "expand_dims": lambda: nn.expand_dims(x, axis=-1),
        "concat": lambda: nn.concat((x, y), axis=-1),
        "stack": lambda: nn.stack((x, y)),
        "broadcast_to": lambda: nn.broadcast_to(x, (2, 32, 10)),
        "take": lambda: nn.take(x, i, axis=0),
        "take_along_axis": lambda: nn.take_along_axis(x, j, axis=1),
        "astype": lambda: nn.astype(x, nn.float64),
        "zeros": lambda: nn.zeros(SHAPE),
        "full": lambda: nn.full(SHAPE, 0.5),
        "arange": lambda: nn.arange(32),
        "one_hot": lambda: nn.one_hot(i, 10),
        "take along another axis": lambda: nn.take(x, k, axis=1),
        "floor_divide": lambda: nn.floor_divide(x, y),
        "remainder": lambda: nn.remainder(x, y),
        "hypot": lambda: nn.hypot(x, y),
        "logaddexp": lambda: nn.logaddexp(x, y),
        "prod over an axis": lambda: nn.prod(x, axis=1),
        "std over an axis": lambda: nn.std(x, axis=1),
        "elu": lambda: nn.elu(x),
        "selu": lambda: nn.selu(x),
        "stop_gradient": lambda: nn.stop_gradient(x),
    }
    return pairs | {name: (call, own[name](x, y, w, mask, i, j, k)) for name, call in ours.items()}


def own_of_torch():
    import torch

    own = {
        name: getattr(torch, name)
        for name in (
            "add", "subtract", "multiply", "divide", "pow", "maximum", "minimum", "greater", "less",
            "abs", "exp", "log", "log1p", "sqrt", "square", "tanh", "negative", "sign", "isfinite",
            "sum", "mean", "max", "argmax", "relu", "sigmoid", "zeros_like", "ones_like",
        )
    }  # fmt: skip
    return own | {
        "equal": torch.eq,
        "softmax": lambda x: torch.softmax(x, -1),
        "log_softmax": lambda x: torch.log_softmax(x, -1),
        "add a number": lambda x: lambda: torch.add(x, 0.5),
        "subtract a number": lambda x: lambda: torch.subtract(x, 0.5),
        "multiply a number": lambda x: lambda: torch.multiply(x, 0.5),
        "divide a number": lambda x: lambda: torch.divide(x, 0.5),
        "pow a number": lambda x: lambda: torch.pow(x, 0.5),
        "maximum a number": lambda x: lambda: torch.clamp(x, min=0.5),
        "minimum a number": lambda x: lambda: torch.clamp(x, max=0.5),
        "sum over an axis": lambda x, *_: lambda: torch.sum(x, -1),
        "mean over an axis": lambda x, *_: lambda: torch.mean(x, 0, keepdim=True),
        "argmax over an axis": lambda x, *_: lambda: torch.argmax(x, -1),
        "logical_and": lambda x, y, w, mask, *_: lambda: torch.logical_and(mask, mask),
        "logical_not": lambda x, y, w, mask, *_: lambda: torch.logical_not(mask),
        "where": lambda x, y, w, mask, *_: lambda: torch.where(mask, x, y),
        "clip": lambda x, *_: lambda: torch.clip(x, 0.2, 0.8),
        "matmul": lambda x, y, w, *_: lambda: torch.matmul(x, w),
        "matrix_transpose": lambda x, *_: lambda: x.mT,
        "reshape": lambda x, *_: lambda: torch.reshape(x, (10, 32)),
        "permute_dims": lambda x, *_: lambda: torch.permute(x, (1, 0)),
        "expand_dims": lambda x, *_: lambda: torch.unsqueeze(x, -1),
        "concat": lambda x, y, *_: lambda: torch.cat((x, y), -1),
        "stack": lambda x, y, *_: lambda: torch.stack((x, y)),
        "broadcast_to": lambda x, *_: lambda: torch.broadcast_to(x, (2, 32, 10)),
        "take": lambda x, y, w, mask, i, j, k: lambda: x[i],
        "take_along_axis": lambda x, y, w, mask, i, j, k: lambda: torch.take_along_dim(x, j, 1),
        "astype": lambda x, *_: lambda: x.to(torch.float64),
        "zeros": lambda *_: lambda: torch.zeros(SHAPE),
        "full": lambda *_: lambda: torch.full(SHAPE, 0.5),
        "arange": lambda *_: lambda: torch.arange(32),
        "one_hot": lambda x, y, w, mask, i, j, k: (
            lambda: torch.nn.functional.one_hot(i, 10).to(torch.float32)
        ),
        "take along another axis": lambda x, y, w, mask, i, j, k: lambda: torch.index_select(x, 1, k),
        "floor_divide": lambda x, y, *_: lambda: torch.floor_divide(x, y),
        "remainder": lambda x, y, *_: lambda: torch.remainder(x, y),
        "hypot": lambda x, y, *_: lambda: torch.hypot(x, y),
        "logaddexp": lambda x, y, *_: lambda: torch.logaddexp(x, y),
        "prod over an axis": lambda x, *_: lambda: torch.prod(x, 1),
        "std over an axis": lambda x, *_: lambda: torch.std(x, 1, correction=0),
        "elu": lambda x, *_: lambda: torch.nn.functional.elu(x),
        "selu": lambda x, *_: lambda: torch.nn.functional.selu(x),
        "stop_gradient": lambda x, *_: lambda: x.detach(),
    }


def own_of_tensorflow():
    import tensorflow as tf

    own = {
        name: getattr(tf, name)
        for name in (
            "add", "subtract", "multiply", "divide", "pow", "maximum", "minimum", "equal", "greater", "less",
            "abs", "exp", "sqrt", "square", "tanh", "negative", "sign", "argmax", "zeros_like", "ones_like",
        )
    }  # fmt: skip

    def with_a_number(call):
        return lambda x: lambda: call(x, 0.5)

    of_a_number = {
        f"{name} a number": with_a_number(getattr(tf, name))
        for name in ("add", "subtract", "multiply", "divide", "pow", "maximum", "minimum")
    }
    return own | of_a_number | {
        "log": tf.math.log,
        "log1p": tf.math.log1p,
        "isfinite": tf.math.is_finite,
        "sum": tf.reduce_sum,
        "mean": tf.reduce_mean,
        "max": tf.reduce_max,
        "argmax": lambda x: tf.argmax(tf.reshape(x, (-1,))),
        "relu": tf.nn.relu,
        "sigmoid": tf.sigmoid,
        "softmax": tf.nn.softmax,
        "log_softmax": tf.nn.log_softmax,
        "sum over an axis": lambda x, *_: lambda: tf.reduce_sum(x, -1),
        "mean over an axis": lambda x, *_: lambda: tf.reduce_mean(x, 0, keepdims=True),
        "argmax over an axis": lambda x, *_: lambda: tf.argmax(x, -1),
        "logical_and": lambda x, y, w, mask, *_: lambda: tf.logical_and(mask, mask),
        "logical_not": lambda x, y, w, mask, *_: lambda: tf.logical_not(mask),
        "where": lambda x, y, w, mask, *_: lambda: tf.where(mask, x, y),
        "clip": lambda x, *_: lambda: tf.clip_by_value(x, 0.2, 0.8),
        "matmul": lambda x, y, w, *_: lambda: tf.matmul(x, w),
        "matrix_transpose": lambda x, *_: lambda: tf.linalg.matrix_transpose(x),
        "reshape": lambda x, *_: lambda: tf.reshape(x, (10, 32)),
        "permute_dims": lambda x, *_: lambda: tf.transpose(x, (1, 0)),
        "expand_dims": lambda x, *_: lambda: tf.expand_dims(x, -1),
        "concat": lambda x, y, *_: lambda: tf.concat((x, y), -1),
        "stack": lambda x, y, *_: lambda: tf.stack((x, y)),
        "broadcast_to": lambda x, *_: lambda: tf.broadcast_to(x, (2, 32, 10)),
        "take": lambda x, y, w, mask, i, j, k: lambda: tf.gather(x, i, axis=0),
        "take_along_axis": lambda x, y, w, mask, i, j, k: lambda: tf.gather(x, j, axis=1, batch_dims=1),
        "astype": lambda x, *_: lambda: tf.cast(x, tf.float64),
        "zeros": lambda *_: lambda: tf.zeros(SHAPE),
        "full": lambda *_: lambda: tf.fill(SHAPE, 0.5),
        "arange": lambda *_: lambda: tf.range(32),
        "one_hot": lambda x, y, w, mask, i, j, k: lambda: tf.one_hot(i, 10),
        "take along another axis": lambda x, y, w, mask, i, j, k: lambda: tf.gather(x, k, axis=1),
        "floor_divide": lambda x, y, *_: lambda: tf.math.floordiv(x, y),
        "remainder": lambda x, y, *_: lambda: tf.math.floormod(x, y),
        "hypot": lambda x, y, *_: lambda: tf.sqrt(x * x + y * y),
        "logaddexp": lambda x, y, *_: lambda: tf.reduce_logsumexp(tf.stack((x, y)), 0),
        "prod over an axis": lambda x, *_: lambda: tf.reduce_prod(x, 1),
        "std over an axis": lambda x, *_: lambda: tf.math.reduce_std(x, 1),
        "elu": lambda x, *_: lambda: tf.nn.elu(x),
        "selu": lambda x, *_: lambda: tf.nn.selu(x),
        "stop_gradient": lambda x, *_: lambda: tf.stop_gradient(x),
    }  # fmt: skip


OWN = {"torch": own_of_torch, "tensorflow": own_of_tensorflow}
CALLS = {backend: calls(dn.backend(backend), own()) for backend, own in OWN.items()}


@pytest.mark.parametrize("whose", ["dualnn", "native"])
@pytest.mark.parametrize("call", CALLS["torch"])
@pytest.mark.parametrize("backend", OWN)
def test_call(benchmark, backend, call, whose):
    benchmark(CALLS[backend][call][whose == "native"])
