"""Loops whose steps depend on each other."""

from __future__ import annotations

import optree
import tensorflow as tf
from tensorflow.python.eager.record import could_possibly_record

from dualnn.control_flow import check_carry, pair_of, scan_length
from dualnn_tf.creation_functions import asarray
from dualnn_tf.sums import traced_for_xla

FEW = 64
"""So many steps are unrolled where it is left to `scan`.

A training step of an LSTM over 28 steps takes 1.8 ms unrolled and 3.0 ms in a loop, in which every operation
is scheduled anew at every step; XLA has no such costs and takes 3.0 ms unrolled and 1.8 ms in a loop. Its
outputs alone, for 250 samples, take XLA 2.6 ms unrolled and 4.4 ms in a loop, for one sample 140 and 70
microseconds. Tracing and optimizing take 25 ms a step, which is where the limit comes from, XLA 45.
"""
SMALL = 512  # numbers that are carried on, of which XLA's loop is the faster one


def scan(f, init, xs, reverse=False, unroll=False):
    """Do one step after the other along the first axis, each on what the one before carried on.

    With the semantics of ``jax.lax.scan``: ``carry, y = f(carry, x)`` for each ``x`` of `xs`. In
    TensorFlow's compiled functions it is one loop, `f` being traced a fixed number of times; `f` may only
    depend on its arguments then, and all carries have the same structure, shapes and dtypes.

    Args:
        f: a function of a carry and of one step's input that returns ``(carry, y)``; `y` may be None.
        init: the first carry: a tree of tensors, arrays and numbers.
        xs: a tree of tensors, the steps being their first axis.
        reverse: whether the last step comes first; outputs keep the places of their inputs.
        unroll: whether the steps stand one after the other in a compiled function, instead of a loop,
            which takes longer to compile and may run faster. It is always so on torch. None: where that
            is faster, of steps that are few and small.

    Returns:
        The last carry, and the tree of all steps' outputs, stacked along a new first axis.

    Raises:
        ValueError: no tensors in `xs`, different lengths, or no step to do.
        TypeError: `f` returns no pair, or a carry of another structure, shape or dtype.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> last, sums = nn.scan(lambda total, x: (total + x, total + x), 0.0, nn.asarray([1.0, 2.0, 3.0]))
    >>> float(last), nn.to_numpy(sums).tolist()
    (6.0, [1.0, 3.0, 6.0])
    """
    carry = optree.tree_map(_tensor, init)
    leaves, structure = optree.tree_flatten(xs)
    leaves = [_tensor(leaf) for leaf in leaves]
    length = scan_length(leaves)
    if not tf.executing_eagerly() and not _unrolled(unroll, length, carry):
        return _compiled(f, carry, leaves, structure, length, reverse)
    steps = [structure.unflatten(step) for step in zip(*(tf.unstack(leaf) for leaf in leaves), strict=True)]
    outputs = [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        before = carry
        carry, outputs[i] = pair_of(f(carry, steps[i]))
        check_carry(before, carry)
    return carry, optree.tree_map(lambda *ys: tf.stack(ys), *outputs)


def _unrolled(unroll, length, carry):
    if unroll is None:
        unroll = length is not None and length <= FEW and not (traced_for_xla() and _suits_xla(carry))
    return unroll and length is not None


def _suits_xla(carry):
    is_small = all((leaf.shape.num_elements() or SMALL) < SMALL for leaf in optree.tree_leaves(carry))
    return could_possibly_record() or is_small  # there are gradients to come, or little to do


def _compiled(f, init, xs, structure_of_x, length, reverse):
    """Do the steps in one loop of the graph, whose body is traced once more to learn what it returns."""
    carry, structure_of_carry = optree.tree_flatten(init)
    y_specs, structure_of_y = _outputs(f, init, structure_of_carry, xs, structure_of_x)
    steps = tf.shape(xs[0])[0] if length is None else length
    inputs = [tf.TensorArray(x.dtype, size=steps, element_shape=x.shape[1:]).unstack(x) for x in xs]
    outputs = [tf.TensorArray(y.dtype, size=steps, element_shape=y.shape) for y in y_specs]

    def body(done, carry, outputs):
        i = steps - 1 - done if reverse else done
        x = structure_of_x.unflatten([array.read(i) for array in inputs])
        new, y = f(structure_of_carry.unflatten(carry), x)
        new = optree.tree_leaves(new)
        for before, after in zip(carry, new, strict=True):
            after.set_shape(before.shape)
        ys = optree.tree_leaves(y)
        return done + 1, new, [array.write(i, y) for array, y in zip(outputs, ys, strict=True)]

    # XLA differentiates a loop only if it is told beforehand how often it runs.
    _, carry, outputs = tf.while_loop(
        lambda done, *_: done < steps, body, (0, carry, outputs), maximum_iterations=length
    )
    ys = [array.stack() for array in outputs]
    for y in ys:
        y.set_shape([length, *y.shape[1:]])
    return structure_of_carry.unflatten(carry), structure_of_y.unflatten(ys)


def _outputs(f, init, structure_of_carry, xs, structure_of_x):
    """Return the specifications of one step's outputs and their structure, by tracing the step."""
    structure = None

    def step(carry, x):
        nonlocal structure
        carry = structure_of_carry.unflatten(carry)
        new, y = pair_of(f(carry, structure_of_x.unflatten(x)))
        check_carry(carry, new)
        ys, structure = optree.tree_flatten(y)
        return ys

    carry = [tf.TensorSpec(leaf.shape, leaf.dtype) for leaf in optree.tree_leaves(init)]
    x = [tf.TensorSpec(leaf.shape[1:], leaf.dtype) for leaf in xs]
    traced = tf.function(step, autograph=False).get_concrete_function(carry, x)
    return [tf.TensorSpec(y.shape, y.dtype) for y in traced.structured_outputs], structure


def _tensor(leaf):
    # a variable among the carries is meant by its value
    return tf.convert_to_tensor(leaf) if isinstance(leaf, (tf.Tensor, tf.Variable)) else asarray(leaf)
