"""Measuring errors: units in the last place, bounds, and derivatives of a reference.

References are NumPy functions on `numpy.longdouble`, which has 64 bits of precision where the C compiler has
such a type. Their derivatives are central differences, of eighth order for gradients and of sixth for
second derivatives: independent of any automatic one.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from dualnn.conformance.case import Array, DenseCase, FunctionCase
from dualnn.conformance.formats import FORMATS, rounded

WIDE = np.longdouble
PROBES = 8
"""Random changes of many inputs. A bound needs one as large as the standard deviation, which a normal number
is in 0.32 of all cases: none of eight is in 0.68**8, less than 1 of 20."""
FEW = 16
"""Up to so many inputs each is moved alone, which is exact, and no more than twice the work of the probes."""
STEP = 4e-4
"""The step of differences over the number, or over 0.05 for smaller ones.

It leaves out terms of STEP**8, 1e-27, and divides rounding errors of 1e-19, which `error` allows for."""
STEP_OF_SECOND = 3e-3
"""The step of the outer differences, over the number as well.

It divides the errors of inner ones, 1e-19 / STEP: so it is longer than those. It leaves out terms of
STEP_OF_SECOND**6 / 140, 5e-18, still below them; and three steps stay far from kinks, 0.1 or farther away."""
Order: TypeAlias = tuple[int, ...]
PRECISE: Order = (45, -9, 1)
ROUGH: Order = (1,)
"""Factors of central differences over one, two and three steps: of sixth order, and of second.

Bounds are worked out from derivatives at many places, of which few digits count."""
ROUNDINGS_OF_REFERENCE = 4
OPERATIONS_OF_GRADIENT = 4
"""Reverse differentiation takes at most four times the operations (Griewank and Walther, Evaluating
Derivatives, 2nd ed., section 4.6), so a derivative has at most as many times the roundings."""


@dataclass(frozen=True)
class Expected:
    """What a computation should give, and how far from it a correct one may be.

    Attributes:
        values: the results of the reference.
        allowed: the largest absolute error of each number that is not a fault.
        normwise: whether errors are told in units of the largest number of a result, not of each.
    """

    values: list[Array]
    allowed: list[Array]
    normwise: bool = False


@dataclass(frozen=True)
class Deviation:
    """How far a result is from what is expected, where that is the largest part of what is allowed.

    Attributes:
        error: in units in the last place (ULP) of the expected number, or of the largest one of a result.
        bound: what is allowed, in the same units.
        share: the error over the bound; beyond 1 it is a fault.
        detail: the place and the numbers there.
    """

    error: float
    bound: float
    share: float
    detail: str


def leaves(results: Any) -> Iterator[Any]:
    """Yield the tensors or arrays of a result: itself, or those of a tuple, list or dictionary."""
    if isinstance(results, dict):
        results = tuple(results.values())
    if not isinstance(results, (tuple, list)):
        yield results
        return
    for result in results:
        yield from leaves(result)


def widened(array: Array) -> Array:
    """Return floating-point numbers with the precision of references."""
    if array.dtype.kind == "c":
        return array.astype(np.clongdouble)
    return array.astype(WIDE) if array.dtype.kind == "f" else array


def ulp(values: Array, dtype: str) -> Array:
    """Return the unit in the last place of numbers in a dtype; not below that of normal numbers."""
    form = FORMATS[dtype]
    size = np.where(np.isfinite(values), np.abs(values), 0).astype(WIDE)
    _, exponent = np.frexp(np.maximum(size, WIDE(form.smallest_normal)))
    return np.ldexp(WIDE(form.eps), exponent - 1)


def weights_like(values: Array, which: int = 0) -> Array:
    """Return the weights of the sum that is differentiated: between 0.5 and 1.5, of either sign.

    Those of a first and a second result differ: gradients by the two sides of a difference would cancel.
    """
    generator = np.random.default_rng((values.size, which))
    weights = generator.uniform(0.5, 1.5, values.shape) * generator.choice([-1, 1], values.shape)
    return (
        weights if values.dtype.kind != "c" else weights * np.exp(1j * generator.uniform(0, 6, values.shape))
    )


def differentiable(case: FunctionCase) -> list[int]:
    """Return by which inputs one differentiates: the real numbers, but for those that the case leaves out."""
    real = [i for i, x in enumerate(case.inputs) if np.asarray(x).dtype.kind == "f"]
    return real if case.by is None else [i for i in real if i in case.by]


def expected_forward(case: FunctionCase, dtype: str) -> Expected:
    """Return the results of a case."""
    inputs = [widened(rounded(x, dtype)) for x in case.inputs]

    def results(inputs: list[Array]) -> list[Array]:
        return [np.asarray(y) for y in leaves(case.reference(*inputs))]

    values = results(inputs)
    if case.scale == "ulp":
        allowed = [_ulps(case.roundings, y, dtype) for y in values]
    else:
        allowed = _allowed(
            case.roundings, values, _sensitivity(results, inputs), dtype, normwise=case.scale == "norm"
        )
    return Expected(values, allowed, normwise=case.scale == "norm")


def expected_gradient(case: FunctionCase, dtype: str) -> Expected:
    """Return the gradient of a weighted sum of a case's results, by each of its real inputs."""
    reference = _Loss(case, dtype)
    return _expected_derivative(
        case, dtype, reference, reference.gradient, reference.rough_gradient, OPERATIONS_OF_GRADIENT, 1.0
    )


