"""What an optimizer has learned, as a tree of numbers and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dualnn.layers import tree
from dualnn.optimizers import Optimizer, Slots
from dualnn.place import Place
from dualnn.saving.trees import Tree


def taken(optimizer: Optimizer, slots: Sequence[tree.Slot], place: Place) -> Tree:
    """Return the state of a model's optimizer, its slots by the paths of the variables.

    Args:
        optimizer: the optimizer.
        slots: where the model keeps its variables.
        place: where the model lives.

    Raises:
        ValueError: its slots belong to other variables than those that the model trains.
    """
    paths = optimizer.slot_paths
    if paths is None:
        paths = _paths_of_own_loop(optimizer, slots)
    known = dict(zip(paths, optimizer.slots or (), strict=True)) | optimizer.parked
    return {
        "iterations": optimizer.iterations,
        "learning_rate": optimizer.fixed_learning_rate,
        "slots": {path: _map(place.nn.to_numpy, state) for path, state in known.items()},
        "parked": sorted(optimizer.parked),
    }


def put_back(
    optimizer: Optimizer, state: Mapping[str, Any], slots: Sequence[tree.Slot], place: Place
) -> None:
    """Give a new optimizer a state that has been checked, on the place where its model lives."""
    nn, variables = place.nn, {slot.path: slot.variable for slot in slots}

    def native(array: Any, path: str) -> Any:
        return nn.asarray(array, dtype=variables[path].dtype, device=place.device, copy=True)

    known = {
        path: {name: native(array, path) for name, array in arrays.items()}
        for path, arrays in state["slots"].items()
    }
    optimizer.iterations = state["iterations"]
    if state["learning_rate"] is not None:
        optimizer.learning_rate = state["learning_rate"]
    optimizer.parked = {path: known.pop(path) for path in state["parked"]}
    if known:
        optimizer.slot_paths, optimizer.slots = list(known), list(known.values())


def _paths_of_own_loop(optimizer: Optimizer, slots: Sequence[tree.Slot]) -> list[str]:
    """Return the paths of the variables that a training loop of the user's own gave the optimizer."""
    trainable = [slot for slot in slots if slot.trainable]
    known = optimizer.slots
    if known is None:
        return []
    shapes = [tuple(slot.variable.shape) for slot in trainable]
    if len(known) != len(shapes) or any(
        tuple(value.shape) != shape
        for state, shape in zip(known, shapes, strict=True)
        for value in state.values()
    ):
        raise ValueError(
            f"{optimizer.name} has trained other variables than the model's trainable ones, so its state "
            f"cannot be saved with the model; save(path, include_optimizer=False) leaves it out"
        )
    return [slot.path for slot in trainable]


def _map(function: Any, state: Slots) -> dict[str, Any]:
    return {name: function(value) for name, value in state.items()}
