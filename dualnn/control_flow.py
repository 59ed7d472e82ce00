"""What the adapters' loops have in common: the checks of what goes from one step to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optree

from dualnn.protocol import Tensor


def scan_length(xs: Sequence[Tensor]) -> int | None:
    """Return the common length of the first axis of tensors, None if it is not known while compiling.

    Raises:
        ValueError: no tensors, one without axes, different lengths, or a length of 0.

    >>> import numpy as np
    >>> scan_length([np.zeros((3, 2)), np.zeros(3)])
    3
    """
    if not xs:
        raise ValueError("scan: expected at least one tensor in xs, got none; nn.arange(steps) counts steps")
    if any(len(x.shape) == 0 for x in xs):
        raise ValueError("scan: expected tensors with the steps on their first axis, got one without axes")
    lengths = {int(x.shape[0]) for x in xs if x.shape[0] is not None}
    if len(lengths) > 1:
        raise ValueError(
            f"scan: expected tensors of one length along their first axis, got {sorted(lengths)}"
        )
    if lengths == {0}:
        raise ValueError("scan: expected at least one step, got tensors whose first axis has the length 0")
    return lengths.pop() if lengths else None


def pair_of(result: Any) -> tuple[Any, Any]:
    """Return the carry and the output that a step of `scan` returned.

    Raises:
        TypeError: the step returned something else than a pair.

    >>> pair_of((1, None))
    (1, None)
    """
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"scan: expected a step that returns (carry, y), got {type(result).__name__}")
    return result


def check_carry(before: Any, after: Any) -> None:
    """Raise TypeError unless a step's carry has the structure, shapes and dtypes of the one before.

    >>> import numpy as np
    >>> check_carry({"h": np.zeros(2)}, {"h": np.zeros(3)})
    Traceback (most recent call last):
    ...
    TypeError: scan: expected a carry like the one before, {'h': float64(2,)}, got {'h': float64(3,)}
    """
    old, structure = optree.tree_flatten(before)
    new, returned = optree.tree_flatten(after)
    if structure != returned or not all(_alike(a, b) for a, b in zip(old, new, strict=True)):
        expected, got = (optree.tree_map(_Described, tree) for tree in (before, after))
        raise TypeError(f"scan: expected a carry like the one before, {expected}, got {got}")


class _Described:
    """Shown as a leaf's dtype and shape."""

    def __init__(self, leaf: Any) -> None:
        self.leaf = leaf

    def __repr__(self) -> str:
        if not hasattr(self.leaf, "shape"):
            return type(self.leaf).__name__
        # a native dtype has a name, or is written with its framework's name before it
        dtype = getattr(self.leaf.dtype, "name", None) or str(self.leaf.dtype).rpartition(".")[2]
        return f"{dtype}{tuple(self.leaf.shape)}"


def _alike(a: Any, b: Any) -> bool:
    # a size that is not known while compiling is None, and fits every other
    return (
        hasattr(b, "shape")
        and a.dtype == b.dtype
        and len(a.shape) == len(b.shape)
        and all(m == n or None in (m, n) for m, n in zip(a.shape, b.shape, strict=True))
    )
