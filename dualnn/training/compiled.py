"""Compiled steps, kept for as long as they fit the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dualnn.layers import tree

if TYPE_CHECKING:
    from dualnn.models.model import Model


class CompiledSteps:
    """The compiled functions of one model, by name.

    A function is made anew when the model has changed since it was compiled: its layers, what is frozen,
    or a setting of a layer, such as a rate of dropout. A copy of a model starts with none.
    """

    def __init__(self) -> None:
        self._functions: dict[Any, tuple[object, Any, Callable[..., Any]]] = {}

    def get(self, name: Any, model: Model, make: Callable[[], Any]) -> Any:
        """Return the function of this name; `make` makes it."""
        version = tree.version(model)
        seen, settings, function = self._functions.get(name, (None, None, None))
        if seen is version:
            return function
        now = _settings(model)
        if function is None or settings != now:
            function = make()
        self._functions[name] = version, now, function
        return function

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledSteps:
        return CompiledSteps()


def _settings(model: Model) -> list[Any]:
    # what a compiled step has taken for a constant
    variables = [(id(slot.variable), slot.trainable) for slot in tree.slots(model)]
    return [
        variables,
        *(
            (path, id(layer), layer.trainable, name, value if isinstance(value, _PLAIN) else id(value))
            for path, layer in tree.walk(model)
            for name, value in vars(layer).items()
            if not name.startswith("_") and name not in model.diary
        ),
    ]


_PLAIN = (int, float, str, tuple, type(None))
