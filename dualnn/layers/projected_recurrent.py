"""What the recurrent layers with kernels have in common: weights, dropout, one product for all inputs."""

from __future__ import annotations

from typing import Any, ClassVar

from dualnn import activations, initializers
from dualnn.fast_paths import fast_path
from dualnn.initializers import Array
from dualnn.layers.checks import positive_int
from dualnn.layers.dropout import Dropout
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.recurrent import Recurrent, States, Step
from dualnn.protocol import Shape, Tensor
from dualnn.random import Generator


class ProjectedRecurrent(Recurrent):
    """A recurrent layer whose inputs are projected by a kernel, which needs no state: all steps' at once.

    A subclass says how many `gates` there are, and defines `step`. `SimpleRNN` explains the arguments.
    """

    _computes = True
    gates: ClassVar[int]
    """How many blocks of `units` columns the kernels have."""
    kernel_name: ClassVar[str]
    """Which of `dualnn.protocol.FastPaths` does the same."""

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, name
        )
        self.units = self.output_size = positive_int("units", units)
        self.state_sizes = (self.units,)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.recurrent_regularizer = recurrent_regularizer
        self.bias_regularizer = bias_regularizer
        self.input_dropout = Dropout(dropout, seed) if dropout else None
        # Of one seed, the two would have the same masks.
        self.state_dropout = (
            Dropout(recurrent_dropout, None if seed is None else seed + 1) if recurrent_dropout else None
        )

    def build(self, input_shape: Shape) -> None:
        """Make kernel (features, gates * units), recurrent_kernel (units, gates * units) and the bias."""
        InputSpec(ndim=3).check(self.name, input_shape)
        features, columns = input_shape[-1], self.gates * self.units
        self.kernel = self.add_weight(
            (features, columns),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
            outputs_first=True,
        )
        self.recurrent_kernel = self.add_weight(
            (self.units, columns),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            name="recurrent_kernel",
            outputs_first=True,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                self.bias_shape(), self.first_bias, regularizer=self.bias_regularizer, name="bias"
            )
        for dropout in (self.input_dropout, self.state_dropout):
            if dropout is not None:  # else it would be built by the first step of training
                dropout(self.nn.zeros((1,), dtype=self.dtype, device=self.device), training=False)
        self.input_spec = InputSpec(ndim=3, axes={2: features})

    def bias_shape(self) -> tuple[int, ...]:
        """Return the shape of the bias."""
        return (self.gates * self.units,)

    def first_bias(self, shape: tuple[int, ...], generator: Generator) -> Array:
        """Return the initial bias."""
        return initializers.get(self.bias_initializer)(shape, generator)

    def input_bias(self) -> Tensor | None:
        """Return what is added to the projected inputs, (gates * units,), or None."""
        return self.bias

    def step(self, z: Tensor, h: Tensor, states: States) -> tuple[Tensor, States]:
        """Return the output and the states after a step.

        Args:
            z: the projected input, (batch, gates * units).
            h: the first state as it is to be multiplied by `recurrent_kernel`: what dropout leaves of it.
            states: the states before.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step(self, z, h, states)")

    def kernel_options(self) -> dict[str, Any] | None:
        """Return what else the fused kernel needs to know, None if it cannot do what the layer is set to."""
        return {}

    def steps(self, x: Tensor, training: bool) -> tuple[Tensor, Step]:
        """Return the projected inputs of all steps, and the function of a step."""
        nn = self.nn
        batch, length, features = nn.shape(x)
        flat = nn.reshape(nn.permute_dims(x, (1, 0, 2)), (-1, features))
        projected, bias = nn.matmul(flat, self.kernel), self.input_bias()
        if bias is not None:
            projected = projected + bias
        kept = self._drawn(self.state_dropout, (batch, self.units), x, training)

        def step(z: Tensor, states: States) -> tuple[Tensor, States]:
            return self.step(z, states[0] if kept is None else states[0] * kept, states)

        return nn.reshape(projected, (length, batch, self.gates * self.units)), step

    def fused(self, x: Tensor, states: States, training: bool) -> tuple[Tensor, States] | None:
        """Run the backend's kernel, if it has one and the layer has the settings that kernels have."""
        kernel, options = fast_path(self.nn, self.kernel_name), self.kernel_options()
        if kernel is None or options is None or (training and self.state_dropout is not None):
            return None
        found = kernel(x, *states, self.kernel, self.recurrent_kernel, self.bias, **options)
        return None if found is None else (found[0], list(found[1:]))

    def dropped(self, x: Tensor, training: bool) -> Tensor:
        """Drop inputs in training, at all steps the same."""
        batch, _, features = self.nn.shape(x)
        kept = self._drawn(self.input_dropout, (batch, features), x, training)
        return x if kept is None else x * self.nn.expand_dims(kept, axis=1)

    def _drawn(self, dropout: Dropout | None, shape: Shape, like: Tensor, training: bool) -> Tensor | None:
        """Return what dropout makes of ones: the factors by which all steps are multiplied, None for 1."""
        if dropout is None or not training:
            return None
        return dropout(self.nn.ones(shape, dtype=like.dtype, device=self.device), training=True)


def default_gates(layer: Any) -> bool:
    """Whether a gated layer has the activations that fused kernels have."""
    return layer.activation is activations.tanh and layer.recurrent_activation is activations.sigmoid
