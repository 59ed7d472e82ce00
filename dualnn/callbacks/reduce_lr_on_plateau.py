"""A smaller learning rate when nothing gets better."""

from __future__ import annotations

from dualnn.callbacks.callback import Logs
from dualnn.callbacks.learning_rate import LearningRateCallback
from dualnn.callbacks.monitor import Monitor


class ReduceLROnPlateau(LearningRateCallback):
    """Multiply the learning rate by a factor when a number has not improved for some epochs.

    Args:
        monitor: the name of the number in the logs; epochs that are not validated do not count for ``val_``.
        factor: what the learning rate is multiplied by, more than 0 and less than 1.
        patience: how many epochs without improvement are waited for.
        verbose: 1 prints a line when the learning rate is reduced, 0 nothing.
        mode: ``"min"``, ``"max"``, or ``"auto"``: as the metric says, by its `direction`; with a warning by
            the name, up for accuracies and the like, if it says nothing.
        min_delta: the least change that counts as an improvement.
        cooldown: how many epochs after a reduction do not count.
        min_lr: the learning rate is not made smaller than this.

    Attributes:
        best: the best value so far.
        wait: the epochs since then that count.
        cooldown_counter: how many epochs more do not count.

    Raises:
        ValueError: a number out of its range, or another mode; in training also if the optimizer has a
            schedule, or if the logs have no number of the monitored name.

    >>> import dualnn as dn
    >>> reduce = dn.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2)
    >>> model = dn.Sequential([dn.layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile(dn.optimizers.SGD(2.0**-40), "mse")
    >>> _ = model.fit([[1.0]], [[1.0]], epochs=5, callbacks=[reduce], verbose=0)
    >>> model.optimizer.learning_rate == 2.0**-42          # after the third epoch, and after the fifth
    True
    """

    state_names = ("wait", "cooldown_counter", "best")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(verbose)
        if not 0 < factor < 1:
            raise ValueError(f"factor must be a number between 0 and 1, got {factor!r}")
        for name, number in {"patience": patience, "cooldown": cooldown, "min_lr": min_lr}.items():
            if not number >= 0:
                raise ValueError(f"{name} must be a number of at least 0, got {number!r}")
        self.monitor, self.factor, self.patience = monitor, factor, patience
        self.cooldown, self.min_lr = cooldown, min_lr
        self._monitor = Monitor(monitor, mode, min_delta)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget earlier runs, and find out which way is better."""
        super().on_train_begin(logs)
        self._monitor.ask(self.model, type(self).__name__)
        self.best, self.wait, self.cooldown_counter = self._monitor.worst, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare with the best epoch; reduce the learning rate if patience has run out."""
        super().on_epoch_end(epoch, logs)
        value = self._monitor.value(logs, self)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._monitor.improves(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            old = self.optimizer.learning_rate
            if self.wait >= self.patience and old > self.min_lr:
                self.set_rate(epoch, max(old * self.factor, self.min_lr))
                self.cooldown_counter, self.wait = self.cooldown, 0
