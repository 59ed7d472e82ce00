"""Files that are complete or not there, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PART = ".part"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is complete or not there; an older file of this name stays until then.

    It is on the disk when this returns, also should the machine lose its power then.

    Raises:
        OSError: it cannot be written; an older file is as it was, and nothing else is left.
    """
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file in it")
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # in the name that the caller knows
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise
    _sync_folder(path.absolute().parent)


def remove_parts(folder: Path) -> None:
    """Remove what a process has left behind that was killed while it wrote."""
    for part in folder.glob(f".*{PART}"):
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # the new name is on the disk when the folder is; not every system can open one
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
