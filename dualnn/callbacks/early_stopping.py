"""Stopping when nothing gets better."""

from __future__ import annotations

from typing import Any

from dualnn.callbacks.callback import Callback, Logs
from dualnn.callbacks.monitor import Monitor


class EarlyStopping(Callback):
    """Stop when a number has not improved for some epochs.

    Args:
        monitor: the name of the number in the logs; epochs that are not validated do not count for ``val_``.
        min_delta: the least change that counts as an improvement.
        patience: how many epochs without improvement are waited for.
        mode: ``"min"``, ``"max"``, or ``"auto"``: as the metric says, by its `direction`; with a warning by
            the name, up for accuracies and the like, if it says nothing.
        baseline: a value that must be improved on from the start, or None.
        restore_best_weights: whether the model ends with the weights of its best epoch.
        start_from_epoch: the first epoch that counts.

    Raises:
        ValueError: another mode.

    Attributes:
        stopped_epoch: the epoch after which training was stopped, or 0.
        best, best_epoch: the best value, and its epoch.

    >>> import dualnn as dn
    >>> stop = dn.callbacks.EarlyStopping("loss", patience=2)
    >>> model = dn.Sequential([dn.layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile(dn.optimizers.SGD(1e-12), "mse")
    >>> history = model.fit([[1.0]], [[1.0]], epochs=50, callbacks=[stop], verbose=0)
    >>> len(history.epoch)
    3
    """

    state_names = ("wait", "stopped_epoch", "best_epoch", "best", "_best_weights")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor, self.patience, self.baseline = monitor, patience, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self._monitor = Monitor(monitor, mode, min_delta)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget earlier runs, and find out which way is better."""
        self._monitor.ask(self.model, type(self).__name__)
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best = self._monitor.worst
        self._best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare with the best epoch; stop the training if patience has run out.

        Raises:
            ValueError: the logs have no number of the monitored name.
        """
        if epoch < self.start_from_epoch:
            return
        value = self._monitor.value(logs, self)
        if value is None:
            return
        self.wait += 1
        if self._monitor.improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self._best_weights = self.model.get_weights()
            if self.baseline is None or self._monitor.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Restore the best weights, if asked to."""
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)
