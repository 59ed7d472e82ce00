"""Manipulation, indexing, creation and broadcasting of the array API standard.

Nothing is rounded: values are copied. Only a gradient adds up, over the places that a value was copied to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dualnn.conformance.case import Case, ExactCase, FunctionCase
from dualnn.conformance.cases.elementwise import NO_ROUNDING, exact, kink, numbers
from dualnn.protocol import Tensor

_X = numbers(2, 3, 2)
_MATRIX = numbers(3, 3)
_SOME = [[1.5, -0.0], [np.inf, np.nan]]
_STANDARD = "the array API standard"


# (name, variant, function of the tensors, the same in NumPy, inputs, roundings: copies of a value less 1)
_MOVED: list[tuple[str, str, Callable[..., Any], Callable[..., Any], tuple[Any, ...], int]] = [
    (
        "broadcast_arrays",
        "",
        lambda nn, x, y: tuple(nn.broadcast_arrays(x, y)),
        lambda x, y: np.broadcast_arrays(x, y),
        (numbers(3, 1), numbers(2)),
        2,
    ),
    (
        "broadcast_to",
        "",
        lambda nn, x: nn.broadcast_to(x, (2, 3, 2)),
        lambda x: np.broadcast_to(x, (2, 3, 2)),
        (numbers(3, 1),),
        3,
    ),
    (
        "concat",
        "",
        lambda nn, x, y: nn.concat([x, y]),
        lambda x, y: np.concat([x, y]),
        (numbers(2, 3), numbers(1, 3)),
        0,
    ),
    (
        "concat",
        "axis",
        lambda nn, x, y: nn.concat([x, y, x], axis=-1),
        lambda x, y: np.concat([x, y, x], -1),
        (numbers(2, 3), numbers(2, 1)),
        1,
    ),
    (
        "concat",
        "flat",
        lambda nn, x, y: nn.concat([x, y], axis=None),
        lambda x, y: np.concat([x, y], None),
        (numbers(2, 3), numbers(2)),
        0,
    ),
    ("expand_dims", "", lambda nn, x: nn.expand_dims(x, axis=1), lambda x: np.expand_dims(x, 1), (_X,), 0),
    ("expand_dims", "last", lambda nn, x: nn.expand_dims(x, axis=-1), lambda x: x[..., None], (_X,), 0),
    ("flip", "", lambda nn, x: nn.flip(x), np.flip, (_X,), 0),
    ("flip", "axes", lambda nn, x: nn.flip(x, axis=(0, -1)), lambda x: np.flip(x, (0, -1)), (_X,), 0),
    (
        "meshgrid",
        "",
        lambda nn, x, y: tuple(nn.meshgrid(x, y)),
        lambda x, y: np.meshgrid(x, y),
        (numbers(3), numbers(2)),
        2,
    ),
    (
        "meshgrid",
        "ij",
        lambda nn, x, y: tuple(nn.meshgrid(x, y, indexing="ij")),
        lambda x, y: np.meshgrid(x, y, indexing="ij"),
        (numbers(3), numbers(2)),
        2,
    ),
    ("moveaxis", "", lambda nn, x: nn.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1), (_X,), 0),
    (
        "moveaxis",
        "axes",
        lambda nn, x: nn.moveaxis(x, (0, 1), (2, 0)),
        lambda x: np.moveaxis(x, (0, 1), (2, 0)),
        (_X,),
        0,
    ),
    (
        "permute_dims",
        "",
        lambda nn, x: nn.permute_dims(x, (2, 0, 1)),
        lambda x: x.transpose(2, 0, 1),
        (_X,),
        0,
    ),
    ("repeat", "", lambda nn, x: nn.repeat(x, 2, axis=1), lambda x: np.repeat(x, 2, 1), (_X,), 1),
    ("repeat", "flat", lambda nn, x: nn.repeat(x, 2), lambda x: np.repeat(x, 2), (_X,), 1),
    (
        "repeat",
        "tensor",
        lambda nn, x: nn.repeat(x, nn.asarray([2, 0, 1]), axis=1),
        lambda x: np.repeat(x, [2, 0, 1], 1),
        (_X,),
        1,
    ),
    ("reshape", "", lambda nn, x: nn.reshape(x, (3, -1)), lambda x: np.reshape(x, (3, -1)), (_X,), 0),
    ("roll", "", lambda nn, x: nn.roll(x, 5), lambda x: np.roll(x, 5), (_X,), 0),
    ("roll", "axis", lambda nn, x: nn.roll(x, -1, axis=1), lambda x: np.roll(x, -1, 1), (_X,), 0),
    (
        "roll",
        "axes",
        lambda nn, x: nn.roll(x, (1, 2), axis=(0, 1)),
        lambda x: np.roll(x, (1, 2), (0, 1)),
        (_X,),
        0,
    ),
    ("squeeze", "", lambda nn, x: nn.squeeze(x, 1), lambda x: np.squeeze(x, 1), (numbers(3, 1, 2),), 0),
    ("squeeze", "axes", lambda nn, x: nn.squeeze(x, (0, -1)), lambda x: x[0, :, 0], (numbers(1, 3, 1),), 0),
    (
        "stack",
        "",
        lambda nn, x, y: nn.stack([x, y]),
        lambda x, y: np.stack([x, y]),
        (numbers(3), numbers(3, seed=1)),
        0,
    ),
    (
        "stack",
        "axis",
        lambda nn, x, y: nn.stack([x, y, x], axis=-1),
        lambda x, y: np.stack([x, y, x], -1),
        (numbers(3), numbers(3, seed=1)),
        1,
    ),
    (
        "take",
        "",
        lambda nn, x: nn.take(x, nn.asarray([2, 0, -1]), axis=1),
        lambda x: np.take(x, [2, 0, -1], 1),
        (_X,),
        1,
    ),
    (
        "take",
        "one axis",
        lambda nn, x: nn.take(x, nn.asarray([2, 0, 2])),
        lambda x: x[[2, 0, 2]],
        (numbers(3),),
        1,
    ),
    (
        "take",
        "matrix of indices",
        lambda nn, x: nn.take(x, nn.asarray([[0, 1], [1, 1]]), axis=-1),
        lambda x: np.take(x, [[0, 1], [1, 1]], -1),
        (numbers(2, 2),),
        2,
    ),
    (
        "take_along_axis",
        "",
        lambda nn, x: nn.take_along_axis(x, nn.asarray([[1, -1], [0, 0]]), axis=1),
        lambda x: np.take_along_axis(x, np.asarray([[1, -1], [0, 0]]), 1),
        (numbers(2, 3),),
        1,
    ),
    (
        "take_along_axis",
        "first axis",
        lambda nn, x: nn.take_along_axis(x, nn.asarray([[1, 0, 1]]), axis=0),
        lambda x: np.take_along_axis(x, np.asarray([[1, 0, 1]]), 0),
        (numbers(2, 3),),
        0,
    ),
    ("tile", "", lambda nn, x: nn.tile(x, (2, 1, 2)), lambda x: np.tile(x, (2, 1, 2)), (numbers(2, 3),), 3),
    ("tril", "", lambda nn, x: nn.tril(x), np.tril, (_MATRIX,), 0),
    ("tril", "k", lambda nn, x: nn.tril(x, k=-1), lambda x: np.tril(x, -1), (_MATRIX,), 0),
    ("triu", "", lambda nn, x: nn.triu(x), np.triu, (_MATRIX,), 0),
    ("triu", "k", lambda nn, x: nn.triu(x, k=1), lambda x: np.triu(x, 1), (numbers(2, 4),), 0),
    ("unstack", "", lambda nn, x: tuple(nn.unstack(x)), lambda x: tuple(x), (_X,), 0),
    (
        "unstack",
        "axis",
        lambda nn, x: tuple(nn.unstack(x, axis=1)),
        lambda x: tuple(np.moveaxis(x, 1, 0)),
        (_X,),
        0,
    ),
]

# (name, variant, run(nn, dtype), expected)
_CREATED: list[tuple[str, str, Callable[..., Tensor], Any]] = [
    ("arange", "", lambda nn, dtype: nn.arange(4, dtype=dtype), np.arange(4.0)),
    ("arange", "integers", lambda nn, dtype: nn.arange(2, 12, 3), [2, 5, 8, 11]),
    ("arange", "backwards", lambda nn, dtype: nn.arange(5, -1, -2, dtype=dtype), [5.0, 3.0, 1.0]),
    ("arange", "nothing", lambda nn, dtype: nn.arange(5, 5, dtype=dtype), np.zeros(0)),
    ("arange", "halves", lambda nn, dtype: nn.arange(0.0, 2.0, 0.5, dtype=dtype), [0.0, 0.5, 1.0, 1.5]),
    ("asarray", "", lambda nn, dtype: nn.asarray(_SOME, dtype=dtype), _SOME),
    ("asarray", "integers", lambda nn, dtype: nn.asarray([1, -2, 2**40]), [1, -2, 2**40]),
    ("asarray", "booleans", lambda nn, dtype: nn.asarray([True, False]), [True, False]),
    ("asarray", "number", lambda nn, dtype: nn.asarray(3, dtype=dtype), 3.0),
    ("asarray", "nothing", lambda nn, dtype: nn.asarray([], dtype=dtype), np.zeros(0)),
    ("asarray", "complex", lambda nn, dtype: nn.asarray([1 - 2j]), [1 - 2j]),
    ("empty", "", lambda nn, dtype: nn.zeros_like(nn.empty((2, 3), dtype=dtype)), np.zeros((2, 3))),
    (
        "empty_like",
        "",
        lambda nn, dtype: nn.zeros_like(nn.empty_like(nn.ones((2, 3), dtype=dtype))),
        np.zeros((2, 3)),
    ),
    ("eye", "", lambda nn, dtype: nn.eye(3, dtype=dtype), np.eye(3)),
    ("eye", "k", lambda nn, dtype: nn.eye(2, 4, k=1, dtype=dtype), np.eye(2, 4, k=1)),
    ("eye", "k below", lambda nn, dtype: nn.eye(3, 2, k=-1, dtype=dtype), np.eye(3, 2, k=-1)),
    ("eye", "far off", lambda nn, dtype: nn.eye(2, 3, k=5, dtype=dtype), np.zeros((2, 3))),
    ("from_dlpack", "", lambda nn, dtype: nn.from_dlpack(np.arange(3, dtype=dtype)), np.arange(3.0)),
    ("full", "", lambda nn, dtype: nn.full((2, 1), -1.5, dtype=dtype), [[-1.5], [-1.5]]),
    ("full", "integers", lambda nn, dtype: nn.full((2,), 7), [7, 7]),
    ("full", "booleans", lambda nn, dtype: nn.full((2,), True), [True, True]),
    ("full_like", "", lambda nn, dtype: nn.full_like(nn.zeros((2,), dtype=dtype), np.inf), [np.inf, np.inf]),
    ("linspace", "", lambda nn, dtype: nn.linspace(-1, 1, 5, dtype=dtype), [-1.0, -0.5, 0.0, 0.5, 1.0]),
    (
        "linspace",
        "no end",
        lambda nn, dtype: nn.linspace(0, 1, 4, dtype=dtype, endpoint=False),
        [0.0, 0.25, 0.5, 0.75],
    ),
    ("linspace", "one", lambda nn, dtype: nn.linspace(2, 5, 1, dtype=dtype), [2.0]),
    ("linspace", "nothing", lambda nn, dtype: nn.linspace(2, 5, 0, dtype=dtype), np.zeros(0)),
    ("ones", "", lambda nn, dtype: nn.ones((2, 2), dtype=dtype), np.ones((2, 2))),
    ("ones", "0-d", lambda nn, dtype: nn.ones((), dtype=dtype), 1.0),
    ("ones_like", "", lambda nn, dtype: nn.ones_like(nn.zeros((2,), dtype=dtype)), [1.0, 1.0]),
    (
        "ones_like",
        "dtype",
        lambda nn, dtype: nn.ones_like(nn.zeros((2,), dtype=dtype), dtype="int64"),
        [1, 1],
    ),
    ("zeros", "", lambda nn, dtype: nn.zeros((2, 0, 3), dtype=dtype), np.zeros((2, 0, 3))),
    ("zeros", "one number as shape", lambda nn, dtype: nn.zeros(3, dtype=dtype), np.zeros(3)),
    ("zeros_like", "", lambda nn, dtype: nn.zeros_like(nn.ones((2,), dtype=dtype)), [0.0, 0.0]),
]

_I = np.arange(6).reshape(2, 3)
# (name, variant, run(nn, integers), expected)
_OF_INTEGERS: list[tuple[str, str, Callable[..., Tensor], Any]] = [
    ("broadcast_to", "nothing", lambda nn, i: nn.broadcast_to(i[:, :1], (2, 0)), np.zeros((2, 0), int)),
    (
        "concat",
        "promotion",
        lambda nn, i: nn.concat([i, nn.asarray([[0.5] * 3])]),
        [[0.0, 1, 2], [3, 4, 5], [0.5] * 3],
    ),
    ("concat", "nothing", lambda nn, i: nn.concat([i, i[:0]]), _I),
    ("expand_dims", "0-d", lambda nn, i: nn.expand_dims(i[0, 1], axis=0), [1]),
    ("flip", "integers", lambda nn, i: nn.flip(i, axis=-1), _I[:, ::-1]),
    ("flip", "0-d", lambda nn, i: nn.flip(i[1, 1]), 4),
    ("repeat", "nothing", lambda nn, i: nn.repeat(i, 0, axis=0), _I[:0]),
    ("reshape", "0-d", lambda nn, i: nn.reshape(i[0, 1], (1, 1)), [[1]]),
    ("reshape", "nothing", lambda nn, i: nn.reshape(i[:0], (3, 0, 7)), np.zeros((3, 0, 7), int)),
    ("roll", "nothing", lambda nn, i: nn.roll(i[:0], 3), _I[:0]),
    ("stack", "0-d", lambda nn, i: nn.stack([i[0, 0], i[1, 2]]), [0, 5]),
    ("take", "nothing", lambda nn, i: nn.take(i, nn.zeros((0,), dtype="int64"), axis=1), _I[:, :0]),
    ("tile", "nothing", lambda nn, i: nn.tile(i, (0, 1)), _I[:0]),
    ("tile", "fewer axes", lambda nn, i: nn.tile(i, (2,)), np.tile(_I, 2)),
    ("tril", "integers", lambda nn, i: nn.tril(i), np.tril(_I)),
    ("triu", "booleans", lambda nn, i: nn.triu(nn.astype(i, "bool")), np.triu(_I > 0)),
]


def _created(name: str, variant: str, run: Callable[..., Tensor], expected: Any) -> ExactCase:
    def answers(nn: Any, dtype: str) -> Mapping[str, Tensor]:
        return {"values": run(nn, dtype)}

    return ExactCase(name=name, variant=variant, run=answers, expected={"values": expected}, reason=_STANDARD)


CASES: list[Case] = [
    *(
        FunctionCase(
            name=name,
            variant=variant,
            run=run,
            reference=reference,
            inputs=inputs,
            roundings=roundings,
            scale="ulp",
            derivatives=1,
            reason="its gradient is a sum over copies of a value" if roundings else NO_ROUNDING,
        )
        for name, variant, run, reference, inputs, roundings in _MOVED
    ),
    *(_created(*row) for row in _CREATED),
    *(
        exact(name, variant, lambda nn, dtype, run=run: run(nn, nn.asarray(_I)), expected, _STANDARD)
        for name, variant, run, expected in _OF_INTEGERS
    ),
    FunctionCase(
        name="linspace",
        variant="sevenths",
        run=lambda nn, like: nn.linspace(-1, 2, 8, dtype=nn.dtype_name(like.dtype)),
        reference=lambda like: np.linspace(-1, 2, 8, dtype=np.longdouble),
        inputs=(np.zeros(1),),
        roundings=3 * 2,
        derivatives=0,
        reason="a step, its multiples and a sum, of numbers up to twice the size of the largest result",
    ),
    exact(
        "broadcast_shapes",
        "",
        lambda nn, dtype: {
            "three": nn.asarray(list(nn.broadcast_shapes((3, 1), (2,), (4, 1, 1)))),
            "none": nn.asarray(len(nn.broadcast_shapes())),
            "empty": nn.asarray(list(nn.broadcast_shapes((0, 1), (1, 5)))),
        },
        {"three": [4, 3, 2], "none": 0, "empty": [0, 5]},
        _STANDARD,
    ),
    exact(
        "reshape",
        "copy",
        lambda nn, dtype: nn.reshape(nn.asarray([[1.0, 2.0]], dtype=dtype), (2,), copy=True),
        [1.0, 2.0],
        _STANDARD,
    ),
    exact(
        "asarray",
        "copy",
        lambda nn, dtype: nn.asarray(nn.asarray([1.0, 2.0], dtype=dtype), copy=True),
        [1.0, 2.0],
        _STANDARD,
    ),
    kink(
        "take",
        "gradient of what is taken more than once",
        lambda nn, x: nn.take(x, nn.asarray([1, 1, -2])),
        [[5.0, 6.0, 7.0]],
        [[0.0, 3.0, 0.0]],
        "a sum of ones",
    ),
]
