"""The data sets of the assignments, and the offline stand-in for MNIST."""

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


def offline(name: str, folder: Folder) -> tuple[Dataset, str]:
    """Return a data set, and a sentence if another one stands in for it, else "".

    Only MNIST has a stand-in, scikit-learn's digits, and only if no folder is named for its files.

    Raises:
        FileNotFoundError: the data set cannot be found.
        ImportError: scikit-learn, which has the small data sets, is not installed.

    >>> offline("iris", None)
    (Dataset('iris': 105 training and 45 test examples of shape (4,), 3 classes), '')
    """
    try:
        return LOADERS[name](folder), ""
    except FileNotFoundError:
        if name != "mnist" or folder is not None:
            raise
    return LOADERS["digits"](None), (
        "MNIST's files are not on this machine and cannot be downloaded, "
        "so this is done with the 1,797 handwritten digits of scikit-learn."
    )
