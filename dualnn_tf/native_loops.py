"""The native loops that a good engineer would write, which `dualnn bench` holds dualnn against.

All do the work that `fit` does: batches gathered by a shuffled order from data in memory, Adam by Keras's
formula with Keras's settings, and the mean loss of the epoch. Which of them is the fastest depends on the
model, the batch and the machine; the benchmark measures them all and takes the best.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7

KERAS_OVER_FIT = {"mlp-4-16-3": 25.0, "mlp-784-128-10": 4.0}
"""The benchmark's goals for models whose step is mostly what surrounds it: how many times `fit`'s time Keras
takes here at least."""


# ------------------------------------------------------------------ networks


class Mlp(tf.Module):
    """A hidden layer and a classifier."""

    def __init__(self, features, hidden, classes):
        super().__init__()
        self.hidden, self.classifier = _linear(features, hidden), _linear(hidden, classes)

    def __call__(self, x, training=False):
        """Map (n, features) to (n, classes)."""
        return _affine(tf.nn.relu(_affine(x, self.hidden)), self.classifier)


class Cnn(tf.Module):
    """Two convolutions, with batch normalization or without, and a classifier."""

    def __init__(self, normalized):
        super().__init__()
        self.kernels = [_kernel((3, 3, 1, 32)), _kernel((3, 3, 32, 64))]
        self.biases = [tf.Variable(tf.zeros(32)), tf.Variable(tf.zeros(64))]
        self.norms = [_norm(32), _norm(64)] if normalized else [None, None]
        self.classifier = _linear(1600, 10)

    def __call__(self, x, training=False):
        """Map (n, 28, 28, 1) to (n, 10)."""
        for kernel, bias, norm in zip(self.kernels, self.biases, self.norms, strict=True):
            x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "VALID"), bias)
            x = x if norm is None else self._normalize(x, norm, training)
            x = tf.nn.max_pool2d(tf.nn.relu(x), 2, 2, "VALID")
        return _affine(tf.reshape(x, (-1, 1600)), self.classifier)

    @staticmethod
    def _normalize(x, norm, training):
        scale, shift, mean, variance = norm
        if not training:
            return tf.compat.v1.nn.fused_batch_norm(
                x, scale, shift, mean, variance, epsilon=1e-3, is_training=False
            )[0]
        x, batch_mean, batch_variance = tf.compat.v1.nn.fused_batch_norm(x, scale, shift, epsilon=1e-3)
        mean.assign_sub((mean - batch_mean) * 0.01)
        variance.assign_sub((variance - batch_variance) * 0.01)
        return x


class Lstm(tf.Module):
    """A recurrent layer and a classifier of its last output; all inputs are projected at once."""

    def __init__(self, features, units, classes, unrolled):
        super().__init__()
        self.units, self.unrolled = units, unrolled
        self.projection, self.recurrent = _linear(features, 4 * units), _kernel((units, 4 * units))
        self.classifier = _linear(units, classes)

    def __call__(self, x, training=False):
        """Map (n, steps, features) to (n, classes)."""
        inputs = tf.transpose(_affine(x, self.projection), (1, 0, 2))
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        if self.unrolled:
            for row in tf.unstack(inputs, x.shape[1]):
                h, c = self._step(row, h, c)
        else:
            _, h, c = tf.while_loop(
                lambda t, h, c: t < x.shape[1],
                lambda t, h, c: (t + 1, *self._step(inputs[t], h, c)),
                (0, h, c),
                maximum_iterations=x.shape[1],
                shape_invariants=(tf.TensorShape(()), *[tf.TensorShape((None, self.units))] * 2),
            )
        return _affine(h, self.classifier)

    def _step(self, row, h, c):
        i, f, g, o = tf.split(row + h @ self.recurrent, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c


class Transformer(tf.Module):
    """One encoder block, normalized after its residual sums, and a classifier of the mean over the steps."""

    def __init__(self, features, width, heads, hidden, classes):
        super().__init__()
        self.width, self.heads = width, heads
        self.embedding = _linear(features, width)
        self.projection, self.merge = _linear(width, 3 * width), _linear(width, width)
        self.norms = [(tf.Variable(tf.ones(width)), tf.Variable(tf.zeros(width))) for _ in range(2)]
        self.hidden, self.back = _linear(width, hidden), _linear(hidden, width)
        self.classifier = _linear(width, classes)

    def __call__(self, x, training=False):
        """Map (n, steps, features) to (n, classes)."""
        x = _affine(x, self.embedding)
        steps, size = x.shape[1], self.width // self.heads
        heads = tf.reshape(_affine(x, self.projection), (-1, steps, 3, self.heads, size))
        q, k, v = tf.unstack(tf.transpose(heads, (2, 0, 3, 1, 4)))
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * size**-0.5)
        attended = tf.reshape(tf.transpose(weights @ v, (0, 2, 1, 3)), (-1, steps, self.width))
        x = self._normalize(x + _affine(attended, self.merge), self.norms[0])
        x = self._normalize(x + _affine(tf.nn.relu(_affine(x, self.hidden)), self.back), self.norms[1])
        return _affine(tf.reduce_mean(x, axis=1), self.classifier)

    @staticmethod
    def _normalize(x, norm):
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, norm[1], norm[0], 1e-3)  # Keras's epsilon


NETWORKS = {
    "mlp-4-16-3": {"": lambda: Mlp(4, 16, 3)},
    "mlp-784-128-10": {"": lambda: Mlp(784, 128, 10)},
    "cnn": {"": lambda: Cnn(normalized=False)},
    "cnn-batch-norm": {"": lambda: Cnn(normalized=True)},
    "lstm": {
        "unrolled": lambda: Lstm(28, 64, 10, unrolled=True),
        "in a loop": lambda: Lstm(28, 64, 10, unrolled=False),
    },
    "transformer": {"": lambda: Transformer(28, 64, 4, 128, 10)},
}
"""For each model of the benchmark the ways to write it, by a name that says how they differ."""


def as_input(network, x):
    """Return a NumPy array (n, ...), images (n, h, w, c), as the network takes it, float32 on the CPU."""
    return tf.constant(x)


def cross_entropy(y, y_pred):
    """Return the mean cross-entropy of logits (n, classes) and int64 labels (n,)."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, y_pred))


