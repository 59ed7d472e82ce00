"""Data for training: whatever people have it in, turned into batches of native tensors."""

from __future__ import annotations

import itertools
import math
import operator
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dualnn.place import Place
from dualnn.protocol import Backend, Tensor
from dualnn.training.arrays import SparseRows, Tree, as_arrays, leaves, map_tree
from dualnn.training.batch import (
    NAMES,
    Batch,
    as_batch,
    as_own_batch,
    collated,
    common_length,
    is_borrowed,
    map_batch,
)
from dualnn.training.prefetch import prefetched
from dualnn.training.sources import (
    KerasBatches,
    SampleBatches,
    arrays_of,
    batches_of,
    holds_samples,
    is_iterator,
    is_of_samples,
    yields_batches,
    yields_samples,
)
from dualnn.warning import warn

_CHECKED_BYTES = 2**26
"""How much of the data is in the checksums by which a resumed run knows it again."""

RESIDENT_BYTES = 2 * 2**30
"""How much data is kept on a device that is not the CPU; a share of the smallest of today's GPUs."""

Check = Callable[[Batch, bool], bool]
"""Raises an error if a batch of NumPy arrays cannot be trained on, or returns whether it could tell. To tell,
it may have to run the model on a sample, which it does only if the second argument is True: on the thread
that trains, as a model can do one thing at a time.
"""

Rows: TypeAlias = list[npt.NDArray[np.int64]]
"""Numbers of samples, batch by batch: arrays of shape (batches, samples in each)."""

Order = Callable[[int], npt.NDArray[np.int64] | None]
"""Which permutation of the samples a pass over them has, by its number; None for the order they have."""


def _as_they_are(number: int) -> None:
    return None


class Indexed:
    """Data of which each sample can be had by its number.

    Args:
        size: the number of samples.
        batch_size: samples a step; the last step of a pass over the data may have fewer.
        steps: steps an epoch; None for a pass over all samples.
        goes_on: whether an epoch begins where the one before it has ended, as in training, and the data anew
            when it is at its end; otherwise each begins with the first sample, and ends at the last.
    """

    def __init__(self, size: int, batch_size: int, steps: int | None, goes_on: bool) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.size, self.batch_size = size, batch_size
        self.whole = math.ceil(size / batch_size)
        if steps is not None and steps > self.whole and not goes_on:
            _warn_of_end(self.whole, steps)
            steps = self.whole
        self.steps: int | None = self.whole if steps is None else steps

    def rows(self, order: Order = _as_they_are, start: int = 0) -> Rows:
        """Return the numbers of the samples in each batch of an epoch.

        Args:
            order: the order of the samples in each pass over them.
            start: how many steps were done before the epoch.

        Returns:
            Arrays of shape (batches, samples in each).
        """
        parts: Rows = []
        left = self.steps or 0
        while left:
            number, at = divmod(start, self.whole)
            count = min(left, self.whole - at)
            found = order(number)
            found = np.arange(self.size) if found is None else found
            chosen = found[at * self.batch_size : (at + count) * self.batch_size]
            full = len(chosen) // self.batch_size * self.batch_size
            for part in (chosen[:full].reshape(-1, self.batch_size), chosen[full:].reshape(1, -1)):
                if part.size and parts and parts[-1].shape[1] == part.shape[1]:
                    parts[-1] = np.concatenate([parts[-1], part])
                elif part.size:
                    parts.append(part)
            start, left = start + count, left - count
        return parts

    def ended(self) -> bool:
        """Whether no batch is left."""
        return False

    def expect_passes(self, number: int, argument: str) -> None:
        """Raise ValueError if there cannot be so many passes over the data."""

    def own(self, place: Place) -> None:
        """Make the data independent of memory that others may write to."""

    def described(self) -> dict[str, Any]:
        """Return what decides the order of the samples, to be compared when a run is resumed."""
        return {"samples": self.size, "batch_size": self.batch_size, "steps_per_epoch": self.steps}

    def checksums(self) -> dict[str, int]:
        """Return nothing: what tells the data has been described."""
        return {}

    def pass_over(self, epochs: int, steps: int, checksums: dict[str, int]) -> None:
        """Go on after so many epochs and steps; the rows of an epoch are known anyway."""


