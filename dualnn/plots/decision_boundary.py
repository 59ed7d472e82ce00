"""What a model makes of each point of a plane."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dualnn.plots.canvas import COLOURS, GREY, figure
from dualnn.plots.classes import class_numbers
from dualnn.training.arrays import as_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's others behind the first four, then two for a ninth and a tenth class
CLASS_COLOURS = (*COLOURS, "#56B4E9", "#D55E00", "#F0E442", "#000000", "#8C6D31", "#7F7F7F")
MARKERS = "os^DvPX<>*"  # so that no class is known by its colour alone
Floats = npt.NDArray[np.float64]


def decision_boundary(
    model: Any,
    x: Any,
    y: Any,
    labels: Sequence[Any] | None = None,
    *,
    from_logits: bool | None = None,
    resolution: int = 240,
) -> Figure:
    """Plot which class a model predicts at each point of the plane, and how sure it is.

    Args:
        model: a model with inputs of shape (batch, 2), and an output of shape (batch, 1), for the classes 0
            and 1, or (batch, classes). Or a fitted classifier with scikit-learn's ``predict_proba`` and
            ``classes_``, as `dualnn.sklearn.Classifier`.
        x: the inputs of the samples, shape (samples, 2).
        y: their classes, whole numbers from 0, or one-hot; of a classifier, as it was fitted on.
        labels: the names of the classes, in their order; by default 0, 1, 2 ..., or a classifier's classes.
        from_logits: whether a model's outputs are logits. None: they are, unless all are in [0, 1] and, with
            a column for each class, add up to 1.
        resolution: points to either side of the grid that the model is asked about.

    Returns:
        A figure of the regions, each in the colour of the class, the deeper the larger its probability, with
        the samples on top. A black ring marks a sample that is classified wrongly.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: inputs that are not pairs, other outputs, or classes that the model or `labels` lacks.

    >>> import numpy as np, dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(3)])
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> figure = dn.plots.decision_boundary(model, x, [0, 1, 2], resolution=20)
    >>> len(figure.axes[0].images)
    1
    """
    points, classes = as_array(x, "x").astype(np.float64), class_numbers(y, "y")
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(classes) or len(points) == 0:
        raise ValueError(
            f"expected x of shape (samples, 2) and a class y for each, got shapes {points.shape} and "
            f"{classes.shape}; of more inputs there is no plane to draw"
        )
    canvas = figure(5.8, 4.4)
    ax = canvas.subplots()
    margin = 0.08 * np.maximum(np.ptp(points, axis=0), 1e-6)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    first, second = np.linspace(low, high, resolution).T
    grid = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    asked = np.concatenate([grid, points])
    if hasattr(model, "predict_proba"):
        found = np.asarray(model.predict_proba(asked))
        labels = model.classes_ if labels is None else labels
        classes = _numbered(classes, model.classes_)
    else:
        outputs = model.predict(asked.astype(np.float32), batch_size=4096, verbose=0)
        found = _probabilities(outputs, from_logits)
    count = found.shape[1]
    if classes.dtype.kind not in "iu" or classes.min() < 0 or classes.max() >= count:
        raise ValueError(
            f"y: expected classes from 0 to {count - 1}, as the model has, got {np.unique(classes)}"
        )
    if labels is not None and len(labels) != count:
        raise ValueError(f"labels: expected {count} names, as the model has classes, got {len(labels)}")
    regions = found[: len(grid)].reshape(resolution, resolution, count)
    _draw_regions(ax, first, second, regions)
    names = [str(name) for name in (range(count) if labels is None else labels)]
    wrong = found[len(grid) :].argmax(axis=1) != classes
    _draw_samples(ax, points, classes, wrong, names)
    ax.set_xlabel("first input", color=GREY)
    ax.set_ylabel("second input", color=GREY)
    ax.tick_params(colors=GREY, labelsize=9)
    ax.spines[:].set_visible(False)
    canvas.legend(loc="outside right upper", frameon=False, fontsize=9)
    return canvas


def _numbered(y: npt.NDArray[Any], classes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the place of each sample's class among a classifier's."""
    known = np.isin(y, classes)
    if not known.all():
        raise ValueError(f"y: expected the classifier's classes {classes}, got {np.unique(y[~known])}")
    return np.searchsorted(classes, y)


def _probabilities(outputs: Any, from_logits: bool | None) -> Floats:
    """Return the probability of each class for outputs of shape (points, 1) or (points, classes)."""
    if not isinstance(outputs, np.ndarray) or outputs.ndim != 2:
        raise ValueError(
            f"expected a model with one output of shape (batch, 1) or (batch, classes), got "
            f"{getattr(outputs, 'shape', 'several outputs')}"
        )
    values = outputs.astype(np.float64)
    if from_logits is None:
        sums = values.shape[1] == 1 or np.allclose(values.sum(axis=1), 1, atol=1e-3)
        from_logits = not (sums and values.min() >= 0 and values.max() <= 1)
    if values.shape[1] == 1:  # the class 0 has the logit 0
        values = np.concatenate(
            [np.zeros_like(values), values] if from_logits else [1 - values, values], axis=1
        )
    if not from_logits:
        return values
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _draw_regions(ax: Axes, first: Floats, second: Floats, probabilities: Floats) -> None:
    from matplotlib.colors import to_rgb

    count = probabilities.shape[-1]
    colours = np.array([to_rgb(colour) for colour in islice(cycle(CLASS_COLOURS), count)])
    sure = (probabilities.max(axis=-1, keepdims=True) - 1 / count) / (1 - 1 / count)
    # white where the model has no idea; never so deep that the samples are lost on it
    picture = 1 - (0.06 + 0.5 * sure) * (1 - colours[probabilities.argmax(axis=-1)])
    extent = (first[0], first[-1], second[0], second[-1])
    ax.imshow(picture, origin="lower", extent=extent, aspect="auto", interpolation="bilinear")
    for k in range(count):
        others = np.delete(probabilities, k, axis=-1).max(axis=-1)
        lead = probabilities[..., k] - others
        if lead.min() < 0 < lead.max():
            ax.contour(first, second, lead, levels=[0.0], colors="white", linewidths=1.2)


def _draw_samples(
    ax: Axes, points: Floats, classes: npt.NDArray[Any], wrong: npt.NDArray[np.bool_], names: list[str]
) -> None:
    size = 34 if len(points) <= 300 else 14
    for k, colour, marker, name in zip(
        range(len(names)), cycle(CLASS_COLOURS), cycle(MARKERS), names, strict=False
    ):
        mine = classes == k
        ax.scatter(
            points[mine, 0],
            points[mine, 1],
            s=size,
            color=colour,
            marker=marker,
            edgecolors="white",
            linewidths=0.6,
            label=name,
        )
    if wrong.any():
        ax.scatter(
            points[wrong, 0],
            points[wrong, 1],
            s=2.4 * size,
            facecolors="none",
            edgecolors="black",
            linewidths=1.1,
            label=f"wrong, {wrong.sum()} of {len(points)}",
        )
