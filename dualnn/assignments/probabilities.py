"""From a network's logits to probabilities, and from a count to what it says of all examples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def softmax(logits: Array) -> Array:
    """Return the probabilities of classes, float64, of logits of shape (..., classes).

    >>> import numpy as np
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    logits = logits.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def interval(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share of which `right` of `total` were seen.

    Wilson's interval ("Probable inference, the law of succession, and statistical inference", 1927),
    which is right for few examples and for shares near 1, too.

    >>> [round(end, 3) for end in interval(43, 45)]
    [0.852, 0.988]
    """
    z = 1.959963984540054  # the standard normal distribution's 97.5 % quantile
    share, weight = right / total, z * z / total
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return max(0.0, centre - half), min(1.0, centre + half)
