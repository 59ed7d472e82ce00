"""What a run is known by when it is resumed: its data, and the settings that it was begun with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dualnn.layers import tree
from dualnn.saving.trees import Tree
from dualnn.training.data import Data, checksum

if TYPE_CHECKING:
    from dualnn.training.trainer import Trainer

Identity = dict[str, Any]
"""Numbers and texts by what messages call them."""


def of_data(
    data: Data,
    shuffle: bool,
    class_weight: Mapping[Any, Any] | None,
    validation: Data | None,
    validation_freq: Any,
) -> Identity:
    """Return what decides the samples of each step, their weights, and what is validated when."""
    found = {**data.described(), "shuffle": bool(shuffle)}
    weights = sorted((class_weight or {}).items(), key=str)
    # first, since it is multiplied into the weights of the samples
    found = {"class_weight": str({key: float(value) for key, value in weights}), **found}
    if validation is not None:
        found |= {f"{name} of the validation data": value for name, value in validation.described().items()}
        found["validation_freq"] = str(validation_freq)
    return {**found, "validation_data": validation is not None}


def of_settings(trainer: Trainer) -> Identity:
    """Return the settings of the layers, losses, metrics and the optimizer that a file can hold."""
    weights = [w if isinstance(w, float) else None for w in trainer.objective.weights]
    found: Identity = {"precision": trainer.precision.compute, "loss_weights": str(weights)}
    for name, x in _objects(trainer).items():
        found[name] = type(x).__name__
        try:
            config = x.get_config()
        except (AttributeError, NotImplementedError, TypeError, ValueError):
            continue  # it has a function in it that no file can name, for example
        found |= _flat(name, config)
    return found


def changed(trainer: Trainer, begun: Identity) -> Identity:
    """Return the settings that have been changed since the run began, by a callback for example."""
    return {name: value for name, value in of_settings(trainer).items() if begun.get(name, value) != value}


def put_back(trainer: Trainer, settings: Identity) -> None:
    """Set what `changed` returned."""
    objects = _objects(trainer)
    for name, value in settings.items():
        thing, _, attribute = name.rpartition(".")
        if thing in objects and attribute != "learning_rate":
            setattr(objects[thing], attribute, value)


def _objects(trainer: Trainer) -> dict[str, Any]:
    objective = trainer.objective
    losses = {
        "loss" if len(objective.names) == 1 else f"loss of {name}": loss
        for name, loss in zip(objective.names, objective.losses, strict=True)
        if loss is not None
    }
    metrics = {f"metric {one.name}": one.metric for one in objective.metrics}
    # inner ones before those around them, whose settings they are, too
    layers = {f"layer {path}" if path else "model": layer for path, layer in tree.walk(trainer.model)}
    return {"optimizer": trainer.optimizer, **losses, **metrics, **dict(reversed(layers.items()))}


def _flat(name: str, config: Tree) -> Identity:
    """Return the numbers and texts of what `configs.encode` returned, by their names."""
    return dict(_leaves(name, config))


def _leaves(name: str, config: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(config, dict):
        inside = config.get("config", config.get("items"))
        if "$" in config:  # "relu" and the function itself are one setting
            yield name, str(config.get("class", config.get("name", config["$"]))).rpartition(".")[2]
        for key, value in (config if inside is None else {"": inside}).items():
            # the weights that an initializer made are in the checkpoint
            if key not in ("name", "number", "$") and not key.endswith("initializer"):
                yield from _leaves(f"{name}.{key}" if key else name, value)
    elif isinstance(config, list):
        for i, value in enumerate(config):
            yield from _leaves(f"{name}[{i}]", value)
    elif isinstance(config, np.ndarray):
        yield name, checksum(config)
    elif isinstance(config, bool | int | float | str | None):
        yield name, config
