"""Whether anything that is not dualnn's own runs during a call, and may change what the call was given."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dualnn.layers import tree
from dualnn.names import is_own_module

if TYPE_CHECKING:
    from dualnn.models.model import Model

_DEPTH = 3  # a loss in a list, its function, an attribute of that


def may_change_data(model: Model, *used: Any) -> bool:
    """Return whether code that others have written may run while a model is trained or asked.

    It is that of callbacks, layers, losses, metrics, schedules and the like, which may change an array that
    is being trained on, and of other threads. Where there is none, data need not be copied.

    Args:
        model: the model, with its layers.
        used: callbacks, losses, and what else is called, or lists of them.
    """
    return (
        any(map(_is_foreign, threading.enumerate()))
        or not _has_our_layers_only(model)
        or not all(map(is_ours, used))
    )


def _has_our_layers_only(model: Model) -> bool:
    # asked at each call, so the answer is kept for as long as no attribute in the model has changed;
    # the structure is held weakly, because it has the model's layers in it and would keep the model
    structure = tree.structure(model)
    seen, answer = _known.get(model, (None, False))
    if seen is None or seen() is not structure:
        in_graph = model._graph is None or model._graph.has_layers_only
        answer = in_graph and all(is_ours(layer) for _, layer in tree.walk(model))
        _known[model] = weakref.ref(structure), answer
    return answer


_known: weakref.WeakKeyDictionary[Model, tuple[weakref.ref[object], bool]] = weakref.WeakKeyDictionary()


def is_ours(x: Any, depth: int = _DEPTH) -> bool:
    """Return whether an object is dualnn's own, and all that it calls.

    >>> import numpy as np
    >>> import dualnn as dn
    >>> is_ours(dn.layers.Dense(3, activation="relu")), is_ours(dn.layers.Dense(3, activation=np.tanh))
    (True, False)
    """
    if x is None or isinstance(x, str | int | float):
        return True
    if isinstance(x, list | tuple | dict):
        return all(is_ours(item, depth) for item in (x.values() if isinstance(x, dict) else x))
    if not is_own_module(getattr(x, "__module__", None)):
        return False
    inside: list[Callable[..., Any]] = [
        value for value in getattr(x, "__dict__", {}).values() if callable(value)
    ]
    return depth == 0 or isinstance(x, type) or all(is_ours(one, depth - 1) for one in inside)


def _is_foreign(thread: threading.Thread) -> bool:
    return not (
        thread is threading.current_thread()
        or thread.name.startswith("dualnn-")
        or type(thread).__module__.startswith("tqdm")  # redraws progress bars
    )
