"""The data sets of the assignments."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

from dualnn import datasets
from dualnn.datasets import Dataset

Folder: TypeAlias = str | os.PathLike[str] | None

LOADERS: dict[str, Callable[[Folder], Dataset]] = {
    "iris": lambda folder: datasets.iris(),
    "digits": lambda folder: datasets.digits(),
    "mnist": lambda folder: datasets.mnist(folder),
    "fashion-mnist": lambda folder: datasets.fashion_mnist(folder),
}
"""Each takes the folder to find its files in, or None."""


def load(name: str, folder: Folder) -> Dataset:
    """Return the data set of an assignment.

    Raises:
        FileNotFoundError: the data set cannot be found.
        ImportError: scikit-learn, which has the small data sets, is not installed.

    >>> load("iris", None)
    Dataset('iris': 105 training and 45 test examples of shape (4,), 3 classes)
    """
    try:
        return LOADERS[name](folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; 'digits', smaller handwritten ones that come with scikit-learn, need no file"
        ) from error
