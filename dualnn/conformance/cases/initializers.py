"""The initializers, against the formulas of their papers on independently computed random numbers.

An initializer runs on the host in float64, so its numbers are measured in float64; that a layer on any
backend gets the same bits is a case of its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import dualnn as dn
from dualnn import initializers
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases import random as words
from dualnn.conformance.measure import WIDE
from dualnn.protocol import Backend

SEED = 20
SHAPES: dict[tuple[int, ...], tuple[int, int]] = {(4, 6): (4, 6), (3, 2, 4, 6): (24, 36), (12,): (12, 12)}
"""Shapes, with their numbers of inputs and outputs of a unit: channels times receptive field."""


def _uniform(shape: tuple[int, ...]) -> Array:
    drawn: Array = words.fractions(words.words(SEED, math.prod(shape))).reshape(shape)
    return drawn


def _standard(distribution: str, shape: tuple[int, ...]) -> Array:
    """Return random numbers of mean 0 and variance 1."""
    size = math.prod(shape)
    if distribution == "uniform":
        return np.asarray((2 * _uniform(shape).astype(WIDE) - 1) * np.sqrt(WIDE(3)))
    if distribution == "untruncated_normal":
        return words.normal(SEED, size).reshape(shape)
    # The variance of a standard normal number, given that it is within 2.
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    variance = 1 - 4 * density / math.erf(math.sqrt(2))
    return np.divide(words.truncated_normal(SEED, size).reshape(shape), np.sqrt(WIDE(variance)))


def _host(name: str, variant: str, make: Callable[[], Any], shape: tuple[int, ...], values: Any) -> Case:
    return FunctionCase(
        name=f"initializers.{name}",
        variant=f"{variant}{', ' if variant else ''}shape {shape}",
        run=lambda nn: nn.asarray(make()(shape)),
        reference=values,
        inputs=(),
        roundings=words.ROUNDINGS_OF_NORMAL + 4,
        scale="norm",
        derivatives=0,
        dtypes=("float64",),
        reason=f"{words.NORMAL}; 4 more for the standard deviation",
    )


# name: (scale, which number of connections, distribution)
_SCALED = {
    "GlorotUniform": (1, "fan_avg", "uniform"),
    "GlorotNormal": (1, "fan_avg", "truncated_normal"),
    "HeUniform": (2, "fan_in", "uniform"),
    "HeNormal": (2, "fan_in", "truncated_normal"),
    "LecunUniform": (1, "fan_in", "uniform"),
    "LecunNormal": (1, "fan_in", "truncated_normal"),
}


def _scaled(
    name: str, variant: str, make: Callable[[], Any], scale: float, mode: str, distribution: str
) -> list[Case]:
    def values(shape: tuple[int, ...]) -> Array:
        fan_in, fan_out = SHAPES[shape]
        n = {"fan_in": WIDE(fan_in), "fan_out": WIDE(fan_out), "fan_avg": WIDE(fan_in + fan_out) / 2}[mode]
        return np.multiply(_standard(distribution, shape), np.sqrt(scale / n))

    return [_host(name, variant, make, shape, functools.partial(values, shape)) for shape in SHAPES]


CASES: list[Case] = []
for _name, _rule in _SCALED.items():
    CASES += _scaled(_name, "", functools.partial(getattr(initializers, _name), seed=SEED), *_rule)
for _mode in ("fan_in", "fan_out", "fan_avg"):
    for _kind in ("truncated_normal", "untruncated_normal", "uniform"):
        CASES += _scaled(
            "VarianceScaling",
            f"{_mode}, {_kind}",
            functools.partial(initializers.VarianceScaling, 0.7, _mode, _kind, seed=SEED),
            0.7,
            _mode,
            _kind,
        )
CASES += [
    _host(
        "RandomNormal",
        "",
        lambda: initializers.RandomNormal(1.5, 0.25, seed=SEED),
        (8, 5),
        lambda: WIDE(1.5) + _standard("untruncated_normal", (8, 5)) / 4,
    ),
    _host(
        "TruncatedNormal",
        "",
        lambda: initializers.TruncatedNormal(1.5, 0.25, seed=SEED),
        (8, 5),
        lambda: WIDE(1.5) + words.truncated_normal(SEED, 40).reshape(8, 5) / 4,
    ),
]

# ------------------------------------------------------------------ matrices with orthonormal rows or columns


def _orthonormal(matrix: Array) -> Array:
    # Gram and Schmidt's method, twice: it gives the factorization Q R whose R has a positive diagonal.
    columns: list[Array] = []
    for column in matrix.T:
        for _ in range(2):
            for other in columns:
                column = column - other * (other @ column)
        columns.append(column / np.sqrt(column @ column))
    return np.stack(columns, axis=-1)


def _orthogonal(shape: tuple[int, ...], gain: float) -> list[Case]:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    tall = (max(rows, columns), min(rows, columns))

    def values() -> Array:
        return initializers.Orthogonal(gain, seed=SEED)(shape)

    def reference(drawn: Array) -> Array:
        q = _orthonormal(drawn)
        return gain * (q if rows >= columns else q.T).reshape(shape)

    def products(nn: Backend) -> Any:
        q = values().reshape(rows, columns).astype(WIDE)
        return nn.asarray((q.T @ q if rows >= columns else q @ q.T).astype(np.float64))

    return [
        FunctionCase(
            name="initializers.Orthogonal",
            variant=f"shape {shape}",
            run=lambda nn, drawn: nn.asarray(values()),
            reference=reference,
            inputs=(words.normal(SEED, rows * columns).reshape(tall).astype(np.float64),),
            roundings=ROUNDINGS_OF_QR * rows * columns,
            scale="norm",
            derivatives=0,
            dtypes=("float64",),
            reason=QR,
        ),
        FunctionCase(
            name="initializers.Orthogonal",
            variant=f"shape {shape}, products of its vectors",
            run=products,
            reference=lambda: WIDE(gain) ** 2 * np.eye(tall[1], dtype=WIDE),
            inputs=(),
            roundings=2 * ROUNDINGS_OF_QR * rows * columns,
            scale="norm",
            derivatives=0,
            dtypes=("float64",),
            reason=f"{QR}; twice that in products of two",
        ),
    ]


ROUNDINGS_OF_QR = 4
QR = """Householder's method for m rows and n columns: c m n roundings with a small c (Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., equation 19.13), relative to the norm of the matrix"""

