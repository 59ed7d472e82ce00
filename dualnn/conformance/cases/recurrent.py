"""Loops and the recurrent layers, with masks and both by the fused kernels and by the formulas.

A layer's weights are inputs of the case, as in `cases.layers`. References: the formulas of the docstrings,
step by step and gate by gate.

Roundings: a step takes one for each number of a product's sum, each sum of two and each product, and 4 for an
elementary function; what a step makes of the numbers before is in the sensitivities. n steps take n times as
many.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from dualnn import layers
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases.layers import called
from dualnn.conformance.cases.neural import COUNTED
from dualnn.conformance.references import WIDE, numbers, sigmoid
from dualnn.fast_paths import generic
from dualnn.layers import Layer
from dualnn.protocol import Backend, Tensor

BATCH, STEPS, FEATURES, UNITS = 2, 3, 1, 2
MASK = np.array([[True, True, False], [False, True, True]])


class _With(Layer):
    """A layer that is called with options."""

    def __init__(self, layer: Layer, options: dict[str, Any]) -> None:
        super().__init__()
        self.layer, self.options = layer, options

    def call(self, x: Tensor) -> Any:
        return self.layer(x, **self.options)


def case(
    name: str,
    variant: str,
    make: Callable[[], Layer],
    reference: Callable[..., Any],
    inputs: tuple[Array, ...],
    roundings: float,
    *,
    given: int = 1,
    by_formula: bool = False,
    options: dict[str, Any] | None = None,
    derivatives: Any = 2,
) -> FunctionCase:
    """Return the case of a layer of which the first inputs are its own, and the others its weights.

    Args:
        name: the layer's name.
        variant: what is particular.
        make: a function that makes the layer.
        reference: of the inputs and the weights.
        inputs: both.
        roundings: how many lead to a result.
        given: how many of them are the layer's.
        by_formula: whether fused kernels are left aside.
        options: what else the layer is called with.
        derivatives: how many are measured.
    """

    def maker() -> Layer:
        return make() if options is None else _With(make(), options)

    def run(nn: Backend, *x: Tensor) -> Any:
        with generic() if by_formula else nullcontext():
            return called(maker, nn, list(x[:given]), list(x[given:]))[0]

    return FunctionCase(
        name=f"layers.{name}",
        variant=", ".join(filter(None, (variant, "by the formula" if by_formula else ""))),
        run=run,
        reference=reference,
        inputs=inputs,
        roundings=roundings,
        derivatives=derivatives,
        reason=COUNTED,
    )


# ------------------------------------------------------------------ references

Step = Callable[..., tuple[Array, ...]]
"""From one step's input, the states and the weights to the new states, the first of which is the output."""


def _simple_rnn(x: Array, states: tuple[Array, ...], weights: tuple[Array, ...]) -> tuple[Array, ...]:
    kernel, recurrent, bias = weights
    return (np.tanh(x @ kernel + states[0] @ recurrent + bias),)


def _simple_rnn_of_relu(x: Array, states: tuple[Array, ...], weights: tuple[Array, ...]) -> tuple[Array, ...]:
    kernel, recurrent, bias = weights
    return (np.maximum(x @ kernel + states[0] @ recurrent + bias, 0),)


def _lstm(x: Array, states: tuple[Array, ...], weights: tuple[Array, ...]) -> tuple[Array, ...]:
    (h, c), (kernel, recurrent, bias) = states, weights
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def _gru(x: Array, states: tuple[Array, ...], weights: tuple[Array, ...]) -> tuple[Array, ...]:
    (h,), (kernel, recurrent, bias) = states, weights
    x_z, x_r, x_g = np.split(x @ kernel + bias[0], 3, axis=-1)
    h_z, h_r, h_g = np.split(h @ recurrent + bias[1], 3, axis=-1)
    z = sigmoid(x_z + h_z)
    return (z * h + (1 - z) * np.tanh(x_g + sigmoid(x_r + h_r) * h_g),)


