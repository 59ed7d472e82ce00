"""Initial values of weights, under Keras's names.

An initializer is called with a shape and a `dualnn.random.Generator` and returns a NumPy array in
float64; the layer then casts it to its own dtype. So one seed gives every backend the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn.foreign.advice import refusal
from dualnn.foreign.recognition import library
from dualnn.names import lookup, unknown
from dualnn.random import Generator, next_seed
from dualnn.saving.configs import Configured

Array = npt.NDArray[np.float64]


class Initializer(Configured):
    """The base class; a user's own initializer may be any callable ``f(shape, generator)``.

    With a ``seed`` an initializer draws the same values at every call, whatever generator it is given.

    >>> import dualnn as dn
    >>> dn.initializers.RandomNormal(seed=1)((2, 3)).shape
    (2, 3)
    """

    seed: int | None = None

    def __call__(self, shape: Sequence[int], generator: Generator | None = None) -> Array:
        """Return the initial values.

        Args:
            shape: the shape of the weight, all of it known.
            generator: where the random numbers come from. None: a new stream, which `dualnn.seed` fixes.

        Returns:
            A new array of that shape, in float64.
        """
        if self.seed is not None:
            generator = Generator(self.seed)
        elif generator is None:
            generator = Generator(next_seed())
        return self._draw(tuple(shape), generator)

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Initializer):
    """A constant.

    >>> import dualnn as dn
    >>> dn.initializers.Constant(0.5)((2,)).tolist()
    [0.5, 0.5]
    """

    value: float | npt.NDArray[Any] = 0.0

    def __post_init__(self) -> None:
        try:
            np.asarray(self.value, np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"Constant: value must be a number or an array, got {self.value!r}") from None
        if self.value is None or isinstance(self.value, str):
            raise ValueError(f"Constant: value must be a number or an array, got {self.value!r}")

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        return np.full(shape, self.value, np.float64)


@dataclass(frozen=True)
class Zeros(Initializer):
    """Zeros.

    >>> import dualnn as dn
    >>> dn.initializers.Zeros()((2,)).tolist()
    [0.0, 0.0]
    """

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones(Initializer):
    """Ones.

    >>> import dualnn as dn
    >>> dn.initializers.Ones()((2,)).tolist()
    [1.0, 1.0]
    """

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        return np.ones(shape)


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal numbers.

    >>> import dualnn as dn
    >>> bool(abs(dn.initializers.RandomNormal(seed=0)((1000,)).std() - 0.05) < 0.005)
    True
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        return generator.normal(shape, self.mean, self.stddev)


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform numbers in [minval, maxval).

    >>> import dualnn as dn
    >>> bool(abs(dn.initializers.RandomUniform(seed=0)((1000,))).max() <= 0.05)
    True
    """

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.minval <= self.maxval:
            raise ValueError(
                f"RandomUniform: minval must be at most maxval, got {self.minval!r} and {self.maxval!r}"
            )

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        return generator.uniform(shape, self.minval, self.maxval)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal numbers, those beyond two standard deviations drawn again.

    >>> import dualnn as dn
    >>> bool(abs(dn.initializers.TruncatedNormal(seed=0)((1000,))).max() <= 0.1)
    True
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        return generator.truncated_normal(shape, self.mean, self.stddev)


_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")
# The standard deviation of a standard normal number truncated at 2.
_TRUNCATED_STDDEV = 0.87962566103423978


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Random numbers of mean 0 and variance ``scale / n``.

    Args:
        scale: a positive number.
        mode: what ``n`` is: ``"fan_in"``, the number of inputs of a unit; ``"fan_out"``, of
            outputs; ``"fan_avg"``, their mean. A kernel's last two axes are its inputs and outputs,
            the axes before them a receptive field.
        distribution: ``"truncated_normal"``, ``"untruncated_normal"`` or ``"uniform"``.
        seed: draws from a stream of its own.

    Raises:
        ValueError: a scale that is not positive, or an unknown mode or distribution.

    >>> import dualnn as dn
    >>> initializer = dn.initializers.VarianceScaling(2.0, "fan_in", "uniform", seed=0)
    >>> bool(abs(initializer((3, 1000))).max() <= 2**0.5)
    True
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError(f"expected a positive scale, got {self.scale!r}")
        if self.mode not in _MODES:
            raise ValueError(unknown("mode", self.mode, _MODES))
        if self.distribution not in _DISTRIBUTIONS:
            raise ValueError(unknown("distribution", self.distribution, _DISTRIBUTIONS))

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        fan_in, fan_out = _fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, n))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return generator.uniform(shape, -limit, limit)
        if self.distribution == "truncated_normal":
            return generator.truncated_normal(shape, 0.0, stddev / _TRUNCATED_STDDEV)
        return generator.normal(shape, 0.0, stddev)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    receptive_field = math.prod(shape[:-2])
    return shape[-2] * receptive_field, shape[-1] * receptive_field


