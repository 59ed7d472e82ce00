"""Functions of tensors as graphs of ATen operations: traced once, then run without Python between them."""

from __future__ import annotations

import re

import optree
import torch
from torch._subclasses import FakeTensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from dualnn_torch.gradient_tape import set_grad_mode
from dualnn_torch.variables import Variable


def trace(fun, leaves):
    """Return the graph of `fun`, a function of a list of tensors that returns a list of tensors.

    The function runs once on tensors without values, so whatever asks for a value raises an error.
    Tensors that it takes from elsewhere are part of the graph by reference.
    """
    from torch.fx.experimental.proxy_tensor import (
        make_fx,
    )  # takes most of a second, for many programs in vain

    with torch.no_grad():
        leaves = [leaf.detach() for leaf in leaves]

        def flat(*leaves):
            with _VariablesAsTensors():
                return fun(leaves)

        traced = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)(*leaves)
    graph = traced.graph
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.detach.default):
        node.replace_all_uses_with(node.args[0])  # nobody differentiates through a graph
        graph.erase_node(node)
    graph.eliminate_dead_code()
    for node in graph.find_nodes(op="get_attr"):
        setattr(traced, node.target, _with_value(getattr(traced, node.target), leaves))
    traced.recompile()
    return traced


def _with_value(constant, leaves):
    if constant._is_zerotensor():  # a gradient that is 0 everywhere: the tracer knows no such operation
        return torch.zeros(constant.shape, dtype=constant.dtype, device=leaves[0].device)
    if constant.is_meta or isinstance(constant, FakeTensor):
        raise RuntimeError("a tensor that was made while the graph was traced is no operation of it")
    return constant


def as_python(traced):
    """Return a function of tensors that calls the graph's operations one after the other."""
    code = traced.graph.python_code(root_module="self")
    names = dict(code.globals)

    def operation(match):
        # a global name, in place of the attributes to look up at each call
        name = "_".join(match.groups())
        names[name] = getattr(getattr(getattr(torch.ops, match[1]), match[2]), match[3])
        return name

    def constant(match):
        name = f"constant{match[1]}"
        names[name] = getattr(traced, match[1])
        return name

    source = re.sub(r"\btorch\.ops\.(\w+)\.(\w+)\.(\w+)\b", operation, code.src)
    exec(re.sub(r"(?<== )self\.(\w+)", constant, source), names)
    forward = names["forward"]

    def run(*tensors):
        before = torch.is_grad_enabled()
        set_grad_mode(False)  # torch.no_grad() takes as long as an operation
        try:
            return forward(None, *tensors)
        finally:
            set_grad_mode(before)

    return run


def as_machine_code(traced, leaves):
    """Return a function of tensors that does the same in kernels which inductor has compiled for it."""
    import torch._inductor
    from torch._inductor import config

    # numbers that a layer draws from torch's own generator are to be those of the other engines
    with config.patch(cpp_wrapper=True, fallback_random=True), torch.no_grad():
        compiled = torch._inductor.compile(traced, [leaf.detach() for leaf in leaves])

    return torch.no_grad()(compiled)


def in_place(fun, count):
    """Return `fun` with its first `count` results copied into the first `count` tensors that it is given."""

    def changed(leaves):
        for old, new in zip(leaves[:count], fun(leaves), strict=True):
            if new is not old:
                old.copy_(new)
        return []

    return changed


_TRAINS = torch.Tensor.requires_grad.__get__


class _VariablesAsTensors(TorchFunctionMode):
    """Hands operations the plain tensor behind a variable: tracers know no classes of others."""

    def __init__(self):
        super().__init__()
        self._tensors = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func == _TRAINS:  # the tensor behind it does not say
            return func(*args)
        args, kwargs = optree.tree_map(self._plain, (args, kwargs or {}))
        return func(*args, **kwargs)

    def _plain(self, leaf):
        if type(leaf) is not Variable:
            return leaf
        if id(leaf) not in self._tensors:
            with _disable_current_modes():  # it is a tensor that is there already, no step of the graph
                self._tensors[id(leaf)] = leaf.detach()
        return self._tensors[id(leaf)]
