"""Callbacks: functions that `fit`, `evaluate` and `predict` call as they go."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dualnn.names import unknown

if TYPE_CHECKING:
    from dualnn.models.model import Model

Logs = dict[str, float] | None


class Callback:
    """The base of callbacks: override the methods that you need.

    Attributes:
        model: the model that is trained; set ``self.model.stop_training = True`` to end after the epoch.
        params: ``{"epochs": ..., "steps": ..., "verbose": ...}``.

    >>> import dualnn as dn
    >>> class Count(dn.callbacks.Callback):
    ...     epochs = 0
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.epochs += 1
    >>> model, count = dn.Sequential([dn.layers.Dense(1)]), Count()
    >>> model.compile("sgd", "mse")
    >>> _ = model.fit([[0.0], [1.0]], [[0.0], [2.0]], epochs=3, callbacks=[count], verbose=0)
    >>> count.epochs
    3
    """

    model: Model
    params: dict[str, Any]

    def set_model(self, model: Model) -> None:
        """Tell the callback which model it is called for."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell the callback how many epochs and steps there are."""
        self.params = params

    def on_train_begin(self, logs: Logs = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Called after the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Called before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called after an epoch and its validation; `logs` has the epoch's numbers."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a step of training."""

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a step of training; `logs` has the means of the epoch so far."""

    def on_train_chunk_end(self, batch: int, logs: Logs = None) -> None:
        """Called when the steps up to number `batch` are done that ran behind one call.

        It costs little, as it leaves the engine as it is, where a method for each batch makes the engine
        run one step a call. How many steps that are depends on the engine; `logs` has the means so far.
        """

    def on_test_begin(self, logs: Logs = None) -> None:
        """Called before an evaluation, also that of validation data."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Called after an evaluation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Called after a prediction."""


class History(Callback):
    """What `fit` returns: the losses and metrics of every epoch.

    Attributes:
        history: ``{"loss": [...], "val_loss": [...]}``, one number an epoch.
        epoch: the numbers of the epochs.
        params: ``{"epochs": ..., "steps": ..., "verbose": ...}``.
        engine: how the steps were run, ``"eager"``, ``"step"`` or ``"epoch"``; see `Model.compile`.
        jit: whether the framework's compiler made machine code of the steps.
        engine_reason: why it was this engine.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.engine, self.jit, self.engine_reason = "", False, ""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Append the epoch's numbers."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        last: dict[str, Any] = {name: values[-1] for name, values in self.history.items()}
        return f"<History of {len(self.epoch)} epochs, last {last}>"


class LambdaCallback(Callback):
    """A callback made of functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))``.

    Args:
        **functions: functions by the name of the method they stand for.

    Raises:
        TypeError: no method of `Callback` has this name.

    >>> import dualnn as dn
    >>> dn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None) is not None
    True
    """

    def __init__(self, **functions: Callable[..., None]) -> None:
        for name, function in functions.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                known = [method for method in vars(Callback) if method.startswith("on_")]
                raise TypeError(f"{name!r} is no method of a callback; they are {', '.join(known)}")
            setattr(self, name, function)


class EarlyStopping(Callback):
    """Stop when a number has not improved for some epochs.

    Args:
        monitor: the name of the number in the logs.
        min_delta: the least change that counts as an improvement.
        patience: how many epochs without improvement are waited for.
        mode: ``"min"``, ``"max"``, or ``"auto"``: by the name, up for accuracies and the like.
        baseline: a value that must be improved on from the start, or None.
        restore_best_weights: whether the model ends with the weights of its best epoch.
        start_from_epoch: the first epoch that counts.

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
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        self.monitor, self.patience, self.baseline = monitor, patience, baseline
        self.min_delta = abs(min_delta)
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        rising = ("accuracy", "acc", "precision", "recall", "auc", "f1_score", "r2_score")
        up = mode == "max" or (mode == "auto" and monitor.removeprefix("val_").endswith(rising))
        self._sign = -1.0 if up else 1.0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget earlier runs."""
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best = self._sign * math.inf
        self._best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare with the best epoch; stop the training if patience has run out.

        Raises:
            ValueError: the logs have no number of the monitored name.
        """
        if epoch < self.start_from_epoch:
            return
        if self.monitor not in (logs or {}):
            advice = " Is validation_data given?" if self.monitor.startswith("val_") else ""
            raise ValueError(f"EarlyStopping: {unknown('number', self.monitor, sorted(logs or {}))}{advice}")
        value = (logs or {})[self.monitor]
        self.wait += 1
        if self._improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self._best_weights = self.model.get_weights()
            if self.baseline is None or self._improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Restore the best weights, if asked to."""
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)

    def _improves(self, value: float, than: float) -> bool:
        return self._sign * value < self._sign * than - self.min_delta


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
