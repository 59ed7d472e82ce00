"""The gradient tape: `tf.GradientTape`."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf.differentiable import check_differentiable, check_tensor, flatten, tensor_leaves
from dualnn_tf.sums_in_gradients import Tape


class GradientTape(Tape):
    """Record operations for differentiation: `tf.GradientTape`, with dense gradients and earlier errors.

    Trainable variables are watched by themselves, tensors by `watch`. Tapes may nest and overlap; an
    outer tape records the gradients that an inner one takes, which gives higher derivatives.

    Args:
        persistent: whether `gradient` and `jacobian` may be called more than once.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> x = nn.asarray(3.0)
    >>> with nn.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> float(tape.gradient(y, x))
    6.0
    """

    def __init__(self, persistent=False):
        super().__init__(persistent=persistent)

    def watch(self, tensor):
        """Record what is computed from a tensor, or from each tensor of a tree, from here on.

        Raises:
            TypeError: not a TensorFlow tensor, or a tensor of integers or booleans.
            RuntimeError: this tape is not recording.
        """
        self._check_recording("watch a tensor")
        for leaf in tensor_leaves(tensor):
            check_differentiable(leaf)
            super().watch(leaf)

    def gradient(self, target, sources, output_gradients=None, unconnected_gradients="none"):
        """Return the gradient of the target with respect to each source.

        Args:
            target: a tensor of any shape, the sum of which is differentiated; or a tree of tensors,
                whose gradients are added up.
            sources: a tree of tensors and variables.
            output_gradients: a tree of tensors, of the targets' shapes, to weight the sums with.
            unconnected_gradients: what to return for a source that the target does not depend on:
                ``"none"``, None; ``"zero"``, zeros.

        Returns:
            A tree like `sources`; each gradient has the shape and the dtype of its source.

        Raises:
            RuntimeError: a second call on a tape that is not persistent.
            TypeError: a target or a source is not a TensorFlow tensor.
            ValueError: an unknown `unconnected_gradients`, or too few or many `output_gradients`.
        """
        targets = tensor_leaves(target)
        tensors, structure = flatten(sources)
        seeds = _seeds(targets, output_gradients)
        gradients = super().gradient(targets, tensors, seeds, unconnected_gradients)
        return structure.unflatten(map(dense, gradients))

    def jacobian(self, target, sources, unconnected_gradients="none"):
        """Return the derivative of each element of the target with respect to each source.

        Args:
            target: a tensor of any shape.
            sources: a tree of tensors and variables.
            unconnected_gradients: as in `gradient`.

        Returns:
            A tree like `sources`; each Jacobian has the shape ``target.shape + source.shape``.

        Raises:
            RuntimeError, TypeError, ValueError: as in `gradient`.

        >>> import dualnn as dn
        >>> nn = dn.backend()
        >>> x = nn.asarray([1.0, 2.0])
        >>> with nn.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> nn.to_numpy(tape.jacobian(y, x)).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
        """
        tensors, structure = flatten(sources)
        check_tensor(target)
        return structure.unflatten(super().jacobian(target, tensors, unconnected_gradients))

    def stop_recording(self):
        """Return a context in which this tape does not record.

        Raises:
            RuntimeError: this tape is not recording.
        """
        self._check_recording("stop")
        return super().stop_recording()

    def reset(self):
        """Forget all that was recorded and watched, and go on recording.

        Raises:
            RuntimeError: this tape is not recording.
        """
        self._check_recording("be reset")
        super().reset()

    def _check_recording(self, what):
        if not self._recording:
            raise RuntimeError(f"a tape that is not recording cannot {what}; do so inside its `with` block")


def _seeds(targets, output_gradients):
    if output_gradients is None:
        return None
    seeds = tensor_leaves(output_gradients)
    if len(seeds) != len(targets):
        raise ValueError(f"expected output_gradients for each of {len(targets)} targets, got {len(seeds)}")
    return seeds


def dense(gradient):
    """Return a gradient as a tensor; what `gather` pulls back comes as tf.IndexedSlices."""
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
