"""The graph of layers between symbolic inputs and outputs: a model in the functional form."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from dualnn.layers.layer import Layer
from dualnn.layers.symbolic import SymbolicTensor, conformed, ordered
from dualnn.protocol import Backend
from dualnn.saving.configs import Reference

_OPERATORS = {
    function.__name__: function
    for function in (
        *(operator.add, operator.sub, operator.mul, operator.truediv, operator.pow),
        *(operator.matmul, operator.neg, operator.getitem),
    )
}
"""What `SymbolicTensor` does beside calling layers."""


class Graph:
    """What computes the outputs from the inputs.

    Args:
        inputs: one `dualnn.Input`, or a list or a dictionary of them.
        outputs: what layers made of them: one symbolic tensor, or a list or a dictionary.

    Attributes:
        layers: the layers, each after those whose outputs it needs; a shared one stands there once.

    Raises:
        TypeError: something that is not symbolic.
        ValueError: the outputs depend on an input that is not among the inputs.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        for x in (*_flat(inputs), *_flat(outputs)):
            if not isinstance(x, SymbolicTensor):
                raise TypeError(f"expected dn.Input and what layers make of it, got {type(x).__name__}")
        self.inputs, self.outputs = inputs, outputs
        self._nodes = ordered(outputs)
        given = {id(x) for x in _flat(inputs)}
        for node in self._nodes:
            if node.function is None and id(node) not in given:
                raise ValueError(f"the outputs depend on {node}, which is not among the model's inputs")
        layers = [node.function for node in self._nodes if isinstance(node.function, Layer)]
        self.layers: list[Layer] = list({id(layer): layer for layer in layers}.values())

    def __call__(self, nn: Backend, model: str, x: Any) -> Any:
        """Compute the outputs, every layer's output once; `model` is the name for errors."""
        values = {
            id(node): conformed(nn, model, node, value)
            for node, value in zip(_flat(self.inputs), self._given(x), strict=True)
        }
        for node in self._nodes:
            if id(node) not in values:
                values[id(node)] = node.computed(values)
        return _map(lambda node: values[id(node)], self.outputs)

    @property
    def has_layers_only(self) -> bool:
        """Whether nothing but layers computes, no operator or index."""
        return all(node.function is None or isinstance(node.function, Layer) for node in self._nodes)

    def output_shape(self) -> Any:
        """Return the outputs' shapes."""
        return _map(lambda node: node.shape, self.outputs)

    def output_names(self) -> list[str] | None:
        """Return the names of the layers that several outputs come from; None for one output."""
        if not isinstance(self.outputs, list | tuple):
            return None
        names: list[str] = []
        for i, node in enumerate(self.outputs):
            name = node.function.name if isinstance(node.function, Layer) else f"output_{i}"
            number = sum(other == name or other.startswith(f"{name}_") for other in names)
            names.append(f"{name}_{number}" if number else name)
        return names

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` makes an equal graph of: a list of nodes, which refer to those before."""
        nodes = list({id(node): node for node in (*_flat(self.inputs), *self._nodes)}.values())
        numbers = {id(node): Reference(number) for number, node in enumerate(nodes)}

        def referring(x: Any) -> Any:
            return _replaced(x, SymbolicTensor, lambda node: numbers[id(node)])

        return {
            "nodes": [
                {
                    "function": f if f is None or isinstance(f, Layer) else f.__name__,
                    "args": referring(list(node.args)),
                    "kwargs": referring(node.kwargs),
                    **input_config(node),
                }
                for node in nodes
                for f in [node.function]
            ],
            "inputs": referring(self.inputs),
            "outputs": referring(self.outputs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Graph:
        """Return the graph that `get_config` described; no layer is called.

        Raises:
            ValueError: it is no such description, or refers to a node that does not come before.
        """
        nodes: list[SymbolicTensor] = []

        def node(reference: Reference) -> SymbolicTensor:
            if reference.number >= len(nodes):
                raise ValueError(
                    f"node {len(nodes)} refers to node {reference.number}, which does not come before"
                )
            return nodes[reference.number]

        def resolved(x: Any) -> Any:
            return _replaced(x, Reference, node)

        for one in config["nodes"]:
            function = one["function"]
            if isinstance(function, str) and function in _OPERATORS:
                function = _OPERATORS[function]
            elif not (function is None or isinstance(function, Layer)):
                raise ValueError(f"expected a layer or one of {', '.join(_OPERATORS)}, got {function!r:.80}")
            args, kwargs = resolved(tuple(one["args"])), resolved(one["kwargs"])
            nodes.append(_symbolic(function, args, kwargs, one["shape"], one["dtype"], one["name"]))
        return cls(resolved(config["inputs"]), resolved(config["outputs"]))

    def _given(self, x: Any) -> list[Any]:
        if isinstance(x, dict) and not isinstance(self.inputs, dict):
            named = {node.name: node for node in _flat(self.inputs)}
            if None in named or set(named) != set(x):
                raise ValueError(
                    f"expected a dictionary of the inputs {list(named)} by name, got {sorted(x)}; "
                    f"inputs are named by dn.Input(shape, name=...)"
                )
            return [x[name] for name in named]
        if isinstance(self.inputs, dict):
            if not isinstance(x, dict) or set(x) != set(self.inputs):
                got = sorted(x) if isinstance(x, dict) else type(x).__name__
                raise ValueError(f"expected a dictionary of the inputs {sorted(self.inputs)}, got {got}")
            return [x[key] for key in self.inputs]
        if isinstance(self.inputs, list | tuple):
            if not isinstance(x, list | tuple) or len(x) != len(self.inputs):
                got = f"{len(x)}" if isinstance(x, list | tuple) else type(x).__name__
                raise ValueError(f"expected a list of {len(self.inputs)} inputs, got {got}")
            return list(x)
        return [x]


def input_config(declared: SymbolicTensor) -> dict[str, Any]:
    """Return the description of a model's input, with its shape, dtype and name."""
    return {"shape": declared.shape, "dtype": declared.dtype, "name": declared.name}


def input_from(config: dict[str, Any]) -> SymbolicTensor:
    """Return the input that `input_config` described.

    Raises:
        ValueError: it is no such description.
    """
    return _symbolic(None, (), {}, config["shape"] or (), config["dtype"], config["name"])


def _symbolic(function: Any, args: Any, kwargs: Any, shape: Any, dtype: Any, name: Any) -> SymbolicTensor:
    """Return a symbolic tensor whose shape, dtype and name come from a file, and so are checked."""
    sizes = isinstance(shape, tuple) and all(n is None or (type(n) is int and 0 <= n < 2**63) for n in shape)
    if not sizes and shape is not None:
        raise ValueError(f"expected a shape of whole numbers and None, got {shape!r:.80}")
    if not isinstance(dtype, str | None) or not isinstance(name, str | None):
        raise ValueError(f"expected a dtype and a name, or None, got {dtype!r:.80} and {name!r:.80}")
    return SymbolicTensor(function, args, kwargs, shape, dtype, name)


def _replaced(x: Any, kind: type[Any], function: Callable[[Any], Any]) -> Any:
    if isinstance(x, kind):
        return function(x)
    if isinstance(x, list | tuple):
        return type(x)(_replaced(item, kind, function) for item in x)
    if isinstance(x, dict):
        return {key: _replaced(item, kind, function) for key, item in x.items()}
    return x


def _flat(x: Any) -> list[Any]:
    if isinstance(x, dict):
        return list(x.values())
    return list(x) if isinstance(x, list | tuple) else [x]


def _map(function: Callable[[SymbolicTensor], Any], x: Any) -> Any:
    if isinstance(x, dict):
        return {key: function(item) for key, item in x.items()}
    return [function(item) for item in x] if isinstance(x, list | tuple) else function(x)
