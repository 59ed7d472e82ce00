"""The functional form: tensors that stand for a model's inputs and for what layers make of them."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dualnn.protocol import Backend, Tensor

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer


class SymbolicTensor:
    """The output of a layer or an operator that will be computed when the model is called.

    Layers can be called on it; ``+ - * / @ **``, negation and indexing work on it. Anything else is
    done in a layer of your own.

    Attributes:
        shape: the shape, None where a size is not known; None if it is not known at all.
    """

    def __init__(
        self,
        function: Callable[..., Any] | None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        shape: tuple[int | None, ...] | None = None,
        dtype: str | None = None,
        name: str | None = None,
    ) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs or {}
        self.shape, self.dtype, self.name = shape, dtype, name

    @classmethod
    def of_call(cls, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the output, or the outputs, of a layer on symbolic arguments.

        A wrong shape is found here.
        """
        given = _shapes(args[0])
        shape = None if given is None else layer.compute_output_shape(given)
        if isinstance(shape, list):
            call = cls(layer, args, kwargs)
            return [cls(operator.getitem, (call, i), shape=one) for i, one in enumerate(shape)]
        if isinstance(shape, dict):
            call = cls(layer, args, kwargs)
            return {key: cls(operator.getitem, (call, key), shape=one) for key, one in shape.items()}
        return cls(layer, args, kwargs, shape)

    def computed(self, values: dict[int, Any]) -> Any:
        """Compute it from the values of the tensors that it is made of, ``{id(symbolic): tensor}``."""
        args = [_put_in(x, values) for x in self.args]
        kwargs = {key: _put_in(x, values) for key, x in self.kwargs.items()}
        assert self.function is not None, "an input is given"
        return self.function(*args, **kwargs)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise _not_here(f"torch's {getattr(function, '__name__', function)}")

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        raise _not_here("a function of TensorFlow or Keras")

    def __deepcopy__(self, memo: dict[int, Any]) -> SymbolicTensor:
        for node in ordered(self):  # one after the other: a chain of them may be longer than Python's stack
            if id(node) not in memo:
                copied = memo[id(node)] = copy.copy(node)
                vars(copied).update(copy.deepcopy(vars(node), memo))
        twin: SymbolicTensor = memo[id(self)]
        return twin

    def __add__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.add, self, other)

    def __radd__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.add, other, self)

    def __sub__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.sub, self, other)

    def __rsub__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.sub, other, self)

    def __mul__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.mul, self, other)

    def __rmul__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.mul, other, self)

    def __truediv__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.truediv, other, self)

    def __pow__(self, other: Any) -> SymbolicTensor:
        return _operation(operator.pow, self, other)

    def __matmul__(self, other: Any) -> SymbolicTensor:
        return SymbolicTensor(operator.matmul, (self, other))

    def __neg__(self) -> SymbolicTensor:
        return SymbolicTensor(operator.neg, (self,), shape=self.shape)

    def __getitem__(self, index: Any) -> SymbolicTensor:
        return SymbolicTensor(operator.getitem, (self, index))

    def __iter__(self) -> Any:
        raise TypeError(
            "a symbolic tensor cannot be iterated over; take its parts by index, y[0], or define "
            "compute_output_shape in the layer that has several outputs"
        )

    def __bool__(self) -> bool:
        raise TypeError("a symbolic tensor has no value; decide on values in a layer of your own")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "a symbolic tensor has no value; call the finished model on data, or put a function of tensors "
            "in a layer: dn.layers.Activation(function)(x)"
        )

    def __repr__(self) -> str:
        return f"<SymbolicTensor {self.name or ''} shape={self.shape}>"


def Input(  # noqa: N802 - the field's name
    shape: tuple[int | None, ...] | int, dtype: str | None = None, name: str | None = None
) -> SymbolicTensor:
    """Return a symbolic tensor that stands for one input of a model.

    Args:
        shape: the shape of one sample, without the batch; None where a size varies.
        dtype: the input's dtype, ``"int64"`` for labels or tokens; by default the model's.
        name: its name, for dictionaries of inputs and in errors.

    Raises:
        ValueError: sizes that are no whole numbers from 0 or None, or an unknown dtype.

    >>> import dualnn as dn
    >>> inputs = dn.Input((4,))
    >>> hidden = dn.layers.Dense(8, activation="relu")(inputs)
    >>> model = dn.Model(inputs, dn.layers.Add()([hidden, hidden]))
    >>> tuple(model([[1.0, 2.0, 3.0, 4.0]]).shape)
    (1, 8)
    """
    sizes = shape if isinstance(shape, list | tuple) else (shape,)
    known = [size for size in sizes if size is not None]
    if shape is None or not all(
        hasattr(n, "__index__") and not isinstance(n, bool) and n >= 0 for n in known
    ):
        raise ValueError(
            f"shape must be the sizes of one sample without the batch's, whole numbers or None where a size "
            f"varies, got {shape!r}"
        )
    shape = tuple(None if size is None else int(size) for size in sizes)
    return SymbolicTensor(None, shape=(None, *shape), dtype=_dtype_name(dtype), name=name)