for _shape, _gain in {(5, 5): 1.0, (9, 4): 0.5, (3, 8): 2.0, (3, 2, 4): 1.5}.items():
    CASES += _orthogonal(_shape, _gain)

# ------------------------------------------------------------------ exact answers

MANY = 20_000
_MOMENTS: dict[str, tuple[Callable[[], Any], float]] = {
    "RandomNormal": (lambda: initializers.RandomNormal(0, 0.5, seed=1), 0.5),
    "RandomUniform": (lambda: initializers.RandomUniform(-1, 1, seed=1), 1 / math.sqrt(3)),
    "TruncatedNormal": (lambda: initializers.TruncatedNormal(0, 0.5, seed=1), 0.5 * 0.8796),
    **{
        name: (functools.partial(getattr(initializers, name), seed=1), math.sqrt(scale / n))
        for name, (scale, n) in {
            "GlorotNormal": (1, (MANY / 20 + 20) / 2),
            "GlorotUniform": (1, (MANY / 20 + 20) / 2),
            "HeNormal": (2, MANY / 20),
            "HeUniform": (2, MANY / 20),
            "LecunNormal": (1, MANY / 20),
            "LecunUniform": (1, MANY / 20),
        }.items()
    },
}


def _moments(make: Callable[[], Any], deviation: float, nn: Backend, dtype: str) -> dict[str, Any]:
    values = make()((MANY // 20, 20)) / deviation
    # Of normal numbers; those with shorter tails have smaller errors.
    return {
        "mean": nn.asarray(bool(abs(values.mean()) < 4 / math.sqrt(MANY))),
        "deviation": nn.asarray(bool(abs(values.std() - 1) < 4 / math.sqrt(2 * MANY))),
    }


def _on_backend(initializer: Any, nn: Backend, dtype: str) -> dict[str, Any]:
    class Holder(dn.Layer):
        def build(self, input_shape: Any) -> None:
            self.weight = self.add_weight((3, 5), initializer, name="weight")

        def call(self, x: Any) -> Any:
            return x

    layer = Holder().on(nn.name, dtype=dtype)
    layer(np.zeros((1, 1)))
    return {"weight": layer.weight}


def _on_host(initializer: Any, dtype: str) -> dict[str, Any]:
    return {"weight": initializer((3, 5)).astype(dtype)}


def _values(make: Callable[[], Any], nn: Backend, dtype: str) -> dict[str, Any]:
    return {"values": nn.asarray(make()((3, 5)))}


_ALL: list[Any] = [
    initializers.Constant(0.1),
    initializers.Zeros(),
    initializers.Ones(),
    initializers.Identity(0.1),
    initializers.Orthogonal(0.1, seed=SEED),
    initializers.RandomNormal(0.1, 0.7, seed=SEED),
    initializers.RandomUniform(-0.1, 0.7, seed=SEED),
    initializers.TruncatedNormal(0.1, 0.7, seed=SEED),
    initializers.VarianceScaling(0.7, "fan_out", "uniform", seed=SEED),
    *(getattr(initializers, name)(seed=SEED) for name in _SCALED),
]
_EYE = np.eye(3, 5)
_VALUES: dict[str, tuple[Callable[[], Any], Array]] = {
    "Constant": (lambda: initializers.Constant(0.1), np.full((3, 5), 0.1)),
    "Zeros": (lambda: initializers.Zeros(), np.zeros((3, 5))),
    "Ones": (lambda: initializers.Ones(), np.ones((3, 5))),
    "Identity": (lambda: initializers.Identity(0.7), 0.7 * _EYE),
    "RandomUniform": (lambda: initializers.RandomUniform(-0.5, 1.5, seed=SEED), -0.5 + 2 * _uniform((3, 5))),
}


class _Halves(initializers.Initializer):
    """An initializer of a user's own: the fractions of the stream's words, halved."""

    def _draw(self, shape: tuple[int, ...], generator: dn.random.Generator) -> Array:
        return generator.uniform(shape) / 2


def _own(nn: Backend, dtype: str) -> dict[str, Any]:
    halves, stream = _Halves(), dn.random.Generator(SEED)
    drawn = [halves((2,), stream), halves((3,), stream)]
    return {"stream": nn.asarray(np.concatenate(drawn), dtype="float64")}


def _get(nn: Backend, dtype: str) -> dict[str, Any]:
    same = [
        isinstance(initializers.get(identifier), initializers.HeNormal)
        for identifier in ("he_normal", "HeNormal", initializers.HeNormal, initializers.HeNormal())
    ]
    return {"the same": nn.asarray(same)}


CASES += [
    *(
        ExactCase(
            name=f"initializers.{name}",
            variant="values",
            run=functools.partial(_values, make),
            expected={"values": values},
            dtypes=("float64",),
            reason="the documented numbers; of the random ones product and sum are exact, or rounded once",
        )
        for name, (make, values) in _VALUES.items()
    ),
    *(
        ExactCase(
            name=f"initializers.{name}",
            variant="moments",
            run=functools.partial(_moments, make, deviation),
            expected={"mean": True, "deviation": True},
            dtypes=("float64",),
            reason=f"of {MANY} numbers, within 4 standard errors; the numbers are always the same",
        )
        for name, (make, deviation) in _MOMENTS.items()
    ),
    *(
        ExactCase(
            name=f"initializers.{type(one).__name__}",
            variant="bits of a layer's weight",
            run=functools.partial(_on_backend, one),
            expected=functools.partial(_on_host, one),
            reason="computed once on the host in float64, and rounded to nearest",
        )
        for one in _ALL
    ),
    ExactCase(
        name="initializers.Initializer",
        variant="one of a user's own goes on in the stream it is given",
        run=_own,
        expected={"stream": words.fractions(words.words(SEED, 5)) / 2},
        dtypes=("float64",),
        reason="a half is a power of two",
    ),
    ExactCase(
        name="initializers.get",
        variant="names, classes and instances",
        run=_get,
        expected={"the same": [True] * 4},
        dtypes=("float64",),
        reason="as its docstring says",
    ),
]
