"""NaN in composed layers: whatever a framework fuses, what depends on NaN is NaN.

A NaN comes in by one sample, or by one number of a weight. The answer is where the output is NaN: in all that
depends on it, in nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import dualnn as dn
from dualnn import layers, losses
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases.layers import called
from dualnn.protocol import Backend, Tensor

SAMPLES, UNITS = 3, 4
REASON = "IEEE 754: what is computed from NaN is NaN"

Maker = Callable[[], Any]


def _dense(*more: Any, activation: str | None = None) -> Maker:
    return lambda: dn.Sequential([layers.Dense(UNITS, activation=activation), *(make() for make in more)])


def _conv(*more: Any, activation: str | None = None) -> Maker:
    return lambda: dn.Sequential([layers.Conv2D(UNITS, 3, activation=activation), *(make() for make in more)])


_IMAGE, _ROW, _STEPS = (SAMPLES, 6, 6, 2), (SAMPLES, 5), (SAMPLES, 4, 2)
_ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "tanh",
    "sigmoid",
    "gelu",
    "silu",
    "hard_sigmoid",
    "softplus",
)

# name of what is fused: (variant, maker, shape of the input, whether of the first weights one makes one
# unit NaN)
_MADE: list[tuple[str, str, Maker, tuple[int, ...], bool]] = [
    *(("layers.Dense", f"NaN, {name}", _dense(activation=name), _ROW, True) for name in _ACTIVATIONS),
    *(
        (
            f"activations.{name}",
            "NaN, behind Dense",
            _dense(functools.partial(layers.Activation, name)),
            _ROW,
            True,
        )
        for name in _ACTIVATIONS
    ),
    (
        "layers.Dense",
        "NaN, relu, Dropout",
        _dense(lambda: layers.Dropout(0.5), activation="relu"),
        _ROW,
        True,
    ),
    ("layers.Dense", "NaN, without a bias", lambda: layers.Dense(UNITS, "relu", use_bias=False), _ROW, True),
    ("layers.Dense", "NaN, softmax", _dense(activation="softmax"), _ROW, False),
    ("activations.softmax", "NaN, behind Dense", _dense(lambda: layers.Activation("softmax")), _ROW, False),
    (
        "activations.log_softmax",
        "NaN, behind Dense",
        _dense(lambda: layers.Activation("log_softmax")),
        _ROW,
        False,
    ),
    (
        "layers.BatchNormalization",
        "NaN, Dense before, relu6 behind",
        _dense(layers.BatchNormalization, lambda: layers.Activation("relu6")),
        _ROW,
        True,
    ),
    (
        "layers.LayerNormalization",
        "NaN, Dense before, relu behind",
        _dense(layers.LayerNormalization, lambda: layers.Activation("relu")),
        _ROW,
        False,
    ),
    ("layers.Conv2D", "NaN, relu", _conv(layers.GlobalAveragePooling2D, activation="relu"), _IMAGE, True),
    ("layers.Conv2D", "NaN, relu6", _conv(layers.GlobalAveragePooling2D, activation="relu6"), _IMAGE, True),
    (
        "layers.Conv2D",
        "NaN, BatchNormalization, relu",
        _conv(layers.BatchNormalization, lambda: layers.Activation("relu"), layers.GlobalAveragePooling2D),
        _IMAGE,
        True,
    ),
    (
        "layers.AveragePooling2D",
        "NaN, behind Conv2D and relu",
        _conv(layers.AveragePooling2D, layers.GlobalAveragePooling2D, activation="relu"),
        _IMAGE,
        True,
    ),
    (
        "layers.MaxPooling2D",
        "NaN, behind Conv2D and relu",
        _conv(layers.MaxPooling2D, layers.GlobalAveragePooling2D, activation="relu"),
        _IMAGE,
        True,
    ),
    ("layers.SimpleRNN", "NaN", lambda: layers.SimpleRNN(UNITS), _STEPS, False),
    ("layers.SimpleRNN", "NaN, relu", lambda: layers.SimpleRNN(UNITS, activation="relu"), _STEPS, False),
    ("layers.LSTM", "NaN", lambda: layers.LSTM(UNITS), _STEPS, False),
    ("layers.GRU", "NaN", lambda: layers.GRU(UNITS), _STEPS, False),
    (
        "layers.MultiHeadAttention",
        "NaN, by itself",
        lambda: _Attending(),
        _STEPS,
        False,
    ),
]


class _Attending(dn.Layer):
    """Self-attention, relu and a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 2)
        self.head = layers.Dense(UNITS, activation="softmax")

    def call(self, x: Tensor) -> Tensor:
        """Return probabilities."""
        return self.head(self.nn.relu(self.attention(x, x)))


def _weights(make: Maker, shape: tuple[int, ...]) -> list[Array]:
    generator = np.random.default_rng(0)
    layer = make().on(dn.available()[0])
    layer(np.zeros(shape, np.float32))
    return [generator.uniform(0.1, 0.9, tuple(weight.shape)) for weight in layer.weights]


