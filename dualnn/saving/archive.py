"""One file for arrays and a description of them: safetensors, with JSON in its header and a checksum.

Reading executes nothing: the header is JSON, the rest is numbers (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from dualnn.saving.atomic import write_atomically
from dualnn.saving.trees import Array, Tree, pack, unpack

VERSION = 1


def write(path: str | os.PathLike[str], kind: str, tree: Tree) -> None:
    """Write a tree of numbers, texts and arrays to a file that is complete or not there.

    Args:
        path: the file; an older one of this name stays until the new one is complete.
        kind: what it is, ``"checkpoint"``; `read` refuses another.
        tree: as in `pack`.

    Raises:
        OSError: it cannot be written; the older file is as it was.
        TypeError: the tree holds something else.
    """
    description, arrays = pack(tree)
    arrays = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    text = json.dumps(description, allow_nan=False)
    metadata = {
        "format": f"dualnn.{kind}",
        "version": str(VERSION),
        "description": text,
        "sha256": _checksum(text, arrays),
    }
    write_atomically(Path(path), safetensors.numpy.save(arrays, metadata=metadata))


def read(path: str | os.PathLike[str], kind: str) -> Tree:
    """Return the tree that a file holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a file, it has been damaged, or a later version of dualnn wrote it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        metadata, arrays = _content(path)
        known = metadata.get("format", "")
        if known != f"dualnn.{kind}":
            raise ValueError(f"it is {known or 'no file of dualnn'}, expected dualnn.{kind}")
        if metadata.get("version") != str(VERSION):
            raise ValueError(f"it has version {metadata.get('version')}, this dualnn reads version {VERSION}")
        text = metadata.get("description", "")
        if _checksum(text, arrays) != metadata.get("sha256"):
            raise ValueError("its checksum is wrong: the file has been damaged or changed")
        return unpack(json.loads(text), arrays)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        told = f"{error!s:.500}"  # which may quote the file
        raise ValueError(f"{path}: expected a whole file of kind {kind!r} ({told})") from error


def _content(path: Path) -> tuple[dict[str, str], dict[str, Array]]:
    with safetensors.safe_open(path, framework="np") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _checksum(text: str, arrays: dict[str, Array]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
