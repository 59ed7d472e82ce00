"""Overfitting as a tool: what a model learns, what it only remembers, and what more data would change.

Each function takes `build`, a function that returns a model that is compiled and not built, so that every
training begins anew from its own seed. Their results are drawn by `dualnn.plots`.
"""

from dualnn.diagnostics.bias_variance import BiasVariance, bias_variance
from dualnn.diagnostics.cross_validation import CrossValidation, cross_validate
from dualnn.diagnostics.learning_curve import LearningCurve, learning_curve
from dualnn.diagnostics.overfitting import Overfitting, overfitting
from dualnn.diagnostics.validation_curve import ValidationCurve, validation_curve

__all__ = [
    "BiasVariance",
    "CrossValidation",
    "LearningCurve",
    "Overfitting",
    "ValidationCurve",
    "bias_variance",
    "cross_validate",
    "learning_curve",
    "overfitting",
    "validation_curve",
]
