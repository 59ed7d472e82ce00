"""Several callbacks called as one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dualnn.callbacks import Callback
from dualnn.foreign.callbacks import HOOKS, adopted
from dualnn.names import shown

if TYPE_CHECKING:
    from dualnn.models.model import Model

TRAIN_BATCH = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
TEST_BATCH = ("on_test_batch_begin", "on_test_batch_end")
PREDICT_BATCH = ("on_predict_batch_begin", "on_predict_batch_end")
"""The methods that are called for each batch."""


class CallbackList:
    """Several callbacks as one.

    Args:
        callbacks: the callbacks, called in this order; what `checked` returned.
        model: the model they are called for.
        params: what `Callback.params` is to be.
    """

    def __init__(self, callbacks: Iterable[Callback], model: Model, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)

    def __call__(self, method: str, *args: Any) -> None:
        """Call one method of all callbacks, with these arguments; without logs, with empty ones."""
        if not args or not isinstance(args[-1], dict):
            args = (*args, {})
        for callback in self.callbacks:
            getattr(callback, method)(*args)

    def overrides(self, *methods: str) -> bool:
        """Whether any callback has a method of its own of one of these names."""
        return bool(self.names_of(*methods))

    def names_of(self, *methods: str) -> list[str]:
        """Return the names of the callbacks that have a method of their own of one of these names."""
        return [
            _name(callback)
            for callback in self.callbacks
            if any(_is_own(callback, method) for method in methods)
        ]


def checked(callbacks: Any) -> list[Callback]:
    """Return the argument `callbacks` of `fit`, `evaluate` and `predict` as a list.

    Args:
        callbacks: one callback, a list or tuple of them, or None. A callback made for Keras counts, too.

    Raises:
        TypeError: something else, or a method that does not take the arguments that it will be given.
    """
    if callbacks is None:
        return []
    several = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    found = [_callback(callback) for callback in several]
    for callback in found:
        for method in HOOKS:
            if _is_own(callback, method):
                _check_arguments(callback, method)
    return found


def _callback(x: Any) -> Callback:
    if isinstance(x, Callback):
        return x
    if isinstance(x, type):
        raise TypeError(f"expected callbacks, got the class {x.__name__}; make one of it: {x.__name__}()")
    callback = adopted(x)
    if callback is None:
        raise TypeError(f"expected callbacks, got {shown(x)}; inherit from dn.callbacks.Callback")
    return callback


def _is_own(callback: Callback, method: str) -> bool:
    function = getattr(callback, method)
    return getattr(function, "__func__", None) is not getattr(Callback, method)


def _check_arguments(callback: Callback, method: str) -> None:
    """Raise TypeError if a method does not take what it is called with, before the first step."""
    wanted = list(inspect.signature(getattr(Callback, method)).parameters)[1:]
    try:
        inspect.signature(getattr(callback, method)).bind(*wanted)
    except ValueError:
        return  # a function of C does not say what it takes
    except TypeError:
        name = _name(callback)
        raise TypeError(
            f"{name}.{method} is called with ({', '.join(wanted)}), which it does not take; "
            f"define it as {method}(self, {', '.join([*wanted[:-1], 'logs=None'])})"
        ) from None


def _name(callback: Callback) -> str:
    return type(getattr(callback, "callback", callback)).__name__
