"""What a data set is: training and test examples, their labels and the names of the classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Features: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification data set, split into training and test examples.

    It unpacks as Keras's ``load_data()`` does.

    >>> import dualnn as dn
    >>> (x_train, y_train), (x_test, y_test) = dn.datasets.iris()
    >>> x_train.shape, y_train.shape, x_test.shape, y_test.shape
    ((105, 4), (105,), (45, 4), (45,))
    """

    name: str
    x_train: Features
    y_train: Labels
    x_test: Features
    y_test: Labels
    class_names: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[Features, Labels]]:
        yield self.x_train, self.y_train
        yield self.x_test, self.y_test

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}: {len(self.x_train)} training and {len(self.x_test)} test examples "
            f"of shape {self.x_train.shape[1:]}, {len(self.class_names)} classes)"
        )
