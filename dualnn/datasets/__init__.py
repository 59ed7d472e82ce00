"""The data sets of the classification assignments, as NumPy arrays.

Images are float32 in [0, 1], channels last; labels are int64.
"""

from dualnn.datasets.dataset import Dataset
from dualnn.datasets.images import fashion_mnist, mnist
from dualnn.datasets.shipped import digits, iris

__all__ = ["Dataset", "digits", "fashion_mnist", "iris", "mnist"]