def _gru_of_the_paper(x: Array, states: tuple[Array, ...], weights: tuple[Array, ...]) -> tuple[Array, ...]:
    (h,), (kernel, recurrent, bias) = states, weights
    x_z, x_r, x_g = np.split(x @ kernel + bias, 3, axis=-1)
    r_z, r_r, r_g = np.split(recurrent, 3, axis=-1)
    z, r = sigmoid(x_z + h @ r_z), sigmoid(x_r + h @ r_r)
    return (z * h + (1 - z) * np.tanh(x_g + (r * h) @ r_g),)


def through(
    step: Step,
    x: Array,
    weights: tuple[Array, ...],
    states: int = 1,
    *,
    mask: Array | None = None,
    backwards: bool = False,
    zero: bool = False,
) -> tuple[Array, tuple[Array, ...]]:
    """Return all outputs (batch, steps, units) and the last states of sequences."""
    now = tuple(np.zeros((len(x), UNITS), WIDE) for _ in range(states))
    before = output = np.zeros((len(x), UNITS), WIDE)
    outputs = []
    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        counts = np.ones((len(x), 1), bool) if mask is None else mask[:, t, None]
        after = step(x[:, t], now, weights)
        now = tuple(np.where(counts, new, old) for new, old in zip(after, now, strict=True))
        output = np.where(counts, after[0], before if zero else output)
        outputs.append(output)
    return np.stack(outputs, axis=1), now


def outputs_and_states(
    step: Step, x: Array, weights: tuple[Array, ...], states: int, **how: Any
) -> tuple[Array, ...]:
    """Return in one tuple what `through` returns."""
    outputs, after = through(step, x, weights, states, **how)
    return outputs, *after


# ------------------------------------------------------------------ the layers

_PRODUCTS = FEATURES + 1 + UNITS + 1
"""Roundings of ``x @ kernel + bias + h @ recurrent_kernel``."""

# The state's numbers must not be at the end of tanh and sigmoid, where they say nothing of the weights.
_X = numbers(BATCH, STEPS, FEATURES) / 2


def _weights(gates: int, biases: int = 1) -> tuple[Array, Array, Array]:
    bias = numbers(biases, gates * UNITS, seed=3) / 3
    return (
        numbers(FEATURES, gates * UNITS) / 3,
        numbers(UNITS, gates * UNITS, seed=2) / 3,
        bias[0] if biases == 1 else bias,
    )


# name, variant: (the layer, its settings, a step, the number of states, the weights, roundings of a step)
_LAYERS: dict[tuple[str, str], tuple[Any, dict[str, Any], Step, int, tuple[Array, ...], float]] = {
    ("SimpleRNN", ""): (layers.SimpleRNN, {}, _simple_rnn, 1, _weights(1), _PRODUCTS + 4),
    ("SimpleRNN", "relu"): (
        layers.SimpleRNN,
        {"activation": "relu"},
        _simple_rnn_of_relu,
        1,
        _weights(1),
        _PRODUCTS,
    ),
    # two sigmoids and tanh, two products and a sum, tanh and a product
    ("LSTM", ""): (layers.LSTM, {}, _lstm, 2, _weights(4), _PRODUCTS + 8 + 4 + 3 + 4 + 4 + 1),
    # another bias; two sigmoids, a product, a sum and tanh; 1 - z, two products and a sum
    ("GRU", ""): (layers.GRU, {}, _gru, 1, _weights(3, 2), _PRODUCTS + 1 + 8 + 2 + 4 + 4),
    # the second product is of the first one's results
    ("GRU", "reset before"): (
        layers.GRU,
        {"reset_after": False},
        _gru_of_the_paper,
        1,
        _weights(3),
        2 * _PRODUCTS + 8 + 1 + 4 + 4,
    ),
}


