"""Stopping when the loss is no number."""

from __future__ import annotations

import logging
import math

from dualnn.callbacks.callback import Callback, Logs


class TerminateOnNaN(Callback):
    """Stop when the loss is NaN or infinite, without slowing the training down.

    The loss is looked at after each call of the engine, so the training stops after at most the steps
    that run behind one call; from the step on that spoilt it, the weights are of no use.

    Attributes:
        stopped_at: the epoch and the number of the last step done, or None.

    >>> import dualnn as dn
    >>> guard = dn.callbacks.TerminateOnNaN()
    >>> model = dn.Sequential([dn.layers.Dense(1)])
    >>> model.compile(dn.optimizers.SGD(1e30), "mse")
    >>> history = model.fit([[1.0]], [[1e30]], epochs=50, callbacks=[guard], verbose=0)
    >>> len(history.epoch) < 50, guard.stopped_at is not None
    (True, True)
    """

    state_names = ("stopped_at",)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget earlier runs."""
        self.stopped_at: tuple[int, int] | None = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_chunk_end(self, batch: int, logs: Logs = None) -> None:
        """Stop the training if the loss so far is not a finite number."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self.stopped_at = (self._epoch, batch)
            self.model.stop_training = True
            logging.getLogger("dualnn").warning(
                "the loss is %s by step %d of epoch %d: training stops", loss, batch + 1, self._epoch + 1
            )