def _case(name: str, variant: str, make: Maker, shape: tuple[int, ...], of_unit: bool, where: str) -> Case:
    by_sample = where == "of a sample"

    def run(nn: Any, x: Tensor) -> Tensor:
        device, dtype = nn.device(x), nn.dtype_name(x.dtype)
        weights = [np.array(weight) for weight in _weights_of(make, shape)]
        if where == "of the kernel":
            weights[0][..., 1] = np.nan
        elif where == "of the bias":
            weights[1][..., 1] = np.nan
        native = [nn.asarray(weight, dtype=dtype, device=device) for weight in weights]
        y, _ = called(make, nn, [x], native)
        y = nn.reshape(y, (SAMPLES, -1, UNITS))
        return nn.astype(nn.isnan(y[:, -1, :]), dtype)

    def reference(x: Array) -> Array:
        found = np.zeros((SAMPLES, UNITS))
        if by_sample:
            found[1] = 1
        elif of_unit:
            found[:, 1] = 1
        else:
            found[:] = 1
        return found

    x = np.random.default_rng(1).uniform(0.1, 0.9, shape)
    if by_sample:
        x[(1, *[1] * (len(shape) - 1))] = np.nan
    return FunctionCase(
        name=name,
        variant=f"{variant}, {where}",
        run=run,
        reference=reference,
        inputs=(x,),
        roundings=0,
        derivatives=0,
        reason=REASON,
        machine_code=variant in ("NaN", "NaN, relu") and by_sample,
    )


@functools.cache
def _weights_of(make: Maker, shape: tuple[int, ...]) -> list[Array]:
    # in a thread of its own, as this one may be in the middle of compiling
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_weights, make, shape).result()


CASES: list[Case] = []
for _name, _variant, _make, _shape, _of_unit in _MADE:
    _has_bias = "without a bias" not in _variant
    for _where in ("of a sample", "of the kernel", *(("of the bias",) if _has_bias else ())):
        if _where == "of the bias" and _shape == _STEPS:
            continue  # the second weight there is the recurrent kernel, or another kernel
        CASES.append(_case(_name, _variant, _make, _shape, _of_unit, _where))

# ------------------------------------------------------------------ losses and metrics that are told so


def _after_relu(loss: str, nn: Any, y: Tensor) -> Tensor:
    targets = nn.asarray(np.ones((SAMPLES, UNITS)), dtype=nn.dtype_name(y.dtype), device=nn.device(y))
    if loss.startswith("Sparse"):
        targets = nn.asarray(np.ones(SAMPLES, np.int64), device=nn.device(y))
    value = getattr(losses, loss)(reduction="none")(targets, nn.relu(y))
    return nn.astype(nn.isnan(value), nn.dtype_name(y.dtype))


_WITH_NAN = np.full((SAMPLES, UNITS), 0.25)
_WITH_NAN[1, 2] = np.nan
_LOSSES = (
    "MeanSquaredError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "Huber",
    "LogCosh",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
    "KLDivergence",
    "Poisson",
    "Hinge",
    "SquaredHinge",
    "CosineSimilarity",
)
CASES += [
    FunctionCase(
        name=f"losses.{loss}",
        variant="NaN, behind relu",
        run=functools.partial(_after_relu, loss),
        reference=lambda y: np.array([0.0, 1.0, 0.0]),
        inputs=(_WITH_NAN,),
        roundings=0,
        derivatives=0,
        reason=REASON,
    )
    for loss in _LOSSES
]

# ------------------------------------------------------------------ models


def _model(settings: dict[str, Any], nn: Backend, dtype: str) -> dict[str, Tensor]:
    model = dn.Sequential([layers.Dense(UNITS, activation="relu"), layers.Dense(3, activation="softmax")])
    model = model.on(nn.name, dtype=dtype)
    model.compile("sgd", "sparse_categorical_crossentropy", **settings)
    x, y = np.ones((SAMPLES, 5), np.float32), np.ones(SAMPLES, np.int64)
    model.fit(x, y, epochs=0, verbose=0)
    first, *others = model.get_weights()
    first[1, 1] = np.nan
    model.set_weights([first, *others])
    found = {
        "predict": bool(np.all(np.isnan(model.predict(x, verbose=0)))),
        "evaluate": bool(np.isnan(model.evaluate(x, y, verbose=0, return_dict=True)["loss"])),
        "fit": bool(np.isnan(model.fit(x, y, epochs=2, verbose=0).history["loss"][-1])),
    }
    return {question: nn.asarray(answer) for question, answer in found.items()}


CASES += [
    ExactCase(
        name="Model.fit",
        variant=f"NaN in a weight before relu, {', '.join(f'{k} {v}' for k, v in settings.items())}",
        run=functools.partial(_model, settings),
        expected={"predict": True, "evaluate": True, "fit": True},
        dtypes=("float32",),
        level="full" if settings.get("jit") else "quick",
        reason=REASON,
    )
    for settings in (
        {"engine": "eager"},
        {"engine": "step", "jit": False},
        {"engine": "epoch", "jit": False},
        {"engine": "step", "jit": True},
        {"engine": "epoch", "jit": True},
    )
]
