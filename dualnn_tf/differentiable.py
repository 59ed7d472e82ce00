"""Checks of what is to be differentiated."""

from __future__ import annotations

import optree
import tensorflow as tf

from dualnn.differentiation import kind


def flatten(tree):
    """Return the tensors of a tree, in which None is no leaf, and its structure."""
    leaves, structure = optree.tree_flatten(tree)
    for leaf in leaves:
        check_tensor(leaf)
    return leaves, structure


def tensor_leaves(tree):
    """Return the tensors of a tree, in which nothing else may be."""
    leaves = optree.tree_leaves(tree, none_is_leaf=True)
    for leaf in leaves:
        check_tensor(leaf)
    return leaves


def check_tensor(x):
    """Raise TypeError unless it is a native tensor or variable."""
    if not isinstance(x, (tf.Tensor, tf.Variable)):
        raise TypeError(f"expected TensorFlow tensors, got {kind(x)}")


def check_differentiable(tensor):
    """Raise TypeError unless it holds real or complex numbers."""
    if not (tensor.dtype.is_floating or tensor.dtype.is_complex):
        raise TypeError(f"expected tensors of real or complex numbers, got {tensor.dtype.name}")