def _cases_of(key: tuple[str, str]) -> list[Case]:
    name, variant = key
    layer, settings, step, states, weights, roundings = _LAYERS[key]

    def one(
        what: str,
        reference: Callable[..., Any],
        by_formula: bool,
        options: Any = None,
        derivatives: int = 1,
        **more: Any,
    ) -> Case:
        return case(
            name,
            ", ".join(filter(None, (variant, what))),
            lambda: layer(UNITS, **settings, **more),
            reference,
            (_X, *weights),
            STEPS * roundings,
            by_formula=by_formula,
            options=options,
            derivatives=derivatives,
        )

    def last(x: Array, *w: Array) -> Array:
        return through(step, x, w, states)[0][:, -1]

    def everything(x: Array, *w: Array, **how: Any) -> tuple[Array, ...]:
        return outputs_and_states(step, x, w, states, **how)

    settings_of_everything = {"return_sequences": True, "return_state": True}
    kernels = [False, True] if settings.get("reset_after", True) else [False]
    return [
        # second derivatives are those of the formula, kernels or not
        *(
            one("", last, by_formula, derivatives=2 if by_formula == kernels[-1] else 1)
            for by_formula in kernels
        ),
        one(
            "sequences, states, backwards",
            functools.partial(everything, backwards=True),
            False,
            go_backwards=True,
            **settings_of_everything,
        ),
        one(
            "mask",
            functools.partial(everything, mask=MASK),
            False,
            {"mask": MASK},
            unroll=True,
            **settings_of_everything,
        ),
    ]


class _Decay(Layer):
    """A cell: half of the state, and the input."""

    state_size = UNITS

    def call(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, Tensor]:
        h = states[0] * 0.5 + x
        return h, h


def _in_both_directions(x: Array, *weights: Array) -> tuple[Array, Array]:
    forward = through(_gru, x, weights[:3], mask=MASK, zero=True)[0]
    backward = through(_gru, x, weights[3:], mask=MASK, backwards=True, zero=True)[0]
    return forward, backward[:, ::-1]


_MERGES: dict[Any, Callable[[Array, Array], Any]] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    None: lambda a, b: (a, b),
}


def _bidirectional(mode: str | None, merge: Callable[[Array, Array], Any]) -> Case:
    return case(
        "Bidirectional",
        str(mode),
        lambda: layers.Bidirectional(layers.GRU(UNITS, return_sequences=True), merge_mode=mode),
        lambda x, *w: merge(*_in_both_directions(x, *w)),
        (_X, *_weights(3, 2), *(0.8 * w for w in _weights(3, 2))),
        STEPS * _LAYERS["GRU", ""][5] + 2,
        options={"mask": MASK},
        derivatives=1 if mode == "concat" else 0,
    )


CASES: list[Case] = [
    *(one for key in _LAYERS for one in _cases_of(key)),
    case(
        "RNN",
        "",
        lambda: layers.RNN(_Decay(), return_sequences=True),
        lambda x: through(lambda x, h, w: (h[0] / 2 + x,), x, ())[0],
        (numbers(2, 3, UNITS),),
        STEPS * 2,
    ),
    *(_bidirectional(mode, merge) for mode, merge in _MERGES.items()),
    case(
        "TimeDistributed",
        "",
        lambda: layers.TimeDistributed(layers.Dense(UNITS)),
        lambda x, kernel, bias: x @ kernel + bias,
        (_X, numbers(FEATURES, UNITS), numbers(UNITS)),
        FEATURES + 1,
    ),
    case(
        "Masking",
        "",
        layers.Masking,
        # by the mask, as a difference of inputs would move the zeros
        lambda x: np.where(MASK[..., None], x, 0),
        (np.where(MASK[..., None], _X, 0),),
        0,
        derivatives=1,
    ),
    case(
        "GlobalAveragePooling1D",
        "",
        layers.GlobalAveragePooling1D,
        lambda x: x.mean(axis=1),
        (_X,),
        STEPS + 1,
    ),
    case(
        "GlobalAveragePooling1D",
        "mask",
        layers.GlobalAveragePooling1D,
        lambda x: np.where(MASK[..., None], x, 0).sum(axis=1) / MASK.sum(axis=1)[:, None],
        (_X,),
        STEPS + 1,
        options={"mask": MASK},
    ),
]


