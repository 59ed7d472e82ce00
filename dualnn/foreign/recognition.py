"""Which library an object comes from: known by the modules of its classes, so that none is imported."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from typing import Any

LIBRARIES = ("torch", "torchmetrics", "lightning", "pytorch_lightning", "keras", "tf_keras", "tensorflow")
KERAS = ("keras", "tf_keras")


def library(x: Any) -> str | None:
    """Return the library of an object, a class or a function: ``"torch"``, ``"keras"``; None for any other.

    A class that inherits from one of a library's belongs to the library; a function belongs to the library
    that defines it.

    >>> library(print) is None
    True
    """
    return next((name for name, _ in _origins(x)), None)


def class_names(x: Any, *libraries: str) -> list[str]:
    """Return the names of an object's classes that these libraries define, the most special one first."""
    return [cls.__name__ for name, cls in _origins(x) if name in libraries and isinstance(cls, type)]


def backend_of(x: Any) -> str | None:
    """Return the backend whose tensors a library's object works on; None if there is none.

    That of Keras is the one that it was started with.
    """
    name = library(x)
    if name in ("torch", "tensorflow"):
        return name
    if name == "tf_keras":
        return "tensorflow"
    keras = sys.modules.get("keras") if name == "keras" else None
    return None if keras is None else str(keras.config.backend())


def is_inherited(x: Any, method: str) -> bool:
    """Whether an object has a method from a class of a library, and not from one of a user's own."""
    if method in vars(x):
        return False
    owner = next((cls for cls in type(x).__mro__ if method in vars(cls)), None)
    return owner is not None and _library_of(owner) is not None


def public_name(x: Any) -> str:
    """Return the name that a user knows an object's class by, or a function: ``"torch.nn.L1Loss"``."""
    named = _unwrapped(x)
    if not hasattr(named, "__name__"):
        named = type(named)
    own = _library_of(named) is None
    module = named.__module__.split(".")
    if own:  # a class of a user's own that inherits from a library's
        return str(named.__name__)
    return ".".join([*_room(module), named.__name__])


def _room(module: list[str]) -> list[str]:
    root, rest = module[0], [part for part in module[1:] if part not in ("src", "python")]
    if root == "tensorflow":
        return ["tf"]
    if root == "torch":
        if rest[:1] == ["nn"]:
            return ["torch", "nn", *[part for part in rest[1:2] if part in ("functional", "init")]]
        return ["torch", *[part for part in rest if part in ("optim", "lr_scheduler")]]
    if root in KERAS:
        if rest[:1] == ["backend"]:  # keras.src.backend.torch.optimizers.torch_adam: that of optimizers
            rest = rest[2:]
        return [root, *rest[:1], *[part for part in rest[1:] if part == "schedules"]]
    return [root, *[part for part in rest[:1] if part == "functional"]]


def _origins(x: Any) -> Iterator[tuple[str, Any]]:
    x = _unwrapped(x)
    kinds = x.__mro__ if isinstance(x, type) else (type(x).__mro__ if not hasattr(x, "__name__") else (x,))
    for kind in kinds:
        name = _library_of(kind)
        if name is not None:
            yield name, kind


def _unwrapped(x: Any) -> Any:
    while isinstance(x, functools.partial):
        x = x.func
    return x


def _library_of(x: Any) -> str | None:
    owner = getattr(x, "__self__", None)  # a function in C such as torch.relu may name its owner alone
    module = getattr(x, "__module__", None) or getattr(owner, "__module__", "")
    root = str(module).partition(".")[0]
    return root if root in LIBRARIES else None