class ArrayData(Indexed):
    """Data that is in memory as a whole; it is kept on the device and gathered there.

    Args:
        batch: all inputs, targets and weights, as NumPy arrays.
        batch_size: samples a step.
        steps: steps an epoch; None for all samples.
        goes_on: as in `Indexed`.
    """

    def __init__(
        self, batch: Batch, batch_size: int, steps: int | None = None, goes_on: bool = False
    ) -> None:
        super().__init__(common_length(batch), batch_size, steps, goes_on)
        self.batch = batch
        self.made_of = ""
        self._on_device: dict[Place, Batch] = {}

    def first(self) -> Batch:
        """Return the first sample as NumPy arrays: what a model is built on."""
        return map_batch(lambda a: a[:1], self.batch)

    def explained(self) -> AbstractContextManager[None]:
        """Return what makes errors of layers speak of this data; see `axes_explained`."""
        return axes_explained(self.batch.x, self.made_of)

    def check(self, check: Check) -> None:
        """Check all data at once."""
        check(self.batch, True)

    def weigh(self, weighed: Callable[[Batch], Batch]) -> None:
        """Put the samples' weights in place of those that there are."""
        self.batch = weighed(self.batch)

    def batches(self, place: Place, rows: Rows | None = None, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch, as native tensors.

        Args:
            place: where the tensors are wanted.
            rows: the numbers of the samples in each batch; None for the order they have.
            first: the number of the first batch that is wanted.
        """
        rows = self.rows() if rows is None else rows
        each = itertools.islice((one for part in rows for one in part), first, None)
        if not self.is_resident(place):
            yield from prefetched(self._gathered(place, each))
            return
        if place not in self._on_device and all(map(_are_slices, rows)):  # which need not be gathered
            for one in each:
                part = slice(one[0], one[-1] + 1)
                yield map_batch(lambda a, part=part: place.tensor(a[part], "the model"), self.batch)  # type: ignore[misc]
            return
        data = self.on_device(place)
        for one in each:
            yield take_rows(place.nn, data, place.nn.asarray(one, device=place.device))

    def is_resident(self, place: Place) -> bool:
        """Whether the data is kept on the device: not what is mapped from a file, sparse, or too large.

        On a CPU the device's memory is where the data is already.
        """
        arrays = [array for part in self.batch for _, array in leaves(part)]
        if any(isinstance(array, SparseRows) or _is_mapped(array) for array in arrays):
            return False
        return place.device == "cpu" or sum(array.nbytes for array in arrays) <= RESIDENT_BYTES

    def _gathered(self, place: Place, rows: Iterable[npt.NDArray[np.int64]]) -> Iterator[Batch]:
        for one in rows:
            batch = map_batch(operator.itemgetter(one), self.batch)
            yield map_batch(lambda a: place.tensor(a, "the model"), batch)

    def on_device(self, place: Place, copy: bool | None = None) -> Batch:
        """Return all data as native tensors, which stay there for the epochs to come.

        Args:
            place: where.
            copy: True if the tensors must not be over the arrays' own memory.
        """
        if place not in self._on_device:
            self._on_device[place] = map_batch(lambda a: place.tensor(a, "the model", copy), self.batch)
        return self._on_device[place]

    def described(self) -> dict[str, Any]:
        """Return what decides the order of the samples, and checksums of them, or of some of many."""
        nbytes = sum(array.nbytes for part in self.batch for _, array in leaves(part))
        share = min(1.0, _CHECKED_BYTES / max(nbytes, 1))
        some = np.linspace(0, self.size - 1, max(1, int(self.size * share))).astype(np.int64)
        sums = {
            f"checksum of {path}": checksum(array[some])
            for part, name in zip(self.batch, NAMES, strict=True)
            for path, array in leaves(part, name)
        }
        return {**super().described(), **sums}

    def own(self, place: Place) -> None:
        """Make the data independent of memory that others may write to, but for mapped files."""
        if self.is_resident(place):
            self.on_device(place, copy=True)
        else:
            self.batch = map_batch(lambda a: a if _is_mapped(a) else a.copy(), self.batch)


def _checksum(batch: Batch) -> int:
    found = 0
    for part in batch:
        for path, array in leaves(part):
            found = checksum(array, zlib.crc32(path.encode(), found))
    return found


def checksum(array: npt.NDArray[Any], before: int = 0) -> int:
    """Return a checksum of an array's numbers, which goes on from another one."""
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, before)


