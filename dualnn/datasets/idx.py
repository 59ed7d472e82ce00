"""Reading the IDX files of MNIST and its relatives, plain or compressed by gzip.

The format: two zero bytes, the code of the data type, the number of dimensions, each dimension as
a big-endian 32-bit integer, then the values, big-endian, in C order.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
GZIP_MAGIC = b"\x1f\x8b"
MAX_DIMENSIONS = 8
CHUNK = 1 << 20


def read(path: str | os.PathLike[str], *, max_bytes: int = 1 << 30) -> npt.NDArray[Any]:
    """Return the array in an IDX file, plain or compressed by gzip.

    Memory is bounded: a header that promises more than `max_bytes` of values is refused, and no more
    is read than the header promises, so a small file cannot unpack into a huge one.

    Args:
        path: the file.
        max_bytes: the most bytes of values that the file may hold.

    Raises:
        ValueError: the file is not IDX, is cut short, or goes on after its end.

    >>> import pathlib, tempfile
    >>> from dualnn.datasets import idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     idx.read(path)
    array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    with path.open("rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
    try:
        # GzipFile is a binary stream in all but its declared type
        with cast(IO[bytes], gzip.open(path, "rb") if compressed else path.open("rb")) as stream:
            return _parse(stream, path, max_bytes)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path}: expected a gzip file, got a broken or cut one ({error})") from error


def _parse(stream: IO[bytes], path: Path, max_bytes: int) -> npt.NDArray[Any]:
    start = _header(stream, 4, path)
    zeros, code, dimensions = struct.unpack(">HBB", start)
    if zeros != 0 or code not in DTYPES or not 1 <= dimensions <= MAX_DIMENSIONS:
        raise ValueError(
            f"{path}: expected an IDX file, which starts with 00 00, a data type of 08, 09, 0b, 0c, 0d "
            f"or 0e and 1 to {MAX_DIMENSIONS} dimensions; got {start.hex(' ')}"
        )
    shape = struct.unpack(f">{dimensions}I", _header(stream, 4 * dimensions, path))
    dtype = DTYPES[code]
    size = math.prod(shape) * dtype.itemsize
    # a dimension of 0 must not hide absurd other ones, which NumPy would refuse in words of its own
    if math.prod(n or 1 for n in shape) * dtype.itemsize > max_bytes:
        raise ValueError(f"{path}: expected at most {max_bytes:,} bytes of values, got shape {shape}")

    data = bytearray()
    while len(data) < size and (chunk := stream.read(min(CHUNK, size - len(data)))):
        data += chunk
    if len(data) < size:
        raise ValueError(f"{path}: expected {size:,} bytes of values for shape {shape}, got {len(data):,}")
    if stream.read(1):
        raise ValueError(f"{path}: expected {size:,} bytes of values for shape {shape}, got more")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _header(stream: IO[bytes], size: int, path: Path) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ValueError(f"{path}: expected an IDX header, got a file that ends within it")
    return data
