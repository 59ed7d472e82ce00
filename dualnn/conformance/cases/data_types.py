"""Data types, promotion, constants and conversions of the array API standard.

Promotion is compared with NumPy's within a kind of data types, where the standard defines it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases.elementwise import INF, NAN, exact, numbers
from dualnn.protocol import Tensor

_SIGNED = ("int8", "int16", "int32", "int64")
_UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
_REAL = ("float32", "float64")
_COMPLEX = ("complex64", "complex128")
_ALL = ("bool", *_SIGNED, *_UNSIGNED, *_REAL, *_COMPLEX)
_PAIRS = [
    (one, other)
    for kind in ((*_SIGNED, *_UNSIGNED), (*_REAL, *_COMPLEX), ("bool",))
    for one, other in itertools.product(kind, kind)
    if {one, other} & {"uint64"} == set() or {one, other} <= set(_UNSIGNED)
]
_KINDS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": _SIGNED,
    "unsigned integer": _UNSIGNED,
    "integral": _SIGNED + _UNSIGNED,
    "real floating": _REAL,
    "complex floating": _COMPLEX,
    "numeric": _ALL[1:],
}
_STANDARD = "the array API standard"
_IEEE = "IEEE 754, and integers in two's complement"


def _holds(nn: Any, statement: bool) -> Tensor:
    return nn.asarray(bool(statement))


def _limits_of(dtype: str) -> Array:
    if dtype == "bool":
        return np.array([False, True])
    info = np.iinfo(dtype) if dtype in _SIGNED + _UNSIGNED else np.finfo(dtype)
    return np.array([info.min, 0, 1, info.max], dtype)


def _data_type(dtype: str) -> ExactCase:
    def run(nn: Any, _: str) -> Mapping[str, Tensor]:
        values = nn.asarray(_limits_of(dtype))
        return {
            "limits": values,
            "by the object": nn.asarray(_limits_of(dtype), dtype=getattr(nn, dtype)),
            "its name": _holds(nn, nn.dtype_name(values.dtype) == dtype),
        }

    limits = _limits_of(dtype)
    expected = {"limits": limits, "by the object": limits, "its name": True}
    return ExactCase(name=dtype, run=run, expected=expected, reason="NumPy's array and back, to the bit")


def _promotion(function: str) -> ExactCase:
    def run(nn: Any, _: str) -> Mapping[str, Tensor]:
        results = {}
        for one, other in _PAIRS:
            expected = np.promote_types(one, other).name
            if function == "result_type":
                found = nn.result_type(nn.dtype(one), nn.dtype(other))
            else:
                x, y = nn.ones((2,), dtype=one), nn.ones((2,), dtype=other)
                found = (nn.stack([x, y]) if function == "stack" else nn.where(x == x, x, y)).dtype
            results[f"{one} and {other}"] = _holds(nn, nn.dtype_name(found) == expected)
        return results

    return ExactCase(
        name=function,
        variant="" if function == "result_type" else "promotion",
        run=run,
        expected={f"{one} and {other}": True for one, other in _PAIRS},
        reason=_STANDARD,
    )


def _of_numbers(nn: Any, dtype: str) -> Mapping[str, Tensor]:
    x, i = nn.ones((2,), dtype=dtype), nn.ones((2,), dtype="int32")
    found = {
        "float + int": x + 1,
        "float + float": x + 1.5,
        "int + int": i + 1,
        "float with 0-d": nn.where(x > 0, x, nn.asarray(0.0, dtype=dtype)),
    }
    names = {"float + int": dtype, "float + float": dtype, "int + int": "int32", "float with 0-d": dtype}
    return {question: _holds(nn, nn.dtype_name(y.dtype) == names[question]) for question, y in found.items()}


def _finfo(nn: Any, dtype: str) -> Mapping[str, Tensor]:
    info = nn.finfo(nn.dtype(dtype))
    names = ("bits", "eps", "max", "min", "smallest_normal")
    found = {name: nn.asarray(getattr(info, name), dtype="float64") for name in names}
    return {**found, "dtype": _holds(nn, nn.dtype_name(info.dtype) == dtype)}


def _finfo_expected(dtype: str) -> Mapping[str, Any]:
    info = np.finfo(dtype)
    names = ("bits", "eps", "max", "min", "smallest_normal")
    return {**{name: np.float64(getattr(info, name)) for name in names}, "dtype": True}


def _iinfo(nn: Any, _: str) -> Mapping[str, Tensor]:
    infos = {dtype: nn.iinfo(nn.dtype(dtype)) for dtype in _SIGNED + _UNSIGNED}
    return {
        dtype: _holds(
            nn,
            (info.bits, info.min, info.max)
            == (np.iinfo(dtype).bits, np.iinfo(dtype).min, np.iinfo(dtype).max),
        )
        for dtype, info in infos.items()
    }


def _namespace_info(nn: Any, dtype: str) -> Mapping[str, Tensor]:
    info = nn.__array_namespace_info__()
    names = {name: set(info.dtypes(kind=name)) for name in _KINDS}
    return {
        "dtypes": _holds(nn, set(info.dtypes()) == set(_ALL)),
        **{f"dtypes, {name}": _holds(nn, names[name] == set(_KINDS[name])) for name in _KINDS},
        "default integer": _holds(nn, nn.dtype_name(info.default_dtypes()["integral"]) == "int64"),
        "default device": _holds(nn, info.default_device() in info.devices()),
        "boolean indexing": _holds(nn, info.capabilities()["boolean indexing"]),
    }


_FROM = [-2.7, -0.5, 0.0, 0.5, 2.7, 100.0]

CASES: list[Case] = [
    *(_data_type(dtype) for dtype in _ALL),
    *(_promotion(function) for function in ("result_type", "stack", "where")),
    *(
        exact(
            name,
            "",
            lambda nn, _, name=name: nn.asarray(getattr(nn, name), dtype="float64"),
            value,
            _STANDARD,
        )
        for name, value in (("e", math.e), ("inf", INF), ("nan", NAN), ("pi", math.pi))
    ),
    exact(
        "newaxis", "", lambda nn, dtype: nn.ones((2,), dtype=dtype)[:, nn.newaxis], [[1.0], [1.0]], _STANDARD
    ),
    FunctionCase(
        name="astype",
        variant="to float32",
        run=lambda nn, x: nn.astype(x, "float32"),
        reference=lambda x: x,
        inputs=(numbers(6),),
        roundings=0.5 * 2.0**29,
        scale="ulp",
        derivatives=0,
        dtypes=("float64",),
        reason="half a unit in the last place of float32, which is 2**29 of those of float64",
    ),
    FunctionCase(
        name="astype",
        variant="to float64 and back",
        run=lambda nn, x: nn.astype(nn.square(nn.astype(x, "float64")), nn.dtype_name(x.dtype)),
        reference=np.square,
        inputs=(numbers(6),),
        roundings=1,
        scale="ulp",
        reason="rounded once, by the last cast or in float64",
    ),
    exact(
        "astype",
        "",
        lambda nn, dtype: {
            "int32": nn.astype(nn.asarray(_FROM, dtype=dtype), "int32"),
            "bool": nn.astype(nn.asarray([*_FROM, NAN, INF, -0.0], dtype=dtype), "bool"),
            "complex": nn.astype(nn.asarray(_FROM, dtype=dtype), "complex128"),
            "from bool": nn.astype(nn.asarray([True, False]), dtype),
            "from uint64": nn.astype(nn.asarray(np.array([2**63, 3], "uint64")), dtype),
            "uint8 to int8": nn.astype(nn.asarray([200, 3], dtype="uint8"), "int8"),
            "int64 to uint16": nn.astype(nn.asarray([-1, 2**16 + 5]), "uint16"),
            "nothing": nn.astype(nn.zeros((0, 2), dtype=dtype), "int8"),
            "special values": nn.astype(nn.asarray([NAN, INF, -INF, -0.0], dtype=dtype), "float64"),
            "overflow": nn.astype(nn.asarray([1e300, -1e300], dtype="float64"), "float32"),
        },
        lambda dtype: {
            "int32": [-2, 0, 0, 0, 2, 100],
            "bool": [True, True, False, True, True, True, True, True, False],
            "complex": np.asarray(_FROM, dtype).astype("complex128"),
            "from bool": [1.0, 0.0],
            "from uint64": [2.0**63, 3.0],
            "uint8 to int8": [-56, 3],
            "int64 to uint16": [2**16 - 1, 5],
            "nothing": np.zeros((0, 2), "int8"),
            "special values": [NAN, INF, -INF, -0.0],
            "overflow": [INF, -INF],
        },
        "towards zero, modulo 2**bits between integers, and everything but zero is true",
    ),
    exact(
        "can_cast",
        "",
        lambda nn, dtype: {
            f"{one} to {other}": _holds(nn, nn.can_cast(nn.dtype(one), nn.dtype(other)))
            for one, other in itertools.product(_ALL, _ALL)
            if (one, other) in _PAIRS
        },
        {f"{one} to {other}": np.promote_types(one, other).name == other for one, other in _PAIRS},
        _STANDARD,
    ),
    exact("finfo", "", _finfo, _finfo_expected, _IEEE),
    exact("iinfo", "", _iinfo, dict.fromkeys(_SIGNED + _UNSIGNED, True), _IEEE),
    exact(
        "isdtype",
        "",
        lambda nn, dtype: {
            f"{one}, {kind}": _holds(nn, nn.isdtype(nn.dtype(one), kind)) for one in _ALL for kind in _KINDS
        },
        {f"{one}, {kind}": one in _KINDS[kind] for one in _ALL for kind in _KINDS},
        _STANDARD,
    ),
    exact(
        "isdtype",
        "several kinds",
        lambda nn, dtype: {
            "yes": _holds(nn, nn.isdtype(nn.dtype(dtype), ("bool", "real floating"))),
            "no": _holds(nn, nn.isdtype(nn.dtype(dtype), ("bool", nn.int32))),
            "itself": _holds(nn, nn.isdtype(nn.dtype(dtype), nn.dtype(dtype))),
        },
        {"yes": True, "no": False, "itself": True},
        _STANDARD,
    ),
    exact(
        "result_type",
        "numbers",
        _of_numbers,
        dict.fromkeys(["float + int", "float + float", "int + int", "float with 0-d"], True),
        "a Python number takes the tensor's data type",
    ),
    exact(
        "__array_namespace_info__",
        "",
        _namespace_info,
        dict.fromkeys(
            [
                "dtypes",
                *(f"dtypes, {name}" for name in _KINDS),
                "default integer",
                "default device",
                "boolean indexing",
            ],
            True,
        ),
        _STANDARD,
    ),
]
