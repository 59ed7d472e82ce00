"""What holds during one call of a model: the root layer, the training flag, where it is built."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dualnn.layers import tree
from dualnn.place import Place
from dualnn.protocol import Tensor

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer
    from dualnn.saving.stored import Stored

Observer = Callable[["Layer", Any], Any]
"""Called with each layer and its output, in the order in which the calls end; returns what takes the output's
place, or None."""


@dataclass
class Call:
    """One call of a root layer and of all the layers inside it."""

    root: Layer
    place: Place
    seed: int
    training: bool
    observer: Observer | None = None
    compute: Place | None = None
    """Where layers compute that need not keep the precision of their weights; None: in `place`."""
    stored: Stored | None = None
    """What a file holds of the layers, while they are built for it; None: initializers say what they hold."""
    losses: list[Tensor] = field(default_factory=list)
    """What `Layer.add_loss` was given during this call."""
    _paths: dict[int, str] = field(default_factory=dict)

    def path(self, layer: Layer) -> str | None:
        """Return a layer's path in the root; None if it is not in there."""
        if id(layer) not in self._paths:  # building a layer may make others
            self._paths = {id(one): path for path, one in tree.walk(self.root)}
        return self._paths.get(id(layer))


Notes = list[tuple["Layer", Tensor]]
"""What layers note of ids that they have no row for, which leaves a compiled step."""


class _Current(threading.local):
    call: Call | None = None
    notes: Notes | bool | None = True
    shown: list[Tensor] | None = None
    observer: Observer | None = None
    compute: str | None = None


_current = _Current()


def current() -> Call | None:
    """Return the call in progress on this thread, or None."""
    return _current.call


class entered:  # noqa: N801 - a context manager, without the generator's price at every call of a model
    """Make `call` the one in progress."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._previous, _current.call = _current.call, self._call

    def __exit__(self, *_: object) -> None:
        _current.call = self._previous


def observer() -> Observer | None:
    """Return the observer that new root calls report to, or None."""
    return _current.observer


def is_observed() -> bool:
    """Return whether the call in progress reports every layer's output."""
    return _current.call is not None and _current.call.observer is not None


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Report every layer's output to `observer` while the block runs."""
    previous, _current.observer = _current.observer, observer
    try:
        yield
    finally:
        _current.observer = previous


def notes() -> Notes | bool | None:
    """Return the list for notes of layers.

    Or True where they look on the host, None where neither will do, False where the framework decides.
    """
    return _current.notes


@contextmanager
def noting(notes: Notes | bool | None) -> Iterator[None]:
    """Have layers note in this list what they cannot say while the block is traced; else as `notes` says."""
    previous, _current.notes = _current.notes, notes
    try:
        yield
    finally:
        _current.notes = previous


def show_guard(x: Tensor) -> None:
    """Have the guard of steps, see `dualnn.training.guard`, look for NaN in a tensor, if there is a guard."""
    if _current.shown is not None and isinstance(_current.notes, list):
        _current.shown.append(x)


@contextmanager
def guarded() -> Iterator[list[Tensor]]:
    """Collect what layers show the guard while the block runs."""
    previous, _current.shown = _current.shown, []
    try:
        yield _current.shown
    finally:
        _current.shown = previous


def compute_place(place: Place) -> Place | None:
    """Return where the layers of a new root call compute, if not in `place`."""
    return None if _current.compute is None else replace(place, dtype=_current.compute)


@contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Have layers compute in another dtype than that of their weights while the block runs."""
    previous, _current.compute = _current.compute, dtype
    try:
        yield
    finally:
        _current.compute = previous
