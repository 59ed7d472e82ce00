"""What a case of the conformance suite is: one public name, what is run, and what must come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dualnn.protocol import Backend, Tensor

Array: TypeAlias = npt.NDArray[Any]
Scale: TypeAlias = Literal["ulp", "stable", "norm"]

FLOATS = ("float32", "float64")
HALVES = ("bfloat16", "float16")


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What is measured of one public name.

    Attributes:
        name: the public name: ``"exp"``, ``"linalg.det"``, ``"losses.Huber"``, ``"layers.Dense"``.
        variant: what is particular to this case: ``"same padding, stride 2"``.
        dtypes: the floating-point dtypes that it is run in.
        reason: why the bound is what it is, or where the answer is documented.
        level: the level of the suite from which on it is run, ``"quick"`` or ``"full"``.
        machine_code: whether it is compiled to machine code, which takes long, in float32 at the quick level
            and in each of its dtypes at the full one, which does so of all others in float32 as well.
    """

    name: str
    variant: str = ""
    dtypes: tuple[str, ...] = FLOATS
    reason: str
    level: Literal["quick", "full"] = "quick"
    machine_code: bool = False

    @property
    def id(self) -> str:
        """The name with the variant, which tells cases apart."""
        return f"{self.name}: {self.variant}" if self.variant else self.name


@dataclass(frozen=True, kw_only=True, eq=False)
class FunctionCase(Case):
    """A function, measured against a reference of higher precision, with its derivatives.

    Attributes:
        run: ``run(nn, *tensors)``, a tensor or a tuple of tensors.
        reference: the same in NumPy, on arrays of `numpy.longdouble` (or `numpy.clongdouble`).
        inputs: arrays, float64 or complex128 ones of which are rounded to the tested dtype first.
        roundings: how many roundings, in the tested dtype, lead to a result.
        scale: what the roundings are relative to. ``"ulp"``: each result. ``"stable"``: each result, and
            what it changes by when the inputs change by as much. ``"norm"``: the same, of the largest result.
        derivatives: how many of them are compared with derivatives of the reference, at most 2.
        size: the length of a long reduction, for the report's plot of errors over sizes.
        by: the numbers of the inputs by which one differentiates; None for all that are real.
    """

    run: Callable[..., Any]
    reference: Callable[..., Any]
    inputs: tuple[Any, ...]
    roundings: float
    scale: Scale = "stable"
    derivatives: Literal[0, 1, 2] = 2
    size: int | None = None
    by: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseCase(Case):
    """A function of one number, at thousands of points over its whole range, with its derivative.

    Attributes:
        run: ``run(nn, x)``, a tensor.
        reference: the same in NumPy, on arrays of `numpy.longdouble`.
        slope: its derivative, likewise; None for none.
        points: the points in a dtype.
        roundings: how many roundings lead to a result, by dtype.
        cancels: what the derivative is rounded relative to, beside its own size, where the frameworks make
            it of larger numbers: 1 for ``1 - tanh(x)**2``.
        composed: whether it is made of several functions, so that a result is rounded relative to what it
            changes by as the point changes by as much, too.
    """

    run: Callable[..., Any]
    reference: Callable[[Array], Array]
    slope: Callable[[Array], Array] | None
    points: Callable[[str], Array]
    roundings: Mapping[str, float]
    cancels: Callable[[Array], Any] = lambda x: 0.0
    composed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactCase(Case):
    """Answers that are the same to the last bit: signs of zeros and infinities count, all NaN are one.

    Attributes:
        run: ``run(nn, dtype)``, tensors by what is asked.
        expected: the answers by what is asked, numbers or arrays; of floats in any dtype.
    """

    run: Callable[[Backend, str], Mapping[str, Tensor]]
    expected: Mapping[str, Any] | Callable[[str], Mapping[str, Any]]

    def answers(self, dtype: str) -> Mapping[str, Array]:
        """Return the expected arrays in a dtype."""
        expected = self.expected(dtype) if callable(self.expected) else self.expected
        return {question: np.asarray(answer) for question, answer in expected.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class TrajectoryCase(Case):
    """A sequence of states, each made from the one before, as in training.

    Attributes:
        run: ``run(nn, dtype, device, steps)``, an array of shape (steps + 1, numbers).
        reference: ``reference(steps, disturb)``, the same in `numpy.longdouble`. It calls
            ``x = disturb(x)`` on the numbers of each step, which rounds them as the tested dtype would.
        roundings: how many roundings of each number a step takes.
        steps: how many steps.
    """

    run: Callable[[Backend, str, str, int], Array]
    reference: Callable[[int, Callable[[Array], Array]], Array]
    roundings: float
    steps: int = 50
