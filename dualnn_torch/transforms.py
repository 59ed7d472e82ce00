"""Functions that make derivatives of functions, on `torch.autograd`."""

from __future__ import annotations

import functools

import numpy as np
import optree
import torch

from dualnn.differentiation import kind, replace, select, value_of, without_value
from dualnn_torch.creation_functions import asarray
from dualnn_torch.data_types import dtype_name
from dualnn_torch.differentiable import check_differentiable, check_tensor
from dualnn_torch.gradient_tape import is_recording, native_grad, recording_now, set_grad_mode, zeros_for_none
from dualnn_torch.variables import is_variable


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
        nested, grad_mode = is_recording(), torch.is_grad_enabled()
        leaves, structure = optree.tree_flatten(select(args, argnums))
        recording_now.transforms += 1
        set_grad_mode(True)
        try:
            inputs = [_alias(leaf, nested) for leaf in leaves]
            result = fun(*replace(args, argnums, structure.unflatten(inputs)), **kwargs)
            value = _checked_scalar(result, has_aux)
            gradients = _grad_of_scalar(value, inputs, create_graph=nested)
        finally:
            set_grad_mode(grad_mode)
            recording_now.transforms -= 1
        return (result if nested else _detached(result)), structure.unflatten(gradients)

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
    # a variable is copied, else the constant would change with it
    return x.detach().clone() if is_variable(x) else x.detach()


def inference_mode():
    """Return a context for what nobody will differentiate, so that nothing need be recorded.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> with nn.inference_mode():
    ...     float(nn.Variable(2.0) * 3.0)
    6.0
    """
    return torch.no_grad()


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
        leaves, structure = optree.tree_flatten(args)
        returned = None

        def flat(leaves):
            nonlocal returned
            results, returned = optree.tree_flatten(fun(*structure.unflatten(leaves)))
            return tuple(results)

        results = _Recomputed.apply(flat, *leaves)
        return returned.unflatten(results)

    return recomputed


class _Recomputed(torch.autograd.Function):
    # torch.utils.checkpoint works by hooks on what is saved, which no tracer of graphs can follow

    @staticmethod
    def forward(ctx, fun, *inputs):
        ctx.fun = fun
        ctx.save_for_backward(*inputs)
        results = fun(inputs)
        ctx.mark_non_differentiable(*(y for y in results if not y.is_floating_point()))
        return results

    @staticmethod
    def backward(ctx, *seeds):
        nested = torch.is_grad_enabled()  # somebody differentiates the gradient
        needed = ctx.needs_input_grad[1:]
        with torch.enable_grad():
            inputs = [
                x.view_as(x) if nested and x.requires_grad else x.detach().requires_grad_(need)
                for x, need in zip(ctx.saved_tensors, needed, strict=True)
            ]
            results = ctx.fun(inputs)
        pairs = [(y, seed) for y, seed in zip(results, seeds, strict=True) if y.requires_grad]
        wanted = [x for x, need in zip(inputs, needed, strict=True) if need]
        gradients = iter(
            torch.autograd.grad(
                [y for y, _ in pairs],
                wanted,
                [seed for _, seed in pairs],
                create_graph=nested,
                allow_unused=True,
            )
            if pairs
            else [None] * len(wanted)
        )
        return None, *(next(gradients) if need else None for need in needed)


def _alias(leaf, nested):
    """Return a tensor of the same values, known to nobody else, to differentiate by."""
    if isinstance(leaf, (float, np.ndarray, np.generic)):
        leaf = asarray(leaf)
    check_tensor(leaf)
    check_differentiable(leaf)
    if nested and leaf.requires_grad:
        return leaf.view_as(leaf)  # connected, for whoever else records
    return leaf.detach().requires_grad_()


def _grad_of_scalar(value, inputs, create_graph):
    if not inputs or not value.requires_grad:
        return [torch.zeros_like(tensor) for tensor in inputs]
    gradients = native_grad([value], inputs, [torch.ones_like(value)], create_graph, create_graph)
    return zeros_for_none(gradients, inputs)


def _checked_scalar(result, has_aux):
    """Return the scalar among what a function to differentiate returned."""
    result = value_of(result, has_aux)
    is_tensor = isinstance(result, torch.Tensor)
    if not is_tensor or not result.is_floating_point():
        what = dtype_name(result.dtype) if is_tensor else kind(result)
        raise TypeError(f"expected a function that returns a tensor of real numbers, got {what}")
    if result.ndim != 0:
        raise ValueError(f"expected a function that returns a scalar, got shape {tuple(result.shape)}")
    return result


def _detached(tree):
    if isinstance(tree, torch.Tensor):
        return tree.detach()
    return optree.tree_map(lambda leaf: leaf.detach() if isinstance(leaf, torch.Tensor) else leaf, tree)
