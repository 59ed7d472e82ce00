"""Which epochs of a run are validated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any


def validation_epochs(validation_freq: Any) -> Callable[[int], bool]:
    """Return a function that says of an epoch, by its number from 0 on, whether it is validated.

    Args:
        validation_freq: a number, for after every so many epochs; or the numbers of epochs, counted from 1.

    Raises:
        ValueError: a number below 1.
        TypeError: no whole number, and no list of such.

    >>> every_second, some = validation_epochs(2), validation_epochs([1, 4])
    >>> [epoch + 1 for epoch in range(6) if every_second(epoch)]
    [2, 4, 6]
    >>> [epoch + 1 for epoch in range(6) if some(epoch)]
    [1, 4]
    """
    is_list = isinstance(validation_freq, Iterable) and not isinstance(validation_freq, str | bytes | dict)
    numbers = list(validation_freq) if is_list else [validation_freq]
    for number in numbers:
        if not isinstance(number, Integral) or isinstance(number, bool):
            raise TypeError(
                f"validation_freq: expected a whole number of epochs, or a list of their numbers from 1 on, "
                f"got {validation_freq!r}"
            )
        if number < 1:
            raise ValueError(f"validation_freq: expected numbers of at least 1, got {validation_freq!r}")
    if is_list:
        chosen = {int(number) for number in numbers}
        return lambda epoch: epoch + 1 in chosen
    every = int(validation_freq)
    return lambda epoch: (epoch + 1) % every == 0


@contextmanager
def named(what: str) -> Iterator[None]:
    """Add to an error's text what it is about."""
    try:
        yield
    except Exception as error:
        error.add_note(f"(in {what})")
        raise
