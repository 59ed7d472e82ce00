"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dualnn.plots.canvas import COLOURS, GREY, figure
from dualnn.plots.classes import class_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RIGHT, WRONG = COLOURS[1], "#D55E00"


def confusion_matrix(y_true: Any, y_pred: Any, labels: Sequence[Any] | None = None) -> Figure:
    """Plot how many samples of each class were classified as which.

    Args:
        y_true: the classes, numbers or names of shape (samples,); or one-hot, (samples, classes).
        y_pred: the predicted classes; or probabilities or logits, (samples, classes), whose largest counts.
        labels: the names of the classes 0, 1, 2 ...; None: the classes are those that occur.

    Returns:
        A figure with a row for each true class: how many of its samples were classified as each class, and
        their share of the row. What is right is blue, what is wrong is red, the deeper the larger the share.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: no samples, different numbers of them, no classes but probabilities of one, or a class
            without a label.

    >>> import dualnn as dn
    >>> figure = dn.plots.confusion_matrix([0, 0, 1], [0, 1, 1], labels=["cat", "dog"])
    >>> figure.axes[0].get_title("left")
    '2 of 3 right, 66.7 %'
    """
    names, counts = _counted(class_numbers(y_true, "y_true"), class_numbers(y_pred, "y_pred"), labels)
    n, longest = len(names), 0.08 * max(map(len, names))  # in inches
    cell = 0.95 if n <= 5 else 0.66
    slanted = longest > 0.9 * cell
    canvas = figure(max(n * cell + longest, 2.2) + 0.9, n * cell + 0.9 + 0.7 * longest * slanted)
    ax = canvas.subplots()
    _draw_cells(ax, counts, size=10 if n <= 5 else 8.5)
    ax.set_xticks(range(n), names, rotation=40 if slanted else 0, ha="right" if slanted else "center")
    ax.set_yticks(range(n), names)
    ax.set_xlabel("predicted", color=GREY)
    ax.set_ylabel("true", color=GREY)
    right, all_of_them = int(np.trace(counts)), int(counts.sum())
    title = f"{right:,} of {all_of_them:,} right, {100 * right / all_of_them:.1f} %"
    ax.set_title(title, fontsize=11, loc="left")
    return canvas


def _counted(
    true: npt.NDArray[Any], predicted: npt.NDArray[Any], labels: Sequence[Any] | None
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the classes' names, and how often each class (row) was classified as each (column)."""
    if len(true) != len(predicted) or len(true) == 0:
        raise ValueError(
            f"expected as many y_pred as y_true, at least one, got {len(predicted)} and {len(true)}"
        )
    classes, index = np.unique(np.concatenate([true, predicted]), return_inverse=True)
    if labels is not None:
        if classes.dtype.kind not in "biu" or classes[0] < 0 or classes[-1] >= len(labels):
            raise ValueError(
                f"labels: expected a name for each class, whole numbers from 0 to {len(labels) - 1}; got "
                f"classes from {classes[0]} to {classes[-1]}"
            )
        index = classes.astype(np.int64)[index]
    names = [str(name) for name in (classes if labels is None else labels)]
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (index[: len(true)], index[len(true) :]), 1)
    return names, counts


def _draw_cells(ax: Axes, counts: npt.NDArray[np.int64], size: float) -> None:
    from matplotlib.colors import to_rgb

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    full = np.where(np.eye(len(counts))[..., None] == 1, to_rgb(RIGHT), to_rgb(WRONG))
    ax.imshow(1 - shares[..., None] * (1 - full))
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = shares[row, column]
        style: dict[str, Any] = {"ha": "center", "color": "white" if share > 0.5 else "#222222"}
        ax.text(column, row - 0.1, f"{counts[row, column]:,}", va="center", size=size, **style)
        ax.text(column, row + 0.24, f"{100 * share:.0f} %", va="center", size=0.8 * size, **style)
    edges = np.arange(len(counts) + 1) - 0.5
    ax.set_xticks(edges, minor=True)
    ax.set_yticks(edges, minor=True)
    ax.grid(which="minor", color="#dddddd", linewidth=0.8)
    ax.tick_params(which="both", length=0, labelsize=9, colors=GREY)
    ax.spines[:].set_visible(False)
