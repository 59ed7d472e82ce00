"""The gated recurrent unit."""

from __future__ import annotations

from typing import Any

from dualnn import activations
from dualnn.layers.projected_recurrent import ProjectedRecurrent, default_gates
from dualnn.layers.recurrent import States
from dualnn.protocol import Tensor


class GRU(ProjectedRecurrent):
    """The gated recurrent unit (Cho et al., 2014).

    Of ``x @ kernel + bias`` and ``h @ recurrent_kernel`` the columns are those of ``z``, ``r`` and ``g``,
    `units` of each: ``z = recurrent_activation(x_z + h_z)``, ``r = recurrent_activation(x_r + h_r)``,
    ``g = activation(x_g + r * h_g)``, and the new state, which is the output, is ``z * h + (1 - z) * g``.

    Args:
        units: the length of an output and of the state.
        activation: a name or a function, or None.
        recurrent_activation: that of the gates: a name or a function, or None.
        use_bias: whether there is a bias.
        reset_after: whether ``r`` is multiplied by ``h_g``, as above, where a second bias has been added to
            ``h @ recurrent_kernel``: the bias is (2, 3 * units). Else ``h_g = (r * h) @ recurrent_kernel_g``,
            as in the paper.
        **options: the other arguments of `SimpleRNN`.

    Input of shape (batch, steps, features), output of shape (batch, units) or (batch, steps, units). It is
    called with ``initial_state`` and ``mask`` as well, which `call` explains.

    Raises:
        ValueError: `stateful` is True, or a number is out of range.

    >>> import dualnn as dn
    >>> tuple(dn.layers.GRU(4, return_sequences=True)(dn.backend().zeros((2, 5, 3))).shape)
    (2, 5, 4)
    """

    gates = 3
    output_is_state = True
    kernel_name = "gru"

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        reset_after: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, **options)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def bias_shape(self) -> tuple[int, ...]:
        """Return the shape of the bias, of two biases if the reset comes after the product."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def input_bias(self) -> Tensor | None:
        """Return the bias of the inputs."""
        return self.bias[0] if self.bias is not None and self.reset_after else self.bias

    def step(self, z: Tensor, h: Tensor, states: States) -> tuple[Tensor, States]:
        """Return the new state, which is the output."""
        nn, gate, u = self.nn, self.recurrent_activation, self.units
        x_z, x_r, x_g = nn.split(z, 3, axis=-1)
        if self.reset_after:
            products = nn.matmul(h, self.recurrent_kernel)
            if self.bias is not None:
                products = products + self.bias[1]
            h_z, h_r, h_g = nn.split(products, 3, axis=-1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            h_g = r * h_g
        else:
            h_z, h_r = nn.split(nn.matmul(h, self.recurrent_kernel[:, : 2 * u]), 2, axis=-1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            h_g = nn.matmul(r * h, self.recurrent_kernel[:, 2 * u :])
        output = z * states[0] + (1.0 - z) * self.activation(x_g + h_g)
        return output, [output]

    def kernel_options(self) -> dict[str, Any] | None:
        """Return that there is nothing more to know, of the form and the activations that kernels have."""
        return {} if self.reset_after and default_gates(self) else None
