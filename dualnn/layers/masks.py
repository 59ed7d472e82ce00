"""Which steps of a sequence count: the masks that go along with tensors from layer to layer.

A mask is a boolean tensor (batch, steps), True where a step counts. Native tensors have no place for one, so
it is remembered here which tensor has which mask, as long as there is that tensor.
"""

from __future__ import annotations

import weakref
from typing import Any

from dualnn.protocol import Backend, Tensor

_known: dict[int, tuple[weakref.ref[Any], Tensor]] = {}


def remember(x: Any, mask: Any) -> None:
    """Let tensors have these masks from now on.

    Args:
        x: a tensor, or a list or a tuple of tensors; those of a dictionary have no masks.
        mask: a mask or None; for several tensors one for each, in the same structure, or one for the first.
    """
    if isinstance(x, list | tuple) and isinstance(mask, list | tuple):
        for one, its_mask in zip(x, mask, strict=True):
            remember(one, its_mask)
    elif isinstance(x, list | tuple):
        remember(x[0], mask)
    elif mask is not None and not isinstance(x, dict):
        number = id(x)  # of tensors no other key is hashed on every framework

        def forget(_: Any) -> None:
            _known.pop(number, None)

        _known[number] = (weakref.ref(x, forget), mask)


def zeroed(nn: Backend, x: Tensor, mask: Tensor, value: float = 0) -> Tensor:
    """Return a tensor (batch, steps, ...) with zeros, or another value, in the steps that do not count.

    What stands there may be NaN, which no factor of 0 takes out of a sum or of a gradient.
    """
    return nn.where(_behind(nn, mask, x), x, nn.zeros_like(x) + value if value else nn.zeros_like(x))


def settled(nn: Backend, x: Tensor, mask: Tensor) -> Tensor:
    """Return a tensor (batch, steps, ...) with zeros for what is not finite in the steps that do not count.

    It is for layers whose output in such steps is that of Keras, where the numbers are finite.
    """
    return nn.where(_behind(nn, mask, x), x, nn.where(nn.isfinite(x), x, nn.zeros_like(x)))


def fits(x: Tensor, mask: Tensor) -> bool:
    """Return whether a mask has the sizes of a tensor's first axes, or 1, as far as they are known."""
    sizes = list(zip(x.shape, mask.shape, strict=False))
    known = [(m, n) for m, n in sizes if isinstance(m, int) and isinstance(n, int)]
    return len(sizes) == len(mask.shape) and all(n in (1, m) for m, n in known)


def mask_of(x: Any) -> Any:
    """Return a tensor's mask, or None; of several tensors a list, or None if none of them has a mask.

    >>> import dualnn as dn
    >>> x = dn.layers.Masking()([[[1.0], [0.0]]])
    >>> dn.backend().to_numpy(mask_of(x)).tolist()
    [[True, False]]
    """
    if not _known:
        return None
    if isinstance(x, list | tuple):
        masks = [mask_of(one) for one in x]
        return masks if any(mask is not None for mask in masks) else None
    tensor, mask = _known.get(id(x), (None, None))
    return mask if tensor is not None and tensor() is x else None


def _behind(nn: Backend, mask: Tensor, x: Tensor) -> Tensor:
    """Return a mask with an axis of size 1 for each further axis of a tensor."""
    for _ in range(len(x.shape) - len(mask.shape)):
        mask = nn.expand_dims(mask, axis=-1)
    return mask
