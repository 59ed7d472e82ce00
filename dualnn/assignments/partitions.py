"""Which training examples validate a network that was trained on the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn import random
from dualnn.datasets.split import Indices, stratified

VALIDATION_SHARE = 1 / 6


def partitions(labels: npt.NDArray[Any], folds: int, seed: int) -> list[tuple[Indices, Indices]]:
    """Return the rows to train on and the rows to validate on, once for each fold.

    Every class has the same share, rounded, in every part. With one fold a sixth is held out once; with
    more, every row is held out exactly once.

    >>> import numpy as np
    >>> parts = partitions(np.array([0, 1] * 6), folds=3, seed=0)
    >>> [(len(train), len(held_out)) for train, held_out in parts]
    [(8, 4), (8, 4), (8, 4)]
    """
    if folds == 1:
        return [stratified(labels, VALIDATION_SHARE, seed)]
    order = random.Generator(random.key(seed, "folds")).permutation(len(labels))
    # class by class in the shuffled order, so that dealing them out spreads each class evenly
    order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(len(labels), dtype=np.int64)
    fold_of[order] = np.arange(len(labels)) % folds
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(folds)]
