"""`fit` beside native loops of the same work: one epoch, in one run; compare within a group only.

make bench
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

import dualnn as dn

STEPS, BATCH = 100, 32
MODELS = {"mlp 4-16-3": (4, 16, 3), "mlp 784-128-10": (784, 128, 10)}


def data(features, classes):
    rng = np.random.default_rng(0)
    n = STEPS * BATCH
    return rng.normal(size=(n, features)).astype("float32"), rng.integers(0, classes, n)


def fit(backend, features, hidden, classes):
    x, y = data(features, classes)
    model = dn.Sequential([dn.layers.Dense(hidden, activation="relu"), dn.layers.Dense(classes)])
    model = model.on(backend)
    model.compile("adam", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def native_torch(features, hidden, classes):
    import torch
    from torch import nn

    x, y = map(torch.from_numpy, data(features, classes))
    model = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def epoch():
        order = torch.randperm(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()

    return epoch


def native_tensorflow(features, hidden, classes):
    import tensorflow as tf

    x, y = map(tf.constant, data(features, classes))
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(hidden, activation="relu"), tf.keras.layers.Dense(classes)]
    )
    model.build((None, features))
    optimizer = tf.keras.optimizers.Adam()
    weights = model.trainable_variables
    optimizer.build(weights)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(images, training=True))
            loss = tf.reduce_mean(loss)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    def epoch():
        order = tf.random.shuffle(tf.range(len(x)))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            step(tf.gather(x, rows), tf.gather(y, rows))

    return epoch


LOOPS = {
    "torch, dualnn fit": lambda *sizes: fit("torch", *sizes),
    "torch, native loop, eager, fused Adam": native_torch,
    "tensorflow, dualnn fit": lambda *sizes: fit("tensorflow", *sizes),
    "tensorflow, native loop, compiled step": native_tensorflow,
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("model", MODELS)
def test_an_epoch_of_100_steps(benchmark, model, loop):
    benchmark.group = f"{model}, batch {BATCH}"
    epoch = LOOPS[loop](*MODELS[model])
    epoch()  # pays for tracing
    benchmark.pedantic(epoch, rounds=7, warmup_rounds=1)
