"""The rule by which `fit` chooses an engine."""

from __future__ import annotations

from dualnn.protocol import Engine


def choose_engine(work, steps, jit, /):
    """Return the engine that is fastest for a run of so many steps of training, compilation included.

    Args:
        work: what a step costs, a `dualnn.protocol.Work`.
        steps: how many steps there will be; None if that is not known.
        jit: whether the engine is to have it; None to choose.

    >>> import dualnn as dn
    >>> from dualnn.protocol import Work
    >>> dn.backend().choose_engine(Work(1_000, frozenset({"dense"})), 10**6, None).name
    'epoch'
    """
    if jit is None:
        jit = steps is not None and steps >= 1_000 and work.kinds == {"dense"}
    return Engine("epoch", jit)