def expected_dense(case: DenseCase, dtype: str, order: int) -> Expected:
    """Return the results of a function at many points, or its derivatives there.

    The points are numbers of the dtype, so a result is wrong by the roundings of the function's own alone. A
    derivative is made of several functions' results, of which each is rounded: so it is allowed what it
    changes by as the point changes by a rounding, beside its own size. Many formulas of derivatives square
    the point: they are judged where that gives a normal number.
    """
    form, x = FORMATS[dtype], widened(case.points(dtype))
    # What is made of several functions multiplies one of their results, which may be lost, by the point or by
    # a constant of up to 6.
    lost = WIDE(form.lost) * (6 + np.abs(x))
    if order == 0:
        value = np.asarray(case.reference(x))
        allowed = WIDE(case.roundings[dtype]) * ulp(value, dtype) + lost
        if case.composed and case.slope is not None:
            through = np.abs(x * case.slope(x))
            allowed = allowed + WIDE(case.roundings[dtype] * form.eps) * np.where(
                np.isfinite(through), through, 0
            )
    else:
        assert case.slope is not None
        value = np.asarray(case.slope(x))
        step = WIDE(2) ** -40
        moved = [distance(case.slope(x * (1 + sign * step)), value) / step for sign in (-1, 1)]
        spread = np.min(moved, axis=0)  # infinite where one leaves the domain
        size = np.abs(value) + np.where(np.isfinite(spread), spread, 0) + case.cancels(x)
        roundings = OPERATIONS_OF_GRADIENT * case.roundings[dtype]
        allowed = WIDE(roundings * form.eps) * size + lost
        is_normal = (x**2 >= WIDE(form.smallest_normal)) & (x**2 <= WIDE(form.largest))
        allowed = np.where(is_normal, allowed, WIDE(np.inf))
    # Beyond the largest number is infinity; close to it, either.
    overflows = np.abs(value) > WIDE(form.largest) + allowed
    may_overflow = np.abs(value) + allowed >= WIDE(form.largest)
    value = np.where(overflows, np.copysign(WIDE(np.inf), value), value)
    return Expected([value], [np.where(may_overflow & ~overflows, WIDE(np.inf), allowed)])


def expected_second(case: FunctionCase, dtype: str) -> Expected:
    """Return the gradient of a weighted sum of that gradient."""
    reference = _Loss(case, dtype)
    operations, step = OPERATIONS_OF_GRADIENT**2, reference.step_of_second(reference.inputs)
    return _expected_derivative(
        case, dtype, reference, reference.second, reference.rough_second, operations, step
    )


def deviation(actual: list[Array], expected: Expected, dtype: str) -> Deviation:
    """Return where a result is farthest from what is expected, over what is allowed.

    Raises:
        ValueError: another number of results, or other shapes.
    """
    shapes, wanted = [y.shape for y in actual], [y.shape for y in expected.values]
    if shapes != wanted:
        raise ValueError(f"expected results of shapes {wanted}, got {shapes}")
    worst = Deviation(0.0, 0.0, 0.0, "")
    for i, (got, value, allowed) in enumerate(zip(actual, expected.values, expected.allowed, strict=True)):
        if got.size == 0:
            continue
        error = distance(got, value)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where((error == 0) | np.isinf(allowed), 0, error / allowed)
        at = np.unravel_index(int(np.argmax(np.where(np.isnan(share), np.inf, share))), got.shape)
        if not share[at] <= worst.share or not worst.detail:
            unit = ulp(np.max(np.abs(value)) if expected.normwise else value[at], dtype)
            where = f"result {i}" + (f"[{', '.join(map(str, at))}]" if at else "")
            worst = Deviation(
                float(error[at] / unit),
                float(allowed[at] / unit),
                float(share[at]),
                f"{where}: expected {value[at]:.9g}, got {got[at]:.9g}",
            )
    return worst


