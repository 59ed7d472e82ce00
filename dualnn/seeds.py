"""A model's seed: fixed when it is first needed, and shared with the copies made before."""

from __future__ import annotations

from typing import Any

from dualnn import random


class Seed:
    """A number that is drawn, if it was not given, when it is first asked for.

    Copies of a model share the object, so that a model and its copy on another backend have the same
    initial weights, whichever is built first.

    >>> Seed(7).value
    7
    """

    def __init__(self, value: int | None = None) -> None:
        self._value = value

    @property
    def value(self) -> int:
        """The seed; the next one of `dualnn.seed`'s sequence if none was given."""
        if self._value is None:
            self._value = random.next_seed()
        return self._value

    def __reduce__(self) -> tuple[type[Seed], tuple[int]]:
        """What is pickled has its number: another process would draw another one."""
        return Seed, (self.value,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Seed:
        return self
