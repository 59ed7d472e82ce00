"""Networks as estimators of scikit-learn: for its pipelines, its searches and its cross-validation."""

try:
    import sklearn as _sklearn  # noqa: F401  (here, so that one sentence says how to install it)
except ImportError as error:
    raise ImportError(
        f"dn.sklearn builds on scikit-learn, which cannot be imported ({error}); "
        f"try: pip install 'dualnn[data]'"
    ) from error

from dualnn.sklearn.classifier import Classifier
from dualnn.sklearn.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