def distance(actual: Array, expected: Array) -> Array:
    """Return the absolute differences; 0 between equal infinities and between NaN, else infinity there."""
    actual, expected = widened(actual), widened(np.asarray(expected))
    if actual.dtype.kind not in "fc":
        return np.where(actual == expected, WIDE(0), WIDE(np.inf))
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(actual - expected)
    return np.where(same, WIDE(0), np.where(np.isnan(gap), WIDE(np.inf), gap))


class _Loss:
    """The weighted sum of a reference's results, and its derivatives."""

    def __init__(self, case: FunctionCase, dtype: str) -> None:
        self.reference, self.dtype = case.reference, dtype
        # The reference rounds about as often as what it is a reference for.
        self.roundings = max(ROUNDINGS_OF_REFERENCE, case.roundings)
        self.inputs = [widened(rounded(x, dtype)) for x in case.inputs]
        self.by = differentiable(case)
        self.weights = [rounded(weights_like(y, k), dtype) for k, y in enumerate(self._results(self.inputs))]

    def gradient(self, inputs: list[Array]) -> list[Array]:
        """Its derivatives by each real input; of two steps, so that the error is of eighth order."""
        coarse, fine = self._gradient(inputs, WIDE(STEP)), self._gradient(inputs, WIDE(STEP) / 2)
        return [(64 * f - c) / 63 for c, f in zip(coarse, fine, strict=True)]

    def rough_gradient(self, inputs: list[Array]) -> list[Array]:
        """The derivatives to seven digits, by a sixth of the work."""
        return self._gradient(inputs, WIDE(STEP), ROUGH)

    def second(self, inputs: list[Array]) -> list[Array]:
        """The derivatives of a weighted sum of the gradient."""
        return self._second(inputs, PRECISE)

    def rough_second(self, inputs: list[Array]) -> list[Array]:
        """The second derivatives to five digits, by a ninth of the work."""
        return self._second(inputs, ROUGH)

    def _second(self, inputs: list[Array], order: Order) -> list[Array]:
        directions = {
            i: widened(rounded(weights_like(inputs[i], k), self.dtype)) for k, i in enumerate(self.by)
        }

        def along(t: Any) -> Array:
            moved = [x + t * directions[i] if i in directions else x for i, x in enumerate(inputs)]
            return np.concatenate([g.ravel() for g in self._gradient(moved, WIDE(STEP), order)])

        h = self.step_of_second(inputs)
        flat = _slope({n: along(n * h) for n in _points(order)}, h, order)
        parts = np.split(flat, np.cumsum([inputs[i].size for i in self.by])[:-1])
        return [part.reshape(inputs[i].shape) for part, i in zip(parts, self.by, strict=True)]

    def step_of_second(self, inputs: list[Array]) -> Any:
        """The step in the direction of the weights that is small for the smallest of the inputs."""
        smallest = min((float(np.min(np.abs(inputs[i]), initial=1.0)) for i in self.by), default=1.0)
        return WIDE(STEP_OF_SECOND) * max(smallest, 0.05)

    def error(self, i: int) -> Array:
        """The rounding errors of the gradient by an input: of the terms that change, over the step."""
        x, error = self.inputs[i], np.zeros(self.inputs[i].shape, WIDE)
        before = self._results(self.inputs)
        for at in np.ndindex(x.shape):
            step = self._step(x[at], WIDE(STEP))
            terms = zip(
                before, self._results(self._moved(self.inputs, i, at, step)), self.weights, strict=True
            )
            # A term's own rounding, and what it changes by as the moved input is rounded.
            share = abs(x[at]) / step
            size = sum(
                (np.sum((np.abs(w) * (np.abs(y) + share * np.abs(z - y)))[y != z]) for y, z, w in terms),
                WIDE(0),
            )
            error[at] = self.roundings * WIDE(np.finfo(WIDE).eps) * size / step
        return error

    def _results(self, inputs: list[Array]) -> list[Array]:
        return [np.asarray(y) for y in leaves(self.reference(*inputs))]

    def _gradient(self, inputs: list[Array], step: Any, order: Order = PRECISE) -> list[Array]:
        return [self._partial(inputs, i, step, order) for i in self.by]

    def _partial(self, inputs: list[Array], i: int, step: Any, order: Order) -> Array:
        gradient = np.zeros(inputs[i].shape, WIDE)
        for at in np.ndindex(gradient.shape):
            h = self._step(inputs[i][at], step)
            points = {n: self._results(self._moved(inputs, i, at, n * h)) for n in _points(order)}
            for k, weights in enumerate(self.weights):
                # Differences first, the sum afterwards: terms that do not change leave no rounding errors.
                slope = _slope({n: y[k] for n, y in points.items()}, h, order)
                gradient[at] += np.sum(np.real(slope * weights))
        return gradient

    @staticmethod
    def _step(x: Any, step: Any) -> Any:
        return step * max(abs(x), WIDE(0.05))

    @staticmethod
    def _moved(inputs: list[Array], i: int, at: Any, by: Any) -> list[Array]:
        moved = inputs[i].copy()
        moved[at] += by
        return [*inputs[:i], moved, *inputs[i + 1 :]]


