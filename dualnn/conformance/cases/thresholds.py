"""Sizes on both sides of every threshold: where an adapter or the core goes another way for more numbers.

`THRESHOLDS` names each constant with the cases that lie on its two sides. A test finds the constants in the
source, so a new one without cases, or without a reason for having none, fails.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

import dualnn as dn
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.cases.layers import called
from dualnn.conformance.cases.neural import COUNTED
from dualnn.conformance.references import WIDE, numbers
from dualnn.protocol import Backend, Tensor

THRESHOLDS: dict[str, tuple[str, ...]] = {
    "dualnn_torch.neural._FAR": ("gelu: *",),
    "dualnn_torch.neural._MANY": ("max_pool2d: of * numbers*",),
    "dualnn_torch.indexing_functions._SMALL": ("take: of * ids*",),
    "dualnn_tf.indexing_functions._SMALL": ("take_along_axis: of * ids",),
    "dualnn_tf.control_flow.FEW": ("scan: * steps of * numbers*", "layers.SimpleRNN: * steps*"),
    "dualnn_tf.control_flow.SMALL": ("scan: * steps of * numbers*", "layers.SimpleRNN: * steps*"),
    "dualnn_tf.fused._LEAST_EPSILON": ("layers.BatchNormalization: training, epsilon *",),
    **{
        f"{adapter}.sums.{name}": patterns
        for adapter in ("dualnn_torch", "dualnn_tf")
        for name, patterns in {
            "MANY": ("*: * terms*",),
            "PIECES": ("*: * terms*",),
            "MANY_ROWS": ("layers.BatchNormalization: training, * rows", "*: 2,097,152 terms*"),
        }.items()
    },
    "dualnn_torch.graphs.MOST_BYTES_MADE": ("arange: of * numbers in a graph",),
    "dualnn_torch.engines.CACHED_NUMBERS": ("Model.predict: * samples of * numbers",),
    "dualnn_torch.engines.GRAPH_STEPS": ("Model.fit: *engine eager*", "Model.fit: *engine epoch*"),
    "dualnn_torch.engines.UNROLL": ("compile_loop: jit, 2 at once", "compile_loop: jit"),
    "dualnn.training.precision.GROWTH_STEPS": ("Model.fit: loss scale*",),
    "dualnn.training.precision.INITIAL_SCALE": ("Model.fit: loss scale*",),
    "dualnn.layers.random_layer.TABLE": ("layers.Random*", "layers.Gaussian*"),
    "dualnn.losses.EPSILON": ("losses.*clipped*",),
}
"""A constant of the source, and patterns of the cases on its two sides."""

NO_SIZES: dict[str, str] = {
    "dualnn_torch.engines.JIT_SECONDS": "chooses between engines, each of which is measured",
    "dualnn_torch.engines.JIT_SECONDS_A_LAYER": "likewise",
    "dualnn_torch.engines.JIT_SAVES_A_LAYER": "likewise",
    "dualnn_torch.engines.UNROLLED_STEPS": "likewise",
    "dualnn_tf.engines.JIT_BATCHES": "likewise",
    "dualnn_tf.engines.JIT_WORK_IN_A_LOOP": "likewise",
    "dualnn_torch.compilation.MOST_PROGRAMS": "how many programs are kept; the function itself runs beyond",
    "dualnn_torch.lstm_in_graphs._LSTM": "a name in torch's kernel",
    "dualnn_torch.memory._LARGEST_THAT_COUNTS": "what the allocator keeps",
    "dualnn_torch.exporting.MOST_BYTES": "of files, which hold the numbers as they are",
    "dualnn_tf.conversion._ALIGNMENT": "whether memory is shared or copied, to the same numbers",
    "dualnn.training.data.RESIDENT_BYTES": "whether data goes to a GPU as a whole",
    "dualnn.training.data._CHECKED_BYTES": "how much of the data a resumed run compares",
    "dualnn.training.bystanders._DEPTH": "how far functions of the user are looked for",
    "dualnn.training.compiled.MOST_KEPT": "how many functions are kept; others are made again",
    "dualnn.training.compiled.OFTEN": "chooses between engines, each of which is measured",
    "dualnn.training.compiled.FEW_STEPS": "likewise",
    "dualnn.layers.ids.NONE": "a mark that no id has",
    "dualnn.training.prefetch.PATIENCE": "seconds before a warning",
    "dualnn.training.prefetch.AHEAD": "how many batches wait",
    "dualnn.training.ahead.HEAD_START": "seconds",
    "dualnn.training.snapshot.VERSION": "of a file",
    "dualnn.saving.archive.VERSION": "of a file",
    "dualnn_tf.neural._SELU_ALPHA": "a constant of a formula",
    "dualnn_tf.neural._SELU_SCALE": "a constant of a formula",
    "dualnn.initializers._TRUNCATED_STDDEV": "a constant of a formula, measured with the initializers",
    "dualnn.exporting.CHECKED": "shapes of example inputs",
    "dualnn.exporting.BATCH": "of an example input",
    "dualnn.sklearn.estimator.PREDICTED_AT_ONCE": "a batch size of Model.predict",
    "dualnn.lockstep.COPIES": "of a reference's runs",
    "dualnn.lockstep.SECOND_LOOK": "likewise",
    "dualnn.lockstep.SAFETY": "a factor of a bound",
}
"""Constants that are no sizes beyond which numbers are computed in another way, and why."""


def _pool(shape: tuple[int, ...], size: tuple[int, int], strides: tuple[int, int]) -> FunctionCase:
    return FunctionCase(
        name="max_pool2d",
        variant=f"of {np.prod(shape):,} numbers, windows {size} every {strides}",
        run=lambda nn, x: nn.max_pool2d(x, pool_size=size, strides=strides, padding="valid"),
        reference=lambda x: _largest(x, size, strides),
        inputs=(np.random.default_rng(0).normal(size=shape),),
        roundings=0,
        derivatives=0,
        reason="no arithmetic that rounds",
        machine_code=True,
    )


def _largest(x: Array, size: tuple[int, int], strides: tuple[int, int]) -> Array:
    found = np.lib.stride_tricks.sliding_window_view(x, size, (1, 2))
    return np.max(found[:, :: strides[0], :: strides[1]], (-2, -1))


CASES: list[Case] = [
    _pool((1, height, 101, 2), size, strides)
    for height in (150, 210)
    for size, strides in (((2, 2), (2, 2)), ((2, 2), (1, 1)), ((2, 1), (2, 1)), ((1, 2), (3, 1)))
]


def _taken(count: int, columns: int, shape: tuple[int, ...] | None = None) -> FunctionCase:
    ids = np.random.default_rng(1).integers(-3, 3, shape or count)
    return FunctionCase(
        name="take",
        variant=f"of {count:,} ids, rows of {columns}{'' if shape is None else ', two axes'}",
        run=lambda nn, x, ids: nn.take(x, ids, axis=0),
        reference=lambda x, ids: np.take(x, ids, 0),
        inputs=(numbers(3, columns), ids),
        roundings=count,  # of the gradient, a sum of as many numbers
        derivatives=1,
        reason=f"{COUNTED}; gradients of the same row are added up",
    )


CASES += [_taken(count, 2) for count in (2_047, 2_049, 5_000)] + [_taken(5_000, 1, (50, 100))]


def _along(count: int) -> FunctionCase:
    ids = np.random.default_rng(2).integers(-3, 3, (2, count // 2))
    return FunctionCase(
        name="take_along_axis",
        variant=f"of {count:,} ids",
        run=lambda nn, x, ids: nn.take_along_axis(x, ids, axis=1),
        reference=lambda x, ids: np.take_along_axis(x, ids, 1),
        inputs=(numbers(2, 3), ids),
        roundings=count,
        derivatives=1,
        reason=f"{COUNTED}; gradients of the same place are added up",
    )


CASES += [_along(count) for count in (2**14 - 2, 2**14, 2**14 + 2)]

# ------------------------------------------------------------------ long sums

PIECE, LAST = 64, 1_024
"""How many terms are added one after the other, and from how many on a sum is not."""


def roundings_of_sum(n: int) -> int:
    """Return how many roundings a term of a long sum has behind it: 64 a level, and the last level's."""
    return min(n, LAST + PIECE * math.ceil(math.log(n, PIECE)))


