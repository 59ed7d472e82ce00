"""Whole models in one file: nothing in it is executed, and everything is checked before a model is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from dualnn.defaults import FLOATING
from dualnn.layers import tree
from dualnn.models.model import Model
from dualnn.moving import about
from dualnn.names import unknown
from dualnn.place import Place
from dualnn.protocol import Backend, Tensor
from dualnn.saving import archive, optimizer_state
from dualnn.saving.configs import decode, decoding
from dualnn.saving.description import described
from dualnn.saving.endings import MODEL, check_ending, explained
from dualnn.saving.stored import StoredLayer, build
from dualnn.saving.trees import Array, Tree
from dualnn.seeds import Seed

KIND = "model"

_NUMBER = (int, float)
_MODEL = {
    "model": dict,
    "layers": dict,
    "variables": dict,
    "not_trainable": list,
    "dtype": str,
    "seed": int,
    "epochs_trained": int,
    "settings": (dict, type(None)),
    "training": (dict, type(None)),
}
_LAYER = {"name": str, "trainable": bool, "built": bool, "input_shape": object, "output_shape": object}
_TRAINING = {"optimizer": (dict, type(None)), "loss_scale": dict}
_STATE = {"iterations": int, "learning_rate": (*_NUMBER, type(None)), "slots": dict, "parked": list}
_SETTINGS = (
    *("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"),
    *("engine", "jit", "precision"),
)


def save_model(model: Model, path: str | os.PathLike[str], include_optimizer: bool = True) -> None:
    """Write a whole model to a file; see `Model.save`."""
    check_ending(path, MODEL)
    archive.write(path, KIND, described(model, include_optimizer))


def load_model(
    path: str | os.PathLike[str], backend: str | None = None, device: str | None = None, compile: bool = True
) -> Model:
    """Return the model that `Model.save` wrote to a file, on either backend.

    It has the layers, weights, moving statistics and counters of random numbers of the one that was saved,
    and is compiled as that one was, with the optimizer's state: training goes on as it would have.

    Nothing in a file is executed. It can name dualnn's own classes and those that this program has registered
    by `dualnn.saving.register`, and no others.

    Args:
        path: the file.
        backend: the backend's name, as in `dualnn.backend`; the file does not depend on what wrote it.
        device: where its variables are; by default the backend's default device.
        compile: whether it is compiled as it was.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, is no model, or is of a later version of dualnn; or it names a class
            or function that is not registered. Nothing has changed then.

    >>> import tempfile
    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.Input((4,)), dn.layers.Dense(3, activation="relu")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/m.dualnn")
    ...     again = dn.load_model(f"{folder}/m.dualnn")
    >>> x = [[1.0, 2.0, 3.0, 4.0]]
    >>> bool((model.predict(x) == again.predict(x)).all())
    True
    """
    try:
        content = archive.read(path, KIND)
    except ValueError as error:
        raise ValueError(f"{error}{explained(path)}") from error
    place = Place.of(backend, device)
    try:
        with decoding():
            return _made(content, place, compile)
    except Exception as error:  # constructors of registered classes raise what they like
        raise ValueError(f"{path}: the model cannot be made from this file: {_told(error)}") from error


def _told(error: Exception) -> str:
    """Return what an error says in one line; what it quotes of the file may have many."""
    if isinstance(error, KeyError):
        return f"{error} is missing in a description"
    text = f"{error}" if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: {error}"
    return f"{' '.join(text.split()):.500}"


def _made(content: Tree, place: Place, compile: bool) -> Model:
    _check(content, _MODEL, "the file")
    if content["dtype"] not in FLOATING:
        raise ValueError(unknown("floating-point dtype", content["dtype"], FLOATING))
    place = Place(place.backend, place.device, content["dtype"])
    variables = content["variables"]
    _check_arrays(variables, "variables")
    layers = {path: _layer(path, one) for path, one in content["layers"].items()}

    model = decode(content["model"])
    if not isinstance(model, Model):
        raise ValueError(f"expected the description of a model, got that of {model!r:.80}")
    model.__dict__["_seed"] = Seed(_bounded("seed", content["seed"], -(2**63)))
    model.epochs_trained = _bounded("epochs_trained", content["epochs_trained"])
    build(model, layers, variables, place)
    _assign(model, variables, content["not_trainable"])
    if compile and content["settings"] is not None:
        _compile(model, content["settings"], content["training"])
    return model


def _layer(path: str, content: Any) -> StoredLayer:
    _check(content, _LAYER, f"layer {path!r}")
    shapes = {key: decode(content[key]) for key in ("input_shape", "output_shape")}
    for shape in shapes.values():
        _check_shape(shape)
    return StoredLayer(content["name"], content["trainable"], content["built"], **shapes)


def _assign(model: Model, variables: Mapping[str, Array], fixed: list[Any]) -> None:
    nn, slots = model.nn, tree.slots(model)
    odd = variables.keys() ^ {slot.path for slot in slots}
    if odd:
        raise ValueError(f"the file and the model it describes differ in the variable {min(odd)!r}")
    for slot in slots:
        _check_like(nn, variables[slot.path], slot.variable, slot.path)
    for slot in slots:
        trains = slot.path not in fixed
        if trains != getattr(slot.variable, "trainable", True):
            slot.put(nn.Variable(slot.variable, **{**about(slot.variable), "trainable": trains}))
            tree.changed()
        nn.assign(slot.get(), variables[slot.path])


# ------------------------------------------------------------------ what it was compiled with


def _compile(model: Model, settings: dict[str, Any], content: Any) -> None:
    _check(content, _TRAINING, "what training goes on from")
    settings = decode(settings)
    _check(settings, dict.fromkeys(_SETTINGS, object), "the settings of compile")
    model.compile(**settings)
    trainer = model._trainer
    assert trainer is not None
    scale = content["loss_scale"]
    _check(scale, dict.fromkeys(trainer.loss_scale, np.ndarray), "the loss scale")
    for name, initial in trainer.loss_scale.items():
        if (scale[name].shape, scale[name].dtype) != (initial.shape, initial.dtype):
            raise ValueError(f"expected a number of dtype {initial.dtype} for {name!r} of the loss scale")
    state, slots = content["optimizer"], tree.slots(model)
    if state is not None:
        _check_state(model, state, {slot.path: slot.variable for slot in slots})
        optimizer_state.put_back(model.optimizer, state, slots, model.place)
    trainer.loss_scale = dict(scale)


def _check_state(model: Model, state: dict[str, Any], variables: dict[str, Tensor]) -> None:
    optimizer = model.optimizer
    _check(state, _STATE, "the optimizer's state")
    _bounded("iterations", state["iterations"])
    if (state["learning_rate"] is None) != (optimizer.fixed_learning_rate is None):
        raise ValueError("expected a learning rate in the optimizer's state, or a schedule in its settings")
    for path, arrays in state["slots"].items():
        if path not in variables:
            raise ValueError(f"the optimizer's state has slots of {path!r:.80}, which is no variable")
        _check(arrays, dict.fromkeys(optimizer.slot_keys, np.ndarray), f"the optimizer's slots of {path!r}")
        for name, array in arrays.items():
            _check_like(model.nn, array, variables[path], f"{name} of {path}")
    parked = state["parked"]
    if not all(isinstance(path, str) for path in parked) or not set(parked) <= state["slots"].keys():
        raise ValueError(f"expected paths of the optimizer's slots in parked, got {parked!r:.80}")
    if len(set(parked)) < len(parked):
        raise ValueError(f"expected each path once in parked, got {parked!r:.80}")


# ------------------------------------------------------------------ checks


def _check(content: Any, kinds: Mapping[str, Any], what: str) -> None:
    """Raise a ValueError unless it is a dictionary with just these keys, and values of these types."""
    if not isinstance(content, dict) or content.keys() != kinds.keys():
        got = f"{list(content)!r:.80}" if isinstance(content, dict) else f"{content!r:.80}"
        raise ValueError(f"expected {', '.join(kinds) or 'nothing'} in {what}, got {got}")
    for name, kind in kinds.items():
        value = content[name]
        allowed = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kind) or (isinstance(value, bool) and not {bool, object} & {*allowed}):
            names = " or ".join(one.__name__ for one in allowed)
            raise ValueError(f"expected {names} for {name} in {what}, got {value!r:.80}")


def _check_arrays(arrays: dict[str, Any], what: str) -> None:
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"expected arrays in {what}, got {array!r:.80} for {name!r}")


def _check_like(nn: Backend, array: Array, variable: Tensor, what: str) -> None:
    dtype = nn.dtype_name(variable.dtype)
    dtype = "float32" if dtype == "bfloat16" else dtype  # NumPy has none
    if (array.shape, array.dtype.name) != (tuple(variable.shape), dtype):
        raise ValueError(
            f"expected an array of shape {tuple(variable.shape)} and dtype {dtype} for {what}, "
            f"got {array.shape} and {array.dtype}"
        )


def _check_shape(shape: Any) -> None:
    if isinstance(shape, dict | list):
        for one in shape.values() if isinstance(shape, dict) else shape:
            _check_shape(one)
    elif shape is not None and not (
        isinstance(shape, tuple) and all(size is None or _bounded("a size", size) >= 0 for size in shape)
    ):
        raise ValueError(f"expected a shape in the description of a layer, got {shape!r:.80}")


def _bounded(what: str, value: Any, low: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < 2**63:
        raise ValueError(f"expected a whole number from {low} and below 2**63 for {what}, got {value!r:.80}")
    return value
