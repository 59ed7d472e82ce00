"""Every public layer compared across backends: outputs, gradients and a step of training."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn
from dualnn.lockstep import lockstep
from tests.conftest import BACKENDS

L = dn.layers
RNG = np.random.default_rng(0)
STEPS = RNG.normal(size=(4, 5, 6)).astype(np.float32)
STEPS[1, 3:] = 0
IMAGES = RNG.normal(size=(4, 6, 6, 4)).astype(np.float32)
TOKENS = RNG.integers(0, 7, size=(4, 5))


class Around(dn.Layer):
    """Calls a layer as `how(layer, x, training)` says."""

    supports_masking = True

    def __init__(self, layer, how):
        super().__init__()
        self.layer, self.how = layer, how

    def call(self, x, training=False):
        return self.how(self.layer, x, training)


class Cell(dn.Layer):
    state_size = 3

    def __init__(self):
        super().__init__()
        self.of_input, self.of_state = L.Dense(3), L.Dense(3, use_bias=False)

    def call(self, x, states):
        y = self.nn.tanh(self.of_input(x) + self.of_state(states[0]))
        return y, [y]


def attention(**call):
    layer = L.MultiHeadAttention(2, 4, dropout=0.3)
    return Around(layer, lambda layer, x, training: layer(x, x, training=training, **call))


def functional():
    a, b = dn.Input((5, 6)), dn.Input((5, 6))
    shared = L.Dense(6, "tanh")
    return dn.Model({"a": a, "b": b}, [L.Add()([shared(shared(a)), b]), L.Dropout(0.4)(a)])


def pair(x):
    return [x, x + 1]


CASES = {
    "Activation": (lambda: L.Activation("gelu"), STEPS),
    "Add": (L.Add, pair(STEPS)),
    "Attention": (lambda: L.Attention(use_scale=True, dropout=0.3), pair(STEPS)),
    "Attention by sums": (lambda: L.Attention(score_mode="concat", dropout=0.3), pair(STEPS)),
    "AveragePooling2D": (L.AveragePooling2D, IMAGES),
    "BatchNormalization": (L.BatchNormalization, IMAGES),
    "BatchNormalization of rows": (lambda: L.BatchNormalization(axis=1), IMAGES),
    "Bidirectional": (lambda: L.Bidirectional(L.LSTM(3, return_sequences=True, dropout=0.2)), STEPS),
    "Bidirectional, both": (lambda: L.Bidirectional(L.GRU(3), merge_mode=None), STEPS),
    "Checkpoint": (lambda: L.Checkpoint(dn.Sequential([L.Dense(4), L.Dropout(0.4), L.Dense(2)])), STEPS),
    "Concatenate": (L.Concatenate, pair(STEPS)),
    "Conv2D": (lambda: L.Conv2D(3, 3, activation="relu", padding="same", strides=2), IMAGES),
    "Conv2D of groups": (lambda: L.Conv2D(4, 3, groups=2, dilation_rate=2), IMAGES),
    "Dense": (lambda: L.Dense(3, "relu"), STEPS),
    "Dropout": (lambda: L.Dropout(0.5), STEPS),
    "Embedding": (lambda: L.Embedding(7, 3), TOKENS),
    "Embedding of masked steps": (
        lambda: dn.Sequential([L.Embedding(7, 4, mask_zero=True), L.Bidirectional(L.GRU(3)), L.Dense(2)]),
        TOKENS,
    ),
    "Flatten": (L.Flatten, IMAGES),
    "GRU": (lambda: L.GRU(4, dropout=0.2, recurrent_dropout=0.3), STEPS),
    "GRU of its paper": (lambda: L.GRU(4, return_sequences=True, reset_after=False), STEPS),
    "GaussianDropout": (lambda: L.GaussianDropout(0.3), STEPS),
    "GaussianNoise": (lambda: L.GaussianNoise(0.3), STEPS),
    "GlobalAveragePooling1D": (L.GlobalAveragePooling1D, STEPS),
    "GlobalAveragePooling2D": (L.GlobalAveragePooling2D, IMAGES),
    "LSTM": (lambda: L.LSTM(4, return_sequences=True, return_state=True), STEPS),
    "LayerNormalization": (L.LayerNormalization, STEPS),
    "LayerNormalization of images": (lambda: L.LayerNormalization(axis=[1, 2]), IMAGES),
    "Masking": (
        lambda: dn.Sequential([L.Masking(), L.LSTM(3, return_sequences=True), L.Dropout(0.3)]),
        STEPS,
    ),
    "MaxPooling2D": (lambda: L.MaxPooling2D(3, 2, "same"), IMAGES),
    "MultiHeadAttention": (attention, STEPS),
    "MultiHeadAttention with scores": (lambda: attention(return_attention_scores=True), STEPS),
    "MultiHeadAttention, causal": (lambda: attention(use_causal_mask=True), STEPS),
    "RNN": (lambda: L.RNN(Cell(), return_sequences=True), STEPS),
    "RandomFlip": (L.RandomFlip, IMAGES),
    "RandomRotation": (lambda: L.RandomRotation(0.2), IMAGES),
    "RandomTranslation": (lambda: L.RandomTranslation(0.2, 0.3), IMAGES),
    "RandomZoom": (lambda: L.RandomZoom(0.2), IMAGES),
    "Reshape": (lambda: L.Reshape((-1, 2)), IMAGES),
    "SimpleRNN": (lambda: L.SimpleRNN(4, recurrent_dropout=0.3), STEPS),
    "TimeDistributed": (lambda: L.TimeDistributed(dn.Sequential([L.Dense(3), L.Dropout(0.4)])), STEPS),
    "a shared layer, inputs by name": (functional, {"a": STEPS, "b": STEPS + 1}),
    "a layer that is called in training only": (
        lambda: Around(L.Dense(6), lambda layer, x, training: layer(x) if training else x * 2.0),
        STEPS,
    ),
    "a layer with other things in its output": (
        lambda: dn.Sequential(
            [
                Around(L.Dense(3), lambda layer, x, training: (layer(x), None, 3, "dense")),
                Around(L.Dense(2), lambda layer, x, training: layer(x[0])),
            ]
        ),
        STEPS,
    ),
}


def test_every_public_layer_is_compared():
    of_one_framework = {"TorchModuleWrapper"}  # there is nothing to compare it with
    assert set(L.__all__) - {"Input", "Layer"} - of_one_framework <= {
        name.split(" ")[0].strip(",") for name in CASES
    }


@pytest.mark.parametrize("name", CASES)
def test_outputs_gradients_and_a_step_agree(name):
    make, x = CASES[name]
    left = make().on("torch")
    y = left(x)
    right = left.on("tensorflow")
    for training in (False, True):
        report = dn.compare(left, right, x, training=training)
        # sums of at most 36 products, one after the other in at most five steps or layers
        assert report.ulp < 5 * 36, str(report)
        assert report.alone == ()
    targets = [np.zeros(tuple(one.shape), np.float32) for one in (y if isinstance(y, list | tuple) else [y])]
    targets = targets if isinstance(y, list | tuple) else targets[0]
    report = dn.compare(left, right, x, targets, loss="mse", training=True)
    trained = {
        path for path, variable in left.state_paths.items() if getattr(variable, "requires_grad", False)
    }
    assert trained <= {d.path for d in report.gradients}
    found = lockstep(left, x, targets, loss="mse", backends=BACKENDS, steps=1)
    assert found.fault is None, str(found)


def test_a_layer_that_one_side_has_no_need_of_is_named():
    """As a fused kernel of one backend has none of the layers inside."""

    class Halved(dn.Layer):
        def __init__(self):
            super().__init__()
            self.inner, self.half = L.Dense(3), L.Activation(lambda x: x / 2.0)

        def call(self, x):
            y = self.inner(x)
            return y * 0.5 if self.backend == "torch" else self.half(y)

    left = Halved().on("torch")
    left(STEPS)
    right = left.on("tensorflow")
    targets = np.zeros((4, 5, 3), np.float32)
    report = dn.compare(left, right, STEPS, targets, loss="mse")
    assert report.alone == ("half",)
    assert [d.path for d in report.layers] == ["inner", ""]
    assert "computed on one side only: half" in str(report)
    assert lockstep(left, STEPS, targets, loss="mse", backends=BACKENDS, steps=1).fault is None


def test_outputs_that_a_kernel_makes_of_each_other_have_the_gradients_of_the_loss_alone():
    """A kernel's last state may be its last output, or the other way round."""
    left = L.LSTM(4, return_sequences=True, return_state=True).on("torch")
    targets = [np.zeros(tuple(one.shape), np.float32) for one in left(STEPS)]
    report = dn.compare(left, left.on("tensorflow"), STEPS, targets, loss="mse")
    assert max(d.ulp for d in report.gradients) < 5 * 36, str(report)
