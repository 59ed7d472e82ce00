"""A model that is a list of layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from dualnn.foreign.modules import is_module, way_out
from dualnn.foreign.recognition import library, public_name
from dualnn.layers.layer import Layer
from dualnn.layers.symbolic import Input, SymbolicTensor, conformed
from dualnn.models.graph import input_config, input_from
from dualnn.models.model import Model
from dualnn.names import shown
from dualnn.saving.configs import Config, decode, encode


class Sequential(Model):
    """Layers one after the other.

    Args:
        layers: the layers; the first may be `dualnn.Input`, which tells the input's shape.
        name: the model's name.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(16, activation="relu"), dn.layers.Dense(3)])
    >>> tuple(model([[1.0, 2.0, 3.0, 4.0]]).shape)
    (1, 3)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - it does what __new__ always does
        if cls.__init__ is Sequential.__init__ and any(isinstance(x, Layer | SymbolicTensor) for x in args):
            raise TypeError("expected a list of layers: dn.Sequential([first, second])")
        return super().__new__(cls, *args, **kwargs)

    def __init__(
        self, layers: Iterable[Layer | SymbolicTensor] | None = None, name: str | None = None
    ) -> None:
        if layers is not None and not isinstance(layers, Iterable):
            raise TypeError(f"expected a list of layers, got {layers!r:.80}")
        super().__init__(name=name)
        self.layers: list[Layer] = []
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Layer | SymbolicTensor) -> None:
        """Append a layer; the model is then built anew for its new end when it is next called."""
        if isinstance(layer, SymbolicTensor):
            if self.layers or layer.function is not None:
                raise ValueError("Input comes first in a Sequential model, before any layer")
            self.declared_input = layer
            return
        if is_module(layer):
            raise TypeError(f"expected a layer, got a {public_name(layer)}: {way_out(layer)}")
        if isinstance(layer, type) and issubclass(layer, Layer):
            raise TypeError(f"expected a layer, got the class {layer.__name__}; make one of it")
        if library(layer) is not None and hasattr(layer, "shape"):
            shape = tuple(layer.shape[1:])
            raise TypeError(f"expected a layer, got a {public_name(layer)}: use dn.Input({shape})")
        if not isinstance(layer, Layer):
            raise TypeError(
                f"expected a layer, got {shown(layer)}; make a layer of a function with "
                f"dn.layers.Activation(function)"
            )
        if not self.layers and self.declared_input is None and layer.declared_shape is not None:
            self.declared_input = Input(layer.declared_shape, layer.declared_dtype)
        self.layers.append(layer)
        self.built = False

    def pop(self) -> Layer:
        """Remove and return the last layer."""
        if not self.layers:
            raise ValueError("the model has no layer to remove")
        self.built = False
        return self.layers.pop()

    def get_config(self) -> Config:
        """Return the model's input, if it is declared, its layers and its name."""
        if type(self).__init__ is not Sequential.__init__:
            return super().get_config()
        declared = None if self.declared_input is None else input_config(self.declared_input)
        config: Config = encode({"input": declared, "layers": self.layers, "name": self.name})
        return config

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Return a new model with the layers that `get_config` returned."""
        if cls.__init__ is not Sequential.__init__:
            return super().from_config(config)
        config = decode(config)
        declared = [] if config["input"] is None else [input_from(config["input"])]
        return cls([*declared, *config["layers"]], config["name"])

    def call(self, x: Any) -> Any:
        """Call the layers one after the other."""
        if self.declared_input is not None:
            x = conformed(self.nn, self.name, self.declared_input, x)
        for layer in self.layers:
            x = layer(x)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the last layer's output shape."""
        for layer in self.layers:
            if input_shape is None:
                return None
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape
