"""A model as a tree of JSON and arrays: how to make it again, its variables, what it was compiled with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dualnn.layers import tree
from dualnn.layers.layer import Layer
from dualnn.models.model import Model
from dualnn.saving import optimizer_state
from dualnn.saving.configs import decode, decoding, encode, encoded
from dualnn.saving.trees import Tree, pack
from dualnn.training.precision import FORMATS

if TYPE_CHECKING:
    from dualnn.training.trainer import Trainer


def described(model: Model, include_optimizer: bool = True) -> Tree:
    """Return what a file holds of a model.

    Raises:
        ValueError: it is not built; or it has classes or functions that are not registered, or layers or
            settings that its constructor would not give it.
        TypeError: it was made with something that a file cannot hold.
    """
    if not model.built:
        raise ValueError(
            f"model {model.name!r} is not built yet: call build(input_shape), call it on data, or begin it "
            f"with dn.Input(shape)"
        )
    nn, slots = model.nn, tree.slots(model)
    trainer = model._trainer
    objects, found = encoded({"model": model, "settings": None if trainer is None else _settings(trainer)})
    _verify(model, objects["model"], found)
    return {
        **objects,
        "layers": {path: _layer(layer) for path, layer in tree.walk(model)},
        "variables": {slot.path: nn.to_numpy(slot.variable) for slot in slots},
        "not_trainable": [slot.path for slot in slots if not getattr(slot.variable, "trainable", True)],
        "dtype": model.dtype,
        "seed": model.seed,
        "epochs_trained": model.epochs_trained,
        "training": None if trainer is None else _state(trainer, include_optimizer),
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "trainable": layer.trainable,
        "built": layer.built,
        "input_shape": encode(layer._input_shape),
        "output_shape": encode(layer._output_shape),
    }


def _settings(trainer: Trainer) -> dict[str, Any]:
    """Return the arguments of `Model.compile`."""
    goals, wish = trainer.goals, trainer.wish
    precisions = {compute: name for name, compute in FORMATS.items()}
    return {
        "optimizer": trainer.optimizer,
        "loss": goals.loss,
        "loss_weights": goals.loss_weights,
        "metrics": goals.metrics,
        "weighted_metrics": goals.weighted_metrics,
        "engine": wish.engine,
        "jit": wish.jit,
        "precision": None if trainer.precision.compute is None else precisions[trainer.precision.compute],
    }


def _state(trainer: Trainer, include_optimizer: bool) -> dict[str, Any]:
    """Return what training goes on from."""
    model, state = trainer.model, None
    if include_optimizer:
        state = optimizer_state.taken(trainer.optimizer, tree.slots(model), model.place)
    scale = {name: np.asarray(value) for name, value in trainer.loss_scale.items()}
    return {"optimizer": state, "loss_scale": scale}


# ------------------------------------------------------------------ whether it can be made again


def _verify(model: Model, architecture: Any, found: set[int]) -> None:
    """Raise a ValueError if a model made from its description would be another: now, while nothing is lost.

    Args:
        model: the model.
        architecture: its description.
        found: the ids of the objects whose settings stand in it; their constructors make the others.
    """
    try:
        with decoding():
            again = dict(tree.walk(decode(architecture)))
    except Exception as error:
        raise ValueError(
            f"model {model.name!r} cannot be made again with its settings ({error}); "
            f"define get_config and from_config"
        ) from error
    layers = dict(tree.walk(model))
    for path, other in again.items():
        layer = layers.get(path)
        if type(layer) is not type(other):
            raise ValueError(
                f"model {model.name!r}: its constructor puts a {type(other).__name__} in the place {path!r}, "
                f"now there is {layer!r}; give it to the constructor, or define get_config and from_config"
            )
        if id(layer) not in found:
            _verify_settings(model, path, layer, other)
    for path in layers.keys() - again.keys():
        maker = type(layers[_parent(path, layers)])
        if maker.build in (Layer.build, Model.build):
            raise ValueError(
                f"model {model.name!r}: neither the constructor of {maker.__name__} nor its build makes the "
                f"layer {path!r}; make it there, or define get_config and from_config"
            )


def _verify_settings(model: Model, path: str, layer: Layer, other: Layer) -> None:
    try:
        now, then = layer.get_config(), other.get_config()
    except (TypeError, ValueError):
        return  # a lambda, say, which the constructor around it gives to the layer each time
    changed = [name for name in now if name != "name" and not _equal(now[name], then.get(name))]
    if changed:
        raise ValueError(
            f"model {model.name!r}: {changed[0]} of its layer {path!r} is {now[changed[0]]!r} now, and the "
            f"constructor of the layer around makes it {then.get(changed[0])!r}; let that have it as an "
            f"argument, or define get_config and from_config"
        )


def _equal(a: Any, b: Any) -> bool:
    (text, arrays), (other, others) = pack([a]), pack([b])
    return text == other and all(np.array_equal(array, others[name]) for name, array in arrays.items())


def _parent(path: str, layers: dict[str, Layer]) -> str:
    while path:
        path = path.rpartition(".")[0]
        if path in layers:
            break
    return path
