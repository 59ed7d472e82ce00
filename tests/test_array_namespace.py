"""The array namespaces against NumPy.

Tolerances are in units in the last place (ULP) of the result. The frameworks' vector kernels for
elementary functions promise 1 to 4 ULP; a sum of n terms may lose about n/2 ULP of the largest
partial sum, so sums are bounded by ``n * eps * sum(abs(x))``.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dualnn as dn

FLOATS = ("float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
STANDARD = ("bool", *INTEGERS, *FLOATS, "complex64", "complex128")

few = settings(
    max_examples=20,
    deadline=None,  # the first call of a framework's function may take a second
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # `nn` is the same for all examples
)


def ulps(actual, expected):
    """The largest distance of two arrays, in units in the last place of the expected one."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    rounded = expected.astype(actual.dtype)
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
    if actual.dtype.kind == "f":  # both frameworks' vector kernels flush subnormal results to zero
        same |= (actual == 0) & (np.abs(rounded) < np.finfo(actual.dtype).smallest_normal)
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(actual.astype(expected.dtype) - expected) / np.spacing(np.abs(rounded))
    return float(np.max(np.where(same, 0, distance), initial=0))


def wide(array):
    """The array in a type with more digits, for a reference that is right to the last place."""
    return array.astype(np.float64 if array.dtype == np.float32 else np.longdouble)


def assert_same(nn, actual, expected):
    """Equal values, shape and dtype."""
    assert nn.is_tensor(actual)
    actual = nn.to_numpy(actual)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected, strict=True)


def floats(dtype, low, high, **shape):
    info = np.finfo(dtype)
    elements = st.floats(
        float(np.dtype(dtype).type(low)),
        float(np.dtype(dtype).type(high)),
        width=info.bits,
        allow_subnormal=False,  # flushed to zero, too
    )
    return hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4, **shape), elements=elements)


# ------------------------------------------------------------------------------- element by element

UNARY = {  # name: (reference, lowest argument, highest argument, ULP)
    "abs": (np.abs, -1e6, 1e6, 0),
    "acos": (np.arccos, -1, 1, 4),
    "acosh": (np.arccosh, 1, 1e6, 4),
    "asin": (np.arcsin, -1, 1, 4),
    "asinh": (np.arcsinh, -1e6, 1e6, 4),
    "atan": (np.arctan, -1e6, 1e6, 4),
    "atanh": (np.arctanh, -0.99, 0.99, 4),
    "ceil": (np.ceil, -1e6, 1e6, 0),
    "cos": (np.cos, -30, 30, 4),
    "cosh": (np.cosh, -80, 80, 4),
    "exp": (np.exp, -80, 80, 4),
    "expm1": (np.expm1, -80, 80, 4),
    "floor": (np.floor, -1e6, 1e6, 0),
    "log": (np.log, 1e-30, 1e30, 4),
    "log10": (np.log10, 1e-30, 1e30, 4),
    "log1p": (np.log1p, -0.99, 1e30, 4),
    "log2": (np.log2, 1e-30, 1e30, 4),
    "negative": (np.negative, -1e6, 1e6, 0),
    "positive": (np.positive, -1e6, 1e6, 0),
    "reciprocal": (np.reciprocal, 1e-30, 1e30, 2),
    "round": (np.round, -1e6, 1e6, 0),
    "sign": (np.sign, -1e6, 1e6, 0),
    "sin": (np.sin, -30, 30, 4),
    "sinh": (np.sinh, -80, 80, 4),
    "sqrt": (np.sqrt, 0, 1e30, 1),
    "square": (np.square, -1e15, 1e15, 1),
    "tan": (np.tan, -30, 30, 4),
    "tanh": (np.tanh, -30, 30, 8),  # TensorFlow's is a rational approximation of 4 to 7 ULP
    "trunc": (np.trunc, -1e6, 1e6, 0),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", UNARY)
def test_unary(nn, name, dtype):
    reference, low, high, tolerance = UNARY[name]

    @few
    @given(floats(dtype, low, high))
    def check(x):
        y = getattr(nn, name)(nn.asarray(x))
        assert nn.dtype_name(y.dtype) == dtype
        assert ulps(nn.to_numpy(y), reference(wide(x))) <= tolerance

    check()


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, np.inf, -np.inf, np.nan])
PREDICATES = ("isfinite", "isinf", "isnan", "signbit")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "name", [*PREDICATES, "abs", "ceil", "exp", "floor", "round", "sign", "sqrt", "square", "tanh", "trunc"]
)
def test_special_values(nn, name, dtype):
    x = SPECIAL.astype(dtype)
    with np.errstate(invalid="ignore"):
        expected = getattr(np, name)(x)
    actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x)))
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(
    "name", ["abs", "ceil", "floor", "isfinite", "isnan", "round", "sign", "square", "trunc"]
)
def test_unary_of_integers(nn, name, dtype):
    x = np.array([0, 1, 7, 11], dtype)
    expected = getattr(np, name)(x)
    assert_same(nn, getattr(nn, name)(nn.asarray(x)), expected)


ARITHMETIC = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}
COMPARISONS = {
    "equal": np.equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "not_equal": np.not_equal,
}
EXACT = {**ARITHMETIC, **COMPARISONS, "maximum": np.maximum, "minimum": np.minimum}
BINARY = {  # name: (reference, ULP)
    **{name: (reference, 1) for name, reference in EXACT.items()},
    "atan2": (np.arctan2, 4),
    "copysign": (np.copysign, 0),
    "divide": (np.divide, 1),
    "hypot": (np.hypot, 2),
    "logaddexp": (np.logaddexp, 4),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BINARY)
def test_binary(nn, name, dtype):
    reference, tolerance = BINARY[name]
    pairs = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4)
    values = st.floats(0.125, 80, width=32)

    @few
    @given(st.data())
    def check(data):
        shapes = data.draw(pairs).input_shapes
        x1, x2 = (data.draw(hnp.arrays(dtype, shape, elements=values)) for shape in shapes)
        y = nn.to_numpy(getattr(nn, name)(nn.asarray(x1), nn.asarray(x2)))
        expected = np.asarray(reference(wide(x1), wide(x2)))
        assert y.dtype == (bool if name in COMPARISONS else dtype)
        assert np.array_equal(y, expected) if name in COMPARISONS else ulps(y, expected) <= tolerance

    check()


