"""Several callbacks called as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dualnn.callbacks import Callback

if TYPE_CHECKING:
    from dualnn.models.model import Model


class CallbackList:
    """Several callbacks as one.

    Args:
        callbacks: the callbacks, called in this order.
        model: the model they are called for.
        params: what `Callback.params` is to be.
    """

    def __init__(self, callbacks: Iterable[Callback], model: Model, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"expected callbacks, got {callback!r}; inherit from dn.callbacks.Callback")
            callback.set_params(params)
            callback.set_model(model)

    def __call__(self, method: str, *args: Any) -> None:
        """Call one method of all callbacks."""
        for callback in self.callbacks:
            getattr(callback, method)(*args)

    def overrides(self, *methods: str) -> bool:
        """Whether any callback has a method of its own of one of these names."""
        return bool(self.names_of(*methods))

    def names_of(self, *methods: str) -> list[str]:
        """Return the names of the callbacks that have a method of their own of one of these names."""
        return [
            type(callback).__name__
            for callback in self.callbacks
            if any(
                getattr(getattr(callback, method), "__func__", None) is not getattr(Callback, method)
                for method in methods
            )
        ]
