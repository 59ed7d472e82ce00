"""Preparing functions for being called many times: as graphs, and as machine code."""

from __future__ import annotations

import functools
import itertools
import logging

import numpy as np
import optree
import torch

from dualnn.fast_paths import generic
from dualnn.names import called
from dualnn.randomness import watched
from dualnn_torch import graphs
from dualnn_torch.creation_functions import asarray
from dualnn_torch.gradient_tape import is_recording

MOST_PROGRAMS = 8  # of one function, one for each choice of shapes
_LEAF = optree.tree_structure(0, none_is_leaf=True)
_ONE_TENSOR = optree.tree_structure(((0,), {}), none_is_leaf=True)
# what inductor is not given: it fuses their formulas with what stands around them
UPDATES = ("adam_update", "sgd_update", "all_finite")


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
    programs = _Programs(fun, jit)

    @functools.wraps(fun)
    def call(*args, **kwargs):
        if len(args) == 1 and type(args[0]) is torch.Tensor and not kwargs:  # the usual case of a model
            leaves, structure = args, _ONE_TENSOR
        else:
            leaves, structure = _flatten((args, kwargs))
        program = programs.find(leaves, structure)
        result = fun(*args, **kwargs) if program is None else program.call(leaves)
        call.runs_as = programs.runs_as  # at the first call it turns out
        return result

    call.runs_as = programs.runs_as
    return call


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

    @functools.wraps(body)
    def several(carry, constants, xs):
        for x in zip(*(x.unbind(0) for x in optree.tree_leaves(xs)), strict=True):
            carry = body(carry, constants, optree.tree_unflatten(optree.tree_structure(xs), x))
        return carry

    single, unrolled = _Programs(body, jit, changes=0), _Programs(several, jit, changes=0)

    def loop(carry, constants, xs):
        leaves, structure = optree.tree_flatten(xs)
        length = len(leaves[0])
        whole = length // unroll * unroll if jit and unroll > 1 else 0
        if whole:
            blocks = zip(*(x[:whole].unflatten(0, (-1, unroll)).unbind(0) for x in leaves), strict=True)
            carry = _iterate(unrolled, carry, constants, [structure.unflatten(x) for x in blocks])
        if whole < length:
            steps = zip(*(x[whole:].unbind(0) for x in leaves), strict=True)
            carry = _iterate(single, carry, constants, [structure.unflatten(x) for x in steps])
        loop.runs_as = min(single.runs_as, unrolled.runs_as)  # "eager" < "graph" < "jit"
        return carry

    loop.runs_as = single.runs_as
    return loop


def _iterate(programs, carry, constants, steps):
    leaves, structure = _flatten(((carry, constants, steps[0]), {}))
    program = programs.find(leaves, structure)
    if program is None:
        for x in steps:
            carry = programs.fun(carry, constants, x)
        return carry
    now, carried = optree.tree_flatten(carry)
    fixed = optree.tree_leaves(constants)
    for x in steps:
        results = program.run(*now, *fixed, *optree.tree_leaves(x))
        now = results or now  # no results: the program has changed the carry in place
    return carried.unflatten(now)


