"""The outputs of a model for batches of inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dualnn.layers import tree
from dualnn.protocol import Engine
from dualnn.training.precision import Precision

if TYPE_CHECKING:
    from dualnn.models.model import Model

Predict = Callable[[Any], Any]
"""Native inputs to native outputs, with the weights that the model has at the time."""


def predictor(model: Model, engine: Engine, precision: Precision) -> Predict:
    """Return the function that computes the outputs for one batch of inputs."""
    nn = model.nn

    def outputs(x: Any) -> Any:
        if precision.compute is None:
            return model(x, training=False)
        slots = tree.slots(model)
        with precision.bound(slots, [nn.value(slot.variable) for slot in slots]):
            return precision.output(nn, model(x, training=False), model.dtype)

    def eagerly(x: Any) -> Any:
        with nn.inference_mode():
            return outputs(x)

    return eagerly if engine.name == "eager" else nn.compile(outputs, jit=engine.jit)
