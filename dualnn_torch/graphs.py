"""Functions of tensors as graphs of ATen operations: noted once, then run without Python between them."""

from __future__ import annotations

import operator
import re

import optree
import torch
from torch._ops import HigherOrderOperator
from torch._subclasses import FakeTensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes,
    _get_current_dispatch_mode,
)
from torch.utils.weak import WeakTensorKeyDictionary

from dualnn_torch.gradient_tape import set_grad_mode
from dualnn_torch.memory import keep_freed_memory
from dualnn_torch.rewriting import rewrite, without_dead_code
from dualnn_torch.variables import Variable

_aten = torch.ops.aten


def record(fun, tensors):
    """Run `fun`, a function of a list of tensors that returns a list of tensors, and note its operations.

    Tensors that it takes from elsewhere are part of the graph by reference.

    Returns:
        The results; a function of tensors that calls the operations again, one after the other, or None if
        they may be others for other values; and in that case the reason.
    """
    keep_freed_memory()
    recorder = _Recorder()
    with torch.no_grad():
        tensors = [tensor.detach() for tensor in tensors]
        for number, tensor in enumerate(tensors):
            recorder.note(tensor, recorder.graph.placeholder(f"input{number}"))
            recorder.varying.add(tensor)
        with _VariablesAsTensors(recorder) as variables, recorder:
            results = fun(tensors)
    if recorder.reason is not None:
        return results, None, recorder.reason
    recorder.graph.output([recorder.node_of(result) for result in results])
    recorder.varying.update(results)  # what somebody is given is theirs to change
    recorder.make_constants()
    rewrite(recorder.graph)
    try:
        run = _calls(recorder.graph, recorder.constants)
    except (SyntaxError, NameError) as error:  # an argument that is neither tensor nor plain Python
        return results, None, str(error)
    run.variables, run.checked = variables.addresses(), Variable.changes_of_memory
    return results, run, None


def is_outdated(run):
    """Return whether a variable that the graph takes has got other memory, by ``p.data = ...``."""
    if getattr(run, "checked", None) in (None, Variable.changes_of_memory):
        return False
    run.checked = Variable.changes_of_memory
    return any(variable.data_ptr() != address for variable, address in run.variables)


def holds_gradients():
    """Return whether a graph is being made at the moment, with the operations of gradients in it."""
    mode = _get_current_dispatch_mode()
    return mode is not None and torch.is_grad_enabled()


def has_values(x, /):
    """Return whether Python may look at the numbers of a tensor now, and not while a function is compiled.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.has_values(nn.zeros(3))
    True
    """
    return not (
        torch.compiler.is_compiling()
        or isinstance(_get_current_dispatch_mode(), _Recorder)
        or isinstance(x, FakeTensor)
        or torch._C._functorch.is_functorch_wrapped_tensor(x)
    )