def _dtype_name(dtype: Any) -> str | None:
    try:
        found = None if dtype is None else np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found is not None and found.kind not in "biuf":
        raise ValueError(f"dtype must be the name of a dtype such as 'float32' or 'int64', got {dtype!r}")
    return None if found is None else found.name


def conformed(nn: Backend, model: str, declared: SymbolicTensor, x: Tensor) -> Tensor:
    """Return an input as it was declared; samples of a single number may lack their last axis.

    Raises:
        ValueError: another shape.
    """
    expected, got = declared.shape or (), tuple(x.shape)
    if len(got) == len(expected) - 1 and expected[-1] == 1:
        return nn.expand_dims(x, axis=-1)
    fits = len(got) == len(expected) and all(
        None in (m, n) or m == n for m, n in zip(expected, got, strict=True)
    )
    if not fits:
        raise ValueError(f"model {model!r}: expected an input of shape {expected}, as declared, got {got}")
    return x


def is_symbolic(x: Any) -> bool:
    """Whether `x` is a symbolic tensor, or a structure that has one."""
    if isinstance(x, SymbolicTensor):
        return True
    if isinstance(x, list | tuple):
        return any(is_symbolic(item) for item in x)
    return isinstance(x, dict) and any(is_symbolic(item) for item in x.values())


def ordered(outputs: Any) -> list[SymbolicTensor]:
    """Return symbolic tensors, and all that they are made of, each after what it is made of itself."""
    found: list[SymbolicTensor] = []
    seen: set[int] = set()
    waiting = [(node, False) for node in _within(outputs)][::-1]
    while waiting:
        node, arguments_done = waiting.pop()
        if arguments_done:
            found.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((node, True))
            waiting += [(argument, False) for argument in _within((node.args, node.kwargs))][::-1]
    return found


def _put_in(x: Any, values: dict[int, Any]) -> Any:
    if isinstance(x, SymbolicTensor):
        return values[id(x)]
    if isinstance(x, list | tuple) and is_symbolic(x):
        return type(x)(_put_in(item, values) for item in x)
    if isinstance(x, dict) and is_symbolic(x):
        return {key: _put_in(item, values) for key, item in x.items()}
    return x


def _not_here(what: str) -> TypeError:
    return TypeError(
        f"{what} was called on dn.Input or on what layers make of it, which has no values yet: do it in a "
        f"layer of your own, or wrap a torch module, dn.layers.TorchModuleWrapper(module)(x)"
    )


def _operation(function: Callable[..., Any], left: Any, right: Any) -> SymbolicTensor:
    return SymbolicTensor(function, (left, right), shape=_broadcast(_shapes(left), _shapes(right)))


def _shapes(x: Any) -> Any:
    if isinstance(x, dict):
        shapes = {key: _shapes(item) for key, item in x.items()}
        return None if any(shape is None for shape in shapes.values()) else shapes
    if isinstance(x, list | tuple):
        found = [_shapes(item) for item in x]
        return None if any(shape is None for shape in found) else found
    if isinstance(x, int | float):
        return ()
    return tuple(x.shape) if getattr(x, "shape", None) is not None else None


def _broadcast(a: Any, b: Any) -> tuple[int | None, ...] | None:
    if a is None or b is None:
        return None
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + tuple(a), (1,) * (rank - len(b)) + tuple(b)
    sizes: list[int | None] = []
    for m, n in zip(a, b, strict=True):
        if None not in (m, n) and m != n and 1 not in (m, n):
            raise ValueError(f"shapes {a} and {b} cannot be combined")
        sizes.append(n if m == 1 else m)
    return tuple(sizes)


def _within(x: Any) -> Iterator[SymbolicTensor]:
    if isinstance(x, SymbolicTensor):
        yield x
    elif isinstance(x, dict | list | tuple):
        for item in x.values() if isinstance(x, dict) else x:
            yield from _within(item)
