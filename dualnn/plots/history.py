"""The curves of training runs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dualnn.callbacks import History
from dualnn.plots.canvas import COLOURS, GREY, HELD_OUT, TRAINING, figure, tidy, whole_numbers
from dualnn.training.validation import validation_epochs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EPSILON = float(np.finfo(np.float32).eps)
COLUMNS = 3


def history(histories: History | Mapping[str, History]) -> Figure:
    """Plot the curves of one or several training runs, and how far they are apart.

    Args:
        histories: what `fit` returned; of several runs a dictionary, by the names that the legend shows, such
            as the backends'.

    Returns:
        A figure with the loss and each metric that all runs have, solid for the training and dashed for what
        is held out; and, for several runs, the difference between the runs' losses over the epochs on a
        logarithmic axis.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: no run, or a run without epochs.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(1)])
    >>> model.compile("sgd", "mse", metrics=["mae"])
    >>> run = model.fit([[0.0], [1.0]], [[0.0], [2.0]], epochs=3, verbose=0)
    >>> figure = dn.plots.history(run)
    >>> [axes.get_title("left") for axes in figure.axes]
    ['loss', 'mae']
    """
    runs = {"": histories} if isinstance(histories, History) else histories
    if not runs or any(not run.epoch for run in runs.values()):
        raise ValueError("expected at least one history of at least one epoch; pass what fit() returned")
    metrics = [
        name
        for name in next(iter(runs.values())).history
        if not name.startswith("val_") and all(name in run.history for run in runs.values())
    ]
    panels = len(metrics) + (len(runs) > 1)
    columns = min(panels, COLUMNS)
    rows = -(-panels // columns)
    canvas = figure(4.2 * columns, 3.5 * rows)
    axes = canvas.subplots(rows, columns, squeeze=False).reshape(-1)
    for ax in axes[panels:]:
        ax.remove()
    for ax, metric in zip(axes, metrics, strict=False):
        _plot_curves(ax, runs, metric)
    _add_legend(axes[0], runs)
    if len(runs) > 1:
        _plot_differences(axes[panels - 1], runs)
    return canvas


def _plot_curves(ax: Axes, histories: Mapping[str, History], metric: str) -> None:
    for (_, run), colour, width in zip(histories.items(), cycle(COLOURS), _widths(histories), strict=False):
        for key, style in ((metric, TRAINING), (f"val_{metric}", HELD_OUT)):
            if key in run.history:
                epochs = _epochs(run, key)
                marker = "o" if len(epochs) == 1 else None  # a line of one epoch would not be seen
                ax.plot(
                    epochs, run.history[key], color=colour, linestyle=style, linewidth=width, marker=marker
                )
    tidy(ax, metric, "epoch")
    whole_numbers(ax)


def _plot_differences(ax: Axes, histories: Mapping[str, History]) -> None:
    (first, reference), *others = histories.items()
    for (_, run), colour in zip(others, islice(cycle(COLOURS), 1, None), strict=False):
        for key, style in (("loss", TRAINING), ("val_loss", HELD_OUT)):
            if key in run.history and key in reference.history:
                difference = _relative_difference(reference.history[key], run.history[key])
                epochs = _epochs(reference, key)[: len(difference)]
                # the markers show an epoch that stands between two gaps
                ax.plot(
                    epochs, difference, color=colour, linestyle=style, linewidth=1.4, marker="o", markersize=3
                )
    ax.axhline(EPSILON, color=GREY, linewidth=1, linestyle="dotted", label="float32's resolution")
    ax.legend(fontsize=9, loc="lower right", edgecolor="none", framealpha=0.8)
    ax.set_yscale("log")
    tidy(ax, f"loss: relative difference from {first}", "epoch")
    whole_numbers(ax)


def _relative_difference(a: list[float], b: list[float]) -> npt.NDArray[np.float64]:
    n = min(len(a), len(b))
    x, y = np.asarray(a[:n]), np.asarray(b[:n])
    difference = np.abs(x - y) / np.abs(x)
    # a logarithmic axis has no zero: an epoch that agrees to the last bit leaves a gap
    return np.where(difference > 0, difference, np.nan)


def _add_legend(ax: Axes, histories: Mapping[str, History]) -> None:
    from matplotlib.lines import Line2D

    runs = zip(histories, cycle(COLOURS), _widths(histories), strict=False)
    handles = [
        Line2D([], [], color=colour, linewidth=width, label=name) for name, colour, width in runs if name
    ]
    if any("val_loss" in run.history for run in histories.values()):
        handles.append(Line2D([], [], color=GREY, linestyle=TRAINING, label="training"))
        handles.append(Line2D([], [], color=GREY, linestyle=HELD_OUT, label="held out"))
    if handles:
        ax.legend(handles=handles, frameon=False, fontsize=9, handlelength=2.4)


def _widths(histories: Mapping[str, History]) -> list[float]:
    # runs that agree lie on each other: a broad line below, narrow ones above keep all in sight
    return [4.5 if len(histories) > 1 else 1.6, *[1.4] * (len(histories) - 1)]


def _epochs(run: History, key: str) -> list[int]:
    epochs = [epoch + 1 for epoch in run.epoch]
    if len(run.history[key]) == len(epochs):
        return epochs
    return [epoch + 1 for epoch in filter(validation_epochs(run.params["validation_freq"]), run.epoch)]
