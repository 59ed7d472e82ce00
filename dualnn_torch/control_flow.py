"""Loops whose steps depend on each other."""

from __future__ import annotations

import optree
import torch

from dualnn.control_flow import check_carry, pair_of, scan_length
from dualnn_torch.creation_functions import asarray


def scan(f, init, xs, reverse=False, unroll=False):
    """Do one step after the other along the first axis, each on what the one before carried on.

    With the semantics of ``jax.lax.scan``: ``carry, y = f(carry, x)`` for each ``x`` of `xs`. In
    TensorFlow's compiled functions it is one loop, `f` being traced a fixed number of times; `f` may only
    depend on its arguments then, and all carries have the same structure, shapes and dtypes.

    Args:
        f: a function of a carry and of one step's input that returns ``(carry, y)``; `y` may be None.
        init: the first carry: a tree of tensors, arrays and numbers.
        xs: a tree of tensors, the steps being their first axis.
        reverse: whether the last step comes first; outputs keep the places of their inputs.
        unroll: whether the steps stand one after the other in a compiled function, instead of a loop,
            which takes longer to compile and may run faster. It is always so on torch. None: where that
            is faster, of steps that are few and small.

    Returns:
        The last carry, and the tree of all steps' outputs, stacked along a new first axis.

    Raises:
        ValueError: no tensors in `xs`, different lengths, or no step to do.
        TypeError: `f` returns no pair, or a carry of another structure, shape or dtype.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> last, sums = nn.scan(lambda total, x: (total + x, total + x), 0.0, nn.asarray([1.0, 2.0, 3.0]))
    >>> float(last), nn.to_numpy(sums).tolist()
    (6.0, [1.0, 3.0, 6.0])
    """
    carry = optree.tree_map(asarray, init)
    leaves, structure = optree.tree_flatten(xs)
    leaves = [asarray(leaf) for leaf in leaves]
    length = scan_length(leaves)
    # Unbound at once: the gradient is one stack. That of slices would be a sum of tensors of full length.
    steps = [structure.unflatten(step) for step in zip(*(leaf.unbind(0) for leaf in leaves), strict=True)]
    outputs = [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        before = carry
        carry, outputs[i] = pair_of(f(carry, steps[i]))
        check_carry(before, carry)
    return carry, optree.tree_map(lambda *ys: torch.stack(ys), *outputs)