@pytest.mark.parametrize(
    "name", [*ARITHMETIC, *COMPARISONS, "divide", "maximum", "minimum", "pow", "remainder"]
)
def test_a_number_as_one_operand(nn, name):
    x = np.array([1.0, 2.5, 4.0], np.float32)
    operation, reference = getattr(nn, name), getattr(np, name)
    for number in (2, 2.0):
        assert_same(nn, operation(nn.asarray(x), number), reference(x, np.float32(number)))
        assert_same(nn, operation(number, nn.asarray(x)), reference(np.float32(number), x))


@pytest.mark.parametrize("name", ["floor_divide", "remainder"])
def test_division_rounds_down(nn, name):
    x1, x2 = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    for dtype in ("int32", "int64", "float32", "float64"):
        a, b = x1.astype(dtype), x2.astype(dtype)
        assert_same(nn, getattr(nn, name)(nn.asarray(a), nn.asarray(b)), getattr(np, name)(a, b))


def test_division_of_integers_is_a_float(nn):
    assert_same(nn, nn.divide(nn.asarray([1, 2]), nn.asarray([2, 2])), np.array([0.5, 1.0], np.float32))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_bits(nn, dtype):
    x1, x2 = np.array([5, 3, 12, 0], dtype), np.array([1, 3, 2, 1], dtype)
    a, b = nn.asarray(x1), nn.asarray(x2)
    assert_same(nn, nn.bitwise_and(a, b), x1 & x2)
    assert_same(nn, nn.bitwise_or(a, b), x1 | x2)
    assert_same(nn, nn.bitwise_xor(a, b), x1 ^ x2)
    assert_same(nn, nn.bitwise_invert(a), ~x1)
    assert_same(nn, nn.bitwise_left_shift(a, b), x1 << x2)
    assert_same(nn, nn.bitwise_right_shift(a, b), x1 >> x2)
    assert_same(nn, nn.bitwise_and(a, 4), x1 & np.array(4, dtype))


def test_logic(nn):
    x1, x2 = np.array([True, True, False, False]), np.array([True, False, True, False])
    a, b = nn.asarray(x1), nn.asarray(x2)
    assert_same(nn, nn.logical_and(a, b), x1 & x2)
    assert_same(nn, nn.logical_or(a, b), x1 | x2)
    assert_same(nn, nn.logical_xor(a, b), x1 ^ x2)
    assert_same(nn, nn.logical_not(a), ~x1)
    assert_same(nn, nn.bitwise_and(a, b), x1 & x2)
    assert_same(nn, nn.bitwise_xor(a, b), x1 ^ x2)
    assert_same(nn, nn.bitwise_invert(a), ~x1)


def test_complex_numbers(nn):
    x = np.array([3 + 4j, -1j, 2], np.complex64)
    a = nn.asarray(x)
    assert_same(nn, nn.real(a), x.real)
    assert_same(nn, nn.imag(a), x.imag)
    assert_same(nn, nn.conj(a), x.conj())
    assert_same(nn, nn.abs(a), np.abs(x))
    assert_same(nn, nn.isfinite(a), np.isfinite(x))
    assert_same(nn, nn.multiply(a, 2.0), x * np.complex64(2))


@pytest.mark.parametrize(("low", "high"), [(None, None), (-1.0, None), (None, 1.0), (-1.0, 1.0), (0, 1)])
def test_clip(nn, low, high):
    x = np.array([-2.0, -0.5, 0.5, 2.0, np.inf, np.nan], np.float32)
    assert_same(nn, nn.clip(nn.asarray(x), low, high), np.clip(x, low, high).astype(np.float32))


def test_clip_takes_tensors(nn):
    x, low = np.array([1.0, 2.0, 3.0], np.float32), np.array([2.0, 0.0, 4.0], np.float32)
    assert_same(nn, nn.clip(nn.asarray(x), nn.asarray(low), 5.0), np.clip(x, low, 5).astype(np.float32))


def test_clip_keeps_the_data_type(nn):
    x = np.array([-100, 0, 1, 100], np.int8)
    for low, high in ((-1000, 1000), (-(2**70), 2**70), (0, math.inf), (np.int16(-1), np.float32(2))):
        bounds = [nn.asarray(one) if isinstance(one, np.generic) else one for one in (low, high)]
        expected = np.clip(x.astype(np.float64), float(low), float(high)).astype(np.int8)
        assert_same(nn, nn.clip(nn.asarray(x), *bounds), expected)


def test_numbers_of_other_signs_and_kinds(nn):
    x = np.array([1.0, -2.0], np.float32)
    assert_same(nn, nn.copysign(nn.asarray(x), 0.0), np.array([1, 2], np.float32))
    assert_same(nn, nn.copysign(nn.asarray(x), -0.0), np.array([-1, -2], np.float32))
    assert_same(nn, nn.divide(nn.asarray(x), 0.0), np.array([np.inf, -np.inf], np.float32))
    assert_same(nn, nn.divide(nn.asarray(x), -0.0), np.array([-np.inf, np.inf], np.float32))
    assert_same(nn, nn.atan2(-0.0, nn.asarray(x)), np.array([-0.0, -math.pi], np.float32))
    assert_same(nn, nn.subtract(nn.asarray(x), True), x - 1)
    assert_same(nn, nn.subtract(True, nn.asarray(x)), 1 - x)
    assert_same(nn, nn.divide(nn.asarray([1, 2], dtype="uint8"), -2), np.array([-0.5, -1], np.float32))


