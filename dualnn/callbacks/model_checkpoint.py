"""Writing the model as the training goes."""

from __future__ import annotations

import os
import string
from pathlib import Path

from dualnn.callbacks.callback import Callback, Logs
from dualnn.callbacks.monitor import Monitor, is_left_out
from dualnn.names import unknown


class ModelCheckpoint(Callback):
    """Write the model after each epoch, or after those that are the best so far.

    An epoch that is not validated is passed over if the number, or one in the file's name, is of validation.

    To go on where a run was interrupted, give `Model.fit` a ``checkpoint``: that has the run's state, too.

    Args:
        filepath: the file: one that ends in ``.safetensors`` has the weights, for `Layer.load_weights`; one
            that ends in ``.dualnn`` the whole model, for `dualnn.load_model`. Its name may hold
            ``{epoch}``, counted from 1, and names of numbers in the logs, as `str.format` takes them:
            ``"{epoch:02d}-{val_loss:.2f}.safetensors"``. Folders that are not there are made; a file that is
            there is overwritten.
        monitor: the name of the number in the logs that tells which epoch is the best.
        verbose: 1 prints a line when a file is written, 0 nothing.
        save_best_only: whether only those epochs are kept that are better than all before.
        save_weights_only: whether the file has the weights, or the whole model; None goes by its ending.
        mode: ``"min"``, ``"max"``, or ``"auto"``: as the metric says, by its `direction`; with a warning by
            the name, up for accuracies and the like, if it says nothing.
        initial_value_threshold: a value that the first file must improve on, or None; for `save_best_only`.

    Attributes:
        best: the best value so far, or None before the first. It outlasts a run, so that a second `fit`
            keeps a better file of a first.

    Raises:
        ValueError: another ending, a pattern or a mode that cannot be; in training also if the logs have no
            number of a name that `filepath` or `monitor` gives, or the model cannot be written as a whole.
        OSError: nothing can be written there.

    >>> import tempfile
    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     keep = dn.callbacks.ModelCheckpoint(folder + "/{epoch:02d}.safetensors")
    ...     _ = model.fit([[0.0]], [[1.0]], epochs=2, callbacks=[keep], verbose=0)
    ...     model.load_weights(folder + "/01.safetensors")
    """

    state_names = ("best",)

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool | None = None,
        mode: str = "auto",
        initial_value_threshold: float | None = None,
    ) -> None:
        self.filepath = os.fspath(filepath)
        self.save_weights_only = _check_ending(self.filepath, save_weights_only)
        _check_pattern(self.filepath)
        self.monitor, self.verbose, self.save_best_only = monitor, verbose, save_best_only
        self._monitor = Monitor(monitor, mode)
        self.best: float | None = initial_value_threshold

    def on_train_begin(self, logs: Logs = None) -> None:
        """Find out which way is better."""
        if self.save_best_only:
            self._monitor.ask(self.model, type(self).__name__)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the file, if it is to be."""
        if self.save_best_only:
            value = self._monitor.value(logs, self)
            best = self._monitor.worst if self.best is None else self.best
            if value is None or not self._monitor.improves(value, best):
                return
            self.best = value
        path = self._path(epoch, logs or {})
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            what = "weights are" if self.save_weights_only else "model is"
            print(f"Epoch {epoch + 1}: the {what} in {path}", flush=True)

    def _path(self, epoch: int, logs: dict[str, float]) -> Path | None:
        fields = {**logs, "epoch": epoch + 1}
        try:
            return Path(self.filepath.format(**fields))
        except KeyError as error:
            name = error.args[0]
            if is_left_out(name, logs, self):
                return None
            raise ValueError(f"ModelCheckpoint: {unknown('number', name, sorted(fields))}") from None


def _check_ending(filepath: str, save_weights_only: bool | None) -> bool:
    """Return whether a file of this name has weights only."""
    endings = {".safetensors": True, ".dualnn": False}
    ending = next((one for one in endings if filepath.endswith(one)), None)
    if ending is None or (save_weights_only is not None and endings[ending] != save_weights_only):
        raise ValueError(
            "expected a filepath that ends in '.safetensors' for the weights, or in '.dualnn' for the whole "
            f"model, got {filepath!r} with save_weights_only={save_weights_only}"
        )
    return endings[ending]


def _check_pattern(filepath: str) -> None:
    """Raise an error if no epoch could write to files of this pattern."""
    example = "'{epoch:02d}-{val_loss:.2f}.safetensors'"
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(filepath) if name is not None]
        filepath.format(**{**dict.fromkeys(fields, 0.5), "epoch": 1})
    except (ValueError, LookupError, AttributeError) as error:
        raise ValueError(f"expected a filepath such as {example}, got {filepath!r} ({error})") from error
    if not fields and Path(filepath).is_dir():
        raise IsADirectoryError(f"expected a file to write to, {filepath!r} is a folder")
    # what is there already of the folders, up to the first whose name depends on the epoch
    folder = Path(filepath.partition("{")[0] + "_").parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"cannot write to {filepath!r}: {str(folder)!r} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write to {filepath!r}: no permission to write in {str(folder)!r}")
