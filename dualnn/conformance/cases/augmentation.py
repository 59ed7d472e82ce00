"""The layers that disturb their input in training, by the random numbers that they draw on NumPy.

Of images a reference is the sum of all pixels, those beyond the image padded by NumPy, each with the weight
that bilinear interpolation gives it, ``max(0, 1 - distance)`` along either axis.
"""

# NumPy's types know little of longdouble: its arithmetic is Any to them.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dualnn import layers, random
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.conformance.references import PI, WIDE, numbers
from dualnn.layers import Layer, tree
from dualnn.layers.random_layer import _normal_quantiles
from dualnn.protocol import Backend, Tensor

SEED = 7
KEY = random.key(SEED, "draw")
IMAGES = numbers(3, 3, 4, 2)
BATCH, HEIGHT, WIDTH, _ = IMAGES.shape
PADDING = 12
Maker = Callable[[], Layer]


def _words(draw: int, count: int) -> Array:
    words: Array = random.bits(np, random.key(SEED, "draw", draw), 0, (count,))  # type: ignore[arg-type]
    return words


# ------------------------------------------------------------------ images between their pixels

_PADS: dict[str, Any] = {"reflect": "symmetric", "wrap": "wrap", "constant": "constant", "nearest": "edge"}


def _weights(positions: Array, size: int, interpolation: str) -> Array:
    """Return the weight of each padded pixel along an axis, (..., size + 2 * PADDING)."""
    distance = np.abs(positions[..., None] - np.arange(-PADDING, size + PADDING))
    if interpolation == "nearest":
        return (distance < 0.5).astype(WIDE)
    return np.maximum(0, 1 - distance)


def _read(images: Array, rows: Array, columns: Array, options: dict[str, Any]) -> Array:
    """Return images at positions (batch, height, width), by the options of a layer."""
    mode, interpolation = options.get("fill_mode", "reflect"), options.get("interpolation", "bilinear")
    value: dict[str, Any] = {"constant_values": options.get("fill_value", 0.0)} if mode == "constant" else {}
    margin = (PADDING, PADDING)
    padded = np.pad(images, [(0, 0), margin, margin, (0, 0)], mode=_PADS[mode], **value)
    rows, columns = np.broadcast_arrays(rows, columns)
    by_row = _weights(rows, HEIGHT, interpolation)
    by_column = _weights(columns, WIDTH, interpolation)
    return np.einsum("nhwi,nhwj,nijc->nhwc", by_row, by_column, padded)


_ROWS, _COLUMNS = (
    np.arange(HEIGHT, dtype=WIDE).reshape(1, -1, 1),
    np.arange(WIDTH, dtype=WIDE).reshape(1, 1, -1),
)
_DOWN, _RIGHT = _ROWS - WIDE(HEIGHT - 1) / 2, _COLUMNS - WIDE(WIDTH - 1) / 2


def _between(low: float, high: float, which: int) -> Array:
    """Return the first or the second number of each image, of 24 bits, between two bounds."""
    words = _words(0, 2 * BATCH).view(np.uint64).reshape(BATCH, 2)
    fractions = (words[:, which] >> np.uint64(40)).astype(WIDE) / 2**24
    return (WIDE(low) + (WIDE(high) - WIDE(low)) * fractions).reshape(-1, 1, 1)


def _translated(down: Array, right: Array) -> tuple[Array, Array]:
    return _ROWS - HEIGHT * down, _COLUMNS - WIDTH * right


def _zoomed(taller: Array, wider: Array) -> tuple[Array, Array]:
    return _ROWS + taller * _DOWN, _COLUMNS + wider * _RIGHT


def _rotated(low: float, high: float) -> tuple[Array, Array]:
    share = ((_words(0, BATCH) & 0xFFFF).astype(WIDE) + WIDE("0.5")) / 2**16
    angle = (2 * PI * (WIDE(low) + (WIDE(high) - WIDE(low)) * share)).reshape(-1, 1, 1)
    rows = _ROWS - _DOWN + np.sin(angle) * _RIGHT + np.cos(angle) * _DOWN
    return rows, _COLUMNS - _RIGHT + np.cos(angle) * _RIGHT - np.sin(angle) * _DOWN


