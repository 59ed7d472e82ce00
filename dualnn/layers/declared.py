"""Arguments that every layer takes beside its own, as in Keras: its input's shape, and whether it trains."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from dualnn.arguments import is_whole
from dualnn.saving.configs import Given

NAMES = frozenset(("input_shape", "batch_input_shape", "input_dim", "input_length", "trainable"))


def accepting(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor of a layer that takes these arguments, too, where it has none of the name."""
    own = frozenset(inspect.signature(init).parameters)

    @functools.wraps(init)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        found = {name: kwargs.pop(name) for name in [*kwargs] if name in NAMES and name not in own}
        init(self, *args, **kwargs)
        if not found:
            return
        given = self._given  # what a file would make it again with
        rest = {name: value for name, value in given.kwargs.items() if name not in found}
        self.__dict__["_given"] = Given(given.args, rest)
        if "trainable" in found:
            self.trainable = found.pop("trainable")
        if found:
            self.__dict__["declared_shape"] = _shape(type(self).__name__, found)

    return wrapped


def _shape(layer: str, given: dict[str, Any]) -> tuple[int | None, ...]:
    """Return the shape of one sample."""
    if len(given) > 1:
        raise ValueError(f"{layer}: expected one of {' and '.join(sorted(given))}")
    ((name, value),) = given.items()
    sizes = [value] if name in ("input_dim", "input_length") or is_whole(value) else value
    if not isinstance(sizes, list | tuple) or not all(
        size is None or (is_whole(size) and size > 0) for size in sizes
    ):
        raise ValueError(f"{layer}: {name} must be positive whole numbers, or None, got {value!r:.80}")
    shape = tuple(None if size is None else int(size) for size in sizes)
    return shape[1:] if name == "batch_input_shape" else shape
