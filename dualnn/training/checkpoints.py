"""A folder of checkpoints: everything that a training run needs to go on as if nothing had happened."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from dualnn.saving import archive
from dualnn.saving.atomic import remove_parts
from dualnn.saving.trees import Tree

KIND = "checkpoint"
_NAME = re.compile(r"checkpoint-(\d{12})\.safetensors")


class Checkpoints:
    """Where `Model.fit` writes checkpoints, how often, and how many it keeps.

    A checkpoint is one safetensors file with the weights, the optimizer's slots, counters of random numbers,
    the sums behind the metrics, the history and the callbacks' state. It is complete or not there: it is
    written beside, brought to the disk, and then renamed. It has a checksum.

    Args:
        directory: the folder; it is made if it is not there. One run writes to it at a time.
        every_epochs: write after every so many epochs, and after the last one.
        every_steps: write within an epoch as well, after every so many steps; None for never. Where an
            engine runs several steps as one, it is after the next of these.
        keep: how many are kept, the newest ones.

    Raises:
        ValueError: a number below 1.

    >>> import tempfile
    >>> import dualnn as dn
    >>> def trained(epochs, folder, resume=False):
    ...     model = dn.Sequential([dn.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     saving = dn.Checkpoints(folder, keep=2)
    ...     x, y = [[0.0], [1.0]], [[0.0], [2.0]]
    ...     return model.fit(x, y, epochs=epochs, checkpoint=saving, resume=resume, seed=0, verbose=0)
    >>> with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
    ...     _ = trained(3, one)
    ...     resumed, whole = trained(5, one, resume=True), trained(5, other)
    >>> resumed.history == whole.history, len(resumed.epoch)
    (True, 5)
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        every_epochs: int = 1,
        every_steps: int | None = None,
        keep: int = 3,
    ) -> None:
        for name, value in (("every_epochs", every_epochs), ("every_steps", every_steps), ("keep", keep)):
            if value is not None and not value >= 1:
                raise ValueError(f"expected {name} of at least 1, got {value!r}")
        self.directory = Path(directory)
        self.every_epochs, self.every_steps, self.keep = every_epochs, every_steps, keep

    def open(self, resume: bool) -> Tree | None:
        """Make the folder ready for a run, and return the newest whole checkpoint, or None if there is none.

        What a killed process left half written is removed. A damaged checkpoint is passed over for the one
        before, and the logger ``"dualnn"`` warns.

        Raises:
            ValueError: there are checkpoints though none is to be resumed, or all are damaged.
            OSError: the folder cannot be made or written to.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        remove_parts(self.directory)
        paths = self.paths()
        if paths and not resume:
            raise ValueError(
                f"{self.directory} holds checkpoints of another run; resume=True goes on with it, "
                f"or name another folder"
            )
        errors = []
        for path in reversed(paths):
            try:
                return archive.read(path, KIND)
            except ValueError as error:
                logging.getLogger("dualnn").warning("a checkpoint is passed over: %s", error)
                errors.append(error)
        if errors:
            raise ValueError(
                f"none of the {len(errors)} checkpoints in {self.directory} is whole: {errors[0]}"
            )
        return None

    def write(self, step: int, tree: Tree) -> Path:
        """Write the checkpoint after step number `step` of a run, remove the oldest, and return its path.

        Raises:
            OSError: it cannot be written, because the disk is full for example; those before are intact.
        """
        path = self.directory / f"checkpoint-{step:012}.safetensors"
        try:
            archive.write(path, KIND, tree)
        except OSError as error:
            error.add_note(f"the checkpoint {path} could not be written; those before it are intact")
            raise
        for old in self.paths()[: -self.keep]:
            old.unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """Return the checkpoints that are there, the oldest first."""
        return sorted(path for path in self.directory.iterdir() if _NAME.fullmatch(path.name))
