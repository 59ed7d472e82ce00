"""Callbacks that were written for Keras."""

from __future__ import annotations

from typing import Any

from dualnn.callbacks.callback import Callback
from dualnn.foreign.advice import refusal
from dualnn.foreign.recognition import KERAS, class_names, is_inherited

HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
"""The names of all methods that are called as a run goes."""


class KerasCallback(Callback):
    """A callback that inherits from Keras's base class: its own methods are called, at the same places.

    Args:
        callback: the callback.
    """

    def __init__(self, callback: Any) -> None:
        self.callback = callback
        for method in HOOKS:
            function = getattr(callback, method, None)
            if function is not None and not is_inherited(callback, method):
                setattr(self, method, function)

    def set_model(self, model: Any) -> None:
        """Tell the callback which model it is called for."""
        self.model = model
        self.callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell the callback how many epochs and steps there are."""
        self.params = params
        self.callback.set_params(params)


def adopted(x: Any) -> Callback | None:
    """Return a callback that inherits from Keras's base class as one of dualnn's; None for anything else.

    Raises:
        TypeError: it is one of those that come with Keras, which need Keras's own model.
    """
    names = class_names(x, *KERAS)
    if "Callback" not in names:
        return None
    if names[0] not in ("Callback", "LambdaCallback"):
        raise refusal(x, "callbacks", "a callback of dualnn")
    return KerasCallback(x)
