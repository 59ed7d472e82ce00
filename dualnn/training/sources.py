"""What yields batches or samples, of whatever framework: told apart by class, since the core imports none."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from dualnn.training.arrays import holds_numbers
from dualnn.training.batch import Batch, as_own_batch, collated
from dualnn.warning import warn


def yields_batches(x: Any) -> bool:
    """Whether `x` yields batches or samples, and is not an array or a structure of arrays."""
    return not holds_numbers(x)


def is_iterator(x: Any) -> bool:
    """Whether `x` can be read once only, as a generator can."""
    return hasattr(x, "__next__")


def is_of_samples(x: Any) -> bool:
    """Whether `x` is a torch ``Dataset``, of which batches are yet to be made."""
    return _inherits(x, "torch", "Dataset")


def arrays_of(x: Any) -> tuple[Any, ...] | None:
    """Return the tensors of a torch ``TensorDataset``, which are arrays of samples; None for all else."""
    return tuple(x.tensors) if _is_native(type(x), "torch", "TensorDataset") else None


def holds_samples(x: Any) -> bool:
    """Whether `x` is a torch ``Dataset`` with a length, whose items are samples."""
    return is_of_samples(x) and not yields_samples(x)


def yields_samples(x: Any) -> bool:
    """Whether `x` is a torch ``IterableDataset``, whose items are samples, too."""
    return _inherits(x, "torch", "IterableDataset")


def batches_of(x: Any) -> Iterable[Any] | Callable[[], Iterable[Any]]:
    """Return the source of batches that a caller means by `x`: an iterable, or a function that returns one.

    Raises:
        TypeError: nobody could say whether its items are samples or batches, or it has none.
    """
    if any(_inherits(x, root, "PyDataset", "Sequence") for root in ("keras", "tf_keras", "tensorflow")):
        return KerasBatches(x)
    name = type(x).__name__
    if hasattr(x, "__len__") and hasattr(x, "__getitem__"):
        raise TypeError(
            f"expected arrays, or what yields batches, as x, got a {name}, of which it is not known whether "
            f"its items are samples or batches; of samples make batches with torch.utils.data.DataLoader(x, "
            f"batch_size=32), for batches give a function: lambda: (x[i] for i in range(len(x)))"
        )
    if not (callable(x) or hasattr(x, "__iter__") or hasattr(x, "__getitem__")):
        raise TypeError(f"expected arrays, or what yields batches, as x, got a {name}")
    return x  # type: ignore[no-any-return]


class KerasBatches:
    """The batches of a Keras ``PyDataset`` or ``Sequence``: in order, with its workers and its hooks.

    Each pass over them begins with its ``on_epoch_begin`` and ends with its ``on_epoch_end``. With more than
    one worker, threads make the batches ahead, ``max_queue_size`` of them at most.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        if getattr(dataset, "use_multiprocessing", False):
            warn(
                f"{type(dataset).__name__}: use_multiprocessing=True is not done, since processes forked "
                f"beside a framework's threads may hang; threads make its batches: {max(dataset.workers, 1)}"
            )

    def __len__(self) -> int:
        found = self._length()
        if found is None:
            raise TypeError("the data set is infinite")
        return found

    def __iter__(self) -> Iterator[Any]:
        self._call("on_epoch_begin")
        length = self._length()
        numbers = itertools.count() if length is None else iter(range(length))
        workers = getattr(self.dataset, "workers", 1)
        if workers > 1:
            yield from _ahead(self._made, numbers, workers, self.dataset.max_queue_size)
        else:
            yield from map(self.dataset.__getitem__, numbers)
        self._call("on_epoch_end")

    def _made(self, number: int) -> Batch:
        # in memory of its own: the thread makes another one before this one is used
        return as_own_batch(self.dataset[number])

    def _length(self) -> int | None:
        length = self.dataset.num_batches if hasattr(self.dataset, "num_batches") else len(self.dataset)
        return None if length is None else int(length)

    def _call(self, hook: str) -> None:
        getattr(self.dataset, hook, lambda: None)()


def _ahead(make: Callable[[int], Any], numbers: Iterator[int], workers: int, waiting: int) -> Iterator[Any]:
    """Yield what `make` returns for each number, in order, made by threads."""
    pool = ThreadPoolExecutor(workers, "dualnn-worker")
    made: deque[Future[Any]] = deque()
    try:
        while True:
            for number in itertools.islice(numbers, max(waiting, 1) - len(made)):
                made.append(pool.submit(make, number))
            if not made:
                return
            yield made.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class SampleBatches:
    """The samples of a torch ``IterableDataset``, put together to batches."""

    def __init__(self, dataset: Any, batch_size: int) -> None:
        self.dataset, self.batch_size = dataset, batch_size

    def __iter__(self) -> Iterator[Batch]:
        samples = map(as_own_batch, self.dataset)  # one buffer may serve for all
        while batch := list(itertools.islice(samples, self.batch_size)):
            yield collated(batch)


def _inherits(x: Any, root: str, *names: str) -> bool:
    return any(_is_native(base, root, *names) for base in type(x).__mro__)


def _is_native(cls: type, root: str, *names: str) -> bool:
    return cls.__name__ in names and cls.__module__.partition(".")[0] == root
