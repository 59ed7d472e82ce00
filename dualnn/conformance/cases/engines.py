"""Engines: however `fit` runs its steps, the weights are those of training written by hand.

The networks are the last one of `cases.training`, with a normalization and dropout; a convolution, tanh, the
maxima of windows and a softmax; and an LSTM (Hochreiter and Schmidhuber, 1997) whose last output goes into a
softmax. The backward pass through time is the chain rule, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

import dualnn as dn
from dualnn.conformance.case import Array, Case, TrajectoryCase
from dualnn.conformance.cases.training import (
    BATCHES,
    CLASSES,
    REASON,
    SAMPLES,
    Disturb,
    Network,
    Weights,
    by_fit,
    last_layer,
    reference_of,
)
from dualnn.conformance.references import WIDE, sigmoid, windows
from dualnn.protocol import Backend

SIZE, WINDOW, FILTERS = 6, 3, 2
LENGTH, FEATURES, UNITS = 4, 2, 3

_generator = np.random.default_rng(2)
IMAGES = _generator.normal(size=(SAMPLES, SIZE, SIZE, 1)).astype(np.float32)
SEQUENCES = _generator.normal(size=(SAMPLES, LENGTH, FEATURES)).astype(np.float32)


def _weights(shapes: dict[str, tuple[int, ...]]) -> Weights:
    generator = np.random.default_rng(3)
    return {name: (generator.normal(size=shape) / 2).astype(np.float32) for name, shape in shapes.items()}


class Convolutional(Network):
    """A convolution, tanh, the maxima of windows of 2 by 2, and a softmax."""

    @property
    def x(self) -> Array:
        """The samples."""
        return IMAGES

    def layers(self) -> list[Any]:
        """Return the layers."""
        convolution = dn.layers.Conv2D(FILTERS, WINDOW, activation="tanh")
        return [convolution, dn.layers.MaxPooling2D(), dn.layers.Flatten(), dn.layers.Dense(CLASSES)]

    def start(self) -> Weights:
        """Return the weights before the first step."""
        pooled = ((SIZE - WINDOW + 1) // 2) ** 2 * FILTERS
        kernel = (WINDOW, WINDOW, 1, FILTERS)
        return _weights({"K": kernel, "b": (FILTERS,), "W2": (pooled, CLASSES), "b2": (CLASSES,)})

    def gradients(self, w: Weights, x: Array, y: Array, step: int, d: Disturb) -> tuple[Weights, Weights]:
        """Return the gradients of the mean cross-entropy, and no moving statistics."""
        taken = windows(d(x), (WINDOW, WINDOW), (1, 1), "valid").reshape(-1, WINDOW * WINDOW)
        a = d(np.tanh(d(d(taken @ d(w["K"].reshape(-1, FILTERS))) + w["b"])))
        half = (SIZE - WINDOW + 1) // 2
        a = a.reshape(len(x), half, 2, half, 2, FILTERS)
        pooled = a.max(axis=(2, 4), keepdims=True)
        g, back = last_layer(w, pooled.reshape(len(x), -1), y, d)
        back = (a == pooled) * back.reshape(pooled.shape)
        back = d(back * d(1 - a**2)).reshape(-1, FILTERS)
        return {"K": d(taken.T @ back).reshape(w["K"].shape), "b": d(back.sum(axis=0)), **g}, {}


class Recurrent(Network):
    """An LSTM, and a softmax of its last output."""

    @property
    def x(self) -> Array:
        """The samples."""
        return SEQUENCES

    def layers(self) -> list[Any]:
        """Return the layers."""
        return [dn.layers.LSTM(UNITS), dn.layers.Dense(CLASSES)]

    def start(self) -> Weights:
        """Return the weights before the first step."""
        lstm = {"K": (FEATURES, 4 * UNITS), "R": (UNITS, 4 * UNITS), "b": (4 * UNITS,)}
        return _weights({**lstm, "W2": (UNITS, CLASSES), "b2": (CLASSES,)})

    def gradients(self, w: Weights, x: Array, y: Array, step: int, d: Disturb) -> tuple[Weights, Weights]:
        """Return the gradients of the mean cross-entropy, and no moving statistics."""
        h = c = np.zeros((len(x), UNITS), WIDE)
        kept = []
        for t in range(LENGTH):
            z = d(d(d(x[:, t] @ d(w["K"])) + d(h @ d(w["R"]))) + w["b"])
            i, f, g, o = np.split(z, 4, axis=1)
            i, f, g, o = d(sigmoid(i)), d(sigmoid(f)), d(np.tanh(g)), d(sigmoid(o))
            new = d(d(f * c) + d(i * g))
            root = d(np.tanh(new))
            kept.append((h, c, i, f, g, o, root))
            h, c = d(o * root), new
        gradients, d_h = last_layer(w, h, y, d)
        gradients |= {name: np.zeros_like(w[name]) for name in ("K", "R", "b")}
        d_c = np.zeros_like(d_h)
        for t, (h, c, i, f, g, o, root) in reversed([*enumerate(kept)]):
            d_c = d(d_c + d(d(d_h * o) * d(1 - root**2)))
            parts = (d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g**2))
            d_z = d(np.concatenate([*parts, d_h * root * o * (1 - o)], axis=1))
            gradients["K"] = d(gradients["K"] + d(x[:, t].T @ d_z))
            gradients["R"] = d(gradients["R"] + d(h.T @ d_z))
            gradients["b"] = d(gradients["b"] + d(d_z.sum(axis=0)))
            d_h, d_c = d(d_z @ w["R"].T), d(d_c * f)
        return gradients, {}


# ------------------------------------------------------------------ the cases

_SUMS = (
    "the gradient of a kernel is a sum of 256 products, whose rounding errors, of either sign, add up to 16"
)
# network: (what it is, the roundings, their reason)
NETWORKS: dict[str, tuple[Network, float, str]] = {
    "MLP, BatchNormalization, Dropout": (Network(normalized=True), 4, REASON),
    "CNN": (Convolutional(), 16, f"{_SUMS}; each is disturbed by as many"),
    "LSTM, Adam": (Recurrent(optimizer="Adam"), 4, REASON),
}
ENGINES = [("eager", False), ("step", False), ("epoch", False), ("step", True), ("epoch", True)]
IN_QUICK = ("MLP, BatchNormalization, Dropout", "epoch", "float32")
"""What is compiled to machine code at the quick level: that takes seconds for each."""


def _case(network: str, engine: str, jit: bool, dtype: str) -> Case:
    net, roundings, reason = NETWORKS[network]

    def run(nn: Backend, dtype: str, device: str, steps: int) -> Array:
        # the engine that runs whole epochs is one for as long as nobody looks in between
        return by_fit(net, "on_epoch_end", nn, dtype, device, steps, engine=engine, jit=jit)

    level: Literal["quick", "full"] = "full" if jit and (network, engine, dtype) != IN_QUICK else "quick"
    return TrajectoryCase(
        name="Model.fit",
        variant=", ".join([network, f"engine {engine}", *(["jit"] if jit else []), dtype]),
        run=run,
        reference=_REFERENCES[network],
        roundings=roundings,
        dtypes=(dtype,),
        level=level,
        reason=reason,
    )


_REFERENCES: dict[str, Callable[[int, Disturb], Array]] = {
    name: reference_of(net, BATCHES) for name, (net, _, _) in NETWORKS.items()
}
CASES: list[Case] = [
    _case(network, engine, jit, dtype)
    for network in NETWORKS
    for engine, jit in ENGINES
    for dtype in ("float32", "float64")
]
