"""What the recurrent layers have in common: states, masks, and the loop over the steps of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from dualnn.layers import context, masks
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.layer import Layer
from dualnn.protocol import Shape, Tensor

States = list[Tensor]
Step = Callable[[Any, States], tuple[Tensor, States]]
"""From what a step is given and the states before it to its output and the states after it."""


class Recurrent(Layer):
    """A layer that goes through a sequence step by step.

    A subclass sets `state_sizes` and `output_size`, and defines `steps`; `fused` if there are kernels.

    Args:
        return_sequences: whether all steps' outputs are returned, or the last one only.
        return_state: whether the last states are returned behind the output.
        go_backwards: whether the last step comes first; outputs stand in the order in which they are made.
        stateful: must be False.
        unroll: whether a compiled function has all steps one after the other instead of a loop. False
            leaves the choice to the backend.
        zero_output_for_mask: whether the output of a step that is left out is 0, not the one before.
        name: the layer's name.

    Raises:
        ValueError: `stateful` is True.
    """

    kind_of_work = "recurrence"
    supports_masking = True

    state_sizes: tuple[int, ...]
    """The length of each state."""
    output_size: int
    """The length of an output."""
    output_is_state: ClassVar[bool] = False
    """Whether the output of a step is the first of the states after it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if {"step", "steps"} & set(vars(cls)) and "output_is_state" not in vars(cls):
            cls.output_is_state = False  # of another step it is not known

    def __init__(
        self,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if stateful:
            raise ValueError(
                f"layer {self.name!r}: stateful=True is not supported, as what a model computes would depend "
                f"on the calls before; carry the states on yourself, by return_state=True and initial_state="
            )
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask

    def steps(self, x: Tensor, training: bool) -> tuple[Any, Step]:
        """Return what the steps are given, a tree of tensors (steps, batch, ...), and the function of one.

        Args:
            x: the sequences, (batch, steps, ...), in the order in which to go through them.
            training: whether the layer behaves as in training.
        """
        raise NotImplementedError(f"{type(self).__name__} must define steps(self, x, training)")

    def dropped(self, x: Tensor, training: bool) -> Tensor:
        """Return what dropout leaves of the inputs, drawn once however the steps are run."""
        return x

    def fused(self, x: Tensor, states: States, training: bool) -> tuple[Tensor, States] | None:
        """Return all outputs (batch, steps, output_size) and last states of a kernel; None without one."""
        return None

    def build(self, input_shape: Shape) -> None:
        """Check that the input is a batch of sequences."""
        InputSpec(min_ndim=3).check(self.name, input_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))

    def call(
        self, x: Tensor, initial_state: Any = None, mask: Tensor | None = None, training: bool = False
    ) -> Any:
        """Go through sequences.

        Args:
            x: the sequences, (batch, steps, features).
            initial_state: the states before the first step, each (batch, size): a list of them, or the only
                one. By default zeros.
            mask: boolean, (batch, steps). A step that does not count leaves states and output as they were.
            training: whether dropout drops.

        Returns:
            The last output (batch, size) or all of them (batch, steps, size); with `return_state` a tuple of
            it and the last states.
        """
        nn = self.nn
        if x.shape[1] == 0:
            raise ValueError(
                f"layer {self.name!r}: expected sequences of at least one step, got none (input shape "
                f"{tuple(x.shape)})"
            )
        if mask is not None and not _agree(tuple(mask.shape), tuple(x.shape)[:2]):
            raise ValueError(
                f"layer {self.name!r}: expected a mask of the shape (batch, steps) of the input "
                f"{tuple(x.shape)}, got {tuple(mask.shape)}"
            )
        x = x if mask is None else masks.zeroed(nn, x, mask)
        states = self._first_states(x, initial_state)
        if self.go_backwards:
            x = nn.flip(x, axis=1)
            mask = None if mask is None else nn.flip(mask, axis=1)
        x = self.dropped(x, training)
        found = None if mask is not None else self.fused(x, states, training)
        if found is not None:
            outputs, states = found
            output = outputs if self.return_sequences else states[0]
        else:
            output, states = self._in_a_loop(x, states, mask, training)
        return (output, *states) if self.return_state else output

    def compute_mask(self, x: Tensor, mask: Any = None) -> Any:
        """Return the mask if all steps' outputs are returned."""
        of_output = mask if self.return_sequences else None
        return [of_output] + [None] * len(self.state_sizes) if self.return_state else of_output

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Return (batch, output_size) or (batch, steps, output_size), and the states' shapes."""
        InputSpec(min_ndim=3).check(self.name, input_shape)
        batch, steps = input_shape[:2]
        output = (batch, steps, self.output_size) if self.return_sequences else (batch, self.output_size)
        return [output, *((batch, size) for size in self.state_sizes)] if self.return_state else output

    def _first_states(self, x: Tensor, given: Any) -> States:
        nn = self.nn
        if given is None:
            batch, device = nn.shape(x)[0], self.device
            zeros = {n: nn.zeros((batch, n), dtype=x.dtype, device=device) for n in set(self.state_sizes)}
            return [zeros[size] for size in self.state_sizes]
        states = list(given) if isinstance(given, list | tuple) else [given]
        states = [self._convert(state, self._require_place()) for state in states]
        expected = [(x.shape[0], size) for size in self.state_sizes]
        got = [tuple(state.shape) for state in states]
        if len(got) != len(expected) or not all(map(_agree, got, expected)):
            raise ValueError(
                f"layer {self.name!r}: expected {len(self.state_sizes)} initial states of shapes "
                f"{[('batch', size) for size in self.state_sizes]}, got {[tuple(s.shape) for s in states]}"
            )
        return states

    def _in_a_loop(
        self, x: Tensor, states: States, mask: Tensor | None, training: bool
    ) -> tuple[Tensor, States]:
        nn = self.nn
        given, step = self.steps(x, training)
        # what a loop carries it copies in each step, so the output only if it is no state or masks need it
        carried = mask is not None or not self.output_is_state
        none_before = nn.zeros((nn.shape(x)[0], self.output_size), dtype=x.dtype, device=self.device)
        counts = None if mask is None else nn.expand_dims(nn.permute_dims(mask, (1, 0)), axis=-1)

        def one(carry: tuple[States, list[Tensor]], now: tuple[Any, Tensor | None]) -> tuple[Any, Any]:
            (before, outputs_before), (z, counts) = carry, now
            output, after = step(z, before)
            if counts is not None:
                after = [nn.where(counts, new, old) for new, old in zip(after, before, strict=True)]
                otherwise = none_before if self.zero_output_for_mask else outputs_before[0]
                output = nn.where(counts, output, otherwise)
            return (after, [output] if carried else []), output if self.return_sequences else None

        # What is left to the backend is how to run the steps, never what they compute.
        carry = states, [none_before] if carried else []
        with context.noting(None):  # from inside of a loop no note leaves
            (states, last), outputs = nn.scan(
                one, carry, (given, counts), unroll=True if self.unroll else None
            )
        if self.return_sequences:
            return nn.permute_dims(outputs, (1, 0, 2)), states
        return last[0] if carried else states[0], states


def _agree(shape: Shape, expected: Shape) -> bool:
    # in a graph for several shapes a size may be unknown
    return len(shape) == len(expected) and all(
        None in (m, n) or m == n for m, n in zip(shape, expected, strict=True)
    )
