"""Searching, sorting, sets and utilities of the array API standard: nothing is rounded but by `diff`.

NaN is the largest number of a sort, as NumPy has it; the standard leaves its place open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from dualnn.conformance.case import Array, Case, FunctionCase
from dualnn.conformance.cases.elementwise import (
    INF,
    INTEGERS,
    NAN,
    NO_ROUNDING,
    ONE_ROUNDING,
    exact,
    kink,
    numbers,
)
from dualnn.protocol import Tensor

_X = numbers(2, 5)
_TIES = np.array([[3.0, 1.0, 3.0, 1.0, 2.0], [0.0, -0.0, 0.0, 5.0, 5.0]])
_SORTED = np.array([1.0, 2.0, 2.0, 4.0])
_FIRST = "of equal numbers the first"
_STABLE = "equal numbers keep their order, as the standard demands of a stable sort"
_LAST = "NaN is larger than all numbers, as NumPy has it"
_STANDARD = "the array API standard"


def _descending(x: Array) -> Array:
    # Stable: the order of the negatives.
    return np.take_along_axis(x, np.argsort(-x, axis=-1, stable=True), -1)


# (name, variant, function of the tensors, the same in NumPy, inputs, derivatives)
_FUNCTIONS: list[tuple[str, str, Callable[..., Any], Callable[..., Any], tuple[Any, ...], Literal[0, 1]]] = [
    ("argmax", "", lambda nn, x: nn.argmax(x), np.argmax, (_X,), 0),
    ("argmax", "axis", lambda nn, x: nn.argmax(x, axis=0), lambda x: np.argmax(x, 0), (_X,), 0),
    (
        "argmax",
        "keepdims",
        lambda nn, x: nn.argmax(x, axis=-1, keepdims=True),
        lambda x: np.argmax(x, -1, keepdims=True),
        (_X,),
        0,
    ),
    ("argmax", _FIRST, lambda nn, x: nn.argmax(x, axis=1), lambda x: np.argmax(x, 1), (_TIES,), 0),
    ("argmin", "", lambda nn, x: nn.argmin(x), np.argmin, (_X,), 0),
    ("argmin", "axis", lambda nn, x: nn.argmin(x, axis=0), lambda x: np.argmin(x, 0), (_X,), 0),
    (
        "argmin",
        "keepdims",
        lambda nn, x: nn.argmin(x, axis=-1, keepdims=True),
        lambda x: np.argmin(x, -1, keepdims=True),
        (_X,),
        0,
    ),
    ("argmin", _FIRST, lambda nn, x: nn.argmin(x, axis=1), lambda x: np.argmin(x, 1), (_TIES,), 0),
    ("argsort", "", lambda nn, x: nn.argsort(x), np.argsort, (_X,), 0),
    ("argsort", "axis", lambda nn, x: nn.argsort(x, axis=0), lambda x: np.argsort(x, 0), (_X,), 0),
    ("argsort", "ties", lambda nn, x: nn.argsort(x), lambda x: np.argsort(x, stable=True), (_TIES,), 0),
    (
        "argsort",
        "ties, descending",
        lambda nn, x: nn.argsort(x, descending=True),
        lambda x: np.argsort(-x, stable=True),
        (_TIES,),
        0,
    ),
    ("count_nonzero", "", lambda nn, x: nn.count_nonzero(x), lambda x: np.count_nonzero(x), (_TIES,), 0),
    (
        "count_nonzero",
        "axis",
        lambda nn, x: nn.count_nonzero(x, axis=1, keepdims=True),
        lambda x: np.count_nonzero(x, axis=1, keepdims=True),
        (_TIES,),
        0,
    ),
    ("nonzero", "", lambda nn, x: tuple(nn.nonzero(x)), lambda x: np.nonzero(x), (_TIES,), 0),
    ("searchsorted", "", lambda nn, x, y: nn.searchsorted(x, y), np.searchsorted, (_SORTED, _TIES), 0),
    (
        "searchsorted",
        "right",
        lambda nn, x, y: nn.searchsorted(x, y, side="right"),
        lambda x, y: np.searchsorted(x, y, "right"),
        (_SORTED, _TIES),
        0,
    ),
    (
        "searchsorted",
        "sorter",
        lambda nn, x, y: nn.searchsorted(x, y, sorter=nn.asarray([3, 2, 1, 0])),
        lambda x, y: np.searchsorted(x[::-1], y),
        (_SORTED[::-1], _TIES),
        0,
    ),
    ("sort", "", lambda nn, x: nn.sort(x), np.sort, (_X,), 1),
    ("sort", "axis", lambda nn, x: nn.sort(x, axis=0), lambda x: np.sort(x, 0), (_X,), 1),
    ("sort", "descending", lambda nn, x: nn.sort(x, descending=True), _descending, (_X,), 1),
    (
        "where",
        "",
        lambda nn, x, y: nn.where(x > 0, x, y),
        lambda x, y: np.where(x > 0, x, y),
        (_X, numbers(2, 5, seed=1)),
        1,
    ),
    ("where", "number", lambda nn, x: nn.where(x > 0, x, 0.5), lambda x: np.where(x > 0, x, 0.5), (_X,), 1),
    ("all", "", lambda nn, x: nn.all(x), np.all, (_TIES,), 0),
    ("all", "axis", lambda nn, x: nn.all(x, axis=1), lambda x: np.all(x, 1), (_TIES,), 0),
    ("any", "", lambda nn, x: nn.any(x), np.any, (_TIES,), 0),
    (
        "any",
        "axis",
        lambda nn, x: nn.any(x, axis=0, keepdims=True),
        lambda x: np.any(x, 0, keepdims=True),
        (_X,),
        0,
    ),
    ("isin", "", lambda nn, x, y: nn.isin(x, y), lambda x, y: np.isin(x, y), (_TIES, _SORTED), 0),
    (
        "isin",
        "invert",
        lambda nn, x, y: nn.isin(x, y, invert=True),
        lambda x, y: np.isin(x, y, invert=True),
        (_TIES, _SORTED),
        0,
    ),
    ("unique_all", "", lambda nn, x: tuple(nn.unique_all(x)), lambda x: tuple(np.unique_all(x)), (_TIES,), 0),
    (
        "unique_counts",
        "",
        lambda nn, x: tuple(nn.unique_counts(x)),
        lambda x: tuple(np.unique_counts(x)),
        (_TIES,),
        0,
    ),
    (
        "unique_inverse",
        "",
        lambda nn, x: tuple(nn.unique_inverse(x)),
        lambda x: tuple(np.unique_inverse(x)),
        (_TIES,),
        0,
    ),
    ("unique_values", "", lambda nn, x: nn.unique_values(x), lambda x: np.unique_values(x), (_TIES,), 0),
]


def _difference(variant: str, n: int = 1, **arguments: Any) -> FunctionCase:
    return FunctionCase(
        name="diff",
        variant=variant,
        run=lambda nn, x: nn.diff(x, n=n, **arguments),
        reference=lambda x: np.diff(x, n=n, **arguments),
        inputs=(_X,),
        roundings=n,
        scale="ulp" if n == 1 else "stable",
        derivatives=1,
        reason=ONE_ROUNDING if n == 1 else "as many differences, one after the other",
    )


def _of(numbers: Any) -> Callable[..., Tensor]:
    return lambda nn, dtype: nn.asarray(numbers, dtype=dtype)


_ODD = _of([NAN, 1.0, -INF, INF, -0.0, 0.0])
_EMPTY = _of(np.zeros((0, 3)))
_U64 = np.array([2**63, 1, 2**64 - 1], "uint64")

# (name, variant, run(nn, dtype), expected, reason)
_EXACT: list[tuple[str, str, Callable[..., Any], Any, str]] = [
    ("argmax", "infinities", lambda nn, dtype: nn.argmax(_of([-INF, INF, 1.0])(nn, dtype)), 1, _STANDARD),
    ("argmin", "infinities", lambda nn, dtype: nn.argmin(_of([-INF, INF, 1.0])(nn, dtype)), 0, _STANDARD),
    ("argmax", "only -inf", lambda nn, dtype: nn.argmax(_of([-INF, -INF])(nn, dtype)), 0, _FIRST),
    ("argmax", "NaN", lambda nn, dtype: nn.argmax(_of([1.0, NAN, 3.0])(nn, dtype)), 1, "NaN wins, as in max"),
    ("argmin", "NaN", lambda nn, dtype: nn.argmin(_of([1.0, NAN, 0.0])(nn, dtype)), 1, "NaN wins, as in min"),
    ("argmax", "uint64", lambda nn, _: nn.argmax(nn.asarray(_U64)), 2, INTEGERS),
    ("argmax", "0-d", lambda nn, dtype: nn.argmax(_of(3.0)(nn, dtype)), 0, _STANDARD),
    ("argsort", "special values", lambda nn, dtype: nn.argsort(_ODD(nn, dtype)), [2, 4, 5, 1, 3, 0], _LAST),
    (
        "sort",
        "special values",
        lambda nn, dtype: nn.sort(_ODD(nn, dtype)),
        [-INF, -0.0, 0.0, 1.0, INF, NAN],
        _LAST,
    ),
    (
        "sort",
        "special values, descending",
        lambda nn, dtype: nn.sort(_ODD(nn, dtype), descending=True),
        [NAN, INF, 1.0, -0.0, 0.0, -INF],
        _LAST,
    ),
    ("sort", "nothing", lambda nn, dtype: nn.sort(_EMPTY(nn, dtype)), np.zeros((0, 3)), _STANDARD),
    ("sort", "uint64", lambda nn, _: nn.sort(nn.asarray(_U64)), np.sort(_U64), INTEGERS),
    ("sort", "int32", lambda nn, _: nn.sort(nn.asarray([3, -5, 0], dtype="int32")), [-5, 0, 3], INTEGERS),
    ("argsort", "booleans", lambda nn, _: nn.argsort(nn.asarray([True, False, True])), [1, 0, 2], _STABLE),
    ("count_nonzero", "NaN", lambda nn, dtype: nn.count_nonzero(_ODD(nn, dtype)), 4, "NaN is not zero"),
    (
        "count_nonzero",
        "nothing",
        lambda nn, dtype: nn.count_nonzero(_EMPTY(nn, dtype), axis=0),
        [0, 0, 0],
        _STANDARD,
    ),
    ("nonzero", "nothing", lambda nn, dtype: nn.nonzero(_EMPTY(nn, dtype))[1], np.zeros(0, int), _STANDARD),
    (
        "searchsorted",
        "integers",
        lambda nn, _: nn.searchsorted(nn.asarray([1, 3]), nn.asarray([3, 0, 9])),
        [1, 0, 2],
        INTEGERS,
    ),
    (
        "searchsorted",
        "infinities",
        lambda nn, dtype: nn.searchsorted(_of([-INF, 0.0, INF])(nn, dtype), _of([-INF, INF, 1.0])(nn, dtype)),
        [0, 2, 2],
        _STANDARD,
    ),
    (
        "where",
        "broadcasting",
        lambda nn, dtype: nn.where(
            nn.asarray([[True], [False]]), _of([1.0, 2.0])(nn, dtype), _of(0.0)(nn, dtype)
        ),
        [[1.0, 2.0], [0.0, 0.0]],
        _STANDARD,
    ),
    (
        "where",
        "integers",
        lambda nn, _: nn.where(nn.asarray([True, False]), nn.asarray([1, 2]), -1),
        [1, -1],
        _STANDARD,
    ),
    ("all", "nothing", lambda nn, dtype: nn.all(_EMPTY(nn, dtype), axis=0), [True, True, True], _STANDARD),
    ("any", "nothing", lambda nn, dtype: nn.any(_EMPTY(nn, dtype), axis=0), [False, False, False], _STANDARD),
    ("all", "NaN", lambda nn, dtype: nn.all(_of([NAN, INF])(nn, dtype)), True, "NaN is not zero"),
    ("any", "NaN", lambda nn, dtype: nn.any(_of([NAN, 0.0])(nn, dtype)), True, "NaN is not zero"),
    ("all", "integers", lambda nn, _: nn.all(nn.asarray([[1, 2], [0, 3]]), axis=1), [True, False], _STANDARD),
    ("any", "0-d", lambda nn, dtype: nn.any(_of(0.0)(nn, dtype)), False, _STANDARD),
    (
        "isin",
        "NaN",
        lambda nn, dtype: nn.isin(_of([NAN, 1.0])(nn, dtype), _of([NAN, 1.0])(nn, dtype)),
        [False, True],
        "NaN equals nothing",
    ),
    (
        "isin",
        "integers",
        lambda nn, _: nn.isin(nn.asarray([1, 5]), nn.asarray([5, 7])),
        [False, True],
        _STANDARD,
    ),
    (
        "isin",
        "in nothing",
        lambda nn, _: nn.isin(nn.asarray([1, 5]), nn.zeros((0,), dtype="int64")),
        [False, False],
        _STANDARD,
    ),
    (
        "unique_values",
        "NaN",
        lambda nn, dtype: nn.unique_values(_of([NAN, 1.0, NAN, 1.0])(nn, dtype)),
        [1.0, NAN, NAN],
        "each NaN is different, as the standard demands",
    ),
    (
        "unique_values",
        "nothing",
        lambda nn, dtype: nn.unique_values(_EMPTY(nn, dtype)),
        np.zeros(0),
        _STANDARD,
    ),
    (
        "unique_values",
        "integers",
        lambda nn, _: nn.unique_values(nn.asarray([[3, 1], [1, -2]])),
        [-2, 1, 3],
        _STANDARD,
    ),
    ("diff", "too few", lambda nn, dtype: nn.diff(_of([1.0])(nn, dtype)), np.zeros(0), _STANDARD),
    ("diff", "uint8", lambda nn, _: nn.diff(nn.asarray([5, 3, 4], dtype="uint8")), [254, 1], INTEGERS),
    (
        "diff",
        "prepend and append",
        lambda nn, dtype: nn.diff(
            _of([1.0, 4.0])(nn, dtype), prepend=_of([0.0])(nn, dtype), append=_of([9.0])(nn, dtype)
        ),
        [1.0, 3.0, 5.0],
        _STANDARD,
    ),
]

CASES: list[Case] = [
    *(
        FunctionCase(
            name=name,
            variant=variant,
            run=run,
            reference=reference,
            inputs=inputs,
            roundings=0,
            scale="ulp",
            derivatives=derivatives,
            reason=NO_ROUNDING,
        )
        for name, variant, run, reference, inputs, derivatives in _FUNCTIONS
    ),
    _difference(""),
    _difference("axis", axis=0),
    _difference("third", n=3),
    *(exact(*row) for row in _EXACT),
    kink(
        "where",
        "gradient with NaN as the other value",
        lambda nn, x: nn.where(x > 0, x, NAN * nn.ones_like(x)),
        [[1.0, 2.0]],
        [[1.0, 1.0]],
        "what is not taken has no weight",
    ),
    kink(
        "where",
        "gradient with an infinite slope not taken",
        lambda nn, x: nn.where(x > 0, nn.sqrt(x), x),
        [[0.0, 4.0]],
        [[1.0, 0.25]],
        "what is not taken has no weight",
    ),
    kink(
        "where",
        "gradient with the argument chosen as well",
        lambda nn, x: nn.where(x > 0, nn.sqrt(nn.where(x > 0, x, 1.0)), x),
        [[0.0, 4.0]],
        [[1.0, 0.25]],
        "the remedy: the argument of what is not taken is replaced too",
    ),
    kink(
        "sort",
        "gradient at ties",
        lambda nn, x: nn.sort(x) * nn.asarray([1.0, 2.0, 4.0], dtype=x.dtype),
        [[3.0, 1.0, 1.0]],
        [[4.0, 1.0, 2.0]],
        _STABLE,
    ),
]