def _kernel(shape):
    fan_in, fan_out = (int(np.prod(shape[:-1])), int(np.prod(shape[:-2])) * shape[-1])
    limit = (6 / (fan_in + fan_out)) ** 0.5
    return tf.Variable(tf.random.uniform(shape, -limit, limit))


def _linear(features, units):
    return _kernel((features, units)), tf.Variable(tf.zeros(units))


def _norm(channels):
    scale, shift = tf.Variable(tf.ones(channels)), tf.Variable(tf.zeros(channels))
    mean = tf.Variable(tf.zeros(channels), trainable=False)
    return scale, shift, mean, tf.Variable(tf.ones(channels), trainable=False)


def _affine(x, weights):
    return tf.nn.bias_add(x @ weights[0], weights[1])


# ------------------------------------------------------------------ training


def graph(network, loss, x, y, batch_size):
    """A compiled step, called from Python."""
    return _stepping(tf.function(_step(network, loss, _adam(network))), x, y, batch_size)


def xla(network, loss, x, y, batch_size):
    """A step compiled by XLA, called from Python."""
    step = tf.function(_step(network, loss, _adam(network)), jit_compile=True)
    return _stepping(step, x, y, batch_size)


def epoch_of_steps(network, loss, x, y, batch_size):
    """All steps of an epoch in one compiled loop."""
    return _looping(_step(network, loss, _adam(network)), x, y, batch_size)


def epoch_of_xla_steps(network, loss, x, y, batch_size):
    """All steps of an epoch in one compiled loop, each step compiled by XLA."""
    step = tf.function(_step(network, loss, _adam(network)), jit_compile=True)
    return _looping(step, x, y, batch_size)


