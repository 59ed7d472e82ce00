"""The same seed gives the same bits: in another process, on every engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import dualnn as dn

PROGRAM = """
import hashlib, json, sys
import numpy as np
import dualnn as dn

L = dn.layers
images = np.random.default_rng(0).normal(size=(96, 10, 10, 1)).astype("float32")
words = np.random.default_rng(1).integers(0, 50, (96, 7))
y = np.random.default_rng(2).integers(0, 3, 96)

def image_model():
    return dn.Sequential([
        L.RandomFlip(), L.RandomTranslation(0.1, 0.1), L.Conv2D(8, 3, activation="relu"),
        L.BatchNormalization(), L.MaxPooling2D(), L.GaussianNoise(0.1), L.Flatten(), L.Dropout(0.3),
        L.Dense(3),
    ])

def word_model():
    return dn.Sequential([
        L.Embedding(50, 8), L.LSTM(8, return_sequences=True), L.LayerNormalization(),
        L.GlobalAveragePooling1D(), L.Dense(3),
    ])

for engine in ("eager", "step", "epoch"):
    for x, make in ((images, image_model), (words, word_model)):
        model = make().on(sys.argv[1])
        loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"], engine=engine)
        history = model.fit(x, y, epochs=3, batch_size=20, seed=5, validation_split=0.2, verbose=0)
        bits = b"".join(value.tobytes() for value in model.get_weights())
        print(json.dumps([engine, make.__name__, hashlib.sha256(bits).hexdigest(), history.history]))
"""


def test_two_processes_train_to_the_same_bits(backend):
    command = [sys.executable, "-c", PROGRAM, backend]
    root = Path(__file__).parent.parent
    first, second = (
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout for _ in range(2)
    )
    assert len(first.splitlines()) == 6
    assert [json.loads(line) for line in first.splitlines()] == [
        json.loads(line) for line in second.splitlines()
    ]


def test_the_history_says_whether_a_run_can_be_repeated(backend, monkeypatch):
    def run():
        model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
        model.compile("sgd", "mse")
        return model.fit([[1.0]], [[1.0]], verbose=0)

    assert run().deterministic is True
    # what a device with kernels that add in an order that varies says
    monkeypatch.setattr(dn.backend(backend), "is_deterministic", lambda device: False)
    assert run().deterministic is False


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_of_a_device_that_is_not_there_nothing_is_said(nn, device):
    with pytest.raises(ValueError, match="unknown device"):
        nn.is_deterministic(device)
