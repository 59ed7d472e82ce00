"""Modules of PyTorch as layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dualnn.foreign.recognition import class_names, public_name
from dualnn.layers.layer import Layer
from dualnn.place import Place
from dualnn.protocol import Shape


class TorchModuleWrapper(Layer):
    """A `torch.nn.Module` as a layer, for models that live on PyTorch; Keras's name for it.

    The layer makes the module's parameters and buffers its own variables, with the values that they have,
    and puts them in the module: what trains the one trains the other, and `save_weights` writes them. A
    parameter that requires no gradient is frozen. `on` copies the module, too: that of the copy is its
    ``module``. In training the module is in its mode ``train()``, else in ``eval()``. What a module draws at
    random is drawn by torch's own generator, not by the layer's seed.

    Args:
        module: the module; its parameters must have their shapes.
        name: the layer's name.

    The input and the output are those of the module; images are, as it wants them, often channels first.

    Raises:
        TypeError: `module` is no torch module, or the model lives on another backend than PyTorch.
        ValueError: a parameter of the module has no shape yet.

    >>> import torch
    >>> import dualnn as dn
    >>> module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> model = dn.Sequential([dn.layers.TorchModuleWrapper(module), dn.layers.Dense(3)]).on("torch")
    >>> tuple(model([[1.0, 2.0, 3.0, 4.0]]).shape)
    (1, 3)
    >>> list(model.state_paths)[:2]
    ['layers.0.parameters.0.weight', 'layers.0.parameters.0.bias']
    """

    holds_module = True

    def __init__(self, module: Any, name: str | None = None) -> None:
        super().__init__(name)
        if isinstance(module, type) or "Module" not in class_names(module, "torch"):
            raise TypeError(f"expected a torch.nn.Module, got {module!r:.80}")
        for path, parameter in module.named_parameters():
            if class_names(parameter, "torch")[0].startswith("Uninitialized"):
                raise ValueError(
                    f"{public_name(module)}: the parameter {path!r} has no shape yet; "
                    f"call the module once on an example before it is wrapped"
                )
        self.module = module
        self.parameters: dict[str, Any] = {}
        self.buffers: dict[str, Any] = {}

    def build(self, input_shape: Shape) -> None:
        """Make variables of the module's parameters and buffers."""
        self.check_place(self._require_place())
        made: dict[int, Any] = {}  # a parameter in two places is one variable
        for path, value in self.module.named_parameters(remove_duplicate=False):
            if id(value) not in made:
                made[id(value)] = self.add_variable(value, self.dtype, value.requires_grad, path)
            self._keep(self.parameters, path, made[id(value)])
        for path, value in self.module.named_buffers(remove_duplicate=False):
            dtype = self.dtype if self.nn.isdtype(value.dtype, "real floating") else None
            self._keep(self.buffers, path, self.add_variable(value, dtype, False, path))

    def call(self, *args: Any, training: bool = False, **kwargs: Any) -> Any:
        """Call the module with the values that the variables have in this step."""
        values = dict(_flat(self.parameters)) | dict(_flat(self.buffers))
        self.module.train(training)
        y, after = self.nn.functional_call(self.module, values, args, kwargs)  # type: ignore[attr-defined]
        if training:
            for path, _ in _flat(self.buffers):
                _put(self.buffers, path, after[path])
        return y

    def get_config(self) -> Any:
        """Raise a TypeError: the module is code of its own, which a file cannot describe."""
        raise TypeError(
            f"layer {self.name!r}: a file cannot describe {public_name(self.module)}, which is code; write "
            f"the weights, model.save_weights('model.safetensors'), and make the model by its own code"
        )

    def check_place(self, place: Place) -> None:
        """Raise a TypeError if the module cannot be called there."""
        if not hasattr(place.nn, "functional_call"):
            raise TypeError(
                f"layer {self.name!r} holds a {public_name(self.module)}, which runs on 'torch' and not on "
                f"{place.backend!r}: keep the model where the module runs, model.on('torch')"
            )

    def _keep(self, variables: dict[str, Any], path: str, variable: Any) -> None:
        *owner, name = path.split(".")
        part = self.module.get_submodule(".".join(owner))
        if variables is self.parameters:
            part.register_parameter(name, variable)
        else:
            part.register_buffer(name, variable)
        for key in owner:
            variables = variables.setdefault(key, {})
        variables[name] = variable


def _flat(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *owner, name = path.split(".")
    for key in owner:
        values = values[key]
    values[name] = value
