"""Variables: tensors that training changes in place."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.eager.record import could_possibly_record

from dualnn.backends import owner
from dualnn_tf.creation_functions import asarray
from dualnn_tf.devices import device


class _VariableType(type):
    def __instancecheck__(cls, x):
        return isinstance(x, tf.Variable)


class Variable(metaclass=_VariableType):
    """A native variable: calling this makes a `tf.Variable`, and each of those is an instance.

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

    def __new__(  # noqa: D102 (the class's docstring has it)
        cls, value, trainable=None, dtype=None, name=None, outputs_first=False
    ):
        data = asarray(value, dtype=dtype, copy=True)
        with tf.device(data.device):
            # TensorFlow adds ":0" to each name, also to one that was read from a variable
            name = name and name.removesuffix(":0")
            variable = tf.Variable(data, trainable=_is_trainable(data, trainable), name=name)
        variable.outputs_first = outputs_first  # for other backends, to which it may be moved
        return variable


def is_variable(x, /):
    """Return whether `x` is a native variable.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.is_variable(nn.Variable(1.0)), nn.is_variable(nn.asarray(1.0))
    (True, False)
    """
    return isinstance(x, tf.Variable)


def value(variable, /):
    """Return a variable's present value as a tensor and a constant, without a copy where there need be none.

    It is good until the variable is assigned to; `stop_gradient` returns a value that lasts.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> nn.to_numpy(nn.value(nn.Variable([1.0, 2.0]))).tolist()
    [1.0, 2.0]
    """
    if could_possibly_record() or not tf.executing_eagerly():
        return tf.stop_gradient(variable)
    # where nothing records there is no gradient to stop, and the kernel alone takes half the time
    return tf.raw_ops.ReadVariableOp(resource=variable.handle, dtype=variable.dtype)


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
    if not value.shape.is_compatible_with(variable.shape):
        raise ValueError(_unequal_shapes(variable, value))
    if tf.executing_eagerly():  # the kernel itself, in half the time of the method, which checks once more
        tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)
    else:
        variable.assign(value, read_value=False)
    return variable


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
    variable.assign_add(value, read_value=False)
    return variable


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
    variable.assign_sub(value, read_value=False)
    return variable


def _is_trainable(data, trainable):
    has_gradient = data.dtype.is_floating or data.dtype.is_complex
    if trainable and not has_gradient:
        raise ValueError(f"expected a floating-point dtype for a trainable variable, got {data.dtype.name}")
    return has_gradient if trainable is None else trainable


def _value_for(variable, value):
    if not is_variable(variable):
        raise TypeError(
            f"expected a tensorflow variable to assign to, got {type(variable).__name__}; "
            f"make one with nn.Variable(value)"
        )
    if isinstance(value, (tf.Tensor, tf.Variable)):
        return value if value.dtype == variable.dtype else tf.cast(value, variable.dtype)
    other = owner(value)
    if other is not None:
        raise TypeError(
            f"expected a tensorflow tensor, NumPy array or number, got a tensor of {other.name}; "
            f"convert it with nn.asarray(value)"
        )
    return asarray(value, dtype=variable.dtype, device=device(variable))


def _broadcast_value_for(variable, value):
    value = _value_for(variable, value)
    if value.shape == variable.shape:
        return value
    try:
        return tf.broadcast_to(value, variable.shape)
    except (ValueError, tf.errors.InvalidArgumentError):
        raise ValueError(_unequal_shapes(variable, value)) from None


def _unequal_shapes(variable, value):
    return f"expected a value of the variable's shape {tuple(variable.shape)}, got {tuple(value.shape)}"