def xla_epoch(network, loss, x, y, batch_size):
    """All steps of an epoch in one loop compiled by XLA."""
    return _looping(_step(network, loss, _adam(network)), x, y, batch_size, jit_compile=True)


def eager(network, loss, x, y, batch_size):
    """The loop of every tutorial without a compiled step, with an Adam written by hand."""
    return _stepping(_step(network, loss, _adam(network)), x, y, batch_size)


def eager_with_keras(network, loss, x, y, batch_size):
    """The loop of every tutorial without a compiled step, with Keras's Adam."""
    optimizer = tf.keras.optimizers.Adam()

    def update(gradients, variables):
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    return _stepping(_step(network, loss, update), x, y, batch_size)


LOOPS = {
    "graph": graph,
    "XLA": xla,
    "epoch": epoch_of_steps,
    "epoch of XLA steps": epoch_of_xla_steps,
    "XLA epoch": xla_epoch,
}
"""Loops of training: each a function of a network, a loss ``(y, y_pred)``, NumPy arrays and the batch's size
that returns a function which trains for one epoch and returns its mean loss."""

OWN_LOOPS = {"eager": eager, "eager, Keras's Adam": eager_with_keras}
"""Loops with which a loop of one's own around a tape compares."""

AROUND_A_MODEL = ("graph", "eager")
"""Those of all these loops that also go around the native module of a dualnn model."""


def _step(network, loss, update):
    variables = network.trainable_variables

    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, network(x, training=True))
        update(tape.gradient(value, variables), variables)
        return value

    return step


def _adam(network):
    variables = network.trainable_variables
    momenta, velocities = ([tf.Variable(tf.zeros_like(v)) for v in variables] for _ in range(2))
    done = tf.Variable(0.0)

    def update(gradients, variables):
        t = done.assign_add(1.0)
        rate = LEARNING_RATE * tf.sqrt(1 - tf.pow(BETA_2, t)) / (1 - tf.pow(BETA_1, t))
        for w, m, v, g in zip(variables, momenta, velocities, gradients, strict=True):
            m.assign_add((g - m) * (1 - BETA_1))
            v.assign_add((tf.square(g) - v) * (1 - BETA_2))
            w.assign_sub(rate * m / (tf.sqrt(v) + EPSILON))

    return update


def _stepping(step, x, y, batch_size):
    x, y = tf.constant(x), tf.constant(y)

    def epoch():
        order, total = tf.random.shuffle(tf.range(len(x))), tf.zeros(())
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            total += step(tf.gather(x, rows), tf.gather(y, rows))
        return float(total) * batch_size / len(x)

    return epoch


def _looping(step, x, y, batch_size, jit_compile=False):
    x, y = tf.constant(x), tf.constant(y)

    @tf.function(jit_compile=jit_compile)
    def all_steps(order):
        total = tf.zeros(())
        for i in tf.range(len(x) // batch_size):
            total += step(tf.gather(x, order[i]), tf.gather(y, order[i]))
        return total

    def epoch():
        order = tf.reshape(tf.random.shuffle(tf.range(len(x))), (-1, batch_size))
        return float(all_steps(order)) * batch_size / len(x)

    return epoch


# ------------------------------------------------------------------ inference


def graph_forward(network):
    """The network in a compiled function."""
    return _forward(tf.function(lambda x: network(x, training=False)))


def xla_forward(network):
    """The network, compiled by XLA."""
    return _forward(tf.function(lambda x: network(x, training=False), jit_compile=True))


FORWARDS = {"graph": graph_forward, "XLA": xla_forward}
"""Ways to compute outputs, from a NumPy array to a NumPy array, by the name of the loop they go with."""


def _forward(function):
    return lambda x: function(tf.constant(x)).numpy()


PEERS = {}
"""What trains the native networks otherwise: nothing on this framework."""


def environment(threads, folder):
    """Return the variables of a process that computes with so many threads and keeps nothing compiled.

    Args:
        threads: how many.
        folder: an empty folder for what is compiled on the way.
    """
    return {
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",  # nobody reads what a worker prints
    }
