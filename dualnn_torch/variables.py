"""Variables: tensors that training changes in place."""

from __future__ import annotations

import torch

from dualnn.backends import owner
from dualnn_torch.creation_functions import asarray

_data = torch.Tensor.data


class Variable(torch.nn.Parameter):
    """A native variable: a `torch.nn.Parameter` with a name.

    Args:
        value: the initial value, anything that `asarray` takes; it is copied.
        trainable: whether gradients are taken and optimizers change it. None: yes if the dtype is
            a floating-point one.
        dtype: the data type; None keeps the value's.
        name: a name for people to read.
        outputs_first: whether memory may have the last axis before the others, as a backend's kernels may
            like it; it changes no value. torch's do, TensorFlow's do not.

    Raises:
        ValueError: ``trainable=True`` with a dtype that has no gradient.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable([1.0, 2.0])
    >>> nn.is_variable(w), w.trainable, nn.to_numpy(w * 2).tolist()
    (True, True, [2.0, 4.0])
    """

    changes_of_memory = 0  # of all variables together: graphs take for granted where the values are

    def __new__(  # noqa: D102 (the class's docstring has it)
        cls, value, trainable=None, dtype=None, name=None, outputs_first=False
    ):
        data = asarray(value, dtype=dtype, copy=True).detach()
        if outputs_first:
            data = data.movedim(-1, 0).contiguous().movedim(0, -1)
        variable = super().__new__(cls, data, _is_trainable(data, trainable))
        variable._name, variable.outputs_first = name, outputs_first
        return variable

    def __deepcopy__(self, memo):
        """Copy the values, the name and the order in memory."""
        copy = super().__deepcopy__(memo)
        copy._name, copy.outputs_first = self._name, self.outputs_first
        return copy

    @property
    def data(self):
        """The values as a tensor without a gradient; setting it gives the variable other memory."""
        return _data.__get__(self)

    @data.setter
    def data(self, tensor):
        _data.__set__(self, tensor)
        Variable.changes_of_memory += 1

    @property
    def trainable(self):
        """Whether gradients are taken and optimizers change it."""
        return self.requires_grad

    @property
    def name(self):
        """The name given when it was made, or None."""
        return self._name


def is_variable(x, /):
    """Return whether `x` is a native variable.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.is_variable(nn.Variable(1.0)), nn.is_variable(nn.asarray(1.0))
    (True, False)
    """
    return isinstance(x, torch.nn.Parameter)


def value(variable, /):
    """Return a variable's present value as a tensor and a constant, without a copy where there need be none.

    It is good until the variable is assigned to; `stop_gradient` returns a value that lasts.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.value(nn.Variable([1.0, 2.0]))).tolist()
    [1.0, 2.0]
    """
    return variable.detach()


def assign(variable, value, /):
    """Set a variable's value in place, and return the variable.

    Args:
        variable: a native variable.
        value: a native tensor, NumPy array or number of the variable's shape; it is cast to the
            variable's dtype.

    Raises:
        TypeError: `variable` is no native variable, or `value` is a tensor of another framework.
        ValueError: another shape.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable([1.0, 2.0])
    >>> nn.to_numpy(nn.assign(w, nn.asarray([3, 4]))).tolist()
    [3.0, 4.0]
    """
    value = _value_for(variable, value)
    if value.shape != variable.shape:
        raise ValueError(_unequal_shapes(variable, value))
    if value.data_ptr() == variable.data_ptr() and value.stride() == variable.stride():
        return variable  # what was changed in place
    with torch.no_grad():
        return variable.copy_(value)


def assign_add(variable, value, /):
    """``variable += value`` in place; the value may broadcast. Return the variable.

    Raises:
        TypeError: `variable` is no native variable, or `value` is a tensor of another framework.
        ValueError: the value's shape does not broadcast to the variable's.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.assign_add(nn.Variable([1.0, 2.0]), 1)).tolist()
    [2.0, 3.0]
    """
    value = _broadcast_value_for(variable, value)
    with torch.no_grad():
        return variable.add_(value)


def assign_sub(variable, value, /):
    """``variable -= value`` in place; the value may broadcast. Return the variable.

    Raises:
        TypeError: `variable` is no native variable, or `value` is a tensor of another framework.
        ValueError: the value's shape does not broadcast to the variable's.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.assign_sub(nn.Variable([1.0, 2.0]), 1)).tolist()
    [0.0, 1.0]
    """
    value = _broadcast_value_for(variable, value)
    with torch.no_grad():
        return variable.sub_(value)


def _is_trainable(data, trainable):
    has_gradient = data.is_floating_point() or data.is_complex()
    if trainable and not has_gradient:
        raise ValueError(f"expected a floating-point dtype for a trainable variable, got {data.dtype}")
    return has_gradient if trainable is None else trainable


def _value_for(variable, value):
    if not is_variable(variable):
        raise TypeError(
            f"expected a torch variable to assign to, got {type(variable).__name__}; "
            f"make one with nn.Variable(value)"
        )
    if isinstance(value, torch.Tensor):
        return value.to(variable.device, variable.dtype)
    other = owner(value)
    if other is not None:
        raise TypeError(
            f"expected a torch tensor, NumPy array or number, got a tensor of {other.name}; "
            f"convert it with nn.asarray(value)"
        )
    return asarray(value, dtype=variable.dtype, device=variable.device)


def _broadcast_value_for(variable, value):
    value = _value_for(variable, value)
    if value.shape == variable.shape:
        return value
    try:
        return value.expand(variable.shape)
    except RuntimeError:
        raise ValueError(_unequal_shapes(variable, value)) from None


def _unequal_shapes(variable, value):
    return f"expected a value of the variable's shape {tuple(variable.shape)}, got {tuple(value.shape)}"