def _are_slices(rows: npt.NDArray[np.int64]) -> bool:
    return bool((np.diff(rows, axis=1) == 1).all())


def _is_mapped(array: Any) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def take_rows(nn: Backend, data: Batch, rows: Tensor) -> Batch:
    """Return the batch of these samples."""
    return map_batch(lambda x: nn.take(x, rows, axis=0), data)


class _Passing:
    """What is done with batches that are not known before they come: they are weighed and checked then."""

    _weighed: Callable[[Batch], Batch] | None = None
    _check: Check | None = None

    def check(self, check: Check) -> None:
        """Check every batch as it comes."""
        self._check = check

    def weigh(self, weighed: Callable[[Batch], Batch]) -> None:
        """Put the samples' weights in place of those that there are, as the batches come."""
        self._weighed = weighed

    def _prepared(self, batch: Batch, place: Place, copy: bool | None = None) -> tuple[Batch | None, Batch]:
        """Return the batch as native tensors, and before it what is still to be checked of it, or None."""
        common_length(batch)
        unchecked = None if self._check is None or self._check(batch, False) else batch
        weighed = batch if self._weighed is None else self._weighed(batch)
        return unchecked, map_batch(lambda a: place.tensor(a, "the model", copy), weighed)

    def _checked(self, batches: Iterable[tuple[Batch | None, Batch]]) -> Iterator[Batch]:
        """Yield what `_prepared` has returned in the background, checked to the end."""
        for unchecked, batch in prefetched(batches):
            if unchecked is not None and self._check is not None:
                self._check(unchecked, True)
            yield batch


