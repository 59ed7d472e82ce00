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

    def overrides(self, method: str) -> bool:
        """Whether any callback has a method of its own of this name."""
        base = getattr(Callback, method)
        return any(
            getattr(getattr(callback, method), "__func__", None) is not base for callback in self.callbacks
        )
