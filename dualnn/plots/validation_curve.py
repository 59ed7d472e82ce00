"""How complex a model should be."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING

import numpy as np

from dualnn.diagnostics import ValidationCurve
from dualnn.plots.canvas import GREY, HELD_OUT_COLOUR, figure, legend, tidy, two_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DECADES = 30.0
"""Positive numbers whose largest is so many times the least are drawn on a logarithmic axis."""


def validation_curve(curve: ValidationCurve) -> Figure:
    """Plot a metric over the values of a setting, and mark the best one.

    Args:
        curve: what `dualnn.diagnostics.validation_curve` returned.

    Returns:
        A figure with the mean of the repeats, and a band from the least to the largest of them, for the
        training and for the validation data. Numbers are in their places on the axis, a logarithmic one if
        they are positive and wide apart; other values are side by side.

    Raises:
        ImportError: matplotlib is not installed.

    >>> import numpy as np, dualnn as dn
    >>> curve = dn.diagnostics.ValidationCurve(
    ...     "units", [1, 100], np.array([[0.5], [0.1]]), np.array([[0.6], [0.4]]), "loss", best=100
    ... )
    >>> dn.plots.validation_curve(curve).axes[0].get_xscale()
    'log'
    """
    canvas = figure(5.6, 3.8)
    ax = canvas.subplots()
    x = np.arange(len(curve.values), dtype=np.float64)
    order = np.arange(len(x))
    best = curve.values.index(curve.best)
    if all(isinstance(value, numbers.Real) for value in curve.values):
        x = np.asarray(curve.values, dtype=np.float64)
        order = np.argsort(x, kind="stable")
        if x.min() > 0 and x.max() / x.min() >= DECADES:
            ax.set_xscale("log")
            ax.set_xticks(x[order], [f"{value:g}" for value in x[order]])
            ax.minorticks_off()
    else:
        ax.set_xticks(x, [str(value) for value in curve.values])
    two_curves(ax, x[order], curve.training[order], curve.validation[order])
    lowest = curve.validation[best].mean()
    ax.axvline(x[best], color=GREY, linewidth=1, linestyle="dotted")
    ax.plot(
        x[best],
        lowest,
        marker="o",
        markersize=9,
        color="none",
        markeredgecolor=HELD_OUT_COLOUR,
        markeredgewidth=2,
        label=f"best: {curve.name} {curve.best}, {lowest:.4g}",
    )
    tidy(ax, f"validation curve: {curve.metric}", curve.name)
    legend(ax)
    return canvas
