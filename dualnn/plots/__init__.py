"""Figures of trainings and models. They are returned, never shown: ``figure.savefig("history.png")``."""

from dualnn.plots.bias_variance import bias_variance
from dualnn.plots.canvas import COLOURS, GREY, check_path, figure
from dualnn.plots.confusion_matrix import confusion_matrix
from dualnn.plots.decision_boundary import decision_boundary
from dualnn.plots.history import history
from dualnn.plots.learning_curve import learning_curve
from dualnn.plots.overfitting import overfitting
from dualnn.plots.validation_curve import validation_curve

__all__ = [
    "COLOURS",
    "GREY",
    "bias_variance",
    "check_path",
    "confusion_matrix",
    "decision_boundary",
    "figure",
    "history",
    "learning_curve",
    "overfitting",
    "validation_curve",
]
