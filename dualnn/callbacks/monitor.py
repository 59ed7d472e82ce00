"""The number that a callback watches, and whether one value of it is better than another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dualnn.callbacks.callback import Callback, Logs
from dualnn.names import unknown
from dualnn.warning import warn

_RISING = ("accuracy", "acc", "precision", "recall", "auc", "f1_score", "r2_score", "cosine_similarity")


def rises(name: str) -> bool:
    """Return whether more is better of the number of this name.

    >>> rises("val_accuracy"), rises("loss")
    (True, False)
    """
    return name.removeprefix("val_").endswith(_RISING)


class Monitor:
    """A number in the logs, of which less is better, or more.

    Args:
        name: the number's name in the logs, ``"val_loss"``.
        mode: ``"min"``, ``"max"``, or ``"auto"``: as the model's metric of this name says, see `ask`; until
            then by the name, up for accuracies and the like.
        min_delta: the least change that counts as an improvement.

    Raises:
        ValueError: another mode, or a `min_delta` that is no finite number.

    >>> accuracy = Monitor("val_accuracy", min_delta=0.125)
    >>> accuracy.improves(0.75, than=0.5), accuracy.improves(0.6, than=0.5)
    (True, False)
    """

    def __init__(self, name: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        if not math.isfinite(min_delta):
            raise ValueError(f"min_delta must be a finite number, got {min_delta!r}")
        self.name, self.min_delta = name, abs(min_delta)
        self._asks = mode == "auto"
        self._sign = -1.0 if mode == "max" or (mode == "auto" and rises(name)) else 1.0

    @property
    def worst(self) -> float:
        """Infinity of the sign that every number improves on."""
        return self._sign * math.inf

    def ask(self, model: Any, asked_by: str) -> None:
        """Find out which way is better, if the mode is ``"auto"``: the metrics of a compiled model say so.

        Of a number that no metric says it of, it is guessed by the name, with a warning.

        Args:
            model: a model that has been compiled, and has seen its data.
            asked_by: who wants to know, for the warning.
        """
        if not self._asks:
            return
        self._asks = False
        name = self.name.removeprefix("val_")
        direction = "down" if name == "loss" else getattr(model, "directions", {}).get(name)
        if direction is None:
            guess = "more" if rises(self.name) else "less"
            warn(
                f"{asked_by}: nothing says whether more or less of {self.name!r} is better; by its name "
                f"{guess} is taken for better. Give mode='max' or mode='min', or the metric a direction, "
                f"'up' or 'down'"
            )
        elif direction in ("up", "down"):
            self._sign = -1.0 if direction == "up" else 1.0
        else:
            raise ValueError(
                f"{self.name}: expected the metric's direction 'up' or 'down', got {direction!r}"
            )

    def improves(self, value: float, than: float) -> bool:
        """Whether a value is better than another, by more than `min_delta`; NaN is not."""
        return self._sign * value < self._sign * than - self.min_delta

    def value(self, logs: Logs, callback: Callback) -> float | None:
        """Return the number in the logs, or None for one of the validation that this epoch is without.

        Args:
            logs: the epoch's numbers.
            callback: the callback that asks.

        Raises:
            ValueError: they have no number of this name; the message names the callback, and what there is.
        """
        logs = logs or {}
        if is_left_out(self.name, logs, callback):
            return None
        asked_by = type(callback).__name__
        if self.name not in logs:
            advice = " Is validation_data given?" if self.name.startswith("val_") else ""
            raise ValueError(f"{asked_by}: {unknown('number', self.name, sorted(logs))}{advice}")
        value = logs[self.name]
        if np.ndim(value) > 0:
            raise ValueError(
                f"{asked_by}: expected one number to monitor, {self.name!r} has {np.size(value)}; F1Score, "
                f"for one, takes average='macro'"
            )
        return value


def is_left_out(name: str, logs: dict[str, float], callback: Callback) -> bool:
    """Return whether a number is missing because only some epochs of the run are validated, not this one."""
    validates = getattr(callback, "params", {}).get("validates", False)
    return validates and name.startswith("val_") and not any(one.startswith("val_") for one in logs)
