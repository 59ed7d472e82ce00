"""The narrow waist: everything an adapter must supply, and nothing else.

An adapter is a module that has every name below. Its array functions follow the Python array API
standard (https://data-apis.org/array-api/2025.12/), so their meaning is not repeated here; what the
standard lacks (neural primitives, variables, differentiation, compilation, native modules) is
described in full. Tensors are the framework's own objects, never wrapped.

A new backend is one more package: supply these names and register the module under the entry-point
group ``dualnn.backends``, with the framework's import name as the entry point's name.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Tensor: TypeAlias = Any
"""A native tensor of the backend's framework (or its native variable)."""

DType: TypeAlias = Any
"""A native data type; wherever one is taken, its name (``"float32"``) is taken as well."""

Device: TypeAlias = Any
"""A native device; wherever one is taken, its name (``"cpu"``, ``"cuda:0"``) is taken as well."""

Shape: TypeAlias = tuple[Any, ...]
"""A shape; a dimension that is not known while compiling is a 0-d integer tensor."""

Axes: TypeAlias = int | tuple[int, ...] | None


class ArrayNamespace(Protocol):
    """The part of the array API standard that the core writes on."""

    float32: DType
    float64: DType
    int32: DType
    int64: DType
    bool: DType

    # Creation
    def asarray(
        self, obj: Any, /, *, dtype: DType = None, device: Device = None, copy: builtins.bool | None = None
    ) -> Tensor: ...
    def zeros(self, shape: Any, *, dtype: DType = None, device: Device = None) -> Tensor: ...
    def ones(self, shape: Any, *, dtype: DType = None, device: Device = None) -> Tensor: ...
    def full(self, shape: Any, fill_value: Any, *, dtype: DType = None, device: Device = None) -> Tensor: ...
    def arange(
        self, start: Any, /, stop: Any = None, step: Any = 1, *, dtype: DType = None, device: Device = None
    ) -> Tensor: ...
    def zeros_like(self, x: Tensor, /, *, dtype: DType = None, device: Device = None) -> Tensor: ...
    def ones_like(self, x: Tensor, /, *, dtype: DType = None, device: Device = None) -> Tensor: ...

    # Data types
    def astype(
        self, x: Tensor, dtype: DType, /, *, copy: builtins.bool = True, device: Device = None
    ) -> Tensor: ...
    def isdtype(self, dtype: DType, kind: Any) -> builtins.bool: ...

    # Element by element
    def abs(self, x: Tensor, /) -> Tensor: ...
    def bitwise_and(self, x1: Tensor, x2: Any, /) -> Tensor: ...
    def bitwise_left_shift(self, x1: Tensor, x2: Any, /) -> Tensor: ...
    def bitwise_right_shift(self, x1: Tensor, x2: Any, /) -> Tensor: ...
    def bitwise_xor(self, x1: Tensor, x2: Any, /) -> Tensor: ...
    def clip(self, x: Tensor, /, min: Any = None, max: Any = None) -> Tensor: ...
    def equal(self, x1: Tensor, x2: Any, /) -> Tensor: ...
    def exp(self, x: Tensor, /) -> Tensor: ...
    def isfinite(self, x: Tensor, /) -> Tensor: ...
    def log(self, x: Tensor, /) -> Tensor: ...
    def log1p(self, x: Tensor, /) -> Tensor: ...
    def logical_and(self, x1: Tensor, x2: Tensor, /) -> Tensor: ...
    def logical_not(self, x: Tensor, /) -> Tensor: ...
    def maximum(self, x1: Tensor, x2: Any, /) -> Tensor: ...
    def minimum(self, x1: Tensor, x2: Any, /) -> Tensor: ...
    def real(self, x: Tensor, /) -> Tensor: ...
    def round(self, x: Tensor, /) -> Tensor: ...
    def sqrt(self, x: Tensor, /) -> Tensor: ...
    def square(self, x: Tensor, /) -> Tensor: ...
    def tanh(self, x: Tensor, /) -> Tensor: ...

    # Statistics, searching, sorting, utility
    def max(self, x: Tensor, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Tensor: ...
    def mean(self, x: Tensor, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Tensor: ...
    def sum(
        self, x: Tensor, /, *, axis: Axes = None, dtype: DType = None, keepdims: builtins.bool = False
    ) -> Tensor: ...
    def all(self, x: Tensor, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Tensor: ...
    def argmax(self, x: Tensor, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Tensor: ...
    def argsort(
        self, x: Tensor, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True
    ) -> Tensor: ...
    def where(self, condition: Tensor, x1: Any, x2: Any, /) -> Tensor: ...

    # Manipulation, indexing, linear algebra
    def broadcast_to(self, x: Tensor, /, shape: Any) -> Tensor: ...
    def concat(self, arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor: ...
    def expand_dims(self, x: Tensor, /, axis: int = 0) -> Tensor: ...
    def reshape(self, x: Tensor, /, shape: Any, *, copy: builtins.bool | None = None) -> Tensor: ...
    def squeeze(self, x: Tensor, /, axis: int | tuple[int, ...]) -> Tensor: ...
    def stack(self, arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor: ...
    def take(self, x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor: ...
    def take_along_axis(self, x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor: ...
    def matmul(self, x1: Tensor, x2: Tensor, /) -> Tensor: ...


class Backend(ArrayNamespace, Protocol):
    """An adapter: the array namespace, and what neural networks need beyond the standard."""

    name: str
    """The framework's import name, which is the backend's name."""

    __version__: str
    """The framework's version."""

    # ---------------------------------------------------------------- neural primitives
    # Images are channels last, (batch, height, width, channels), on every backend.

    def relu(self, x: Tensor, /) -> Tensor:
        """``max(x, 0)``; the gradient at 0 is 0."""

    def leaky_relu(self, x: Tensor, /, negative_slope: float = 0.2) -> Tensor:
        """``x`` where positive, else ``negative_slope * x``."""

    def elu(self, x: Tensor, /, alpha: float = 1.0) -> Tensor:
        """``x`` where positive, else ``alpha * (exp(x) - 1)``."""

    def selu(self, x: Tensor, /) -> Tensor:
        """The scaled exponential linear unit (Klambauer et al., 2017)."""

    def silu(self, x: Tensor, /) -> Tensor:
        """``x * sigmoid(x)``, also called swish."""

    def gelu(self, x: Tensor, /, approximate: bool = False) -> Tensor:
        """``x * Phi(x)`` with the normal distribution function, or its tanh approximation."""

    def sigmoid(self, x: Tensor, /) -> Tensor:
        """``1 / (1 + exp(-x))``."""

    def softplus(self, x: Tensor, /) -> Tensor:
        """``log(1 + exp(x))``, without overflow."""

    def softmax(self, x: Tensor, /, axis: int = -1) -> Tensor:
        """``exp(x) / sum(exp(x))`` along an axis, without overflow."""

    def log_softmax(self, x: Tensor, /, axis: int = -1) -> Tensor:
        """The logarithm of `softmax`, without loss of precision."""

    def one_hot(self, indices: Tensor, /, num_classes: int, *, dtype: DType = None) -> Tensor:
        """Integers of shape (...) as unit vectors of shape (..., num_classes)."""

    def conv2d(
        self,
        x: Tensor,
        kernel: Tensor,
        /,
        *,
        strides: tuple[int, int],
        padding: str,
        dilation: tuple[int, int],
        groups: int,
    ) -> Tensor:
        """2-D cross-correlation of (n, h, w, c) with a kernel (kh, kw, c // groups, filters).

        ``padding`` is ``"valid"`` or ``"same"``; the latter pads so that the output has
        ``ceil(size / stride)`` rows and columns, the odd pixel at the bottom and right.
        """

    def max_pool2d(
        self, x: Tensor, /, *, pool_size: tuple[int, int], strides: tuple[int, int], padding: str
    ) -> Tensor:
        """The largest value of each window of (n, h, w, c); padded pixels never win."""

    def avg_pool2d(
        self, x: Tensor, /, *, pool_size: tuple[int, int], strides: tuple[int, int], padding: str
    ) -> Tensor:
        """The mean of each window of (n, h, w, c); padded pixels are not counted."""

    # ---------------------------------------------------------------- variables

    Variable: Any
    """``Variable(value, trainable=True, dtype=None, name=None)``: a native variable."""

    def is_variable(self, x: Any, /) -> bool:
        """Whether `x` is a native variable."""

    def assign(self, variable: Tensor, value: Any, /) -> Tensor:
        """Set a variable's value in place; the shape stays. Returns the variable."""

    def assign_add(self, variable: Tensor, value: Any, /) -> Tensor:
        """``variable += value`` in place."""

    def assign_sub(self, variable: Tensor, value: Any, /) -> Tensor:
        """``variable -= value`` in place."""

    # ---------------------------------------------------------------- differentiation

    GradientTape: Any
    """``GradientTape(persistent=False)``: a context manager that records operations.

    It has ``watch``, ``gradient``, ``jacobian``, ``stop_recording``, ``reset`` and ``watched_variables``.
    Trainable variables are watched by themselves; what was computed before the tape was entered is a
    constant; tapes nest, and an outer one records the gradients that an inner one takes.
    """

    def value_and_grad(
        self, fun: Callable[..., Any], /, argnums: int | tuple[int, ...] = 0, has_aux: bool = False
    ) -> Callable[..., Any]:
        """A function that returns ``(fun(*args), gradient)``.

        The gradient has the structure of the argument(s) named by `argnums`, zeros where unconnected.
        With `has_aux`, `fun` returns ``(value, aux)`` and the result is ``((value, aux), gradient)``.
        """

    def grad(
        self, fun: Callable[..., Any], /, argnums: int | tuple[int, ...] = 0, has_aux: bool = False
    ) -> Callable[..., Any]:
        """A function that returns the gradient of `fun`, or ``(gradient, aux)``."""

    def stop_gradient(self, x: Tensor, /) -> Tensor:
        """`x` as a constant."""

    # ---------------------------------------------------------------- compilation

    def compile(self, fun: Callable[..., Any], /) -> Callable[..., Any]:
        """`fun`, a pure function of trees of tensors, prepared for being called many times."""

    # ---------------------------------------------------------------- tensors and devices

    def is_tensor(self, x: Any, /) -> bool:
        """Whether `x` is a native tensor or variable."""

    def shape(self, x: Tensor, /) -> Shape:
        """The shape, also of a tensor whose batch size is not known while compiling."""

    def to_numpy(self, x: Tensor, /) -> npt.NDArray[np.generic]:
        """A NumPy array with the tensor's values, from any device."""

    def dtype(self, dtype: DType, /) -> DType:
        """The native data type of that name; a native one is returned as it is."""

    def dtype_name(self, dtype: DType, /) -> str:
        """The name of a data type in the array API standard, ``"float32"``."""

    def device(self, x: Tensor, /) -> str:
        """The name of the device a tensor is on, ``"cpu"`` or ``"cuda:0"``."""

    def devices(self) -> tuple[str, ...]:
        """The names of the devices of this machine that the framework can use."""

    def canonical_device(self, device: Device, /) -> str:
        """The full name of a device, ``"cuda:0"`` for ``"cuda"``; ValueError if there is none such."""

    def to_device(self, x: Tensor, device: Device, /) -> Tensor:
        """`x` on that device."""

    # ---------------------------------------------------------------- native modules

    def native_module(self, layer: Any, /) -> Any:
        """The layer as the framework's own module type, over the very same variables."""
