"""Checks of what is to be differentiated."""

from __future__ import annotations

import optree
import torch

from dualnn.differentiation import kind
from dualnn_torch.data_types import dtype_name


def flatten(tree):
    """Return the tensors of a tree, in which None is no leaf, and its structure."""
    leaves, structure = optree.tree_flatten(tree)
    for leaf in leaves:
        check_tensor(leaf)
    return leaves, structure


def tensor_leaves(tree):
    """Return the tensors of a tree, in which nothing else may be."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    leaves = optree.tree_leaves(tree, none_is_leaf=True)
    for leaf in leaves:
        check_tensor(leaf)
    return leaves


def check_tensor(x):
    """Raise TypeError unless it is a native tensor or variable."""
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"expected torch tensors, got {kind(x)}")


def is_constant(tensor):
    """Return whether a tensor is a plain one that no derivative goes through.

    While somebody else traces, to compile or to export, it is not: they want to see the usual operation.
    """
    return not (
        tensor.requires_grad
        or torch.compiler.is_compiling()
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def check_differentiable(tensor):
    """Raise TypeError unless it holds real or complex numbers."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise TypeError(f"expected tensors of real or complex numbers, got {dtype_name(tensor.dtype)}")
