"""Differentiation: the tape and the function transforms, on `tf.GradientTape`."""

from __future__ import annotations

import functools

import numpy as np
import optree
import tensorflow as tf

from dualnn_tf.creation_functions import asarray


class GradientTape(tf.GradientTape):
    """Record operations for differentiation: `tf.GradientTape`, with dense gradients and earlier errors.

    Trainable variables are watched by themselves, tensors by `watch`. Tapes may nest and overlap; an
    outer tape records the gradients that an inner one takes, which gives higher derivatives.

    Args:
        persistent: whether `gradient` and `jacobian` may be called more than once.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> x = nn.asarray(3.0)
    >>> with nn.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> float(tape.gradient(y, x))
    6.0
    """

    def __init__(self, persistent=False):
        super().__init__(persistent=persistent)

    def watch(self, tensor):
        """Record what is computed from a tensor, or from each tensor of a tree, from here on.

        Raises:
            TypeError: not a TensorFlow tensor, or a tensor of integers or booleans.
            RuntimeError: this tape is not recording.
        """
        self._check_recording("watch a tensor")
        for leaf in _tensors(tensor):
            _check_differentiable(leaf)
            super().watch(leaf)

    def gradient(self, target, sources, output_gradients=None, unconnected_gradients="none"):
        """Return the gradient of the target with respect to each source.

        Args:
            target: a tensor of any shape, the sum of which is differentiated; or a tree of tensors,
                whose gradients are added up.
            sources: a tree of tensors and variables.
            output_gradients: a tree of tensors, of the targets' shapes, to weight the sums with.
            unconnected_gradients: what to return for a source that the target does not depend on:
                ``"none"``, None; ``"zero"``, zeros.

        Returns:
            A tree like `sources`; each gradient has the shape and the dtype of its source.

        Raises:
            RuntimeError: a second call on a tape that is not persistent.
            TypeError: a target or a source is not a TensorFlow tensor.
            ValueError: an unknown `unconnected_gradients`, or too few or many `output_gradients`.
        """
        targets = _tensors(target)
        tensors, structure = _flatten(sources)
        seeds = _seeds(targets, output_gradients)
        gradients = super().gradient(targets, tensors, seeds, unconnected_gradients)
        return structure.unflatten(map(_dense, gradients))

    def jacobian(self, target, sources, unconnected_gradients="none"):
        """Return the derivative of each element of the target with respect to each source.

        Args:
            target: a tensor of any shape.
            sources: a tree of tensors and variables.
            unconnected_gradients: as in `gradient`.

        Returns:
            A tree like `sources`; each Jacobian has the shape ``target.shape + source.shape``.

        Raises:
            RuntimeError, TypeError, ValueError: as in `gradient`.

        >>> import dualnn as dn
        >>> nn = dn.backend()
        >>> x = nn.asarray([1.0, 2.0])
        >>> with nn.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> nn.to_numpy(tape.jacobian(y, x)).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
        """
        tensors, structure = _flatten(sources)
        _check_tensor(target)
        return structure.unflatten(super().jacobian(target, tensors, unconnected_gradients))

    def stop_recording(self):
        """Return a context in which this tape does not record.

        Raises:
            RuntimeError: this tape is not recording.
        """
        self._check_recording("stop")
        return super().stop_recording()

    def reset(self):
        """Forget all that was recorded and watched, and go on recording.

        Raises:
            RuntimeError: this tape is not recording.
        """
        self._check_recording("be reset")
        super().reset()

    def _check_recording(self, what):
        if not self._recording:
            raise RuntimeError(f"a tape that is not recording cannot {what}; do so inside its `with` block")


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
        leaves, structure = optree.tree_flatten(_select(args, argnums))
        inputs = [_alias(leaf) for leaf in leaves]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            result = fun(*_replace(args, argnums, structure.unflatten(inputs)), **kwargs)
        value = _checked_scalar(result, has_aux)
        gradients = tape.gradient(value, inputs, unconnected_gradients="zero")
        return result, structure.unflatten(map(_dense, gradients))

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
    both = value_and_grad(fun, argnums, has_aux)

    @functools.wraps(fun)
    def transformed(*args, **kwargs):
        result, gradient = both(*args, **kwargs)
        return (gradient, result[1]) if has_aux else gradient

    return transformed


def stop_gradient(x, /):
    """Return a tensor, or the present value of a variable, as a constant.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.grad(lambda x: x * nn.stop_gradient(x))(3.0))
    3.0
    """
    return tf.stop_gradient(x)


# ---------------------------------------------------------------- trees and their leaves


def _flatten(tree):
    """Return the tensors of a tree, in which None is no leaf, and its structure."""
    leaves, structure = optree.tree_flatten(tree)
    for leaf in leaves:
        _check_tensor(leaf)
    return leaves, structure


def _tensors(tree):
    """Return the tensors of a tree, in which nothing else may be."""
    leaves = optree.tree_leaves(tree, none_is_leaf=True)
    for leaf in leaves:
        _check_tensor(leaf)
    return leaves


def _check_tensor(x):
    if not isinstance(x, (tf.Tensor, tf.Variable)):
        raise TypeError(f"expected TensorFlow tensors, got {_kind(x)}")


def _kind(x):
    cls = type(x)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def _check_differentiable(tensor):
    if not (tensor.dtype.is_floating or tensor.dtype.is_complex):
        raise TypeError(f"expected tensors of real or complex numbers, got {tensor.dtype.name}")


def _seeds(targets, output_gradients):
    if output_gradients is None:
        return None
    seeds = _tensors(output_gradients)
    if len(seeds) != len(targets):
        raise ValueError(f"expected output_gradients for each of {len(targets)} targets, got {len(seeds)}")
    return seeds


def _dense(gradient):
    # what `gather` pulls back comes as tf.IndexedSlices
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient


def _select(args, argnums):
    positions = (argnums,) if isinstance(argnums, int) else argnums
    if max(positions) >= len(args) or min(positions) < -len(args):
        raise ValueError(f"expected positional arguments up to argnums={argnums}, got {len(args)} of them")
    return args[argnums] if isinstance(argnums, int) else tuple(args[position] for position in argnums)


def _replace(args, argnums, selected):
    args = list(args)
    if isinstance(argnums, int):
        args[argnums] = selected
    else:
        for position, argument in zip(argnums, selected, strict=True):
            args[position] = argument
    return args


def _alias(leaf):
    """Return a tensor of the same values, known to nobody else, to differentiate by."""
    if isinstance(leaf, (float, np.ndarray, np.generic)):
        leaf = asarray(leaf)
    _check_tensor(leaf)
    _check_differentiable(leaf)
    return tf.identity(leaf)  # connected, for whoever else records


def _checked_scalar(result, has_aux):
    """Return the scalar among what a function to differentiate returned."""
    if has_aux:
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"expected a function that returns (value, aux), got {_kind(result)}")
        result = result[0]
    is_tensor = isinstance(result, (tf.Tensor, tf.Variable))
    if not is_tensor or not result.dtype.is_floating:
        what = result.dtype.name if is_tensor else _kind(result)
        raise TypeError(f"expected a function that returns a tensor of real numbers, got {what}")
    if result.shape.rank not in (0, None):
        raise ValueError(f"expected a function that returns a scalar, got shape {tuple(result.shape)}")
    return result
