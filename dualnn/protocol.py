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
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

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


class Work(NamedTuple):
    """What one step of training costs, as far as it is known beforehand."""

    multiply_adds: int
    """Of the forward pass of a batch, about."""
    kinds: frozenset[str]
    """What layers with weights do: ``"dense"``, ``"convolution"``, ``"recurrence"``."""
    layers: int = 1
    """How many layers have weights."""
    sample_size: int = 0
    """How many numbers the largest output of a layer has for one sample, about."""
    trains: builtins.bool = True
    """Whether there are gradients and updates, or outputs only, for which somebody may wait."""
    sequence: int = 0
    """How many steps the longest recurrence takes, of the sequences that the model was built on."""


class Engine(NamedTuple):
    """How the steps of a run are done; see `dualnn.training.engines`."""

    name: str
    """``"eager"``, ``"step"`` or ``"epoch"``."""
    jit: builtins.bool
    """Whether the framework's compiler makes machine code of the steps."""
    unroll: int = 1
    """How many steps are compiled as one, where the framework's compiler has no good loop."""
    samples: int | None = None
    """How many samples of a batch are predicted at a time, if fewer than all are faster."""


class Exporter(NamedTuple):
    """A format of files that run without dualnn; see `dualnn.exporting`."""

    suffix: str
    """What the names of such files end in, ``".onnx"``; empty if it is a folder."""
    write: Callable[[Any, Path], None]
    """Writes a `dualnn.exporting.Program`, whose model lives on this backend's ``"cpu"``, to a new path."""
    load: Callable[[Any, Path], Callable[[list[npt.NDArray[Any]]], list[npt.NDArray[Any]]] | None]
    """Returns what was written of a program as a function of arrays; None if nothing here can run it."""
    landmark: str = ""
    """A file that every folder of the format has, so that no other folder is taken for an older export."""


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
    def flip(self, x: Tensor, /, *, axis: Axes = None) -> Tensor: ...
    def permute_dims(self, x: Tensor, /, axes: tuple[int, ...]) -> Tensor: ...
    def reshape(self, x: Tensor, /, shape: Any, *, copy: builtins.bool | None = None) -> Tensor: ...
    def squeeze(self, x: Tensor, /, axis: int | tuple[int, ...]) -> Tensor: ...
    def split(self, x: Tensor, sections: int, /, *, axis: int = 0) -> Sequence[Tensor]: ...
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

    def linear(self, x: Tensor, kernel: Tensor, bias: Tensor | None = None, /) -> Tensor:
        """``x @ kernel + bias`` for (..., features), (features, units) and (units,)."""

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
        bias: Tensor | None = None,
    ) -> Tensor:
        """2-D cross-correlation of (n, h, w, c) with a kernel (kh, kw, c // groups, filters), plus a bias.

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
    """``Variable(value, trainable=True, dtype=None, name=None, outputs_first=False)``: a native variable.

    With `outputs_first` memory may have the last axis before the others, if the backend's kernels like that.
    """

    def is_variable(self, x: Any, /) -> bool:
        """Whether `x` is a native variable."""

    def value(self, variable: Tensor, /) -> Tensor:
        """A variable's present value as a constant, good until it is assigned to, if possible not a copy."""

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

    def inference_mode(self) -> AbstractContextManager[Any]:
        """A context for what nobody will differentiate, so that nothing need be recorded."""

    def checkpoint(self, fun: Callable[..., Any], /) -> Callable[..., Any]:
        """A function like `fun`, pure, whose inner values are computed again for its gradient."""

    # ---------------------------------------------------------------- control flow

    def scan(
        self,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any,
        reverse: builtins.bool = False,
        unroll: builtins.bool | None = False,
    ) -> tuple[Any, Any]:
        """``carry, y = f(carry, x)`` for each ``x`` along the first axis; the last carry, and all ``y``.

        The semantics are those of ``jax.lax.scan``. A compiled function has one loop, or with `unroll`
        all steps one after the other; None leaves that to the backend.
        """

    # ---------------------------------------------------------------- compilation

    def compile(self, fun: Callable[..., Any], /, *, jit: builtins.bool = False) -> Any:
        """`fun`, a pure function of trees of tensors, prepared for being called many times.

        With `jit` it is compiled to machine code, else its operations run one after the other without
        Python between them. The attribute `runs_as` of what is returned is ``"jit"``, ``"graph"``, or
        ``"eager"`` if the function could not be compiled; the logger ``"dualnn"`` has said why then.
        """

    def compile_loop(
        self, body: Callable[..., Any], /, *, jit: builtins.bool = False, unroll: int = 1
    ) -> Any:
        """``loop(carry, constants, xs)``: ``carry = body(carry, constants, x)`` for each x of `xs`.

        The loop returns the last carry and may overwrite the first. With `unroll`, so many steps are
        compiled as one where the framework's compiler has no good loop.
        """

    def choose_engine(self, work: Work, steps: int | None, jit: builtins.bool | None, /) -> Engine:
        """The engine that is fastest for a run of so many steps of training, compilation included.

        `steps` is None if their number is not known. With `jit` True or False, the engine is to have it.
        """

    # ---------------------------------------------------------------- tensors and devices

    def is_tensor(self, x: Any, /) -> bool:
        """Whether `x` is a native tensor or variable."""

    def shape(self, x: Tensor, /) -> Shape:
        """The shape, also of a tensor whose batch size is not known while compiling."""

    def has_values(self, x: Tensor, /) -> builtins.bool:
        """Whether Python may look at the numbers of a tensor now, and not while a function is compiled."""

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

    def is_deterministic(self, device: Device, /) -> builtins.bool:
        """Whether the same computation on that device gives the same bits each time."""

    def to_device(self, x: Tensor, device: Device, /) -> Tensor:
        """`x` on that device."""

    # ---------------------------------------------------------------- native modules

    def native_module(self, layer: Any, /) -> Any:
        """The layer as the framework's own module type, over the very same variables."""

    exporters: Mapping[str, Exporter]
    """The formats in which the backend writes models; there may be none."""