# ------------------------------------------------------------------ loops and kernels


def _scanned(nn: Backend, x: Tensor, w: Tensor, reverse: bool) -> Any:
    def step(carry: dict[str, Tensor], x: Tensor) -> tuple[dict[str, Tensor], tuple[Tensor, None]]:
        h = nn.tanh(carry["h"] * w + x)
        return {"h": h}, (h * h, None)

    last, (outputs, _) = nn.scan(step, {"h": nn.zeros_like(w)}, x, reverse=reverse)
    return last["h"], outputs


def _scan_reference(x: Array, w: Array, reverse: bool) -> Any:
    h, outputs = np.zeros_like(w), np.zeros_like(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        h = np.tanh(h * w + x[t])
        outputs[t] = h * h
    return h, outputs


def _kernel(name: str, step: Step, states: int, weights: tuple[Array, ...], roundings: float) -> FunctionCase:
    options = {"activation": "tanh"} if name == "simple_rnn" else {}

    def run(nn: Any, x: Tensor, *weights: Tensor) -> Any:
        kernel = getattr(nn, name)
        zeros = nn.zeros((BATCH, UNITS), dtype=x.dtype, device=nn.device(x))
        return kernel(x, *[zeros] * states, *weights, **options)

    return FunctionCase(
        name=name,
        run=run,
        reference=lambda x, *w: outputs_and_states(step, x, w, states),
        inputs=(_X, *weights),
        roundings=STEPS * roundings,
        derivatives=1,
        reason=COUNTED,
    )


CASES += [
    *(
        FunctionCase(
            name="scan",
            variant="reverse" if reverse else "",
            run=lambda nn, x, w, reverse=reverse: _scanned(nn, x, w, reverse),
            reference=lambda x, w, reverse=reverse: _scan_reference(x, w, reverse),
            inputs=(numbers(STEPS, 2) / 2, numbers(2) / 2),
            roundings=STEPS * (2 + 4) + 1,
            reason=COUNTED,
        )
        for reverse in (False, True)
    ),
    FunctionCase(
        name="split",
        run=lambda nn, x: nn.split(x, 2, axis=-1),
        reference=lambda x: tuple(np.split(x, 2, axis=-1)),
        inputs=(numbers(2, 4),),
        roundings=0,
        scale="ulp",
        derivatives=1,
        reason="numbers are moved",
    ),
    *(
        _kernel(name, step, states, weights, roundings)
        for name, (_, _, step, states, weights, roundings) in {
            "simple_rnn": _LAYERS["SimpleRNN", ""],
            "lstm": _LAYERS["LSTM", ""],
            "gru": _LAYERS["GRU", ""],
        }.items()
    ),
]


# ------------------------------------------------------------------ masks of dropout


def _dropped(nn: Backend, dtype: str) -> dict[str, Tensor]:
    # Of the identity as kernel and without recurrence the outputs are the inputs, dropped.
    layer = layers.SimpleRNN(
        4,
        activation="linear",
        kernel_initializer="identity",
        recurrent_initializer="zeros",
        dropout=0.5,
        seed=0,
        return_sequences=True,
    ).on(nn.name, dtype=dtype)
    outputs = layer(nn.ones((2, 3, 4)), training=True)
    once = layers.Dropout(0.5, seed=0).on(nn.name, dtype=dtype)(nn.ones((2, 4)), training=True)
    return {
        "the same at all steps": nn.all(nn.equal(outputs, outputs[:, :1])),
        "as layers.Dropout": nn.all(nn.equal(outputs[:, 0], once)),
    }


CASES.append(
    ExactCase(
        name="layers.SimpleRNN",
        variant="masks of dropout",
        run=_dropped,
        expected={"the same at all steps": True, "as layers.Dropout": True},
        reason="Gal and Ghahramani (2016): one mask for all steps of a sequence; the mask of `Dropout`",
    )
)
