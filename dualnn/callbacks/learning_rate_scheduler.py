"""A learning rate for each epoch."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from dualnn.callbacks.callback import Logs
from dualnn.callbacks.learning_rate import LearningRateCallback


class LearningRateScheduler(LearningRateCallback):
    """Set the learning rate at the beginning of each epoch.

    A schedule that changes it from step to step is given to the optimizer instead:
    `dualnn.optimizers.schedules`.

    Args:
        schedule: ``schedule(epoch, learning_rate)``, or ``schedule(epoch)``: the new learning rate, for the
            number of the epoch, counted from 0, and the learning rate until then.
        verbose: 1 prints a line an epoch, 0 nothing.

    Raises:
        TypeError: `schedule` is no function of one or two arguments.

    In training ValueError is raised if the optimizer has a schedule of its own, or if `schedule` returns
    no finite number of at least 0.

    >>> import dualnn as dn
    >>> halve = dn.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    >>> model = dn.Sequential([dn.layers.Dense(1)])
    >>> model.compile(dn.optimizers.SGD(0.5), "mse")
    >>> _ = model.fit([[0.0]], [[1.0]], epochs=3, callbacks=[halve], verbose=0)
    >>> model.optimizer.learning_rate
    0.125
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__(verbose)
        self.schedule = schedule
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the learning rate of the epoch."""
        old = self.optimizer.learning_rate
        rate = self.schedule(epoch, old) if self._takes_rate else self.schedule(epoch)
        if not _is_rate(rate):
            raise ValueError(
                f"LearningRateScheduler: expected schedule to return a number of at least 0 for epoch "
                f"{epoch}, got {rate!r}"
            )
        self.set_rate(epoch, float(rate))


def _is_rate(rate: Any) -> bool:
    try:
        return 0 <= float(rate) < math.inf
    except (TypeError, ValueError):
        return False


def _takes_two(schedule: Callable[..., float]) -> bool:
    """Whether a schedule takes the epoch and the learning rate, or the epoch alone."""
    if not callable(schedule):
        raise TypeError(f"expected a function (epoch, learning_rate) as schedule, got {schedule!r}")
    try:
        signature = inspect.signature(schedule)
    except ValueError:  # a function in C such as a list's __getitem__, which has none
        return False
    for arguments in ((0, 0.0), (0,)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return len(arguments) == 2
    raise TypeError(f"expected schedule to take an epoch and a learning rate, got {signature}")
