"""The rule by which `fit` chooses an engine. Its numbers were measured on two CPU cores: docs/engines.md."""

from __future__ import annotations

from dualnn.protocol import Engine

GRAPH_STEPS = 200  # noting a graph takes ten steps' time, and saves up to 0.2 milliseconds a step
JIT_SECONDS, JIT_SECONDS_A_LAYER = 9.0, 0.5  # what inductor takes
JIT_SAVES_A_LAYER = 5e-5  # seconds a step
UNROLLED_STEPS = 1_000_000  # eight steps in a row compile for 10 seconds, and save another hundredth
UNROLL = 8
CACHED_NUMBERS = 1_500_000  # outputs of layers that the next layer finds in the cache: six megabytes


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
    if not work.trains:
        # of inference inductor makes less, and who waits for one output would wait ten seconds for it
        graph = jit or steps is None or count >= GRAPH_STEPS
        return Engine("epoch" if graph else "eager", bool(jit), samples=_samples(work))
    if jit is None:
        saved = count * work.layers * JIT_SAVES_A_LAYER
        pays = saved >= JIT_SECONDS + work.layers * JIT_SECONDS_A_LAYER
        # convolutions and recurrent layers spend their time in kernels that inductor does not make
        jit = pays and work.kinds == {"dense"}
    if jit:
        return Engine("epoch", True, UNROLL if count >= UNROLLED_STEPS else 1)
    return Engine("epoch" if steps is None or count >= GRAPH_STEPS else "eager", False)


def _samples(work):
    """Return how many samples to predict at once: a multiple of 32, by which the bits stay the same."""
    if work.sample_size * 32 > CACHED_NUMBERS:
        return 32
    return CACHED_NUMBERS // max(work.sample_size, 1) // 32 * 32
