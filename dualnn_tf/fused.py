"""Kernels of TensorFlow that do a whole formula at once; `dualnn.protocol.FastPaths` says what they are."""

from __future__ import annotations

import tensorflow as tf


def sparse_softmax_cross_entropy(labels, logits, /):
    """Return the loss of each sample, in the shape (...) of `labels`, for logits (..., classes)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
