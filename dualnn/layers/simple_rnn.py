"""The plain recurrent layer."""

from __future__ import annotations

from typing import Any

from dualnn import activations
from dualnn.layers.projected_recurrent import ProjectedRecurrent
from dualnn.layers.recurrent import States
from dualnn.protocol import Tensor


class SimpleRNN(ProjectedRecurrent):
    """The plain recurrent layer: ``h = activation(x @ kernel + h @ recurrent_kernel + bias)`` (Elman, 1990).

    Args:
        units: the length of an output and of the state.
        activation: a name or a function, or None.
        use_bias: whether there is a bias.
        kernel_initializer: a name or a function.
        recurrent_initializer: a name or a function.
        bias_initializer: a name or a function.
        kernel_regularizer: a name or a function, or None.
        recurrent_regularizer: a name or a function, or None.
        bias_regularizer: a name or a function, or None.
        dropout: in training, the share of the inputs that is dropped, of a sequence the same at all steps.
        recurrent_dropout: likewise, of the state where it is multiplied by `recurrent_kernel`.
        seed: fixes the masks of dropout; by default they follow from the model's seed.
        return_sequences: whether all steps' outputs are returned, or the last one only.
        return_state: whether the last states are returned behind the output.
        go_backwards: whether the last step comes first; outputs stand in the order in which they are made.
        stateful: must be False.
        unroll: whether a compiled function has all steps one after the other instead of a loop. False
            leaves the choice to the backend.
        zero_output_for_mask: whether the output of a step that is left out is 0, not the one before.
        name: the layer's name.

    Input of shape (batch, steps, features), output of shape (batch, units) or (batch, steps, units). It is
    called with ``initial_state`` and ``mask`` as well, which `call` explains.

    Raises:
        ValueError: `stateful` is True, or a number is out of range.

    >>> import dualnn as dn
    >>> tuple(dn.layers.SimpleRNN(4)(dn.backend().zeros((2, 5, 3))).shape)
    (2, 4)
    """

    gates = 1
    output_is_state = True
    kernel_name = "simple_rnn"

    def step(self, z: Tensor, h: Tensor, states: States) -> tuple[Tensor, States]:
        """Return the new state, which is the output."""
        output = self.activation(z + self.nn.matmul(h, self.recurrent_kernel))
        return output, [output]

    def kernel_options(self) -> dict[str, Any] | None:
        """Return which of the two activations it is that kernels have."""
        names = {activations.tanh: "tanh", activations.relu: "relu"}
        return {"activation": names[self.activation]} if self.activation in names else None
