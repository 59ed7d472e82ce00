"""Differentiation: the tape and the function transforms, on `torch.autograd`.

torch records every operation on a tensor that requires a gradient, at all times. A tape, as TensorFlow
means it, records while it is open; what came before or after is a constant. The nodes of torch's graph
are numbered in the order in which their thread made them, so a tape here is a list of such numbers:
recording began, ended, began again. To ask a tape is to ask torch, unless the graph reaches back
beyond these numbers.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from bisect import bisect

import numpy as np
import optree
import torch
from torch.autograd.graph import GradientEdge, _engine_run_backward, get_gradient_edge

from dualnn.names import unknown
from dualnn_torch.creation_functions import asarray
from dualnn_torch.data_types import dtype_name
from dualnn_torch.variables import is_variable

_next_number = torch._C._autograd._get_sequence_nr
_NO_CONTEXT = contextlib.nullcontext()


class GradientTape:
    """Record operations for differentiation, with the names and the semantics of ``tf.GradientTape``.

    Trainable variables are watched by themselves, tensors by `watch`. Tapes may nest and overlap; an
    outer tape records the gradients that an inner one takes, which gives higher derivatives.

    torch keeps no copy of a value that changes and no list of what was read. So, other than in
    TensorFlow, all gradients must be taken before assigning to a variable that they depend on, and
    `watched_variables` is known only after `gradient`. A tensor carried from one tape to the next is a
    constant to the next, but its history stays in memory with it, unless `stop_gradient` cuts it off.

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
        self._persistent = persistent
        self._borrowed = []  # tensors that require a gradient only as long as this tape is open
        self._leaves = None  # the nodes at which the last gradient found variables and watched tensors
        self._forget()

    def __enter__(self):
        self._start()
        return self

    def __exit__(self, *_):
        if self in _open.tapes:
            self._stop()
        self._give_back()

    def watch(self, tensor):
        """Record what is computed from a tensor, or from each tensor of a tree, from here on.

        Raises:
            TypeError: not a torch tensor, or a tensor of integers or booleans.
            RuntimeError: this tape is not recording.
        """
        self._check_recording("watch a tensor")
        for leaf in _tensors(tensor):
            _check_differentiable(leaf)
            if not leaf.requires_grad:
                leaf.requires_grad_(True)
                self._borrowed.append(leaf)
            self._watched[id(leaf)] = leaf, get_gradient_edge(leaf)

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
            RuntimeError: a second call on a tape that is not persistent; or a variable was assigned
                to since the tape recorded an operation on it.
            TypeError: a target or a source is not a torch tensor.
            ValueError: an unknown `unconnected_gradients`, or too few or many `output_gradients`.
        """
        targets = _tensors(target)
        tensors, structure = _flatten(sources)
        seeds = _seeds(targets, output_gradients)
        _check_choice(unconnected_gradients)
        gradients = self._differentiate(targets, tensors, seeds)
        if unconnected_gradients == "zero":
            gradients = _zeros_for_none(gradients, tensors)
        return structure.unflatten(gradients)

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
        _check_tensor(target)
        tensors, structure = _flatten(sources)
        _check_choice(unconnected_gradients)
        connected = []

        def row(seed):
            gradients = self._differentiate([target], tensors, [seed])
            connected[:] = [gradient is not None for gradient in gradients]
            return _zeros_for_none(gradients, tensors)

        unit = torch.eye(target.numel(), dtype=target.dtype, device=target.device)
        rows = torch.vmap(row)(unit.reshape(target.numel(), *target.shape))
        jacobians = [
            stacked.reshape(target.shape + tensor.shape)
            for stacked, tensor in zip(rows, tensors, strict=True)
        ]
        if unconnected_gradients == "none":
            jacobians = [one if known else None for one, known in zip(jacobians, connected, strict=True)]
        return structure.unflatten(jacobians)

    @contextlib.contextmanager
    def stop_recording(self):
        """Return a context in which this tape does not record.

        Raises:
            RuntimeError: this tape is not recording.
        """
        self._check_recording("stop")
        self._stop()
        try:
            with torch.set_grad_enabled(_is_recording()):
                yield
        finally:
            self._start()

    def reset(self):
        """Forget all that was recorded and watched, and go on recording.

        Raises:
            RuntimeError: this tape is not recording.
        """
        self._check_recording("be reset")
        self._stop()
        self._give_back()
        self._forget()
        self._start()

    def watched_variables(self):
        """Return the trainable variables that the targets of the last `gradient` were computed from.

        Raises:
            RuntimeError: `gradient` was not called yet.
        """
        if self._leaves is None:
            raise RuntimeError("torch knows only after gradient() which variables were used; call it first")
        return tuple(node.variable for node in self._leaves if is_variable(node.variable))

    def _check_recording(self, what):
        if self not in _open.tapes:
            raise RuntimeError(f"a tape that is not recording cannot {what}; do so inside its `with` block")

    def _start(self):
        if self in _open.tapes:
            raise ValueError("this tape is still recording, so it cannot be entered again")
        self._overlaps |= _is_recording()
        for tape in _open.tapes:
            tape._overlaps = True
        _open.tapes.append(self)
        self._marks.append(_next_number())
        self._grad_mode = torch.is_grad_enabled()
        _set_grad_mode(True)

    def _stop(self):
        _open.tapes.remove(self)
        self._marks.append(_next_number())
        _set_grad_mode(self._grad_mode)

    def _forget(self):
        self._marks = []  # the next node's number each time recording began or ended
        self._watched = {}  # id: the tensor, and the edge along which its gradient arrives
        self._overlaps = False  # with another tape, which may need the same part of the graph

    def _give_back(self):
        for tensor in self._borrowed:
            heir = next((tape for tape in _open.tapes if id(tensor) in tape._watched), None)
            if heir is None:
                tensor.requires_grad_(False)
            else:
                heir._borrowed.append(tensor)
        self._borrowed = []

    def _differentiate(self, targets, sources, seeds):
        """Return the gradients of the sum of `targets` weighted with `seeds`; None where unconnected."""
        if not self._marks:
            raise RuntimeError(
                "this tape holds no records: it was never entered, or was asked before; "
                "GradientTape(persistent=True) may be asked more than once"
            )
        if self in _open.tapes and not self._persistent:
            self._stop()
        try:
            return self._pull_back(targets, sources, seeds)
        except RuntimeError as error:
            if "modified by an inplace operation" not in str(error):
                raise
            raise RuntimeError(
                "a variable was assigned to since the tape recorded an operation on it; "
                "take all gradients before assigning"
            ) from error
        finally:
            if not self._persistent:
                self._forget()

    def _pull_back(self, targets, sources, seeds):
        create_graph = _is_recording()
        outputs, weights = [], []
        for target, seed in zip(targets, seeds, strict=True):
            origin = self._origin(target)
            if origin is not None:
                outputs.append(origin)
                weights.append(seed if create_graph else seed.detach())
        origins = [self._origin(source) for source in sources]
        inputs = [origin for origin in origins if origin is not None]
        recorded_all = self._recorded_all(outputs)
        if not inputs or not outputs:
            return [None] * len(sources)
        if recorded_all:
            retain_graph = create_graph or self._persistent or self._overlaps
            gradients = _grad(outputs, inputs, weights, retain_graph, create_graph)
        else:
            with torch.set_grad_enabled(create_graph):
                gradients = _grad_within(self._recorded, outputs, inputs, weights)
        found = iter(gradients)
        return [None if origin is None else next(found) for origin in origins]

    def _origin(self, tensor):
        """Return the tensor, or its edge, to ask torch about; None if it is a constant to this tape."""
        if id(tensor) in self._watched:
            return self._watched[id(tensor)][1]
        if not tensor.requires_grad:
            return None
        if tensor.grad_fn is None:
            return None if _open.tapes and _is_borrowed(tensor) else tensor
        return tensor if self._recorded(tensor.grad_fn) else None

    def _recorded(self, node):
        return bisect(self._marks, node._sequence_nr()) % 2 == 1

    def _recorded_all(self, outputs):
        """Return whether this tape recorded all that the outputs come from; note the leaves there."""
        complete, self._leaves = True, []
        nodes = [_node(output) for output in outputs]
        seen = {None, *nodes}
        for node in nodes:  # the list grows
            edges = node.next_functions
            if not edges:
                self._leaves.append(node)
            elif bisect(self._marks, node._sequence_nr()) % 2 == 0:
                complete = False
                continue
            for child, _ in edges:
                if child not in seen:
                    seen.add(child)
                    nodes.append(child)
        return complete


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
        nested, grad_mode = _is_recording(), torch.is_grad_enabled()
        leaves, structure = optree.tree_flatten(_select(args, argnums))
        _open.transforms += 1
        _set_grad_mode(True)
        try:
            inputs = [_alias(leaf, nested) for leaf in leaves]
            result = fun(*_replace(args, argnums, structure.unflatten(inputs)), **kwargs)
            value = _checked_scalar(result, has_aux)
            gradients = _grad_of_scalar(value, inputs, create_graph=nested)
        finally:
            _set_grad_mode(grad_mode)
            _open.transforms -= 1
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
    # a variable is copied, else the constant would change with it
    return x.detach().clone() if is_variable(x) else x.detach()


# ---------------------------------------------------------------- what records at the moment


class _Open(threading.local):
    """What this thread is recording for: tapes, and calls of `value_and_grad` under way."""

    def __init__(self):
        self.tapes = []
        self.transforms = 0


_open = _Open()


def _is_recording():
    return bool(_open.tapes) or _open.transforms > 0


def _set_grad_mode(mode):
    if mode != torch.is_grad_enabled():  # asking is the cheaper part
        torch.set_grad_enabled(mode)


def _is_borrowed(tensor):
    return any(tensor is other for tape in _open.tapes for other in tape._borrowed)


# ---------------------------------------------------------------- asking torch for gradients


def _grad(outputs, inputs, seeds, retain_graph, create_graph):
    if torch.compiler.is_compiling():
        return torch.autograd.grad(
            outputs, inputs, seeds, retain_graph=retain_graph, create_graph=create_graph, allow_unused=True
        )
    # the engine itself: the Python part of `torch.autograd.grad` takes a tenth of a small step's time
    graph = tuple(outputs), tuple(seeds), retain_graph, create_graph, tuple(inputs)
    # torch's threads for other devices would number the nodes of a new graph by counters of their own
    with torch.autograd.set_multithreading_enabled(False) if create_graph else _NO_CONTEXT:
        return _engine_run_backward(*graph, allow_unreachable=True, accumulate_grad=False)


def _grad_of_scalar(value, inputs, create_graph):
    if not inputs or not value.requires_grad:
        return [torch.zeros_like(tensor) for tensor in inputs]
    gradients = _grad([value], inputs, [torch.ones_like(value)], create_graph, create_graph)
    return _zeros_for_none(gradients, inputs)


def _grad_within(recorded, outputs, inputs, seeds):
    """Do what `torch.autograd.grad` does, but enter no node that is not `recorded`.

    torch cannot be told to pass over such a node, and it cannot enter one whose saved values it has
    freed after an earlier gradient.
    """
    arrived = {}

    def arrive(edge, gradient):
        node, number = edge
        expected = node._input_metadata[number]
        # a node leaves it to its caller to undo broadcasting and a change of dtype
        gradient = gradient.sum_to_size(tuple(expected.shape)).to(expected.dtype)
        arrived[edge] = arrived[edge] + gradient if edge in arrived else gradient

    roots = [_edge(output) for output in outputs]
    wanted = [_edge(source) for source in inputs]
    for edge, seed in zip(roots, seeds, strict=True):
        arrive(edge, seed)
    for node in _consumers_first(roots, set(wanted), recorded):
        gradients = [arrived.get((node, number)) for number in range(len(node._input_metadata))]
        if any(gradient is not None for gradient in gradients):
            for edge, gradient in _call(node, gradients):
                if edge[0] is not None and gradient is not None:
                    arrive(edge, gradient)
    return [arrived.get(edge) for edge in wanted]


def _consumers_first(roots, wanted, recorded):
    """Return the recorded nodes from the roots to the wanted edges, each before those that it leads to."""
    order, seen, needed = [], set(), set()
    pending = [(node, False) for node, _ in roots]
    while pending:
        node, is_finished = pending.pop()
        if is_finished:
            if any(edge in wanted or edge[0] in needed for edge in node.next_functions):
                needed.add(node)
                order.append(node)
        elif node not in seen and recorded(node):
            seen.add(node)
            pending.append((node, True))
            pending.extend((child, False) for child, _ in node.next_functions if child is not None)
    return reversed(order)


def _call(node, gradients):
    """Return what a node makes of the gradients that arrived, each after the edge along which it leaves."""
    if callable(node):
        return zip(node.next_functions, _as_tuple(node(*gradients)), strict=True)
    # The node of a torch.autograd.Function: it expects zeros, not None, and has a result for each argument
    # of the function, but an edge only for each tensor among them.
    gradients = [
        torch.zeros(tuple(like.shape), dtype=like.dtype, device=like.device) if gradient is None else gradient
        for gradient, like in zip(gradients, node._input_metadata, strict=True)
    ]
    results = itertools.compress(_as_tuple(node.apply(*gradients)), node.needs_input_grad)
    return zip([edge for edge in node.next_functions if edge[0] is not None], results, strict=True)


def _as_tuple(results):
    return results if isinstance(results, tuple) else (results,)


def _edge(origin):
    edge = origin if isinstance(origin, GradientEdge) else get_gradient_edge(origin)
    return edge.node, edge.output_nr


def _node(origin):
    return getattr(origin, "grad_fn", None) or _edge(origin)[0]


# ---------------------------------------------------------------- trees and their leaves


def _flatten(tree):
    """Return the tensors of a tree, in which None is no leaf, and its structure."""
    leaves, structure = optree.tree_flatten(tree)
    for leaf in leaves:
        _check_tensor(leaf)
    return leaves, structure


def _tensors(tree):
    """Return the tensors of a tree, in which nothing else may be."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    leaves = optree.tree_leaves(tree, none_is_leaf=True)
    for leaf in leaves:
        _check_tensor(leaf)
    return leaves