class ModuleCalls(Protocol):
    """What a backend may have whose framework's modules can be called with other values than their own."""

    def functional_call(
        self, module: Any, values: Mapping[str, Tensor], args: tuple[Any, ...], kwargs: dict[str, Any], /
    ) -> tuple[Any, Mapping[str, Tensor]]:
        """What the module returns for values in the place of its parameters and buffers, by their paths.

        And these values after the call: in training, a module changes its buffers.
        """


class FastPaths(Protocol):
    """What a backend may have beyond `Backend`: kernels that do at once what the core has a formula for.

    `dualnn.fast_paths` finds them. One that cannot do what it is asked for, with such dtypes or while a
    gradient is to be differentiated, returns None or False, and the formula is used.
    """

    def batch_normalization(
        self,
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        statistics: tuple[Tensor, Tensor] | None,
        /,
        *,
        epsilon: float,
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` of (batch, ..., features).

        And the mean and the biased variance, (features,), as constants: those given, or else of `x` itself.
        """

    def layer_normalization(
        self, x: Tensor, gamma: Tensor | None, beta: Tensor | None, /, *, epsilon: float
    ) -> Tensor | None:
        """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` of (..., features).

        By the mean and the biased variance of each sample's features.
        """

    def relu_in_place(self, x: Tensor, /) -> Tensor | None:
        """``max(x, 0)`` in the memory of `x`, a tensor that nobody else has."""

    def readable(self, x: Tensor, /) -> Tensor:
        """`x` as a tensor that NumPy reads as it is; in a tape or a transform, `x` itself."""

    def sparse_softmax_cross_entropy(
        self, labels: Tensor, logits: Tensor, /, *, mean: builtins.bool
    ) -> Tensor:
        """``-log(softmax(logits))`` of the true class, in the shape of `labels`, or with `mean` their mean.

        The labels are int64 of shape (...), the logits have the shape (..., classes).
        """

    def simple_rnn(
        self,
        x: Tensor,
        h: Tensor,
        kernel: Tensor,
        recurrent_kernel: Tensor,
        bias: Tensor | None,
        /,
        *,
        activation: str,
    ) -> tuple[Tensor, Tensor] | None:
        """All outputs and the last state of `dualnn.layers.SimpleRNN`, ``"tanh"`` or ``"relu"``.

        Of sequences (batch, steps, features), a first state (batch, units), and the layer's weights;
        outputs (batch, steps, units).
        """

    def lstm(
        self,
        x: Tensor,
        h: Tensor,
        c: Tensor,
        kernel: Tensor,
        recurrent_kernel: Tensor,
        bias: Tensor | None,
        /,
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """All outputs and the last states `h` and `c` of `dualnn.layers.LSTM`, of the default activations."""

    def gru(
        self, x: Tensor, h: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor | None, /
    ) -> tuple[Tensor, Tensor] | None:
        """All outputs and the last state of `dualnn.layers.GRU` with the default settings."""

    def scaled_dot_product_attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        /,
        *,
        mask: Tensor | None,
        causal: builtins.bool,
        scale: float,
    ) -> Tensor | None:
        """``softmax(scale * query @ transposed(key)) @ value`` of tensors (batch, heads, steps, size).

        Where `mask`, boolean and broadcastable to (batch, heads, queries, keys), is False, the softmax is 0;
        with `causal`, for which there is no mask, for keys behind the query. A query without keys gives 0.
        """

    def adam_update(
        self,
        variables: list[Tensor],
        gradients: list[Tensor],
        momentums: list[Tensor],
        velocities: list[Tensor],
        alpha: Any,
        decay: Any,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        counts: Tensor | None = None,
    ) -> builtins.bool:
        """One step of `dualnn.optimizers.Adam` in place, on all of its variables and slots at once.

        `alpha` is the step size with both bias corrections in it, and `decay` what fraction of the variables
        goes beforehand, or None. Where `counts`, a boolean tensor of shape (), is False, all stays as it is.
        If the backend cannot do it, False is returned, and nothing has changed.
        """

    def sgd_update(
        self,
        variables: list[Tensor],
        gradients: list[Tensor],
        rate: Any,
        decay: Any,
        counts: Tensor | None = None,
    ) -> builtins.bool:
        """One step of `dualnn.optimizers.SGD` without momentum, likewise."""

    def variable_in_loop(self, x: Tensor, /) -> Any:
        """What the carry of a loop made by `compile_loop` may hold for a variable's value, or for a tensor.

        It is the variable itself, or a new one with the tensor's value. The loop then reads the variable
        before its first step, sets it after its last one, and returns it in the carry.
        """

    def all_finite(self, tensors: list[Tensor]) -> Tensor:
        """Whether all numbers of some floating-point tensors are finite, a boolean tensor of shape ()."""
