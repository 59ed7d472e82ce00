"""The sums in TensorFlow's own gradients, taken as `sums` takes them while a tape of dualnn is at work.

What was broadcast, as a bias is over the batch, gets the sum of what comes back for each copy. The
functions that TensorFlow has registered for this add it up in the tensor's data type, one after the other;
they are asked for the gradients of each copy instead, in at least float32. Other tapes get what they would
get without dualnn: the registry is the process's, so the functions in it look whether a tape of dualnn is
at work.
"""

from __future__ import annotations

import contextlib
import threading

import tensorflow as tf

from dualnn_tf.sums import is_long, total_like

try:
    from tensorflow.python.framework.ops import gradient_registry

    _registered = gradient_registry._registry
except (ImportError, AttributeError):  # no public name leads there
    _registered = {}

_BROADCASTING = (
    "Add", "AddV2", "Atan2", "BiasAdd", "BroadcastTo", "Div", "DivNoNan", "Maximum", "Minimum", "Mul",
    "MulNoNan", "Pow", "RealDiv", "SelectV2", "SquaredDifference", "Sub", "Xdivy", "Xlog1py", "Xlogy",
)  # fmt: skip
_GATHERING = ("GatherNd", "GatherV2", "ResourceGather", "Tile")


class Tape(tf.GradientTape):
    """A `tf.GradientTape` whose gradients have long and precise sums."""

    def __enter__(self):
        """Begin to record."""
        entered = super().__enter__()  # which is an error for a tape that records already
        _begin()
        return entered

    def __exit__(self, *error):
        """End to record."""
        try:
            return super().__exit__(*error)
        finally:
            _end()

    def gradient(self, *args, **kwargs):
        """Return what `tf.GradientTape.gradient` does."""
        with _at_work():
            return super().gradient(*args, **kwargs)

    def jacobian(self, *args, **kwargs):
        """Return what `tf.GradientTape.jacobian` does."""
        with _at_work():
            return super().jacobian(*args, **kwargs)


class _Thread(threading.local):
    tapes = 0


_here = _Thread()


def _begin():
    _here.tapes += 1


def _end():
    _here.tapes -= 1


@contextlib.contextmanager
def _at_work():
    _begin()
    try:
        yield
    finally:
        _end()


class _Operation:
    """An operation, for its gradient function, of other tensors than it was done with."""

    def __init__(self, operation, inputs, outputs):
        self._operation, self.inputs, self.outputs = operation, inputs, outputs

    def __getattr__(self, name):
        return getattr(self._operation, name)


def _of_broadcasting(native):
    def gradient(operation, *upstream):
        (arrived,) = upstream
        if not _here.tapes or not _has_sums(operation, arrived):
            return native(operation, *upstream)
        if operation.type == "BiasAdd":
            return arrived, total_like(arrived, arrived.shape[-1:])
        if operation.type == "BroadcastTo":
            return total_like(arrived, operation.inputs[0].shape), None
        inputs = [_wide(_spread(one, arrived.shape)) for one in operation.inputs]
        outputs = operation.outputs and [_wide(one) for one in operation.outputs]
        gradients = native(_Operation(operation, inputs, outputs), _wide(arrived))
        return [
            None if one is None else tf.cast(total_like(one, x.shape), arrived.dtype)
            for one, x in zip(gradients, operation.inputs, strict=True)
        ]

    return gradient


def _of_gathering(native):
    def gradient(operation, *upstream):
        (arrived,) = upstream
        if not _here.tapes or not _is_narrow(arrived):
            return native(operation, *upstream)
        gradients = native(operation, tf.cast(arrived, tf.float32))
        return [
            None if one is None else tf.cast(tf.convert_to_tensor(one), arrived.dtype) for one in gradients
        ]

    return gradient


def _has_sums(operation, arrived):
    if not isinstance(arrived, tf.Tensor) or not (arrived.dtype.is_floating or arrived.dtype.is_complex):
        return False
    shape = arrived.shape
    if operation.type == "BiasAdd":
        shapes = [shape[-1:]]
        if operation.get_attr("data_format") not in (None, b"NHWC", "NHWC"):
            return False
    else:
        shapes = [x.shape for x in operation.inputs if isinstance(x, tf.Tensor) and x.dtype == arrived.dtype]
    if all(one == shape for one in shapes) or not all(one.is_fully_defined() for one in (shape, *shapes)):
        return False
    terms = shape.num_elements() // max(1, min(one.num_elements() for one in shapes))
    return _is_narrow(arrived) or is_long(terms)


def _is_narrow(x):
    return isinstance(x, tf.Tensor) and x.dtype.is_floating and x.dtype.size == 2


def _wide(x):
    return tf.cast(x, tf.float32) if _is_narrow(x) else x


def _spread(x, shape):
    is_whole = x is None or x.shape == shape or not (x.dtype.is_floating or x.dtype.is_complex)
    return x if is_whole else tf.broadcast_to(x, shape)


for _names, _with_sums in ((_BROADCASTING, _of_broadcasting), (_GATHERING, _of_gathering)):
    for _name in _names:
        if _name in _registered:
            _registered[_name]["type"] = _with_sums(_registered[_name]["type"])
