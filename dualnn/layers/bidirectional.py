"""A recurrent layer in both directions."""

from __future__ import annotations

import copy
from typing import Any

from dualnn.layers.layer import Layer
from dualnn.layers.recurrent import Recurrent
from dualnn.protocol import Shape, Tensor

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


class Bidirectional(Layer):
    """Two recurrent layers, of which one begins at the end (Schuster and Paliwal, 1997).

    Args:
        layer: a recurrent layer that is not built yet; copies of it are used.
        merge_mode: how the two outputs become one: ``"concat"`` (along the last axis), ``"sum"``, ``"mul"``,
            ``"ave"`` (the mean), or None for a tuple of both.
        backward_layer: the layer that begins at the end, with ``go_backwards=True``; by default one like
            `layer`.
        name: the layer's name.

    Raises:
        TypeError: no recurrent layer.
        ValueError: an unknown `merge_mode`, a layer that is built, or two that do not go together.

    With ``return_state`` the states of both follow the output, forward's first; ``initial_state`` is a list
    in that order. Steps left out by a mask have the output 0 where all outputs are returned.

    >>> import dualnn as dn
    >>> layer = dn.layers.Bidirectional(dn.layers.LSTM(4, return_sequences=True))
    >>> tuple(layer(dn.backend().zeros((2, 5, 3))).shape)
    (2, 5, 8)
    """

    kind_of_work = "recurrence"
    supports_masking = True

    def __init__(
        self,
        layer: Recurrent,
        merge_mode: str | None = "concat",
        backward_layer: Recurrent | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if merge_mode not in MERGE_MODES:
            raise ValueError(f"merge_mode must be one of {MERGE_MODES}, got {merge_mode!r}")
        backward = layer if backward_layer is None else backward_layer
        for which, one in {"layer": layer, "backward_layer": backward}.items():
            if not isinstance(one, Recurrent):
                raise TypeError(
                    f"layer {self.name!r}: expected a recurrent layer as {which}, got {one!r:.80}"
                )
            if one.built:
                raise ValueError(
                    f"layer {self.name!r}: {one.name!r} is built already, and its copies would begin with "
                    f"its weights; give a layer that was not called yet"
                )
        self.merge_mode = merge_mode
        self.forward_layer = copy.deepcopy(layer)
        self.backward_layer = copy.deepcopy(layer if backward_layer is None else backward_layer)
        if backward_layer is None:
            self.backward_layer.go_backwards = not layer.go_backwards
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        for one in (self.forward_layer, self.backward_layer):
            one.zero_output_for_mask = self.return_sequences
        self._check_pair()

    def call(self, x: Tensor, initial_state: Any = None, mask: Tensor | None = None) -> Any:
        """Go through sequences (batch, steps, features) in both directions.

        Args:
            x: the sequences.
            initial_state: the forward layer's states before the first step, then the backward layer's.
            mask: boolean, (batch, steps); True where a step counts.
        """
        nn = self.nn
        of_forward = len(self.forward_layer.state_sizes)
        first, second = (
            (None, None)
            if initial_state is None
            else (
                initial_state[:of_forward],
                initial_state[of_forward:],
            )
        )
        forward = self.forward_layer(x, initial_state=first, mask=mask)
        backward = self.backward_layer(x, initial_state=second, mask=mask)
        states: tuple[Tensor, ...] = ()
        if self.return_state:
            (forward, *states_of_forward), (backward, *states_of_backward) = forward, backward
            states = (*states_of_forward, *states_of_backward)
        if self.return_sequences:
            backward = nn.flip(backward, axis=1)
        output = self._merged(forward, backward)
        if self.merge_mode is None:
            return (*output, *states)
        return (output, *states) if self.return_state else output

    def compute_mask(self, x: Tensor, mask: Any = None) -> Any:
        """Return the mask if all steps' outputs are returned."""
        of_output = [mask if self.return_sequences else None] * (2 if self.merge_mode is None else 1)
        states = (*self.forward_layer.state_sizes, *self.backward_layer.state_sizes)
        found = [*of_output, *([None] * len(states) if self.return_state else [])]
        return found if len(found) > 1 else found[0]

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Return the shapes of the output, or of both, and of the states."""
        forward, backward = (
            layer.compute_output_shape(input_shape) for layer in (self.forward_layer, self.backward_layer)
        )
        states: list[Any] = []
        if self.return_state:
            (forward, *states), (backward, *more) = forward, backward
            states = [*states, *more]
        if self.merge_mode is None:
            return [forward, backward, *states]
        width = forward[-1] + backward[-1] if self.merge_mode == "concat" else forward[-1]
        output = (*forward[:-1], width)
        return [output, *states] if self.return_state else output

    def _merged(self, forward: Tensor, backward: Tensor) -> Any:
        if self.merge_mode == "concat":
            return self.nn.concat([forward, backward], axis=-1)
        if self.merge_mode == "sum":
            return forward + backward
        if self.merge_mode == "ave":
            return (forward + backward) / 2.0
        return forward * backward if self.merge_mode == "mul" else (forward, backward)

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"layer {self.name!r}: expected two layers of which one has go_backwards=True, got two with "
                f"go_backwards={forward.go_backwards}"
            )
        for name in ("return_sequences", "return_state"):
            if getattr(forward, name) != getattr(backward, name):
                raise ValueError(f"layer {self.name!r}: expected two layers with the same {name}")
