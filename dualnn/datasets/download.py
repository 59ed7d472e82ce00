"""Downloading a file whose checksum is known, whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 16
TIMEOUT_SECONDS = 30
MAX_BYTES = 1 << 26


def download(url: str, path: Path, md5: str) -> None:
    """Download a file to `path`, which appears only once it is complete and its checksum is right.

    Shows a progress bar when standard error is a terminal.

    Raises:
        OSError: the transfer failed or was cut, the file is over 64 MiB, or its checksum is wrong;
            nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            digest = _transfer(url, file)
        if digest != md5:
            raise OSError(f"{url}: expected MD5 {md5}, got {digest}")
        os.chmod(name, 0o644)  # mkstemp's files are private
        os.replace(name, path)
    except BaseException:  # an interrupt from the keyboard too
        os.unlink(name)
        raise


def _transfer(url: str, file: IO[bytes]) -> str:
    # MD5 is what the data sets' distributors publish; it guards against accidents, https against others
    digest = hashlib.md5(usedforsecurity=False)
    received = 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            expected = response.length or 0  # None when the server does not say
            with _progress(url, expected) as advance:
                while chunk := response.read(CHUNK):
                    received += len(chunk)
                    if received > MAX_BYTES:
                        raise OSError(f"{url}: expected at most {MAX_BYTES:,} bytes, got more")
                    file.write(chunk)
                    digest.update(chunk)
                    advance(len(chunk))
    except http.client.HTTPException as error:
        raise OSError(f"{url}: the transfer broke ({error!r})") from error
    if received < expected:  # urllib ends quietly when the connection is closed early
        raise OSError(f"{url}: expected {expected:,} bytes, got {received:,}")
    return digest.hexdigest()


@contextmanager
def _progress(url: str, total: int) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(url.rsplit("/", 1)[-1], total=total or None)
        yield lambda size: progress.advance(task, size)
