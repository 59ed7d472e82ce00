"""The record of a training run."""

from __future__ import annotations

from typing import Any

from dualnn.training.callbacks import Callback


class History(Callback):
    """What `fit` returns: the losses and metrics of every epoch.

    Attributes:
        history: ``{"loss": [...], "val_loss": [...]}``, one number an epoch.
        epoch: the numbers of the epochs.
        params: ``{"epochs": ..., "steps": ..., "verbose": ...}``.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Append the epoch's numbers."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        last: dict[str, Any] = {name: values[-1] for name, values in self.history.items()}
        return f"<History of {len(self.epoch)} epochs, last {last}>"
