"""Preparing a function for being called many times."""

from __future__ import annotations

import functools
import logging

import tensorflow as tf


def compile(fun, /):
    """Return `fun`, a pure function of trees of tensors, prepared for being called many times.

    A function that looks at a tensor's value, with ``if``, ``for``, ``float(x)`` or NumPy, cannot be
    compiled and runs as it is; the logger ``"dualnn"`` says so once. While a function is compiled, a
    size that changes between calls is unknown: ask ``nn.shape(x)``, not ``x.shape``.

    Raises:
        Exception: whatever `fun` raises.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> double = nn.compile(lambda tree: {"x": tree["x"] * 2})
    >>> float(double({"x": nn.asarray(3.0)})["x"])
    6.0
    """
    compiled = tf.function(fun, autograph=False, reduce_retracing=True)
    runs_as_it_is = False

    @functools.wraps(fun)
    def call(*args, **kwargs):
        nonlocal runs_as_it_is
        if runs_as_it_is:
            return fun(*args, **kwargs)
        try:
            return compiled(*args, **kwargs)
        except Exception as error:
            reason = str(error).partition("\n")[0].partition(". ")[0]
        # Is it the tracing or the function that failed? A second run tells: an error of the function's
        # own is raised again, without TensorFlow's wrapping.
        result = fun(*args, **kwargs)
        runs_as_it_is = True
        name = getattr(fun, "__qualname__", repr(fun))
        logging.getLogger("dualnn").warning("%s cannot be compiled, so it runs as it is: %s", name, reason)
        return result

    return call