class GlorotUniform(VarianceScaling):
    """Uniform numbers of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    >>> import dualnn as dn
    >>> bool(abs(dn.initializers.GlorotUniform(seed=0)((2, 4))).max() <= 1.0)
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal numbers of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    >>> import dualnn as dn
    >>> dn.initializers.GlorotNormal(seed=0)((2, 4)).shape
    (2, 4)
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform numbers of variance ``2 / fan_in`` (He et al., 2015).

    >>> import dualnn as dn
    >>> bool(abs(dn.initializers.HeUniform(seed=0)((6, 4))).max() <= 1.0)
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal numbers of variance ``2 / fan_in`` (He et al., 2015).

    >>> import dualnn as dn
    >>> dn.initializers.HeNormal(seed=0)((6, 4)).shape
    (6, 4)
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform numbers of variance ``1 / fan_in`` (LeCun et al., 1998).

    >>> import dualnn as dn
    >>> bool(abs(dn.initializers.LecunUniform(seed=0)((3, 4))).max() <= 1.0)
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal numbers of variance ``1 / fan_in`` (LeCun et al., 1998).

    >>> import dualnn as dn
    >>> dn.initializers.LecunNormal(seed=0)((3, 4)).shape
    (3, 4)
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns, times `gain` (Saxe et al., 2014).

    Of a shape with more than two axes, all but the last are flattened into one.

    Raises:
        ValueError: when called with a shape of fewer than two axes.

    >>> import dualnn as dn
    >>> q = dn.initializers.Orthogonal(seed=0)((3, 3))
    >>> (abs(q.T @ q) < 1e-12).sum()                 # all but the diagonal
    np.int64(6)
    """

    gain: float = 1.0
    seed: int | None = None

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        if len(shape) < 2:
            raise ValueError(f"expected a shape of two or more axes, got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.normal((max(rows, columns), min(rows, columns))))
        # The signs make the distribution uniform over all such matrices (Mezzadri, 2007).
        q = q * np.sign(np.diag(r))
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@dataclass(frozen=True)
class Identity(Initializer):
    """The identity matrix, times `gain`; of a shape that is not square, ones on its diagonal.

    Raises:
        ValueError: when called with a shape that has not two axes.

    >>> import dualnn as dn
    >>> dn.initializers.Identity()((2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    gain: float = 1.0

    def _draw(self, shape: tuple[int, ...], generator: Generator) -> Array:
        if len(shape) != 2:
            raise ValueError(f"expected a shape of two axes, got {shape}")
        return self.gain * np.eye(*shape)


_BY_NAME: dict[str, type[Initializer]] = {
    "constant": Constant,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "identity": Identity,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "ones": Ones,
    "orthogonal": Orthogonal,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
}
_BY_NAME |= {"uniform": RandomUniform, "normal": RandomNormal}  # as in Keras
_BY_NAME |= {initializer.__name__: initializer for initializer in _BY_NAME.values()}


def get(identifier: Any) -> Callable[[Sequence[int], Generator], Array]:
    """Return the initializer that a layer was given.

    Args:
        identifier: an initializer, or any callable ``f(shape, generator)``; an initializer's class; or
            its name, ``"glorot_uniform"`` or ``"GlorotUniform"``.

    Raises:
        ValueError: no initializer has this name.
        TypeError: neither a name nor a callable.

    >>> import dualnn as dn
    >>> dn.initializers.get("zeros")
    Zeros()
    """
    if isinstance(identifier, str):
        identifier = lookup("initializer", identifier, _BY_NAME)
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if library(identifier) is not None:
        raise refusal(identifier, "initializers", "an initializer of dualnn")
    if callable(identifier):
        return identifier  # type: ignore[no-any-return]
    raise TypeError(f"expected an initializer's name or a callable, got {identifier!r}")
