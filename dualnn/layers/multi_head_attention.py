"""Attention of several heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dualnn.fast_paths import fast_path
from dualnn.layers import context, masks
from dualnn.layers.attention import both, causal_mask, masked_softmax
from dualnn.layers.checks import fraction, positive_int
from dualnn.layers.dropout import Dropout
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Backend, Shape, Tensor


class MultiHeadAttention(Layer):
    """Attention of several heads (Vaswani et al., 2017).

    Each head attends by ``softmax(q @ transposed(k) / sqrt(key_dim)) @ v``, with projections of its own of
    query, key and value; the heads' outputs are projected to one.

    Args:
        num_heads: the number of heads.
        key_dim: the length of a head's query and key.
        value_dim: the length of a head's value, by default `key_dim`.
        dropout: in training, the share of the softmax that is dropped.
        use_bias: whether projections have biases.
        output_shape: the length of an output, by default that of the query.
        kernel_initializer: a name or a function.
        bias_initializer: a name or a function.
        kernel_regularizer: a name or a function, or None.
        bias_regularizer: a name or a function, or None.
        seed: fixes the masks of dropout; by default they follow from the model's seed.
        name: the layer's name.

    Raises:
        ValueError: a number out of range.

    It is called as ``layer(query, value, key=value)`` on shapes (batch, queries, features), (batch, keys,
    features of value) and (batch, keys, features of key). The output is (batch, queries, output_shape).

    >>> import dualnn as dn
    >>> x = dn.backend().ones((2, 5, 8))
    >>> tuple(dn.layers.MultiHeadAttention(num_heads=2, key_dim=4)(x, x).shape)
    (2, 5, 8)
    """

    _computes = True
    supports_masking = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.num_heads = positive_int("num_heads", num_heads)
        self.key_dim = positive_int("key_dim", key_dim)
        self.value_dim = positive_int("value_dim", key_dim if value_dim is None else value_dim)
        self.output_width = None if output_shape is None else positive_int("output_shape", output_shape)
        options = {
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
        }
        self.query = _Projection((), (self.num_heads, self.key_dim), "query", options)
        self.key = _Projection((), (self.num_heads, self.key_dim), "key", options)
        self.value = _Projection((), (self.num_heads, self.value_dim), "value", options)
        # The width of the output may be that of the query, so the last projection is made in build.
        self._options = options
        self.dropout = Dropout(dropout, seed) if fraction("dropout", dropout) else None

    def build(self, input_shape: Shape) -> None:
        """Make the last projection; all of them make their weights when they are called."""
        InputSpec(ndim=3).check(self.name, input_shape)
        self.input_spec = InputSpec(ndim=3)
        width = input_shape[-1] if self.output_width is None else self.output_width
        self.attention_output = _Projection(
            (self.num_heads, self.value_dim), (width,), "attention_output", self._options
        )
        if self.dropout is not None:  # else it would be built by the first step of training
            self.dropout(self.nn.zeros((1,), dtype=self.dtype, device=self.device), training=False)

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
        training: bool = False,
    ) -> Any:
        """Attend.

        Args:
            query: (batch, queries, features).
            value: (batch, keys, features of value).
            key: (batch, keys, features of key); by default the value.
            query_mask: boolean, (batch, queries): queries that are left out attend to nothing.
            value_mask: boolean, (batch, keys): nothing attends to values that are left out.
            key_mask: the same for keys.
            attention_mask: boolean, (batch, queries, keys) or (batch, heads, queries, keys): True where a
                query may attend to a key.
            return_attention_scores: whether the softmax (batch, heads, queries, keys), as it is
                before dropout, is returned behind the output.
            use_causal_mask: whether a query attends to no key behind it.
            training: whether dropout drops.

        A query that attends to nothing has the output 0 of each head.
        """
        nn = self.nn
        key = value if key is None else key
        if attention_mask is not None:
            attention_mask = nn.asarray(attention_mask, dtype="bool", device=self.device)
            self._check_mask(tuple(attention_mask.shape), tuple(query.shape), tuple(key.shape))
        mask = self._mask(query_mask, value_mask, key_mask, attention_mask)
        if not (query_mask is None and value_mask is None and key_mask is None):
            is_one = key_mask is None or key_mask is value_mask
            of_keys = value_mask if is_one else both(nn, value_mask, key_mask)
            for name, x, given in (("query", query, query_mask), ("value", value, of_keys)):
                if given is not None and not masks.fits(x, given):
                    raise ValueError(
                        f"layer {self.name!r}: expected a {name}_mask of the shape (batch, steps) of {name}, "
                        f"{tuple(x.shape)}, got {tuple(given.shape)}"
                    )
            query, key, value = _zeroed(nn, (query, key, value), (query_mask, of_keys, of_keys))
        projected = self._projected(query, key, value)
        q, k, v = (nn.permute_dims(one, (0, 2, 1, 3)) for one in projected)
        if return_attention_scores or (training and self.dropout is not None):
            heads, weights = self._attend(q, k, v, mask, use_causal_mask, training)
        else:
            heads, weights = self._fused(q, k, v, mask, use_causal_mask), None
            if heads is None:
                heads, weights = self._attend(q, k, v, mask, use_causal_mask, training)
        output = self.attention_output(nn.permute_dims(heads, (0, 2, 1, 3)))
        return (output, weights) if return_attention_scores else output

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, queries, output_shape), for the query's shape."""
        InputSpec(ndim=3).check(self.name, input_shape)
        return (*input_shape[:-1], input_shape[-1] if self.output_width is None else self.output_width)

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> Sequence[Tensor]:
        layers = self.query, self.key, self.value
        is_usual = all(type(layer) is _Projection and layer.built for layer in layers)
        is_one = query is key is value and self.value_dim == self.key_dim
        if not (is_one and is_usual) or context.is_observed():
            return [layer(x) for layer, x in zip(layers, (query, key, value), strict=True)]
        # of itself a sequence is projected by one product, as if by one layer with the heads of all three
        nn = self.nn
        batch, steps, features = nn.shape(query)
        # joined as they are, heads by heads: joined as matrices, XLA takes twice as long for a single sample
        kernel = nn.reshape(nn.concat([layer.kernel for layer in layers], axis=1), (features, -1))
        bias = None
        if self.query.bias is not None:
            bias = nn.reshape(nn.concat([layer.bias for layer in layers]), (-1,))
        y = nn.linear(nn.reshape(query, (-1, features)), kernel, bias)
        return nn.split(nn.reshape(y, (batch, steps, -1, self.key_dim)), len(layers), axis=2)

    def _mask(
        self, query: Tensor | None, value: Tensor | None, key: Tensor | None, attention: Tensor | None
    ) -> Tensor | None:
        """Return all masks in one that is broadcastable to (batch, heads, queries, keys), or None."""
        nn = self.nn
        mask = None if query is None else nn.expand_dims(nn.expand_dims(query, axis=1), axis=-1)
        for of_keys in (value, key):
            if of_keys is not None:
                mask = both(nn, mask, nn.expand_dims(nn.expand_dims(of_keys, axis=1), axis=1))
        if attention is not None:
            mask = both(
                nn, mask, attention if len(attention.shape) == 4 else nn.expand_dims(attention, axis=-3)
            )
        return mask

    def _check_mask(self, given: Shape, query: Shape, key: Shape) -> None:
        shape = (query[0], self.num_heads, query[1], key[1])
        expected = shape if len(given) == 4 else (shape[0], *shape[2:])[-len(given) :]
        sizes = zip(given, expected, strict=False)
        if len(given) not in (2, 3, 4) or any(None not in two and two[0] not in (1, two[1]) for two in sizes):
            raise ValueError(
                f"layer {self.name!r}: expected an attention_mask of shape (batch, queries, keys) = "
                f"{(shape[0], *shape[2:])}, or with the axis of heads {shape}, got {given}"
            )

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor | None:
        """Return the heads' outputs from the backend's kernel, None if there is none for this."""
        kernel = fast_path(self.nn, "scaled_dot_product_attention")
        if kernel is None:
            return None
        if causal and mask is not None:
            mask, causal = self._with_causal(mask, q, k), False
        found: Tensor | None = kernel(q, k, v, mask=mask, causal=causal, scale=1.0 / math.sqrt(self.key_dim))
        return found

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the heads' outputs and weights by the formula; q, k, v are (batch, heads, steps, size)."""
        nn = self.nn
        mask = self._with_causal(mask, q, k) if causal else mask
        scores = nn.matmul(q * (1.0 / math.sqrt(self.key_dim)), nn.permute_dims(k, (0, 1, 3, 2)))
        weights = masked_softmax(nn, scores, mask)
        kept = self.dropout(weights, training=True) if training and self.dropout is not None else weights
        return nn.matmul(kept, v), weights

    def _with_causal(self, mask: Tensor | None, q: Tensor, k: Tensor) -> Tensor:
        nn = self.nn
        return both(nn, mask, causal_mask(nn, nn.shape(q)[2], nn.shape(k)[2], self.device))


