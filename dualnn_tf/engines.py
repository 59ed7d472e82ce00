"""The rule by which `fit` chooses an engine. Its numbers were measured on two CPU cores: docs/engines.md."""

from __future__ import annotations

import math

from dualnn.protocol import Engine
from dualnn_tf.control_flow import FEW

JIT_STEPS = {
    "dense": 1_000,  # XLA compiles a small step in half a second, and saves up to half a millisecond a step
    "recurrence": 5_000,  # a loop over a sequence in one to three seconds, and saves as much or more
}
"""From how many steps on a run is compiled, by what its layers do. Not convolutions, for which XLA takes
several times as long on a CPU."""
JIT_WORK = {"dense": 200_000_000, "recurrence": 1_000_000_000}
"""Multiplications a step, beyond which TensorFlow's own kernels use the cores better."""
JIT_BATCHES = 1_000  # predicted, each the sooner for up to half a millisecond
JIT_WORK_PREDICTED = {"dense": 600_000_000, "convolution": 10_000_000, "recurrence": 2_000_000_000}
"""Multiplications a batch, likewise; there are no gradients."""
JIT_WORK_IN_A_LOOP = 10_000_000  # likewise, where the recurrence is so long that `scan` does not unroll it


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
    if jit is None and not work.trains:
        most = min(JIT_WORK_PREDICTED.get(kind, 0) for kind in work.kinds)
        if work.sequence > FEW:
            most = min(most, JIT_WORK_IN_A_LOOP)
        jit = steps is not None and steps >= JIT_BATCHES and work.multiply_adds <= most
    elif jit is None:
        enough = max(JIT_STEPS.get(kind, math.inf) for kind in work.kinds)
        most = max(JIT_WORK.get(kind, 0) for kind in work.kinds)
        jit = steps is not None and steps >= enough and work.multiply_adds <= most
    return Engine("epoch", jit)