@pytest.mark.parametrize("name", ["hypot", "atan2", "logaddexp"])
def test_gradients_where_a_quotient_is_of_zeros_or_infinities(nn, name):
    points = (0.0, 0.0), (-math.inf, -math.inf), (math.inf, math.inf)
    x1, x2 = points[1 if name == "logaddexp" else 0]
    total = nn.grad(lambda a, b: nn.sum(getattr(nn, name)(a, b)), argnums=(0, 1))
    gradient = [float(part) for part in total(nn.asarray(x1), nn.asarray(x2))]
    assert gradient == ([1, 0] if name == "logaddexp" else [0, 0])


def test_nextafter(nn):
    x = np.array([1.0, 0.0, -1.0], np.float32)
    assert_same(nn, nn.nextafter(nn.asarray(x), nn.asarray(x + 1)), np.nextafter(x, x + 1))


def test_logaddexp_at_infinity_and_at_ties(nn):
    inf = math.inf
    x1 = np.array([inf, -inf, inf, 0.0, 1e4], np.float32)
    x2 = np.array([inf, -inf, -inf, -20.0, 1e4], np.float32)
    y = nn.to_numpy(nn.logaddexp(nn.asarray(x1), nn.asarray(x2)))
    assert ulps(y, np.logaddexp(x1.astype(np.float64), x2.astype(np.float64))) <= 1

    gradient = nn.grad(lambda a, b: nn.sum(nn.logaddexp(a, b)), argnums=(0, 1))
    tie = nn.asarray([1.0, -2.0])
    assert [nn.to_numpy(part).tolist() for part in gradient(tie, tie)] == [[0.5, 0.5], [0.5, 0.5]]


def test_tensors_of_other_kinds_are_no_operands(nn):
    with pytest.raises(TypeError, match="numpy"):
        nn.add(nn.ones(2), np.ones(2, np.float32))


# ------------------------------------------------------------------------------- data types

PROMOTABLE = [
    (first, second)
    for kinds in (("bool",), INTEGERS, (*FLOATS, "complex64", "complex128"))
    for first in kinds
    for second in kinds
]


@pytest.mark.parametrize(("first", "second"), PROMOTABLE)
def test_promotion(nn, first, second):
    expected = np.promote_types(first, second).name
    assert nn.dtype_name(nn.result_type(nn.dtype(first), second)) == expected
    x1, x2 = nn.ones(2, dtype=first), nn.ones(2, dtype=second)
    assert nn.dtype_name(nn.result_type(x1, x2)) == expected
    if first != "bool":
        assert nn.dtype_name(nn.multiply(x1, x2).dtype) == expected
        assert nn.dtype_name(nn.multiply(x1, nn.ones((), dtype=second)).dtype) == expected


@pytest.mark.parametrize("dtype", STANDARD)
def test_a_number_does_not_widen_a_tensor_of_its_kind(nn, dtype):
    x = nn.ones(2, dtype=dtype)
    numbers = {"b": [True], "i": [True, 2], "u": [2], "f": [2, 2.0], "c": [2, 2.0, 2j]}[np.dtype(dtype).kind]
    for number in numbers:
        assert nn.dtype_name(nn.result_type(x, number)) == dtype


CASTS = [
    (first, second)
    for first in STANDARD
    for second in STANDARD
    if second.startswith("complex") or not first.startswith("complex")  # the standard leaves that open
]


@pytest.mark.parametrize(("first", "second"), CASTS)
def test_astype(nn, first, second):
    x = np.array([0, 1, 3]).astype(first)
    assert_same(nn, nn.astype(nn.asarray(x), second), x.astype(second))


def test_names_of_data_types(nn):
    for name in (*STANDARD, "uint16", "uint32", "uint64", "float16", "bfloat16"):
        native = getattr(nn, name)
        assert nn.dtype(name) is native
        assert nn.dtype(native) is native
        assert nn.dtype_name(native) == name
    assert nn.dtype(None) is None
    with pytest.raises(ValueError, match="did you mean 'float32'"):
        nn.dtype("float23")


def test_kinds_and_limits(nn):
    assert nn.isdtype(nn.float32, "real floating")
    assert nn.isdtype("int8", ("bool", "signed integer"))
    assert not nn.isdtype(nn.bool, "numeric")
    assert nn.isdtype(nn.int32, nn.int32)
    with pytest.raises(ValueError, match="kind"):
        nn.isdtype(nn.int32, "kind of")
    assert nn.can_cast("float32", "float64")
    assert not nn.can_cast("float64", "float32")
    for dtype in FLOATS:
        ours, numpys = nn.finfo(dtype), np.finfo(dtype)
        for limit in ("bits", "eps", "max", "min", "smallest_normal"):
            assert getattr(ours, limit) == getattr(numpys, limit)
    for dtype in INTEGERS:
        ours, numpys = nn.iinfo(nn.ones(1, dtype=dtype)), np.iinfo(dtype)
        assert (ours.bits, ours.max, ours.min) == (numpys.bits, numpys.max, numpys.min)


# ------------------------------------------------------------------------------- creation


def test_dtypes_of_python_numbers(nn):
    def name(obj):
        return nn.dtype_name(nn.asarray(obj).dtype)

    assert [name(obj) for obj in (True, 1, 1.0, 1j)] == ["bool", "int64", "float32", "complex64"]
    assert [name(obj) for obj in ([[True]], [1, 2], (1.0, 2), [])] == ["bool", "int64", "float32", "float32"]
    dn.use(nn.name, dtype="float64")
    assert [name(obj) for obj in (1, 1.0, [1.0], 1j)] == ["int64", "float64", "float64", "complex128"]
    for tensor in (nn.zeros(2), nn.ones(2), nn.full(2, 1.0), nn.arange(2.0), nn.linspace(0, 1, 3), nn.eye(2)):
        assert nn.dtype_name(tensor.dtype) == "float64"
    assert nn.to_numpy(nn.asarray(0.1)) == 0.1  # not rounded to float32 on the way


@pytest.mark.parametrize("dtype", [*STANDARD, "uint16", "uint32", "uint64", "float16"])
def test_numpy_arrays_keep_their_dtype(nn, dtype):
    for x in (np.array([[0, 1], [2, 3]]).astype(dtype), np.array(3).astype(dtype)):
        assert_same(nn, nn.asarray(x), x)
        assert_same(nn, nn.asarray(x.tolist(), dtype=dtype), x)
    assert_same(nn, nn.asarray(np.dtype(dtype).type(3)), np.array(3).astype(dtype))


