"""Kernels of torch that do a whole formula at once; `dualnn.protocol.FastPaths` says what they are.

torch has no derivative of the gradients of most of them. So where a gradient may be differentiated, because
one is being recorded inside of another, they are left to the formula, by returning None. (A gradient that is
taken by torch's own ``create_graph=True`` raises torch's error when it is differentiated.)
"""

from __future__ import annotations

import torch
from torch._subclasses import FakeTensor

from dualnn_torch import graphs, lstm_in_graphs
from dualnn_torch.differentiable import is_constant
from dualnn_torch.gradient_tape import recording_now
from dualnn_torch.sums import MANY_ROWS, exceeds

_NO_LABEL = torch.iinfo(torch.int64).min  # by default torch leaves out the samples with the label -100


def batch_normalization(x, gamma, beta, statistics, /, *, epsilon):
    """Return (batch, ..., features) normalised, and the mean and biased variance of each feature."""
    if _nested() or x.numel() <= x.shape[-1]:  # of one sample torch's kernel rounds what is exactly beta
        return None
    if statistics is None and exceeds(x.numel() // x.shape[-1], MANY_ROWS):
        return None
    images = x.movedim(-1, 1)
    if statistics is not None:
        mean, variance = statistics
        if mean.requires_grad or variance.requires_grad:  # for which torch's kernel has no gradient
            return None
        y = torch.batch_norm(images, gamma, beta, mean, variance, False, 0.0, epsilon, False)
        return y.movedim(1, -1), mean, variance
    # As averages of which the batch is the whole: 1 / sqrt(variance + epsilon), which torch returns too, has
    # not all digits of a small variance. This function of torch returns them, others change them in place.
    zeros, count = x.new_zeros(x.shape[-1]), x.numel() // x.shape[-1]
    y, _, _, mean, variance = torch.ops.aten._native_batch_norm_legit_functional(
        images, gamma, beta, zeros, zeros, True, 1.0, epsilon
    )
    return y.movedim(1, -1), mean, variance * ((count - 1) / count)  # torch's is the unbiased one


def layer_normalization(x, gamma, beta, /, *, epsilon):
    """Return (..., features) with each sample normalised over its features.

    Its gradient may be differentiated as often as one likes.
    """
    # of one feature torch's kernel rounds what is exactly 0 before gamma, and so gamma's gradient
    if not x.is_floating_point() or x.shape[-1] == 1:
        return None
    if x.itemsize == 2:  # in which torch adds up the gradients by gamma and beta
        gamma, beta = (one if one is None else one.float() for one in (gamma, beta))
        return torch.layer_norm(x.float(), x.shape[-1:], gamma, beta, epsilon).to(x.dtype)
    return torch.layer_norm(x, x.shape[-1:], gamma, beta, epsilon)


def relu_in_place(x, /):
    """Return ``max(x, 0)`` in the memory of `x`, if no gradient goes through it.

    Asking the system for as much memory again takes several times as long as the operation itself.
    """
    return torch.relu_(x) if is_constant(x) else None


def readable(x, /):
    """Return `x` without the record of how it was made, which no tape and no transform asks for.

    NumPy does not read a tensor with such a record.
    """
    return x if recording_now.tapes or recording_now.transforms or not x.requires_grad else x.detach()


def sparse_softmax_cross_entropy(labels, logits, /, *, mean):
    """Return the loss of each sample, in the shape (...) of `labels`, for logits (..., classes).

    With `mean` their mean. Its gradient may be differentiated as often as one likes.
    """
    shape = labels.shape
    if logits.ndim > 2:
        logits, labels = logits.flatten(0, -2), labels.flatten()
    at_once = mean and logits.dtype.itemsize >= 4  # torch would sum up and count in the dtype itself
    values = torch.nn.functional.cross_entropy(
        logits, labels, reduction="mean" if at_once else "none", ignore_index=_NO_LABEL
    )
    if at_once:
        return values
    return values.mean() if mean else values.reshape(shape)


def simple_rnn(x, h, kernel, recurrent_kernel, bias, /, *, activation):
    """Return the outputs (batch, steps, units) and the last state of a plain recurrent layer."""
    if _nested():
        return None
    function = torch.rnn_tanh if activation == "tanh" else torch.rnn_relu
    return _batch_and_state(function, x, h, _weights(kernel, recurrent_kernel, bias))


def lstm(x, h, c, kernel, recurrent_kernel, bias, /):
    """Return the outputs (batch, steps, units) and the last states `h` and `c` of an LSTM."""
    if _nested():
        return None
    traced = isinstance(kernel, FakeTensor) or graphs.holds_gradients()
    if traced and x.device.type == "cpu" and x.dtype == torch.float32:
        return lstm_in_graphs.lstm(x, h, c, kernel, recurrent_kernel, bias)
    states = [h[None], c[None]]
    outputs, h, c = torch.lstm(x, states, *_settings(_weights(kernel, recurrent_kernel, bias)))
    return outputs, h[0], c[0]


def gru(x, h, kernel, recurrent_kernel, bias, /):
    """Return the outputs (batch, steps, units) and the last state of a GRU whose reset comes after."""
    if _nested():
        return None
    # torch has the gate r before z
    weights = [_swapped(weight.t(), 0) for weight in (kernel, recurrent_kernel)]
    if bias is not None:
        weights += _swapped(bias, 1).unbind(0)
    return _batch_and_state(torch.gru, x, h, weights)


def scaled_dot_product_attention(query, key, value, /, *, mask, causal, scale):
    """Return (batch, heads, queries, size) of `query`, and `key` and `value` (batch, heads, keys, size)."""
    if _nested():
        return None
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, scale=scale
    )


def _nested():
    return len(recording_now.tapes) + recording_now.transforms > 1


def _swapped(weight, axis):
    z, r, g = weight.chunk(3, axis)
    return torch.cat([r, z, g], axis)


def _weights(kernel, recurrent_kernel, bias):
    weights = [kernel.t(), recurrent_kernel.t()]
    # torch has two biases, which it adds up
    return weights if bias is None else [*weights, bias, torch.zeros_like(bias)]


def _settings(weights):
    """Return the weights, and: biases or not, layers, dropout, training, bidirectional, batch first."""
    return weights, len(weights) == 4, 1, 0.0, torch.is_grad_enabled(), False, True


def _batch_and_state(function, x, h, weights):
    outputs, h = function(x, h[None], *_settings(weights))
    return outputs, h[0]