# name: (arguments, options, where the images are read)
_MOVES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[Array, Array]]] = [
    ("RandomTranslation", (0.5, 0.75), {}, _translated(_between(-0.5, 0.5, 0), _between(-0.75, 0.75, 1))),
    *(
        (
            "RandomTranslation",
            ((-1.0, 0.25), 0.5),
            options,
            _translated(_between(-1.0, 0.25, 0), _between(-0.5, 0.5, 1)),
        )
        for options in (
            {"fill_mode": "wrap"},
            {"fill_mode": "nearest"},
            {"fill_mode": "constant", "fill_value": 0.75},
            {"interpolation": "nearest"},
            {"fill_mode": "constant", "interpolation": "nearest"},
        )
    ),
    ("RandomRotation", (0.25,), {}, _rotated(-0.25, 0.25)),
    ("RandomRotation", ((0.125, 0.5),), {"fill_mode": "constant"}, _rotated(0.125, 0.5)),
    ("RandomRotation", (1.0,), {"fill_mode": "wrap", "interpolation": "nearest"}, _rotated(-1.0, 1.0)),
    ("RandomZoom", (0.5,), {}, _zoomed(_between(-0.5, 0.5, 0), _between(-0.5, 0.5, 0))),
    (
        "RandomZoom",
        ((0.0, 1.0), -0.5),
        {"fill_mode": "wrap"},
        _zoomed(_between(0.0, 1.0, 0), _between(-0.5, 0.5, 1)),
    ),
]
FARTHEST = 10  # pixels from the image's corner; a translation by its whole height, or twice its size
MOVED = """positions of up to 10 pixels are rounded at most 6 times along each axis, which moves the result by
as many parts of the difference of two pixels, at most twice the largest; two interpolations round 6 times"""


@functools.cache
def _built(make: Maker, backend: str, device: str, dtype: str) -> Layer:
    layer: Layer = make().on(backend, device=device, dtype=dtype)
    # In a thread of its own, as this one may be in the middle of compiling, where no variable can be made.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(layer, IMAGES).result()
    return layer


def _first_draw(make: Maker, nn: Backend, x: Tensor) -> Tensor:
    """Return what a layer makes of images in its first step of training, at each call."""
    layer = _built(make, nn.name, nn.device(x), nn.dtype_name(x.dtype))
    state = [nn.asarray(np.asarray(number, np.int64), device=nn.device(x)) for number in (KEY, 0)]
    with tree.bound(tree.slots(layer), state):
        return layer(x, training=True)


def _moved(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], positions: tuple[Array, Array]
) -> FunctionCase:
    make = functools.partial(getattr(layers, name), *arguments, seed=SEED, **options)
    return FunctionCase(
        name=f"layers.{name}",
        variant=", ".join([*map(str, arguments), *(f"{name} {value}" for name, value in options.items())]),
        run=functools.partial(_first_draw, make),
        reference=lambda x: _read(x, *positions, options),
        inputs=(IMAGES,),
        roundings=2 * 6 * FARTHEST * 2 + 6,
        scale="norm",
        derivatives=1,
        reason=MOVED,
        level="full" if options else "quick",
    )


CASES: list[Case] = [_moved(*move) for move in _MOVES]

# ------------------------------------------------------------------ flips and noise

FLIPS = """the coins of dualnn.random on NumPy, by their number; pixels are only moved"""
NOISE = """each number is the sum of two quantiles, chosen by 16 bits each: rounded once, however compiled"""


def _three_calls(make: Maker, x: Array) -> Callable[[Backend, str], dict[str, Tensor]]:
    def run(nn: Backend, dtype: str) -> dict[str, Tensor]:
        layer = make().on(nn.name, dtype=dtype)
        tensor = nn.asarray(x, dtype=dtype)
        inferred = layer(tensor)
        first, second = layer(tensor, training=True), layer(tensor, training=True)
        gradient = nn.grad(lambda x: nn.sum(layer(x, training=True)))(tensor)
        return {
            "inference": inferred,
            "first": first,
            "second": second,
            "gradient": gradient,
            "drawn": layer.drawn,
        }

    return run


