"""The outputs of a model for batches of inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dualnn.layers import tree
from dualnn.protocol import Engine
from dualnn.training.compiled import CompiledSteps
from dualnn.training.engines import Wish, chosen, work_of
from dualnn.training.precision import Precision

if TYPE_CHECKING:
    from dualnn.models.model import Model

Predict = Callable[[Any], Any]
"""Native inputs to native outputs, with the weights that the model has at the time."""


class Predictors:
    """The functions that predict for one model, of which one is chosen by how much there is to predict.

    A model that has predicted many batches, a few at a time, is taken to go on: it is then run as in a run of
    that length, but not as machine code, so that outputs stay what they were to the last bit if a framework's
    graphs give those of its single operations. A copy of a model begins anew.
    """

    def __init__(self) -> None:
        self._steps = CompiledSteps()
        self._predicted = 0

    def get(self, model: Model, wish: Wish, precision: Precision, batches: int | None) -> Predict:
        """Return the function for so many batches more; None for an unknown number."""
        self._predicted += batches or 0

        def make() -> Predict:
            work = work_of(model, 32)
            engine, _ = chosen(model.nn, wish, work, batches, "")
            if engine.name == "eager" and wish.engine == "auto":
                engine, _ = chosen(model.nn, wish._replace(jit=False), work, self._predicted, "")
            return predictor(model, engine, precision)

        # the choice may depend on the number of batches, but not on each single one
        magnitudes = batches and batches.bit_length(), self._predicted.bit_length()
        function: Predict = self._steps.get(magnitudes, model, make)
        return function

    def __deepcopy__(self, memo: dict[int, Any]) -> Predictors:
        return Predictors()


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
