"""The optimizer's numbers for the steps of a call, such as their learning rates."""

from __future__ import annotations

from typing import Any

import numpy as np

from dualnn.optimizers import Optimizer
from dualnn.place import Place
from dualnn.protocol import Tensor


class StepScalars:
    """Makes the numbers that an optimizer needs for many steps, which may be done ahead by another thread.

    Args:
        optimizer: whose numbers.
        place: where they are wanted.

    >>> import dualnn as dn
    >>> from dualnn.place import Place
    >>> from dualnn.training.scalars import StepScalars
    >>> scalars = StepScalars(dn.optimizers.SGD(0.5), Place.of())
    >>> scalars.make_ahead(0, 2)
    >>> dn.backend().to_numpy(scalars.of(0, 2)).tolist()
    [[0.5], [0.5]]
    """

    def __init__(self, optimizer: Optimizer, place: Place) -> None:
        self._optimizer, self._place = optimizer, place
        self._ahead: tuple[tuple[Any, ...], Tensor] | None = None

    def of(self, first: int, count: int) -> Tensor:
        """Return the numbers of so many steps from the first one on, of shape (steps, numbers of one)."""
        ahead = self._ahead
        if ahead is not None and ahead[0] == (self._optimizer.settings_of_scalars(), first, count):
            return ahead[1]
        # computed on the host in float64, so that every backend is given the same numbers
        scalars = self._optimizer.scalars_of_many(first, count)
        columns = np.asarray([scalars[name] for name in sorted(scalars)], dtype=np.float64)
        values = np.ascontiguousarray(columns.T)
        return self._place.nn.asarray(values, dtype=self._place.dtype, device=self._place.device)

    def make_ahead(self, first: int, count: int) -> None:
        """Make the numbers that `of` will be asked for, to be used if no setting changes until then."""
        settings = self._optimizer.settings_of_scalars()
        if settings is None:
            return
        values = self.of(first, count)
        if settings == self._optimizer.settings_of_scalars():
            self._ahead = (settings, first, count), values
