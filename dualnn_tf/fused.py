"""Kernels of TensorFlow that do a whole formula at once; `dualnn.protocol.FastPaths` says what they are."""

from __future__ import annotations

import tensorflow as tf

from dualnn_tf import sums

_LEAST_EPSILON = 1.001e-5  # below which the kernel that GPUs have refuses


def batch_normalization(x, gamma, beta, statistics, /, *, epsilon):
    """Return (batch, ..., features) normalised, and the mean and biased variance of each feature.

    XLA, which fuses operations by itself, is given the formula.
    """
    if x.dtype != tf.float32 or 0 in x.shape or epsilon < _LEAST_EPSILON or sums.traced_for_xla():
        return None
    features = x.shape[-1]
    if statistics is None and (x.shape.num_elements() or 0) // features > sums.MANY_ROWS:
        return None
    gamma = tf.ones(features) if gamma is None else gamma
    beta = tf.zeros(features) if beta is None else beta
    if statistics is not None:
        # of what is no image, the call takes longer than the passes of the formula
        return (_normalized(x, gamma, beta, *statistics, epsilon), *statistics) if x.shape.rank == 4 else None
    images = x if x.shape.rank == 4 else tf.reshape(x, (-1, 1, 1, features))
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.size(x) // features, tf.float32)
    variance *= (count - 1) / count  # the kernel's is the unbiased one
    y = y if images is x else tf.reshape(y, tf.shape(x))
    return y, tf.stop_gradient(mean), tf.stop_gradient(variance)


def sparse_softmax_cross_entropy(labels, logits, /, *, mean):
    """Return the loss of each sample, in the shape (...) of `labels`, for logits (..., classes).

    With `mean` their mean.
    """
    values = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return sums.mean(values) if mean else values


def _normalized(x, gamma, beta, mean, variance, epsilon):
    """Return images normalised by given statistics, by which they can be differentiated, too."""

    @tf.custom_gradient  # the kernel's own gradients leave the statistics out
    def normalized(x, gamma, beta, mean, variance):
        y, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=mean, variance=variance, epsilon=epsilon, is_training=False
        )

        def gradients(dy):
            inverse = tf.math.rsqrt(variance + epsilon)
            scale = gamma * inverse
            of_beta = sums.total(dy, (0, 1, 2))
            of_gamma = sums.total(dy * (x - mean), (0, 1, 2)) * inverse
            of_variance = of_gamma * scale * inverse * -0.5
            return dy * scale, of_gamma, of_beta, -of_beta * scale, of_variance

        return y, gradients

    return normalized(x, gamma, beta, mean, variance)