def test_numpy_arrays_of_any_layout(nn):
    x = np.arange(6.0).reshape(2, 3)
    frozen = x.copy()
    frozen.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for array in (frozen, x.T, x[::-1], x[:, ::2], x.astype(">f8"), np.broadcast_to(x[0], (4, 3))):
            tensor = nn.asarray(array)
            np.testing.assert_array_equal(nn.to_numpy(tensor), array)
            nn.to_numpy(tensor)[...] = 7  # a copy of its own
            np.testing.assert_array_equal(nn.to_numpy(tensor), array)


def test_other_objects(nn):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    assert_same(nn, nn.asarray(frame), frame.to_numpy())
    assert_same(nn, nn.asarray(frame["a"]), frame["a"].to_numpy())


@pytest.mark.parametrize("dtype", [*STANDARD, "bfloat16"])
def test_tensors_of_the_other_framework(nn, dtype):
    other = dn.backend("tensorflow" if nn.name == "torch" else "torch")
    for theirs in (other.asarray([0, 1], dtype=dtype), other.asarray(1, dtype=dtype)):
        ours = nn.asarray(theirs)
        assert nn.is_tensor(ours)
        assert nn.dtype_name(ours.dtype) == dtype
        np.testing.assert_array_equal(nn.to_numpy(ours), other.to_numpy(theirs))


def test_what_is_no_number(nn):
    for obj in (["a"], np.array([None]), object(), np.array(["2020-01-01"], "datetime64[D]")):
        with pytest.raises(TypeError, match="expected numbers, got an array of dtype"):
            nn.asarray(obj)


def test_native_tensors(nn):
    x = nn.asarray([1.0, 2.0], dtype="float64")
    assert nn.asarray(x) is x
    assert nn.asarray(x, copy=False) is x
    assert nn.dtype_name(nn.asarray(x, dtype=nn.float32).dtype) == "float32"
    assert nn.asarray(x, copy=True) is not x
    for obj in (x, [1.0]):
        with pytest.raises(ValueError, match="copy=False"):
            nn.asarray(obj, dtype="int8", copy=False)


def test_a_gradient_flows_through_asarray(nn):
    gradient = nn.grad(lambda x: nn.sum(nn.square(nn.asarray(x, dtype="float64"))))
    assert nn.to_numpy(gradient(nn.asarray([1.0, 2.0]))).tolist() == [2.0, 4.0]


def test_creation(nn):
    for dtype in ("float32", "float64", "int32", "int64", "bool", "complex64"):
        assert_same(nn, nn.zeros((2, 3), dtype=dtype), np.zeros((2, 3), dtype))
        assert_same(nn, nn.ones(3, dtype=dtype), np.ones(3, dtype))
        assert_same(nn, nn.full((2, 2), 1, dtype=dtype), np.full((2, 2), 1, dtype))
        assert_same(nn, nn.eye(3, 4, k=1, dtype=dtype), np.eye(3, 4, k=1, dtype=dtype))
        x = nn.zeros((2, 3), dtype=dtype)
        assert_same(nn, nn.zeros_like(x), np.zeros((2, 3), dtype))
        assert_same(nn, nn.ones_like(x), np.ones((2, 3), dtype))
        assert_same(nn, nn.full_like(x, 1), np.ones((2, 3), dtype))
        assert_same(nn, nn.ones_like(x, dtype="int8"), np.ones((2, 3), np.int8))
        assert nn.shape(nn.empty_like(x)) == nn.shape(nn.empty((2, 3), dtype=dtype)) == (2, 3)
    assert_same(nn, nn.full((), 2), np.full((), 2))
    assert_same(nn, nn.full(2, True), np.full(2, True))
    assert nn.device(nn.zeros(2, device="cpu")) == "cpu"


@pytest.mark.parametrize(
    "bounds", [(5,), (2, 7), (1, 8, 3), (8, 1, -3), (3, 1), (0,), (1, 1, -1), (2, 5, -1)]
)
@pytest.mark.parametrize("dtype", [None, "int8", "int32", "float32", "float64"])
def test_arange(nn, bounds, dtype):
    assert_same(nn, nn.arange(*bounds, dtype=dtype), np.arange(*bounds, dtype=dtype))


def test_arange_of_floats(nn):
    assert_same(nn, nn.arange(0.0, 1.0, 0.25), np.arange(0.0, 1.0, 0.25, dtype=np.float32))
    assert_same(nn, nn.arange(3.0), np.arange(3, dtype=np.float32))
    assert_same(nn, nn.arange(2.0**24 + 1, 2.0**24 + 3, dtype="float64"), 2.0**24 + np.arange(1.0, 3.0))
    assert_same(nn, nn.arange(np.int64(3)), np.arange(3))


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("num", [0, 1, 2, 5, 50])
def test_linspace(nn, num, endpoint):
    y = nn.to_numpy(nn.linspace(-1.0, 3.0, num, dtype="float64", endpoint=endpoint))
    assert y.shape == (num,)
    np.testing.assert_allclose(
        y, np.linspace(-1, 3, num, endpoint=endpoint), rtol=0, atol=4 * np.finfo(float).eps
    )


def test_grids_and_triangles(nn):
    x, y = np.arange(3.0), np.arange(2.0)
    for indexing in ("xy", "ij"):
        ours = nn.meshgrid(nn.asarray(x), nn.asarray(y), indexing=indexing)
        for actual, expected in zip(ours, np.meshgrid(x, y, indexing=indexing), strict=True):
            assert_same(nn, actual, expected)
    matrices = np.arange(1.0, 25.0).reshape(2, 3, 4)
    for k in range(-4, 5):
        assert_same(nn, nn.tril(nn.asarray(matrices), k=k), np.tril(matrices, k))
        assert_same(nn, nn.triu(nn.asarray(matrices), k=k), np.triu(matrices, k))


