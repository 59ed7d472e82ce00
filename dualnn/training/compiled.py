"""Compiled steps, kept for as long as they fit the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dualnn.layers import tree

if TYPE_CHECKING:
    from dualnn.models.model import Model


class CompiledSteps:
    """The compiled functions of one model, by name.

    A function is made anew when variables were added or frozen since it was compiled. A copy of a
    model starts with none.
    """

    def __init__(self) -> None:
        self._functions: dict[str, tuple[list[tuple[int, bool]], Callable[..., Any]]] = {}

    def get(
        self, name: str, model: Model, make: Callable[[], Callable[..., Any]], eager: bool
    ) -> Callable[..., Any]:
        """Return the function of this name; `make` makes it, and it is compiled unless `eager`."""
        layout = [(id(slot.variable), slot.trainable) for slot in tree.slots(model)]
        if name not in self._functions or self._functions[name][0] != layout:
            function = make()
            self._functions[name] = (layout, function if eager else model.nn.compile(function))
        return self._functions[name][1]

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledSteps:
        return CompiledSteps()
