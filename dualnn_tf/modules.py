"""A layer as the framework's own module type."""

from __future__ import annotations

import tensorflow as tf

from dualnn.layers import tree


class NativeModule(tf.Module):
    """A dualnn layer as a `tf.Module` over the very same variables.

    The variables are its attributes, under the names that they have in `state_paths` and in weight
    files, so that ``tf.train.Checkpoint`` finds them. The argument `training` says how the layer is
    called.

    Args:
        layer: a built dualnn layer or model.
    """

    def __init__(self, layer):
        super().__init__()
        self.__dict__["_dualnn_layer"] = layer  # not as an attribute that Module looks into
        for slot in tree.slots(layer):
            *path, name = slot.path.split(".")
            setattr(_container(self, path), name, slot.variable)

    def __call__(self, *args, training=False, **kwargs):
        """Call the layer."""
        return self._dualnn_layer(*args, training=training, **kwargs)

    @property
    def trainable_variables(self):
        """The variables that training changes, also without those of frozen layers."""
        return tuple(self._dualnn_layer.trainable_variables)

    @property
    def non_trainable_variables(self):
        """The other variables."""
        return tuple(self._dualnn_layer.non_trainable_variables)


def native_module(layer, /):
    """Return the layer as a `tf.Module` over the very same variables.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(2)])
    >>> y = model([[1.0]])
    >>> dn.backend().to_numpy(model.native(model.nn.asarray([[1.0]]))).shape
    (1, 2)
    """
    return NativeModule(layer)


def _container(module, path):
    for name in path:
        if not hasattr(module, name):
            setattr(module, name, tf.Module())
        module = getattr(module, name)
    return module
