"""Splitting a data set into training and test examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn.random import Generator

Indices = npt.NDArray[np.int64]


def stratified(labels: npt.NDArray[Any], test_share: float, seed: int = 0) -> tuple[Indices, Indices]:
    """Return shuffled indices of training and of test examples.

    Every class gives the same share of its examples to the test, rounded. The shuffles come from
    dualnn's own generator, so the split is the same on every machine and with every NumPy.

    >>> import numpy as np
    >>> train, test = stratified(np.array([0, 0, 0, 0, 1, 1, 1, 1]), test_share=0.25)
    >>> len(train), len(test)
    (6, 2)
    """
    order = np.asarray(Generator(seed).permutation(len(labels)))
    in_test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        in_test[members[: round(test_share * len(members))]] = True
    return order[~in_test[order]], order[in_test[order]]
