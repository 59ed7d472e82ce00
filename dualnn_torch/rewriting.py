"""Rewriting graphs of ATen operations: the same bits in fewer calls and less memory."""

from __future__ import annotations

import operator

import torch
from torch._ops import OpOverload

_aten = torch.ops.aten


def rewrite(graph):
    """Change a graph whose nodes know of their tensors ``node.meta["shape"]`` and ``["is_contiguous"]``."""
    called = [node.target for node in graph.nodes if isinstance(node.target, OpOverload)]
    if not any(torch.Tag.inplace_view in target.tags for target in called):  # else shapes change in between
        for node in graph.nodes:
            _rearrange_after(graph, node)
            _view_after_sum(graph, node)
            _view_after_normalization(graph, node)
            _rearrange_once(graph, node)
    if not any(target._schema.is_mutable for target in called):
        for node in graph.nodes:
            _take_what_was_stacked(node)
    without_dead_code(graph)
    for node in graph.nodes:
        _write_over_what_was_read(node)


def without_dead_code(graph):
    """Take out of a graph what nobody uses, but for operations that do more than return a result."""
    graph.eliminate_dead_code(_has_effects)


def _has_effects(node):
    """Return whether an operation counts even if nobody uses what it returns.

    It may write to what it is given, return nothing, or draw random numbers. Of operations that are not
    PyTorch's own arithmetic, schemas do not tell: `wait_tensor` of collectives returns what it was given.
    """
    if not isinstance(node.target, OpOverload):
        return node.is_impure()
    schema = node.target._schema
    return (
        node.is_impure()
        or node.target.namespace not in _ARITHMETIC
        or schema.is_mutable
        or not schema.returns
        or torch.Tag.nondeterministic_seeded in node.target.tags
    )


_ARITHMETIC = {"aten", "prims"}
"""The namespaces whose operations say in their schemas all that they do."""
_IN_PLACE = {_aten.relu.default: _aten.relu_.default}
"""What does the same to each element, and how it does so in the memory of what it is given."""
_REARRANGES = {_aten.permute.default, _aten.view.default}
_SAME_ELEMENTS = {
    *_REARRANGES,
    *(_aten._unsafe_view.default, _aten.t.default, _aten.transpose.int, _aten.unsqueeze.default),
}


def _rearrange_after(graph, node):
    """Do what is the same for each element before axes are rearranged: the next layer may put them back."""
    if node.target not in _IN_PLACE or node.args[0].target not in _REARRANGES:
        return
    rearranged = node.args[0]
    if len(rearranged.users) > 1:
        return
    source, how = rearranged.args
    with graph.inserting_before(node):
        done = graph.call_function(node.target, (source, *node.args[1:]))
    done.meta["shape"] = source.meta["shape"]
    node.target, node.args = rearranged.target, (done, how)
    graph.erase_node(rearranged)


def _view_after_sum(graph, node):
    """Add two tensors as they were before each was given the same other shape."""
    if node.target is not _aten.add.Tensor or not all(map(_is_view_of_contiguous, node.args)):
        return
    (source, how), (other, _) = (view.args for view in node.args)
    shapes, shapes_before = ({one.meta["shape"] for one in pair} for pair in (node.args, (source, other)))
    if len(shapes) == len(shapes_before) == 1:  # else one of them is broadcast
        with graph.inserting_before(node):
            done = graph.call_function(node.target, (source, other), node.kwargs)
        _make_view_of(graph, node, done, source, how)


def _view_after_normalization(graph, node):
    """Normalize the last axes of a tensor as it was before its first axes were given another shape."""
    norm = node.args[0] if node.target is operator.getitem and node.args[1] == 0 else None
    if norm is None or norm.target is not _aten.native_layer_norm.default:
        return
    view, axes, *rest = norm.args
    is_all = all(user is node or not user.users for user in norm.users)  # nobody wants the mean or deviation
    if not is_all or not _is_view_of_contiguous(view):
        return
    source, how = view.args
    if list(source.meta["shape"][-len(axes) :]) == list(axes):
        with graph.inserting_before(node):
            normalized = graph.call_function(norm.target, (source, axes, *rest), norm.kwargs)
            done = graph.call_function(operator.getitem, (normalized, 0))
        _make_view_of(graph, node, done, source, how)


def _is_view_of_contiguous(node):
    is_view = isinstance(node, torch.fx.Node) and node.target is _aten.view.default
    return is_view and node.args[0].meta.get("is_contiguous", False)


def _make_view_of(graph, node, done, source, how):
    """Make a node a view of what is done now instead, with the shape of a source, and like that in memory."""
    views = node.args
    done.meta.update(source.meta)
    node.target, node.args, node.kwargs = _aten.view.default, (done, how), {}
    for view in dict.fromkeys(views):
        if isinstance(view, torch.fx.Node) and not view.users:
            graph.erase_node(view)


def _rearrange_once(graph, node):
    """Put two rearrangements of axes in one, or in none if the second undoes the first."""
    if node.target not in _REARRANGES:
        return
    before, how = node.args
    if before.target is node.target:
        source, first = before.args
        if node.target is _aten.permute.default:
            how = [first[axis] for axis in how]
        node.args = source, how
    source, how = node.args
    if node.target is _aten.permute.default:
        is_nothing = [axis % len(how) for axis in how] == list(range(len(how)))
    else:
        is_nothing = source.meta["shape"] == node.meta["shape"]
    if is_nothing:
        node.replace_all_uses_with(source)
        graph.erase_node(node)


def _take_what_was_stacked(node):
    """Take a tensor itself where it was stacked with others, and then selected again."""
    if node.target is _aten.select.int and node.args[0].target is _aten.stack.default:
        stacked, axis, number = node.args
        parts, *along = stacked.args
        is_there = axis == (along[0] if along else 0) and number < len(parts)
        # a contiguous one, which has all views that the other had
        if is_there and parts[number].meta.get("is_contiguous") and _is_of_the_graph_alone(parts[number]):
            node.replace_all_uses_with(parts[number])


def _write_over_what_was_read(node):
    """Put a result where its only input was, if nobody else reads that: new memory takes longer to get."""
    if node.target in _IN_PLACE and _is_of_the_graph_alone(node.args[0]):
        node.target = _IN_PLACE[node.target]


def _is_of_the_graph_alone(node):
    while len(node.users) == 1 and node.target in _SAME_ELEMENTS:
        node = node.args[0]
    return len(node.users) == 1 and node.op == "call_function" and _makes_new(node)


def _makes_new(node):
    """Return whether all results of an operation have memory of their own."""
    if node.target is operator.getitem:
        node = node.args[0]
    is_told = isinstance(node.target, OpOverload) and node.target.namespace in _ARITHMETIC
    return is_told and all(result.alias_info is None for result in node.target._schema.returns)
