"""Looking up a name that a user has typed, with the nearest known names in the error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def lookup(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Return ``known[name]``.

    Raises:
        ValueError: no such name; the message has the nearest ones, or all.

    >>> lookup("activation", "rleu", {"relu": 1, "tanh": 2})
    Traceback (most recent call last):
    ...
    ValueError: unknown activation 'rleu'; did you mean 'relu'? Known: 'relu', 'tanh'.
    """
    if name in known:
        return known[name]
    raise ValueError(unknown(kind, name, known))


def called(function: Any) -> str:
    """Return what a message calls a function: by its name, unless it is one of dualnn's own.

    >>> called(divmod), called(lookup)
    ('divmod', 'a step of the model')
    """
    if is_own_module(getattr(function, "__module__", "")):
        return "a step of the model"
    return str(getattr(function, "__qualname__", repr(function)))


def is_own_module(name: str | None) -> bool:
    """Return whether a module of this name is in the package `dualnn`.

    >>> is_own_module("dualnn.layers.dense"), is_own_module("dualnn_of_a_user"), is_own_module(None)
    (True, False, False)
    """
    return str(name).partition(".")[0] == __name__.partition(".")[0]


def shown(x: Any) -> str:
    """Return what a message shows of an object: a function by its name, all else by the begin of its `repr`.

    >>> shown(divmod), shown("x" * 100) == "'" + "x" * 79
    ('the function divmod', True)
    """
    name = getattr(x, "__name__", None) if callable(x) else None
    if name is None:
        return f"{x!r:.80}"
    kind = "class" if isinstance(x, type) else "function"
    return "a lambda" if name == "<lambda>" else f"the {kind} {name}"


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the sentence that says `name` is not one of the `known` names."""
    names = list(known)
    nearest = difflib.get_close_matches(str(name).lower(), names, n=3)
    guess = f"; did you mean {_quoted(nearest, ' or ')}?" if nearest else "."
    return f"unknown {kind} {name!r}{guess} Known: {_quoted(names, ', ')}."


def snake_case(name: str) -> str:
    """Return a class's name in snake case.

    >>> snake_case("MaxPooling2D"), snake_case("Conv2D")
    ('max_pooling2d', 'conv2d')
    """
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return name.lower()


def _quoted(names: Iterable[str], joiner: str) -> str:
    return joiner.join(repr(name) for name in names)