class _Recorder(TorchDispatchMode):
    """Notes each operation that runs, the backward pass's included.

    The tracers of torch do so without values, for which they import most of torch's compiler: a second, that
    short runs would not get back.

    Attributes:
        graph: what was noted.
        nodes: the nodes of the tensors that the operations made.
        varying: the tensors whose values may be others at the next call.
        constants: the tensors from elsewhere, by their names in the graph.
        made: the nodes of tensors that are made of numbers alone, with the tensors.
        reason: why the operations may be others the next time, or None.
    """

    def __init__(self):
        super().__init__()
        self.graph, self.constants = torch.fx.Graph(), {}
        self.nodes, self.varying = WeakTensorKeyDictionary(), _Varying()
        self.made = {}
        self.reason = None

    supports_higher_order_operators = True

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # torch would import its compiler, so that it leaves this class alone

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(func, HigherOrderOperator):
            self.refuse("it calls a higher-order operator")
            return result
        # such as a group of processes, or work to wait for
        if any(isinstance(x, torch.ScriptObject) for x in optree.tree_leaves((args, kwargs, result))):
            self.refuse(f"{func} works on other objects than tensors")
            return result
        given = [] if func in _LOOKS_AT_SHAPES_ALONE else _tensors_in((args, kwargs))
        self.varying.update(_written_to(func, args, kwargs) if given else ())
        if any(tensor in self.varying for tensor in given) or torch.Tag.nondeterministic_seeded in func.tags:
            if torch.Tag.data_dependent_output in func.tags:
                self.refuse(f"it looks at the values of a tensor ({func})")
            elif _has_size_from_values(func, args):
                self.refuse(SIZES_FROM_VALUES)
            self.varying.update(_tensors_in(result))
        if func is _aten.lift_fresh.default:  # what was made of a list is new at each call
            copy = result.clone()
            self.note(result, self.graph.call_function(_aten.clone.default, (self.node_of(copy),)), True)
        elif func is _aten.detach.default:  # nobody differentiates through a graph
            if args[0] in self.nodes:
                self.nodes[result] = self.nodes[args[0]]
        elif not given or not func.is_view or any(tensor in self.nodes for tensor in given):
            self._note_call(func, args, kwargs, result, given)  # else a view of a constant, which is one, too
        return result

    def refuse(self, reason):
        """Note that there is no graph, and why."""
        self.reason = self.reason or reason

    def node_of(self, leaf):
        """Return the node of a tensor, and everything else as it is."""
        if not isinstance(leaf, torch.Tensor):
            return leaf
        if leaf not in self.nodes:
            self.nodes[leaf] = self._constant(leaf)
        return self.nodes[leaf]

    def note(self, tensor, node, is_made=False):
        """Note which node a tensor comes from, and whether it is made of numbers alone."""
        self.nodes[tensor], node.meta["shape"] = node, tensor.shape
        node.meta["is_contiguous"] = tensor.is_contiguous()
        if is_made and tensor.nbytes <= MOST_BYTES_MADE:
            self.made[node] = tensor

    def make_constants(self):
        """Put what is made of numbers alone in the graph as it is: it need not be made again at each call."""
        for node, tensor in self.made.items():
            if tensor not in self.varying:
                with self.graph.inserting_before(node):
                    constant = self._constant(tensor)
                node.replace_all_uses_with(constant)

    def _constant(self, tensor):
        name = f"constant{len(self.constants)}"
        self.constants[name] = tensor
        node = self.graph.get_attr(name)
        node.meta["shape"] = tensor.shape
        return node

    def _note_call(self, func, args, kwargs, result, given):
        nodes = optree.tree_map(self.node_of, (args, kwargs), none_is_leaf=True)
        node = self.graph.call_function(func, *nodes)
        is_made = all(self.nodes[tensor] in self.made for tensor in given)
        if isinstance(result, torch.Tensor):
            if not any(result is arg for arg in args):  # what was changed in place keeps its name
                self.note(result, node, is_made)
        elif isinstance(result, (tuple, list)):
            for number, part in enumerate(result):
                if isinstance(part, torch.Tensor) and part not in self.nodes:
                    self.note(part, self.graph.call_function(operator.getitem, (node, number)), is_made)


MOST_BYTES_MADE = 2**20  # of a tensor that is kept instead of being made again
_LOOKS_AT_SHAPES_ALONE = {_aten.zeros_like.default, _aten.ones_like.default, _aten.full_like.default}


class _Varying:
    """A set of tensors, in which are all views of the memory of those that were added."""

    def __init__(self):
        self._storages = {}

    def add(self, tensor):
        """Add a tensor; one without memory of its own, such as a sparse one, is taken to be there anyway."""
        storage = _storage_of(tensor)
        if storage is not None:
            self._storages[storage._cdata] = StorageWeakRef(storage)  # no other one gets its address now

    def update(self, tensors):
        """Add tensors."""
        for tensor in tensors:
            self.add(tensor)

    def __contains__(self, tensor):
        storage = _storage_of(tensor)
        # not dualnn's variables alone: any parameter is there to be changed
        return storage is None or isinstance(tensor, torch.nn.Parameter) or storage._cdata in self._storages


def _storage_of(tensor):
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return None