def _expected_derivative(
    case: FunctionCase,
    dtype: str,
    loss: _Loss,
    derivative: Callable[[list[Array]], list[Array]],
    rough: Callable[[list[Array]], list[Array]],
    operations: int,
    step: Any,
) -> Expected:
    values = derivative(loss.inputs)
    spread = _sensitivity(rough, loss.inputs)
    allowed = _allowed(operations * case.roundings, values, spread, dtype, normwise=True)
    allowed = [a + loss.error(i) / step for a, i in zip(allowed, loss.by, strict=True)]
    return Expected(values, allowed, normwise=True)


def _points(order: Order) -> list[int]:
    reach = len(order)
    return [n for n in range(-reach, reach + 1) if n]


def _slope(points: dict[int, Array], h: Any, order: Order) -> Array:
    total = sum(factor * (points[n] - points[-n]) for n, factor in enumerate(order, 1))
    return total / (2 * sum(n * factor for n, factor in enumerate(order, 1)) * h)


def _sensitivity(results: Callable[[list[Array]], list[Array]], inputs: list[Array]) -> list[Array]:
    # The sum over all inputs of |derivative * input|: how much results change when inputs change relatively.
    # Of few inputs one moves after the other; of many all at random, which shows the root of the sum of
    # squares, at least 1 / sqrt(n) of the sum.
    before = results(inputs)
    sizes = [x.size if x.dtype.kind in "fc" else 0 for x in inputs]
    n = sum(sizes)
    delta = WIDE(1e-8)

    def change(moves: Array) -> list[Array]:
        parts = np.split(moves, np.cumsum(sizes)[:-1])
        moved = [
            x * (1 + delta * part.reshape(x.shape)) if size else x
            for x, part, size in zip(inputs, parts, sizes, strict=True)
        ]
        gaps = [distance(a, b) / delta for a, b in zip(results(moved), before, strict=True)]
        return [np.where(np.isfinite(gap), gap, 0) for gap in gaps]

    if n <= FEW:
        changes = [change(move) for move in np.eye(n)]
        return [np.sum([c[k] for c in changes], axis=0, initial=0) for k in range(len(before))]
    generator = np.random.default_rng(0)
    changes = [change(generator.uniform(-1, 1, n)) for _ in range(PROBES)]
    factor = WIDE(np.sqrt(3 * n))  # a uniform number has the variance 1 / 3
    return [factor * np.max([c[k] for c in changes], axis=0) for k in range(len(before))]


def _allowed(
    roundings: float, values: list[Array], spread: list[Array], dtype: str, *, normwise: bool
) -> list[Array]:
    allowed = []
    for value, sensitivity in zip(values, spread, strict=True):
        size = np.where(np.isfinite(value), np.abs(value), 0) + sensitivity
        if normwise:
            size = np.broadcast_to(np.max(size, initial=0), value.shape)
        allowed.append(WIDE(roundings * FORMATS[dtype].eps) * size + _underflow(dtype))
    return allowed


def _ulps(roundings: float, value: Array, dtype: str) -> Array:
    return WIDE(roundings) * ulp(value, dtype) + _underflow(dtype)


def _underflow(dtype: str) -> Any:
    return WIDE(FORMATS[dtype].lost)
