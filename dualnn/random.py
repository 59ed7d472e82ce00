"""One counter-based random generator, bit-identical on NumPy and on every backend.

Word ``i`` of the stream of key ``k`` is ``mix64(k + (i + 1) * GOLDEN)``: SplitMix64 (Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", 2014). A word depends on nothing but its key
and its index, so a mask can be drawn inside a compiled step, in any order and on any device.

The arithmetic is written once, in signed 64-bit integers that wrap around, on the array functions
that NumPy and the adapters share. Host code draws float64 numbers from a `Generator`.
"""

from __future__ import annotations

import hashlib
import math
import operator
import os
from typing import cast

import numpy as np
import numpy.typing as npt

from dualnn.protocol import ArrayNamespace, Device, Shape, Tensor

FRACTION_BITS = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
"""The bits of a uniform number: as many as the significand of its dtype holds."""

_NUMPY = cast(ArrayNamespace, np)  # it is an array namespace, though its stubs cannot say so


def _signed(value: int) -> int:
    """Return the int64 that has the low 64 bits of `value`."""
    return (value + 2**63) % 2**64 - 2**63


GOLDEN = _signed(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio
_MULTIPLIER_1 = _signed(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = _signed(0x94D049BB133111EB)
_CHILDREN = _signed(0x243F6A8885A308D3)  # digits of pi: tells the stream of child keys from that of words


def mix64(xp: ArrayNamespace, z: Tensor) -> Tensor:
    """Return the output function of SplitMix64, a bijection of 64-bit integers, of each element.

    Args:
        xp: NumPy or a backend.
        z: an int64 tensor of `xp`, of any shape.

    >>> import numpy as np
    >>> import dualnn as dn
    >>> dn.random.mix64(np, np.asarray([0, 1])).tolist()
    [0, 6238072747940578789]
    """
    # In place, where arrays can be changed: of a large one, allocating each step takes most of the time.
    z = z ^ _logical_right_shift(xp, z, 30)
    z *= _MULTIPLIER_1
    z ^= _logical_right_shift(xp, z, 27)
    z *= _MULTIPLIER_2
    z ^= _logical_right_shift(xp, z, 31)
    return z


def _logical_right_shift(xp: ArrayNamespace, z: Tensor, n: int) -> Tensor:
    # The standard's shift of a signed integer copies the sign bit into the places it frees.
    z = xp.bitwise_right_shift(z, n)
    z &= 2 ** (64 - n) - 1
    return z


def bits(
    xp: ArrayNamespace, key: int | Tensor, counter_start: int, shape: Shape, device: Device = None
) -> Tensor:
    """Return the words ``counter_start, counter_start + 1, ...`` of a key's stream, in C order.

    Args:
        xp: NumPy or a backend.
        key: an integer made by `key`, or a 0-d int64 tensor of `xp`.
        counter_start: the index of the first word.
        shape: the shape of the result; its entries may be 0-d integer tensors.
        device: where the result is made, and where a key that is a tensor must be.

    Returns:
        An int64 tensor in which all 64 bits are random.

    >>> import numpy as np
    >>> import dualnn as dn
    >>> dn.random.bits(np, 1234567, 0, (2,)).tolist()
    [6457827717110365317, 3203168211198807973]
    """
    first = counter_start + 1
    index = xp.arange(first, math.prod(shape) + first, dtype=xp.int64, device=device)
    # index * GOLDEN, by way of its halves and a mask that changes nothing. A compiler of C++ takes it for
    # granted that a multiple of a loop's index does not overflow, and writes outside of the array if it
    # does; the mask keeps the product out of the index arithmetic of compilers of tensor programs.
    index &= 2**62 - 1
    z = xp.bitwise_left_shift(index * (GOLDEN >> 32), 32)
    index *= GOLDEN & 0xFFFFFFFF
    z += index
    return xp.reshape(mix64(xp, z + key), shape)


def fold(xp: ArrayNamespace, key: Tensor, data: Tensor) -> Tensor:
    """Return the child key number `data` of a key, on the device that holds both.

    The children of one key differ from each other, and their streams from the key's own.

    Args:
        xp: NumPy or a backend.
        key: an int64 tensor of `xp`.
        data: an int64 tensor of `xp` of the same shape, such as the number of a training step.

    >>> import numpy as np
    >>> import dualnn as dn
    >>> step = np.asarray([7])
    >>> int(dn.random.fold(np, np.asarray([dn.random.key(0)]), step)[0]) == dn.random.key(0, 7)
    True
    """
    return mix64(xp, xp.bitwise_xor(key, _CHILDREN) + data * GOLDEN)


def key(seed: int, *path: int | str) -> int:
    """Return the key for a seed and a place in a program, such as ``key(0, "dropout", 3)``.

    Args:
        seed: any integer; only its low 64 bits count.
        path: integers and strings that name the place.

    Returns:
        An integer in the range of int64. Keys of different places differ, but for an accident of
        chance 2**-64, and ``key(seed, *path, n)`` is ``fold`` of ``key(seed, *path)`` and ``n``.

    >>> import dualnn as dn
    >>> dn.random.key(0, "dropout", 3) == dn.random.key(0, "dropout", 3)
    True
    >>> dn.random.key(0, "dropout", 3) == dn.random.key(0, "dropout", 4)
    False
    """
    state = 0
    for part in (seed, *path):
        state = _mixed((state ^ _CHILDREN) + _word(part) * GOLDEN)
    return state


def _mixed(z: int) -> int:
    # `mix64` of one number, which NumPy takes ten times as long for
    z %= 2**64
    z = (z ^ (z >> 30)) * _MULTIPLIER_1 % 2**64
    z = (z ^ (z >> 27)) * _MULTIPLIER_2 % 2**64
    return _signed(z ^ (z >> 31))


def _word(part: int | str) -> int:
    if isinstance(part, str):
        return int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest(), "little", signed=True)
    return _signed(operator.index(part))


def uniform(
    xp: ArrayNamespace, key: int | Tensor, shape: Shape, dtype: str = "float32", device: Device = None
) -> Tensor:
    """Return uniform numbers in [0, 1), all multiples of ``2**-FRACTION_BITS[dtype]``.

    Args:
        xp: NumPy or a backend.
        key: an integer made by `key`, or a 0-d int64 tensor of `xp`.
        shape: the shape of the result; its entries may be 0-d integer tensors.
        dtype: the name of a floating-point dtype.
        device: where the result is made, and where a key that is a tensor must be.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> numbers = dn.random.uniform(nn, dn.random.key(0), (1000,))
    >>> bool(nn.all((numbers >= 0) & (numbers < 1)))
    True
    """
    n = FRACTION_BITS[dtype]
    fraction = _logical_right_shift(xp, bits(xp, key, 0, shape, device), 64 - n)
    return xp.astype(fraction, getattr(xp, dtype)) * 2.0**-n


def bernoulli_mask(
    xp: ArrayNamespace, key: int | Tensor, shape: Shape, probability: float, device: Device = None
) -> Tensor:
    """Return a mask whose elements are True with a probability, independently.

    Only integers are compared, so the mask is the same whatever dtype it is applied to. Each word gives
    two elements, so the probability is rounded to a multiple of 2**-32.

    Args:
        xp: NumPy or a backend.
        key: an integer made by `key`, or a 0-d int64 tensor of `xp`.
        shape: the shape of the result; its entries may be 0-d integer tensors.
        probability: a number from 0 (all False) to 1 (all True).
        device: where the result is made, and where a key that is a tensor must be.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> int(nn.sum(dn.random.bernoulli_mask(nn, dn.random.key(0), (50,), 1.0)))
    50
    """
    size = math.prod(shape)
    words = bits(xp, key, 0, ((size + 1) // 2,), device)
    threshold = round(probability * 2**32)
    low = xp.bitwise_and(words, 2**32 - 1) < threshold
    high = xp.bitwise_right_shift(words, 32) < threshold - 2**31  # a signed number
    return xp.reshape(xp.concat([low, high])[:size], shape)


class Generator:
    """A stream of random numbers on the host, in float64.

    Attributes:
        key: the key of the stream, an integer.
        counter: how many words were drawn; each call goes on from there.

    >>> import dualnn as dn
    >>> generator = dn.random.Generator(0)
    >>> generator.permutation(4).tolist(), generator.permutation(4).tolist()
    ([0, 3, 2, 1], [3, 0, 2, 1])
    """

    def __init__(self, key: int) -> None:
        """Start the stream of a key, which may also be any integer that serves as a seed."""
        self.key = _signed(operator.index(key))
        self.counter = 0

    def bits(self, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Return the next words of the stream."""
        words: npt.NDArray[np.int64] = bits(_NUMPY, self.key, self.counter, shape)
        self.counter += words.size
        return words

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> npt.NDArray[np.float64]:
        """Return uniform numbers in [low, high)."""
        fraction = self.bits(shape).view(np.uint64) >> np.uint64(11)
        return low + (high - low) * (fraction.astype(np.float64) * 2.0**-53)

    def normal(self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> npt.NDArray[np.float64]:
        """Return normal numbers, by the method of Box and Muller (1958): two words make one."""
        radius, angle = self.uniform((2, *shape))
        values: npt.NDArray[np.float64] = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)
        return mean + std * values

    def truncated_normal(
        self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0
    ) -> npt.NDArray[np.float64]:
        """Return normal numbers, those beyond two standard deviations drawn again."""
        values = self.normal((math.prod(shape),))
        while (beyond := np.abs(values) > 2).any():
            values[beyond] = self.normal((int(beyond.sum()),))
        return mean + std * values.reshape(shape)

    def permutation(self, n: int) -> npt.NDArray[np.int64]:
        """Return the integers below `n` in random order."""
        return np.argsort(self.bits((n,)))  # words of a stream differ, so any way of sorting gives the same

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Return integers in [low, high), each equally likely but for a bias below 2**-64 times the range."""
        return low + (self.bits(shape).view(np.uint64) % (high - low)).astype(np.int64)


_process = Generator(int.from_bytes(os.urandom(8), "little"))


def seed(seed: int) -> None:
    """Make everything random that is given no seed of its own repeat from here on.

    >>> import dualnn as dn
    >>> dn.seed(1)
    >>> first = dn.random.next_seed()
    >>> dn.seed(1)
    >>> dn.random.next_seed() == first
    True
    """
    _process.key, _process.counter = key(seed), 0


def next_seed() -> int:
    """Return the next seed of the process: fixed by `seed`, else drawn from the operating system.

    It is below 2**53, so that it survives a file in JSON.
    """
    return int(_process.integers(0, 2**53, (1,))[0])


def process_state() -> dict[str, int]:
    """Return where the sequence of `next_seed` stands, for a checkpoint."""
    return {"key": int(_process.key), "counter": int(_process.counter)}


def set_process_state(state: dict[str, int]) -> None:
    """Go on with the sequence of `next_seed` where `process_state` was taken."""
    _process.key, _process.counter = int(state["key"]), int(state["counter"])
