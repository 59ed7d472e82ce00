"""A recurrent layer of a cell of one's own."""

from __future__ import annotations

from typing import Any

from dualnn.layers import tree
from dualnn.layers.layer import Layer
from dualnn.layers.recurrent import Recurrent, States, Step
from dualnn.protocol import Tensor


class RNN(Recurrent):
    """Go through a sequence with a cell of your own.

    The cell is a layer that is called as ``output, new_states = cell(x, states)`` with one step's input
    (batch, ...) and a list of states. Its attribute ``state_size`` is a number or a list of numbers, the
    states' lengths; ``output_size`` is its output's, by default that of the first state.

    Args:
        cell: the cell. It may not have state of its own, such as Dropout has.
        **options: ``return_sequences``, ``return_state``, ``go_backwards``, ``unroll``, ``name`` and the
            others that `SimpleRNN` explains.

    Raises:
        TypeError: the cell is no layer, or has no `state_size`.
        ValueError: the cell has state of its own.

    >>> import dualnn as dn
    >>> class Sum(dn.Layer):
    ...     state_size = 1
    ...
    ...     def call(self, x, states):
    ...         return states[0] + x, [states[0] + x]
    >>> float(dn.layers.RNN(Sum())([[[1.0], [2.0], [3.0]]])[0, 0])
    6.0
    """

    _computes = True

    def __init__(self, cell: Layer, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(cell, Layer) or not hasattr(cell, "state_size"):
            raise TypeError(
                f"layer {self.name!r}: expected a cell, a layer with the attribute state_size, got {cell!r}"
            )
        sizes = cell.state_size
        self.cell = cell
        self.state_sizes = (sizes,) if isinstance(sizes, int) else tuple(sizes)
        self.output_size = getattr(cell, "output_size", self.state_sizes[0])

    def steps(self, x: Tensor, training: bool) -> tuple[Tensor, Step]:
        """Return the inputs, the steps first, and the cell's function."""
        nn = self.nn
        if not self.cell.built:
            # A loop is no place to make variables.
            self._call_cell(x[:, 0], self._first_states(x, None))
            if any(layer._stateful for _, layer in tree.walk(self.cell)):
                raise ValueError(
                    f"layer {self.name!r}: expected a cell without state of its own, which would change from "
                    f"step to step; keep it in the states, and Dropout before or behind the layer"
                )
        return nn.permute_dims(x, (1, 0, *range(2, len(x.shape)))), self._call_cell

    def _call_cell(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        output, states = self.cell(x, states)
        return output, list(states) if isinstance(states, list | tuple) else [states]
