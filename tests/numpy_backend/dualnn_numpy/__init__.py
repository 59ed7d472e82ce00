"""A small backend of NumPy, forward only: what a third backend takes, and the conformance suite's own exam.

It is registered by its entry point alone. It has no variables and no gradients, so no layers either, and few
neural primitives; the suite measures what there is and names what is missing.
"""

import numpy as np
from numpy import (  # noqa: F401 (the namespace of the array API standard)
    __version__,
    abs,
    acos,
    acosh,
    add,
    all,
    any,
    argmax,
    argmin,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bool,
    ceil,
    concat,
    conj,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expand_dims,
    expm1,
    float32,
    float64,
    floor,
    greater,
    hypot,
    imag,
    int32,
    int64,
    isfinite,
    isinf,
    isnan,
    less,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    multiply,
    negative,
    pow,
    prod,
    real,
    reciprocal,
    reshape,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    subtract,
    sum,
    tan,
    tanh,
    trunc,
    var,
    where,
)  # fmt: skip

name = "numpy"
CPU = "cpu"


def _native(dtype):
    if dtype == "bfloat16":
        raise NotImplementedError("NumPy has no bfloat16")
    return None if dtype is None else np.dtype(dtype)


def dtype(dtype, /):
    return _native(dtype)


def asarray(obj, /, *, dtype=None, device=None, copy=None):
    array = np.asarray(obj, dtype=_native(dtype), copy=copy)
    is_default = dtype is None and array.dtype == np.float64 and not hasattr(obj, "dtype")
    return array.astype(np.float32) if is_default else array


def zeros(shape, *, dtype=None, device=None):
    return np.zeros(shape, dtype or np.float32)


def ones(shape, *, dtype=None, device=None):
    return np.ones(shape, dtype or np.float32)


def astype(x, dtype, /, *, copy=True, device=None):
    return np.asarray(x).astype(dtype)


def relu(x, /):
    return np.maximum(x, 0)


def sigmoid(x, /):
    return 1 / (1 + np.exp(-x))


def softmax(x, /, axis=-1):
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def compile(fun, /, *, jit=False):
    if jit:
        raise NotImplementedError("NumPy makes no machine code")
    fun.runs_as = "eager"
    return fun


def is_tensor(x, /):
    return isinstance(x, (np.ndarray, np.generic))


def is_variable(x, /):
    return False


def shape(x, /):
    return x.shape


def to_numpy(x, /):
    return np.array(x)


def dtype_name(dtype, /):
    return np.dtype(dtype).name


def isdtype(dtype, kind, /):
    return np.isdtype(np.dtype(dtype), kind)


def device(x, /):
    return CPU


def devices():
    return (CPU,)


def canonical_device(device, /):
    if str(device).lower() != CPU:
        raise ValueError(f"expected {CPU!r}, got {device!r}")
    return CPU


def to_device(x, device, /):
    return x