# ------------------------------------------------------------------------------- devices, conversion


def test_devices(nn):
    assert nn.devices()[0] == "cpu"
    assert nn.canonical_device("CPU") == "cpu"
    x = nn.zeros(2, device="cpu")
    assert nn.device(x) == "cpu"
    assert nn.canonical_device(x.device) == "cpu"
    assert nn.device(nn.to_device(x, "cpu")) == "cpu"
    with pytest.raises(ValueError, match="unknown device 'cuda:99'"):
        nn.zeros(2, device="cuda:99")
    for name in nn.devices():
        assert nn.canonical_device(name) == name
        assert nn.device(nn.zeros(2, device=name)) == name
        assert nn.to_numpy(nn.to_device(x, name)).tolist() == [0, 0]


def test_to_numpy(nn):
    w = nn.Variable([1.0, 2.0])
    before = nn.to_numpy(w)
    nn.assign_add(w, 1.0)
    assert before.tolist() == [1.0, 2.0]  # a copy, not a view of what training changes
    assert nn.to_numpy(nn.asarray([1.5], dtype="bfloat16")).tolist() == [1.5]
    assert isinstance(nn.to_numpy(nn.asarray(1.0)), np.ndarray)


def test_dlpack(nn):
    other = dn.backend("tensorflow" if nn.name == "torch" else "torch")
    for dtype in ("float32", "int64", "bool", "uint8", "complex64"):
        theirs = other.asarray([[0, 1], [1, 0]], dtype=dtype)
        np.testing.assert_array_equal(nn.to_numpy(nn.from_dlpack(theirs)), other.to_numpy(theirs))
    array = np.arange(12.0).reshape(3, 4)
    for view in (array, array[1:], array[:, 1:], array.T):  # not all of it aligned or contiguous
        tensor = nn.from_dlpack(view)
        np.testing.assert_array_equal(nn.to_numpy(nn.square(tensor)), view**2)
    copied = nn.from_dlpack(array, copy=True)
    array[0, 0] = 100
    assert float(copied[0, 0]) == 0


def test_constants(nn):
    assert (nn.e, nn.pi, nn.inf, nn.newaxis) == (math.e, math.pi, math.inf, None)
    assert math.isnan(nn.nan)


def test_inspection(nn):
    info = nn.__array_namespace_info__()
    assert tuple(map(nn.canonical_device, info.devices())) == nn.devices()
    assert info.default_device() == nn.zeros(2).device
    assert info.dtypes(kind="real floating") == {"float32": nn.float32, "float64": nn.float64}
    assert info.default_dtypes()["real floating"] == nn.float32
    assert len(info.dtypes()) == 13
    assert info.capabilities()["boolean indexing"]


# ------------------------------------------------------------------------------- reductions


@st.composite
def array_and_axis(draw, dtype, low=-8, high=8):
    x = draw(floats(dtype, low, high, min_side=1))
    axes = st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.nothing()
    several = st.lists(st.sampled_from(range(x.ndim)), unique=True).map(tuple) if x.ndim else st.just(())
    return x, draw(st.none() | axes | several), draw(st.booleans())


@pytest.mark.parametrize("name", ["max", "min", "sum", "mean", "prod", "std", "var", "all", "any"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_reductions(nn, name, dtype):
    @few
    @given(array_and_axis(dtype, low=0.5, high=3))  # the product of 64 is below the largest float32
    def check(drawn):
        x, axis, keepdims = drawn
        actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x), axis=axis, keepdims=keepdims))
        expected = np.asarray(getattr(np, name)(wide(x), axis=axis, keepdims=keepdims))
        assert actual.shape == expected.shape
        assert actual.dtype == (bool if name in ("all", "any") else dtype)
        # Rounding of each of at most 64 terms of size 3; a variance near 0 keeps that error.
        slack = 64 * np.finfo(dtype).eps
        if name == "std":
            slack = math.sqrt(slack)
        np.testing.assert_allclose(actual, expected, rtol=slack, atol=64 * slack)

    check()


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_reductions_of_integers(nn, dtype):
    x = np.array([[1, 0, 1], [1, 1, 1]]).astype(dtype)
    widest = np.uint64 if dtype == "uint8" else np.int64
    assert_same(nn, nn.sum(nn.asarray(x)), np.sum(x, dtype=widest))
    assert_same(nn, nn.sum(nn.asarray(x), axis=0), np.sum(x, axis=0, dtype=widest))
    assert_same(nn, nn.prod(nn.asarray(x), axis=1), np.prod(x, axis=1, dtype=widest))
    assert_same(nn, nn.sum(nn.asarray(x), dtype="float32"), np.sum(x, dtype=np.float32))
    assert_same(nn, nn.all(nn.asarray(x), axis=1, keepdims=True), np.all(x, axis=1, keepdims=True))
    assert_same(nn, nn.any(nn.asarray(x)), np.any(x))
    assert_same(nn, nn.count_nonzero(nn.asarray(x), axis=0), np.count_nonzero(x, axis=0))
    if dtype != "bool":
        assert_same(nn, nn.max(nn.asarray(x), axis=(0, 1)), np.max(x, axis=(0, 1)))
        with pytest.raises((TypeError, RuntimeError), match="floating"):
            nn.mean(nn.asarray(x))


def test_correction(nn):
    x = np.array([[1.0, 2.0, 4.0], [0.0, 3.0, 5.0]])
    for axis in (None, 0, 1, (0, 1)):
        for name in ("std", "var"):
            actual = nn.to_numpy(getattr(nn, name)(nn.asarray(x), axis=axis, correction=1))
            np.testing.assert_allclose(actual, getattr(np, name)(x, axis=axis, ddof=1), rtol=1e-14)


def test_means_of_nothing(nn):
    for dtype in ("float32", "complex64"):
        assert np.isnan(nn.to_numpy(nn.mean(nn.zeros((0, 2), dtype=dtype), axis=0))).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_means_of_more_than_their_type_can_sum_up(nn, dtype):
    x = nn.ones(100_000, dtype=dtype)
    assert (float(nn.mean(x)), float(nn.var(x)), float(nn.std(x))) == (1.0, 0.0, 0.0)


