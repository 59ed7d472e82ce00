"""oneDNN's LSTM as an operation that can stand in a traced graph.

torch's own (`mkldnn_rnn_layer`, which `torch.lstm` takes for float32 on a CPU) keeps what its gradient needs
only while torch records. A graph that holds the gradient's operations too runs while nothing records, so it
fails there. The two operations of this file are torch's two, run as if torch recorded.
"""

from __future__ import annotations

import torch

_LSTM = 2  # among torch's kinds of recurrent layers
_WEIGHTS = "Tensor kernel, Tensor recurrent_kernel, Tensor bias, Tensor recurrent_bias"
_library = torch.library.Library("dualnn", "FRAGMENT")
_library.define(f"lstm(Tensor x, {_WEIGHTS}, Tensor h, Tensor c) -> (Tensor, Tensor, Tensor, Tensor)")
_library.define(
    f"lstm_backward(Tensor x, {_WEIGHTS}, Tensor h, Tensor c, Tensor outputs, Tensor last_h, Tensor last_c, "
    f"Tensor? d_outputs, Tensor? d_h, Tensor? d_c, Tensor workspace) "
    f"-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def lstm(x, h, c, kernel, recurrent_kernel, bias):
    """Return the outputs (batch, steps, units) and the last states, as `torch.lstm` does."""
    recurrent_bias = torch.zeros_like(kernel[0])
    bias = recurrent_bias if bias is None else bias
    weights = kernel.t(), recurrent_kernel.t(), bias, recurrent_bias
    outputs, h, c = _Lstm.apply(x.transpose(0, 1).contiguous(), *weights, h, c)
    return outputs.transpose(0, 1), h, c


class _Lstm(torch.autograd.Function):
    """The two operations as a function and its derivative."""

    @staticmethod
    def forward(ctx, *inputs):
        *results, workspace = torch.ops.dualnn.lstm(*inputs)
        ctx.save_for_backward(*inputs, *results, workspace)
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx, *upstream):
        *saved, workspace = ctx.saved_tensors
        upstream = [None if one is None else one.contiguous() for one in upstream]
        return torch.ops.dualnn.lstm_backward(*saved, *upstream, workspace)


@torch.library.impl(_library, "lstm", "CPU")
def _forward(x, kernel, recurrent_kernel, bias, recurrent_bias, h, c):
    weights = kernel, recurrent_kernel, bias, recurrent_bias
    # one layer with biases, forwards in time, of sequences of the same length; with what the gradient needs
    settings = False, [], _LSTM, h.shape[1], 1, True, False, False, True
    with torch.enable_grad(), torch._C._AutoDispatchBelowAutograd():
        outputs, h, c, workspace = torch.ops.aten.mkldnn_rnn_layer(x, *weights, h, c, *settings)
    return outputs, h.reshape(c.shape), c, workspace


@torch.library.impl(_library, "lstm_backward", "CPU")
def _backward(x, kernel, recurrent_kernel, bias, recurrent_bias, h, c, outputs, last_h, last_c, *rest):
    d_outputs, d_h, d_c, workspace = rest
    weights = kernel, recurrent_kernel, bias, recurrent_bias
    settings = False, _LSTM, h.shape[1], 1, True, True, False, [], False
    given = x, *weights, h, c, outputs, last_h, last_c, d_outputs, d_h, d_c
    with torch.enable_grad(), torch._C._AutoDispatchBelowAutograd():
        return torch.ops.aten.mkldnn_rnn_layer_backward(*given, *settings, workspace)


@torch.library.register_fake("dualnn::lstm", lib=_library)
def _shapes(x, kernel, recurrent_kernel, bias, recurrent_bias, h, c):
    # how large the workspace is only oneDNN knows
    outputs = x.new_empty((*x.shape[:2], h.shape[1]))
    return outputs, torch.empty_like(h), torch.empty_like(c), x.new_empty(0, dtype=torch.uint8)


@torch.library.register_fake("dualnn::lstm_backward", lib=_library)
def _shapes_of_gradients(x, kernel, recurrent_kernel, bias, recurrent_bias, h, c, *rest):
    inputs = x, kernel, recurrent_kernel, bias, recurrent_bias, h, c
    return tuple(torch.empty(one.shape, dtype=one.dtype, device=one.device) for one in inputs)
