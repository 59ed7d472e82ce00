"""What the callbacks that set the learning rate have in common."""

from __future__ import annotations

from dualnn.callbacks.callback import Callback, Logs
from dualnn.optimizers import Optimizer


class LearningRateCallback(Callback):
    """The base of callbacks that set the learning rate between epochs.

    Args:
        verbose: 1 prints a line when the learning rate is set, 0 nothing.
    """

    def __init__(self, verbose: int = 0) -> None:
        self.verbose = verbose

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer of the model."""
        assert self.model.optimizer is not None, "a model that is fitted has an optimizer"
        return self.model.optimizer

    def on_train_begin(self, logs: Logs = None) -> None:
        """Check that the learning rate is a number.

        Raises:
            ValueError: it is a schedule, which would be lost.
        """
        if self.optimizer.fixed_learning_rate is None:
            raise ValueError(
                f"{type(self).__name__} sets the learning rate to a number, but {self.optimizer.name} has a "
                f"schedule for it; give the optimizer a number, or leave this callback out"
            )

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Put the epoch's learning rate into the logs, as ``"learning_rate"``."""
        if logs is not None:
            logs["learning_rate"] = self.optimizer.learning_rate

    def set_rate(self, epoch: int, rate: float) -> None:
        """Set the learning rate from the next step on; `epoch` is for the line that is printed."""
        self.optimizer.learning_rate = rate
        if self.verbose:
            print(f"Epoch {epoch + 1}: {type(self).__name__} sets the learning rate to {rate:g}", flush=True)
