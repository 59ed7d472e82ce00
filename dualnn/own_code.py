"""Code of a user's own that the command line runs: found, called, and its errors with their place."""

from __future__ import annotations

import importlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dualnn.names import unknown


def built(text: str, kind: type) -> Any:
    """Return what the function of ``"module:function"`` makes.

    Args:
        text: where the function is.
        kind: the class that it makes an instance of.

    Raises:
        ValueError: the text says no function, or the function takes arguments or makes something else.
        RuntimeError: the module or the function raises an error, whose place in the user's file is named.
    """
    module_name, separator, name = text.partition(":")
    if not separator or not name or module_name.endswith(".py") or "/" in module_name:
        raise ValueError(
            f"expected module:function, as one imports it, got {text!r}; for example models:build"
        )
    sys.path.insert(0, "")  # a module beside the user, as with python -m
    with errors_located():
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise  # a module that the user's own imports
            raise ValueError(f"there is no module {module_name!r}, here or among those installed") from None
    function = getattr(module, name, None)
    if not callable(function):
        functions = [
            key for key, value in vars(module).items() if callable(value) and not key.startswith("_")
        ]
        raise ValueError(f"module {module_name!r}: {unknown('function', name, functions)}")
    _check_takes_nothing(text, function)
    with errors_located():
        made = function()
    if not isinstance(made, kind):
        raise ValueError(f"expected {text} to return a dualnn model, got {_described(made)}")
    return made


@contextmanager
def errors_located() -> Iterator[None]:
    """Raise errors of a user's own code with the file and the line where they come from."""
    try:
        yield
    except Exception as error:
        place = _place(error)
        if place is None:
            raise
        told = " ".join(str(error).split())
        raise RuntimeError(f"{place}: {type(error).__name__}{f': {told}' if told else ''}") from error


def _check_takes_nothing(text: str, function: Any) -> None:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise ValueError(
            f"{text} must be a function without arguments that returns a model: {error}"
        ) from None
    except ValueError:
        return  # a function of C does not say what it takes


def _place(error: Exception) -> str | None:
    """Return the file and the line of the innermost call in a file that is a user's own."""
    if isinstance(error, SyntaxError) and error.filename and _is_own(error.filename):
        return f"{error.filename}:{error.lineno}"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if _is_own(one.filename)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


def _is_own(filename: str) -> bool:
    path = Path(filename)
    installed = {Path(folder) for folder in sysconfig.get_paths().values()}
    others = {Path(__file__).parent.parent / name for name in ("dualnn", "dualnn_torch", "dualnn_tf")}
    return path.exists() and not any(folder in path.absolute().parents for folder in installed | others)


def _described(x: Any) -> str:
    if x is None:
        return "None; end the function with return model"
    return f"a {type(x).__name__}" if not isinstance(x, type) else f"the class {x.__name__}"
