"""What all figures have in common: where they are drawn, their colours, their axes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

# Colours that the colour-blind tell apart too (Okabe and Ito, "Color universal design", 2008).
COLOURS = ("#E69F00", "#0072B2", "#009E73", "#CC79A7")
GREY = "#666666"
TRAINING: Final = "solid"
HELD_OUT: Final = "dashed"
TRAINING_COLOUR, HELD_OUT_COLOUR = COLOURS[1], COLOURS[0]


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


def tidy(ax: Axes, title: str, xlabel: str = "") -> None:
    """Give axes their title, and the look of all figures."""
    ax.set_title(title, fontsize=11, loc="left")
    ax.set_xlabel(xlabel, color=GREY)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(colors=GREY, labelsize=9)
    ax.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    ax.set_axisbelow(True)


def whole_numbers(ax: Axes) -> None:
    """Put ticks at whole numbers of the x axis only."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def legend(ax: Axes) -> None:
    """Show the names of the lines."""
    ax.legend(frameon=False, fontsize=9, handlelength=2.4)


def two_curves(ax: Axes, x: Any, training: Floats, validation: Floats) -> None:
    """Draw the mean of a training and of a validation metric, and a band from the least to the largest.

    Args:
        ax: where.
        x: the places, (places,).
        training: (places, repeats).
        validation: (places, repeats).
    """
    for values, colour, label in (
        (training, TRAINING_COLOUR, "training"),
        (validation, HELD_OUT_COLOUR, "validation"),
    ):
        if values.shape[1] > 1:
            ax.fill_between(x, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.18, linewidth=0)
            label = f"{label}, {values.shape[1]} repeats"
        ax.plot(x, values.mean(axis=1), color=colour, linewidth=1.8, marker="o", markersize=4, label=label)
