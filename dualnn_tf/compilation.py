"""Preparing functions for being called many times: as graphs, and as machine code."""

from __future__ import annotations

import functools
import logging

import optree
import tensorflow as tf


def compile(fun, /, *, jit=False):
    """Return `fun`, a pure function of trees of tensors, prepared for being called many times.

    It is traced once for each choice of shapes. A function that looks at a tensor's value, with ``if``,
    ``for``, ``float(x)`` or NumPy, cannot be traced and runs as it is; the logger ``"dualnn"`` says so
    once. While a function is traced, a size may be unknown: ask ``nn.shape(x)``, not ``x.shape``.

    Args:
        fun: the function.
        jit: whether the framework's compiler makes machine code of it, inductor of torch and XLA of
            TensorFlow, which takes seconds. Without, the framework's own kernels run one after the
            other, without Python between them.

    Returns:
        A function like `fun`. Its attribute `runs_as` is ``"jit"``, ``"graph"`` or ``"eager"``.

    Raises:
        Exception: whatever `fun` raises.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> double = nn.compile(lambda tree: {"x": tree["x"] * 2})
    >>> float(double({"x": nn.asarray(3.0)})["x"])
    6.0
    """
    return _prepared(fun, compile(fun) if jit else fun, jit)


def compile_loop(body, /, *, jit=False, unroll=1):
    """Return ``loop(carry, constants, xs)``, which does ``carry = body(carry, constants, x)`` for each x.

    The loop goes over the first axis of the tensors in `xs`, with as little Python between the steps
    as the framework allows, and returns the last carry. The tensors of the first carry belong to the
    loop, which may overwrite them.

    Args:
        body: a pure function of trees of tensors; it returns a carry like the one it was given.
        jit: as in `compile`.
        unroll: how many steps are compiled as one, where the framework's compiler has no good loop.

    Returns:
        The loop. Its attribute `runs_as` is ``"jit"``, ``"graph"`` or ``"eager"``.

    Raises:
        Exception: whatever `body` raises.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> total = nn.compile_loop(lambda carry, scale, x: carry + scale * x)
    >>> float(total(nn.asarray(0.0), nn.asarray(2.0), nn.asarray([1.0, 2.0, 3.0])))
    12.0
    """

    # Where a tensor is used twice, TensorFlow 2.21 adds up gradients in an operation that its optimizer of
    # graphs breaks inside of loops: all that the loop carries comes out empty. Not inside of functions.
    single = body if jit else tf.function(body, autograph=False, experimental_attributes={"_noinline": True})

    def loop(carry, constants, xs):
        leaves, carried = optree.tree_flatten(carry)
        inputs, structure = optree.tree_flatten(xs)

        def step(i, leaves):
            x = structure.unflatten([tensor[i] for tensor in inputs])
            carry = single(carried.unflatten(leaves), constants, x)
            return i + 1, optree.tree_leaves(carry)

        length = tf.shape(inputs[0])[0] if inputs[0].shape[0] is None else inputs[0].shape[0]
        _, leaves = tf.while_loop(lambda i, _: i < length, step, (0, leaves), parallel_iterations=1)
        return carried.unflatten(leaves)

    @functools.wraps(body)
    def in_python(carry, constants, xs):
        leaves, structure = optree.tree_flatten(xs)
        for x in zip(*map(tf.unstack, leaves), strict=True):
            carry = body(carry, constants, structure.unflatten(x))
        return carry

    return _prepared(loop, compile_loop(body) if jit else in_python, jit)


def _prepared(fun, otherwise, jit):
    """Return `fun` compiled, and from the first time on that it cannot be, `otherwise`."""
    # XLA knows all sizes; a graph that has met two sizes of an axis is traced for any size
    compiled = tf.function(fun, autograph=False, reduce_retracing=not jit, jit_compile=jit)
    failed = False

    @functools.wraps(otherwise)
    def call(*args, **kwargs):
        nonlocal failed
        if failed:
            return otherwise(*args, **kwargs)
        try:
            return compiled(*args, **kwargs)
        except Exception as error:
            reason = str(error).partition("\n")[0].partition(". ")[0]
        # Is it the compiling or the function that failed? A second run tells: an error of the function's
        # own is raised again, without TensorFlow's wrapping.
        result = otherwise(*args, **kwargs)
        failed = True
        call.runs_as = otherwise.runs_as if jit else "eager"
        name = getattr(otherwise, "__qualname__", repr(otherwise))
        what, then = (" to machine code", "its graph runs") if jit else ("", "it runs as it is")
        logging.getLogger("dualnn").warning("%s cannot be compiled%s, so %s: %s", name, what, then, reason)
        return result

    call.runs_as = "jit" if jit else "graph"
    return call