def _zeroed(nn: Backend, xs: Sequence[Tensor], of_each: Sequence[Tensor | None]) -> list[Tensor]:
    """Return tensors with zeros where their masks leave steps out; one tensor with one mask stays one."""
    found: dict[tuple[int, int], Tensor] = {}
    for x, mask in zip(xs, of_each, strict=True):
        if (id(x), id(mask)) not in found:
            found[id(x), id(mask)] = x if mask is None else masks.zeroed(nn, x, mask)
    return [found[id(x), id(mask)] for x, mask in zip(xs, of_each, strict=True)]


class _Projection(Layer):
    """A linear map from the last axes of a tensor to others: (batch, steps, ...) to (batch, steps, *target).

    Args:
        source: the sizes of the axes that it contracts; () for the last one, whatever its size.
        target: the sizes of the axes that it makes.
        name: the layer's name.
        options: bias, initializers and regularizers, as `MultiHeadAttention` is given them.
    """

    supports_masking = True

    def __init__(
        self, source: tuple[int, ...], target: tuple[int, ...], name: str, options: dict[str, Any]
    ) -> None:
        super().__init__(name)
        self.source, self.target, self.options = source, target, options

    def build(self, input_shape: Shape) -> None:
        """Make kernel (*source, *target) and bias (*target)."""
        options = self.options
        self.kernel = self.add_weight(
            (*(self.source or input_shape[-1:]), *self.target),
            options["kernel_initializer"],
            regularizer=options["kernel_regularizer"],
            name="kernel",
        )
        self.bias = None
        if options["use_bias"]:
            self.bias = self.add_weight(
                self.target,
                options["bias_initializer"],
                regularizer=options["bias_regularizer"],
                name="bias",
            )

    def call(self, x: Tensor) -> Tensor:
        """Map (batch, steps, *source) to (batch, steps, *target)."""
        nn = self.nn
        batch, steps, *sizes = nn.shape(x)
        features = math.prod(sizes)
        bias = None if self.bias is None else nn.reshape(self.bias, (-1,))
        y = nn.linear(nn.reshape(x, (-1, features)), nn.reshape(self.kernel, (features, -1)), bias)
        return nn.reshape(y, (batch, steps, *self.target))
