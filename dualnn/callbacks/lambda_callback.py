"""A callback made of functions."""

from __future__ import annotations

from collections.abc import Callable

from dualnn.callbacks.callback import Callback


class LambdaCallback(Callback):
    """A callback made of functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))``.

    Args:
        **functions: functions by the name of the method they stand for.

    Raises:
        TypeError: no method of `Callback` has this name, or what is to stand for it is no function.

    >>> import dualnn as dn
    >>> dn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None) is not None
    True
    """

    def __init__(self, **functions: Callable[..., None]) -> None:
        for name, function in functions.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                known = [method for method in vars(Callback) if method.startswith("on_")]
                raise TypeError(f"{name!r} is no method of a callback; they are {', '.join(known)}")
            if not callable(function):
                raise TypeError(f"LambdaCallback: expected a function as {name}, got {function!r}")
            setattr(self, name, function)
