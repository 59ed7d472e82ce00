"""The tree of layers inside layers, and the places in it where variables are kept.

Layers and variables are found in a layer's attributes, also inside lists, tuples and dictionaries, in
the order in which they were set. A layer or variable met twice (a shared one) counts once, under the
first path.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dualnn.foreign.modules import is_module, refused
from dualnn.protocol import Tensor

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer


class Node:
    """The mark of what the tree is made of: `Layer` inherits from it."""


_changes = 0


class _Found:
    """What was found in a tree of layers, and whether it is still what one would find."""

    def __init__(self, root: Layer) -> None:
        self.layers = list(_walk(root, "", True, set()))
        self.slots: list[Slot] | None = None
        self.trained: list[bool] = []  # which of their variables train
        # setting an attribute is noticed, but changing a list in its place is not
        self._containers = [
            (container, _identities(container))
            for _, layer, _ in self.layers
            for container in _containers(vars(layer))
        ]
        self._changes = _changes

    def holds(self) -> bool:
        return self._changes == _changes and all(
            identities == _identities(container) for container, identities in self._containers
        )

    def is_outdated(self) -> bool:
        """Return whether the slots are not known, or a variable trains now and did not before."""
        return self.slots is None or self.trained != [trains(slot.variable) for slot in self.slots]

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        """A copy of a layer looks for itself."""

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


def _found(root: Layer) -> _Found:
    # kept in the layer itself: a table of all layers would hold them for good, as what is found holds them
    found: _Found | None = vars(root).get("_found")
    if found is None or not found.holds():
        found = vars(root)["_found"] = _Found(root)
    return found


def _containers(container: Any) -> Iterator[Any]:
    for value in container.values() if isinstance(container, dict) else container:
        if isinstance(value, dict | list | tuple):
            if not isinstance(value, tuple):
                yield value
            yield from _containers(value)


def _identities(container: Any) -> tuple[int, ...]:
    return tuple(map(id, container.values() if isinstance(container, dict) else container))


@dataclass(frozen=True)
class Slot:
    """A place in a layer's attributes that holds a variable."""

    owner: Layer
    path: str
    """The path from the root, ``"layers.0.kernel"``."""
    container: Any
    """The attribute dictionary, list or dictionary that holds it."""
    key: Any
    variable: Tensor
    trainable: bool

    def get(self) -> Tensor:
        """Return what the slot holds now: the variable, or a step's own copy of its value."""
        return self.container[self.key]

    def put(self, value: Tensor) -> None:
        """Put a tensor, or the variable itself, in the slot."""
        self.container[self.key] = value


class _Steps(threading.local):
    bound: tuple[list[Slot], ...] = ()


_steps = _Steps()


def walk(root: Layer) -> Iterator[tuple[str, Layer]]:
    """Yield every layer with its path, the root (path ``""``) first."""
    for path, layer, _ in _found(root).layers:
        yield path, layer


def slots(root: Layer) -> list[Slot]:
    """Return the slots of all variables of a layer and the layers inside it."""
    found = _found(root)
    if found.is_outdated():
        unique = {
            id(slot.variable): slot
            for prefix, layer, trainable in reversed(found.layers)
            for slot in reversed(own_slots(layer, prefix, trainable))
        }
        slots = list(reversed(unique.values()))
        if _steps.bound:  # some variables are not in their slots at the moment
            return slots
        found.slots, found.trained = slots, [trains(slot.variable) for slot in slots]
    return list(found.slots or ())


def slots_in_step(root: Layer) -> list[Slot]:
    """Return the slots of all variables of a layer, also of those that a step has put its own tensors for."""
    owners = {id(layer) for _, layer in walk(root)}
    taken = (slot for slots in _steps.bound for slot in slots if id(slot.owner) in owners)
    return list({(id(slot.container), slot.key): slot for slot in (*taken, *slots(root))}.values())


def changed() -> None:
    """Note that an attribute of some layer has changed, so that trees are looked through again."""
    global _changes
    _changes += 1


def structure(root: Layer) -> object:
    """Return a token that is the same object for as long as no attribute in the tree has changed.

    Whether native variables train is not looked at, as `version` does.
    """
    return _found(root)


def version(root: Layer) -> object:
    """Return a token that is the same object for as long as nothing in the tree has changed."""
    found = _found(root)
    if found.is_outdated():
        slots(root)
    return found.slots


def own_slots(layer: Layer, prefix: str = "", trainable: bool = True) -> list[Slot]:
    """Return the slots of a layer's own variables, without the layers inside it."""
    if not layer.placed:
        return []
    nn = layer.nn
    return [
        Slot(layer, _join(prefix, path), container, key, value, trainable and trains(value))
        for path, container, key, value in _members(vars(layer), "", nn.is_variable)
    ]


def weight_slots(root: Layer) -> list[Slot]:
    """Return the slots of a layer's weights, its floating-point variables."""
    if not root.placed:
        return []
    nn = root.nn
    return [slot for slot in slots(root) if nn.isdtype(slot.variable.dtype, "real floating")]


def held(layer: Layer, path: str) -> Tensor:
    """Return what a layer holds under a path of its own: a variable, or a step's own tensor."""
    value: Any = vars(layer)
    for part in path.split("."):
        value = value[part] if isinstance(value, dict) else value[int(part)]
    return value


@contextmanager
def bound(slots: list[Slot], values: list[Tensor]) -> Iterator[Callable[[], list[Tensor]]]:
    """Put tensors in the place of variables while the block runs: the step's own copy of the state.

    Inside the block a layer may set its attributes as it likes; the function that is yielded returns
    what the slots hold then. Afterwards what they held before, the variables, is back in the slots.
    """
    before = [slot.get() for slot in slots]
    outer, _steps.bound = _steps.bound, (*_steps.bound, slots)
    for slot, value in zip(slots, values, strict=True):
        slot.put(value)
    try:
        yield lambda: [slot.get() for slot in slots]
    finally:
        _steps.bound = outer
        for slot, value in zip(slots, before, strict=True):
            slot.put(value)


def _walk(layer: Layer, path: str, trainable: bool, seen: set[int]) -> Iterator[tuple[str, Layer, bool]]:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    trainable = trainable and layer.trainable
    yield path, layer, trainable
    for name, _, _, child in _members(vars(layer), "", _is_part):
        if isinstance(child, Node):
            yield from _walk(child, _join(path, name), trainable, seen)  # type: ignore[arg-type]
        elif not layer.holds_module:
            raise refused(layer.name, name, child)


def _members(container: Any, path: str, wanted: Callable[[Any], bool]) -> Iterator[tuple[str, Any, Any, Any]]:
    entries = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in list(entries):
        name = _join(path, str(key))
        if wanted(value):
            yield name, container, key, value
        elif isinstance(value, dict | list | tuple):
            yield from _members(value, name, wanted)


def trains(variable: Tensor) -> bool:
    """Whether a native variable trains; one that a user has made does, unless it says otherwise."""
    return bool(getattr(variable, "trainable", getattr(variable, "requires_grad", True)))


def _is_part(value: Any) -> bool:
    return isinstance(value, Node) or is_module(value)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
