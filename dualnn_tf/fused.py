"""Kernels of TensorFlow that do a whole formula at once; `dualnn.protocol.FastPaths` says what they are."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf.statistical_functions import mean as mean_of


def sparse_softmax_cross_entropy(labels, logits, /, *, mean):
    """Return the loss of each sample, in the shape (...) of `labels`, for logits (..., classes).

    With `mean` their mean.
    """
    values = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return mean_of(values) if mean else values
