"""Data for training: whatever people have it in, turned into batches of native tensors."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dualnn import backends
from dualnn.place import Place
from dualnn.protocol import Backend, Tensor
from dualnn.training.prefetch import prefetched

Tree: TypeAlias = Any
"""One array, or a tuple, list or dictionary of arrays."""


class Batch(NamedTuple):
    """Inputs, targets and sample weights of one step; targets and weights may be None."""

    x: Tree
    y: Tree = None
    weight: Any = None


RESIDENT_BYTES = 2 * 2**30
"""How much data is kept on a device that is not the CPU; a share of the smallest of today's GPUs."""

Check = Callable[[Batch, bool], bool]
"""Raises an error if a batch of NumPy arrays cannot be trained on, or returns whether it could tell. To tell,
it may have to run the model on a sample, which it does only if the second argument is True: on the thread
that trains, as a model can do one thing at a time.
"""


class ArrayData:
    """Data that is in memory as a whole; it is kept on the device and gathered there.

    Args:
        batch: all inputs, targets and weights, as NumPy arrays.
        batch_size: samples a step; the last step of an epoch may have fewer.
        steps: at most so many steps an epoch; None for all samples.
    """

    def __init__(self, batch: Batch, batch_size: int, steps: int | None = None) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.batch, self.batch_size = batch, batch_size
        self.size = _common_length(batch)
        whole = math.ceil(self.size / batch_size)
        self.steps: int | None = whole if steps is None else min(steps, whole)
        self._on_device: dict[Place, Batch] = {}

    def first(self) -> Batch:
        """Return the first sample as NumPy arrays: what a model is built on."""
        return map_batch(lambda a: a[:1], self.batch)

    def check(self, check: Check) -> None:
        """Check all data at once."""
        check(self.batch, True)

    def weigh(self, weighed: Callable[[Batch], Batch]) -> None:
        """Put the samples' weights in place of those that there are."""
        self.batch = weighed(self.batch)

    def pass_over(self, epochs: int, steps: int) -> None:
        """Go on after so many epochs and steps; the rows of an epoch are known anyway."""

    def batches(self, place: Place, order: npt.NDArray[np.int64] | None, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch, as native tensors.

        Args:
            place: where the tensors are wanted.
            order: a permutation of the samples, or None for the order they have.
            first: the number of the first batch that is wanted.
        """
        all_rows = itertools.islice((one for rows in self.rows(order) for one in rows), first, None)
        if not self.is_resident(place):
            yield from prefetched(self._gathered(place, all_rows))
            return
        if order is None and place not in self._on_device:  # for one pass in order, rows need not be gathered
            for one in all_rows:
                rows = slice(one[0], one[-1] + 1)
                yield map_batch(lambda a, rows=rows: place.tensor(a[rows], "the model"), self.batch)  # type: ignore[misc]
            return
        data = self.on_device(place)
        for one in all_rows:
            yield take_rows(place.nn, data, place.nn.asarray(one, device=place.device))

    def is_resident(self, place: Place) -> bool:
        """Whether the data is kept on the device: not what is mapped from a file, nor what is too large.

        On a CPU the device's memory is where the data is already.
        """
        arrays = [array for part in self.batch for _, array in leaves(part)]
        if any(map(_is_mapped, arrays)):
            return False
        return place.device == "cpu" or sum(array.nbytes for array in arrays) <= RESIDENT_BYTES

    def _gathered(self, place: Place, rows: Iterable[npt.NDArray[np.int64]]) -> Iterator[Batch]:
        for one in rows:
            batch = map_batch(operator.itemgetter(one), self.batch)
            yield map_batch(lambda a: place.tensor(a, "the model"), batch)

    def on_device(self, place: Place) -> Batch:
        """Return all data as native tensors, which stay there for the epochs to come."""
        if place not in self._on_device:
            self._on_device[place] = map_batch(lambda a: place.tensor(a, "the model"), self.batch)
        return self._on_device[place]

    def rows(self, order: npt.NDArray[np.int64] | None) -> list[npt.NDArray[np.int64]]:
        """Return the numbers of the samples in each batch of an epoch.

        Args:
            order: a permutation of the samples, or None for the order they have.

        Returns:
            An array of shape (whole batches, batch size), and one of shape (1, samples) if fewer samples
            than a batch are left; either may be missing.
        """
        size = min(self.size, (self.steps or 0) * self.batch_size)
        order = np.arange(size) if order is None else order[:size]
        whole = size // self.batch_size * self.batch_size
        parts = [order[:whole].reshape(-1, self.batch_size), order[whole:].reshape(1, -1)]
        return [part for part in parts if part.size]


def _is_mapped(array: Any) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def take_rows(nn: Backend, data: Batch, rows: Tensor) -> Batch:
    """Return the batch of these samples."""
    return map_batch(lambda x: nn.take(x, rows, axis=0), data)


class IterableData:
    """Data that comes batch by batch, from a generator, a loader or a data set of a framework.

    Args:
        source: yields ``x``, ``(x, y)`` or ``(x, y, sample_weight)`` per batch; or a function that
            returns such an iterable anew for each epoch.
        steps: batches an epoch; None for as many as there are. With a number, the next epoch goes on
            where the last one stopped.
    """

    def __init__(self, source: Iterable[Any] | Callable[[], Iterable[Any]], steps: int | None) -> None:
        self.source = source
        self._weighed: Callable[[Batch], Batch] | None = None
        self.endless = steps is not None
        self.steps = steps if steps is not None else _length(source)
        self._iterator: Iterator[Any] | None = None
        self._first: list[Any] = []
        self._check: Check | None = None
        self._passed = 0

    def first(self) -> Batch:
        """Return the first batch's first sample; the batch itself stays the first one."""
        iterator = self._start()
        item = next(iterator, None)
        if item is None:
            raise ValueError("the data set is empty: expected at least one batch, got none")
        self._first = [item]
        batch = as_batch(item)
        _common_length(batch)
        return map_batch(lambda a: a[:1], batch)

    def check(self, check: Check) -> None:
        """Check every batch as it comes."""
        self._check = check

    def weigh(self, weighed: Callable[[Batch], Batch]) -> None:
        """Put the samples' weights in place of those that there are, as the batches come."""
        self._weighed = weighed

    def pass_over(self, epochs: int, steps: int) -> None:
        """Go on after so many epochs, and steps of the next one: read that far, and leave it aside.

        The source must yield the same batches as before: a number of its own decides what a shuffled loader
        yields.
        """
        self._passed = epochs * self.steps if self.endless and self.steps is not None else 0

    def batches(self, place: Place, order: npt.NDArray[np.int64] | None, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch from the `first` on, as native tensors made in the background.

        No `order` applies.
        """
        for unchecked, batch in prefetched(self._batches(place, first)):
            if unchecked is not None and self._check is not None:
                self._check(unchecked, True)
            yield batch

    def _batches(self, place: Place, first: int) -> Iterator[tuple[Batch | None, Batch]]:
        iterator = self._start()
        self._passed, passed = 0, self._passed
        count = -passed
        while self.steps is None or count < self.steps or not self.endless:
            try:
                item = self._first.pop() if self._first else next(iterator, None)
            except Exception as error:
                error.add_note(f"(raised by the data, while it was asked for batch {count + 1} of an epoch)")
                raise
            if item is None:
                self._iterator = None
                break
            count += 1
            if count <= first:
                continue
            batch = as_batch(item)
            _common_length(batch)
            unchecked = None if self._check is None or self._check(batch, False) else batch
            if self._weighed is not None:
                batch = self._weighed(batch)
            yield unchecked, map_batch(lambda a: place.tensor(a, "the model"), batch)
        if count <= 0:
            raise ValueError(
                "the data ended before the epoch began: a generator can be read once only; give a list, a "
                "data set, a function that returns a generator, or steps_per_epoch with an endless one"
            )
        if self.endless and self.steps is not None and count < self.steps:
            raise ValueError(f"expected {self.steps} batches an epoch, the data ended after {count}")
        if not self.endless:
            self.steps, self._iterator = count, None

    def _start(self) -> Iterator[Any]:
        if self._iterator is None:
            self._iterator = iter(self.source() if callable(self.source) else self.source)
        return self._iterator


Data: TypeAlias = ArrayData | IterableData


def data_from(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
) -> Data:
    """Return the data set that a caller of `fit`, `evaluate` or `predict` means.

    Args:
        x: arrays (NumPy, pandas, lists of numbers, native tensors of any framework; tuples and
            dictionaries of them for several inputs), or something that yields batches.
        y: targets, likewise; None if `x` yields them.
        sample_weight: one number a sample, or None.
        batch_size: samples a batch, 32 by default; for arrays only.
        steps: batches an epoch; None for all there are.

    Raises:
        ValueError: an empty data set, or different numbers of samples.
        TypeError: not numbers.
    """
    if x is None:
        raise ValueError("expected data as x, got None")
    if not yields_batches(x):
        batch = Batch(as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight"))
        return ArrayData(batch, 32 if batch_size is None else batch_size, steps)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(f"x yields batches, so {name} must come from it too, as (x, y, sample_weight)")
    if batch_size is not None:
        raise ValueError("x yields batches, so their size is its own: leave out batch_size")
    return IterableData(x, steps)


def yields_batches(x: Any) -> bool:
    """Whether `x` yields batches, and is not an array or a structure of arrays."""
    if isinstance(x, list | tuple | dict | np.ndarray) or is_array(x):
        return False
    return callable(x) or hasattr(x, "__iter__") or hasattr(x, "__getitem__")


def is_array(x: Any) -> bool:
    """Whether `x` is an array, a data frame or a native tensor."""
    return hasattr(x, "__array__") or hasattr(x, "__dlpack__") or backends.owner(x) is not None


def as_arrays(x: Any, what: str) -> Tree:
    """Return NumPy arrays for what a caller gave as arrays.

    A dictionary or a tuple is a structure of arrays; so is a list, if arrays with a batch axis are in
    it; any other list is an array.

    >>> as_arrays([[1, 2], [3, 4]], "x").shape
    (2, 2)
    """
    if x is None:
        return None
    if isinstance(x, dict):
        return {key: as_arrays(value, f"{what}[{key!r}]") for key, value in x.items()}
    if isinstance(x, list | tuple) and _holds_arrays(x):
        return [as_arrays(item, f"{what}[{i}]") for i, item in enumerate(x)]
    return as_array(x, what)


def _holds_arrays(x: list[Any] | tuple[Any, ...]) -> bool:
    """Whether there are arrays in it, dictionaries of arrays, or None where an output has no target."""
    items = [item for item in x if item is not None]
    return bool(items) and all(
        isinstance(item, dict) or (is_array(item) and len(np.shape(item)) > 0) for item in items
    )


def as_array(x: Any, what: str) -> npt.NDArray[Any]:
    """Return one NumPy array of numbers.

    Raises:
        TypeError: `x` is not made of numbers.
    """
    nn = backends.owner(x)
    if nn is not None:
        return nn.to_numpy(x)
    try:
        array = _frame(x) if hasattr(x, "to_numpy") else np.asarray(x)
    except ValueError as error:
        raise TypeError(f"{what}: expected an array of numbers, got rows of different lengths") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{what}: expected numbers, got an array of dtype {array.dtype}")
    return array


def _frame(x: Any) -> npt.NDArray[Any]:
    # Columns of different kinds of numbers have the common dtype `object` in pandas.
    dtypes: Any = getattr(x, "dtypes", None)
    columns = dtypes if hasattr(dtypes, "__iter__") else [dtypes]
    kinds = {getattr(dtype, "kind", "O") for dtype in columns}
    if kinds <= set("biuf") and np.asarray(x).dtype == object:
        return np.asarray(x.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(x.to_numpy())


def as_batch(item: Any) -> Batch:
    """Return the batch that a generator, loader or data set has yielded."""
    if isinstance(item, tuple | list):
        if not 1 <= len(item) <= 3:
            raise ValueError(f"expected batches of x, (x, y) or (x, y, sample_weight), got {len(item)} parts")
        names = ("x", "y", "sample_weight")
        return Batch(*(as_arrays(part, name) for part, name in zip(item, names, strict=False)))
    return Batch(as_arrays(item, "x"))


def map_batch(function: Callable[[Any], Any], batch: Batch) -> Batch:
    """Return the batch with `function` applied to every array."""
    return Batch(*[None if part is None else map_tree(function, part) for part in batch])


def map_tree(function: Callable[[Any], Any], x: Tree) -> Tree:
    """Return the structure with `function` applied to every array; None stays."""
    if type(x) is np.ndarray:  # the usual case
        return function(x)
    if x is None:
        return None
    if isinstance(x, dict):
        return {key: map_tree(function, value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [map_tree(function, item) for item in x]
    return function(x)


def leaves(x: Tree, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the arrays of a structure with their names."""
    if isinstance(x, dict):
        for key, value in x.items():
            yield from leaves(value, f"{name}[{key!r}]")
    elif isinstance(x, list | tuple):
        for i, value in enumerate(x):
            yield from leaves(value, f"{name}[{i}]")
    elif x is not None:
        yield name, x


def split(batch: Batch, validation_split: float) -> tuple[Batch, Batch]:
    """Return training and validation data; the latter is the last share of the samples.

    Raises:
        ValueError: a share not between 0 and 1, or one that leaves a part empty.
    """
    if not 0 < validation_split < 1:
        raise ValueError(f"validation_split must be between 0 and 1, got {validation_split}")
    size = _common_length(batch)
    at = int(size * (1 - validation_split))
    if at in (0, size):
        raise ValueError(f"validation_split={validation_split} of {size} samples leaves a part empty")
    return map_batch(lambda a: a[:at], batch), map_batch(lambda a: a[at:], batch)


def check_finite(batch: Batch) -> None:
    """Raise ValueError if there is a NaN or an infinity, with the first sample that has one."""
    for part, name in zip(batch, ("x", "y", "sample_weight"), strict=True):
        for path, array in leaves(part, name):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
                raise ValueError(
                    f"{path}: expected finite numbers, got NaN or infinity in {bad.sum()} of {len(array)} "
                    f"samples, first in sample {bad.argmax()}"
                )


def _common_length(batch: Batch) -> int:
    sizes: dict[str, int] = {}
    for part, name in zip(batch, ("x", "y", "sample_weight"), strict=True):
        for path, array in leaves(part, name):
            if np.ndim(array) == 0:
                raise ValueError(
                    f"{path}: expected an array with a batch axis, got a single number; what yields samples "
                    f"must be made to yield batches, with a DataLoader or .batch(n)"
                )
            sizes[path] = len(array)
    if len(set(sizes.values())) > 1:
        raise ValueError(f"expected the same number of samples everywhere, got {sizes}")
    size = next(iter(sizes.values()), 0)
    if size == 0:
        raise ValueError("the data set is empty: expected at least one sample, got none")
    return size


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None


def native_tree(x: Tree, place: Place) -> Tree:
    """Return the structure with every array as a native tensor of that place."""
    return _native(x, place) if type(x) is np.ndarray else map_tree(lambda a: _native(a, place), x)


def _native(x: Any, place: Place) -> Tensor:
    return place.tensor(x, "the model")