def _flip(mode: str, axes: tuple[int, ...]) -> ExactCase:
    def flipped(draw: int) -> Array:
        key = random.key(SEED, "draw", draw)
        coins: Array = random.bernoulli_mask(np, key, (BATCH, 1, 1, 1), 0.5)  # type: ignore[arg-type]
        return np.where(coins, np.flip(IMAGES, axes), IMAGES)

    return ExactCase(
        name="layers.RandomFlip",
        variant=mode,
        run=_three_calls(functools.partial(layers.RandomFlip, mode, seed=SEED), IMAGES),
        expected=lambda dtype: {
            "inference": IMAGES.astype(dtype),
            "first": flipped(0).astype(dtype),
            "second": flipped(1).astype(dtype),
            "gradient": np.ones_like(IMAGES),
            "drawn": 3,
        },
        reason=FLIPS,
    )


def _noise(draw: int, shape: tuple[int, ...], stddev: float, dtype: str) -> Array:
    """Return normal numbers: the low halves of all words first, then the high ones."""
    size = math.prod(shape)
    parts = _words(draw, (size + 1) // 2).view(np.uint64)[:, None] >> np.arange(0, 64, 16, dtype=np.uint64)
    table = (stddev / math.sqrt(2) * _normal_quantiles()).astype(dtype)
    quantiles = table[(parts & np.uint64(0xFFFF)).astype(np.int64)]
    sums = np.concatenate([quantiles[:, 0] + quantiles[:, 1], quantiles[:, 2] + quantiles[:, 3]])
    return sums[:size].reshape(shape)


_X = numbers(3, 5)


def _added(dtype: str) -> dict[str, Any]:
    x = _X.astype(dtype)
    first, second = (x + _noise(draw, x.shape, 0.25, dtype) for draw in range(2))
    return {"inference": x, "first": first, "second": second, "gradient": np.ones_like(x), "drawn": 3}


def _multiplied(dtype: str) -> dict[str, Any]:
    x = _X.astype(dtype)
    factors = [1 + _noise(draw, x.shape, math.sqrt(0.2 / (1 - 0.2)), dtype) for draw in range(3)]
    return {
        "inference": x,
        "first": x * factors[0],
        "second": x * factors[1],
        "gradient": factors[2],
        "drawn": 3,
    }


CASES += [
    _flip("horizontal", (2,)),
    _flip("vertical", (1,)),
    _flip("horizontal_and_vertical", (1, 2)),
    ExactCase(
        name="layers.GaussianNoise",
        run=_three_calls(functools.partial(layers.GaussianNoise, 0.25, seed=SEED), _X),
        expected=_added,
        reason=NOISE,
    ),
    ExactCase(
        name="layers.GaussianDropout",
        run=_three_calls(functools.partial(layers.GaussianDropout, 0.2, seed=SEED), _X),
        expected=_multiplied,
        reason=NOISE,
    ),
]

# ------------------------------------------------------------------ empty batches

_EMPTY: dict[str, Maker] = {
    "RandomFlip": layers.RandomFlip,
    "RandomTranslation": functools.partial(layers.RandomTranslation, 0.5, 0.5),
    "RandomRotation": functools.partial(layers.RandomRotation, 0.5),
    "RandomZoom": functools.partial(layers.RandomZoom, 0.5),
    "GaussianNoise": functools.partial(layers.GaussianNoise, 0.5),
    "GaussianDropout": functools.partial(layers.GaussianDropout, 0.5),
}


def _empty(name: str) -> ExactCase:
    def run(nn: Backend, dtype: str) -> dict[str, Tensor]:
        layer = _EMPTY[name]().on(nn.name, dtype=dtype)
        return {"output": layer(nn.zeros((0, 4, 5, 2), dtype=dtype), training=True)}

    return ExactCase(
        name=f"layers.{name}",
        variant="of no samples",
        run=run,
        expected={"output": np.zeros((0, 4, 5, 2))},
        reason="nothing of nothing",
    )


CASES += [_empty(name) for name in _EMPTY]
