"""Models as folders that run without dualnn: TensorFlow's SavedModel."""

from __future__ import annotations

import functools

import tensorflow as tf

from dualnn.layers import tree
from dualnn.protocol import Exporter
from dualnn_tf.modules import NativeModule

SIGNATURE = "serving_default"


def _write_saved_model(program, path):
    module, slots = NativeModule(program.model), tree.slots(program.model)
    variables = [_own_variable(module, slot) for slot in slots]

    @tf.function(
        input_signature=[tf.TensorSpec(one.shape, one.dtype, one.name) for one in program.inputs],
        autograph=False,
    )
    def outputs(*inputs):
        with tree.bound(slots, variables):
            return dict(zip(program.outputs, program(inputs), strict=True))

    # what is saved are the variables of a module, and functions of them
    tf.saved_model.save(module, str(path), signatures={SIGNATURE: outputs})


def _own_variable(module, slot):
    """Give the module a variable of its own for the layer's, with a name that TensorFlow can write."""
    *path, name = slot.path.split(".")
    variable = tf.Variable(slot.variable, trainable=slot.trainable, name=name)
    setattr(functools.reduce(getattr, path, module), name, variable)
    return variable


def _load_saved_model(program, path):
    loaded = tf.saved_model.load(str(path))

    def run(arrays):
        inputs = {one.name: tf.constant(array) for one, array in zip(program.inputs, arrays, strict=True)}
        results = loaded.signatures[SIGNATURE](**inputs)
        return [results[name].numpy() for name in program.outputs]

    return run


exporters = {"saved_model": Exporter("", _write_saved_model, _load_saved_model, landmark="saved_model.pb")}
