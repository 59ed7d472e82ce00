"""Penalties on weights, under Keras's names: scalars that training adds to the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dualnn.backends import as_tensors
from dualnn.foreign.advice import refusal
from dualnn.foreign.recognition import library
from dualnn.names import lookup
from dualnn.protocol import Tensor
from dualnn.saving.configs import Configured

Regularizer = Callable[[Tensor], Tensor]
"""A function of a weight that returns a scalar of the same dtype."""


@dataclass(frozen=True)
class L1(Configured):
    """``l1 * sum(abs(w))``.

    Raises:
        ValueError: a factor that is negative or not finite.

    >>> import dualnn as dn
    >>> w = dn.backend().asarray([1.0, -2.0])
    >>> float(dn.regularizers.L1(0.5)(w))
    1.5
    """

    l1: float = 0.01

    def __post_init__(self) -> None:
        _require_factor("l1", self.l1)

    def __call__(self, w: Tensor) -> Tensor:
        """Return the penalty on a weight."""
        nn, w = as_tensors(w)
        return self.l1 * nn.sum(nn.abs(w))


@dataclass(frozen=True)
class L2(Configured):
    """``l2 * sum(w**2)``.

    Raises:
        ValueError: a factor that is negative or not finite.

    >>> import dualnn as dn
    >>> w = dn.backend().asarray([1.0, -2.0])
    >>> float(dn.regularizers.L2(0.5)(w))
    2.5
    """

    l2: float = 0.01

    def __post_init__(self) -> None:
        _require_factor("l2", self.l2)

    def __call__(self, w: Tensor) -> Tensor:
        """Return the penalty on a weight."""
        nn, w = as_tensors(w)
        return self.l2 * nn.sum(nn.square(w))


@dataclass(frozen=True)
class L1L2(Configured):
    """``l1 * sum(abs(w)) + l2 * sum(w**2)``, also called the elastic net.

    Raises:
        ValueError: a factor that is negative or not finite.

    >>> import dualnn as dn
    >>> w = dn.backend().asarray([1.0, -2.0])
    >>> float(dn.regularizers.L1L2(l1=0.5, l2=0.5)(w))
    4.0
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        _require_factor("l1", self.l1)
        _require_factor("l2", self.l2)

    def __call__(self, w: Tensor) -> Tensor:
        """Return the penalty on a weight."""
        return L1(self.l1)(w) + L2(self.l2)(w)


def _require_factor(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"expected a finite number from 0 for {name}, got {value!r}")


_BY_NAME: dict[str, Regularizer] = {"l1": L1(), "l2": L2(), "l1_l2": L1L2(l1=0.01, l2=0.01)}
_BY_NAME |= {"L1": _BY_NAME["l1"], "L2": _BY_NAME["l2"], "L1L2": _BY_NAME["l1_l2"]}


def get(identifier: Any) -> Regularizer | None:
    """Return the regularizer that a layer was given.

    Args:
        identifier: a function of a weight, or None; or ``"l1"``, ``"l2"``, ``"l1_l2"``, with factors 0.01.

    Raises:
        ValueError: no regularizer has this name.
        TypeError: neither a name, nor a callable, nor None.

    >>> import dualnn as dn
    >>> dn.regularizers.get("l2")
    L2(l2=0.01)
    """
    if isinstance(identifier, str):
        return lookup("regularizer", identifier, _BY_NAME)
    if identifier is None:
        return None
    if library(identifier) is not None:
        raise refusal(identifier, "regularizers", "a regularizer of dualnn")
    if callable(identifier):
        return identifier  # type: ignore[no-any-return]
    raise TypeError(f"expected a regularizer's name, a callable or None, got {identifier!r}")
