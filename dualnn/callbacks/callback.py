"""The base of callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from dualnn import arguments

if TYPE_CHECKING:
    from dualnn.models.model import Model

Logs = dict[str, float] | None


class Callback:
    """The base of callbacks: override the methods that you need.

    Each method is given `logs` by position, a dictionary, as in Keras: empty where there are no numbers yet.

    Attributes:
        model: the model that is trained. Set ``self.model.stop_training = True`` to end the training: after
            the epoch, or in a method for each batch after this batch, with which the epoch then ends.
            ``stop_evaluating`` and ``stop_predicting`` end an evaluation and a prediction likewise.
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
    state_names: tuple[str, ...] = ()
    """The attributes that belong to a checkpoint: numbers, texts, arrays, lists and dictionaries of such."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - it does what __new__ always does
        arguments.check(cls, args, kwargs)
        return super().__new__(cls)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of the callback: the attributes in `state_names`."""
        return {name: getattr(self, name) for name in self.state_names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; called after `on_train_begin`."""
        for name in self.state_names:
            setattr(self, name, state[name])

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

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """An older name of `on_train_batch_begin`, which calls it."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """An older name of `on_train_batch_end`, which calls it."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a step of training."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a step of training; `logs` has the means of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_train_chunk_end(self, batch: int, logs: Logs = None) -> None:
        """Called when the steps up to number `batch` are done that ran behind one call.

        It costs little, as it leaves the engine as it is, where a method for each batch makes the engine
        run one step a call. How many steps that are depends on the engine; `logs` has the means so far.
        """

    def on_test_begin(self, logs: Logs = None) -> None:
        """Called before an evaluation, also that of validation data."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of an evaluation, also that of validation data."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of an evaluation; `logs` has the means so far."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Called after an evaluation; `logs` has its numbers."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called before a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after a batch of a prediction; `logs` is ``{"outputs": ...}`` with its NumPy arrays."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Called after a prediction."""