def test_axes_that_are_not_there_are_refused(nn):
    x = nn.ones((2, 3))
    for call in (lambda: nn.diff(x, axis=3), lambda: nn.prod(x, axis=(5,)), lambda: nn.prod(x, axis=(0, 0))):
        with pytest.raises(Exception, match=r"(?i)dim|duplicate"):
            call()


def test_limits_of_other_kinds_are_refused(nn):
    with pytest.raises(TypeError, match="floating"):
        nn.finfo("int32")
    with pytest.raises(TypeError, match="integer"):
        nn.iinfo("float32")


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [3.0]])
def test_gradient_of_the_standard_deviation_at_zero_is_zero(nn, values):
    gradient = nn.grad(lambda x: nn.std(x))(nn.asarray(values))
    assert nn.to_numpy(gradient).tolist() == [0.0] * len(values)


def test_gradient_of_products_with_zeros(nn):
    def running(x):
        return nn.sum(nn.cumulative_prod(x) * nn.asarray([1.0, 10.0, 100.0]))

    x = nn.asarray([2.0, 0.0, 3.0])
    assert nn.to_numpy(nn.grad(running)(x)).tolist() == [1.0, 20 + 600, 0.0]
    # of the gradient [1 + 10 y + 100 y z, 10 x + 100 x z, 100 x y], its sum's
    twice = nn.grad(lambda x: nn.sum(nn.grad(running)(x)))(x)
    assert nn.to_numpy(twice).tolist() == [10 + 300, 310 + 200, 200]


def test_nan_wins(nn):
    x = nn.asarray([1.0, math.nan, 3.0])
    for name in ("max", "min", "sum", "mean"):
        assert math.isnan(float(getattr(nn, name)(x)))


@pytest.mark.parametrize("name", ["sum", "prod"])
def test_cumulative(nn, name):
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    ours, theirs = getattr(nn, f"cumulative_{name}"), getattr(np, f"cumulative_{name}")
    for axis in (0, 1, -1):
        for initial in (False, True):
            expected = theirs(x, axis=axis, include_initial=initial)
            assert_same(nn, ours(nn.asarray(x), axis=axis, include_initial=initial), expected)
    assert_same(nn, ours(nn.asarray([1, 2, 3], dtype="int8")), theirs(np.array([1, 2, 3])))
    assert_same(nn, ours(nn.asarray(x[0]), dtype="float32"), theirs(x[0], dtype=np.float32))


def test_diff(nn):
    x = np.array([[1.0, 4.0, 9.0, 16.0], [0.0, 1.0, 8.0, 27.0]])
    assert_same(nn, nn.diff(nn.asarray(x)), np.diff(x))
    assert_same(nn, nn.diff(nn.asarray(x), n=2), np.diff(x, n=2))
    assert_same(nn, nn.diff(nn.asarray(x), axis=0), np.diff(x, axis=0))
    edge = np.zeros((2, 1))
    expected = np.diff(x, prepend=edge, append=edge)
    assert_same(nn, nn.diff(nn.asarray(x), prepend=nn.asarray(edge), append=nn.asarray(edge)), expected)


# ------------------------------------------------------------------------------- manipulation

X = np.arange(24.0).reshape(2, 3, 4)


def test_broadcasting(nn):
    x = nn.asarray(X[:, :1])
    assert_same(nn, nn.broadcast_to(x, (5, 2, 3, 4)), np.broadcast_to(X[:, :1], (5, 2, 3, 4)))
    for actual, expected in zip(
        nn.broadcast_arrays(x, nn.asarray(X[0, :, :1])),
        np.broadcast_arrays(X[:, :1], X[0, :, :1]),
        strict=True,
    ):
        assert_same(nn, actual, expected)
    assert tuple(nn.broadcast_shapes((2, 1), (3,), ())) == (2, 3)
    assert tuple(nn.broadcast_shapes()) == ()
    with pytest.raises((ValueError, RuntimeError)):
        nn.broadcast_shapes((2,), (3,))


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_concat(nn, axis):
    assert_same(nn, nn.concat([nn.asarray(X), nn.asarray(X)], axis=axis), np.concat([X, X], axis=axis))


def test_concat_and_stack_promote(nn):
    parts = [nn.asarray([1, 2]), nn.asarray([3], dtype="int8")]
    assert_same(nn, nn.concat(parts), np.array([1, 2, 3]))
    mixed = nn.asarray([1.0], dtype="float32"), nn.asarray([2.0], dtype="float64")
    assert_same(nn, nn.concat(mixed), np.array([1.0, 2.0]))


@pytest.mark.parametrize("axis", [0, 1, -1, 3])
def test_stack_and_unstack(nn, axis):
    stacked = nn.stack([nn.asarray(X), nn.asarray(X + 1)], axis=axis)
    assert_same(nn, stacked, np.stack([X, X + 1], axis=axis))
    for actual, expected in zip(nn.unstack(stacked, axis=axis), (X, X + 1), strict=True):
        assert_same(nn, actual, expected)


def test_expand_and_squeeze(nn):
    x = nn.asarray(X)
    for axis in (0, 2, -1, (0, 2), (-1, 0), ()):
        assert_same(nn, nn.expand_dims(x, axis=axis), np.expand_dims(X, axis))
    thin = nn.asarray(X[None, :, :1])
    for axis in (0, 2, -4, (0, 2), ()):
        assert_same(nn, nn.squeeze(thin, axis), np.squeeze(X[None, :, :1], axis))
    with pytest.raises(ValueError, match="1"):
        nn.squeeze(x, 0)


