"""The random numbers, against SplitMix64 in Python's integers.

The generator is that of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014), with
the constants of Vigna's C program (https://prng.di.unimi.it/splitmix64.c). What is particular to dualnn, how
keys are hashed and words become numbers, is written here a second time.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np

import dualnn as dn
from dualnn import random
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase
from dualnn.protocol import Backend

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
EXACT = "integers are the same to the last bit"

# ------------------------------------------------------------------ the reference


def mix(z: int) -> int:
    """Return the output function of SplitMix64, unsigned."""
    z = ((z & MASK) ^ (z & MASK) >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def words(key: int, n: int, start: int = 0) -> list[int]:
    """Return words of a key's stream, unsigned."""
    return [mix(key + (i + 1) * GOLDEN) for i in range(start, start + n)]


def signed(numbers: Sequence[int], shape: tuple[int, ...] = (-1,)) -> Array:
    """Return unsigned 64-bit integers as int64."""
    return np.asarray(numbers, np.uint64).view(np.int64).reshape(shape)


def fold(key: int, data: int) -> int:
    """Return a child key, unsigned."""
    return mix((key & MASK ^ 0x243F6A8885A308D3) + data * GOLDEN)


def key(seed: int, *path: int | str) -> int:
    """Return the key of a place, signed."""
    state = 0
    for part in (seed, *path):
        if isinstance(part, str):
            part = int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest(), "little")
        state = fold(state, part)
    return int(signed([state])[0])


def fractions(numbers: Sequence[int], bits: int = 53) -> Array:
    """Return uniform numbers in [0, 1) of the highest bits of words; the float64 are exact."""
    return np.asarray([number >> (64 - bits) for number in numbers]) / 2.0**bits


