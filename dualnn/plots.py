"""Figures of training runs. They are returned, never shown: ``figure.savefig("history.png")``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from dualnn.callbacks import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that the colour-blind tell apart too (Okabe and Ito, "Color universal design", 2008).
COLOURS = ("#E69F00", "#0072B2", "#009E73", "#CC79A7")
GREY = "#666666"
EPSILON = float(np.finfo(np.float32).eps)
TRAINING: Final = "solid"
HELD_OUT: Final = "dashed"


def history(histories: Mapping[str, History]) -> Figure:
    """Plot the curves of one or several training runs, and how far they are apart.

    Args:
        histories: what `fit` returned, by the name that the legend shows, such as the backend's.

    Returns:
        A figure with the loss, the accuracy if there is one, and, for several runs, the
        difference between the runs over the epochs on a logarithmic axis.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: no run, or a run without epochs.

    >>> import dualnn as dn
    >>> from dualnn import plots
    >>> model = dn.Sequential([dn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> run = model.fit([[0.0], [1.0]], [[0.0], [2.0]], epochs=3, verbose=0)
    >>> figure = plots.history({model.backend: run})
    >>> [axes.get_title("left") for axes in figure.axes]
    ['loss']
    """
    if not histories or any(not run.epoch for run in histories.values()):
        raise ValueError("expected at least one history of at least one epoch; pass what fit() returned")
    metrics = [m for m in ("loss", "accuracy") if all(m in run.history for run in histories.values())]
    columns = len(metrics) + (len(histories) > 1)
    canvas = figure(4.2 * columns, 3.5)
    axes = canvas.subplots(1, columns, squeeze=False)[0]
    for ax, metric in zip(axes, metrics, strict=False):
        _plot_curves(ax, histories, metric)
    _add_legend(axes[0], histories)
    if len(histories) > 1:
        _plot_differences(axes[-1], histories)
    return canvas


def check_path(path: Path) -> None:
    """Raise an error now if a figure could not be saved to this path later.

    Raises:
        FileNotFoundError: the folder does not exist.
        ImportError: matplotlib is not installed.
        ValueError: matplotlib writes no such format.

    >>> from pathlib import Path
    >>> from dualnn import plots
    >>> plots.check_path(Path("curves.jpeg2000"))
    Traceback (most recent call last):
    ...
    ValueError: curves.jpeg2000: expected a name that ends in .png, .pdf or .svg
    """
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    formats = figure(1, 1).canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".") not in formats:
        raise ValueError(f"{path}: expected a name that ends in .png, .pdf or .svg")


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, for plots of one's own.

    Raises:
        ImportError: matplotlib is not installed.

    >>> from dualnn import plots
    >>> plots.figure(4, 3).get_size_inches().tolist()
    [4.0, 3.0]
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f"figures are drawn by matplotlib, which cannot be imported ({error}); "
            f"try: pip install 'dualnn[plot]'"
        ) from error
    # made directly, without pyplot, a figure needs no display and leaves nothing open
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _plot_curves(ax: Axes, histories: Mapping[str, History], metric: str) -> None:
    for (_, run), colour, width in zip(histories.items(), cycle(COLOURS), _widths(histories), strict=False):
        for key, style in ((metric, TRAINING), (f"val_{metric}", HELD_OUT)):
            if key in run.history:
                epochs = _epochs(run)
                marker = "o" if len(epochs) == 1 else None  # a line of one epoch would not be seen
                ax.plot(
                    epochs, run.history[key], color=colour, linestyle=style, linewidth=width, marker=marker
                )
    _tidy(ax, metric)


def _plot_differences(ax: Axes, histories: Mapping[str, History]) -> None:
    (first, reference), *others = histories.items()
    for (_, run), colour in zip(others, COLOURS[1:], strict=False):
        for key, style in (("loss", TRAINING), ("val_loss", HELD_OUT)):
            if key in run.history and key in reference.history:
                difference = _relative_difference(reference.history[key], run.history[key])
                epochs = _epochs(reference)[: len(difference)]
                # the markers show an epoch that stands between two gaps
                ax.plot(
                    epochs, difference, color=colour, linestyle=style, linewidth=1.4, marker="o", markersize=3
                )
    ax.axhline(EPSILON, color=GREY, linewidth=1, linestyle="dotted", label="float32's resolution")
    ax.legend(fontsize=9, loc="lower right", edgecolor="none", framealpha=0.8)
    ax.set_yscale("log")
    _tidy(ax, f"loss: relative difference from {first}")


def _relative_difference(a: list[float], b: list[float]) -> npt.NDArray[np.float64]:
    n = min(len(a), len(b))
    x, y = np.asarray(a[:n]), np.asarray(b[:n])
    difference = np.abs(x - y) / np.abs(x)
    # a logarithmic axis has no zero: an epoch that agrees to the last bit leaves a gap
    return np.where(difference > 0, difference, np.nan)


def _add_legend(ax: Axes, histories: Mapping[str, History]) -> None:
    from matplotlib.lines import Line2D

    runs = zip(histories, cycle(COLOURS), _widths(histories), strict=False)
    handles = [Line2D([], [], color=colour, linewidth=width, label=name) for name, colour, width in runs]
    if any("val_loss" in run.history for run in histories.values()):
        handles.append(Line2D([], [], color=GREY, linestyle=TRAINING, label="training"))
        handles.append(Line2D([], [], color=GREY, linestyle=HELD_OUT, label="held out"))
    ax.legend(handles=handles, frameon=False, fontsize=9, handlelength=2.4)


def _widths(histories: Mapping[str, History]) -> list[float]:
    # runs that agree lie on each other: a broad line below, narrow ones above keep all in sight
    return [4.5 if len(histories) > 1 else 1.6, *[1.4] * (len(histories) - 1)]


def _tidy(ax: Axes, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_title(title, fontsize=11, loc="left")
    ax.set_xlabel("epoch", color=GREY)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(colors=GREY, labelsize=9)
    ax.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    ax.set_axisbelow(True)


def _epochs(run: History) -> list[int]:
    return [epoch + 1 for epoch in run.epoch]