def test_order_of_axes_and_elements(nn):
    x = nn.asarray(X)
    assert_same(nn, nn.permute_dims(x, (2, 0, 1)), np.permute_dims(X, (2, 0, 1)))
    assert_same(nn, nn.permute_dims(x, (-1, 0, 1)), np.permute_dims(X, (-1, 0, 1)))
    for source, destination in ((0, -1), (2, 0), ((0, 1), (2, 0)), ((-1, 0), (0, 1))):
        assert_same(nn, nn.moveaxis(x, source, destination), np.moveaxis(X, source, destination))
    for axis in (None, 0, -1, (0, 2), ()):
        assert_same(nn, nn.flip(x, axis=axis), np.flip(X, axis=axis))
    for shift, axis in ((1, None), (-2, 1), ((1, 2), (0, 2))):
        assert_same(nn, nn.roll(x, shift, axis=axis), np.roll(X, shift, axis=axis))
    assert_same(nn, nn.reshape(x, (4, -1)), X.reshape(4, -1))
    assert_same(nn, nn.reshape(x, (4, 6), copy=True), X.reshape(4, 6))
    assert_same(nn, nn.matrix_transpose(x), np.matrix_transpose(X))


def test_repetition_of_nothing(nn):
    repeated = nn.repeat(nn.ones((0, 3)), nn.asarray([0, 1, 2]), axis=1)
    assert nn.shape(repeated) == (0, 3)


def test_repetition(nn):
    x = nn.asarray(X)
    assert_same(nn, nn.repeat(x, 2), np.repeat(X, 2))
    assert_same(nn, nn.repeat(x, 2, axis=1), np.repeat(X, 2, axis=1))
    assert_same(nn, nn.repeat(x, nn.asarray([1, 0, 2]), axis=1), np.repeat(X, [1, 0, 2], axis=1))
    for repetitions in ((2,), (2, 1, 3), (2, 1, 1, 2), ()):
        assert_same(nn, nn.tile(x, repetitions), np.tile(X, repetitions))


# ------------------------------------------------------------------------------- indexing, searching


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_take(nn, axis, dtype):
    for indices in ([1, 0, -1], [[0, 1], [1, -1]], 1, []):
        indices = np.array(indices, dtype)
        assert_same(
            nn, nn.take(nn.asarray(X), nn.asarray(indices), axis=axis), np.take(X, indices, axis=axis)
        )


def test_any_integers_are_indices(nn):
    x = np.arange(6.0).reshape(2, 3)
    for dtype in INTEGERS:
        indices = np.array([2, 0], dtype)
        assert_same(nn, nn.take(nn.asarray(x), nn.asarray(indices), axis=1), x[:, indices])
        assert_same(nn, nn.take_along_axis(nn.asarray(x), nn.asarray(indices[None])), x[:, indices])


def test_indices_that_are_not_there_are_refused(nn):
    with pytest.raises(Exception, match=r"bounds|not in"):
        nn.take_along_axis(nn.ones((2, 3)), nn.asarray([[9]]))


def test_take_needs_an_axis(nn):
    assert_same(nn, nn.take(nn.asarray(X[0, 0]), nn.asarray([2, 0])), X[0, 0][[2, 0]])
    with pytest.raises(ValueError, match="axis"):
        nn.take(nn.asarray(X), nn.asarray([0]))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_take_along_axis(nn, axis):
    order = np.argsort(-X, axis=axis).astype(np.int32)
    assert_same(
        nn,
        nn.take_along_axis(nn.asarray(X), nn.asarray(order), axis=axis),
        np.take_along_axis(X, order, axis),
    )
    last = np.full((1, 1, 1), -1)
    expected = np.take_along_axis(
        X, np.broadcast_to(last, [1 if i == axis % 3 else n for i, n in enumerate(X.shape)]), axis
    )
    assert_same(nn, nn.take_along_axis(nn.asarray(X), nn.asarray(last), axis=axis), expected)


def test_the_gradient_of_take(nn):
    gradient = nn.grad(lambda x: nn.sum(nn.square(nn.take(x, nn.asarray([0, 2, 0]), axis=0))))
    assert nn.to_numpy(gradient(nn.asarray([1.0, 2.0, 3.0]))).tolist() == [4.0, 0.0, 6.0]


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_argmax(nn, name):
    x = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]], np.float32)
    for axis in (None, 0, 1, -1):
        for keepdims in (False, True):
            expected = np.asarray(getattr(np, name)(x, axis=axis, keepdims=keepdims))
            assert_same(nn, getattr(nn, name)(nn.asarray(x), axis=axis, keepdims=keepdims), expected)


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_sorting(nn, dtype):
    @few
    @given(hnp.arrays(dtype, hnp.array_shapes(max_dims=2, max_side=6), elements=st.integers(0, 9)))
    def check(x):
        for axis in range(-1, x.ndim):
            assert_same(nn, nn.sort(nn.asarray(x), axis=axis), np.sort(x, axis=axis))
            descending = np.flip(np.sort(x, axis=axis), axis=axis)
            assert_same(nn, nn.sort(nn.asarray(x), axis=axis, descending=True), descending)
            assert_same(nn, nn.argsort(nn.asarray(x), axis=axis), np.argsort(x, axis=axis, stable=True))
            expected = np.argsort(-x.astype(np.int64), axis=axis, stable=True)
            assert_same(nn, nn.argsort(nn.asarray(x), axis=axis, descending=True), expected)

    check()


def test_searching_among_nan(nn):
    x = np.array([-1.0, -0.0, 2.0, *[np.nan] * 5])
    values = np.array([-2.0, 0.0, 1.5, 3.0, np.inf, np.nan])
    for dtype in ("float16", "float32", "float64"):
        for side in ("left", "right"):
            actual = nn.searchsorted(nn.asarray(x, dtype=dtype), nn.asarray(values, dtype=dtype), side=side)
            assert_same(nn, actual, np.searchsorted(x, values, side=side))


def test_where_takes_two_numbers(nn):
    condition = nn.asarray([True, False])
    assert_same(nn, nn.where(condition, 1, 0), np.array([1, 0]))
    assert_same(nn, nn.where(condition, 1, 2.5), np.array([1, 2.5], np.float32))


