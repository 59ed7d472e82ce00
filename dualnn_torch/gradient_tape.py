"""The gradient tape, on `torch.autograd`.

torch records every operation on a tensor that requires a gradient, at all times. A tape, as TensorFlow
means it, records while it is open; what came before or after is a constant. The nodes of torch's graph
are numbered in the order in which their thread made them, so a tape here is a list of such numbers:
recording began, ended, began again. To ask a tape is to ask torch, unless the graph reaches back
beyond these numbers.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from bisect import bisect

import torch
from torch.autograd.graph import GradientEdge, get_gradient_edge

from dualnn.names import unknown
from dualnn_torch.differentiable import check_differentiable, check_tensor, flatten, tensor_leaves
from dualnn_torch.variables import is_variable

_next_number = torch._C._autograd._get_sequence_nr
_run_backward = torch.autograd.Variable._execution_engine.run_backward
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
        if self in recording_now.tapes:
            self._stop()
        self._give_back()

    def watch(self, tensor):
        """Record what is computed from a tensor, or from each tensor of a tree, from here on.

        Raises:
            TypeError: not a torch tensor, or a tensor of integers or booleans.
            RuntimeError: this tape is not recording.
        """
        self._check_recording("watch a tensor")
        for leaf in tensor_leaves(tensor):
            check_differentiable(leaf)
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
        targets = tensor_leaves(target)
        tensors, structure = flatten(sources)
        seeds = _seeds(targets, output_gradients)
        _check_choice(unconnected_gradients)
        gradients = self._differentiate(targets, tensors, seeds)
        if unconnected_gradients == "zero":
            gradients = zeros_for_none(gradients, tensors)
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
        check_tensor(target)
        tensors, structure = flatten(sources)
        _check_choice(unconnected_gradients)
        connected = []

        def row(seed):
            gradients = self._differentiate([target], tensors, [seed])
            connected[:] = [gradient is not None for gradient in gradients]
            return zeros_for_none(gradients, tensors)

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
            with torch.set_grad_enabled(is_recording()):
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
        if self not in recording_now.tapes:
            raise RuntimeError(f"a tape that is not recording cannot {what}; do so inside its `with` block")

    def _start(self):
        if self in recording_now.tapes:
            raise ValueError("this tape is still recording, so it cannot be entered again")
        self._overlaps |= is_recording()
        for tape in recording_now.tapes:
            tape._overlaps = True
        recording_now.tapes.append(self)
        self._marks.append(_next_number())
        self._grad_mode = torch.is_grad_enabled()
        set_grad_mode(True)

    def _stop(self):
        recording_now.tapes.remove(self)
        self._marks.append(_next_number())
        set_grad_mode(self._grad_mode)

    def _forget(self):
        self._marks = []  # the next node's number each time recording began or ended
        self._watched = {}  # id: the tensor, and the edge along which its gradient arrives
        self._overlaps = False  # with another tape, which may need the same part of the graph

    def _give_back(self):
        for tensor in self._borrowed:
            heir = next((tape for tape in recording_now.tapes if id(tensor) in tape._watched), None)
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
        if self in recording_now.tapes and not self._persistent:
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
        create_graph = is_recording()
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
            gradients = native_grad(outputs, inputs, weights, retain_graph, create_graph)
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
            return None if recording_now.tapes and _is_borrowed(tensor) else tensor
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


# ---------------------------------------------------------------- what records at the moment


class _Open(threading.local):
    """What this thread is recording for: tapes, and calls of `value_and_grad` under way."""

    def __init__(self):
        self.tapes = []
        self.transforms = 0


recording_now = _Open()


def is_recording():
    """Whether this thread is recording, for a tape or for a transform."""
    return bool(recording_now.tapes) or recording_now.transforms > 0


def set_grad_mode(mode):
    """Switch torch's recording on or off."""
    if mode != torch.is_grad_enabled():  # asking is the cheaper part
        torch._C._set_grad_enabled(mode)  # what the class around it does, in a third of the time


def _is_borrowed(tensor):
    return any(tensor is other for tape in recording_now.tapes for other in tape._borrowed)


# ---------------------------------------------------------------- asking torch for gradients


def native_grad(outputs, inputs, seeds, retain_graph, create_graph):
    """Return what `torch.autograd.grad` does; None where an input is not connected."""
    if torch.compiler.is_compiling():
        return torch.autograd.grad(
            outputs, inputs, seeds, retain_graph=retain_graph, create_graph=create_graph, allow_unused=True
        )
    # the engine itself: the Python around it takes a tenth of a small step's time
    graph = tuple(outputs), tuple(seeds), retain_graph, create_graph, tuple(inputs)
    # torch's threads for other devices would number the nodes of a new graph by counters of their own
    with torch.autograd.set_multithreading_enabled(False) if create_graph else _NO_CONTEXT:
        return _run_backward(*graph, allow_unreachable=True, accumulate_grad=False)


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


# ---------------------------------------------------------------- targets and gradients


def _check_choice(unconnected_gradients):
    if unconnected_gradients not in ("none", "zero"):
        raise ValueError(unknown("unconnected_gradients", unconnected_gradients, ("none", "zero")))


def _seeds(targets, output_gradients):
    if output_gradients is None:
        return [torch.ones_like(target) for target in targets]
    seeds = tensor_leaves(output_gradients)
    if len(seeds) != len(targets):
        raise ValueError(f"expected output_gradients for each of {len(targets)} targets, got {len(seeds)}")
    return seeds


def zeros_for_none(gradients, tensors):
    """Return the gradients, with zeros for those of unconnected tensors."""
    return [
        torch.zeros_like(tensor) if gradient is None else gradient
        for gradient, tensor in zip(gradients, tensors, strict=True)
    ]
