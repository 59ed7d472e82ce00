"""Activation functions under Keras's names: element by element, but for the softmaxes.

Each takes a native tensor of either framework and returns one of the same shape, dtype and device. Arrays and
lists of numbers become tensors of the default backend, integers in its default floating-point dtype. A layer
takes a function from here, its name, or any callable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from dualnn.backends import as_tensors, namespace, owner
from dualnn.defaults import defaults
from dualnn.foreign.advice import refusal
from dualnn.foreign.modules import is_module
from dualnn.foreign.recognition import KERAS, class_names, library
from dualnn.names import lookup, shown
from dualnn.protocol import Tensor

Activation = Callable[..., Tensor]


def _of_tensors(function: Activation) -> Activation:
    """Return a function of tensors that takes what tensors can be made of, too."""

    @functools.wraps(function)
    def of_anything(x: Any, *args: Any, **kwargs: Any) -> Tensor:
        if owner(x) is None:
            nn, x = as_tensors(x)
            if nn.isdtype(x.dtype, ("bool", "integral")):
                x = nn.astype(x, nn.dtype(defaults.dtype))
        return function(x, *args, **kwargs)

    return of_anything


@_of_tensors
def linear(x: Tensor) -> Tensor:
    """Return ``x``.

    >>> import dualnn as dn
    >>> float(dn.activations.linear(dn.backend().asarray(-2.5)))
    -2.5
    """
    return x


@_of_tensors
def relu(x: Tensor) -> Tensor:
    """Return ``max(x, 0)``; the gradient at 0 is 0.

    >>> import dualnn as dn
    >>> float(dn.activations.relu(dn.backend().asarray(-2.0)))
    0.0
    """
    return namespace(x).relu(x)


@_of_tensors
def relu6(x: Tensor) -> Tensor:
    """Return ``min(max(x, 0), 6)``; the gradient at 0 and at 6 is 0.

    >>> import dualnn as dn
    >>> float(dn.activations.relu6(dn.backend().asarray(7.5)))
    6.0
    """
    nn = namespace(x)
    return nn.where(x >= 6.0, 6.0, nn.relu(x))


@_of_tensors
def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> Tensor:
    """Return ``x`` where positive, else ``negative_slope * x``.

    >>> import dualnn as dn
    >>> float(dn.activations.leaky_relu(dn.backend().asarray(-2.0), negative_slope=0.25))
    -0.5
    """
    return namespace(x).leaky_relu(x, negative_slope)


@_of_tensors
def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return ``x`` where positive, else ``alpha * (exp(x) - 1)`` (Clevert et al., 2016).

    >>> import dualnn as dn
    >>> round(float(dn.activations.elu(dn.backend().asarray(-1.0))), 4)
    -0.6321
    """
    return namespace(x).elu(x, alpha)


@_of_tensors
def selu(x: Tensor) -> Tensor:
    """Return the scaled exponential linear unit (Klambauer et al., 2017).

    >>> import dualnn as dn
    >>> round(float(dn.activations.selu(dn.backend().asarray(1.0))), 4)
    1.0507
    """
    return namespace(x).selu(x)


@_of_tensors
def silu(x: Tensor) -> Tensor:
    """Return ``x * sigmoid(x)``, also called swish (Ramachandran et al., 2017).

    >>> import dualnn as dn
    >>> round(float(dn.activations.silu(dn.backend().asarray(1.0))), 4)
    0.7311
    """
    return namespace(x).silu(x)


@_of_tensors
def gelu(x: Tensor, approximate: bool = False) -> Tensor:
    """Return ``x * Phi(x)``, Phi the normal distribution function (Hendrycks and Gimpel, 2016).

    Args:
        x: a native tensor.
        approximate: take the paper's approximation by ``tanh``.

    >>> import dualnn as dn
    >>> round(float(dn.activations.gelu(dn.backend().asarray(1.0))), 4)
    0.8413
    """
    return namespace(x).gelu(x, approximate)


