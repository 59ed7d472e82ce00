"""The pictures of an assignment's report."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dualnn.assignments.architecture import CONVOLUTIONAL, MULTI, SINGLE
from dualnn.assignments.study import Final, Study, Trial
from dualnn.datasets import Dataset
from dualnn.plots import COLOURS, GREY, figure
from dualnn.plots.canvas import tidy, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[Any]

KINDS = {SINGLE: COLOURS[2], MULTI: COLOURS[1], CONVOLUTIONAL: COLOURS[0]}
WRONG = "#D55E00"
SAMPLES = 12
"""Pictures of each class."""
MISTAKES = 24
"""Pictures of test examples that were misclassified."""


def images(data: Dataset) -> Figure:
    """Draw some training images of every class, one class a row."""
    rows = len(data.class_names)
    canvas = figure(0.62 * SAMPLES + 1.2, 0.62 * rows)
    axes = canvas.subplots(rows, SAMPLES, squeeze=False)
    for label, line in enumerate(axes):
        members = data.x_train[data.y_train == label][:SAMPLES]
        for ax in line:
            _blank(ax)
        for ax, image in zip(line, members, strict=False):
            _picture(ax, image)
        line[0].set_ylabel(
            data.class_names[label], rotation=0, ha="right", va="center", fontsize=10, labelpad=8
        )
    return canvas


def pairs(data: Dataset, features: tuple[str, ...]) -> Figure:
    """Draw every pair of features of the training examples, and on the diagonal how each is distributed."""
    n = len(features)
    canvas = figure(2.05 * n, 1.8 * n)
    axes = canvas.subplots(n, n, sharex="col", squeeze=False)
    bins = [np.histogram_bin_edges(data.x_train[:, feature], 20) for feature in range(n)]
    for row, column in itertools.product(range(n), range(n)):
        ax = axes[row, column]
        for label, colour in zip(range(len(data.class_names)), COLOURS, strict=False):
            x = data.x_train[data.y_train == label]
            if row == column:
                ax.hist(x[:, column], bins=bins[column], color=colour, alpha=0.55)
            else:
                ax.scatter(x[:, column], x[:, row], s=14, color=colour, alpha=0.75, linewidths=0)
        tidy(ax, "")
        ax.tick_params(labelsize=8)
        if row == n - 1:
            ax.set_xlabel(features[column], color=GREY)
        if column == 0:
            ax.set_ylabel(features[row], color=GREY)
    _classes(canvas, data)
    return canvas


def scores(studies: list[Study]) -> Figure:
    """Draw the validation accuracy of every network, in the order of the first study."""
    order = [trial.architecture for trial in studies[0].trials]
    canvas = figure(9.2, 0.9 + 0.27 * len(order))
    ax = canvas.subplots()
    apart = 0.3 if len(studies) > 1 else 0.0
    for number, study in enumerate(studies):
        for trial in study.trials:
            place = len(order) - order.index(trial.architecture) - apart * (number - 0.5)
            colour = KINDS[trial.architecture.kind]
            ax.errorbar(
                trial.accuracy,
                place,
                xerr=trial.uncertainty,
                color=colour,
                marker="os"[number % 2],
                markersize=6,
                markerfacecolor="white" if number else colour,
                elinewidth=1.3,
                capsize=2,
            )
    ax.set_yticks(range(len(order), 0, -1), [_short(trial) for trial in studies[0].trials])
    tidy(ax, "", "validation accuracy, with its standard error")
    ax.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    ax.grid(axis="y", visible=False)
    _legend_of_scores(canvas, studies)
    return canvas


def curves(trial: Trial) -> Figure:
    """Draw the loss and the accuracy over the epochs of every fold of a network."""
    canvas = figure(9.2, 3.3)
    for ax, metric in zip(canvas.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for fold, (history, best) in enumerate(zip(trial.histories, trial.best_epochs, strict=True)):
            epochs = np.arange(1, len(history.epoch) + 1)
            for key, colour, name in (
                (metric, COLOURS[1], "training"),
                (f"val_{metric}", COLOURS[0], "validation"),
            ):
                ax.plot(
                    epochs,
                    history.history[key],
                    color=colour,
                    linewidth=1.6 if len(trial.histories) == 1 else 1.2,
                    alpha=1.0 if len(trial.histories) == 1 else 0.75,
                    label=None if fold else name,
                )
            ax.plot(
                best,
                history.history[f"val_{metric}"][best - 1],
                "o",
                color=COLOURS[0],
                markersize=5,
                label=None if fold else "lowest validation loss",
            )
        tidy(ax, metric, "epoch")
        whole_numbers(ax)
        ax.legend(frameon=False, fontsize=9)
    return canvas


def mistaken_images(data: Dataset, final: Final) -> Figure | None:
    """Draw the misclassified test images of which the network was most certain; None if there are none."""
    wrong = np.flatnonzero(final.predictions != data.y_test)
    if not len(wrong):
        return None
    certainty = final.probabilities[wrong].max(axis=-1)
    shown = wrong[np.argsort(-certainty, kind="stable")][:MISTAKES]
    columns = 8
    rows = -(-len(shown) // columns)
    size = 10 if max(map(len, data.class_names)) < 3 else 7.5
    canvas = figure(1.16 * columns, 1.62 * rows)
    axes = canvas.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        _blank(ax)
    for ax, row in zip(axes, shown, strict=False):
        _picture(ax, data.x_test[row])
        predicted = final.predictions[row]
        ax.set_title(
            f"{data.class_names[predicted]}\n{final.probabilities[row, predicted]:.0%} sure",
            fontsize=size,
            color=WRONG,
        )
        ax.set_xlabel(f"is {data.class_names[data.y_test[row]]}", fontsize=size, color="#1a1a1a")
    return canvas


def mistaken_points(data: Dataset, final: Final, features: tuple[str, ...]) -> Figure:
    """Draw the test examples over the last two features, with a ring around each that is misclassified.

    The rings are numbered in the order of the examples.
    """
    canvas = figure(6.0, 4.2)
    ax = canvas.subplots()
    for label, colour in zip(range(len(data.class_names)), COLOURS, strict=False):
        x = data.x_test[data.y_test == label]
        ax.scatter(x[:, -2], x[:, -1], s=26, color=colour, alpha=0.8, linewidths=0)
    wrong = final.predictions != data.y_test
    ax.scatter(
        data.x_test[wrong, -2],
        data.x_test[wrong, -1],
        s=130,
        facecolors="none",
        edgecolors=WRONG,
        linewidths=1.8,
    )
    for number, row in enumerate(np.flatnonzero(wrong), 1):
        place = (data.x_test[row, -2], data.x_test[row, -1])
        ax.annotate(str(number), place, xytext=(8, 5), textcoords="offset points", fontsize=9, color=WRONG)
    tidy(ax, "", f"{features[-2]}, standardised")
    ax.set_ylabel(f"{features[-1]}, standardised", color=GREY)
    _classes(canvas, data)
    return canvas


def _short(trial: Trial) -> str:
    """Return what distinguishes a network within its kind."""
    return str(trial.architecture).partition(": ")[2]


def _picture(ax: Axes, image: Array) -> None:
    ax.imshow(image[..., 0], cmap="gray_r", vmin=0, vmax=1)


def _blank(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _classes(canvas: Figure, data: Dataset) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="none", label=name)
        for name, colour in zip(data.class_names, COLOURS, strict=False)
    ]
    canvas.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=10)


def _legend_of_scores(canvas: Figure, studies: list[Study]) -> None:
    from matplotlib.lines import Line2D

    kinds = dict.fromkeys(trial.architecture.kind for trial in studies[0].trials)
    handles = [Line2D([], [], color=KINDS[kind], marker="o", label=kind) for kind in kinds]
    if len(studies) > 1:
        handles += [
            Line2D(
                [],
                [],
                color=GREY,
                marker="os"[number % 2],
                markerfacecolor="white" if number else GREY,
                linestyle="none",
                label=study.backend,
            )
            for number, study in enumerate(studies)
        ]
    canvas.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=9)
