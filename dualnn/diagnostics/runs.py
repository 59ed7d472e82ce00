"""What all diagnostics do: train fresh models on parts of the data, and measure them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from dualnn import random
from dualnn.models import Model
from dualnn.names import unknown
from dualnn.training.arrays import as_arrays
from dualnn.training.batch import Batch, map_batch
from dualnn.training.data import ArrayData
from dualnn.training.progress import ProgressBar, verbosity
from dualnn.training.sources import yields_batches

Build: TypeAlias = Callable[[], Model]
"""Returns a model that is compiled and not built, a new one at each call."""

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
T = TypeVar("T")

TEST_BATCH = 256
"""Samples a step when a model is measured; it changes no result but for rounding."""


def arrays(x: Any, y: Any, sample_weight: Any = None) -> Batch:
    """Return data as NumPy arrays whose samples can be picked.

    Raises:
        TypeError: no arrays.
        ValueError: no targets, no samples, or different numbers of them.
    """
    if yields_batches(x):
        raise TypeError(
            f"expected x and y as arrays, to train on parts of them; got {type(x).__name__}, "
            f"which yields batches: collect them first"
        )
    if y is None:
        raise ValueError("expected targets y, got None")
    batch = Batch(as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight"))
    size_of(batch)
    return batch


def size_of(batch: Batch) -> int:
    """Return the number of samples; raises ValueError if it is 0 or not the same everywhere."""
    return ArrayData(batch, 1).size


def pick(batch: Batch, rows: Rows) -> Batch:
    """Return these samples."""
    return map_batch(lambda array: array[rows], batch)


def hold_out(batch: Batch, validation_split: float, validation_data: Any, seed: int) -> tuple[Batch, Batch]:
    """Return training and validation data.

    Args:
        batch: all data.
        validation_split: the share held out, drawn at random by the seed.
        validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` instead, or None.
        seed: fixes what is held out.

    Raises:
        ValueError: a share that leaves a part empty.
    """
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
            raise ValueError("validation_data: expected (x, y) or (x, y, sample_weight)")
        return batch, arrays(*validation_data)
    size = size_of(batch)
    count = round(size * validation_split)
    if not 0 < count < size:
        raise ValueError(
            f"validation_split={validation_split} of {size} samples leaves a part empty; "
            f"expected a share between 0 and 1"
        )
    order = random.Generator(random.key(seed, "hold out")).permutation(size)
    return pick(batch, np.sort(order[count:])), pick(batch, np.sort(order[:count]))


def fresh(build: Build) -> Model:
    """Return a new model.

    Raises:
        TypeError: `build` is no function, or returns something else.
        ValueError: the model is built, so that it has weights that come from no seed of ours, or from an
            earlier training.
    """
    if not callable(build) or isinstance(build, Model):
        raise TypeError(f"build: expected a function that returns a compiled model, got {build!r}")
    model = build()
    if not isinstance(model, Model):
        raise TypeError(f"build() must return a compiled model, got {model!r}; does it end with a return?")
    if model.built:
        raise ValueError(
            f"build() returned the model {model.name!r}, which has weights already; each training needs a "
            f"new one: make and compile it inside build, and do not build, call or train it there"
        )
    return model


def probe(build: Build, batch: Batch, metric: str | None = None, seed: int = 0) -> Any:
    """Return the output of an untrained model for one sample: errors in `build` come before hours of work.

    Raises:
        TypeError, ValueError: as `fresh`; data that does not fit; or the model has no such metric.
        RuntimeError: the model is not compiled.
    """
    model, first = fresh(build), pick(batch, np.arange(1))
    model.fit(first.x, first.y, epochs=0, seed=seed, verbose=0)  # builds the model by the seed
    known = measured(model, first)
    if metric is not None and metric not in known:
        raise ValueError(unknown("metric", metric, known))
    return model.predict(first.x, verbose=0)


def trained(build: Build, batch: Batch, seed: int, **fit: Any) -> Model:
    """Return a new model, trained."""
    model = fresh(build)
    model.fit(batch.x, batch.y, sample_weight=batch.weight, seed=seed, verbose=0, **fit)
    return model


def measured(model: Model, batch: Batch) -> dict[str, float]:
    """Return the loss and the metrics by their names, with dropout and the like switched off."""
    results: dict[str, float] = model.evaluate(
        batch.x, batch.y, sample_weight=batch.weight, batch_size=TEST_BATCH, verbose=0, return_dict=True
    )
    return results


def counted(jobs: Sequence[T], title: str, verbose: Any) -> Iterator[T]:
    """Yield the jobs one after the other, behind a progress bar or with a line for each, as in `fit`."""
    shown = verbosity(verbose)
    with ProgressBar(shown == 1, None, title) as bar:
        bar.begin(len(jobs))
        for number, job in enumerate(jobs, 1):
            if shown == 2:
                print(f"{title}: training {number} of {len(jobs)}", flush=True)
            yield job
            bar.step()


def positive(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number; raises ValueError if it is none, or less than the least."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}, got {value!r}")
    return int(value)
