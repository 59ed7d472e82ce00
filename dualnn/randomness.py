"""Random numbers of Python and NumPy, which a function that is traced draws once and no more."""

from __future__ import annotations

import functools
import inspect
import random as of_python
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dualnn.settings import Settings


class Drawn:
    """Whether random numbers were drawn on the host while a block ran; see `watched`.

    Attributes:
        reason: a sentence that says so, or None.
    """

    reason: str | None = None


@contextmanager
def watched(fun: Callable[..., Any], puts_back: bool = False) -> Iterator[Drawn]:
    """Find out whether a function draws from the generators of NumPy, Python or dualnn on the host.

    Looked at are the global generators, and those that the function reaches, as in a layer's attributes.

    Args:
        fun: the function that is traced in the block.
        puts_back: whether generators are then set to where they were, as the function will run once more.

    >>> import numpy as np
    >>> from dualnn.randomness import watched
    >>> noise = lambda x: x + np.random.normal()
    >>> with watched(noise) as drawn:
    ...     _ = noise(1.0)
    >>> drawn.reason  # doctest: +ELLIPSIS
    "... draws from NumPy's generator, which a compiled function would draw once for all calls; ..."
    """
    drawn, settings = Drawn(), Settings({"the function": inspect.unwrap(fun)})
    places = {name: _place(generator) for name, generator in settings.generators.items()} | {
        "NumPy's generator": (functools.partial(np.random.get_state, legacy=False), np.random.set_state),
        "Python's generator": (of_python.getstate, of_python.setstate),
    }
    before = {name: get() for name, (get, _) in places.items()}
    try:
        yield drawn
    finally:
        moved = [name for name, (get, _) in places.items() if not _same(get(), before[name])]
        if moved:
            who = " and ".join(settings.drawing[:2]) or "it"
            drawn.reason = f"{who} draws from {' and '.join(moved)}{ADVICE}"
        for name in moved if puts_back else ():
            _, put_back = places[name]
            put_back(before[name])


ADVICE = (
    ", which a compiled function would draw once for all calls; layers such as GaussianNoise and Dropout "
    "draw anew each time, as does dn.random.uniform(nn, key, shape) with a key that follows from a variable"
)


def _place(generator: Any) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """Return what gets the state of a generator, and what sets it."""
    if isinstance(generator, np.random.RandomState):
        return functools.partial(generator.get_state, legacy=False), generator.set_state
    if isinstance(generator, of_python.Random):
        return generator.getstate, generator.setstate
    holder, name = (
        (generator.bit_generator, "state")
        if isinstance(generator, np.random.Generator)
        else (generator, "counter")  # dualnn's own
    )
    return functools.partial(getattr, holder, name), functools.partial(setattr, holder, name)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(_same(one[name], other[name]) for name in one)
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else bool(one == other)
