"""Attention: means of values, weighted by how well their keys fit a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dualnn.layers import masks
from dualnn.layers.checks import fraction
from dualnn.layers.dropout import Dropout
from dualnn.layers.layer import Layer
from dualnn.protocol import Backend, Shape, Tensor

SCORE_MODES = ("dot", "concat")


class Attention(Layer):
    """Dot-product attention, ``softmax(query @ transposed(key)) @ value`` (Luong et al., 2015).

    Args:
        use_scale: whether the scores are multiplied by a weight, which begins with 1.
        score_mode: ``"dot"``, or ``"concat"``: the sum of ``tanh(query + key)``, times a weight (Bahdanau et
            al., 2015).
        dropout: in training, the share of the softmax that is dropped.
        seed: fixes the masks of dropout; by default they follow from the model's seed.
        name: the layer's name.

    Raises:
        ValueError: an unknown `score_mode`, or a number out of range.

    It is called on a list ``[query, value]`` or ``[query, value, key]`` of shapes (batch, queries, size),
    (batch, keys, width) and (batch, keys, size); the key is by default the value. The output has the shape
    (batch, queries, width).

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> tuple(dn.layers.Attention()([nn.ones((2, 5, 3)), nn.ones((2, 4, 3))]).shape)
    (2, 5, 3)
    """

    _computes = True
    supports_masking = True
    _takes_list = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if score_mode not in SCORE_MODES:
            raise ValueError(f"score_mode must be one of {SCORE_MODES}, got {score_mode!r}")
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = Dropout(dropout, seed) if fraction("dropout", dropout) else None

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Make the weights ``scale`` and ``concat_score_weight``, numbers, if the settings need them."""
        self._check(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        self.concat_score_weight = (
            self.add_weight((), "ones", name="concat_score_weight") if self.score_mode == "concat" else None
        )
        if self.dropout is not None:  # else it would be built by the first step of training
            self.dropout(self.nn.zeros((1,), dtype=self.dtype, device=self.device), training=False)

    def call(
        self,
        inputs: Sequence[Tensor],
        mask: Sequence[Tensor | None] | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
        training: bool = False,
    ) -> Any:
        """Attend.

        Args:
            inputs: ``[query, value]`` or ``[query, value, key]``.
            mask: the masks of query (batch, queries) and of value (batch, keys), or None: values left out
                have the weight 0, queries left out the output 0.
            return_attention_scores: whether the weights (batch, queries, keys), in training what dropout
                leaves of them, are returned behind the output.
            use_causal_mask: whether a query attends to no key behind it.
            training: whether dropout drops.
        """
        nn = self.nn
        if mask is not None and (not isinstance(mask, list | tuple) or len(mask) < 2):
            raise ValueError(
                f"layer {self.name!r}: expected a list of the masks of query and value, one of which may be "
                f"None, got {type(mask).__name__}"
            )
        query, value, key = inputs if len(inputs) > 2 else (*inputs, inputs[1])
        of_query, of_value = (None, None) if mask is None else (mask[0], mask[1])
        attends = None
        if of_value is not None:
            attends = nn.expand_dims(of_value, axis=1)
            value, key = (masks.zeroed(nn, one, of_value) for one in (value, key))
        if use_causal_mask:
            attends = both(nn, attends, causal_mask(nn, nn.shape(query)[1], nn.shape(key)[1], self.device))
        weights = masked_softmax(nn, self._scores(query, key), attends)
        if training and self.dropout is not None:
            weights = self.dropout(weights, training=True)
        output = nn.matmul(weights, value)
        if of_query is not None:
            output = nn.where(nn.expand_dims(of_query, axis=-1), output, nn.zeros_like(output))
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the query's mask."""
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return (batch, queries, width)."""
        self._check(input_shape)
        return (*input_shape[0][:-1], input_shape[1][-1])

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        nn = self.nn
        if self.score_mode == "dot":
            scores = nn.matmul(query, nn.permute_dims(key, (0, 2, 1)))
            return scores if self.scale is None else scores * self.scale
        sums = nn.expand_dims(query, axis=2) + nn.expand_dims(key, axis=1)
        sums = sums if self.scale is None else sums * self.scale
        return nn.sum(nn.tanh(sums), axis=-1) * self.concat_score_weight

    def _check(self, shapes: Any) -> None:
        if not isinstance(shapes, list) or len(shapes) not in (2, 3) or any(len(s) != 3 for s in shapes):
            raise ValueError(
                f"layer {self.name!r}: expected a list [query, value] or [query, value, key] of tensors with "
                f"three axes, got shapes {shapes}"
            )
        query, value, key = shapes if len(shapes) > 2 else (*shapes, shapes[1])
        if None not in (query[2], key[2]) and query[2] != key[2]:
            raise ValueError(
                f"layer {self.name!r}: expected query and key of the same size on their last axis, got "
                f"shapes {query} and {key}"
            )
        if None not in (value[1], key[1]) and value[1] != key[1]:
            raise ValueError(
                f"layer {self.name!r}: expected as many keys as values, got shapes {key} and {value}"
            )


def causal_mask(nn: Backend, queries: Any, keys: Any, device: str) -> Tensor:
    """Return a boolean mask (queries, keys): True where a key does not stand behind the query.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(causal_mask(nn, 2, 3, "cpu")).tolist()
    [[True, False, False], [True, True, False]]
    """
    rows, columns = nn.arange(queries, device=device), nn.arange(keys, device=device)
    return nn.expand_dims(rows, axis=1) >= nn.expand_dims(columns, axis=0)


def both(nn: Backend, first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Return where two masks are True; None is one that is True everywhere."""
    if first is None or second is None:
        return second if first is None else first
    return nn.logical_and(first, second)


def masked_softmax(nn: Backend, scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return the softmax along the last axis over those scores where `mask` is True, and 0 elsewhere.

    Of scores of which none counts it is 0.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(masked_softmax(nn, nn.zeros(2), nn.asarray([True, False]))).tolist()
    [1.0, 0.0]
    """
    if mask is None:
        return nn.softmax(scores)
    # Finite, as the softmax of infinities only is NaN, and far below every score.
    low = -3e4 if nn.dtype_name(scores.dtype) == "float16" else -1e9
    weights = nn.softmax(nn.where(mask, scores, low))
    return nn.where(mask, weights, nn.zeros_like(weights))
