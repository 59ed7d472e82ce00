"""The graph of layers between symbolic inputs and outputs: a model in the functional form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dualnn.layers.layer import Layer
from dualnn.layers.symbolic import SymbolicTensor, conformed
from dualnn.protocol import Backend


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
        nodes = list(_nodes(outputs))
        given = {id(x) for x in _flat(inputs)}
        for node in nodes:
            if node.function is None and id(node) not in given:
                raise ValueError(f"the outputs depend on {node}, which is not among the model's inputs")
        layers = [node.function for node in nodes if isinstance(node.function, Layer)]
        self.layers: list[Layer] = list({id(layer): layer for layer in layers}.values())

    def __call__(self, nn: Backend, model: str, x: Any) -> Any:
        """Compute the outputs, every layer's output once; `model` is the name for errors."""
        values = {
            id(node): conformed(nn, model, node, value)
            for node, value in zip(_flat(self.inputs), self._given(x), strict=True)
        }
        return _map(lambda node: node.evaluate(values), self.outputs)

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


def _flat(x: Any) -> list[Any]:
    if isinstance(x, dict):
        return list(x.values())
    return list(x) if isinstance(x, list | tuple) else [x]


def _map(function: Callable[[SymbolicTensor], Any], x: Any) -> Any:
    if isinstance(x, dict):
        return {key: function(item) for key, item in x.items()}
    return [function(item) for item in x] if isinstance(x, list | tuple) else function(x)


def _nodes(outputs: Any, seen: set[int] | None = None) -> Iterator[SymbolicTensor]:
    # every node after the nodes it is made of
    seen = set() if seen is None else seen
    if isinstance(outputs, dict | list | tuple):
        for item in _flat(outputs):
            yield from _nodes(item, seen)
    elif isinstance(outputs, SymbolicTensor) and id(outputs) not in seen:
        seen.add(id(outputs))
        yield from _nodes(list(outputs.args), seen)
        yield from _nodes(outputs.kwargs, seen)
        yield outputs
