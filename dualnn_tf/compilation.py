"""Preparing functions for being called many times: as graphs, and as machine code."""

from __future__ import annotations

import functools
import logging

import numpy as np
import optree
import tensorflow as tf
from tensorflow.python.eager.record import could_possibly_record

from dualnn.names import called
from dualnn.randomness import watched
from dualnn_tf.variables import Variable, assign, is_variable, value


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

    @functools.wraps(body)
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

    return _prepared(_over_variables(loop), compile_loop(body) if jit else _over_variables(in_python), jit)


def variable_in_loop(x, /):
    """Return what a loop of `compile_loop` carries for a variable: itself, as the loop knows what to do.

    A kernel of the loop reads and writes it, without the call from Python that each takes by itself. For a
    tensor it is a new variable, whose memory the loop can use again: it need not copy what it is given.
    """
    return x if is_variable(x) else Variable(x, trainable=False)


def _over_variables(loop):
    """Return the loop of carries with variables, whose values it reads first and sets last."""

    @functools.wraps(loop)
    def call(carry, constants, xs):
        start, structure = optree.tree_flatten(carry)
        values = [value(leaf) if isinstance(leaf, tf.Variable) else leaf for leaf in start]
        end = optree.tree_leaves(loop(structure.unflatten(values), constants, xs))
        pairs = zip(start, end, strict=True)
        return structure.unflatten(
            [assign(leaf, new) if isinstance(leaf, tf.Variable) else new for leaf, new in pairs]
        )

    return call


def _prepared(fun, otherwise, jit):
    """Return `fun` compiled, and from the first time on that it cannot be, `otherwise`."""
    programs = _Programs(fun, jit)
    failed = False

    @functools.wraps(otherwise)
    def call(*args, **kwargs):
        nonlocal failed
        if failed:
            return otherwise(*args, **kwargs)
        try:
            return programs.call(args, kwargs)
        except Exception as error:
            reason = str(error).partition("\n")[0].partition(". ")[0]
        # Is it the compiling or the function that failed? A second run tells: an error of the function's
        # own is raised again, without TensorFlow's wrapping.
        result = otherwise(*args, **kwargs)
        failed = True
        call.runs_as = otherwise.runs_as if jit else "eager"
        name = called(otherwise)
        what, then = (" to machine code", "its graph runs") if jit else ("", "it runs as it is")
        logging.getLogger("dualnn").warning("%s cannot be compiled%s, so %s: %s", name, what, then, reason)
        return result

    call.runs_as = "jit" if jit else "graph"
    return call


def _signature(leaf):
    # not `leaf.shape`, an object that takes longer to make of a new tensor than all else that is done with it
    kind = _native_class(type(leaf))
    if kind is tf.Tensor:
        return leaf._shape_tuple(), leaf._datatype_enum(), leaf.device
    if kind is tf.Variable:
        return kind, leaf.shape, leaf.dtype, leaf.device, leaf.trainable
    return _kind(leaf)


def _kind(leaf):
    # what is no tensor and no variable is a constant of what is traced
    return _native_class(type(leaf)) or (type(leaf), leaf)


def _kind_and_axes(leaf):
    # TensorFlow makes one graph of two numbers of axes, in which a tensor has no shape at all
    kind = _kind(leaf)
    return (kind, leaf.shape.rank) if kind is tf.Tensor else kind


@functools.cache  # it takes TensorFlow a microsecond to say that something is no tensor
def _native_class(cls):
    return next((native for native in (tf.Tensor, tf.Variable) if issubclass(cls, native)), None)


class _Programs:
    """What was made of one function, for each choice of shapes that it was called with.

    ``tf.function`` does as much; but finding the program for a tree of twenty tensors takes it ten times as
    long as calling one that is known.
    """

    def __init__(self, fun, jit):
        self._fun, self._jit = fun, jit
        self._functions = {}
        self._found = {}

    def call(self, args, kwargs):
        """Return what the function returns."""
        leaves, structure = optree.tree_flatten((args, kwargs), none_is_leaf=True)
        leaves = [tf.convert_to_tensor(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in leaves]
        inputs = [leaf for leaf in leaves if _native_class(type(leaf))]
        watched = could_possibly_record() and any(isinstance(leaf, tf.Variable) for leaf in inputs)
        if watched or not tf.executing_eagerly():
            function = self._function(leaves, structure)
            return function.tree(function.compiled(*inputs), inputs)
        key = structure, *map(_signature, leaves)
        found = self._found.get(key)  # once: the key's hash takes microseconds
        if found is None:
            function = self._function(leaves, structure)
            found = self._found[key] = function, function.compiled.get_concrete_function(*inputs)
        function, program = found
        tensors = [leaf.handle if _native_class(type(leaf)) is tf.Variable else leaf for leaf in inputs]
        return function.tree(program._call_flat(tensors, program.captured_inputs), inputs)

    def _function(self, leaves, structure):
        key = structure, *map(_kind_and_axes, leaves)
        if key not in self._functions:
            self._functions[key] = _Function(self._fun, leaves, structure, self._jit)
        return self._functions[key]


class _Function:
    """A ``tf.function`` of a list of tensors, made of a function of trees."""

    def __init__(self, fun, leaves, structure, jit):
        given = list(leaves)
        inputs = [i for i, leaf in enumerate(leaves) if _native_class(type(leaf))]

        def flat(*tensors):
            for i, tensor in zip(inputs, tensors, strict=True):
                given[i] = tensor
            args, kwargs = structure.unflatten(given)
            with watched(fun, puts_back=True) as drawn:
                results, self._structure = optree.tree_flatten(fun(*args, **kwargs), none_is_leaf=True)
            if drawn.reason is not None:
                raise RuntimeError(drawn.reason)
            computed = [leaf for leaf in results if isinstance(leaf, tf.Tensor)]
            native = set(map(id, (*computed, *tensors)))
            self._constants = [leaf for leaf in results if id(leaf) not in native]
            places = {id(leaf): i for i, leaf in enumerate((*computed, *tensors, *self._constants))}
            self._places = [places[id(leaf)] for leaf in results]
            return computed

        # XLA knows all sizes; a graph that has met two sizes of an axis is traced for any size
        self.compiled = tf.function(flat, autograph=False, reduce_retracing=not jit, jit_compile=jit)

    def tree(self, computed, inputs):
        """Return the tree of results, in which there may be constants, and variables that were given."""
        leaves = (*computed, *inputs, *self._constants)
        return self._structure.unflatten([leaves[i] for i in self._places])
