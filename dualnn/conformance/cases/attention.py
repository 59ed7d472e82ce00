"""Attention, with masks and both by the fused kernel and by the formula.

A layer's weights are inputs of the case, as in `cases.layers`. References: the formulas of the docstrings,
head by head. Roundings: of projections, scores, softmax and the means of values, one after the other, each as
many as its sums have numbers; the softmax of n takes 4 for exp, n for the sum, and 3 for the difference, the
quotient and the scale.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dualnn import layers
from dualnn.conformance.case import Array, Case, FunctionCase
from dualnn.conformance.cases.neural import COUNTED
from dualnn.conformance.cases.recurrent import case
from dualnn.conformance.references import WIDE, numbers
from dualnn.layers import Layer
from dualnn.protocol import Tensor

QUERIES, KEYS, SIZE, HEADS = 2, 3, 2, 2
# the second query attends to nothing
MASK = np.array([[[True, False, True], [False, False, False]]])
CAUSAL = np.array([[[True, False, False], [True, True, False]]])
OF_VALUE = np.array([[True, True, False]])


def _softmax(scores: Array, mask: Any) -> Array:
    mask = np.broadcast_to(True if mask is None else mask, scores.shape)
    e = np.where(mask, np.exp(scores - np.max(scores, axis=-1, keepdims=True)), 0)
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, WIDE(1), total)


def _attention(q: Array, k: Array, v: Array, mask: Any, scale: Any = 1) -> tuple[Array, Array]:
    weights = _softmax(scale * (q @ np.swapaxes(k, -1, -2)), mask)
    return weights @ v, weights


def _of_heads(q: Array, k: Array, v: Array, mask: Any) -> tuple[Array, Array]:
    """Attend with tensors (batch, steps, heads, size)."""
    scale = 1 / np.sqrt(WIDE(q.shape[-1]))
    parts = [_attention(q[:, :, h], k[:, :, h], v[:, :, h], mask, scale) for h in range(q.shape[2])]
    return np.stack([one for one, _ in parts], axis=2), np.stack([w for _, w in parts], axis=1)


def _multi_head(query: Array, value: Array, weights: tuple[Any, ...], mask: Any) -> tuple[Array, ...]:
    """Return the output, the weights, and the key's bias."""
    w_q, b_q, w_k, b_k, w_v, b_v, w_o, b_o = weights
    q, k, v = (
        np.einsum("btf,fhs->bths", x, w) + b
        for x, w, b in ((query, w_q, b_q), (value, w_k, b_k), (value, w_v, b_v))
    )
    heads, softmax = _of_heads(q, k, v, mask)
    return np.einsum("bths,hsf->btf", heads, w_o) + b_o, softmax, b_k


_QUERY, _VALUE = numbers(1, QUERIES, SIZE) / 2, numbers(1, KEYS, SIZE, seed=1) / 2
_PROJECTIONS = (
    (numbers(SIZE, HEADS, SIZE, seed=2 + i) / 2, numbers(HEADS, SIZE, seed=7 + i) / 4) for i in range(3)
)
_WEIGHTS: tuple[Array, ...] = (
    *(array for projection in _PROJECTIONS for array in projection),
    numbers(HEADS, SIZE, SIZE, seed=5) / 2,
    numbers(SIZE, seed=6),
)

_ATTENDING = SIZE + 4 + KEYS + 3 + KEYS
_ROUNDINGS = (SIZE + 1) + _ATTENDING + HEADS * SIZE + 1


class _Heads(Layer):
    """Attention of several heads to another tensor."""

    def __init__(self, options: dict[str, Any], use_bias: bool = True) -> None:
        super().__init__()
        self.attention = layers.MultiHeadAttention(HEADS, SIZE, use_bias=use_bias)
        self.options = options

    def call(self, inputs: list[Tensor]) -> Any:
        results = self.attention(inputs[0], inputs[1], **self.options)
        bias = self.attention.key.bias
        if bias is None:
            return results
        # The softmax does not change when all scores do, so the gradient by the key's bias is 0: a sum whose
        # terms cancel. With the bias among the results it is 1 beside that sum, whose errors are as large.
        return (*results, bias) if isinstance(results, tuple) else (results, bias)