def mask(key: int, shape: tuple[int, ...], probability: float) -> Array:
    """Return a Bernoulli mask: the low halves of the words first, then the high ones as signed numbers."""
    size = math.prod(shape)
    drawn = words(key, (size + 1) // 2)
    high = [word >> 32 ^ 2**31 for word in drawn]  # signed order, counted from 0
    halves = [word % 2**32 for word in drawn] + high
    return np.asarray([half < round(probability * 2**32) for half in halves[:size]], bool).reshape(shape)


def normal(key: int, n: int, counter: int = 0) -> Array:
    """Return normal numbers by Box and Muller's method, of words from a counter on."""
    u = fractions(words(key, 2 * n, counter)).astype(object)
    with mpmath.workdps(25):
        values = [
            mpmath.sqrt(-2 * mpmath.log1p(-r)) * mpmath.cos(2 * mpmath.pi * a)
            for r, a in zip(u[:n], u[n:], strict=True)
        ]
        return np.asarray([np.longdouble(mpmath.nstr(value, 22)) for value in values], np.longdouble)


def truncated_normal(key: int, n: int) -> Array:
    """Return normal numbers, those beyond 2 drawn again, in order, from the words that follow."""
    values, counter = normal(key, n), 2 * n
    while (again := np.flatnonzero(np.abs(values) > 2)).size:
        values[again] = normal(key, again.size, counter)
        counter += 2 * again.size
    return values


# ------------------------------------------------------------------ the functions of a backend's tensors

KEYS = (0, 1, -1, 2**63 - 1, -(2**63), key(0, "conformance"))
KEY = KEYS[-1]


def _integers(
    name: str, run: Callable[..., Any], reference: Callable[..., Any], *inputs: Any, **more: Any
) -> Case:
    arrays = tuple(np.asarray(x, np.int64) for x in inputs)
    settings = {"dtypes": ("float32",), "reason": EXACT, **more}
    return FunctionCase(
        name=name, run=run, reference=reference, inputs=arrays, roundings=0, derivatives=0, **settings
    )


def _mask(probability: float, shape: tuple[int, ...]) -> Case:
    return _integers(
        "random.bernoulli_mask",
        lambda nn, key: nn.astype(
            random.bernoulli_mask(nn, key, shape, probability, nn.device(key)), nn.int64
        ),
        lambda key: mask(int(key), shape, probability).astype(np.int64),
        KEY,
        variant=f"probability {probability:g}, shape {shape}",
    )


def _uniform(dtype: str, bits: int) -> Case:
    return _integers(
        "random.uniform",
        lambda nn, key: random.uniform(nn, key, (40, 3), dtype, nn.device(key)),
        lambda key: fractions(words(int(key), 120), bits).reshape(40, 3).astype(np.longdouble),
        KEY,
        variant=dtype,
        dtypes=("float64",) if dtype == "float64" else ("float32",),
        reason=f"multiples of 2**-{bits}, which the dtype holds exactly",
    )


FAR = (2**16 - 3, 2**24 - 3, 2**31 - 3, 2**32 - 3, 2**53 - 3, 2**62 - 13)
"""Numbers of words close below the bounds of other integers and of exact floats; 2**62 is that of the
generator."""

CASES: list[Case] = [
    _integers(
        "random.mix64",
        lambda nn, z: random.mix64(nn, z),
        lambda z: signed([mix(int(one)) for one in z]),
        [*KEYS, 2, 3, 2**32, -(2**31)],
    ),
    *(
        _integers(
            "random.bits",
            lambda nn, key, start=start, shape=shape: random.bits(nn, key, start, shape, nn.device(key)),
            lambda key, start=start, shape=shape: signed(words(int(key), math.prod(shape), start), shape),
            k,
            variant=f"key {k}, shape {shape} from word {start}",
        )
        for k, start, shape in zip(
            KEYS, (0, 0, 3, 5, 0, 2**40), ((5,), (), (1,), (2, 0, 3), (7, 3), (40, 3)), strict=True
        )
    ),
    _integers(
        "random.fold",
        lambda nn, key, data: random.fold(nn, key, data),
        lambda keys, data: signed([fold(int(k), int(d)) for k, d in zip(keys, data, strict=True)]),
        KEYS,
        [0, 1, -1, 7, 2**40, 2**63 - 1],
    ),
    *(
        _integers(
            "random.bits",
            lambda nn, key, start=start: random.bits(nn, key, start, (7,), nn.device(key)),
            lambda key, start=start: signed(words(int(key), 7, start)),
            KEY,
            variant=f"from word {start:,}",
            machine_code=True,
        )
        for start in FAR
    ),
    _integers(
        "random.fold",
        lambda nn, key, data: random.fold(nn, key, data),
        lambda keys, data: signed([fold(int(k), int(d)) for k, d in zip(keys, data, strict=True)]),
        [KEY] * (3 * len(FAR)),
        [one + more for one in FAR for more in (0, 3, 5)],
        variant="far children",
        machine_code=True,
    ),
    *(_uniform(*one) for one in {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}.items()),
    *(_mask(p, shape) for p in (0.0, 0.3, 0.5, 1.0) for shape in ((), (0, 3), (1,), (3, 5), (20, 7))),
]

# ------------------------------------------------------------------ what runs on the host


def _python_keys(nn: Backend, dtype: str) -> dict[str, Any]:
    words = [random.bits(nn, k, 2, (3,)) for k in KEYS]
    return {
        "bits": nn.stack(words),
        "uniform": random.uniform(nn, KEY, (5,), dtype),
        "mask": random.bernoulli_mask(nn, KEY, (3, 3), 0.3),
    }


_PLACES: list[tuple[Any, ...]] = [
    (0,),
    (-1,),
    (2**64 + 5,),
    (0, "dropout", 3),
    (7, "layers.0", "kernel"),
    (1, "é", -2),
]


def _process(nn: Backend, dtype: str) -> dict[str, Any]:
    state = random._process.key, random._process.counter
    try:
        dn.seed(5)
        drawn = [random.next_seed() for _ in range(3)]
    finally:  # leave the process's own random numbers as they were
        random._process.key, random._process.counter = state
    return {"seeds": nn.asarray(np.asarray(drawn))}


def _generator(nn: Backend, dtype: str) -> dict[str, Any]:
    g = random.Generator(KEY)
    drawn = {
        "bits": g.bits((2, 2)),
        "then uniform": g.uniform((3,), -1.0, 3.0),
        "then permutation": g.permutation(9),
        "then integers": g.integers(-3, 7, (5,)),
        "counter": np.asarray(g.counter),
    }
    return {question: nn.asarray(answer) for question, answer in drawn.items()}


def _far_generator(nn: Backend, dtype: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for start in FAR:
        g = random.Generator(KEY)
        g.counter = start
        drawn = {"bits": g.bits((2, 2)), "uniform": g.uniform((3,)), "integers": g.integers(-3, 7, (2,))}
        found |= {f"{question}, {start:,}": nn.asarray(answer) for question, answer in drawn.items()}
    return found


def _of_far_generator() -> dict[str, Array]:
    found: dict[str, Any] = {}
    for start in FAR:
        found |= {
            f"bits, {start:,}": signed(words(KEY, 4, start), (2, 2)),
            f"uniform, {start:,}": fractions(words(KEY, 3, start + 4)),
            f"integers, {start:,}": np.asarray([w % 10 - 3 for w in words(KEY, 2, start + 7)]),
        }
    return found


def _exact(name: str, variant: str, run: Any, expected: Any, dtypes: tuple[str, ...] = ("float64",)) -> Case:
    return ExactCase(name=name, variant=variant, run=run, expected=expected, dtypes=dtypes, reason=EXACT)


ROUNDINGS_OF_NORMAL = 24
NORMAL = """2 pi times the angle, up to 6.3, is rounded three times, which moves the cosine by 10 eps; radius
and products are rounded 5 times more, and of 40 numbers the largest is more than 2/3 of the largest radius:
15 * 3 / 2"""


def _normal(method: str, reference: Callable[[int, int], Array]) -> Case:
    return FunctionCase(
        name="random.Generator",
        variant=method,
        run=lambda nn: nn.asarray(getattr(random.Generator(KEY), method)((8, 5), 2.0, 0.5)),
        reference=lambda: 2 + reference(KEY, 40).reshape(8, 5) / 2,
        inputs=(),
        roundings=ROUNDINGS_OF_NORMAL,
        scale="norm",
        derivatives=0,
        dtypes=("float64",),
        reason=NORMAL,
    )


CASES += [
    _exact(
        "random.bits",
        "Java's SplittableRandom(1234567)",
        lambda nn, dtype: {"words": random.bits(nn, 1234567, 0, (3,))},
        {"words": [6457827717110365317, 3203168211198807973, signed([9817491932198370423])[0]]},
    ),
    _exact(
        "random.bits",
        "keys that are Python integers",
        _python_keys,
        lambda dtype: {
            "bits": np.stack([signed(words(k, 3, 2)) for k in KEYS]),
            "uniform": fractions(words(KEY, 5), 24 if dtype == "float32" else 53),
            "mask": mask(KEY, (3, 3), 0.3),
        },
        ("float32", "float64"),
    ),
    _exact(
        "random.key",
        "",
        lambda nn, dtype: {"keys": nn.asarray(np.asarray([random.key(*place) for place in _PLACES]))},
        {"keys": [key(*place) for place in _PLACES]},
    ),
    *(
        _exact(name, "the seeds of the process", _process, {"seeds": [w % 2**53 for w in words(key(5), 3)]})
        for name in ("seed", "random.seed", "random.next_seed")
    ),
    _exact(
        "random.Generator",
        "one stream for all draws",
        _generator,
        {
            "bits": signed(words(KEY, 4), (2, 2)),
            "then uniform": -1 + 4 * fractions(words(KEY, 3, 4)),
            "then permutation": np.argsort(signed(words(KEY, 9, 7)), kind="stable"),
            "then integers": [w % 10 - 3 for w in words(KEY, 5, 16)],
            "counter": 21,
        },
    ),
    _exact("random.Generator", "far words", _far_generator, _of_far_generator()),
    _normal("normal", normal),
    _normal("truncated_normal", truncated_normal),
]
