"""The numbers of a run for TensorBoard."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dualnn.callbacks.callback import Callback, Logs

_numbers = itertools.count()


class TensorBoard(Callback):
    """Write the numbers of a run for TensorBoard, as Keras does: ``tensorboard --logdir logs`` shows them.

    In the folder ``train`` there is ``epoch_loss``, ``epoch_learning_rate`` and so on over the epochs, in the
    folder ``validation`` the same of the validation data under the same names, so that TensorBoard draws
    both into one picture. It needs the package tensorboard, and no framework. A resumed run begins new
    files, in which the epochs after its checkpoint are written once more, with the same numbers.

    Args:
        log_dir: the folder.
        update_freq: ``"epoch"``; or a number N, to write ``batch_loss`` and so on, too, after every N steps
            of all, as the means of the epoch so far. Several steps may run behind one call, see
            `on_train_chunk_end`: then it is written after the first call that reaches such a step.
            ``"batch"`` is after each step, for which the engine runs one step a call.

    Raises:
        ImportError: tensorboard is not installed; ``pip install dualnn[tensorboard]``.
        ValueError: `update_freq` is something else.
        OSError: the files cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = dn.callbacks.TensorBoard(folder)
    ...     _ = model.fit([[0.0]], [[1.0]], epochs=2, callbacks=[board], verbose=0)
    ...     print([path.name for path in Path(folder).iterdir()])
    ['train']
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "logs", update_freq: str | int = "epoch") -> None:
        if update_freq not in ("epoch", "batch") and not _is_count(update_freq):
            raise ValueError(
                f"update_freq must be 'epoch', 'batch' or a number of steps, got {update_freq!r}"
            )
        _library()
        self.log_dir, self.update_freq = os.fspath(log_dir), update_freq
        self._files: dict[str, _EventFile] = {}
        if update_freq == "batch":  # only who asks for single steps is given them
            self.on_train_batch_end = self._on_steps_done  # type: ignore[method-assign]
        elif update_freq != "epoch":
            self.on_train_chunk_end = self._on_steps_done  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Make the folder."""
        Path(self.log_dir).mkdir(parents=True, exist_ok=True)
        self._seen = self._iterations()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where the checkpoint was written."""
        self._seen = self._iterations()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch's numbers."""
        logs = logs or {}
        ours = {name: value for name, value in logs.items() if not name.startswith("val_")}
        optimizer = self.model.optimizer
        if optimizer is not None:
            ours["learning_rate"] = optimizer.learning_rate
        self._write("train", "epoch_", ours, epoch)
        theirs = {name.removeprefix("val_"): logs[name] for name in logs if name not in ours}
        self._write("validation", "epoch_", theirs, epoch)

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files = {}

    def _on_steps_done(self, batch: int, logs: Logs = None) -> None:
        every = 1 if self.update_freq == "batch" else int(self.update_freq)
        done = self._iterations()
        if done // every > self._seen // every:
            self._write("train", "batch_", logs or {}, done)
        self._seen = done

    def _iterations(self) -> int:
        optimizer = self.model.optimizer
        return 0 if optimizer is None else optimizer.iterations

    def _write(self, folder: str, prefix: str, numbers: dict[str, float], step: int) -> None:
        if not numbers:
            return
        if folder not in self._files:
            self._files[folder] = _EventFile(Path(self.log_dir, folder))
        self._files[folder].write(dict(_tagged(prefix, numbers)), step)


def _tagged(prefix: str, numbers: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in numbers.items():
        if np.ndim(value) > 0:  # of a metric with a number for each class
            yield from ((f"{prefix}{name}/{i}", one) for i, one in enumerate(np.ravel(value).tolist()))
        else:
            yield f"{prefix}{name}", value


class _EventFile:
    """A file of TensorBoard's, as the project TensorBoard names and frames it."""

    def __init__(self, folder: Path) -> None:
        self._event, self._summary, record_writer = _library()
        folder.mkdir(parents=True, exist_ok=True)
        from socket import gethostname  # here, as it takes long to import

        now = f"{int(time.time()):010d}.{gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._records = record_writer(open(folder / f"events.out.tfevents.{now}", "xb"))  # noqa: SIM115
        self._add(self._event(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, numbers: dict[str, float], step: int) -> None:
        """Write numbers under their names."""
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items()]
        self._add(self._event(wall_time=time.time(), step=step, summary=self._summary(value=values)))

    def close(self) -> None:
        """Close the file."""
        self._records.close()

    def _add(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()


def _library() -> tuple[Any, Any, Any]:
    # not its EventFileWriter, which imports a whole framework wherever it is installed
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        raise ImportError(
            "TensorBoard needs the package tensorboard: pip install dualnn[tensorboard]"
        ) from error
    return Event, Summary, RecordWriter


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
