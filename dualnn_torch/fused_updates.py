"""Updates of all variables by one kernel, in place, and a look at all gradients: fast paths of training."""

from __future__ import annotations

import functools

import torch
from torch.utils._python_dispatch import _disable_current_modes


def adam_update(
    variables, gradients, momentums, velocities, alpha, decay, beta_1, beta_2, epsilon, counts=None
):
    """Do one step of Adam on the tensors in the lists, in place; see `dualnn.optimizers.Adam`.

    Args:
        variables: the values, of one floating-point dtype and on one device.
        gradients: one for each, of its shape.
        momentums: a slot.
        velocities: a slot.
        alpha: the step size with both bias corrections in it, a 0-d tensor.
        decay: what fraction of the variables goes beforehand, a 0-d tensor; None for nothing.
        beta_1: a number, as are the others.
        beta_2: likewise.
        epsilon: likewise.
        counts: a boolean 0-d tensor: where it is False, all stays as it is; None for True.

    Returns:
        Whether the step was done; not for tensors of several dtypes or devices, nor for those that share
        memory, have gaps in it, or lie there in another order than their slots.
    """
    # the kernel goes through memory from one end to the other, whatever the strides
    if not all(map(_is_contiguous, (*variables, *gradients, *momentums, *velocities))):
        if not all(map(_in_one_order, variables, momentums, velocities)):
            return False
        gradients = [
            _in_the_order_of(one, gradient) for one, gradient in zip(variables, gradients, strict=True)
        ]
    if not _of_one_kind((*variables, *momentums, *velocities)):
        return False
    if decay is not None:
        torch._foreach_mul_(variables, 1 - (decay if counts is None else decay * counts))
    # torch's kernel corrects the bias itself and adds epsilon after that, Keras's formula before; at a
    # step without end there is nothing to correct, so that only the step size has it
    steps = [_without_end(variables[0].device)] * len(variables)
    torch._fused_adam_(
        variables,
        gradients,
        momentums,
        velocities,
        [],
        steps,
        lr=alpha,
        beta1=beta_1,
        beta2=beta_2,
        weight_decay=0.0,
        eps=epsilon,
        amsgrad=False,
        maximize=False,
        found_inf=None if counts is None else torch.logical_not(counts).float(),
    )
    return True


def sgd_update(variables, gradients, rate, decay, counts=None):
    """Do one step of gradient descent on the tensors in the lists, in place.

    Args:
        variables: as in `adam_update`.
        gradients: as in `adam_update`.
        rate: the learning rate, a 0-d tensor.
        decay: as in `adam_update`.
        counts: as in `adam_update`.

    Returns:
        Whether the step was done.
    """
    if not _of_one_kind(variables):
        return False
    steps = torch._foreach_mul(gradients, rate)
    if counts is not None:
        steps = [torch.where(counts, step, 0) for step in steps]
    if decay is not None:
        torch._foreach_mul_(variables, 1 - (decay if counts is None else decay * counts))
    torch._foreach_sub_(variables, steps)
    return True


def all_finite(tensors):
    """Return whether all numbers of some floating-point tensors are finite, a boolean tensor of shape ().

    The largest of them tells, as it is NaN if one of them is: twenty times as fast as looking at each.

    >>> import dualnn as dn
    >>> nn = dn.backend("torch")
    >>> nn.all_finite([nn.ones(2), nn.asarray([1.0, float("inf")])])
    tensor(False)
    """
    largest = [torch.amax(torch.abs(one)) for one in tensors if one.numel()]
    return torch.stack([torch.isfinite(one) for one in largest]).all()


@functools.cache
def _without_end(device):
    with _disable_current_modes():  # while a graph is traced, this would not be a tensor with a value
        return torch.tensor(2.0**60, device=device)


_is_contiguous = torch.Tensor.is_contiguous


def _in_one_order(variable, *slots):
    order = _order(variable.shape, variable.stride())
    return order is not None and all(_order(slot.shape, slot.stride()) == order for slot in slots)


def _in_the_order_of(variable, gradient):
    if _in_one_order(variable, gradient):
        return gradient
    return torch.empty_like(variable).copy_(gradient)


@functools.lru_cache
def _order(shape, strides):
    """Return how far the elements along each axis are apart in memory; None if it has gaps or is shared."""
    apart, expected = [(stride, size) for stride, size in zip(strides, shape, strict=True) if size != 1], 1
    for stride, size in sorted(apart):
        if stride != expected:
            return None
        expected *= size
    return apart


def _of_one_kind(tensors):
    return len({one.dtype for one in tensors}) == 1 and len({one.device for one in tensors}) == 1