# variant: (options, mask)
_MULTI_HEAD: dict[str, tuple[dict[str, Any], Any]] = {
    "": ({}, None),
    "causal": ({"use_causal_mask": True}, CAUSAL),
    "mask": ({"attention_mask": MASK}, MASK),
    "mask of values, causal": ({"value_mask": OF_VALUE, "use_causal_mask": True}, OF_VALUE[:, None] & CAUSAL),
}
_ATTENTION: dict[str, tuple[dict[str, Any], Any]] = {
    "": ({}, None),
    "causal": ({"use_causal_mask": True}, CAUSAL),
    "mask": ({"mask": [None, OF_VALUE]}, OF_VALUE[:, None]),
}

CASES: list[Case] = [
    *(
        case(
            "MultiHeadAttention",
            variant,
            functools.partial(_Heads, options),
            lambda q, v, *w, mask=mask: _multi_head(q, v, w, mask)[::2],
            (_QUERY, _VALUE, *_WEIGHTS),
            _ROUNDINGS,
            given=2,
            by_formula=by_formula,
            derivatives=1,
        )
        for variant, (options, mask) in _MULTI_HEAD.items()
        for by_formula in (False, True)
    ),
    case(
        "MultiHeadAttention",
        "no bias",
        lambda: _Heads({}, use_bias=False),
        lambda q, v, *w: _multi_head(q, v, (w[0], 0, w[1], 0, w[2], 0, w[3], 0), None)[0],
        (_QUERY, _VALUE, *_WEIGHTS[::2]),
        _ROUNDINGS,
        given=2,
    ),
    case(
        "MultiHeadAttention",
        "scores",
        lambda: _Heads({"return_attention_scores": True, "attention_mask": MASK}),
        lambda q, v, *w: _multi_head(q, v, w, MASK),
        (_QUERY, _VALUE, *_WEIGHTS),
        _ROUNDINGS,
        given=2,
        derivatives=1,
    ),
    *(
        case(
            "Attention",
            variant,
            layers.Attention,
            lambda q, v, mask=mask: _attention(q, v, v, mask)[0],
            (_QUERY, _VALUE),
            _ATTENDING,
            given=2,
            options=options or None,
        )
        for variant, (options, mask) in _ATTENTION.items()
    ),
    case(
        "Attention",
        "concat, scale",
        lambda: layers.Attention(use_scale=True, score_mode="concat"),
        lambda q, v, scale, w: (
            _softmax(w * np.tanh(scale * (q[:, :, None] + v[:, None])).sum(axis=-1), None) @ v
        ),
        (_QUERY, _VALUE, np.array([0.7]), np.array([1.2])),
        _ATTENDING + 2 + 4 + 1,
        given=2,
    ),
    *(
        FunctionCase(
            name="scaled_dot_product_attention",
            variant=variant,
            run=lambda nn, q, k, v, mask=mask, causal=causal: nn.scaled_dot_product_attention(
                q,
                k,
                v,
                mask=None if mask is None else nn.asarray(mask, device=nn.device(q)),
                causal=causal,
                scale=0.7,
            ),
            reference=lambda q, k, v, mask=mask, causal=causal: _attention(
                q, k, v, CAUSAL if causal else mask, WIDE(0.7)
            )[0],
            inputs=tuple(
                numbers(1, HEADS, n, SIZE, seed=n + i) / 2 for i, n in enumerate((QUERIES, KEYS, KEYS))
            ),
            roundings=_ATTENDING,
            derivatives=1,
            reason=COUNTED,
        )
        for variant, mask, causal in (
            ("", None, False),
            ("mask", MASK[:, None], False),
            ("causal", None, True),
        )
    ),
]
