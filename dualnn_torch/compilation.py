"""Preparing a function for being called many times."""

from __future__ import annotations


def compile(fun, /):
    """Return `fun`, a pure function of trees of tensors, prepared for being called many times.

    On torch that is `fun` itself: `torch.compile` takes 2 to 10 seconds (measured) for one training
    step, which only long runs earn back, so it is not for this function to choose.

    Raises:
        Exception: whatever `fun` raises.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> double = nn.compile(lambda tree: {"x": tree["x"] * 2})
    >>> float(double({"x": nn.asarray(3.0)})["x"])
    6.0
    """
    return fun
