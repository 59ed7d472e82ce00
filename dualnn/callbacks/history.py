"""The record of a run."""

from __future__ import annotations

from typing import Any

from dualnn.callbacks.callback import Callback, Logs


class History(Callback):
    """What `fit` returns: the losses and metrics of every epoch.

    Attributes:
        history: ``{"loss": [...], "val_loss": [...]}``, one number an epoch.
        epoch: the numbers of the epochs.
        params: ``{"epochs": ..., "steps": ..., "verbose": ...}``.
        engine: how the steps were run, ``"eager"``, ``"step"`` or ``"epoch"``; see `Model.compile`.
        jit: whether the framework's compiler made machine code of the steps.
        engine_reason: why it was this engine.
        deterministic: whether the same run with the same `seed` on this machine gives the same bits again.
    """

    state_names = ("history", "epoch")

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.engine, self.jit, self.engine_reason = "", False, ""
        self.deterministic = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Append the epoch's numbers."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        last: dict[str, Any] = {name: values[-1] for name, values in self.history.items()}
        return f"<History of {len(self.epoch)} epochs, last {last}>"