_TERMS = (1_023, 1_024, 1_025, 5_000, 2**21)
# name: (function of (terms, 2), its reference, more roundings)
_OF_TERMS: dict[str, tuple[Any, Any, int]] = {
    "sum": (lambda nn, x: nn.sum(x, axis=0), lambda x: np.sum(x, 0), 0),
    "mean": (lambda nn, x: nn.mean(x, axis=0), lambda x: np.mean(x, 0), 2),
    "cumulative_sum": (lambda nn, x: nn.cumulative_sum(x, axis=0)[-1], lambda x: np.sum(x, 0), PIECE),
    "add": (
        lambda nn, x: nn.grad(lambda b: nn.sum((x + b) * x))(nn.zeros_like(x[0])),
        lambda x: np.sum(x, 0),
        1,
    ),
    "linear": (
        lambda nn, x: nn.grad(lambda b: nn.sum(nn.linear(x, nn.ones_like(x[:2]), b) * x))(
            nn.zeros_like(x[0])
        ),
        lambda x: np.sum(x, 0),
        1,
    ),
}


def _of_many(name: str, terms: int) -> FunctionCase:
    run, reference, more = _OF_TERMS[name]
    return FunctionCase(
        name=name,
        variant=f"{terms:,} terms",
        run=run,
        reference=reference,
        inputs=(np.random.default_rng(terms).uniform(0.5, 1.5, (terms, 2)),),
        roundings=roundings_of_sum(terms) + more,
        scale="ulp",
        derivatives=0,
        level="quick" if terms < 10_000 or name in ("mean", "add") else "full",
        reason="of one sign: 64 roundings in each of log(n) / log(64) levels, and those of the last one",
    )


