"""Long short-term memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from dualnn import activations
from dualnn.initializers import Array
from dualnn.layers.projected_recurrent import ProjectedRecurrent, default_gates
from dualnn.layers.recurrent import States
from dualnn.protocol import Tensor
from dualnn.random import Generator


class LSTM(ProjectedRecurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with forget gates (Gers et al., 2000).

    ``i, f, g, o = split(x @ kernel + h @ recurrent_kernel + bias)``, then
    ``c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)`` and
    ``h = recurrent_activation(o) * activation(c)``. The states are ``[h, c]``, the output is ``h``.

    Args:
        units: the length of an output and of each state.
        activation: a name or a function, or None.
        recurrent_activation: that of the gates: a name or a function, or None.
        use_bias: whether there is a bias.
        unit_forget_bias: whether the forget gate's bias begins with 1 (Jozefowicz et al., 2015).
        **options: the other arguments of `SimpleRNN`.

    Input of shape (batch, steps, features), output of shape (batch, units) or (batch, steps, units). It is
    called with ``initial_state`` and ``mask`` as well, which `call` explains.

    Raises:
        ValueError: `stateful` is True, or a number is out of range.

    >>> import dualnn as dn
    >>> layer = dn.layers.LSTM(4, return_sequences=True, return_state=True)
    >>> [tuple(y.shape) for y in layer(dn.backend().zeros((2, 5, 3)))]
    [(2, 5, 4), (2, 4), (2, 4)]
    """

    gates = 4
    output_is_state = True
    kernel_name = "lstm"

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        unit_forget_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, **options)
        self.state_sizes = (self.units, self.units)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def first_bias(self, shape: tuple[int, ...], generator: Generator) -> Array:
        """Return the initial bias; of the forget gate ones, if so set."""
        bias = super().first_bias(shape, generator)
        if self.unit_forget_bias:
            bias = np.array(bias)
            bias[self.units : 2 * self.units] = 1
        return bias

    def step(self, z: Tensor, h: Tensor, states: States) -> tuple[Tensor, States]:
        """Return the output and the states ``[h, c]``."""
        nn, gate = self.nn, self.recurrent_activation
        z = z + nn.matmul(h, self.recurrent_kernel)
        i, f, g, o = nn.split(z, 4, axis=-1)
        c = gate(f) * states[1] + gate(i) * self.activation(g)
        output = gate(o) * self.activation(c)
        return output, [output, c]

    def kernel_options(self) -> dict[str, Any] | None:
        """Return that there is nothing more to know, of the activations that kernels have."""
        return {} if default_gates(self) else None
