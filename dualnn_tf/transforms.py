"""Functions that make derivatives of functions, on `tf.GradientTape`."""

from __future__ import annotations

import contextlib
import functools

import numpy as np
import optree
import tensorflow as tf

from dualnn.differentiation import kind, replace, select, value_of, without_value
from dualnn_tf.creation_functions import asarray
from dualnn_tf.differentiable import check_differentiable, check_tensor
from dualnn_tf.gradient_tape import dense
from dualnn_tf.sums_in_gradients import Tape


def value_and_grad(fun, /, argnums=0, has_aux=False):
    """Return a function that returns ``(fun(*args), gradient)``, as ``jax.value_and_grad`` does.

    An argument to differentiate is a tree of tensors, variables, NumPy arrays and Python floats. Only
    what `fun` computes from the argument counts: a tensor or variable that `fun` takes from elsewhere is
    a constant, be it the same one. These transforms nest with each other and with tapes.

    Args:
        fun: a function that returns a scalar; with `has_aux`, ``(scalar, aux)`` with any tree `aux`.
        argnums: the position of the argument to differentiate, or a tuple of positions.
        has_aux: whether `fun` returns `aux` too; the result is ``((value, aux), gradient)`` then.

    Returns:
        A function like `fun`. The gradient is a tree like the argument, or a tuple of such trees if
        `argnums` is one; it has zeros where `fun` does not depend on the argument.

    Raises:
        TypeError: the argument has a leaf of integers, or of a type not named above; or `fun` returns
            something else than a tensor of real numbers.
        ValueError: `fun` returns a tensor that is not a scalar, or gets too few arguments.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> value, gradient = nn.value_and_grad(lambda p: p["w"] ** 2 + p["b"])({"w": 3.0, "b": 1.0})
    >>> float(value), float(gradient["w"]), float(gradient["b"])
    (10.0, 6.0, 1.0)
    """

    @functools.wraps(fun)
    def transformed(*args, **kwargs):
        leaves, structure = optree.tree_flatten(select(args, argnums))
        inputs = [_alias(leaf) for leaf in leaves]
        with Tape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            result = fun(*replace(args, argnums, structure.unflatten(inputs)), **kwargs)
        value = _checked_scalar(result, has_aux)
        gradients = tape.gradient(value, inputs, unconnected_gradients="zero")
        return result, structure.unflatten(map(dense, gradients))

    return transformed


def grad(fun, /, argnums=0, has_aux=False):
    """Return a function that returns the gradient of `fun`; with `has_aux`, ``(gradient, aux)``.

    Arguments and errors are those of `value_and_grad`.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> cube = lambda x: x ** 3
    >>> float(nn.grad(nn.grad(cube))(2.0))
    12.0
    """
    return without_value(value_and_grad(fun, argnums, has_aux), has_aux)


def stop_gradient(x, /):
    """Return a tensor, or the present value of a variable, as a constant.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.grad(lambda x: x * nn.stop_gradient(x))(3.0))
    3.0
    """
    return tf.stop_gradient(x)


def inference_mode():
    """Return a context for what nobody will differentiate, so that nothing need be recorded.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> with nn.inference_mode():
    ...     float(nn.Variable(2.0) * 3.0)
    6.0
    """
    return contextlib.nullcontext()  # outside of tapes TensorFlow records nothing


def checkpoint(fun, /):
    """Return a function like `fun` that keeps nothing for the backward pass but its arguments.

    What `fun` computes on the way is computed again when the gradient is taken: less memory for more time
    (Chen et al., "Training deep nets with sublinear memory cost", 2016).

    Args:
        fun: a pure function of trees of tensors, which returns a tree of tensors. What it is to be
            differentiated by must be among its arguments.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.grad(nn.checkpoint(lambda x: x * x * x))(2.0))
    12.0
    """

    @functools.wraps(fun)
    def recomputed(*args):
        # tf.recompute_grad takes and returns lists of tensors, and warns of those without a gradient
        leaves, structure = optree.tree_flatten(args)
        leaves = [tf.convert_to_tensor(leaf) for leaf in leaves]
        moving = [i for i, leaf in enumerate(leaves) if leaf.dtype.is_floating or leaf.dtype.is_complex]
        returned = None

        def flat(*given):
            nonlocal returned
            values = list(leaves)
            for i, value in zip(moving, given, strict=True):
                values[i] = value
            results, returned = optree.tree_flatten(fun(*structure.unflatten(values)))
            return results

        results = tf.recompute_grad(flat)(*(leaves[i] for i in moving))
        return returned.unflatten(results)

    return recomputed


def _alias(leaf):
    """Return a tensor of the same values, known to nobody else, to differentiate by."""
    if isinstance(leaf, (float, np.ndarray, np.generic)):
        leaf = asarray(leaf)
    check_tensor(leaf)
    check_differentiable(leaf)
    return tf.identity(leaf)  # connected, for whoever else records


def _checked_scalar(result, has_aux):
    """Return the scalar among what a function to differentiate returned."""
    result = value_of(result, has_aux)
    is_tensor = isinstance(result, (tf.Tensor, tf.Variable))
    if not is_tensor or not result.dtype.is_floating:
        what = result.dtype.name if is_tensor else kind(result)
        raise TypeError(f"expected a function that returns a tensor of real numbers, got {what}")
    if result.shape.rank not in (0, None):
        raise ValueError(f"expected a function that returns a scalar, got shape {tuple(result.shape)}")
    return result
