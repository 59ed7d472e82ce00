"""What more data would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualnn.diagnostics import LearningCurve
from dualnn.plots.canvas import figure, legend, tidy, two_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curve(curve: LearningCurve) -> Figure:
    """Plot a metric over the number of training samples.

    Args:
        curve: what `dualnn.diagnostics.learning_curve` returned.

    Returns:
        A figure with the mean of the repeats, and a band from the least to the largest of them, for the
        training and for the validation data.

    Raises:
        ImportError: matplotlib is not installed.

    >>> import numpy as np, dualnn as dn
    >>> curve = dn.diagnostics.LearningCurve(
    ...     np.array([10, 20]), np.array([[0.1], [0.2]]), np.array([[0.9], [0.4]]), "loss"
    ... )
    >>> dn.plots.learning_curve(curve).axes[0].get_xlabel()
    'training samples'
    """
    canvas = figure(5.6, 3.8)
    ax = canvas.subplots()
    two_curves(ax, curve.sizes, curve.training, curve.validation)
    ax.set_xlim(left=0)
    tidy(ax, f"learning curve: {curve.metric}", "training samples")
    legend(ax)
    return canvas
