"""MNIST and Fashion-MNIST: from a folder of this machine, else downloaded once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dualnn.datasets import idx
from dualnn.datasets.dataset import Dataset, Features, Labels
from dualnn.datasets.download import download

FOLDER_VARIABLE = "DUALNN_DATA"
SYSTEM_FOLDER = Path("/usr/share/datasets")  # where Debian's dataset-* packages put their files

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class Source:
    """Where the four files of a data set can be downloaded, and their checksums."""

    url: str
    """The address of the folder of the files."""
    md5: dict[str, str]
    """The MD5 of each file, as torchvision publishes it (torchvision/datasets/mnist.py)."""


SOURCES = {
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion-mnist": Source(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
}


def mnist(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Return MNIST: 70,000 handwritten digits as images of 28 by 28 pixels, 10,000 for the test.

    Args:
        folder: where the four files are, as published or unpacked. None: the first of
            ``$DUALNN_DATA/mnist``, ``~/.cache/dualnn/mnist`` and ``/usr/share/datasets/mnist`` that
            has them; if none has, they are downloaded into the second.

    Raises:
        FileNotFoundError: the files are in none of the folders and cannot be downloaded.
        ValueError: a file is not what it should be.

    >>> import dualnn as dn
    >>> dn.datasets.mnist()                                     # doctest: +SKIP
    Dataset('mnist': 60000 training and 10000 test examples of shape (28, 28, 1), 10 classes)
    """
    return _load("mnist", folder, tuple("0123456789"))


def fashion_mnist(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Return Fashion-MNIST: 70,000 images of clothing, 28 by 28 pixels, 10,000 for the test.

    Args:
        folder: as for `mnist`, with ``fashion-mnist`` in the place of ``mnist``.

    Raises:
        FileNotFoundError: the files are in none of the folders and cannot be downloaded.
        ValueError: a file is not what it should be.

    >>> import dualnn as dn
    >>> dn.datasets.fashion_mnist()                             # doctest: +SKIP
    Dataset('fashion-mnist': 60000 training and 10000 test examples of shape (28, 28, 1), 10 classes)
    """
    return _load("fashion-mnist", folder, FASHION_CLASSES)


def _load(name: str, folder: str | os.PathLike[str] | None, class_names: tuple[str, ...]) -> Dataset:
    files = _files(name, folder)
    train = _examples(files["train-images-idx3-ubyte.gz"], files["train-labels-idx1-ubyte.gz"])
    test = _examples(files["t10k-images-idx3-ubyte.gz"], files["t10k-labels-idx1-ubyte.gz"])
    return Dataset(name, *train, *test, class_names)


def _examples(images_path: Path, labels_path: Path) -> tuple[Features, Labels]:
    images, labels = idx.read(images_path), idx.read(labels_path)
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"{images_path}: expected images of type uint8 and shape (n, 28, 28), "
            f"got {images.dtype} and {images.shape}"
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{labels_path}: expected {len(images)} labels of type uint8, one for each image, "
            f"got {labels.dtype} and shape {labels.shape}"
        )
    if labels.size and labels.max() > 9:
        raise ValueError(f"{labels_path}: expected labels from 0 to 9, got {labels.max()}")
    return images[..., np.newaxis].astype(np.float32) / np.float32(255), labels.astype(np.int64)


def _files(name: str, folder: str | os.PathLike[str] | None) -> dict[str, Path]:
    folders = list(_folders(name)) if folder is None else [Path(folder).expanduser()]
    for candidate in folders:
        files = _present(name, candidate)
        if len(files) == len(SOURCES[name].md5):
            return files
    # when a caller names the folder, nothing is downloaded into it, and nothing else taken instead
    if folder is not None:
        raise FileNotFoundError(_not_found(name, folders))
    try:
        return _download(name)
    except OSError as error:
        raise FileNotFoundError(_not_found(name, folders, f" and cannot be downloaded ({error})")) from error


def _not_found(name: str, folders: list[Path], reason: str = "") -> str:
    looked = ", ".join(map(str, folders))
    names = ", ".join(SOURCES[name].md5)
    return (
        f"the data set {name!r} is not in {looked}{reason}; "
        f"put its files in one such folder: {names} (unpacked, without .gz, will do)"
    )


def _download(name: str) -> dict[str, Path]:
    """Download the files that the cache folder lacks, and return all."""
    source, folder = SOURCES[name], _cache_folder(name)
    present = _present(name, folder)
    for file, md5 in source.md5.items():
        if file not in present:
            download(source.url + file, folder / file, md5)
    return _present(name, folder)


def _present(name: str, folder: Path) -> dict[str, Path]:
    files = {}
    for file in SOURCES[name].md5:
        for path in (folder / file, folder / file.removesuffix(".gz")):
            if path.is_file():
                files[file] = path
                break
    return files


def _folders(name: str) -> Iterator[Path]:
    if parent := os.environ.get(FOLDER_VARIABLE):
        yield Path(parent).expanduser() / name
    yield _cache_folder(name)
    yield SYSTEM_FOLDER / name


def _cache_folder(name: str) -> Path:
    # the XDG base directory specification ignores relative paths
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if os.path.isabs(cache) else Path.home() / ".cache") / "dualnn" / name
