"""What the adapters' transforms have in common: which arguments are differentiated, and of what."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any


def select(args: Sequence[Any], argnums: int | tuple[int, ...]) -> Any:
    """Return the argument at a position, or a tuple of those at several.

    Raises:
        ValueError: there are fewer arguments.

    >>> select("abc", 1), select("abc", (0, 2))
    ('b', ('a', 'c'))
    """
    positions = (argnums,) if isinstance(argnums, int) else argnums
    if max(positions) >= len(args) or min(positions) < -len(args):
        raise ValueError(f"expected positional arguments up to argnums={argnums}, got {len(args)} of them")
    return args[argnums] if isinstance(argnums, int) else tuple(args[position] for position in argnums)


def replace(args: Sequence[Any], argnums: int | tuple[int, ...], selected: Any) -> list[Any]:
    """Return the arguments with those that `select` returned replaced.

    >>> replace("abc", (0, 2), "xy")
    ['x', 'b', 'y']
    """
    new = list(args)
    if isinstance(argnums, int):
        new[argnums] = selected
    else:
        for position, argument in zip(argnums, selected, strict=True):
            new[position] = argument
    return new


def value_of(result: Any, has_aux: bool) -> Any:
    """Return the value among what a function to differentiate returned.

    Raises:
        TypeError: not a pair ``(value, aux)`` where that is expected.

    >>> value_of((1.0, "more"), has_aux=True)
    1.0
    """
    if not has_aux:
        return result
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"expected a function that returns (value, aux), got {kind(result)}")
    return result[0]


def without_value(both: Callable[..., Any], has_aux: bool) -> Callable[..., Any]:
    """Return what `grad` returns, made of what `value_and_grad` returned.

    >>> without_value(lambda x: ((x, "aux"), 2 * x), has_aux=True)(3)
    (6, 'aux')
    """

    @functools.wraps(both)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        result, gradient = both(*args, **kwargs)
        return (gradient, result[1]) if has_aux else gradient

    return transformed


def kind(x: Any) -> str:
    """Return the name of an object's type, for the text of an error.

    >>> kind(1.0)
    'float'
    """
    cls = type(x)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"
