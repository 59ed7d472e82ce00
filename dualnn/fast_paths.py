"""Fused kernels: optional methods of a backend, each with a generic version in the core beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from dualnn.protocol import Backend

NAMES = (
    "adam_update",
    "sgd_update",
    "all_finite",
    "variable_in_loop",
    "batch_normalization",
    "layer_normalization",
    "relu_in_place",
    "readable",
    "sparse_softmax_cross_entropy",
    "scaled_dot_product_attention",
    "simple_rnn",
    "lstm",
    "gru",
)
"""What a backend may have beyond `dualnn.protocol.Backend`; `dualnn.protocol.FastPaths` describes them."""

_left_aside: ContextVar[frozenset[str]] = ContextVar("fast_paths_left_aside", default=frozenset())


def fast_path(nn: Backend, name: str) -> Callable[..., Any] | None:
    """Return a backend's fused kernel, or None if it has none or `generic` is in force.

    >>> import dualnn as dn
    >>> from dualnn.fast_paths import fast_path, generic
    >>> with generic():
    ...     fast_path(dn.backend(), "lstm") is None
    True
    """
    assert name in NAMES, name
    return None if name in _left_aside.get() else getattr(nn, name, None)


@contextmanager
def generic(*names: str) -> Iterator[None]:
    """Leave fused kernels aside while the block runs, all of them or these: to prove the two equal."""
    token = _left_aside.set(_left_aside.get() | (set(names) or set(NAMES)))
    try:
        yield
    finally:
        _left_aside.reset(token)
