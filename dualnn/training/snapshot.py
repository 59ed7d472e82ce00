"""A training run as a tree of numbers and arrays: taken between two steps, put back into another process."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dualnn import random
from dualnn.callbacks import Callback
from dualnn.layers import tree
from dualnn.saving.trees import Array, Tree
from dualnn.seeds import Seed
from dualnn.training import identity
from dualnn.training.identity import Identity

if TYPE_CHECKING:
    from dualnn.training.trainer import Trainer

VERSION = 1


class Position(NamedTuple):
    """How far a run has come."""

    epoch: int
    """The number of the epoch that is next, or under way."""
    steps: int = 0
    """How many of its steps are done."""
    metrics: list[dict[str, Array]] | None = None
    """The sums behind the losses and metrics of these steps; None if there are none."""
    ended: bool = False
    """Whether a callback has ended the run."""


def taken(
    trainer: Trainer, callbacks: Sequence[Callback], position: Position, known: Identity, checksums: Tree
) -> Tree:
    """Return all that decides how the run goes on; the trainer's state must be written back.

    Args:
        trainer: whose run it is.
        callbacks: the callbacks whose state belongs to it.
        position: how far the run has come.
        known: what it is known by when it is resumed.
        checksums: those of batches, by which its data is known; see `IterableData.checksums`.
    """
    model, optimizer = trainer.model, trainer.optimizer
    nn = model.nn
    slots = dict(zip(optimizer.slot_paths or (), optimizer.slots or (), strict=True)) | optimizer.parked
    rate = optimizer.fixed_learning_rate
    return {
        "version": VERSION,
        "position": {**position._asdict(), "metrics": position.metrics},
        "variables": {slot.path: nn.to_numpy(slot.variable) for slot in tree.slots(model)},
        "model": {"seed": model.seed, "epochs_trained": model.epochs_trained, "dtype": model.dtype},
        "optimizer": {
            "name": type(optimizer).__name__,
            "iterations": optimizer.iterations,
            "learning_rate": rate,
            "slots": {
                path: {name: nn.to_numpy(value) for name, value in state.items()}
                for path, state in slots.items()
            },
            "parked": sorted(optimizer.parked),
        },
        "loss_scale": {name: np.asarray(value) for name, value in trainer.loss_scale.items()},
        "random": random.process_state(),
        "identity": known,
        "changed": identity.changed(trainer, known),
        "checksums": checksums,
        "callbacks": [
            {"name": type(callback).__name__, "state": callback.state_dict()} for callback in callbacks
        ],
    }


def put_back(
    trainer: Trainer, callbacks: Sequence[Callback], snapshot: Tree, known: Identity, seed: int | None
) -> Position:
    """Make a run go on from a snapshot; everything is checked before anything is changed.

    Args:
        trainer: whose run it becomes.
        callbacks: the callbacks that get their state back.
        snapshot: what `taken` returned.
        known: what the run is known by now.
        seed: what `fit` was given as its seed.

    Raises:
        ValueError: the snapshot is of another model, optimizer, list of callbacks, data or seed, or has other
            settings.
    """
    try:
        return _put_back(trainer, callbacks, snapshot, known, seed)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the checkpoint lacks what a run needs: {error!r}") from error


def _put_back(
    trainer: Trainer, callbacks: Sequence[Callback], snapshot: Tree, known: Identity, seed: int | None
) -> Position:
    model, optimizer = trainer.model, trainer.optimizer
    nn = model.nn
    if snapshot["version"] != VERSION:
        raise ValueError(f"the checkpoint has version {snapshot['version']}, this dualnn reads {VERSION}")
    slots = tree.slots(model)
    variables = snapshot["variables"]
    _check_same("variables", variables, [slot.path for slot in slots])
    for slot in slots:
        _check_shape(slot.path, variables[slot.path], slot.variable)
    saved = snapshot["optimizer"]
    _check_equal("optimizer", saved["name"], type(optimizer).__name__)
    _check_equal("dtype", snapshot["model"]["dtype"], model.dtype)
    names = [type(callback).__name__ for callback in callbacks]
    _check_equal("callbacks", [one["name"] for one in snapshot["callbacks"]], names)
    if seed is not None:
        _check_equal("seed", int(snapshot["model"]["seed"]), seed)
    begun = snapshot.get("identity", known)  # older ones have none
    for name in {**known, **begun}:
        _check_equal(name, begun.get(name), known.get(name))
    _check_same("loss scale", snapshot["loss_scale"], list(trainer.loss_scale))
    paths = {slot.path: slot for slot in slots}
    for path, state in saved["slots"].items():
        for value in state.values():
            _check_shape(f"slots of {path}", value, paths[path].variable)
    position = Position(**snapshot["position"])

    for slot in slots:
        nn.assign(slot.variable, variables[slot.path])
    model.__dict__["_seed"] = Seed(int(snapshot["model"]["seed"]))
    model.epochs_trained = int(snapshot["model"]["epochs_trained"])
    optimizer.iterations = int(saved["iterations"])
    identity.put_back(trainer, snapshot.get("changed", {}))
    if saved["learning_rate"] is not None:
        optimizer.learning_rate = float(saved["learning_rate"])
    state_of = {
        path: {name: _like(nn, value, paths[path].variable, model.device) for name, value in state.items()}
        for path, state in saved["slots"].items()
    }
    optimizer.parked = {path: state_of.pop(path) for path in saved["parked"]}
    optimizer.slot_paths = list(state_of) or None
    optimizer.slots = list(state_of.values()) or None
    trainer.loss_scale = dict(snapshot["loss_scale"])
    random.set_process_state(snapshot["random"])
    for callback, one in zip(callbacks, snapshot["callbacks"], strict=True):
        callback.load_state_dict(copy.deepcopy(one["state"]))
    return position


def _like(nn: Any, value: Array, variable: Any, device: str) -> Any:
    return nn.asarray(value, dtype=variable.dtype, device=device, copy=True)


def _check_same(what: str, found: Mapping[str, Any], expected: Sequence[str]) -> None:
    if set(found) != set(expected):
        odd = sorted(set(found) ^ set(expected))[:3]
        raise ValueError(
            f"the checkpoint is of another model: its {what} and the model's differ in {', '.join(odd)}"
        )


def _check_equal(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise ValueError(
            f"the checkpoint is of another run: its {what} is {found!r}, here {expected!r}; a run is resumed "
            f"with the arguments that it was begun with"
        )


def _check_shape(path: str, array: Array, variable: Any) -> None:
    if tuple(np.shape(array)) != tuple(variable.shape):
        raise ValueError(
            f"the checkpoint is of another model: {path} has shape {np.shape(array)}, "
            f"here {tuple(variable.shape)}"
        )