def _check_tensor(x):
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"expected torch tensors, got {_kind(x)}")


def _kind(x):
    cls = type(x)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def _check_differentiable(tensor):
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise TypeError(f"expected tensors of real or complex numbers, got {dtype_name(tensor.dtype)}")


def _check_choice(unconnected_gradients):
    if unconnected_gradients not in ("none", "zero"):
        raise ValueError(unknown("unconnected_gradients", unconnected_gradients, ("none", "zero")))


def _seeds(targets, output_gradients):
    if output_gradients is None:
        return [torch.ones_like(target) for target in targets]
    seeds = _tensors(output_gradients)
    if len(seeds) != len(targets):
        raise ValueError(f"expected output_gradients for each of {len(targets)} targets, got {len(seeds)}")
    return seeds


def _zeros_for_none(gradients, tensors):
    return [
        torch.zeros_like(tensor) if gradient is None else gradient
        for gradient, tensor in zip(gradients, tensors, strict=True)
    ]


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


def _alias(leaf, nested):
    """Return a tensor of the same values, known to nobody else, to differentiate by."""
    if isinstance(leaf, (float, np.ndarray, np.generic)):
        leaf = asarray(leaf)
    _check_tensor(leaf)
    _check_differentiable(leaf)
    if nested and leaf.requires_grad:
        return leaf.view_as(leaf)  # connected, for whoever else records
    return leaf.detach().requires_grad_()


def _checked_scalar(result, has_aux):
    """Return the scalar among what a function to differentiate returned."""
    if has_aux:
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"expected a function that returns (value, aux), got {_kind(result)}")
        result = result[0]
    is_tensor = isinstance(result, torch.Tensor)
    if not is_tensor or not result.is_floating_point():
        what = dtype_name(result.dtype) if is_tensor else _kind(result)
        raise TypeError(f"expected a function that returns a tensor of real numbers, got {what}")
    if result.ndim != 0:
        raise ValueError(f"expected a function that returns a scalar, got shape {tuple(result.shape)}")
    return result


def _detached(tree):
    if isinstance(tree, torch.Tensor):
        return tree.detach()
    return optree.tree_map(lambda leaf: leaf.detach() if isinstance(leaf, torch.Tensor) else leaf, tree)
