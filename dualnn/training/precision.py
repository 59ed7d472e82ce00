"""Mixed precision: layers compute in 16 bits, while weights, losses and updates keep 32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dualnn.layers import context, masks, tree
from dualnn.names import unknown
from dualnn.protocol import Backend, Tensor

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer

FORMATS = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
ALIASES = {"bf16-mixed": "mixed_bfloat16", "16-mixed": "mixed_float16"}  # as Lightning calls them

LossScale = dict[str, Tensor]
"""``scale``, what the loss is multiplied by, and ``good``, the steps since it was changed; empty without."""


class Precision(NamedTuple):
    """What a model's layers compute in; None for the dtype of their weights.

    float16 has small numbers down to 6e-8 only, so that gradients vanish. The loss is multiplied by a scale
    and the gradients are divided by it; a step whose gradients overflow changes nothing and halves the scale,
    and 2,000 good steps double it (Micikevicius et al., "Mixed precision training", 2018; the numbers are
    those of Keras's ``LossScaleOptimizer``). bfloat16 has the range of float32 and needs no scale.
    """

    compute: str | None = None

    @classmethod
    def of(cls, name: str | None) -> Precision:
        """Return what the argument of `Model.compile` stands for.

        Raises:
            ValueError: an unknown name.
        """
        if name is None:
            return cls()
        name = ALIASES.get(name, name) if isinstance(name, str) else name
        if not isinstance(name, str) or name not in FORMATS:
            raise ValueError(unknown("precision", name, FORMATS))
        return cls(FORMATS[name])

    @classmethod
    def of_model(cls, root: Layer) -> Precision:
        """Return what a layer or model was compiled for; of one that is not compiled that of its weights."""
        trainer = getattr(root, "_trainer", None)  # only models are compiled
        return cls() if trainer is None else cls(trainer.precision.compute)

    @property
    def scales_loss(self) -> bool:
        """Whether the loss is scaled."""
        return self.compute == "float16"

    @contextmanager
    def bound(self, slots: list[tree.Slot], values: list[Tensor]) -> Iterator[Callable[[], list[Tensor]]]:
        """Bind values to slots as `tree.bound` does, for layers that compute in this precision."""
        if self.compute is None:
            with tree.bound(slots, values) as now:
                yield now
            return
        low = [self._lowered(slot, value) for slot, value in zip(slots, values, strict=True)]
        with context.computing_in(self.compute), tree.bound(slots, low) as now:

            def new() -> list[Tensor]:
                # what a layer has not set keeps all of its bits
                return [
                    value if held is given else slot.owner.nn.astype(held, value.dtype)
                    for slot, value, given, held in zip(slots, values, low, now(), strict=True)
                ]

            yield new

    def output(self, nn: Backend, y: Any, dtype: str) -> Any:
        """Return a model's output in the dtype of its weights, for losses, metrics and callers."""
        if self.compute is None:
            return y
        if isinstance(y, dict):
            return {key: self.output(nn, value, dtype) for key, value in y.items()}
        if isinstance(y, list | tuple):
            return [self.output(nn, value, dtype) for value in y]
        if not nn.isdtype(y.dtype, "real floating"):
            return y
        high = nn.astype(y, nn.dtype(dtype))
        masks.remember(high, masks.mask_of(y))
        return high

    def _lowered(self, slot: tree.Slot, value: Tensor) -> Tensor:
        nn = slot.owner.nn
        if slot.owner.keeps_precision or not nn.isdtype(value.dtype, "real floating"):
            return value
        return nn.astype(value, nn.dtype(str(self.compute)))


INITIAL_SCALE = 2.0**15
GROWTH_STEPS = 2000


def initial_loss_scale() -> dict[str, Any]:
    """Return the state of the loss scale before the first step."""
    return {"scale": np.asarray(INITIAL_SCALE, np.float32), "good": np.asarray(0, np.int64)}


def unscaled(nn: Backend, gradients: Sequence[Tensor], state: LossScale) -> list[Tensor]:
    """Return the gradients of the loss itself."""
    return [gradient / nn.astype(state["scale"], gradient.dtype) for gradient in gradients]


def next_loss_scale(nn: Backend, state: LossScale, finite: Tensor) -> LossScale:
    """Return the scale after a step: halved if the gradients overflowed, doubled after enough good steps."""
    scale, good = state["scale"], state["good"] + 1
    grown = good >= GROWTH_STEPS
    after_good = nn.where(grown, scale * 2.0, scale)
    return {
        "scale": nn.where(finite, after_good, nn.maximum(scale / 2.0, nn.ones_like(scale))),
        "good": nn.where(nn.logical_and(finite, nn.logical_not(grown)), good, nn.zeros_like(good)),
    }
