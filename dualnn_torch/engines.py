"""The rule by which `fit` chooses an engine. Its numbers were measured on two CPU cores: docs/engines.md."""

from __future__ import annotations

from dualnn.protocol import Engine

TRACED_STEPS = 5_000  # the tracer's import takes a second, and a graph saves up to 0.2 milliseconds a step
JIT_SECONDS, JIT_SECONDS_A_LAYER = 9.0, 0.5  # what inductor takes
JIT_SAVES_A_LAYER = 5e-5  # seconds a step
UNROLLED_STEPS = 1_000_000  # eight steps in a row compile for 10 seconds, and save another hundredth
UNROLL = 8


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
    count = steps or 0
    if jit is None:
        saved = count * work.layers * JIT_SAVES_A_LAYER
        pays = saved >= JIT_SECONDS + work.layers * JIT_SECONDS_A_LAYER
        # convolutions and recurrent layers spend their time in kernels that inductor does not make
        jit = pays and work.kinds == {"dense"}
    if jit:
        return Engine("epoch", True, UNROLL if count >= UNROLLED_STEPS else 1)
    return Engine("epoch" if count >= TRACED_STEPS else "eager", False)
