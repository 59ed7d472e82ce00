"""A pytest plugin: the suite's libraries take TensorFlow's shapes as the tuples they stand for.

The standard allows an array's shape to be an object that behaves as a tuple ("If an array library
returns a shape object, the object must be immutable, must support ``__getitem__`` for dimension
access, and must be functionally equivalent to a tuple"). ndindex and Hypothesis, by which the suite
walks over arrays and makes them, insist on a tuple.
"""

from __future__ import annotations

import sys

import hypothesis.extra._array_helpers
import hypothesis.extra.array_api
import ndindex.shapetools
import tensorflow as tf


def as_tuple(x):
    """Return a TensorShape as a tuple, anything else as it is."""
    return tuple(x) if isinstance(x, tf.TensorShape) else x


def replace_everywhere(package, old, new):
    """Put a function in the place of another one in all modules of a package."""
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] == package]:
        for attribute in [name for name, value in vars(module).items() if value is old]:
            setattr(module, attribute, new)


of_ndindex = ndindex.shapetools.asshape
check_of_hypothesis = hypothesis.extra._array_helpers.check_type
arrays_of_hypothesis = hypothesis.extra.array_api._arrays

replace_everywhere("ndindex", of_ndindex, lambda shape, *args, **kw: of_ndindex(as_tuple(shape), *args, **kw))
replace_everywhere(
    "hypothesis",
    check_of_hypothesis,
    lambda type, argument, name: check_of_hypothesis(type, as_tuple(argument), name),
)
replace_everywhere(
    "hypothesis",
    arrays_of_hypothesis,
    lambda xp, version, dtype, shape, **kw: arrays_of_hypothesis(xp, version, dtype, as_tuple(shape), **kw),
)
