"""The models that are measured, each written once, for dualnn and for Keras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BenchmarkModel:
    """A model, and what it is trained on.

    Attributes:
        build: makes the model of a library, `dualnn` or `keras`: their layers have the same names.
        input_shape: the shape of one sample.
        classes: the number of outputs, which are logits.
        batch_size: samples a step, unless another number is asked for.
        steps: steps an epoch.
    """

    build: Callable[[Any], Any]
    input_shape: tuple[int, ...]
    classes: int
    batch_size: int
    steps: int


def _mlp(hidden: int, classes: int) -> Callable[[Any], Any]:
    def build(lib: Any) -> Any:
        return lib.Sequential(
            [lib.layers.Dense(hidden, activation="relu"), lib.layers.Dense(classes)],
        )

    return build


def _cnn(lib: Any) -> Any:
    return lib.Sequential(
        [
            lib.layers.Conv2D(32, 3, activation="relu"),
            lib.layers.MaxPooling2D(),
            lib.layers.Conv2D(64, 3, activation="relu"),
            lib.layers.MaxPooling2D(),
            lib.layers.Flatten(),
            lib.layers.Dense(10),
        ]
    )


def _cnn_batch_norm(lib: Any) -> Any:
    return lib.Sequential(
        [
            lib.layers.Conv2D(32, 3),
            lib.layers.BatchNormalization(),
            lib.layers.Activation("relu"),
            lib.layers.MaxPooling2D(),
            lib.layers.Conv2D(64, 3),
            lib.layers.BatchNormalization(),
            lib.layers.Activation("relu"),
            lib.layers.MaxPooling2D(),
            lib.layers.Flatten(),
            lib.layers.Dense(10),
        ]
    )


def _lstm(lib: Any) -> Any:
    return lib.Sequential([lib.layers.LSTM(64), lib.layers.Dense(10)])


def _transformer(lib: Any) -> Any:
    """One encoder block, normalized after its residual sums."""
    inputs = lib.Input((28, 28))
    x = lib.layers.Dense(64)(inputs)
    attended = lib.layers.MultiHeadAttention(num_heads=4, key_dim=16)(x, x)
    x = lib.layers.LayerNormalization()(lib.layers.Add()([x, attended]))
    transformed = lib.layers.Dense(64)(lib.layers.Dense(128, activation="relu")(x))
    x = lib.layers.LayerNormalization()(lib.layers.Add()([x, transformed]))
    return lib.Model(inputs, lib.layers.Dense(10)(lib.layers.GlobalAveragePooling1D()(x)))


MODELS = {
    "mlp-4-16-3": BenchmarkModel(_mlp(16, 3), (4,), 3, batch_size=16, steps=100),
    "mlp-784-128-10": BenchmarkModel(_mlp(128, 10), (784,), 10, batch_size=32, steps=300),
    "cnn": BenchmarkModel(_cnn, (28, 28, 1), 10, batch_size=64, steps=40),
    "cnn-batch-norm": BenchmarkModel(_cnn_batch_norm, (28, 28, 1), 10, batch_size=64, steps=40),
    "lstm": BenchmarkModel(_lstm, (28, 28), 10, batch_size=32, steps=40),
    "transformer": BenchmarkModel(_transformer, (28, 28), 10, batch_size=32, steps=40),
}
"""The models by name. Images and sequences are as large as MNIST's."""

QUICK = ("mlp-4-16-3", "mlp-784-128-10")
"""The models of a run that names none."""
