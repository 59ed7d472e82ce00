"""Where a training begins to overfit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dualnn.callbacks import History
from dualnn.diagnostics.overfitting import overfitting as judged
from dualnn.diagnostics.overfitting import smoothed
from dualnn.plots.canvas import GREY, HELD_OUT_COLOUR, TRAINING_COLOUR, figure, tidy, whole_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def overfitting(
    history: History | Mapping[str, Sequence[float]],
    metric: str = "loss",
    *,
    reachable: float | None = None,
) -> Figure:
    """Plot a training with the verdict of `dualnn.diagnostics.overfitting`, which has the arguments.

    Args:
        history: what `fit` returned, or the dictionary in it.
        metric: ``"loss"``, or another that the history has for training and validation.
        reachable: a value of the training metric that is known to be possible.

    Returns:
        A figure with both curves, smoothed and as they are (pale), the best epoch, the epochs that overfit
        shaded, and the verdict with its evidence.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: as `dualnn.diagnostics.overfitting`.

    >>> import dualnn as dn
    >>> epochs = range(1, 21)
    >>> history = {"loss": [1 / e for e in epochs], "val_loss": [1 / e + 0.02 * e for e in epochs]}
    >>> dn.plots.overfitting(history).axes[0].get_title("left")
    'overfitting since epoch 8'
    """
    found = judged(history, metric, reachable=reachable)
    curves: Mapping[str, Sequence[float]] = history.history if isinstance(history, History) else history
    canvas = figure(7.2, 4.4)
    ax = canvas.subplots()
    epochs = np.arange(1, len(curves[metric]) + 1)
    for name, label, colour in (
        (metric, "training", TRAINING_COLOUR),
        (f"val_{metric}", "validation", HELD_OUT_COLOUR),
    ):
        values = np.asarray(curves[name], dtype=np.float64)
        ax.plot(epochs, values, color=colour, linewidth=1, alpha=0.45)
        ax.plot(epochs, smoothed(values), color=colour, linewidth=2, label=label)
    ax.axvline(found.best_epoch, color=GREY, linewidth=1, linestyle="dotted")
    ax.plot(
        found.best_epoch,
        curves[f"val_{metric}"][found.best_epoch - 1],
        marker="o",
        color=HELD_OUT_COLOUR,
        linestyle="none",
        label=f"best: epoch {found.best_epoch}",
    )
    if found.since is not None:
        ax.axvspan(
            found.best_epoch, epochs[-1], color=HELD_OUT_COLOUR, alpha=0.13, linewidth=0, label="overfitting"
        )
    if reachable is not None:
        ax.axhline(reachable, color=TRAINING_COLOUR, linewidth=1, linestyle="dotted", label="reachable")
    ax.margins(x=0.02)
    since = f" since epoch {found.since}" if found.since else ""
    tidy(ax, f"{found.verdict}{since}", "epoch")
    ax.set_ylabel(metric, color=GREY)
    whole_numbers(ax)
    # above the axes, where it covers no curve
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1.02, 1.0),
        ncols=5,
        frameon=False,
        fontsize=8.5,
        handlelength=1.4,
        columnspacing=1.2,
    )
    canvas.supxlabel(textwrap.fill(found.evidence, 108), x=0.02, ha="left", fontsize=8.5, color=GREY)
    return canvas
