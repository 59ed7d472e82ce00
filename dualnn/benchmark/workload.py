"""The data that the contenders of a group train on: the same for all."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn import losses
from dualnn.benchmark.job import Job
from dualnn.benchmark.models import MODELS

Array = npt.NDArray[Any]

SEED = 0
MOST_NUMBERS = 25_000_000
"""In the inputs, if that leaves enough steps: each contender of a group holds two or three copies of them."""
LEAST_STEPS = 10


@dataclass(frozen=True)
class Workload:
    """What is trained on what.

    Attributes:
        build: makes the model of a library, `dualnn` or `keras`.
        x: inputs, whole batches of them.
        y: targets.
        loss: dualnn's loss.
        shared: whether the model is one of the benchmark's, which Keras and native networks can be, too.
    """

    build: Callable[[Any], Any]
    x: Array
    y: Array
    loss: losses.Loss
    shared: bool

    def first(self, samples: int) -> Workload:
        """Return the same with so many samples."""
        return replace(self, x=self.x[:samples], y=self.y[:samples])


def workload(job: Job) -> Workload:
    """Return the model and the data of a job.

    Raises:
        ValueError: no such model or loss, data that fits neither, or less than one batch of it.
    """
    return _of_the_user(job) if ":" in job.model else _of_the_benchmark(job)


def _of_the_benchmark(job: Job) -> Workload:
    model = MODELS[job.model]
    generator = np.random.default_rng(SEED)
    most = MOST_NUMBERS // (job.batch_size * math.prod(model.input_shape))
    steps = max(LEAST_STEPS, min(model.steps, most))
    x = generator.normal(size=(steps * job.batch_size, *model.input_shape)).astype(np.float32)
    # labels that can be learned, so that the losses tell whether all have done the same work
    teacher = generator.normal(size=(int(np.prod(model.input_shape)), model.classes))
    y = np.argmax(x.reshape(len(x), -1) @ teacher, axis=1)
    return Workload(model.build, x, y, losses.SparseCategoricalCrossentropy(from_logits=True), True)


def _of_the_user(job: Job) -> Workload:
    build = function(job.model)
    assert job.data is not None, "the suite has asked for it"
    x = array(job.data)
    samples = len(x) - len(x) % job.batch_size
    if not samples:
        raise ValueError(f"expected at least one batch of {job.batch_size} samples, got {len(x)}")
    model = build()
    model.build((None, *x.shape[1:]))
    given = job.loss or model.loss
    if given is None:
        raise ValueError(f"{job.model} is not compiled, so a loss is needed: --loss mse")
    loss = losses.get(given)
    if job.targets is None:
        y = _random_targets(loss, model.output_shape, samples)
    else:
        y = np.load(job.targets, allow_pickle=False)
        if len(y) != len(x):
            raise ValueError(f"expected as many targets as inputs, got {len(y)} and {len(x)}")
    return Workload(lambda _: build(), x[:samples], y[:samples], loss, False)


def _random_targets(loss: losses.Loss, output_shape: tuple[Any, ...], samples: int) -> Array:
    generator = np.random.default_rng(SEED)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        labels: Array = generator.integers(0, output_shape[-1], (samples, *output_shape[1:-1]))
        return labels
    # positive, with sum 1 over the last axis: what every other loss can take
    y: Array = generator.uniform(size=(samples, *output_shape[1:])).astype(np.float32)
    y /= y.sum(axis=-1, keepdims=True)
    return y


def function(text: str) -> Callable[[], Any]:
    """Return the function of ``module:function``."""
    module, separator, name = text.partition(":")
    if not separator:
        raise ValueError(f"expected module:function, got {text!r}; for example my_models:build")
    sys.path.insert(0, "")  # a module beside the user, as with python -m
    found: Callable[[], Any] = getattr(importlib.import_module(module), name)
    return found


def array(text: str) -> Array:
    """Return the array of a file, or random numbers of a shape.

    Raises:
        ValueError: neither a file nor a shape.

    >>> from dualnn.benchmark.workload import array
    >>> array("32,784").shape
    (32, 784)
    """
    if text.endswith(".npy"):
        loaded: Array = np.load(Path(text), allow_pickle=False)
        return loaded
    try:
        shape = tuple(int(size) for size in text.split(","))
    except ValueError:
        raise ValueError(f"expected a file .npy or a shape such as 3200,784, got {text!r}") from None
    return np.random.default_rng(SEED).normal(size=shape).astype(np.float32)
