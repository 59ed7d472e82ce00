"""What errors are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dualnn.diagnostics import BiasVariance
from dualnn.plots.canvas import COLOURS, figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bias_variance(results: BiasVariance | Mapping[Any, BiasVariance], name: str = "complexity") -> Figure:
    """Plot the parts of the squared error as stacked bars.

    Args:
        results: what `dualnn.diagnostics.bias_variance` returned; or a dictionary of such, by the value of a
            setting, such as the number of units.
        name: what the setting is called.

    Returns:
        A figure with a bar for each result; the whole bar is the error, with two standard errors of it to
        either side. A bias² that is estimated below 0 is drawn as 0.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: no result.

    >>> import dualnn as dn
    >>> errors = {"bias2": 0.01, "variance": 0.02, "error": 0.02}
    >>> result = dn.diagnostics.BiasVariance(0.2, 0.3, 0.1, 0.6, errors, resamples=30)
    >>> figure = dn.plots.bias_variance({1: result, 2: result}, name="units")
    >>> figure.axes[0].get_xlabel()
    'units'
    """
    found = {"": results} if isinstance(results, BiasVariance) else dict(results)
    if not found:
        raise ValueError("expected at least one result of bias_variance, got none")
    noisy = all(result.noise is None for result in found.values())
    parts = {
        "noise": ([result.noise or 0.0 for result in found.values()], "#BBBBBB"),
        "bias² and noise" if noisy else "bias²": ([r.bias2 for r in found.values()], COLOURS[1]),
        "variance": ([result.variance for result in found.values()], COLOURS[0]),
    }
    if noisy:
        del parts["noise"]
    canvas = figure(max(4.8, 1.6 + 0.75 * len(found)), 3.8)
    ax = canvas.subplots()
    places = np.arange(len(found))
    below = np.zeros(len(found))
    for label, (values, colour) in parts.items():
        heights = np.maximum(values, 0.0)
        if isinstance(results, BiasVariance):
            label = f"{label}: {values[0]:.3g}"
        ax.bar(places, heights, bottom=below, width=0.62, color=colour, label=label)
        below = below + heights
    spread = [2 * result.standard_errors["error"] for result in found.values()]
    ax.errorbar(places, below, spread, fmt="none", ecolor="#333333", elinewidth=1.2, capsize=3)
    ax.set_xticks(places, [str(value) for value in found])
    tidy(ax, "expected squared error", "" if len(found) == 1 else name)
    if len(found) == 1:
        ax.set_xlim(-0.8, 0.8)
    handles, labels = ax.get_legend_handles_labels()
    canvas.legend(
        handles[::-1], labels[::-1], loc="outside right upper", frameon=False, fontsize=9
    )  # in the order of the stack
    return canvas
