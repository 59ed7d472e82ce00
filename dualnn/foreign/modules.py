"""Modules and layers of a framework where a layer of dualnn is expected."""

from __future__ import annotations

import functools
from typing import Any

from dualnn.foreign.advice import counterpart
from dualnn.foreign.recognition import KERAS, LIBRARIES, backend_of, class_names, public_name
from dualnn.protocol import Backend


def is_module(x: Any) -> bool:
    """Whether `x` is a `torch.nn.Module`, a `keras.Layer` or a `tf.Module`, which may have weights.

    A loss of PyTorch without weights is none.
    """
    kind: Any = type(x)
    return _is_module_class(kind) and not ("_Loss" in class_names(x, "torch") and not [*x.parameters()])


def way_out(x: Any) -> str:
    """Return what to write instead of a module."""
    if "Module" in class_names(x, "torch"):
        return "wrap it, dn.layers.TorchModuleWrapper(module), for a model on 'torch'"
    ours = counterpart(x, "layers") if class_names(x, *KERAS) else None
    if ours is not None:
        return f"use {ours}"
    return "write it as a dn.Layer, whose build makes the weights by add_weight"


def refused(layer: str, name: str, x: Any) -> TypeError:
    """Return the error for a module among the attributes of a layer."""
    return TypeError(
        f"layer {layer!r}: the attribute {name} is a {public_name(x)}, whose weights would be neither "
        f"trained nor saved: {way_out(x)}"
    )


def check_variables(layer: str, attributes: dict[str, Any], nn: Backend) -> None:
    """Raise TypeError for a variable among a layer's attributes that is none of the layer's backend."""
    for name, value in attributes.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if {"Parameter", "Variable"} & set(class_names(one, *LIBRARIES)) and not nn.is_variable(one):
                raise TypeError(
                    f"layer {layer!r}: the attribute {name} is a {public_name(one)}, which is neither "
                    f"trained nor saved on {nn.name!r}: make it in build(self, input_shape), by "
                    f"self.add_weight(shape)"
                )


def check_activation(layer: str, function: Any, backend: str) -> None:
    """Raise TypeError for a framework's function as the activation of a layer on another backend."""
    home = backend_of(function)
    if home not in (None, backend):
        ours = counterpart(function, "activations")
        advice = f"use {ours}, which runs on both" if ours else "see dn.activations for those that do on both"
        raise TypeError(
            f"layer {layer!r}: the activation {public_name(function)} runs on {home!r}, and the layer lives "
            f"on {backend!r}: {advice}"
        )


@functools.cache
def _is_module_class(cls: Any) -> bool:
    return bool({"Module", "Layer"} & set(class_names(cls, *LIBRARIES)))