class SampleData(_Passing, Indexed):
    """The samples of a torch ``Dataset``, which are asked for one by one and put together to batches.

    Args:
        samples: yields ``x``, ``(x, y)`` or ``(x, y, sample_weight)`` of a sample by its number.
        batch_size: samples a step.
        steps: steps an epoch; None for all samples.
        goes_on: as in `Indexed`.
    """

    def __init__(self, samples: Sequence[Any], batch_size: int, steps: int | None, goes_on: bool) -> None:
        size = len(samples)
        if size == 0:
            raise ValueError("the data set is empty: expected at least one sample, got none")
        super().__init__(size, batch_size, steps, goes_on)
        self.samples = samples

    def first(self) -> Batch:
        """Return the first sample."""
        return collated([as_own_batch(self.samples[0])])

    def explained(self) -> AbstractContextManager[None]:
        """Return what makes errors of layers speak of this data; see `axes_explained`."""
        return axes_explained(self.first().x, "batch")

    def batches(self, place: Place, rows: Rows | None = None, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch, as native tensors made in the background; see `ArrayData`."""
        each = (one for part in (self.rows() if rows is None else rows) for one in part)
        rows_left = itertools.islice(each, first, None)
        return self._checked(
            self._prepared(collated([as_own_batch(self.samples[int(i)]) for i in one]), place)
            for one in rows_left
        )


class IterableData(_Passing):
    """Data that comes batch by batch, from a generator, a loader or a data set of a framework.

    An iterator, such as a generator, is read once: each epoch goes on where the last one stopped. All else
    can be begun anew. In training with a number of `steps` it is gone on with, too, and begun anew when it is
    at its end; otherwise each epoch begins with its first batch.

    Args:
        source: yields ``x``, ``(x, y)`` or ``(x, y, sample_weight)`` per batch; or a function that
            returns such an iterable.
        steps: batches an epoch; None for as many as there are.
        goes_on: whether this is training.
    """

    def __init__(
        self, source: Iterable[Any] | Callable[[], Iterable[Any]], steps: int | None, goes_on: bool
    ) -> None:
        self.source = source
        self.limit = steps
        self.steps = steps if steps is not None else _length(source)
        if steps is None and _never_ends(source):
            raise ValueError(
                f"the {_kind(source)} never ends, so an epoch needs a number of steps: steps_per_epoch in "
                f"fit, validation_steps for its validation, steps in evaluate and predict"
            )
        self._is_read_once = is_iterator(source)
        self._goes_on = self._is_read_once or (goes_on and steps is not None)
        self._begins_anew = goes_on and steps is not None and not self._is_read_once
        self._iterator: Iterator[Any] | None = None
        self._first: list[Batch] = []
        self._passed = self._read = 0
        self._checksums: dict[str, int] = {}

    def first(self) -> Batch:
        """Return the first batch's first sample; the batch itself stays the first one."""
        batch = self._peek()
        if batch is None:
            raise ValueError("the data set is empty: expected at least one batch, got none")
        common_length(batch)
        return map_batch(lambda a: a[:1], batch)

    def explained(self) -> AbstractContextManager[None]:
        """Return what makes errors of layers speak of this data; see `axes_explained`."""
        batch = self._peek()
        return axes_explained(None if batch is None else batch.x, "batch")

    def _peek(self) -> Batch | None:
        """Return the next batch, which stays the next one; None if there is none."""
        if not self._first:
            item = self._next(self._start(), 0)
            if item is None:
                return None
            # in memory of its own, since other data may come from the same buffers before it is used
            self._first = [as_own_batch(item)]
        return self._first[0]

    def ended(self) -> bool:
        """Whether no batch is left of what can be read once only."""
        return self._is_read_once and self._peek() is None

    def expect_passes(self, number: int, argument: str) -> None:
        """Raise ValueError if there cannot be so many passes over the data."""
        if self.limit is None and self._is_read_once and number > 1:
            raise ValueError(
                f"expected data for {number} passes, got a {_kind(self.source)}, which can be read "
                f"once only; give a data set, a function that returns a generator, or {argument}"
            )

    def described(self) -> dict[str, Any]:
        """Return what decides the order of the samples, as far as the source tells it."""
        size, generator = getattr(self.source, "batch_size", None), getattr(self.source, "generator", None)
        seed = getattr(generator, "initial_seed", lambda: None)()
        return {
            "source": _kind(self.source),
            "batches": _length(self.source),
            "batch_size": size if isinstance(size, int) else None,
            "steps_per_epoch": self.limit,
            "seed of the loader": seed,
        }

    def checksums(self) -> dict[str, int]:
        """Return the checksums of the ``first`` batch of all, and of the first one of the ``last`` epoch."""
        return self._checksums

    def pass_over(self, epochs: int, steps: int, checksums: dict[str, int]) -> None:
        """Go on after so many epochs, and steps of the next one: read that far, and leave it aside.

        What yields the same first batch in each epoch is taken to yield all in one order, and is not read.

        Args:
            epochs: how many epochs are over.
            steps: how many steps of the next one are over; `batches` is told of them, too.
            checksums: what `checksums` returned then.
        """
        self._checksums = dict(checksums)
        first, last = checksums.get("first"), checksums.get("last")
        batch = self._peek()
        is_same = first is None or batch is None or _checksum(batch) == first
        if self._goes_on and self.limit is not None:
            self._passed = epochs * self.limit
        elif first is not None and is_same and (first != last or (epochs, steps) == (1, 0)):
            for _ in range(epochs):
                begin = self._peek()
                if not steps:  # then the last epoch that was begun is over
                    is_same = begin is not None and _checksum(begin) == last
                self._first.clear()
                deque(self._start(), maxlen=0)
                self._iterator = None
            begin = self._peek()
            if steps:
                is_same = begin is not None and _checksum(begin) == last
        if not is_same:
            warn(
                "the data comes in another order than in the run that is resumed, so its epochs are others, "
                "and one under way leaves out samples and has others twice; an order that begins with a seed "
                "can be gone on with, as of DataLoader(..., generator=torch.Generator().manual_seed(0))"
            )

    def own(self, place: Place) -> None:
        """Do nothing: each batch is copied as it comes."""

    def batches(self, place: Place, rows: Rows | None = None, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch from the `first` on, as native tensors made in the background.

        They are in the order in which they come, whatever `rows` there are.
        """
        self._read = 0
        yield from self._checked(self._batches(place, first))
        if self._read == 0:
            raise ValueError(
                "the data ended before the epoch began: what can be read once only, such as a generator, "
                "serves for one pass; give a data set, or a function that returns a generator anew"
            )
        if self.limit is None:
            self.steps = self._read
        elif self._read < self.limit:
            _warn_of_end(self._read, self.limit)

    def _batches(self, place: Place, first: int) -> Iterator[tuple[Batch | None, Batch]]:
        iterator = self._start()
        if not self._goes_on:
            self._iterator = None
        passed, self._passed = self._passed, 0
        for number in range(-passed, self.limit) if self.limit is not None else itertools.count():
            item: Any
            if self._first:
                item, borrowed = self._first.pop(), False
            else:
                item = self._next(iterator, number)
                if item is None and self._begins_anew:
                    self._iterator = None
                    iterator = self._start()
                    item = self._next(iterator, number)
                if item is None:
                    return
                borrowed = is_borrowed(item)
            batch = as_batch(item)
            self._read = number + 1
            if number == 0:
                self._checksums["last"] = _checksum(batch)
                self._checksums.setdefault("first", self._checksums["last"])
            if number >= first:
                yield self._prepared(batch, place, True if borrowed else None)

    def _next(self, iterator: Iterator[Any], number: int) -> Any:
        try:
            return next(iterator, None)
        except Exception as error:
            error.add_note(f"(raised by the data, while it was asked for batch {number + 1} of an epoch)")
            raise

    def _start(self) -> Iterator[Any]:
        if self._iterator is None:
            self._iterator = iter(self.source() if callable(self.source) else self.source)
        return self._iterator


def _warn_of_end(count: int, steps: int) -> None:
    warn(f"the data ended after {count} of {steps} steps; give data with more batches, or fewer steps")


Data: TypeAlias = ArrayData | SampleData | IterableData


@contextmanager
def axes_explained(x: Any, of: str = "") -> Iterator[None]:
    """Say what `x` was if a layer refuses the number of its axes, which for a layer is that of one batch.

    Args:
        x: a structure of arrays.
        of: what it was made of, ``"range"`` for example, or nothing if it was an array.
    """
    try:
        yield
    except ValueError as error:
        flat = next(((path, array) for path, array in leaves(x, "x") if np.ndim(array) == 1), None)
        if flat is None or not any(word in str(error) for word in ("axes", "axis -1")):
            raise
        path, array = flat
        got = f"a {of}" if of else "numbers"
        raise ValueError(
            f"{path}: expected samples with an axis of features, got {got} of shape ({len(array)},); "
            f"{path}[:, None] of an array gives them one, for the shape ({len(array)}, 1)"
        ) from error


def data_from(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    goes_on: bool = False,
) -> Data:
    """Return the data set that a caller of `fit`, `evaluate` or `predict` means.

    Args:
        x: arrays (NumPy, pandas, lists of numbers, native tensors of any framework; tuples and
            dictionaries of them for several inputs), or something that yields batches or samples.
        y: targets, likewise; None if `x` yields them.
        sample_weight: one number a sample, or None.
        batch_size: samples a batch, 32 by default; for arrays and samples only.
        steps: batches an epoch; None for all there are.
        goes_on: whether an epoch begins where the one before has ended, as in training.

    Raises:
        ValueError: an empty data set, or different numbers of samples.
        TypeError: not numbers, or not known to be samples or batches.
    """
    if x is None:
        raise ValueError("expected data as x, got None")
    if isinstance(x, type):
        raise TypeError(f"expected data as x, got the class {x.__name__} itself: make one, {x.__name__}(...)")
    size = 32 if batch_size is None else batch_size
    if not yields_batches(x):
        arrays = as_arrays(x, "x", sparse=True), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight")
        data = ArrayData(Batch(*arrays), size, steps, goes_on)
        data.made_of = "" if isinstance(x, np.ndarray | list | tuple) else type(x).__name__
        return data
    source = x if is_of_samples(x) else batches_of(x)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(
                f"x yields its batches or samples with all that belongs to them, so {name} must come from it "
                f"too, as (x, y, sample_weight)"
            )
    tensors = arrays_of(x)
    if tensors is not None:
        return ArrayData(as_batch(tensors), size, steps, goes_on)
    if holds_samples(x):
        return SampleData(x, size, steps, goes_on)
    if yields_samples(x):
        return IterableData(SampleBatches(x, size), steps, goes_on)
    if batch_size is not None:
        raise ValueError("x yields batches, so their size is its own: leave out batch_size")
    return IterableData(source, steps, goes_on)


def split(batch: Batch, validation_split: float) -> tuple[Batch, Batch]:
    """Return training and validation data; the latter is the last share of the samples.

    Raises:
        ValueError: a share not between 0 and 1, or one that leaves a part empty.
    """
    if not 0 < validation_split < 1:
        raise ValueError(f"validation_split must be between 0 and 1, got {validation_split}")
    size = common_length(batch)
    at = int(size * (1 - validation_split))
    if at in (0, size):
        raise ValueError(f"validation_split={validation_split} of {size} samples leaves a part empty")
    return map_batch(lambda a: _part(a, slice(at)), batch), map_batch(
        lambda a: _part(a, slice(at, None)), batch
    )


def _part(array: Any, rows: slice) -> Any:
    return array.part(rows) if isinstance(array, SparseRows) else array[rows]


def check_finite(batch: Batch) -> None:
    """Raise ValueError if there is a NaN or an infinity, with the first sample that has one."""
    for part, name in zip(batch, NAMES, strict=True):
        for path, array in leaves(part, name):
            bad = ~_finite(array)
            if bad.any():
                raise ValueError(
                    f"{path}: expected finite numbers, got NaN or infinity in {bad.sum()} of {len(array)} "
                    f"samples, first in sample {bad.argmax()}"
                )


def _finite(array: Any) -> npt.NDArray[np.bool_]:
    """Return for each sample whether all its numbers are finite."""
    if isinstance(array, SparseRows):
        return array.finite()
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return np.ones(len(array), dtype=bool)
    return np.isfinite(array).reshape(len(array), -1).all(axis=1)  # type: ignore[no-any-return]


def _kind(source: Any) -> str:
    given = source.dataset if isinstance(source, KerasBatches | SampleBatches) else source
    return type(given).__name__


def _never_ends(source: Any) -> bool:
    try:
        len(source)
    except TypeError as error:  # what a tf.data.Dataset says
        return "is infinite" in str(error)
    return False


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None


def native_tree(x: Tree, place: Place, copy: bool | None = None) -> Tree:
    """Return the structure with every array as a native tensor of that place; see `Place.tensor`."""
    return map_tree(lambda a: place.tensor(a, "the model", copy), x)