CASES += [_of_many(name, terms) for name in _OF_TERMS for terms in _TERMS]


def _rows(rows: int) -> FunctionCase:
    def run(nn: Backend, x: Tensor, *weights: Tensor) -> Tensor:
        return called(dn.layers.BatchNormalization, nn, [x], list(weights), training=True)[0][:8]

    def reference(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
        center = x - x.mean(0)
        return (center / np.sqrt((center**2).mean(0) + WIDE("1e-3")) * gamma + beta)[:8]

    return FunctionCase(
        name="layers.BatchNormalization",
        variant=f"training, {rows:,} rows",
        run=run,
        reference=reference,
        inputs=(
            np.random.default_rng(rows).normal(100, 1, (rows, 2)),
            np.ones(2),
            np.zeros(2),
            np.zeros(2),
            np.ones(2),
        ),
        roundings=2 * roundings_of_sum(rows) + 10,
        scale="norm",
        derivatives=0,
        level="quick" if rows < 200_000 else "full",
        reason=f"{COUNTED}; long sums as in `roundings_of_sum`",
    )


CASES += [_rows(rows) for rows in (2**17, 2**17 + 1, 1_600_000)]

# ------------------------------------------------------------------ loops


def _scan(steps: int, size: int, reverse: bool = False, unroll: Any = None) -> FunctionCase:
    xs = np.random.default_rng(steps).uniform(-1, 1, (steps, 1))

    def run(nn: Any, x: Tensor, start: Tensor) -> Any:
        def step(carry: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
            new = carry * 0.5 + row
            return new, nn.sum(new)

        first = nn.broadcast_to(start, (size,))
        last, sums = nn.scan(step, first, x, reverse=reverse, unroll=unroll)
        return last[:2], sums

    def reference(x: Array, start: Array) -> Any:
        carry, sums = start[0], []
        for row in x[::-1] if reverse else x:
            carry = carry * WIDE(0.5) + row[0]
            sums.append(carry * size)
        return np.stack([carry, carry]), np.stack(sums[::-1] if reverse else sums)

    words = ", ".join(
        filter(None, ("reversed" if reverse else "", "" if unroll is None else f"unroll {unroll}"))
    )
    return FunctionCase(
        name="scan",
        variant=f"{steps} steps of {size} numbers{words and ', '}{words}",
        run=run,
        reference=reference,
        inputs=(xs, np.array([0.3])),
        roundings=2 + size,
        derivatives=1,
        by=(1,),
        reason=f"{COUNTED}; what came before is halved in each step",
        machine_code=(steps, size, words) == (65, 3, ""),
        level="quick" if steps < 90 and size < 600 else "full",
    )


CASES += [_scan(steps, size) for steps in (63, 64, 65, 90) for size in (3, 511, 512, 600)]
CASES += [
    _scan(65, 3, reverse=True),
    _scan(65, 3, unroll=True),
    _scan(20, 3, unroll=False),
    _scan(20, 3, reverse=True),
]


def _recurrent(steps: int, rows: int) -> FunctionCase:
    x = np.random.default_rng(steps).uniform(-1, 1, (rows, steps, 1))

    def reference(x: Array, k: Array, r: Array, b: Array) -> Array:
        h = np.zeros((rows, 2), x.dtype)
        for t in range(steps):
            h = np.tanh(x[:, t] @ k + h @ r + b)
        return h[:2]

    return FunctionCase(
        name="layers.SimpleRNN",
        variant=f"{steps} steps of {rows} samples",
        run=lambda nn, *given: called(lambda: dn.layers.SimpleRNN(2), nn, [given[0]], list(given[1:]))[0][:2],
        reference=reference,
        inputs=(x, numbers(1, 2) / 4, numbers(2, 2) / 8, np.array([0.2, -0.1])),
        roundings=4 * 10,
        derivatives=1,
        by=(1, 2, 3),
        reason=f"{COUNTED}, in a step: 3 + 2 + 1 + 4; of what came before a quarter is left after each",
    )


CASES += [_recurrent(steps, rows) for steps, rows in ((64, 2), (65, 2), (65, 300))]


# ------------------------------------------------------------------ an epsilon, and constants of graphs


def _normalized(epsilon: float) -> FunctionCase:
    def run(nn: Backend, x: Tensor, *weights: Tensor) -> Tensor:
        layer = functools.partial(dn.layers.BatchNormalization, epsilon=epsilon)
        return called(layer, nn, [x], list(weights), training=True)[0]

    def reference(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
        center = x - x.mean((0, 1, 2))
        return center / np.sqrt((center**2).mean((0, 1, 2)) + WIDE(epsilon)) * gamma + beta

    return FunctionCase(
        name="layers.BatchNormalization",
        variant=f"training, epsilon {epsilon:g}",
        run=run,
        reference=reference,
        inputs=(
            numbers(2, 2, 2, 2) / 100,  # a variance that epsilon counts beside
            np.array([0.8, -1.3]),
            np.array([0.3, 0.6]),
            np.zeros(2),
            np.ones(2),
        ),
        roundings=2 * 8 + 10,
        derivatives=1,
        by=(0, 1, 2),
        reason=COUNTED,
        machine_code=1e-6 < epsilon < 1e-4,
    )


CASES += [_normalized(epsilon) for epsilon in (1e-3, 1.002e-5, 1e-5, 1e-6)]


def _made(count: int) -> FunctionCase:
    def run(nn: Any, x: Tensor) -> Tensor:
        row = nn.arange(count, dtype=nn.dtype_name(x.dtype), device=nn.device(x))
        return nn.sum(row * x, axis=0, keepdims=True) + 2 * nn.sum(nn.where(row > count / 2, x, 0.0))

    return FunctionCase(
        name="arange",
        variant=f"of {count:,} numbers in a graph",
        run=run,
        reference=lambda x: np.sum(np.arange(count) * x) + 2 * x * np.sum(np.arange(count) > count / 2),
        inputs=(np.array([0.3]),),
        roundings=64,
        derivatives=1,
        reason="sums in pairs or blocks round about log2(n) times at the size of the sum, far below 64",
    )


CASES += [_made(count) for count in (2**17 - 2, 2**17 + 2, 2**18 - 2, 2**18 + 2)]

# ------------------------------------------------------------------ predictions in parts


def _predicted(samples: int, size: int, nn: Backend, dtype: str) -> dict[str, Any]:
    model = dn.Sequential([dn.layers.Activation("relu"), dn.layers.GlobalAveragePooling1D()])
    model = model.on(nn.name, dtype=dtype)
    model.compile("sgd", "mse")
    return {"outputs": nn.asarray(model.predict(_samples(samples, size), batch_size=samples, verbose=0))}


def _samples(samples: int, size: int) -> Array:
    rows = np.zeros((samples, 4, size // 4), np.float32)
    rows[..., ::7] = np.arange(samples)[:, None, None] - 2
    return rows


CASES += [
    ExactCase(
        name="Model.predict",
        variant=f"{samples} samples of {size:,} numbers",
        run=functools.partial(_predicted, samples, size),
        expected={"outputs": np.maximum(_samples(samples, size), 0)[:, 0]},
        dtypes=("float32",),
        reason="means of four equal numbers",
    )
    for samples, size in ((5, 40_000), (40, 40_000), (40, 60_000), (3_000, 400), (4_000, 400))
]