@_of_tensors
def sigmoid(x: Tensor) -> Tensor:
    """Return ``1 / (1 + exp(-x))``.

    >>> import dualnn as dn
    >>> float(dn.activations.sigmoid(dn.backend().asarray(0.0)))
    0.5
    """
    return namespace(x).sigmoid(x)


@_of_tensors
def hard_sigmoid(x: Tensor) -> Tensor:
    """Return ``relu6(x + 3) / 6``, a sigmoid of straight lines.

    >>> import dualnn as dn
    >>> float(dn.activations.hard_sigmoid(dn.backend().asarray(-1.5)))
    0.25
    """
    return relu6(x + 3.0) / 6.0


@_of_tensors
def hard_silu(x: Tensor) -> Tensor:
    """Return ``x * hard_sigmoid(x)`` (Howard et al., 2019).

    >>> import dualnn as dn
    >>> float(dn.activations.hard_silu(dn.backend().asarray(-1.5)))
    -0.375
    """
    return x * hard_sigmoid(x)


@_of_tensors
def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent.

    >>> import dualnn as dn
    >>> round(float(dn.activations.tanh(dn.backend().asarray(1.0))), 4)
    0.7616
    """
    return namespace(x).tanh(x)


@_of_tensors
def softplus(x: Tensor) -> Tensor:
    """Return ``log(1 + exp(x))``.

    >>> import dualnn as dn
    >>> round(float(dn.activations.softplus(dn.backend().asarray(0.0))), 4)
    0.6931
    """
    return namespace(x).softplus(x)


@_of_tensors
def softsign(x: Tensor) -> Tensor:
    """Return ``x / (1 + abs(x))``.

    >>> import dualnn as dn
    >>> float(dn.activations.softsign(dn.backend().asarray(-3.0)))
    -0.75
    """
    return x / (1.0 + namespace(x).abs(x))


@_of_tensors
def mish(x: Tensor) -> Tensor:
    """Return ``x * tanh(softplus(x))`` (Misra, 2019).

    >>> import dualnn as dn
    >>> round(float(dn.activations.mish(dn.backend().asarray(1.0))), 4)
    0.8651
    """
    nn = namespace(x)
    return x * nn.tanh(nn.softplus(x))


@_of_tensors
def exponential(x: Tensor) -> Tensor:
    """Return ``exp(x)``.

    >>> import dualnn as dn
    >>> float(dn.activations.exponential(dn.backend().asarray(0.0)))
    1.0
    """
    return namespace(x).exp(x)


@_of_tensors
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Return ``exp(x) / sum(exp(x))`` along an axis.

    >>> import dualnn as dn
    >>> float(dn.activations.softmax(dn.backend().zeros((4,)))[0])
    0.25
    """
    return namespace(x).softmax(x, axis)


@_of_tensors
def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Return the logarithm of the softmax along an axis.

    >>> import dualnn as dn
    >>> round(float(dn.activations.log_softmax(dn.backend().zeros((2,)))[0]), 4)
    -0.6931
    """
    return namespace(x).log_softmax(x, axis)


_BY_NAME: dict[str, Activation] = {
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "swish": silu,
    "tanh": tanh,
}


def get(identifier: str | Activation | None) -> Activation:
    """Return the activation function that a layer was given.

    Args:
        identifier: a function of one tensor, the name of one in this module, or None for `linear`.

    Raises:
        ValueError: no activation has this name.
        TypeError: neither a name nor a callable.

    >>> import dualnn as dn
    >>> dn.activations.get("relu") is dn.activations.relu
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        return lookup("activation", identifier, _BY_NAME)
    is_class = isinstance(identifier, type)
    if is_module(identifier) or class_names(identifier, *KERAS) or (is_class and library(identifier)):
        raise refusal(identifier, "activations", "an activation of dualnn")
    if is_class:
        raise TypeError(f"expected an activation, got {shown(identifier)}; make one of it")
    if callable(identifier):
        return identifier
    raise TypeError(f"expected an activation's name, a callable or None, got {identifier!r}")