def test_searching(nn):
    x = np.array([[3, 0, 2], [0, 5, 0]])
    for actual, expected in zip(nn.nonzero(nn.asarray(x)), np.nonzero(x), strict=True):
        assert_same(nn, actual, expected)
    ordered, values = np.array([1.0, 2.0, 2.0, 4.0]), np.array([[0.0, 2.0], [3.0, 5.0]])
    for side in ("left", "right"):
        expected = np.searchsorted(ordered, values, side=side)
        assert_same(nn, nn.searchsorted(nn.asarray(ordered), nn.asarray(values), side=side), expected)
    shuffled = np.array([2, 0, 3, 1])
    actual = nn.searchsorted(
        nn.asarray(ordered[shuffled]), nn.asarray(values), sorter=nn.asarray(np.argsort(shuffled))
    )
    assert_same(nn, actual, np.searchsorted(ordered, values))
    assert int(nn.searchsorted(nn.asarray(ordered), 3.0)) == 3
    condition = np.array([True, False, True])
    y = np.array([1.0, 2.0, 3.0], np.float32)
    assert_same(
        nn, nn.where(nn.asarray(condition), nn.asarray(y), 0.0), np.where(condition, y, np.float32(0))
    )
    assert_same(
        nn, nn.where(nn.asarray(condition), 0.0, nn.asarray(y)), np.where(condition, np.float32(0), y)
    )


def test_sets(nn):
    x = np.array([[3, 1, 3], [2, 1, 3]])
    values, indices, inverse, counts = np.unique_all(x)
    ours = nn.unique_all(nn.asarray(x))
    for actual, expected in zip(ours, (values, indices, inverse, counts), strict=True):
        assert_same(nn, actual, expected)
    assert_same(nn, nn.unique_values(nn.asarray(x)), values)
    assert_same(nn, nn.unique_counts(nn.asarray(x)).counts, counts)
    assert_same(nn, nn.unique_inverse(nn.asarray(x)).inverse_indices, inverse)
    assert_same(nn, nn.isin(nn.asarray(x), nn.asarray([1, 2])), np.isin(x, [1, 2]))
    assert_same(nn, nn.isin(nn.asarray(x), nn.asarray([1, 2]), invert=True), np.isin(x, [1, 2], invert=True))
    assert nn.shape(nn.unique_values(nn.asarray([], dtype="float32"))) == (0,)
    assert nn.shape(nn.unique_all(nn.asarray([math.nan, math.nan])).counts) == (2,)


# ------------------------------------------------------------------------------- linear algebra

SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
]
SHAPES += [((2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((0, 3), (3, 4)), ((2, 0), (0, 4))]


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS, "complex64"])
@pytest.mark.parametrize("shapes", SHAPES)
def test_matmul(nn, shapes, dtype):
    x1, x2 = (np.arange(math.prod(shape)).reshape(shape).astype(dtype) for shape in shapes)
    assert_same(nn, nn.matmul(nn.asarray(x1), nn.asarray(x2)), np.matmul(x1, x2))  # small integers: exact


def test_products(nn):
    x1, x2 = X, np.arange(12.0).reshape(3, 4)
    assert_same(nn, nn.tensordot(nn.asarray(x1), nn.asarray(x2)), np.tensordot(x1, x2))
    assert_same(nn, nn.tensordot(nn.asarray(x2), nn.asarray(x2), axes=0), np.tensordot(x2, x2, axes=0))
    axes = ((1,), (0,))
    assert_same(nn, nn.tensordot(nn.asarray(x1), nn.asarray(x2), axes=axes), np.tensordot(x1, x2, axes=axes))
    assert_same(nn, nn.vecdot(nn.asarray(x1), nn.asarray(x2)), np.vecdot(x1, x2))
    assert_same(nn, nn.vecdot(nn.asarray(x1), nn.asarray(x2), axis=-2), np.vecdot(x1, x2, axis=-2))
    mixed = nn.matmul(nn.ones((2, 3)), nn.ones((3, 2), dtype="float64"))
    assert nn.dtype_name(mixed.dtype) == "float64"


# ------------------------------------------------------------------------------- compiled


def test_unknown_batch_size():
    tf = pytest.importorskip("tensorflow")
    nn = dn.backend("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    def function(x):
        size, width = nn.shape(x)
        assert nn.is_tensor(size)
        assert width == 3
        y = nn.matmul(nn.reshape(x, (size, 1, 3)), nn.ones((3, 2)))
        y = nn.squeeze(y, 1) + nn.zeros((size, 2)) + nn.full((size, 2), 0.0)
        y = nn.take_along_axis(y, nn.argsort(y, axis=1), axis=1)
        y = nn.concat([nn.broadcast_to(nn.arange(2.0), (size, 2)), y], axis=1)
        y = nn.where(nn.expand_dims(nn.arange(size), axis=1) < 1, y, nn.broadcast_arrays(x[:, :1], y)[0])
        y = nn.roll(nn.flip(nn.tril(y, k=3), axis=0), 0)
        return y, nn.var(y, axis=0), nn.cumulative_sum(y, axis=0), nn.take(x, nn.asarray([-1]), axis=0)

    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    y, variance, running, last = function(x)
    expected = np.array([[3, 3, 3, 3], [0, 1, 3, 3]], np.float32)
    assert_same(nn, y, expected)
    assert_same(nn, variance, expected.var(axis=0))
    assert_same(nn, running, expected.cumsum(axis=0))
    assert_same(nn, last, x[-1:])


def test_lists_are_constants_of_compiled_code(nn):
    function = nn.compile(lambda x: x * nn.asarray([1.0, 2.0]) + nn.asarray(0.5) + nn.arange(2.0))
    assert nn.to_numpy(function(nn.ones(2))).tolist() == [1.5, 3.5]


def test_several_constants_in_one_graph_of_torch():
    import torch

    nn, array = dn.backend("torch"), np.array([[1, 2], [3, 4]], "int16")

    def function(x):
        return [x + nn.asarray(one) for one in ([0.1, 0.2], (1, 2), array, array.T)]

    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    for dtype in ("float32", "float64"):
        x = nn.ones(2, dtype=dtype)
        for actual, expected in zip(compiled(x), function(x), strict=True):
            assert actual.dtype == expected.dtype
            assert torch.equal(actual, expected)