def _tensors_in(tree):
    return [leaf for leaf in optree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _written_to(func, args, kwargs):
    """Return the tensors that an operation changes in place: a counter of somebody's, for example."""
    if not func._schema.is_mutable:
        return []
    parameters = func._schema.arguments
    pairs = [*zip(parameters, args, strict=False), *((one, kwargs.get(one.name)) for one in parameters)]
    return _tensors_in([arg for about, arg in pairs if about.alias_info and about.alias_info.is_write])


SIZES_FROM_VALUES = "the size of a tensor depends on the values of another"


def _has_size_from_values(func, args):
    if func is _aten.index.Tensor:
        return any(isinstance(i, torch.Tensor) and i.dtype in (torch.bool, torch.uint8) for i in args[1])
    return torch.Tag.dynamic_output_shape in func.tags


def trace(fun, leaves):
    """Return the graph of `fun`, a function of a list of tensors that returns a list of tensors.

    It is for torch's compiler, which imports much anyway, so the function runs on tensors without values, and
    whatever asks for a value raises an error. Tensors from elsewhere are part of the graph by reference.
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
    without_dead_code(graph)
    for node in graph.find_nodes(op="get_attr"):
        setattr(traced, node.target, _with_value(getattr(traced, node.target), leaves))
    traced.recompile()
    return traced


def as_machine_code(traced, leaves):
    """Return a function of tensors that does the same in kernels which inductor has compiled for it."""
    import torch._inductor
    from torch._inductor import config

    # numbers that a layer draws from torch's own generator are to be those of the other engines
    with config.patch(cpp_wrapper=True, fallback_random=True), torch.no_grad():
        compiled = torch._inductor.compile(traced, [leaf.detach() for leaf in leaves])

    return torch.no_grad()(compiled)


def _with_value(constant, leaves):
    if constant._is_zerotensor():  # a gradient that is 0 everywhere: the tracer knows no such operation
        return torch.zeros(constant.shape, dtype=constant.dtype, device=leaves[0].device)
    if constant.is_meta or isinstance(constant, FakeTensor):
        raise RuntimeError("a tensor that was made while the graph was traced is no operation of it")
    return constant


def as_python(traced):
    """Return a function of tensors that calls the operations that `trace` found, one after the other."""
    constants = {node.target: getattr(traced, node.target) for node in traced.graph.find_nodes(op="get_attr")}
    return _calls(traced.graph, constants)


def _calls(graph, constants):
    code = graph.python_code(root_module="self")
    names = {**code.globals, **{f"the_{name}": constant for name, constant in constants.items()}}

    def operation(match):
        # a global name, in place of the attributes to look up at each call
        name = "_".join(match.groups())
        found = getattr(getattr(getattr(torch.ops, match[1]), match[2]), match[3])
        names[name] = _BINDINGS.get(found, found._op)
        return name

    source = re.sub(r"\btorch\.ops\.(\w+)\.(\w+)\.(\w+)\b", operation, code.src)
    exec(re.sub(r"(?<== )self\.(\w+)", r"the_\1", source), names)
    forward = names["forward"]

    def run(*tensors):
        before = torch.is_grad_enabled()
        set_grad_mode(False)  # torch.no_grad() takes as long as an operation
        try:
            return forward(None, *tensors)
        finally:
            set_grad_mode(before)

    return run


_BINDINGS = {
    _aten.add.Tensor: torch.add,
    _aten.addmm.default: torch.addmm,
    _aten.bmm.default: torch.bmm,
    _aten.clone.default: torch.clone,
    _aten.convolution.default: torch.convolution,
    _aten.div.Tensor: torch.div,
    _aten.mm.default: torch.mm,
    _aten.mul.Tensor: torch.mul,
    _aten.native_batch_norm.default: torch.native_batch_norm,
    _aten.native_layer_norm.default: torch.native_layer_norm,
    _aten.permute.default: torch.permute,
    _aten.relu.default: torch.relu,
    _aten.relu_.default: torch.relu_,
    _aten.sigmoid.default: torch.sigmoid,
    _aten.sub.Tensor: torch.sub,
    _aten.t.default: torch.t,
    _aten.tanh.default: torch.tanh,
    _aten.view.default: torch.Tensor.view,
}
"""The functions that Python has for operations, which take the same arguments in half a microsecond less."""


_TRAINS = torch.Tensor.requires_grad.__get__
_TAKES_OUT = {torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.__array__, torch.Tensor.__dlpack__}
_LOOKS_INSIDE = {
    *(torch.tensor, torch.as_tensor, torch.asarray, torch.Tensor.new_tensor),
    *(torch.tensor_split, torch.Tensor.tensor_split),
}
"""Functions that read the numbers of tensors in lists, or of further arguments, without an operation."""


class _VariablesAsTensors(TorchFunctionMode):
    """Hands operations the plain tensor behind a variable: tracers know no classes of others.

    Args:
        recorder: is told of values that are read without an operation.
    """

    def __init__(self, recorder=None):
        super().__init__()
        self._tensors, self._recorder = {}, recorder

    def addresses(self):
        """Return the variables that were met, and where their values are."""
        return [(variable, tensor.data_ptr()) for variable, tensor in self._tensors.values()]

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func == _TRAINS:  # the tensor behind it does not say
            return func(*args)
        args, kwargs = optree.tree_map(self._plain, (args, kwargs or {}))
        if self._recorder is not None and func in _TAKES_OUT | _LOOKS_INSIDE:
            # what is a tensor itself goes through an operation there, which is noted
            first = () if func in _LOOKS_INSIDE and isinstance(args[0], torch.Tensor) else args[:1]
            if any(tensor in self._recorder.varying for tensor in _tensors_in((first, args[1:], kwargs))):
                self._recorder.refuse("it takes numbers out of a tensor")
        return func(*args, **kwargs)

    def _plain(self, leaf):
        if type(leaf) is not Variable:
            return leaf
        if id(leaf) not in self._tensors:
            with _disable_current_modes():  # it is a tensor that is there already, no step of the graph
                self._tensors[id(leaf)] = leaf, leaf.detach()
            if self._recorder is not None:
                self._recorder.varying.add(leaf)
        return self._tensors[id(leaf)][1]