def _flatten(tree):
    leaves, structure = optree.tree_flatten(tree, none_is_leaf=True)
    return [asarray(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in leaves], structure


class _Programs:
    """What was made of one function, for each choice of shapes that it was called with.

    Args:
        fun: the function.
        jit: whether machine code is made of it.
        changes: the number of the argument in whose place the result is put; None for no one's.
    """

    def __init__(self, fun, jit, changes=None):
        self.fun, self.changes = fun, changes
        self.runs_as = "jit" if jit else "graph"
        self._found = {}

    def find(self, leaves, structure):
        """Return the program for such arguments, or None if the function is to run as it is."""
        if self.runs_as == "eager" or torch.compiler.is_compiling() or is_recording():
            return None
        for leaf in leaves:
            if _is_followed(leaf):
                return None
        key = (structure, *map(_described, leaves))
        program = self._found.get(key)
        if program is not None and graphs.is_outdated(program.run):
            del self._found[key]
            program = None
        if program is None and len(self._found) < MOST_PROGRAMS:
            program = self._found[key] = _Program(self, leaves, structure)
        return program

    def refuse(self, reason):
        """Note that the function cannot be prepared as it was to be, and warn of it."""
        name = called(self.fun)
        jit = self.runs_as == "jit"
        what, then = (" to machine code", "its graph runs") if jit else ("", "it runs as it is")
        logging.getLogger("dualnn").warning("%s cannot be compiled%s, so %s: %s", name, what, then, reason)
        self.runs_as = "graph" if jit else "eager"


class _Program:
    """One function for one choice of shapes; a graph of it is noted while it runs for the first time.

    Attributes:
        run: takes the tensors among the arguments, and returns the tensors among the results.
    """

    def __init__(self, programs, leaves, structure):
        self._programs, self._arguments = programs, structure
        self._fixed = [None if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        self._takes_tensor = [isinstance(leaf, torch.Tensor) for leaf in leaves]
        self.run = self._record
        if programs.runs_as == "jit":
            tensors = list(itertools.compress(leaves, self._takes_tensor))
            try:
                with generic(*UPDATES), watched(programs.fun, puts_back=True) as drawn:
                    traced = graphs.trace(self._changing, tensors)
                if drawn.reason is not None:
                    raise RuntimeError(drawn.reason)
                self.run = graphs.as_machine_code(traced, tensors)
            except Exception as error:  # also one of the function's own, which comes again when it runs
                programs.refuse(_sentence(error))

    def call(self, leaves):
        """Return the tree of results for the leaves of the arguments."""
        results = self.run(*[_plain(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor)])
        if self._gives_one:
            return results[0]
        return self._results.unflatten(_merged(self._gives_tensor, results, self._constants))

    def _record(self, *tensors):
        try:
            with watched(self._programs.fun) as drawn:
                results, run, reason = graphs.record(self._flat, tensors)
            if drawn.reason is not None:
                run, reason = None, drawn.reason
        except Exception as error:
            # one of the function's own comes again; else it was the recorder that something did not go with
            results, run, reason = self._flat(tensors), None, _sentence(error)
        if reason == graphs.SIZES_FROM_VALUES:  # which torch's tracer can follow
            run, reason = self._traced(tensors)
        if reason is not None:
            self._programs.refuse(reason)
        self.run = run or (lambda *tensors: self._flat(tensors))
        return results

    def _traced(self, tensors):
        try:
            return graphs.as_python(graphs.trace(self._flat, tensors)), None
        except Exception as error:  # whatever the tracer raises
            return None, _sentence(error)

    def _flat(self, tensors):
        args, kwargs = self._arguments.unflatten(_merged(self._takes_tensor, tensors, self._fixed))
        results, self._results = optree.tree_flatten(self._programs.fun(*args, **kwargs), none_is_leaf=True)
        self._gives_tensor = [isinstance(leaf, torch.Tensor) for leaf in results]
        self._gives_one = self._results == _LEAF and self._gives_tensor == [True]
        self._constants = [None if isinstance(leaf, torch.Tensor) else leaf for leaf in results]
        return list(itertools.compress(results, self._gives_tensor))

    def _changing(self, tensors):
        results, changes = self._flat(tensors), self._programs.changes
        if changes is None:
            return results
        args, _ = self._arguments.unflatten(_merged(self._takes_tensor, tensors, self._fixed))
        for old, new in zip(optree.tree_leaves(args[changes]), results, strict=True):
            if new is not old:
                old.copy_(new)
        return []


def _sentence(error):
    return str(error).partition("\n")[0].partition(". ")[0]


def _merged(is_tensor, tensors, others):
    tensors = iter(tensors)
    return [next(tensors) if tensor else other for tensor, other in zip(is_tensor, others, strict=True)]


def _plain(leaf):
    return leaf if type(leaf) is torch.Tensor else leaf.detach()


def _is_followed(leaf):
    """Return whether others look at what becomes of a tensor: to differentiate it, or while they trace."""
    if type(leaf) is torch.Tensor:  # the usual case
        return leaf.requires_grad or torch._C._functorch.is_functorch_wrapped_tensor(leaf)
    if not isinstance(leaf, torch.Tensor):
        return False
    if isinstance(leaf, torch.nn.Parameter):
        return leaf.requires_grad and torch.is_grad_enabled()
    return True


def _described(leaf):
    """Return what a program takes for granted of an argument."""
    if isinstance(leaf, torch.Tensor):
        return leaf.shape, leaf.stride(), leaf.dtype, leaf.device
    return type(leaf), leaf
